"""What a method of growing found, and what is done to it afterwards: clean-up, bounds, the look for a neck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.segmentation.cleanup import close_mm, keep_components_of, keep_largest, without_holes
from spinekit.segmentation.leaks import Neck, cut_at_neck, find_neck

__all__ = ["JUMP_STEP", "Grown", "Limits", "bounded", "distance_to", "finish"]

JUMP_STEP = 1.1  # leaks are looked for at 10 % more tolerance


@dataclass(frozen=True)
class Limits:
    """Bounds of growing: volume in ml, distance from the nearest seed in mm."""

    max_volume_ml: float
    max_radius_mm: float


@dataclass(frozen=True)
class Grown:
    """What a method found: mask before clean-up, tolerance used if there is one, what tells a leak, a box it is in."""

    mask: Any
    tolerance: float | None
    capped: bool
    jump: float
    contrast: float
    history: dict[str, Any]
    box: tuple[slice, ...] = (slice(None), slice(None), slice(None))


def distance_to(points: list[Any], shape: tuple[int, ...], spacing_zyx_mm: Any) -> Any:
    """Return how far each voxel lies from the nearest of the points (z, y, x), mm."""
    places = np.ogrid[tuple(slice(0, n) for n in shape)]
    nearest = np.full(shape, np.inf, dtype=np.float32)
    for point in points:
        steps = [(p - c) * s for p, c, s in zip(places, point, spacing_zyx_mm, strict=True)]
        nearest = np.minimum(nearest, np.sqrt(steps[0] ** 2 + steps[1] ** 2 + steps[2] ** 2))
    return nearest


def bounded(mask: Any, points: list[Any], geometry: Geometry, limits: Limits) -> tuple[Any, bool]:
    """Return the part of the mask within radius and cap, nearest to the seeds, and whether the cap took some away."""
    distance = np.where(mask, distance_to(points, mask.shape, geometry.spacing_zyx_mm), np.inf)
    count = max(1, int(limits.max_volume_ml * 1000 / geometry.voxel_volume_mm3))
    limit = limits.max_radius_mm
    over = bool((distance <= limit).sum() > count)
    if over:
        limit = min(limit, float(np.nextafter(np.partition(distance.ravel(), count)[count], np.float32(0))))
    kept = distance <= limit
    return (mask if kept.sum() == mask.sum() else keep_components_of(kept, points)), over


def finish(
    grown: Grown,
    front: list[Seed],
    back: list[Seed],
    geometry: Geometry,
    fill_holes: bool,
    closing_mm: float,
    largest: bool,
    cut: bool,
) -> tuple[Any, tuple[int, ...], Neck | None]:
    """Clean up within the box of what has grown; return the mask of the box, its corner, and a neck if there is one."""
    part = grown.mask[grown.box]
    if not part.any():
        raise _failed(front, grown.tolerance)
    margin = 2 + (int(np.ceil(closing_mm / min(geometry.spacing_mm))) if closing_mm > 0 else 0)
    corner, shape = [], []
    for axis, n in enumerate(geometry.shape_zyx):
        filled = np.flatnonzero(part.any(axis=tuple(a for a in range(3) if a != axis))) + (grown.box[axis].start or 0)
        low = max(0, min(int(filled[0]), *(s.zyx[axis] for s in front)) - margin)
        high = min(n, max(int(filled[-1]), *(s.zyx[axis] for s in front)) + margin + 1)
        corner.append(low)
        shape.append(high - low)
    mask = grown.mask[tuple(slice(o, o + n) for o, n in zip(corner, shape, strict=True))]
    points = [(s.zyx[0] - corner[0], s.zyx[1] - corner[1], s.zyx[2] - corner[2]) for s in front]
    mask = close_mm(mask, closing_mm, geometry.spacing_zyx_mm) if closing_mm > 0 else mask
    if fill_holes:
        open_at = [(s.zyx[0] - corner[0], s.zyx[1] - corner[1], s.zyx[2] - corner[2]) for s in back]
        inside = [p for p in open_at if all(0 <= c < n for c, n in zip(p, shape, strict=True))]
        mask = without_holes(mask, inside)
    mask = keep_components_of(mask, points)
    mask = keep_largest(mask) if largest and len(points) > 1 else mask
    if not mask.any():
        raise _failed(front, grown.tolerance)
    neck = find_neck(mask, points, geometry.spacing_zyx_mm)
    return (cut_at_neck(mask, neck, points) if neck is not None and cut else mask), tuple(corner), neck


def _failed(front: list[Seed], tolerance: float | None) -> InputRefusedError:
    used = "" if tolerance is None else f" with tolerance {tolerance:.3g}"
    return InputRefusedError(
        "growth-failed",
        found=f"Growing from {[s.ijk for s in front]}{used} found no voxel.",
        expected="A region that holds at least the seed.",
        cause="The tolerance is very small, or a background seed has the same curve.",
        cure="Raise the tolerance, or move the seeds.",
    )
