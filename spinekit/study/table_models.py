"""One call on a plain table of features: every classifier nested by patient, audited, compared, drawn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.pipelines import CLASSIFIERS, REFERENCE, PipelineChoices
from spinekit.errors import InputRefusedError
from spinekit.provenance import write_json, write_text
from spinekit.study.model_report import ModelReport, model_report
from spinekit.study.page import Section, write_pages
from spinekit.study.plain_table import PlainTable

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.diagnosis.audit_finding import AuditReport

__all__ = ["TableChoices", "TableModels", "models_of_table"]

LIMITS = "Research only. No output of spinekit is a diagnosis."
SITE = "centre"
SHOWN = ("AUC", "AUC low", "AUC high", "accuracy", "sensitivity", "specificity", "Brier", "calibration slope",
         "calibration intercept", "ECE", "Hosmer-Lemeshow p")  # fmt: skip


@dataclass(frozen=True)
class TableChoices:
    """What is fitted; the first classifier is the reference.

    Attributes
    ----------
    external : str
        Centre that is kept for the external test; empty for none.
    harmonise : bool
        ComBat between centres, learned in the folds; no external centre can be tested then.
    keep : tuple of str
        Columns that ComBat leaves as they are.
    """

    classifiers: tuple[str, ...] = CLASSIFIERS
    selection: str = "mrmr"
    external: str = ""
    harmonise: bool = False
    keep: tuple[str, ...] = ()
    outer: int = 5
    inner: int = 4
    seed: int = 2023
    draws: int = 2000


@dataclass(frozen=True)
class TableModels:
    """What was found: reports by test set (``internal``, ``external``), the audit, sentences, the page."""

    reports: dict[str, ModelReport]
    audit: AuditReport
    sentences: tuple[str, ...]
    page: Path


def models_of_table(
    table: PlainTable, out: str | os.PathLike[str], choices: TableChoices | None = None, *,
    repeats: dict[str, pd.DataFrame] | None = None, on_step: Callable[[int, int, str], None] | None = None,
) -> TableModels:  # fmt: skip
    """Fit every classifier in nested folds and write numbers, figures, audit and a page.

    Parameters
    ----------
    table : PlainTable
        From `read_plain_table`.
    out : path
        A folder.
    choices : TableChoices, optional
    repeats : mapping of str to DataFrame, optional
        For the stability filter inside the folds; see `read_repeats`.
    on_step : callable, optional
        Called with (number, total, words).

    Raises
    ------
    InputRefusedError
        What folds and steps refuse; ``choice-unknown`` for an external centre that is not there, or with
        harmonisation.
    """
    from spinekit.diagnosis.auditor import audit
    from spinekit.diagnosis.pipelines import build_pipeline
    from spinekit.evaluation import fit_pipeline, nested_cross_validation, nested_splits

    chosen = choices or TableChoices()
    inside = _internal(table, chosen)
    features = table.features.assign(**{SITE: table.centres}) if chosen.harmonise else table.features
    y, who, where = table.labels[inside], table.patients[inside], table.centres[inside]
    splits = nested_splits(y, who, centres=where, outer=chosen.outer, inner=chosen.inner, seed=chosen.seed)
    predicted: dict[str, dict[str, Any]] = {"internal": {}, "external": {}}
    called: dict[str, dict[str, Any]] = {"internal": {}, "external": {}}
    fitted = {}
    for number, classifier in enumerate(chosen.classifiers, start=1):
        name, how = _words(classifier), _pipeline(classifier, chosen)
        result = nested_cross_validation(
            features.iloc[inside], y, who, choices=how, seed=chosen.seed, splits=splits, repeats=repeats
        )
        predicted["internal"][name], called["internal"][name] = result.probabilities, result.called
        if number == 1 or inside.size < len(features):
            folds = [(split.train, split.test) for split in splits]
            fitted[name] = fit_pipeline(features.iloc[inside], y, how, folds, repeats=repeats)
        if inside.size < len(features):
            outside = np.setdiff1d(np.arange(len(features)), inside)
            predicted["external"][name] = fitted[name].predict(features.iloc[outside])
            called["external"][name] = predicted["external"][name] >= fitted[name].threshold
        _ = on_step and on_step(number, len(chosen.classifiers), name)
    seen = audit(
        build_pipeline(_pipeline(chosen.classifiers[0], chosen), repeats=repeats), features.iloc[inside], target=y,
        patient=who, site=where if np.unique(where).size > 1 else None, folds=splits,
        features=list(table.features.columns),
    )  # fmt: skip
    found = {
        "predicted": predicted,
        "called": called,
        "fitted": fitted[_words(chosen.classifiers[0])],
        "inside": inside,
    }
    return _written(Path(out), table, chosen, found, seen)


def _internal(table: PlainTable, chosen: TableChoices) -> Any:
    centres = sorted(set(table.centres))
    if chosen.external and (chosen.external not in centres or len(centres) < 2 or chosen.harmonise):
        raise InputRefusedError(
            "choice-unknown",
            found=f"The external centre '{chosen.external}' was asked for"
                  f"{', with harmonisation' if chosen.harmonise else ''}.",
            expected=f"One of {', '.join(centres)}, beside others, and no harmonisation: the shift of a centre that "
                     "was not trained on is not known.",
            cause="The column of the centre has other names, or was not named.",
            cure="Correct --external or --centre, or leave --harmonise out.",
        )  # fmt: skip
    return np.flatnonzero(table.centres != chosen.external) if chosen.external else np.arange(len(table.labels))


def _words(classifier: str) -> str:
    return classifier.replace("_", " ")


def _pipeline(classifier: str, chosen: TableChoices) -> PipelineChoices:
    return PipelineChoices(
        classifier, chosen.selection, site=SITE if chosen.harmonise else "", keep=chosen.keep, seed=chosen.seed
    )


def _written(folder: Path, table: PlainTable, chosen: TableChoices, found: dict[str, Any], seen: Any) -> TableModels:
    from spinekit.diagnosis.formula import linear_model, write_linear_model
    from spinekit.diagnosis.required_sample import sample_size

    inside, reference = found["inside"], chosen.classifiers[0]
    outside = np.setdiff1d(np.arange(len(table.labels)), inside)
    formula = None
    if reference == REFERENCE and not chosen.harmonise:
        about = {"simulated": table.simulated, "cases": inside.size, "warning": LIMITS}
        formula = linear_model(found["fitted"].pipeline, classes=table.classes, about=about)
        write_linear_model(formula, folder / "model.json")
    reports = {}
    for where, rows in (("internal", inside), ("external", outside)):
        if not rows.size or min(np.bincount(table.labels[rows], minlength=2)) < 2:
            continue
        reports[where] = model_report(
            table.labels[rows], found["predicted"][where], reference=_words(reference), called=found["called"][where],
            seed=chosen.seed, formula=formula if where == "internal" else None, table=table.features.iloc[inside],
            title=f"{where} test, {rows.size} rows", simulated=table.simulated, n=chosen.draws,
        )  # fmt: skip
        reports[where].save(folder, prefix=f"{where}_")
    write_text(folder / "audit.csv", seen.as_table().to_csv(index=False))
    write_json(folder / "choices.json", asdict(chosen) | {"columns": list(found["fitted"].columns)})
    first = np.unique(table.patients[inside], return_index=True)[1]  # lesions of one patient are no sample
    y = table.labels[inside][first]
    sample = sample_size(y.size, int(y.sum()), table.features.shape[1], auc=0.85).sentence
    words = [f"{where}: {text}" for where, r in reports.items() for text in r.comparisons.get("in words", ())]
    words += [f"The leakage auditor found: {finding}" for finding in seen]
    words += [] if len(seen) else [f"The leakage auditor looked for {len(seen.checked)} leaks and found none."]
    words.append(f"{sample} (AUC 0.85 expected.)")
    sections = _sections(folder, table, chosen, reports, seen, tuple(words))
    title = f"{table.classes[1]} or {table.classes[0]}: classifiers on a table of features"
    _, page = write_pages(folder, title, sections, simulated=table.simulated, limits=LIMITS)
    return TableModels(reports, seen, tuple(words), page)


def _sections(
    folder: Path, table: PlainTable, chosen: TableChoices, reports: Any, seen: Any, words: tuple[str, ...]
) -> list[Section]:
    grouped = "grouped by patient" if table.has_patients else "every row taken for a patient of its own"
    strata = "class and centre" if table.has_centres else "class"
    made = (
        f"{len(table.labels)} rows, {table.features.shape[1]} features. {chosen.outer} outer and {chosen.inner} inner "
        f"folds, {grouped}, stratified by {strata}, seed {chosen.seed}. Selection: {chosen.selection}. Every step is "
        "fitted inside the fold; parameters are chosen by log loss and thresholds by Youden's index on inner folds. "
        "Differences are not corrected for their number."
    )
    sections = [Section("How it was made", (made,)), Section("What was found", words)]
    for where, report in reports.items():
        shown = report.numbers[[c for c in SHOWN if c in report.numbers.columns]]
        pictures = tuple((folder / f"{where}_{name}.png", f"{where} {name}") for name in report.figures)
        sections.append(Section(f"{where.capitalize()} test", report.words, (shown,), pictures))
    return [*sections, Section("Leaks", (), (seen.as_table(),))]
