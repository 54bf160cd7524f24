"""The film of a region's growth: the same seeds at rising tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid
from spinekit.segmentation.region_growing import grow_region

__all__ = ["GrowthFilm", "growth_film"]

NEVER = 255
SPAN = (0.35, 2.2)  # of the tolerance that was used: from a core to beyond the first leak
WITHOUT = (0.4, 3.0)  # standard deviations, where the region grew without a tolerance
KEPT = (
    "method", "max_volume_ml", "max_radius_mm", "relearn", "half_border", "fill_holes", "closing_mm",
    "largest_component", "cut_leaks",
)  # fmt: skip


@dataclass(frozen=True)
class GrowthFilm:
    """Tolerances, the volume at each, and at which step each voxel joined.

    Attributes
    ----------
    tolerances, volumes_ml : ndarray of shape (steps,)
    born : ndarray of shape (Z, Y, X), uint8
        First step at which the voxel lies in the region; 255 for never.
    used : int
        The step whose tolerance is that of the region; where it grew without one, the step nearest in volume.
    exact : bool
        Whether the region grew with that tolerance.
    label : str
        What a tolerance is for the method.
    seeds : tuple of (i, j, k)
        In the lesion.
    """

    tolerances: Any
    volumes_ml: Any
    born: Any
    used: int
    exact: bool
    label: str
    seeds: tuple[tuple[int, int, int], ...]


def growth_film(series: DynamicSeries, roi: Roi, *, n_baseline: int = 1, steps: int = 12) -> GrowthFilm:
    """Grow a region again at tolerances around the one it was grown with.

    Parameters
    ----------
    series : DynamicSeries
    roi : Roi
        Grown from seeds; its record says which, how, and with what tolerance.
    n_baseline : int
        Phases before the contrast agent.
    steps : int
        Number of tolerances, 2 to 60. If the region grew with a tolerance, it is one of them; if it grew against its
        surroundings, without one, the film shows what tolerances would have given.

    Raises
    ------
    InputRefusedError
        ``seed-missing`` if the record has no seeds; ``value-out-of-range`` for the steps.
    """
    require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    record = roi.record
    if not record.get("seeds"):
        raise InputRefusedError(
            "seed-missing",
            found=f"The region '{roi.name}' came by '{record.get('method', 'drawing')}', without seeds.",
            expected="A region that grew from seeds.",
            cause="It was drawn, read from a file, or grown along an outline.",
            cure="Mark the lesion with a seed in notebook 02 to see it grow.",
        )
    if not 2 <= steps <= 60:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"A film of {steps} pictures was asked for.",
            expected="2 to 60.",
            cause="The number may be misspelt.",
            cure="Leave it out to take 12.",
        )
    rising, used = _tolerances(record, steps)
    born = np.full(roi.mask.shape, NEVER, dtype=np.uint8)
    volumes = []
    for step, tolerance in enumerate(rising):
        grown = _grown(series, record, n_baseline, float(tolerance))
        born[grown & (born == NEVER)] = step
        volumes.append(int(np.count_nonzero(grown)) * roi.geometry.voxel_volume_mm3 / 1000.0)
    nearest = int(np.argmin(np.abs(np.array(volumes) - roi.volume_ml)))
    label = "tolerance, standard deviations" if record.get("method") != "threshold" else "tolerance"
    seeds = tuple((int(i), int(j), int(k)) for i, j, k in record["seeds"])
    at = nearest if used is None else used
    return GrowthFilm(rising, np.array(volumes), born, at, used is not None, label, seeds)


def _tolerances(record: Any, steps: int) -> tuple[Any, int | None]:
    """Return rising tolerances, and which of them was used; None where the region grew without one."""
    used = float(record.get("tolerance") or 0.0)
    if used <= 0:
        return np.geomspace(*WITHOUT, steps), None
    rising = np.geomspace(SPAN[0] * used, SPAN[1] * used, steps)
    at = int(np.argmin(np.abs(rising - used)))
    rising[at] = used
    return rising, at


def _grown(series: DynamicSeries, record: Any, n_baseline: int, tolerance: float) -> Any:
    """Return the mask at one tolerance; empty where growing finds nothing at it."""
    kept = {name: record[name] for name in KEPT if record.get(name) is not None}
    try:
        return grow_region(
            series, record["seeds"], n_baseline=n_baseline, tolerance=tolerance,
            background=record.get("background_seeds", ()), **kept,
        ).mask  # fmt: skip
    except InputRefusedError as refused:
        if refused.code != "growth-failed":
            raise
        return np.zeros(series.geometry.shape_zyx, dtype=bool)
