"""The tables of a study: segmentation, diagnosis, comparisons, readings of the method, the published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.evaluation import area_under_curve, nested_cross_validation
from spinekit.evaluation.nested import fit_pipeline
from spinekit.study.arms import FEW, ArmResult
from spinekit.study.model_report import compare_models, numbers_of
from spinekit.study.regions import LEVELS, SHARES
from spinekit.study.table import StudyCase

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ambiguity_table", "diagnosis_tables", "published_table", "segmentation_cases", "segmentation_table"]

MEASURES = ("PA", "MPA", "MIoU", "Dice", "HD95_mm", "NSD", "recall", "false_parts")
ROUTE = {
    "area": "route from the outline, five times = area",
    "linear": "route from the outline, five times = width",
    "dilate": "route from the outline, five times = dilations",
    "one_phase": "route from the outline, one phase alone",
    "marked": "region as it was marked",
    "outlined:threshold": "baseline: threshold inside the expanded outline",
    "outlined:all_background": "baseline: all background (outlined lesion)",
    "unet": "improved U-Net, no click",
    "threshold": "baseline: threshold on the whole image",
    "all_background": "baseline: all background (all lesions)",
}
READINGS = (
    ("five times", "area (ours)", "area", "region:area"),
    ("five times", "width", "linear", "region:linear"),
    ("five times", "five dilations", "dilate", "region:dilate"),
    ("ten layers", "ten phases (ours)", "area", "layers:phases"),
    ("ten layers", "ten slices of one phase", "one_phase", "layers:slices"),
    ("wash-out", "from the peak, Lang 2013 (ours)", "", "wash_out:lang2013"),
    ("wash-out", "from 67 s, Lang 2017", "", "wash_out:lang2017"),
)


def _best_level(cases: Sequence[str], records: Mapping[str, Any], prefix: str, levels: Sequence[float]) -> str:
    """Return the name of the threshold with the largest mean Dice in training cases."""
    names = [f"{prefix}:{level}" for level in levels]
    mean = [np.nanmean([records[c]["segmentation"][name]["Dice"] for c in cases]) for name in names]
    return names[int(np.argmax(mean))]


def segmentation_cases(
    cases: Sequence[StudyCase], records: Mapping[str, Any], networks: Mapping[str, Any], *, internal: Any, splits: Any
) -> pd.DataFrame:
    """Return one row per case and method with every overlap measure; thresholds are chosen on training cases.

    An internal case's threshold was chosen on the training part of the fold it is tested in, an external case's
    on all internal cases.
    """
    import pandas as pd

    names = [case.name for case in cases]
    inside = [n for n, flag in zip(names, internal, strict=True) if flag]
    training = dict.fromkeys(names, inside)
    for split in splits:
        for row in split.test:
            training[inside[row]] = [inside[k] for k in split.train]
    usable = {n for n in names if records[n].get("segmentation")}
    rows = []
    for case in cases:
        if case.name not in usable:
            continue
        learned = [n for n in training[case.name] if n in usable]
        scores = records[case.name]["segmentation"]
        chosen = {name: name for name in ROUTE if name in scores}
        chosen["outlined:threshold"] = _best_level(learned, records, "outlined:threshold", SHARES)
        chosen["threshold"] = _best_level(learned, records, "threshold", LEVELS)
        found = {name: scores[source] for name, source in chosen.items()}
        if networks.get(case.name, {}).get("unet_scores"):
            found["unet"] = networks[case.name]["unet_scores"]
        where = "internal" if case.name in inside else "external"
        rows += [
            {"case": case.name, "tested on": where, "method": ROUTE[name], **found[name]}
            for name in ROUTE
            if name in found
        ]
    return pd.DataFrame(rows, columns=["case", "tested on", "method", *MEASURES])


def segmentation_table(per_case: pd.DataFrame) -> pd.DataFrame:
    """Return means over cases (medians of Dice and HD95 beside them) by test set and method."""
    import pandas as pd

    if per_case.empty:
        return pd.DataFrame()
    values = per_case.astype(dict.fromkeys(MEASURES, "float64"))
    grouped = values.groupby(["tested on", "method"], sort=False)
    table = grouped[list(MEASURES)].mean()
    table.insert(0, "cases", grouped.size())
    table.insert(5, "Dice median", grouped["Dice"].median())
    table["HD95_mm"] = grouped["HD95_mm"].median()
    return table.rename(columns={"HD95_mm": "HD95 median, mm", "false_parts": "false parts per case"}).sort_index(
        level=0, sort_remaining=False, ascending=False
    )


def diagnosis_tables(
    results: Mapping[str, ArmResult], y_internal: Any, y_external: Any, *, reference: str, seed: int, n: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the numbers of each arm on either test set, and each arm against the reference."""
    import pandas as pd

    rows, compared = [], []
    for where, labels in (("internal, nested", y_internal), ("external", y_external)):
        if np.unique(labels).size < 2 or min(np.bincount(np.asarray(labels, dtype=int))) < 2:
            continue
        side = "internal" if where.startswith("internal") else "external"
        predicted = {name: getattr(result, side) for name, result in results.items()}
        for name, result in results.items():
            called = getattr(result, f"{side}_called")
            rows.append(
                {"arm": name, "tested on": where} | numbers_of(labels, predicted[name], called=called, seed=seed, n=n)
            )
        table = compare_models(labels, predicted, reference=reference, seed=seed, n=n)
        table.insert(0, "tested on", where)
        compared.append(table.reset_index())
    return pd.DataFrame(rows), pd.concat(compared, ignore_index=True) if compared else pd.DataFrame()


def ambiguity_table(
    cases: Sequence[StudyCase],
    records: Mapping[str, Any],
    per_case: pd.DataFrame,
    *,
    labels: Any,
    patients: Any,
    internal: Any,
    splits: Any,
    seed: int,
) -> pd.DataFrame:
    """Return how far each reading of what the study leaves open moves Dice and AUC.

    The same small model, a logistic regression on five statistics of wash-in and wash-out (of each layer, for
    "ten layers"), is fitted for every reading, so that nothing else differs.
    """
    import pandas as pd

    y, inside = np.asarray(labels), np.flatnonzero(internal)
    outside = np.flatnonzero(~np.asarray(internal))
    rows = []
    for what, reading, region, source in READINGS:
        if any(source not in records[case.name]["readings"] for case in cases):
            continue
        table = pd.DataFrame([records[case.name]["readings"][source] for case in cases]).astype(np.float64)
        nested = nested_cross_validation(
            table.iloc[inside], y[inside], np.asarray(patients)[inside], choices=FEW, seed=seed, splits=splits
        )
        row: dict[str, Any] = {"left open": what, "reading": reading}
        row |= {f"Dice, {where}": _median_dice(per_case, region, where) for where in ("internal", "external")}
        row["AUC, internal"] = area_under_curve(y[inside], nested.probabilities)
        if outside.size and np.unique(y[outside]).size == 2:
            folds = [(split.train, split.test) for split in splits]
            whole = fit_pipeline(table.iloc[inside], y[inside], FEW, folds)
            row["AUC, external"] = area_under_curve(y[outside], whole.predict(table.iloc[outside]))
        rows.append(row)
    return _with_moves(pd.DataFrame(rows))


def _median_dice(per_case: pd.DataFrame, region: str, where: str) -> float:
    if not region or per_case.empty:
        return float("nan")  # wash-out is not used by growing
    chosen = per_case[(per_case["method"] == ROUTE[region]) & (per_case["tested on"] == where)]
    return float(chosen["Dice"].astype(float).median()) if len(chosen) else float("nan")


def _with_moves(table: pd.DataFrame) -> pd.DataFrame:
    """Add the difference to the first reading of each question, which is ours."""
    for column in [c for c in table.columns if c.startswith(("Dice", "AUC"))]:
        first = table.groupby("left open", sort=False)[column].transform("first")
        table[f"{column}, moved by"] = table[column] - first
    return table


def published_table(segmentation: pd.DataFrame, diagnosis: pd.DataFrame) -> pd.DataFrame:
    """Return the study's published figures beside those of this cohort, with what forbids comparing them."""
    import pandas as pd

    def overlap(method: str, measure: str) -> float:
        keys = [key for key in segmentation.index if key == ("internal", ROUTE[method])]
        return float(segmentation.loc[keys[0], measure]) if keys else float("nan")

    def accuracy(arm: str) -> float:
        rows = diagnosis[(diagnosis["arm"] == arm) & (diagnosis["tested on"] == "internal, nested")]
        return float(rows["accuracy"].iloc[0]) if len(rows) else float("nan")

    route = "area" if overlap("area", "PA") == overlap("area", "PA") else "marked"
    best = [a for a in diagnosis["arm"].unique() if a.startswith("radiomics ·")] if len(diagnosis) else []
    rows = [
        ("pixel accuracy of the improved U-Net", "98.001 %", overlap("unet", "PA")),
        ("pixel accuracy of an all-background mask", "not reported", overlap("all_background", "PA")),
        ("Dice of the improved U-Net", "not reported", overlap("unet", "Dice")),
        ("Dice of the route from the outline", "not reported", overlap(route, "Dice")),
        ("accuracy of radiomics", "0.74", max([accuracy(a) for a in best], default=float("nan"))),
        ("average diagnostic accuracy of the improved U-Net", "0.98", accuracy("U-Net-derived")),
        ("accuracy of Inception-ResNet", "not reported apart", accuracy("Inception-ResNet")),
    ]
    return pd.DataFrame(rows, columns=["quantity", "Wang 2023, patients", "simulated cohort"])
