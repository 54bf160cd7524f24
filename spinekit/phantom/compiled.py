"""Compiled: what a simulated case spends its time on, the displaced image and the shares of tissues in voxels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["count_labels", "spline_image"]

IMAGE, POSES = types.Array(types.float32, 3, "C", readonly=True), types.float64[::1]


@numba.njit(error_model="numpy", inline="always")
def _cubic(r: float) -> tuple[float, float, float, float]:
    """Return the weights of a cubic B-spline for the four samples around a place `r` (0 to 1) after the second."""
    s = 1.0 - r
    return s * s * s / 6.0, 2 / 3 - r * r * (2.0 - r) / 2.0, 2 / 3 - s * s * (2.0 - s) / 2.0, r * r * r / 6.0


@numba.njit(
    types.void(IMAGE, types.float64[:, ::1], POSES, types.float32[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"},
)  # fmt: skip
def spline_image(coefficients: Any, matrix: Any, offset: Any, out: Any) -> None:
    """Write the cubic spline at matrix @ index + offset for each index (z, y, x) of `out`; the edge voxel goes on.

    The same sums as scipy's affine_transform of order 3 with mode "nearest", a third of its time.
    """
    n_z, n_y, n_x = coefficients.shape
    z_at, y_at = np.empty(4, np.int64), np.empty(4, np.int64)
    z_weight, y_weight = np.empty(4), np.empty(4)
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                z = min(max(matrix[0, 0] * k + matrix[0, 1] * j + matrix[0, 2] * i + offset[0], 0.0), n_z - 1.0)
                y = min(max(matrix[1, 0] * k + matrix[1, 1] * j + matrix[1, 2] * i + offset[1], 0.0), n_y - 1.0)
                x = min(max(matrix[2, 0] * k + matrix[2, 1] * j + matrix[2, 2] * i + offset[2], 0.0), n_x - 1.0)
                kz, jy, ix = int(z), int(y), int(x)
                z_weight[0], z_weight[1], z_weight[2], z_weight[3] = _cubic(z - kz)
                y_weight[0], y_weight[1], y_weight[2], y_weight[3] = _cubic(y - jy)
                a, b, c, d = _cubic(x - ix)
                for n in range(4):
                    z_at[n] = min(max(kz - 1 + n, 0), n_z - 1)
                    y_at[n] = min(max(jy - 1 + n, 0), n_y - 1)
                before, after, far = max(ix - 1, 0), min(ix + 1, n_x - 1), min(ix + 2, n_x - 1)
                total = 0.0
                for m in range(4):
                    plane = coefficients[z_at[m]]
                    sheet = 0.0
                    for n in range(4):
                        row = plane[y_at[n]]
                        sheet += y_weight[n] * (a * row[before] + b * row[ix] + c * row[after] + d * row[far])
                    total += z_weight[m] * sheet
                out[k, j, i] = total


@numba.njit(
    types.void(types.Array(types.uint8, 3, "C", readonly=True), types.int64, types.int64, types.float32[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def count_labels(labels: Any, sub_x: int, sub_y: int, out: Any) -> None:
    """Write the share of each label among the sample points of each voxel, (Y, X, L), from labels (Z, Y, X)."""
    n_z, n_y, n_x = labels.shape
    out[:] = 0.0
    for k in range(n_z):
        for j in range(n_y):
            for i in range(n_x):
                out[j // sub_y, i // sub_x, labels[k, j, i]] += 1.0
    points = np.float32(n_z * sub_x * sub_y)
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            for label in range(out.shape[2]):
                out[j, i, label] /= points
