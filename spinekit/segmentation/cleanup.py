"""Changes to a mask in millimetres, anisotropy respected: fill, close, open, grow, shrink, keep, interpolate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage

__all__ = [
    "box_around",
    "close_mm",
    "grow_mm",
    "interpolate_slices",
    "keep_components_of",
    "keep_largest",
    "open_mm",
    "shrink_mm",
    "smooth_mm",
    "without_holes",
]  # fmt: skip

Spacing = Sequence[float]  # (z, y, x), mm


def _padded_box(mask: Any, margin: int) -> tuple[slice, ...]:
    places = np.nonzero(mask)
    return tuple(
        slice(max(0, int(p.min()) - margin), min(n, int(p.max()) + margin + 1))
        for p, n in zip(places, mask.shape, strict=True)
    )


def box_around(mask: Any, spacing_mm: Spacing, margin_mm: float) -> tuple[slice, ...]:
    """Return the box of the array that holds the mask and a margin around it; the mask must not be empty."""
    box = []
    for axis, (n, spacing) in enumerate(zip(mask.shape, spacing_mm, strict=True)):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(np.ceil(margin_mm / spacing))
        box.append(slice(max(0, int(filled[0]) - margin), min(n, int(filled[-1]) + margin + 1)))
    return tuple(box)


def _margin(radius_mm: float, spacing_mm: Spacing) -> int:
    return int(np.ceil(radius_mm / min(spacing_mm))) + 2


def grow_mm(mask: Any, radius_mm: float, spacing_mm: Spacing) -> Any:
    """Return the mask with everything within `radius_mm` of it.

    Examples
    --------
    >>> grow_mm(np.array([[[False, False, True, False, False]]]), 1.0, (3.0, 1.0, 1.0)).astype(int)
    array([[[0, 1, 1, 1, 0]]])
    """
    if radius_mm <= 0 or not mask.any():
        return mask.copy()
    box = _padded_box(mask, _margin(radius_mm, spacing_mm))
    out = np.zeros_like(mask, dtype=bool)
    out[box] = ndimage.distance_transform_edt(~mask[box], sampling=spacing_mm) <= radius_mm * (1 + 1e-9)
    return out


def shrink_mm(mask: Any, radius_mm: float, spacing_mm: Spacing) -> Any:
    """Return the part of the mask that is farther than `radius_mm` from the outside; the image's edge is no outside."""
    if radius_mm <= 0 or not mask.any():
        return mask.copy()
    box = _padded_box(mask, 2)
    part = mask[box]
    out = np.zeros_like(mask, dtype=bool)
    if part.all():
        return mask.copy()
    out[box] = ndimage.distance_transform_edt(part, sampling=spacing_mm) > radius_mm * (1 + 1e-9)
    return out


def open_mm(mask: Any, radius_mm: float, spacing_mm: Spacing) -> Any:
    """Return the mask without parts thinner than twice the radius."""
    return grow_mm(shrink_mm(mask, radius_mm, spacing_mm), radius_mm, spacing_mm) & mask


def close_mm(mask: Any, radius_mm: float, spacing_mm: Spacing) -> Any:
    """Return the mask with gaps narrower than twice the radius closed."""
    return shrink_mm(grow_mm(mask, radius_mm, spacing_mm), radius_mm, spacing_mm) | mask


def smooth_mm(mask: Any, sigma_mm: float, spacing_mm: Spacing) -> Any:
    """Return the mask with its border smoothed at the same volume, so that nothing thin vanishes by being smoothed."""
    n = int(mask.sum())
    if n in (0, mask.size):
        return mask.copy()
    soft = ndimage.gaussian_filter(mask.astype(np.float32), [sigma_mm / s for s in spacing_mm])
    return soft >= np.partition(soft.ravel(), -n)[-n]


def without_holes(mask: Any, kept_open: Sequence[tuple[int, int, int]] = ()) -> Any:
    """Return the mask with holes filled that have no way out in three dimensions and hold none of the points (z, y, x).

    Examples
    --------
    >>> ring = np.pad(np.zeros((1, 1, 1), bool), 1, constant_values=True)
    >>> without_holes(ring).sum(), without_holes(ring, [(1, 1, 1)]).sum()
    (np.int64(27), np.int64(26))
    """
    if not mask.any():
        return mask.copy()
    box = _padded_box(mask, 1)
    out = mask.copy()
    out[box] = ndimage.binary_fill_holes(mask[box])
    if kept_open:
        holes = out & ~mask
        out &= ~keep_components_of(holes, kept_open)
    return out


def keep_largest(mask: Any) -> Any:
    """Return the largest part that is connected over faces; the first one if two are equal."""
    labels, n = ndimage.label(mask)
    if n <= 1:
        return mask.copy()
    return labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())


def keep_components_of(mask: Any, points_zyx: Sequence[tuple[int, int, int]]) -> Any:
    """Return the parts, connected over faces, that hold one of the points."""
    labels, _ = ndimage.label(mask)
    wanted = {int(labels[p]) for p in points_zyx} - {0}
    if len(wanted) == 1:
        return labels == wanted.pop()
    return np.isin(labels, sorted(wanted)) if wanted else np.zeros_like(mask)


def interpolate_slices(mask: Any, axis: int = 0) -> Any:
    """Return the mask with empty slices between drawn ones filled, by interpolating signed distances.

    Slices outside the first and last drawn one stay empty; drawn slices stay as they are.
    """
    moved = np.moveaxis(mask, axis, 0)
    drawn = np.flatnonzero(moved.any(axis=(1, 2)))
    out = moved.copy()
    for below, above in pairwise(drawn):
        if above - below < 2:
            continue
        low, high = _signed_distance(moved[below]), _signed_distance(moved[above])
        for n in range(below + 1, above):
            share = (n - below) / (above - below)
            out[n] = (1 - share) * low + share * high >= 0
    return np.moveaxis(out, 0, axis)


def _signed_distance(flat: Any) -> Any:
    inside = ndimage.distance_transform_edt(flat)
    return np.where(flat, inside - 0.5, 0.5 - ndimage.distance_transform_edt(~flat))
