"""Growing by the likeness of whole enhancement curves: the tolerance at the sharpest border, the border at half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.geometry import Geometry
from spinekit.segmentation.border import REACH_OUT, settle_border
from spinekit.segmentation.cleanup import box_around
from spinekit.segmentation.flood import LEVELS, box_distances
from spinekit.segmentation.grown import JUMP_STEP, Grown, Limits
from spinekit.segmentation.likeness import CurveModel, learn, models_of
from spinekit.segmentation.tolerance import Flooded, flood_from, level_of, tolerance_of

__all__ = ["by_curve"]

FIRST_LOOK_ML = 60.0  # where the search for the sharpest border ends if the region found is much smaller
ENOUGH_SHARE = 0.5
LEAST_SHARE = 0.1  # of the region found first; below it the curve learned from that one was not the seed's
SEED_FITS = 2.0  # standard deviations; a region whose curve is farther from the seed's is not the seed's
ENOUGH_VOXELS = 5  # per phase, to learn a curve and its spread from a region


@dataclass(frozen=True)
class Look:
    """One flood and where in it the region ends."""

    flooded: Flooded
    level: int
    capped: bool

    @property
    def inside(self) -> Any:
        """The region within the box of the flood."""
        return self.flooded.level <= self.level

    @property
    def n_voxels(self) -> int:
        """Its size."""
        return int(self.flooded.voxels[self.level])


def by_curve(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], tolerance: float | None, limits: Limits,
    settle: bool, relearn: bool,
) -> Grown:  # fmt: skip
    """Grow by curves, without a tolerance to the sharpest border; background models repel.

    With `relearn` and one seed the curve is learned anew from what a first look found.
    """
    means, whitening, n_front = models_of(signal, geometry, [*front, *back])
    box = _box_around(front, geometry, limits.max_radius_mm)
    places = [s.zyx for s in front]

    def look(tolerance: float | None) -> Look:
        return _look(signal, geometry, box, (means, whitening, n_front), places, limits, tolerance)

    first = look(None) if relearn and n_front == 1 else None
    learned = None if first is None else _learned(signal, box, first, places[0])
    if first is not None and learned is not None:
        clicked = means[0].copy(), whitening[0].copy()
        means[0], whitening[0] = learned.mean, learned.whitening
        found = look(tolerance)
        if tolerance is None and found.n_voxels < LEAST_SHARE * first.n_voxels:  # the seed lies at its edge
            means[0], whitening[0] = clicked
            found = first
    else:
        found = first if first is not None and tolerance is None else look(tolerance)
    flooded, level = found.flooded, found.level
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[box] = found.inside
    if settle and not found.capped:
        _settle(mask, np.ascontiguousarray(signal), geometry, means, whitening, n_front)
    contrast = float(flooded.contrast[level]) if np.isfinite(flooded.contrast[level]) else 0.0
    used = tolerance_of(level) if tolerance is None or found.capped else float(tolerance)
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    return Grown(mask, used, found.capped, _jump(flooded, level), contrast, _history(flooded, voxel_ml))


def _learned(signal: Any, box: tuple[slice, ...], first: Look, seed_zyx: Any) -> CurveModel | None:
    """Return the model of the region found first; None where it is too small to teach, or not the seed's own."""
    inside = first.inside
    if inside.sum() < ENOUGH_VOXELS * len(signal):
        return None
    model = learn(signal[(slice(None), *box)][:, inside])
    own = model.whitening @ (signal[(slice(None), *seed_zyx)] - model.mean)
    return model if np.sqrt((own**2).mean()) <= SEED_FITS else None


def _look(
    signal: Any, geometry: Geometry, box: tuple[slice, ...], models: tuple[Any, Any, int], places: list[Any],
    limits: Limits, tolerance: float | None,
) -> Look:  # fmt: skip
    """Flood, first to a small volume; farther only where the sharpest border, or the tolerance, may lie beyond it."""
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    volume_ml = min(limits.max_volume_ml, FIRST_LOOK_ML) if tolerance is None else limits.max_volume_ml
    while True:
        flooded = flood_from(
            signal,
            box,
            *models,
            places,
            geometry.spacing_zyx_mm,
            max_radius_mm=limits.max_radius_mm,
            max_voxels=max(1, int(volume_ml / voxel_ml)),
        )
        level = flooded.best(voxel_ml) if tolerance is None else level_of(tolerance)
        found_ml = flooded.voxels[min(level, LEVELS - 1)] * voxel_ml
        if volume_ml >= limits.max_volume_ml or found_ml < ENOUGH_SHARE * volume_ml:
            break
        volume_ml = limits.max_volume_ml
    capped = tolerance is not None and level > flooded.last
    return Look(flooded, min(level, max(flooded.last, 0)), capped)


def _settle(mask: Any, signal: Any, geometry: Geometry, means: Any, whitening: Any, n_front: int) -> None:
    """Move the border of a grown region, in place, to where voxels are half lesion."""
    box = box_around(mask, geometry.spacing_zyx_mm, REACH_OUT * min(geometry.spacing_mm))
    part = mask[box]
    distance = np.empty(part.shape, dtype=np.float32)
    box_distances(signal, np.array([b.start for b in box], dtype=np.int64), means, whitening, n_front, distance)
    mask[box] = settle_border(part, distance, geometry.spacing_zyx_mm)


def _jump(flooded: Flooded, level: int) -> float:
    """Return by how much the volume grows with 10 % more tolerance; what lies beyond the cap counts as the cap."""
    more = min(level_of(tolerance_of(level) * JUMP_STEP), LEVELS - 1)
    return float(flooded.voxels[more] / max(flooded.voxels[level], 1))


def _history(flooded: Flooded, voxel_ml: float) -> dict[str, Any]:
    levels = range(0, flooded.last + 1, 2)
    return {
        "volume_by_tolerance": [
            [round(tolerance_of(n), 4), round(float(flooded.voxels[n]) * voxel_ml, 4)] for n in levels
        ]
    }


def _box_around(front: list[Seed], geometry: Geometry, radius_mm: float) -> tuple[slice, ...]:
    points = np.array([s.zyx for s in front])
    reach = np.ceil(radius_mm / np.asarray(geometry.spacing_zyx_mm)).astype(int) + 1
    low = np.maximum(points.min(axis=0) - reach, 0)
    high = np.minimum(points.max(axis=0) + reach + 1, geometry.shape_zyx)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
