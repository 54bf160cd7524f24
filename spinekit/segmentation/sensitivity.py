"""How much the region depends on which voxel of the lesion was clicked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import depth_mm
from spinekit.segmentation.region_growing import grow_region

__all__ = ["SeedSensitivity", "seed_sensitivity"]

CORE = 0.5  # of the largest depth: where a reader would click
AT_MOST = 64  # seeds; more change the numbers in the third digit


@dataclass(frozen=True)
class SeedSensitivity:
    """How the region changes over the seeds in the lesion's core.

    Attributes
    ----------
    frequency : Volume
        Share of the seeds from which each voxel was reached, 0 to 1, float32.
    pairwise_dice : float
        Median Dice of the regions of every two seeds; 1 if the click does not matter.
    dice_to_roi : ndarray of shape (n,)
        Dice of each seed's region with the region given.
    seeds : tuple of (i, j, k)
        The seeds, evenly spread over the core where it holds more than were asked for.
    n_core : int
        Voxels of the core.
    """

    frequency: Volume
    pairwise_dice: float
    dice_to_roi: Any
    seeds: tuple[tuple[int, int, int], ...]
    n_core: int


def seed_sensitivity(
    series: DynamicSeries, roi: Roi, *, n_baseline: int = 1, at_most: int = AT_MOST, **options: Any
) -> SeedSensitivity:
    """Grow the region from every seed in the core of a lesion, and say how far the regions agree.

    Parameters
    ----------
    series : DynamicSeries
    roi : Roi
        The lesion; its core are the voxels at least half as deep as its deepest one.
    n_baseline : int
        Phases before the contrast agent.
    at_most : int
        Number of seeds; a larger core is sampled evenly, in the order of its voxels.
    **options
        For `grow_region`, such as ``method``.

    Returns
    -------
    SeedSensitivity

    Raises
    ------
    InputRefusedError
        ``roi-empty``; what `grow_region` refuses.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(3, size=(64, 64, 12))
    >>> found = seed_sensitivity(case.series, case.lesion, n_baseline=case.n_baseline, at_most=5)
    >>> len(found.seeds), 0.0 <= found.pairwise_dice <= 1.0
    (5, True)
    """
    if not roi.mask.any():
        raise InputRefusedError(
            "roi-empty",
            found=f"The region '{roi.name}' holds no voxel.",
            expected="A lesion to place seeds in.",
            cause="Everything was erased.",
            cure="Mark the lesion.",
        )
    depth = depth_mm(roi.mask, roi.geometry.spacing_zyx_mm)
    core = np.argwhere(depth >= CORE * depth.max())
    chosen = core[np.unique(np.linspace(0, len(core) - 1, min(at_most, len(core))).round().astype(int))]
    seeds = tuple((int(x), int(y), int(z)) for z, y, x in chosen)
    masks = [grow_region(series, [seed], n_baseline=n_baseline, **options).mask for seed in seeds]
    frequency: Any = np.mean(masks, axis=0, dtype=np.float32)
    box = _box(frequency > 0, roi.mask)
    packed = np.array([m[box].ravel() for m in masks])
    sizes = packed.sum(axis=1)
    shared = packed.astype(np.float32) @ packed.astype(np.float32).T
    pairs = [2 * shared[a, b] / (sizes[a] + sizes[b]) for a, b in combinations(range(len(seeds)), 2)]
    own = roi.mask[box].ravel()
    return SeedSensitivity(
        frequency=Volume(frequency, roi.geometry, name="seed frequency", unit="1"),
        pairwise_dice=float(np.median(pairs)) if pairs else 1.0,
        dice_to_roi=2 * (packed & own).sum(axis=1) / (sizes + own.sum()),
        seeds=seeds,
        n_core=len(core),
    )


def _box(*masks: Any) -> tuple[slice, ...]:
    places = np.nonzero(np.logical_or.reduce(masks))
    return tuple(slice(int(p.min()), int(p.max()) + 1) for p in places)
