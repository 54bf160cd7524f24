"""How far two masks agree: overlap, distance of borders, volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.case import Roi
from spinekit.errors import ShapeMismatchError
from spinekit.geometry import require_same_grid

__all__ = ["Agreement", "agreement_of", "dice", "hd95_mm", "jaccard", "mean_distance_mm", "volume_difference_percent"]


@dataclass(frozen=True)
class Agreement:
    """How far two regions of one image agree; NaN where a region is empty.

    Attributes
    ----------
    dice, jaccard : float
        Overlap, 0 to 1.
    hd95_mm, mean_distance_mm : float
        95th percentile of the distances between the borders (the larger of both ways), and their mean (over both).
    first_ml, second_ml, difference_ml : float
        Volumes, and the first minus the second.
    difference_percent : float
        Difference in percent of the mean of both volumes, so that the order of the readers decides the sign alone.
    """

    dice: float
    jaccard: float
    hd95_mm: float
    mean_distance_mm: float
    first_ml: float
    second_ml: float
    difference_ml: float
    difference_percent: float


def agreement_of(first: Roi, second: Roi) -> Agreement:
    """Return how far two regions agree.

    Parameters
    ----------
    first, second : Roi
        On one grid.

    Raises
    ------
    GridMismatchError
        If they lie on different grids.
    """
    require_same_grid(first.geometry, second.geometry, names=("the first region", "the second region"))
    spacing = first.geometry.spacing_zyx_mm
    mean = (first.volume_ml + second.volume_ml) / 2
    return Agreement(
        dice(first.mask, second.mask),
        jaccard(first.mask, second.mask),
        hd95_mm(first.mask, second.mask, spacing),
        mean_distance_mm(first.mask, second.mask, spacing),
        first.volume_ml,
        second.volume_ml,
        first.volume_ml - second.volume_ml,
        100.0 * (first.volume_ml - second.volume_ml) / mean if mean else float("nan"),
    )


def _pair(first: Any, second: Any) -> tuple[Any, Any]:
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.shape != b.shape:
        raise ShapeMismatchError(
            found=f"The masks have shapes {a.shape} and {b.shape}.",
            expected="Masks on one grid.",
            cause="They were drawn on different series.",
            cure="Resample one of them with spinekit.resample_to().",
        )
    return a, b


def dice(first: Any, second: Any) -> float:
    """Return 2 |A ∩ B| / (|A| + |B|); NaN if both are empty.

    Examples
    --------
    >>> dice([1, 1, 0], [0, 1, 1])
    0.5
    """
    a, b = _pair(first, second)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else float("nan")


def jaccard(first: Any, second: Any) -> float:
    """Return |A ∩ B| / |A ∪ B|; NaN if both are empty."""
    a, b = _pair(first, second)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else float("nan")


def volume_difference_percent(first: Any, second: Any) -> float:
    """Return the volume of the first mask relative to the second, in percent of the second; NaN if that is empty."""
    a, b = _pair(first, second)
    return 100.0 * (int(a.sum()) - int(b.sum())) / int(b.sum()) if b.any() else float("nan")


def _border_distances(a: Any, b: Any, spacing_mm: Sequence[float]) -> Any:
    """Return the distances in mm from border voxels of `a` to the border of `b`."""
    border_a = a & ~ndimage.binary_erosion(a)
    border_b = b & ~ndimage.binary_erosion(b)
    return ndimage.distance_transform_edt(~border_b, sampling=spacing_mm)[border_a]


def hd95_mm(first: Any, second: Any, spacing_mm: Sequence[float]) -> float:
    """Return the 95th percentile of the distances between the borders, both ways, mm; NaN if a mask is empty.

    Parameters
    ----------
    spacing_mm : sequence of three floats
        In the order of array axes (z, y, x).
    """
    there, back = _both_ways(first, second, spacing_mm)
    return float(max(np.percentile(there, 95), np.percentile(back, 95))) if there.size else float("nan")


def mean_distance_mm(first: Any, second: Any, spacing_mm: Sequence[float]) -> float:
    """Return the mean distance between the borders over both ways, mm; NaN if a mask is empty."""
    there, back = _both_ways(first, second, spacing_mm)
    return float(np.concatenate([there, back]).mean()) if there.size else float("nan")


def _both_ways(first: Any, second: Any, spacing_mm: Sequence[float]) -> tuple[Any, Any]:
    """Return the distances from each border to the other, mm; nothing if a mask is empty."""
    a, b = _pair(first, second)
    if not (a.any() and b.any()):
        return np.empty(0), np.empty(0)
    places = np.nonzero(a | b)
    box = tuple(slice(max(0, int(p.min()) - 1), int(p.max()) + 2) for p in places)
    return _border_distances(a[box], b[box], spacing_mm), _border_distances(b[box], a[box], spacing_mm)
