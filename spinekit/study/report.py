"""From predictions to the page of a study: tables, figures, sentences."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.evaluation import area_under_curve
from spinekit.provenance import hash_array, hash_json, write_beside, write_json
from spinekit.study.feature_stability import stability_of_study, stability_sentence
from spinekit.study.model_report import ModelReport, model_report
from spinekit.study.page import Section, write_pages
from spinekit.study.results import (
    ambiguity_table,
    diagnosis_tables,
    published_table,
    segmentation_cases,
    segmentation_table,
)
from spinekit.study.taught import FROZEN

if TYPE_CHECKING:
    from spinekit.study.run import StudyOptions, StudyRun

__all__ = ["write_study"]

TITLE = "Metastasis or primary malignant bone tumour: radiomics, improved U-Net, Inception-ResNet"
LIMITS = "Research only. No output of spinekit is a diagnosis."
SHUFFLED_FOLDS = (3, 2)  # outer and inner at most: the steps of the study in fewer folds, a hundred times
CANNOT = (
    "The published column was measured in patients of one hospital, the other one in simulated cases: the two cannot "
    "be compared as accuracies. They stand side by side to show which quantity is meant. A pixel accuracy of 98 % "
    "is what a mask without any lesion reaches when lesions cover 2 % of the pixels."
)
MOVES = (
    "What the study's text leaves open, read in every way, with the same small model on each. 'Moved by' is the "
    "difference to the first reading, which is ours. Growing does not use wash-out, so Dice has no value there."
)
STABLE = (
    "Share of features with an ICC(2,1) of at least 0.75 in the internal cases: between the case's own region and that "
    "of another (simulated) reader, that with another border, and all three. No arm uses this table: every fold has a "
    "filter of its own."
)
SHORT = ("arm", "tested on", "n", "AUC", "AUC low", "AUC high", "accuracy", "sensitivity", "specificity", "Brier",
         "calibration slope", "calibration intercept", "ECE")  # fmt: skip


def write_study(
    folder: Path, found: dict[str, Any], options: StudyOptions, *, on_step: Callable[..., None] | None = None
) -> StudyRun:
    """Compute the tables and figures of a study from its predictions, and write them with a page of both."""
    from spinekit.diagnosis.formula import write_linear_model
    from spinekit.study.run import StudyRun, reference_formula, save_tables

    setup = found["setup"]
    labels, internal, splits = setup["labels"], setup["internal"], setup["splits"]
    simulated = all(case.shown_simulated for case in found["cases"])
    per_case = segmentation_cases(found["cases"], found["records"], found["networks"], internal=internal, splits=splits)
    segmentation = segmentation_table(per_case)
    diagnosis, comparisons = diagnosis_tables(
        found["results"], labels[internal], labels[~internal], reference=found["reference"], seed=options.seed,
        n=options.draws,
    )  # fmt: skip
    readings = ambiguity_table(
        found["cases"], found["records"], per_case, labels=labels, patients=setup["patients"], internal=internal,
        splits=splits, seed=options.seed,
    )  # fmt: skip
    audit = _audit(found)
    formula, formula_table = reference_formula(found)
    figures = _figures(folder, found, options, per_case, diagnosis, formula, formula_table, simulated=simulated)
    stable = _stability(found)
    tables = {
        "segmentation": segmentation, "segmentation_cases": per_case, "diagnosis": diagnosis,
        "comparisons": comparisons, "readings": readings, "published": published_table(segmentation, diagnosis),
        "audit": audit.as_table(), **({"stability": stable} if len(stable) else {}),
    }  # fmt: skip
    permuted = _permuted(folder, found, options, on_step)
    sentences = _sentences(found, options, comparisons, audit, permuted)
    if len(stable):
        minimum = next(a for a in found["arms"] if a.name == found["reference"]).choices.stability
        sentences = (*sentences, stability_sentence(stable, minimum=minimum))
    tables["checklists"], methods = _checklists(found, options, tables, sentences, simulated=simulated)
    save_tables(folder, tables)
    write_linear_model(formula, folder / "model.json")
    if permuted is not None:
        figures["permutation"] = _permutation_figure(folder, found, permuted, simulated=simulated)
    sections = _sections(folder, found, options, tables, sentences, figures, formula.in_words(), methods)
    readme, report = write_pages(folder, TITLE, sections, simulated=simulated, limits=LIMITS)
    internal = tuple(case for case, inside in zip(found["cases"], found["setup"]["internal"], strict=True) if inside)
    return StudyRun(tables, sentences, found["results"], internal, found["left_out"], report, readme)


def _audit(found: dict[str, Any]) -> Any:
    from spinekit.diagnosis.auditor import audit
    from spinekit.diagnosis.pipelines import build_pipeline

    setup, arm = found["setup"], next(a for a in found["arms"] if a.name == found["reference"])
    inside = np.flatnonzero(setup["internal"])
    table = found["seen"][arm.name].iloc[inside]
    centres = setup["centres"][inside]
    return audit(
        build_pipeline(arm.choices, repeats=found["repeats"][arm.name]), table,
        target=setup["labels"][inside], patient=setup["patients"][inside],
        site=centres if np.unique(centres).size > 1 else None, folds=setup["splits"],
    )  # fmt: skip


def _stability(found: dict[str, Any]) -> Any:
    arm = next(a for a in found["arms"] if a.name == found["reference"])
    inside = np.flatnonzero(found["setup"]["internal"])
    table, repeats = found["seen"][arm.name].iloc[inside], found["repeats"][arm.name]
    return stability_of_study(table, repeats, minimum=arm.choices.stability)


def _figures(
    folder: Path, found: Any, options: Any, per_case: Any, diagnosis: Any, formula: Any, formula_table: Any, *,
    simulated: bool,
) -> dict[str, Path]:  # fmt: skip
    from spinekit.plotting import statistics_study as drawing

    setup, out = found["setup"], folder / "figures"
    paths: dict[str, Path] = {}
    for where, rows in (("internal", setup["internal"]), ("external", ~setup["internal"])):
        labels = setup["labels"][rows]
        if np.unique(labels).size < 2 or min(np.bincount(labels)) < 2:
            continue
        shown = _shown(found)
        report: ModelReport = model_report(
            labels,
            {name: getattr(found["results"][name], where) for name in shown},
            reference=found["reference"],
            called={name: getattr(found["results"][name], f"{where}_called") for name in shown},
            seed=options.seed,
            formula=formula if where == "internal" else None,
            table=formula_table,
            title=f"{where} test, {len(labels)} cases",
            simulated=simulated,
            n=min(options.draws, 500),
        )
        report.save(out, prefix=f"{where}_")
        paths |= {f"{where} {name}": out / f"{where}_{name}.png" for name in report.figures}
    paths["areas"] = _save(drawing.area_plot(diagnosis, simulated=simulated), out / "areas.png")
    if len(per_case):
        figure = drawing.overlap_plot(per_case.astype({"Dice": float}), simulated=simulated)
        paths["overlap"] = _save(figure, out / "overlap.png")
    return paths


def _shown(found: dict[str, Any]) -> list[str]:
    """Return the arms that are drawn: the reference, and one of each other kind of input."""
    wanted = [found["reference"], "radiomics · random forest", "clinical only", "U-Net-derived", "Inception-ResNet"]
    wanted.append("combined" if "combined" in found["results"] else "radiomics + clinical")
    return [name for name in wanted if name in found["results"]]


def _save(figure: Any, path: Path) -> Path:
    with write_beside(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    return path


def _permuted(folder: Path, found: Any, options: Any, on_step: Any) -> Any:
    """Return the areas with shuffled labels; each is kept as soon as it is there, so that a stopped run goes on."""
    if not options.permutations:
        return None
    from spinekit.evaluation.nested import permuted_areas

    setup, arm = found["setup"], next(a for a in found["arms"] if a.name == found["reference"])
    inside = np.flatnonzero(setup["internal"])
    table, labels = found["seen"][arm.name].iloc[inside], setup["labels"][inside]
    quick = dataclasses.replace(arm.choices, n_columns=arm.choices.n_columns[-1:])
    folds = {"outer": min(options.outer, SHUFFLED_FOLDS[0]), "inner": min(options.inner, SHUFFLED_FOLDS[1])}
    values = hash_array(table.to_numpy(dtype=np.float64))
    repeats = found["repeats"][arm.name]
    again = {way: hash_array(rows.to_numpy()) for way, rows in (repeats or {}).items()}
    key = hash_json([values, labels.tolist(), dataclasses.asdict(quick), folds, options.seed, again])
    path = folder / "permutation.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    areas: list[float] = list(record["areas"]) if record.get("key") == key else []

    def keep(number: int, total: int, area: float) -> None:
        areas.append(area)
        mean = float(np.mean(areas))
        write_json(path, {"areas": areas, "mean": mean, "folds": folds, "seed": options.seed, "key": key})
        if on_step is not None:
            on_step(number, total, f"labels shuffled, AUC {area:.3f}, mean {mean:.3f}")

    return permuted_areas(
        table, labels, setup["patients"][inside], n=options.permutations, seed=options.seed, choices=quick,
        kept=tuple(areas), on_shuffle=keep, repeats=repeats, **folds,
    )  # fmt: skip


def _permutation_figure(folder: Path, found: Any, areas: Any, *, simulated: bool) -> Path:
    from spinekit.plotting.statistics_study import permutation_plot

    setup = found["setup"]
    labels = setup["labels"][setup["internal"]]
    observed = area_under_curve(labels, found["results"][found["reference"]].internal)
    return _save(permutation_plot(areas, observed, simulated=simulated), folder / "figures" / "permutation.png")


def _sentences(found: Any, options: Any, comparisons: Any, audit: Any, permuted: Any) -> tuple[str, ...]:
    words = [f"{row['tested on']}: {row['in words']}" for row in comparisons.to_dict("records")]
    if audit.clean:
        words.append(f"The leakage auditor looked for {len(audit.checked)} leaks and found none.")
    words += [f"The leakage auditor found: {finding}" for finding in audit]
    if permuted is not None:
        folds = f"{min(options.outer, SHUFFLED_FOLDS[0])} × {min(options.inner, SHUFFLED_FOLDS[1])}"
        words.append(
            f"With the labels shuffled {len(permuted)} times the whole nested procedure ({folds} folds) has a mean "
            f"AUC of {np.mean(permuted):.3f} (standard deviation {np.std(permuted):.3f})."
        )
    from spinekit.diagnosis.required_sample import sample_size

    setup = found["setup"]
    labels = setup["labels"][setup["internal"]]
    columns = found["seen"][found["reference"]].shape[1]
    words.append(sample_size(labels.size, int(labels.sum()), columns, auc=0.85).sentence + " (AUC 0.85 expected.)")
    return tuple(words)


def _checklists(found: Any, options: Any, tables: Any, sentences: Any, *, simulated: bool) -> tuple[Any, str]:
    from spinekit.study.checklists import checklist_table, evidence_of, methods_paragraph

    evidence = evidence_of(found, options, tables, simulated=simulated)
    return checklist_table(evidence), methods_paragraph(found, options, simulated=simulated)


def _sections(
    folder: Path, found: Any, options: Any, tables: Any, sentences: Any, figures: Any, words: Any, methods: str
) -> list[Section]:
    def pictures(*names: str) -> tuple[tuple[Path, str], ...]:
        return tuple((figures[name], name) for name in names if name in figures)

    def short(table: Any) -> Any:
        return table[[c for c in SHORT if c in table.columns]]

    internal = found["setup"]["internal"]
    made = [
        f"Command: `{found['command'] or 'spinekit study'}`. Seed {options.seed}. Commit {_commit()}.",
        f"Machine: {found['machine']}.",
        f"{int(internal.sum())} internal cases in {options.outer} × {options.inner} nested folds by patient, "
        f"{int((~internal).sum())} external cases" + (f" of centre {found['external']}." if found["external"] else "."),
        *((FROZEN,) if found["networks"] else ()),
        *(f"Left out: {reason}" for reason in found["left_out"]),
    ]
    checks = tables["checklists"]
    counts = checks.groupby("checklist", sort=False)["state"].value_counts().unstack(fill_value=0)
    return [
        Section("How it was made", tuple(made)),
        Section("What was found", sentences, pictures=pictures("areas")),
        Section("Diagnosis", (), (short(tables["diagnosis"]),), pictures("internal roc", "external roc")),
        Section("Calibration and benefit", (), (), pictures(
            "internal calibration", "external calibration", "internal decision_curve", "external decision_curve")),
        Section("The reference model", words, (), pictures("internal nomogram", "internal coefficients")),
        *([Section("Stability of the features", (STABLE,), (tables["stability"],))] if "stability" in tables else []),
        Section("Segmentation", ("PA never stands alone: beside it are what costs nothing, and what counts lesions.",),
                (tables["segmentation"],) if len(tables["segmentation"]) else (), pictures("overlap")),
        Section("What the study leaves open", (MOVES,), (tables["readings"],)),
        Section("Published figures", (CANNOT,), (tables["published"],)),
        Section("Leaks and permutation", (), (tables["audit"],), pictures("permutation")),
        Section("Checklists", ("`tables/checklists.csv` has every item: answered by this run with its evidence, or a "
                               "question to the author.",), (counts,)),
        Section("Methods, from the settings that were used", (methods,)),
    ]  # fmt: skip


def _commit() -> str:
    """Return the commit of the checkout that the package runs from, or its version where there is none."""
    import subprocess

    import spinekit

    place = Path(spinekit.__file__).resolve().parents[1]
    try:
        asked = subprocess.run(
            ["git", "-C", str(place), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return f"of version {spinekit.__version__}"
    return asked.stdout.strip() or f"of version {spinekit.__version__}"
