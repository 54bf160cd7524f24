"""Checklists filled from evidence: what the run can answer with a link, what it cannot as a question to the author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.study.checklist_items import CHECKLISTS
from spinekit.study.measured import BINS, FAMILIES, MAPS

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.study.run import StudyOptions

__all__ = ["checklist_table", "evidence_of", "methods_paragraph"]

Evidence = Mapping[str, tuple[str, str]]


STABLE = (
    "Every lesion was measured again in the region of another (simulated) reader and in one with another border; "
    "features with an ICC(2,1) below 0.75 in the training cases were left out of that fold."
)


def checklist_table(evidence: Evidence) -> pd.DataFrame:
    """Return every item of the four checklists with its state.

    Parameters
    ----------
    evidence : mapping of str to (answer, where)
        What the run can answer, by the keys of `checklist_items`, with the file that shows it.

    Returns
    -------
    DataFrame
        ``checklist``, ``item`` (number), ``about``, ``state`` ("answered by this run" or "question to the
        author"), ``answer``, ``evidence``.

    Examples
    --------
    >>> table = checklist_table({"split": ("Five folds by patient.", "README.md")})
    >>> table[table["checklist"] == "CLEAR"].iloc[14][["state", "answer"]].tolist()
    ['answered by this run', 'Five folds by patient.']
    """
    import pandas as pd

    rows = []
    for name, items in CHECKLISTS.items():
        for number, (about, key) in enumerate(items, start=1):
            answer, where = evidence.get(key, ("", "")) if key else ("", "")
            rows.append(
                {
                    "checklist": name, "item": number, "about": about,
                    "state": "answered by this run" if answer else "question to the author",
                    "answer": answer or f"Please write: {about}.", "evidence": where,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def evidence_of(
    found: Mapping[str, Any], options: StudyOptions, tables: Mapping[str, Any], *, simulated: bool
) -> Evidence:
    """Return what a run can answer, from what it really did; a key that it cannot answer is absent."""
    facts = _facts(found, options)
    evidence = {
        "checklists": ("CLEAR, METRICS, TRIPOD+AI and CLAIM, filled from this run.", "tables/checklists.csv"),
        "sample_size": (facts["sample"], "README.md, What was found"),
        "pipeline": (facts["pipeline"], "README.md, Methods"),
        "split": (facts["split"], "README.md, How it was made"),
        "segmentation": (facts["segmentation"], "tables/segmentation.csv"),
        "preprocessing": ("Kinetic maps and phases at stated times after bolus arrival, in units of the region's mean "
                          "signal before contrast.", "README.md, Methods"),
        "resampling": ("None: features on the grid of the series.", "README.md, Methods"),
        "discretisation": (f"{BINS} grey levels by count.", "README.md, Methods"),
        "images": (f"Original images of {len(MAPS)} maps and of the phases; no filters.", "README.md, Methods"),
        "extraction": ("pyradiomics' definitions and defaults where nothing else is stated; docs/radiomics.md has the "
                       "conformity.", "README.md, Methods"),
        "families": (f"shape, {', '.join(FAMILIES)}.", "README.md, Methods"),
        "n_features": (f"{facts['columns']} before selection.", "cases/*.json"),
        "missing": ("Columns missing in more than a fifth of the training cases are left out; other gaps get "
                    "the training median.", "README.md, Methods"),
        "balance": (facts["balance"], "README.md, How it was made"),
        "scaling": ("Mean 0 and variance 1 of the training cases.", "README.md, Methods"),
        "reduction": ("Of columns correlated above 0.9 one is kept; then mRMR or LASSO, inside the fold.",
                      "README.md, Methods"),
        "algorithms": (f"Arms: {', '.join(found['results'])}.", "tables/diagnosis.csv"),
        "tuning": ("Inner folds choose by log loss; seeds are stated.", "arms/*.json"),
        "confounders": (facts["confounders"], "tables/audit.csv"),
        "testing": (facts["testing"], "tables/diagnosis.csv"),
        "metrics": ("AUC, rates, Brier, calibration, net benefit.", "tables/diagnosis.csv"),
        "uncertainty": (f"Percentile limits of {options.draws} stratified bootstrap draws.", "tables/diagnosis.csv"),
        "comparison": ("DeLong's test and the paired bootstrap, uncorrected, with the number of comparisons.",
                       "tables/comparisons.csv"),
        "interpretability": ("Coefficients in words, nomogram.", "figures/internal_nomogram.png"),
        "selected": ("Columns that each arm kept.", "arms/*.json"),
        "performance": ("Every arm on either test set with intervals.", "tables/diagnosis.csv"),
        "settings_shared": ("Settings and command of the run.", "study.json"),
        "features_shared": ("Features of every case.", "cases/*.json"),
        "code": ("spinekit, Apache-2.0.", "README.md, How it was made"),
        "system": ("spinekit in JupyterLab and on the command line.", "README.md, How it was made"),
        "software": (str(found["machine"]), "README.md, How it was made"),
        "audit": (facts["audit"], "tables/audit.csv"),
        "calibration": ("Slope, intercept, ECE, Hosmer-Lemeshow and plots.", "figures/internal_calibration.png"),
        "simple": ("The reference is a logistic regression.", "tables/comparisons.csv"),
        "threshold": ("Youden's on the inner folds of training cases.", "arms/*.json"),
        "readings": ("Every reading of what the method leaves open.", "tables/readings.csv"),
        "model": ("The reference model as a formula.", "model.json"),
        "deidentified": ("Cases are named by pseudonym only.", "cases/*.json"),
    }  # fmt: skip
    return evidence | _where_there(found, tables, facts, simulated=simulated)


def _where_there(found: Any, tables: Any, facts: Any, *, simulated: bool) -> dict[str, tuple[str, str]]:
    """Return answers that depend on what the table and the arms hold."""
    more: dict[str, tuple[str, str]] = {}
    if any(arm == "clinical only" for arm in found["results"]):
        more["clinical"] = (
            "Clinical variables: " + ", ".join(found["cases"][0].clinical) + ".",
            "tables/diagnosis.csv",
        )
        more["versus_clinical"] = ("Clinical only, radiomics, and both.", "tables/comparisons.csv")
        more["characteristics"] = (facts["characteristics"], "README.md, Methods")
    if found["repeats"][found["reference"]]:
        more["stability"] = (STABLE, "tables/stability.csv")
    if found["external"]:
        more["external"] = (f"Centre {found['external']}, seen by no fold.", "tables/diagnosis.csv")
        more["centres"] = (f"{np.unique(found['setup']['centres']).size} centres.", "tables/diagnosis.csv")
    if found["networks"]:
        more["automatic"] = ("The U-Net's overlap beside trivial baselines.", "tables/segmentation.csv")
    if len(tables["segmentation_cases"]):
        more["failures"] = ("Overlap case by case.", "tables/segmentation_cases.csv")
    if simulated:
        more["source"] = ("Simulated by spinekit.phantom; no patients.", "README.md, How it was made")
        more["protocol"] = ("Two simulated protocols, docs/phantom.md.", "docs/phantom.md")
        more["reference"] = ("Known, since the cases are simulated.", "docs/phantom.md")
        more["data_shared"] = ("The command makes every case again from its seed.", "README.md, How it was made")
    return more


def _facts(found: Mapping[str, Any], options: StudyOptions) -> dict[str, Any]:
    from spinekit.diagnosis.combat import site_and_class
    from spinekit.diagnosis.required_sample import sample_size

    setup = found["setup"]
    inside = setup["internal"]
    labels = setup["labels"][inside]
    columns = found["seen"][found["reference"]].shape[1]
    n_out = int((~inside).sum())
    ages = {
        where: np.array(
            [c.clinical.get("age_years", np.nan) for c, flag in zip(found["cases"], rows, strict=True) if flag]
        )
        for where, rows in (("internal", inside), ("external", ~inside))
    }
    told = [
        f"{where}: age {np.nanmean(a):.0f} ± {np.nanstd(a):.0f} years"
        for where, a in ages.items()
        if np.isfinite(a).any()
    ]
    confounded = site_and_class(setup["centres"], setup["labels"])
    return {
        "sample": sample_size(labels.size, int(labels.sum()), columns, auc=0.85).sentence,
        "columns": columns,
        "pipeline": "Gaps, scaling, redundancy, selection and classifier are one pipeline, fitted inside each fold.",
        "split": f"{options.outer} outer and {options.inner} inner folds, grouped by patient, stratified by class and "
                 f"centre, seed {options.seed}.",
        "segmentation": "Region grown from an outline as in the study, or as it was marked; readings are compared.",
        "balance": f"{int(labels.sum())} metastases and {int((labels == 0).sum())} primary tumours; no resampling.",
        "confounders": f"Association of centre and class: Cramér's V {confounded:.2f}.",
        "testing": f"Nested cross-validation of {labels.size} cases"
                   + (f", external test on {n_out}." if n_out else "."),
        "characteristics": "; ".join(told) + "." if told else "No ages were given.",
        "audit": "The leakage auditor's findings, leak by leak.",
    }  # fmt: skip


def methods_paragraph(found: Mapping[str, Any], options: StudyOptions, *, simulated: bool) -> str:
    """Return a methods paragraph from the settings that were really used."""
    facts = _facts(found, options)
    arms = "; ".join(
        f"{arm.name} ({arm.choices.classifier.replace('_', ' ')}, selection {arm.choices.selection})"
        for arm in found["arms"]
        if arm.name in found["results"]
    )
    region = next(iter(found["records"].values()))["region"]
    source = "All cases were simulated. " if simulated else ""
    grown = "marked on the series" if region == "marked" else "grown from an outline, expanded to five times its area"
    words = (
        f"{source}Lesions were {grown}. Kinetic maps ({', '.join(MAPS)}) and phases at stated times after bolus "
        f"arrival, in units of the region's mean signal before contrast, gave {facts['columns']} features (shape, "
        f"{', '.join(FAMILIES)}; {BINS} grey levels by count; pyradiomics' definitions). {facts['pipeline']} "
        f"{STABLE + ' ' if found['repeats'][found['reference']] else ''}Columns "
        "missing in more than a fifth of the training cases were left out and other gaps filled with the training "
        "median; features were scaled to mean 0 and variance 1; of columns correlated above 0.9 one was kept. "
        f"Arms: {arms}. {facts['split']} Parameters were chosen by log loss on inner folds, thresholds by Youden's "
        f"index there. {facts['testing']} Intervals are percentiles of {options.draws} bootstrap draws within "
        "classes; areas were compared by DeLong's test and the paired bootstrap, without correction for their number. "
    )
    if found["networks"]:
        words += (
            "The U-Net and the Inception-ResNet were the demonstration networks of the package, trained on other "
            "simulated patients; the classifier on what they gave was fitted inside the fold. "
        )
    return words + facts["sample"]
