"""Compiled: the recursion of spline coefficients and weighted sums of slabs, the inner loops along one axis."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["combined", "recursed"]

SLABS = types.Array(types.float64, 2, "C", readonly=True)
INDEX = types.Array(types.int64, 2, "C", readonly=True)


@numba.njit(types.float64[:, ::1](SLABS, INDEX, SLABS), cache=True)
def combined(slabs: Any, index: Any, weight: Any) -> Any:
    """Return, for each row of four indices and weights, the weighted sum of four slabs, shape (rows, M).

    Added from left to right, so that the last bit does not hang on the machine.
    """
    n, width = index.shape[0], slabs.shape[1]
    out = np.empty((n, width))
    for row in range(n):
        a, b = slabs[index[row, 0]], slabs[index[row, 1]]
        c, d = slabs[index[row, 2]], slabs[index[row, 3]]
        wa, wb, wc, wd = weight[row, 0], weight[row, 1], weight[row, 2], weight[row, 3]
        line = out[row]
        for m in range(width):
            line[m] = ((wa * a[m] + wb * b[m]) + wc * c[m]) + wd * d[m]
    return out


@numba.njit(types.float64[:, ::1](SLABS, types.float64, types.float64, types.float64[::1]), cache=True)
def recursed(values: Any, pole: float, gain: float, weights: Any) -> Any:
    """Return the spline coefficients of values of shape (N, M) along the first axis, N of 2 or more.

    Forwards, then backwards, from a first coefficient that is the weighted sum of the leading rows.
    """
    n, width = values.shape
    c = np.empty((n, width))
    for k in range(n):
        for m in range(width):
            c[k, m] = values[k, m] * gain
    first = np.zeros(width)
    for k in range(weights.size):
        for m in range(width):
            first[m] += weights[k] * c[k, m]
    c[0] = first
    for k in range(1, n):
        for m in range(width):
            c[k, m] += pole * c[k - 1, m]
    last = pole / (pole * pole - 1.0)
    for m in range(width):
        c[n - 1, m] = last * (pole * c[n - 2, m] + c[n - 1, m])
    for k in range(n - 2, -1, -1):
        for m in range(width):
            c[k, m] = pole * (c[k + 1, m] - c[k, m])
    return c
