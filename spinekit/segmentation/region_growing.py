"""Grow a region from seeds: by the whole enhancement curve, or on one image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Seed, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.segmentation.border import REACH_OUT, settle_border
from spinekit.segmentation.cleanup import box_around, close_mm, keep_components_of, keep_largest, without_holes
from spinekit.segmentation.flood import LEVELS, box_distances
from spinekit.segmentation.leaks import Neck, border_share, cut_at_neck, find_neck, leak_warnings, reaches_radius
from spinekit.segmentation.likeness import model_of, models_of
from spinekit.segmentation.one_image import confidence_mask, enhancement_image, threshold_mask
from spinekit.segmentation.tolerance import Flooded, flood_from, level_of, tolerance_of

__all__ = ["METHODS", "grow_region"]

METHODS = ("curve", "confidence", "threshold")
DEFAULT_TOLERANCE = {"confidence": 2.5, "threshold": 0.4}
FIRST_LOOK_ML = 60.0  # where the search for the sharpest border ends if the region found is much smaller
ENOUGH_SHARE = 0.5
JUMP_STEP = 1.1  # leaks are looked for at 10 % more tolerance

SeedLike = Seed | Sequence[int]


@dataclass(frozen=True)
class Limits:
    """Bounds of growing: volume in ml, distance from the nearest seed in mm."""

    max_volume_ml: float
    max_radius_mm: float


@dataclass(frozen=True)
class Grown:
    """What a method found: mask before clean-up, tolerance used, and what tells a leak."""

    mask: Any
    tolerance: float
    capped: bool
    jump: float
    contrast: float
    history: dict[str, Any]


def grow_region(
    series: DynamicSeries | Volume,
    seeds: Iterable[SeedLike],
    method: str = "curve",
    n_baseline: int = 1,
    *,
    tolerance: float | None = None,
    background: Iterable[SeedLike] = (),
    max_volume_ml: float = 250.0,
    max_radius_mm: float = 80.0,
    half_border: bool = True,
    fill_holes: bool = True,
    closing_mm: float = 0.0,
    largest_component: bool = True,
    cut_leaks: bool = False,
    name: str = "lesion",
) -> Roi:
    """Grow a region from seeds.

    Parameters
    ----------
    series : DynamicSeries or Volume
        A series; a volume is taken as a series of one phase.
    seeds : iterable of (i, j, k) or Seed
        Voxels inside the lesion; a `Seed` with ``background=True`` repels.
    method : {"curve", "confidence", "threshold"}
        ``"curve"``: likeness of the whole enhancement curve to that around the seed (Mahalanobis
        distance, in standard deviations). ``"confidence"`` and ``"threshold"``: SimpleITK on the
        enhancement image.
    n_baseline : int
        Phases before the contrast agent; used by the methods on the enhancement image.
    tolerance : float, optional
        Standard deviations (``"curve"``, ``"confidence"``), share of the seed's value (``"threshold"``).
        If not given, ``"curve"`` takes the tolerance at which the border is sharpest.
    background : iterable of (i, j, k) or Seed, optional
        Seeds that repel: a voxel whose curve is nearer to one of theirs stays outside.
    max_volume_ml, max_radius_mm : float
        Bounds; reaching one is reported.
    half_border : bool
        ``"curve"`` only: move the border outwards to where voxels are half lesion (partial volume).
    fill_holes : bool
        Fill holes that have no way out.
    closing_mm : float
        Close gaps narrower than twice this.
    largest_component : bool
        Keep the largest part that holds a seed; otherwise every part that holds one.
    cut_leaks : bool
        Cut off what hangs on a thin neck.

    Returns
    -------
    Roi
        ``warnings`` name leaks in words; ``record`` holds method, seeds, tolerance and the volume at
        every tolerance. Neighbours are the six voxels across faces. The same call gives the same bits.

    Raises
    ------
    InputRefusedError
        ``seed-missing``, ``seed-outside``, ``seed-undefined``, ``slab-too-thin``, ``choice-unknown``,
        ``value-out-of-range``, ``growth-failed``.

    Examples
    --------
    >>> from spinekit.case import Volume
    >>> from spinekit.geometry import Geometry
    >>> image = np.zeros((5, 9, 9), dtype=np.float32)
    >>> image[1:4, 2:7, 2:7] = 10.0
    >>> grow_region(Volume(image, Geometry((9, 9, 5), (1, 1, 1))), [(4, 4, 2)], method="threshold").n_voxels
    75
    """
    signal, geometry, simulated = _signal_of(series)
    front, back = _seeds_of(seeds, background)
    limits = Limits(max_volume_ml, max_radius_mm)
    _check(method, tolerance, limits, geometry, n_baseline, signal.shape[0])
    for seed in (*front, *back):
        model_of(signal, geometry, seed)  # refuses seeds outside the image or without signal
    if method == "curve":
        grown = _by_curve(signal, geometry, front, back, tolerance, limits, half_border)
    else:
        grown = _on_one_image(signal, geometry, front, back, method, tolerance, limits, n_baseline)
    mask, corner, neck = _finish(grown, front, geometry, fill_holes, closing_mm, largest_component, cut_leaks)
    points = [(s.zyx[0] - corner[0], s.zyx[1] - corner[1], s.zyx[2] - corner[2]) for s in front]
    reached = reaches_radius(mask, points, geometry.spacing_zyx_mm, limits.max_radius_mm)
    whole = np.zeros(geometry.shape_zyx, dtype=bool)
    whole[tuple(slice(o, o + n) for o, n in zip(corner, mask.shape, strict=True))] = mask
    warnings = leak_warnings(
        capped_at_ml=limits.max_volume_ml if grown.capped else None,
        reaches_radius_mm=limits.max_radius_mm if reached else None,
        edge=border_share(whole),
        jump=grown.jump,
        contrast=grown.contrast,
        neck=neck,
        cut=cut_leaks,
    )
    record = {
        "method": method,
        "seeds": [list(s.ijk) for s in front],
        "background_seeds": [list(s.ijk) for s in back],
        "n_baseline": n_baseline,
        "tolerance": grown.tolerance,
        "tolerance_chosen_by": "sharpest border" if tolerance is None and method == "curve" else "caller or default",
        "max_volume_ml": limits.max_volume_ml,
        "max_radius_mm": limits.max_radius_mm,
        "half_border": half_border,
        "fill_holes": fill_holes,
        "closing_mm": closing_mm,
        "largest_component": largest_component,
        "cut_leaks": cut_leaks,
        "border_contrast": None if np.isinf(grown.contrast) else grown.contrast,
        "volume_growth_at_10_percent_more": grown.jump,
        "neck": None if neck is None else {"share": neck.share, "width_mm": neck.width_mm},
        **grown.history,
        "simulated": simulated,
    }
    return Roi(whole, geometry, name, tuple(warnings), record)


def _signal_of(series: DynamicSeries | Volume) -> tuple[Any, Geometry, bool]:
    if isinstance(series, Volume):
        return np.asarray(series.values, dtype=np.float32)[None], series.geometry, False
    return series.signal, series.geometry, bool(series.record.get("simulated", False))


def _seeds_of(seeds: Iterable[SeedLike], background: Iterable[SeedLike]) -> tuple[list[Seed], list[Seed]]:
    def as_seed(given: SeedLike, behind: bool) -> Seed:
        if isinstance(given, Seed):
            return Seed(given.i, given.j, given.k, given.background or behind)
        values = [int(v) for v in given]
        if len(values) != 3 or any(v != g for v, g in zip(values, given, strict=True)):
            raise InputRefusedError(
                "value-out-of-range",
                found=f"The seed {tuple(given)} was given.",
                expected="Three whole numbers i, j, k.",
                cause="It may be a position in mm.",
                cure="Turn mm into an index with series.geometry.mm_to_index().",
            )
        return Seed(values[0], values[1], values[2], behind)

    every = [as_seed(s, False) for s in seeds] + [as_seed(s, True) for s in background]
    front, back = [s for s in every if not s.background], [s for s in every if s.background]
    if not front:
        raise InputRefusedError(
            "seed-missing",
            found="No seed inside the lesion was given.",
            expected="At least one voxel i, j, k.",
            cause="Only background seeds were placed, or the list is empty.",
            cure="Click the centre of the lesion.",
        )
    return front, back


def _check(
    method: str, tolerance: float | None, limits: Limits, geometry: Geometry, n_baseline: int, n_phases: int
) -> None:
    if method not in METHODS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"method='{method}' was asked for.",
            expected=f"One of {', '.join(METHODS)}.",
            cause="The name may be misspelt.",
            cure="Use 'curve' unless there is a reason.",
        )
    numbers = {"max_volume_ml": limits.max_volume_ml, "max_radius_mm": limits.max_radius_mm}
    if tolerance is not None:
        numbers["tolerance"] = tolerance
    for label, value in numbers.items():
        if not value > 0:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"{label} is {value}.",
                expected="A number above 0.",
                cause="A slider may stand at its end.",
                cure=f"Raise {label}.",
            )
    if n_phases > 1 and not 1 <= n_baseline < n_phases:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"n_baseline is {n_baseline} for {n_phases} phases.",
            expected=f"A number from 1 to {n_phases - 1}.",
            cause="n_baseline counts the phases before the contrast agent.",
            cure="Count those phases in the montage.",
        )
    if geometry.size[2] < 3:
        raise InputRefusedError(
            "slab-too-thin",
            found=f"The image has {geometry.size[2]} slices.",
            expected="At least 3 for growing in three dimensions.",
            cause="A single slice was exported.",
            cure="Draw the region by hand, or export the whole series.",
        )


def _by_curve(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], tolerance: float | None, limits: Limits,
    settle: bool,
) -> Grown:  # fmt: skip
    means, whitening, n_front = models_of(signal, geometry, [*front, *back])
    box = _box_around(front, geometry, limits.max_radius_mm)
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    level, volume_ml = 0, min(limits.max_volume_ml, FIRST_LOOK_ML) if tolerance is None else limits.max_volume_ml
    while True:
        flooded = flood_from(
            signal,
            box,
            means,
            whitening,
            n_front,
            [s.zyx for s in front],
            geometry.spacing_zyx_mm,
            max_radius_mm=limits.max_radius_mm,
            max_voxels=max(1, int(volume_ml / voxel_ml)),
        )
        level = flooded.best(voxel_ml) if tolerance is None else level_of(tolerance)
        found_ml = flooded.voxels[min(level, LEVELS - 1)] * voxel_ml
        if volume_ml >= limits.max_volume_ml or found_ml < ENOUGH_SHARE * volume_ml:
            break
        volume_ml = limits.max_volume_ml  # the sharpest border may lie farther out
    capped = tolerance is not None and level > flooded.last
    level = min(level, max(flooded.last, 0))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[box] = flooded.level <= level
    if settle and not capped:
        _settle(mask, np.ascontiguousarray(signal), geometry, means, whitening, n_front)
    contrast = float(flooded.contrast[level]) if np.isfinite(flooded.contrast[level]) else 0.0
    used = tolerance_of(level) if tolerance is None or capped else float(tolerance)
    return Grown(mask, used, capped, _jump(flooded, level), contrast, _history(flooded, voxel_ml))


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


def _on_one_image(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], method: str, tolerance: float | None,
    limits: Limits, n_baseline: int,
) -> Grown:  # fmt: skip
    image = enhancement_image(signal, n_baseline)
    used = DEFAULT_TOLERANCE[method] if tolerance is None else tolerance
    grow = threshold_mask if method == "threshold" else confidence_mask
    allowed = _within_radius(front, geometry, limits.max_radius_mm)
    for seed in back:  # a voxel whose value is nearer to a background seed stays outside
        own = np.min([np.abs(image - image[s.zyx]) for s in front], axis=0)
        allowed &= np.abs(image - image[seed.zyx]) > own
    points = [s.zyx for s in front]
    masked = np.where(allowed, image, np.nan)
    mask = keep_components_of(grow(masked, geometry, front, used) & allowed, points)
    more = keep_components_of(grow(masked, geometry, front, used * JUMP_STEP) & allowed, points)
    jump = float(more.sum() / max(mask.sum(), 1))
    volume_ml = mask.sum() * geometry.voxel_volume_mm3 / 1000
    capped = bool(volume_ml > limits.max_volume_ml)
    if capped:
        mask = _nearest_part(mask, front, geometry, limits.max_volume_ml)
    return Grown(mask, float(used), capped, jump, _contrast(image, mask), {})


def _within_radius(front: list[Seed], geometry: Geometry, radius_mm: float) -> Any:
    return _distance_to(front, geometry) <= radius_mm


def _distance_to(front: list[Seed], geometry: Geometry) -> Any:
    places = np.ogrid[tuple(slice(0, n) for n in geometry.shape_zyx)]
    nearest = np.full(geometry.shape_zyx, np.inf, dtype=np.float32)
    for seed in front:
        steps = [(p - c) * s for p, c, s in zip(places, seed.zyx, geometry.spacing_zyx_mm, strict=True)]
        nearest = np.minimum(nearest, np.sqrt(steps[0] ** 2 + steps[1] ** 2 + steps[2] ** 2))
    return nearest


def _nearest_part(mask: Any, front: list[Seed], geometry: Geometry, max_volume_ml: float) -> Any:
    """Return the voxels of the mask nearest to the seeds, up to the cap."""
    count = int(max_volume_ml * 1000 / geometry.voxel_volume_mm3)
    distance = np.where(mask, _distance_to(front, geometry), np.inf)
    limit = np.partition(distance.ravel(), count)[count]
    return keep_components_of(distance < limit, [s.zyx for s in front])


def _contrast(image: Any, mask: Any) -> float:
    """Return the step across the border in units of the spread inside; inf where it cannot be had."""
    from scipy import ndimage

    if not mask.any():
        return float("inf")
    outer = ndimage.binary_dilation(mask) & ~mask & np.isfinite(image)
    inside = image[mask & np.isfinite(image)].astype(np.float64)
    spread = float(inside.std())
    if not outer.any() or spread == 0:
        return float("inf")
    return float(abs(np.median(inside) - np.median(image[outer].astype(np.float64))) / spread)


def _finish(
    grown: Grown, front: list[Seed], geometry: Geometry, fill_holes: bool, closing_mm: float, largest: bool, cut: bool
) -> tuple[Any, tuple[int, ...], Neck | None]:
    """Clean up within the box of what has grown; return the mask of the box, its corner, and a neck if there is one."""
    if not grown.mask.any():
        raise _failed(front, grown.tolerance)
    margin = 2 + (int(np.ceil(closing_mm / min(geometry.spacing_mm))) if closing_mm > 0 else 0)
    corner, shape = [], []
    for axis, n in enumerate(geometry.shape_zyx):
        filled = np.flatnonzero(grown.mask.any(axis=tuple(a for a in range(3) if a != axis)))
        low = max(0, min(int(filled[0]), *(s.zyx[axis] for s in front)) - margin)
        high = min(n, max(int(filled[-1]), *(s.zyx[axis] for s in front)) + margin + 1)
        corner.append(low)
        shape.append(high - low)
    mask = grown.mask[tuple(slice(o, o + n) for o, n in zip(corner, shape, strict=True))]
    points = [(s.zyx[0] - corner[0], s.zyx[1] - corner[1], s.zyx[2] - corner[2]) for s in front]
    mask = close_mm(mask, closing_mm, geometry.spacing_zyx_mm) if closing_mm > 0 else mask
    mask = keep_components_of(without_holes(mask) if fill_holes else mask, points)
    mask = keep_largest(mask) if largest else mask
    if not mask.any():
        raise _failed(front, grown.tolerance)
    neck = find_neck(mask, points, geometry.spacing_zyx_mm)
    return (cut_at_neck(mask, neck, points) if neck is not None and cut else mask), tuple(corner), neck


def _failed(front: list[Seed], tolerance: float) -> InputRefusedError:
    return InputRefusedError(
        "growth-failed",
        found=f"Growing from {[s.ijk for s in front]} with tolerance {tolerance:.3g} found no voxel.",
        expected="A region that holds at least the seed.",
        cause="The tolerance is very small, or a background seed has the same curve.",
        cure="Raise the tolerance, or move the seeds.",
    )
