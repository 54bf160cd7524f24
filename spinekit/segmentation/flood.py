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

__all__ = ["LEVELS", "LOG_STEP", "LOWEST", "UNREACHED", "border_scores", "box_distances", "flood"]

PIECE = 32  # voxels of a row whose distances are computed together
LEVELS = 96  # tolerances from 0.3 to 8 standard deviations, equal ratios
LOWEST, HIGHEST = 0.3, 8.0
LOG_STEP = float(np.log(HIGHEST / LOWEST) / (LEVELS - 1))
UNREACHED, BLOCKED = 255, 254
FAST = {"contract", "nsz", "arcp"}

SIGNAL = types.Array(types.float32, 4, "C", readonly=True)
MATRICES, VECTORS = types.float32[:, :, ::1], types.float32[:, ::1]


@numba.njit(error_model="numpy", fastmath=FAST)
def _row_distances(
    signal: Any, z: int, y: int, left: int, means: Any, whiten: Any, n_front: int, part: Any, out: Any
) -> None:
    """Write the distance of each voxel of one row from the nearest foreground model.

    The distance is the root mean square of the whitened difference of curves; NaN where it is not finite or
    a background model is nearer. Whole rows, because the phases of one voxel lie megabytes apart.
    """
    n_phases, n = signal.shape[0], out.size
    for model in range(means.shape[0]):
        total, line = part[n_phases], part[n_phases + 1]
        for t in range(n_phases):
            row, mean = signal[t, z, y, left : left + n], means[model, t]
            for x in range(n):
                part[t, x] = row[x] - mean
        for x in range(n):
            total[x] = 0.0
        for k in range(n_phases):
            for x in range(n):
                line[x] = 0.0
            for t in range(k + 1):  # the whitening matrix is lower triangular
                w, one = whiten[model, k, t], part[t]
                for x in range(n):
                    line[x] += w * one[x]
            for x in range(n):
                total[x] += line[x] * line[x]
        share = np.float32(1.0) / np.float32(n_phases)
        for x in range(n):
            total[x] = np.sqrt(total[x] * share)
        if model == 0:
            for x in range(n):
                out[x] = total[x]
        elif model < n_front:
            for x in range(n):
                out[x] = total[x] if total[x] < out[x] else out[x]
        else:
            for x in range(n):
                out[x] = np.float32(np.nan) if total[x] < out[x] else out[x]


@numba.njit(
    types.void(SIGNAL, types.int64[::1], VECTORS, MATRICES, types.int64, types.float32[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def box_distances(signal: Any, corner: Any, means: Any, whiten: Any, n_front: int, out: Any) -> None:
    """Write the distance of every voxel of a box from the nearest foreground model into `out` (Z', Y', X')."""
    part = np.empty((signal.shape[0] + 2, out.shape[2]), np.float32)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            _row_distances(signal, z + corner[0], y + corner[1], corner[2], means, whiten, n_front, part, out[z, y])


@numba.njit(error_model="numpy")
def _restore_seeds(seeds: Any, likeness: Any, value: float) -> None:
    """Give the seeds the likeness of distance 0, over what computing their rows wrote there."""
    for s in range(seeds.shape[0]):
        likeness[seeds[s, 0], seeds[s, 1], seeds[s, 2]] = value


@numba.njit(
    types.Tuple((types.int64, types.int64))(
        SIGNAL, types.int64[::1], VECTORS, MATRICES, types.int64, types.int64[:, ::1], types.float64[::1],
        types.float64, types.int64, types.uint8[:, :, ::1], types.float32[:, :, ::1], types.int32[::1],
    ),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def flood(
    signal: Any,  # (T, Z, Y, X), the whole series
    corner: Any,  # (3,): where the box of `level` begins in it
    means: Any,  # (M, T): foreground models first
    whiten: Any,  # (M, T, T)
    n_front: int,
    seeds: Any,  # (S, 3): z, y, x within the box
    spacing_mm: Any,  # z, y, x
    max_radius_mm: float,  # from the nearest seed
    max_voxels: int,
    level: Any,  # (Z', Y', X'), filled with UNREACHED
    likeness: Any,  # (Z', Y', X'), written where reached
    order: Any,  # (N,): flat indices of reached voxels, in the order in which they were met
) -> tuple[int, int]:
    """Fill `level` and `likeness`; return the number of voxels met and the level at which the cap was reached.

    The second number is LEVELS if the flood ended by itself. `likeness` is log(distance + 0.3).
    """
    n_z, n_y, n_x = level.shape
    log_low = np.log(LOWEST)
    part = np.empty((signal.shape[0] + 2, PIECE), np.float32)
    known = np.zeros((n_z, n_y, (n_x + PIECE - 1) // PIECE), np.bool_)
    follow = np.empty(order.size, np.int32)  # linked list of voxels waiting at each level
    head = np.full(LEVELS, -1, np.int32)
    met, taken = 0, 0
    limit = max_radius_mm * max_radius_mm
    for s in range(seeds.shape[0]):
        z, y, x = seeds[s, 0], seeds[s, 1], seeds[s, 2]
        if level[z, y, x] == UNREACHED:
            level[z, y, x] = 0
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
                _restore_seeds(seeds, likeness, log_low)
                return met, now
            flat = order[slot]
            z, y, x = flat // (n_y * n_x), flat // n_x % n_y, flat % n_x
            for side in range(6):
                a = z + (1 if side == 0 else (-1 if side == 1 else 0))
                b = y + (1 if side == 2 else (-1 if side == 3 else 0))
                c = x + (1 if side == 4 else (-1 if side == 5 else 0))
                if a < 0 or b < 0 or c < 0 or a >= n_z or b >= n_y or c >= n_x or level[a, b, c] != UNREACHED:
                    continue
                piece = c // PIECE
                if not known[a, b, piece]:
                    known[a, b, piece] = True
                    start, end = piece * PIECE, min(n_x, (piece + 1) * PIECE)
                    _row_distances(
                        signal,
                        a + corner[0],
                        b + corner[1],
                        corner[2] + start,
                        means,
                        whiten,
                        n_front,
                        part,
                        likeness[a, b, start:end],
                    )
                near = np.inf
                for s in range(seeds.shape[0]):
                    dz = (a - seeds[s, 0]) * spacing_mm[0]
                    dy = (b - seeds[s, 1]) * spacing_mm[1]
                    dx = (c - seeds[s, 2]) * spacing_mm[2]
                    near = min(near, dz * dz + dy * dy + dx * dx)
                distance = likeness[a, b, c]
                if near > limit or distance - distance != 0.0:  # too far, not finite, nearer to a background seed
                    level[a, b, c] = BLOCKED
                    continue
                distance = min(max(distance, np.float32(1e-6)), np.float32(HIGHEST))
                own = int(np.ceil((np.log(distance) - log_low) / LOG_STEP))
                reach = min(max(own, now), LEVELS - 1)
                level[a, b, c] = reach
                likeness[a, b, c] = np.log(distance + np.float32(LOWEST))
                order[met] = (a * n_y + b) * n_x + c
                follow[met] = head[reach]
                head[reach] = met
                met += 1
    _restore_seeds(seeds, likeness, log_low)
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
