"""How far two masks agree: overlap, distance of borders, volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.errors import ShapeMismatchError

__all__ = ["dice", "hd95_mm", "jaccard", "volume_difference_percent"]


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
    a, b = _pair(first, second)
    if not (a.any() and b.any()):
        return float("nan")
    places = np.nonzero(a | b)
    box = tuple(slice(max(0, int(p.min()) - 1), int(p.max()) + 2) for p in places)
    there, back = _border_distances(a[box], b[box], spacing_mm), _border_distances(b[box], a[box], spacing_mm)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))
