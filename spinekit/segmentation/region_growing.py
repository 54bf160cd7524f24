"""Grow a region from seeds: by the whole enhancement curve, or on one image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Seed, Volume, require_baseline
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.segmentation.by_curve import by_curve
from spinekit.segmentation.by_image import by_image
from spinekit.segmentation.grown import Limits, bounded, finish
from spinekit.segmentation.leaks import border_share, leak_warnings, reaches_radius
from spinekit.segmentation.likeness import model_of
from spinekit.segmentation.surroundings import ENOUGH_PHASES, against_surroundings

__all__ = ["METHODS", "grow_region"]

METHODS = ("curve", "confidence", "threshold")

SeedLike = Seed | Sequence[int]


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
    surroundings: bool = True,
    relearn: bool = True,
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
        ``"curve"``: by whole enhancement curves. Without a tolerance the lesion and what is around it are
        both learned, and a voxel goes to the likelier side; with one, what is that like the curve around
        the seed (Mahalanobis distance). ``"confidence"`` and ``"threshold"``: SimpleITK on the enhancement image.
    n_baseline : int
        Phases before the contrast agent.
    tolerance : float, optional
        Standard deviations (``"curve"``, ``"confidence"``), share of the seed's value (``"threshold"``).
    background : iterable of (i, j, k) or Seed, optional
        Seeds that repel: a voxel whose curve is nearer to one of theirs stays outside.
    max_volume_ml, max_radius_mm : float
        Bounds; reaching one is reported.
    surroundings : bool
        ``"curve"`` without a tolerance: let the surroundings compete. False, or fewer than six phases, takes
        the tolerance at which the border is sharpest instead.
    relearn : bool
        Where a tolerance is used and one seed: learn the curve anew from the region found around the click,
        so that it matters less where in the lesion one clicks.
    half_border : bool
        Where a tolerance is used: move the border outwards to where voxels are half lesion (partial volume).
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
    competing = method == "curve" and tolerance is None and surroundings and len(signal) >= ENOUGH_PHASES
    if competing:
        grown = against_surroundings(signal, geometry, front, back, limits, n_baseline)
    elif method == "curve":
        grown = by_curve(signal, geometry, front, back, tolerance, limits, half_border, relearn)
    else:
        grown = by_image(signal, geometry, front, back, method, tolerance, limits, n_baseline)
    mask, corner, neck = finish(grown, front, back, geometry, fill_holes, closing_mm, largest_component, cut_leaks)
    points = [(s.zyx[0] - corner[0], s.zyx[1] - corner[1], s.zyx[2] - corner[2]) for s in front]
    mask, over = bounded(mask, points, geometry, limits)
    reached = reaches_radius(mask, points, geometry.spacing_zyx_mm, limits.max_radius_mm)
    whole = np.zeros(geometry.shape_zyx, dtype=bool)
    whole[tuple(slice(o, o + n) for o, n in zip(corner, mask.shape, strict=True))] = mask
    warnings = leak_warnings(
        capped_at_ml=limits.max_volume_ml if grown.capped or over else None,
        reaches_radius_mm=limits.max_radius_mm if reached else None,
        edge=border_share(whole),
        jump=grown.jump,
        contrast=grown.contrast,
        neck=neck,
        cut=cut_leaks,
        competing=competing,
    )
    record = {
        "method": method,
        "seeds": [list(s.ijk) for s in front],
        "background_seeds": [list(s.ijk) for s in back],
        "n_baseline": n_baseline,
        "border": "against the surroundings" if competing else "tolerance",
        "max_volume_ml": limits.max_volume_ml,
        "max_radius_mm": limits.max_radius_mm,
        **({} if competing else _tolerance_record(grown.tolerance, tolerance, method, relearn, half_border)),
        "fill_holes": fill_holes,
        "closing_mm": closing_mm,
        "largest_component": largest_component,
        "cut_leaks": cut_leaks,
        "border_contrast": None if np.isinf(grown.contrast) else grown.contrast,
        "volume_growth_when_looser": grown.jump,
        "neck": None if neck is None else {"share": neck.share, "width_mm": neck.width_mm},
        **grown.history,
        "simulated": simulated,
    }
    return Roi(whole, geometry, name, tuple(warnings), record)


def _tolerance_record(
    used: float | None, asked: float | None, method: str, relearn: bool, half_border: bool
) -> dict[str, Any]:
    return {
        "tolerance": used,
        "tolerance_chosen_by": "sharpest border" if asked is None and method == "curve" else "caller or default",
        "relearn": relearn,
        "half_border": half_border,
    }


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
    if n_phases > 1:
        require_baseline(n_baseline, n_phases)
    if geometry.size[2] < 3:
        raise InputRefusedError(
            "slab-too-thin",
            found=f"The image has {geometry.size[2]} slices.",
            expected="At least 3 for growing in three dimensions.",
            cause="A single slice was exported.",
            cure="Draw the region by hand, or export the whole series.",
        )
