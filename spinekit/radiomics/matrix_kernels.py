"""Compiled: the counts of texture matrices, one pass over the voxels of a region.

Every kernel takes the grey levels of a box with one layer of zeros on each side, flattened, and the indices of
the region's voxels in it; zero means outside. A neighbour is then one addition away and needs no check of bounds.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["co_occurrences", "dependences", "runs", "tone_differences", "zones"]

LEVELS = types.Array(types.int32, 1, "C", readonly=True)
INDICES = types.Array(types.int64, 1, "C", readonly=True)
COUNTS = types.float64[:, :, ::1]


@numba.njit(COUNTS(LEVELS, INDICES, INDICES, types.int64), cache=True)
def co_occurrences(levels: Any, inside: Any, steps: Any, n_levels: int) -> Any:
    """Return how often level j lies one step from level i, shape (N_g, N_g, steps)."""
    counts = np.zeros((n_levels, n_levels, steps.size))
    for v in inside:
        here = levels[v] - 1
        for a in range(steps.size):
            there = levels[v + steps[a]]
            if there > 0:
                counts[here, there - 1, a] += 1.0
    return counts


@numba.njit(COUNTS(LEVELS, INDICES, INDICES, types.int64, types.int64), cache=True)
def runs(levels: Any, inside: Any, steps: Any, n_levels: int, longest: int) -> Any:
    """Return how many runs of each level and length there are along each step, shape (N_g, longest, steps).

    A direction in which no two voxels of the region are neighbours is left for the caller to look at.
    """
    counts = np.zeros((n_levels, longest, steps.size))
    for v in inside:
        here = levels[v]
        for a in range(steps.size):
            step = steps[a]
            if levels[v - step] != here:  # a run begins
                length, u = 0, v + step
                while levels[u] == here:
                    length += 1
                    u += step
                counts[here - 1, length, a] += 1.0
    return counts


@numba.njit(types.float64[:, ::1](LEVELS, INDICES, INDICES, types.int64, types.int32), cache=True)
def dependences(levels: Any, inside: Any, around: Any, n_levels: int, tolerance: int) -> Any:
    """Return how many voxels of each level have so many neighbours within `tolerance`, shape (N_g, around + 1)."""
    counts = np.zeros((n_levels, around.size + 1))
    for v in inside:
        here, alike = levels[v], 0
        for step in around:  # without branches, whose outcome no processor could guess
            there = levels[v + step]
            alike += int(there > 0) & int(there - here <= tolerance) & int(here - there <= tolerance)
        counts[here - 1, alike] += 1.0
    return counts


@numba.njit(types.float64[:, ::1](LEVELS, INDICES, INDICES, types.int64), cache=True)
def tone_differences(levels: Any, inside: Any, around: Any, n_levels: int) -> Any:
    """Return voxels, summed distance from the neighbours' mean, and level, shape (N_g, 3)."""
    table = np.zeros((n_levels, 3))
    for level in range(n_levels):
        table[level, 2] = level + 1.0
    for v in inside:
        here, total, n = levels[v], 0.0, 0.0
        for step in around:
            there = levels[v + step]
            if there > 0:
                total += there
                n += 1.0
        table[here - 1, 0] += 1.0
        if n > 0:
            table[here - 1, 1] += abs(here - total / n)
    return table


@numba.njit(types.int64[:, ::1](LEVELS, INDICES, INDICES), cache=True)
def zones(levels: Any, inside: Any, around: Any) -> Any:
    """Return level and size of every zone of connected voxels of one level, shape (zones, 2)."""
    left = levels.copy()
    stack = np.empty(inside.size, dtype=np.int64)
    found = np.empty((inside.size, 2), dtype=np.int64)
    n_zones = 0
    for v in inside:
        here = left[v]
        if here == 0:
            continue
        stack[0], depth, size = v, 1, 0
        left[v] = 0
        while depth > 0:
            depth -= 1
            u = stack[depth]
            size += 1
            for step in around:
                if left[u + step] == here:
                    left[u + step] = 0
                    stack[depth] = u + step
                    depth += 1
        found[n_zones, 0], found[n_zones, 1] = here, size
        n_zones += 1
    return found[:n_zones].copy()
