"""Compiled: weighted sums of slabs, the inner loop of interpolation along one axis."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["combined"]

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
