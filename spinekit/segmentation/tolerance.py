"""Choose the tolerance: the border is where curves change most from just inside to just outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.segmentation.flood import HIGHEST, LEVELS, LOG_STEP, LOWEST, UNREACHED, border_scores, flood

__all__ = ["Flooded", "flood_from", "level_of", "tolerance_of"]

INSIDE_SHARE = 0.6  # weight of the whole inside against the inner border, in the score
SMALLEST_ML, SMALLEST_VOXELS = 0.2, 12


def tolerance_of(level: int) -> float:
    """Return the tolerance (standard deviations) of a level."""
    return float(LOWEST * np.exp(LOG_STEP * level))


def level_of(tolerance: float) -> int:
    """Return the highest level within a tolerance."""
    if tolerance >= HIGHEST:
        return LEVELS - 1
    return int(np.clip(np.floor(np.log(max(tolerance, 1e-9) / LOWEST) / LOG_STEP + 1e-9), 0, LEVELS - 1))


@dataclass(frozen=True)
class Flooded:
    """One flood: the level of each voxel, and for each level the volume and the sharpness of the border.

    ``last`` is the highest level that was filled completely.
    """

    level: Any  # (Z, Y, X) uint8
    voxels: Any  # (LEVELS,)
    contrast: Any  # (LEVELS,)
    last: int
    capped: bool

    def best(self, voxel_ml: float) -> int:
        """Return the level with the sharpest border, among regions that are not tiny."""
        least = max(SMALLEST_VOXELS, SMALLEST_ML / voxel_ml)
        usable = (self.voxels >= least) & (np.arange(LEVELS) <= self.last) & np.isfinite(self.contrast)
        if not usable.any():
            return self.last
        return int(np.where(usable, self.contrast, -np.inf).argmax())


def flood_from(
    signal: Any, box: tuple[slice, ...], means: Any, whitening: Any, n_front: int, seeds_zyx: Any,
    spacing_zyx_mm: Any, *, max_radius_mm: float, max_voxels: int,
) -> Flooded:  # fmt: skip
    """Flood from seeds within a box of `signal` (T, Z, Y, X); see `spinekit.segmentation.flood.flood`."""
    shape = tuple(b.stop - b.start for b in box)
    corner = np.array([b.start for b in box], dtype=np.int64)
    level = np.full(shape, UNREACHED, dtype=np.uint8)
    likeness = np.empty(shape, dtype=np.float32)
    order = np.empty(level.size, dtype=np.int32)
    seeds = np.ascontiguousarray(np.asarray(seeds_zyx, dtype=np.int64) - corner)
    met, end = flood(
        np.ascontiguousarray(signal), corner, means, whitening, n_front, seeds,
        np.asarray(spacing_zyx_mm, dtype=np.float64),
        float(max_radius_mm), int(max_voxels), level, likeness, order,
    )  # fmt: skip
    table = np.zeros((6, LEVELS))
    border_scores(level, likeness, order, met, table)
    inside, inner, outer = table[0], table[2], table[4]
    with np.errstate(invalid="ignore", divide="ignore"):  # a level without a border has no contrast
        mean_inside, mean_inner, mean_outer = table[1] / inside, table[3] / inner, table[5] / outer
    contrast = mean_outer - (INSIDE_SHARE * mean_inside + (1 - INSIDE_SHARE) * mean_inner)
    last = min(end, LEVELS) - 1
    return Flooded(level, inside, contrast, last, end < LEVELS)
