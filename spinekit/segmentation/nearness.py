"""Compiled: distances to a mask up to a limit, at the cost of its surface; parts that spread through a mask."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["distances_up_to", "spread"]

MASK = types.Array(types.boolean, 3, "C", readonly=True)


def distances_up_to(mask: Any, limit_mm: float, spacing_zyx_mm: Any) -> Any:
    """Return how far each voxel lies from the nearest voxel of the mask, mm; inf beyond the limit.

    Parameters
    ----------
    mask : ndarray of bool, shape (Z, Y, X)
    limit_mm : float
    spacing_zyx_mm : (z, y, x)

    Returns
    -------
    ndarray of float32, shape (Z, Y, X)

    Examples
    --------
    >>> distances_up_to(np.array([[[True, False, False, False]]]), 2.0, (1.0, 1.0, 1.0))
    array([[[ 0.,  1.,  2., inf]]], dtype=float32)
    """
    out = np.full(mask.shape, np.inf, dtype=np.float32)
    steps = _steps_within(float(limit_mm), tuple(float(s) for s in spacing_zyx_mm))
    _stamp(np.ascontiguousarray(mask, dtype=bool), *steps, out)
    return out


@lru_cache(maxsize=64)
def _steps_within(limit_mm: float, spacing_zyx_mm: tuple[float, ...]) -> tuple[Any, Any]:
    """Return the steps (n, 3) to voxels within the limit, nearest first, and their lengths in mm."""
    reach = [int(limit_mm / s + 1e-9) for s in spacing_zyx_mm]
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.sqrt(((steps * np.asarray(spacing_zyx_mm)) ** 2).sum(axis=1))
    near = (lengths <= limit_mm * (1 + 1e-9)) & (lengths > 0)
    order = np.argsort(lengths[near], kind="stable")
    return np.ascontiguousarray(steps[near][order], dtype=np.int64), lengths[near][order].astype(np.float32)


@numba.njit(
    types.void(MASK, types.int64[:, ::1], types.float32[::1], types.float32[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def _stamp(mask: Any, steps: Any, lengths: Any, out: Any) -> None:
    """Lay the lengths of the steps around every voxel of the mask that has a neighbour outside; keep the smallest."""
    n_z, n_y, n_x = mask.shape
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                if not mask[z, y, x]:
                    continue
                out[z, y, x] = 0.0
                inner = (
                    (z == 0 or mask[z - 1, y, x]) and (z == n_z - 1 or mask[z + 1, y, x])
                    and (y == 0 or mask[z, y - 1, x]) and (y == n_y - 1 or mask[z, y + 1, x])
                    and (x == 0 or mask[z, y, x - 1]) and (x == n_x - 1 or mask[z, y, x + 1])
                )  # fmt: skip
                if inner:
                    continue
                for s in range(lengths.size):
                    a, b, c = z + steps[s, 0], y + steps[s, 1], x + steps[s, 2]
                    inside = 0 <= a < n_z and 0 <= b < n_y and 0 <= c < n_x
                    if inside and lengths[s] < out[a, b, c]:
                        out[a, b, c] = lengths[s]


@numba.njit(
    types.void(MASK, types.int32[:, :, ::1]), nogil=True, cache=True, error_model="numpy"
)  # fmt: skip
def spread(inside: Any, labels: Any) -> None:
    """Let labels above 0 spread through the mask, in place: each voxel takes that which reaches it in fewest steps."""
    n_z, n_y, n_x = labels.shape
    waiting = np.empty(labels.size, np.int64)
    last = 0
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                if labels[z, y, x] > 0:
                    waiting[last] = (z * n_y + y) * n_x + x
                    last += 1
    first = 0
    while first < last:
        place = waiting[first]
        first += 1
        z, y, x = place // (n_y * n_x), place // n_x % n_y, place % n_x
        for d in range(6):
            a, b, c = z, y, x
            if d < 2:
                a += 1 if d == 0 else -1
            elif d < 4:
                b += 1 if d == 2 else -1
            else:
                c += 1 if d == 4 else -1
            if 0 <= a < n_z and 0 <= b < n_y and 0 <= c < n_x and inside[a, b, c] and labels[a, b, c] == 0:
                labels[a, b, c] = labels[z, y, x]
                waiting[last] = (a * n_y + b) * n_x + c
                last += 1
