"""The regions of a case: the study's route from the outline, in every reading of it that is possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.evaluation.metrics import overlap_scores
from spinekit.models.phases import signal_scale
from spinekit.radiomics import dilated
from spinekit.segmentation import grow_from_outline
from spinekit.segmentation.agreement import dice
from spinekit.segmentation.one_image import enhancement_image
from spinekit.segmentation.outline import EXPANSIONS, grow_along_outline
from spinekit.study.sources import OpenCase

__all__ = ["LEVELS", "SHARES", "Regions", "marked_again", "regions_of", "segmentation_scores"]

LEVELS = (0.1, 0.2, 0.4, 0.8)  # of the threshold baseline: enhancement over the body's signal before contrast
SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the threshold inside the expanded outline: of the outline's median
SAME_OBJECT = 0.5  # Dice; a reader would not accept a region of less as the same lesion
ONE_PHASE = "one_phase"  # "ten layers" read as slices: one contrast-enhanced phase, no curve


def one_phase(series: DynamicSeries, n_baseline: int) -> DynamicSeries:
    """Return the series with the baseline and its brightest later phase alone: what ten slices of one phase tell."""
    later = series.signal[n_baseline:].mean(axis=(1, 2, 3))
    brightest = n_baseline + int(np.argmax(later))
    keep = [*range(n_baseline), brightest]
    return replace(series, signal=series.signal[keep], times_s=series.times_s[keep])


@dataclass(frozen=True)
class Regions:
    """The regions of a case by name, the outline on the series, and expanded by area.

    ``by_name`` holds ``area``, ``linear``, ``dilate`` and ``one_phase``, or ``marked`` alone: a case that
    was marked on the series itself has no readings of an expansion.
    """

    by_name: Mapping[str, Roi]
    carried: Any
    expanded: Any


def regions_of(case: OpenCase) -> Regions:
    """Grow the region of a case in every reading of the study's route."""
    if case.outline is None:
        assert case.roi is not None
        return Regions({"marked": case.roi}, case.roi.mask, ndimage.binary_dilation(case.roi.mask, iterations=5))
    n = case.n_baseline
    steps = grow_along_outline(case.series, case.outline, expand="area", n_baseline=n)
    found = {"area": steps.roi}
    for expand in EXPANSIONS[1:]:
        found[expand] = grow_from_outline(case.series, case.outline, expand=expand, n_baseline=n)
    found[ONE_PHASE] = grow_from_outline(one_phase(case.series, n), case.outline, n_baseline=n)
    return Regions(found, steps.carried.mask, steps.expanded.mask)


def marked_again(case: OpenCase, regions: Regions, *, reader: int) -> dict[str, Roi]:
    """Return the lesion's region as it would have been otherwise: what the stability of a feature is judged by.

    ``another reader``: the region grown from the outline as another (simulated) reader draws it, or the mask as he
    draws it. ``another border``: the region of the reading ``dilate``, or the mask grown by a voxel. A region that
    is another object than the case's own (Dice below 0.5) or cannot be grown is left out.
    """
    from spinekit.phantom.reader import outlined_by_reader

    own = next(iter(regions.by_name.values()))
    found: dict[str, Roi] = {}
    if case.outline is None:
        found["another reader"] = outlined_by_reader(own, reader)
        found["another border"] = dilated(own, min(own.geometry.spacing_mm))
    else:
        try:
            outline = outlined_by_reader(case.outline, reader)
            found["another reader"] = grow_from_outline(case.series, outline, n_baseline=case.n_baseline)
        except InputRefusedError as refused:
            if refused.code not in ("growth-failed", "seed-undefined", "outline-outside"):
                raise
        found["another border"] = regions.by_name["dilate"]
    return {name: roi for name, roi in found.items() if dice(roi.mask, own.mask) >= SAME_OBJECT}


def segmentation_scores(case: OpenCase, regions: Regions) -> dict[str, dict[str, float]]:
    """Return the overlap of each region and of the trivial baselines with the truth; empty without a truth.

    Regions grown from an outline are held against the lesion that was outlined, and so are the baselines
    ``outlined:all_background`` and ``outlined:threshold:SHARE``, which thresholds the enhancement inside the
    expanded outline. ``all_background`` and ``threshold:LEVEL`` know of no outline and are held against all lesions.
    """
    if case.truth is None:
        return {}
    spacing = case.series.geometry.spacing_zyx_mm
    index, every = case.truth.mask, case.all_lesions
    image = np.nan_to_num(enhancement_image(case.series.signal, case.n_baseline), nan=-np.inf)
    inside = np.where(regions.expanded, image, -np.inf)
    usual = float(np.median(image[regions.carried]))
    unit = signal_scale(case.series, case.n_baseline)
    masks = {name: (roi.mask, index) for name, roi in regions.by_name.items()}
    masks["outlined:all_background"] = (np.zeros_like(index), index)
    masks["all_background"] = (np.zeros_like(index), every)
    masks |= {f"outlined:threshold:{share}": (inside >= share * usual, index) for share in SHARES}
    masks |= {f"threshold:{level}": (image >= level * unit, every) for level in LEVELS}
    return {name: overlap_scores(mask, truth, spacing_zyx_mm=spacing) for name, (mask, truth) in masks.items()}
