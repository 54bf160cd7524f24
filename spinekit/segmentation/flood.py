"""Compiled: grow from seeds through voxels of like curves, at every tolerance in one go.

Voxels are taken in the order of their distance from the seeds' curve, as water rises: the level of a
voxel is the smallest tolerance at which growing reaches it. One flood therefore gives the region, its
volume and the sharpness of its border for every tolerance, and a slider needs no second computation.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["LEVELS", "LOG_STEP", "LOWEST", "UNREACHED", "border_scores", "flood"]

LEVELS = 96  # tolerances from 0.3 to 8 standard deviations, equal ratios
LOWEST, HIGHEST = 0.3, 8.0
LOG_STEP = float(np.log(HIGHEST / LOWEST) / (LEVELS - 1))
UNREACHED, BLOCKED = 255, 254
FAST = {"contract", "nsz", "arcp"}

SIGNAL = types.Array(types.float32, 4, "C", readonly=True)
MATRICES, VECTORS = types.float32[:, :, ::1], types.float32[:, ::1]


@numba.njit(error_model="numpy", fastmath=FAST)
def _distance(signal: Any, z: int, y: int, x: int, means: Any, whiten: Any, model: int, part: Any) -> Any:
    """Return the root mean square of the whitened difference of one voxel's curve from a model's mean."""
    n_phases = signal.shape[0]
    for t in range(n_phases):
        part[t] = signal[t, z, y, x] - means[model, t]
    total = np.float32(0.0)
    for k in range(n_phases):
        line = np.float32(0.0)
        for t in range(k + 1):  # the whitening matrix is lower triangular
            line += whiten[model, k, t] * part[t]
        total += line * line
    return np.sqrt(total / n_phases)


@numba.njit(error_model="numpy", fastmath=FAST)
def _log_likeness(signal: Any, z: int, y: int, x: int, means: Any, whiten: Any, n_front: int, part: Any) -> Any:
    """Return log(distance + 0.3) to the nearest foreground model; NaN where a background model is nearer."""
    best = np.float32(np.inf)
    for model in range(n_front):
        d = _distance(signal, z, y, x, means, whiten, model, part)
        if d - d != 0.0:  # NaN or infinite
            return np.float32(np.nan)
        best = min(best, d)
    for model in range(n_front, means.shape[0]):
        if _distance(signal, z, y, x, means, whiten, model, part) < best:
            return np.float32(np.nan)
    return np.log(np.minimum(best, np.float32(HIGHEST)) + np.float32(LOWEST))


@numba.njit(
    types.Tuple((types.int64, types.int64))(
        SIGNAL, VECTORS, MATRICES, types.int64, types.int64[:, ::1], types.float64[::1], types.float64, types.int64,
        types.uint8[:, :, ::1], types.float32[:, :, ::1], types.int32[::1],
    ),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def flood(
    signal: Any,  # (T, Z, Y, X)
    means: Any,  # (M, T): foreground models first
    whiten: Any,  # (M, T, T)
    n_front: int,
    seeds: Any,  # (S, 3): z, y, x
    spacing_mm: Any,  # z, y, x
    max_radius_mm: float,  # from the nearest seed
    max_voxels: int,
    level: Any,  # (Z, Y, X), filled with UNREACHED
    likeness: Any,  # (Z, Y, X), written where reached
    order: Any,  # (N,): flat indices of reached voxels, in the order in which they were met
) -> tuple[int, int]:
    """Fill `level` and `likeness`; return the number of voxels met and the level at which the cap was reached.

    The second number is LEVELS if the flood ended by itself.
    """
    n_z, n_y, n_x = level.shape
    log_low, part = np.log(LOWEST), np.empty(signal.shape[0], np.float32)
    follow = np.empty(order.size, np.int32)  # linked list of voxels waiting at each level
    head = np.full(LEVELS, -1, np.int32)
    met, taken = 0, 0
    limit = max_radius_mm * max_radius_mm
    for s in range(seeds.shape[0]):
        z, y, x = seeds[s, 0], seeds[s, 1], seeds[s, 2]
        if level[z, y, x] == UNREACHED:
            level[z, y, x] = 0
            likeness[z, y, x] = np.float32(log_low)
            order[met] = (z * n_y + y) * n_x + x
            follow[met] = head[0]
            head[0] = met
            met += 1
    for now in range(LEVELS):
        while head[now] >= 0:
            slot = head[now]
            head[now] = follow[slot]
            taken += 1
            if taken > max_voxels:
                return met, now
            flat = order[slot]
            z, y, x = flat // (n_y * n_x), flat // n_x % n_y, flat % n_x
            for side in range(6):
                a = z + (1 if side == 0 else (-1 if side == 1 else 0))
                b = y + (1 if side == 2 else (-1 if side == 3 else 0))
                c = x + (1 if side == 4 else (-1 if side == 5 else 0))
                if a < 0 or b < 0 or c < 0 or a >= n_z or b >= n_y or c >= n_x or level[a, b, c] != UNREACHED:
                    continue
                near = np.inf
                for s in range(seeds.shape[0]):
                    dz = (a - seeds[s, 0]) * spacing_mm[0]
                    dy = (b - seeds[s, 1]) * spacing_mm[1]
                    dx = (c - seeds[s, 2]) * spacing_mm[2]
                    near = min(near, dz * dz + dy * dy + dx * dx)
                value = np.float32(np.nan)
                if near <= limit:
                    value = _log_likeness(signal, a, b, c, means, whiten, n_front, part)
                if value - value != 0.0:  # NaN: outside, undefined, or nearer to a background seed
                    level[a, b, c] = BLOCKED
                    continue
                own = int(np.ceil((np.log(max(np.exp(value) - LOWEST, 1e-6)) - log_low) / LOG_STEP))
                reach = min(max(own, now), LEVELS - 1)
                level[a, b, c] = reach
                likeness[a, b, c] = value
                order[met] = (a * n_y + b) * n_x + c
                follow[met] = head[reach]
                head[reach] = met
                met += 1
    return met, LEVELS


@numba.njit(
    types.void(types.uint8[:, :, ::1], types.float32[:, :, ::1], types.int32[::1], types.int64, types.float64[:, ::1]),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def border_scores(level: Any, likeness: Any, order: Any, met: int, table: Any) -> None:
    """Sum what decides the tolerance, for every level at once.

    `table` has the rows: voxels inside, sum of likeness inside; voxels of the inner border, sum; voxels of
    the outer border, sum. A voxel lies inside from its own level on; in the outer border from the level of
    its first neighbour inside to its own; in the inner border from its own to that of its last neighbour.
    """
    n_z, n_y, n_x = level.shape
    for i in range(met):
        flat = order[i]
        z, y, x = flat // (n_y * n_x), flat // n_x % n_y, flat % n_x
        own = int(level[z, y, x])
        value = float(likeness[z, y, x])
        first, last = LEVELS, own
        for side in range(6):
            a = z + (1 if side == 0 else (-1 if side == 1 else 0))
            b = y + (1 if side == 2 else (-1 if side == 3 else 0))
            c = x + (1 if side == 4 else (-1 if side == 5 else 0))
            if a < 0 or b < 0 or c < 0 or a >= n_z or b >= n_y or c >= n_x:
                continue
            there = min(int(level[a, b, c]), LEVELS)
            first = min(first, there)
            last = max(last, there)
        table[0, own] += 1.0
        table[1, own] += value
        if last > own:
            table[2, own] += 1.0
            table[3, own] += value
            if last < LEVELS:
                table[2, last] -= 1.0
                table[3, last] -= value
        if first < own:
            table[4, first] += 1.0
            table[5, first] += value
            table[4, own] -= 1.0
            table[5, own] -= value
    for row in range(6):
        for n in range(1, LEVELS):
            table[row, n] += table[row, n - 1]
