"""What a U-Net reaches on cases it has never seen, beside what costs nothing. No clinical accuracy.

Each case is segmented without a click, with one click in each of its lesions, and with four of its phases left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.evaluation.metrics import overlap_scores
from spinekit.models.segmenting import segment
from spinekit.models.working import counted_lesions
from spinekit.study.unseen import UnseenCase, inmost

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = ["judge_case", "judge_segmentation", "summary_of"]

ABSENT = 4  # phases left out, as in a protocol shorter than the one that was learned
THRESHOLD = 0.6  # of relative enhancement at the last phase: what a reader might take without a network


def judge_segmentation(
    cases: Iterable[UnseenCase],
    *,
    model: str | os.PathLike[str] | None = None,
    on_case: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Judge a network on cases it has not seen; one row per case and way of asking, or per lesion.

    Returns
    -------
    pandas.DataFrame
        Columns ``case``, ``asked``, ``lesion`` (empty where all are asked for), ``simulated`` and the measures of
        `spinekit.evaluation.metrics.overlap_scores`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for case in cases:
        rows += judge_case(case, model=model)
        if on_case is not None:
            on_case(case.name)
    return pd.DataFrame(rows)


def judge_case(case: UnseenCase, *, model: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """Return the measures of one case, one row per way of asking.

    Rows: ``all lesions`` (no click), ``4 phases absent`` (no click), ``index lesion`` (no click, only the parts that
    touch it), ``index lesion, click``, the same of ``each lesion`` that is large enough, the index lesion included,
    and the baselines ``all background`` and ``threshold``. A lesion that is not found has a Dice of 0.
    """
    every = counted_lesions(case.lesions, case.series.geometry.voxel_volume_mm3)
    counted, truth = [int(n) for n in np.unique(every) if n], every > 0
    free = segment(case.series, case.n_baseline, model)
    fewer = segment(shorter(case), case.n_baseline, model)
    spacing = case.series.geometry.spacing_zyx_mm
    rows: list[dict[str, Any]] = []
    simulated = bool(case.series.record.get("simulated", False))

    def judged(found: Any, wanted: Any, *names: str, lesion: int | None = None) -> None:
        scores = overlap_scores(found, wanted, spacing_zyx_mm=spacing, lesions=np.asarray(wanted, np.uint8))
        scores["simulated"] = simulated
        rows.extend({"case": case.name, "asked": name, "lesion": lesion, **scores} for name in names)

    judged(free.roi.mask, every, "all lesions")
    judged(fewer.roi.mask, every, "4 phases absent")
    for number in sorted({1, *counted}):
        here = case.lesions == number
        names = ["index lesion"] * (number == 1) + ["each lesion"] * (number in counted)
        click = case.click if number == 1 else inmost(here, case.series)
        clicked = segment(case.series, case.n_baseline, model, click=click).roi.mask
        alone = _touching(np.asarray(free.lesions.values), here, case.lesions)
        judged(alone, here, *names, lesion=number)
        judged(clicked, here, *(f"{name}, click" for name in names), lesion=number)
    judged(np.zeros_like(truth), every, "all background")
    judged(_bright(case), every, "threshold")
    return rows


def shorter(case: UnseenCase) -> DynamicSeries:
    """Return the series without four of its phases after contrast, drawn from the case's name."""
    after = np.arange(case.n_baseline, case.series.n_phases)
    rng = np.random.default_rng(list(case.name.encode()))
    absent = rng.choice(after, size=min(ABSENT, len(after) - 2), replace=False)
    kept = np.setdiff1d(np.arange(case.series.n_phases), absent)
    return replace(case.series, signal=case.series.signal[kept], times_s=case.series.times_s[kept])


def summary_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return median and quartiles of Dice, means of the other measures, and lesion counts, per way of asking."""
    rows = {}
    for name, part in table.groupby("asked", sort=False):
        low, middle, high = np.nanpercentile(part["Dice"], [25, 50, 75])
        means = part[["PA", "MPA", "MIoU", "HD95_mm", "NSD", "recall", "false_parts"]].mean()
        rows[name] = {"rows": len(part), "Dice median": middle, "Dice quartiles": f"{low:.3f} to {high:.3f}", **means}
    import pandas as pd

    return pd.DataFrame(rows).T


def _touching(numbers: NDArray[np.uint8], lesion: NDArray[np.bool_], lesions: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the parts that touch a lesion, without what they hold of other lesions."""
    touching = [number for number in np.unique(numbers[lesion]) if number]
    return np.isin(numbers, touching) & ((lesions == 0) | lesion)


def _bright(case: UnseenCase) -> NDArray[np.bool_]:
    """Return the voxels whose relative enhancement at the last phase reaches the threshold, air left out."""
    before = case.series.signal[: case.n_baseline].mean(axis=0)
    body = before > 0.1 * np.percentile(before, 99)
    rise = np.divide(case.series.signal[-1] - before, before, out=np.zeros_like(before), where=body)
    return body & (rise >= THRESHOLD)
