"""Interpolation on the grid of pyradiomics: the numbers of ITK, from a crop, axis by axis.

ITK computes spline coefficients of the whole image and 64 products per voxel. A spline's
coefficient depends on voxels n away by 0.268^n, so that a margin of 24 voxels is as good as the
image to 2e-14; and on an upright grid the three axes can be taken one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.geometry import Geometry
from spinekit.radiomics.regions import filled_values
from spinekit.radiomics.sampling_kernels import combined, recursed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["positions_on", "sample"]

POLE = np.sqrt(3.0) - 2.0  # of the cubic B-spline
HORIZON = 18  # samples that ITK sums for the first coefficient: 0.268^18 is its tolerance of 1e-10
MARGIN_VOXEL = 24


def positions_on(geometry: Geometry, grid: Geometry) -> list[NDArray[np.float64]]:
    """Return the positions of the voxels of `grid` in voxels of `geometry`, along (z, y, x); the axes must agree."""
    first = geometry.mm_to_index(grid.origin_mm)[::-1]
    step = np.asarray(grid.spacing_zyx_mm) / np.asarray(geometry.spacing_zyx_mm)
    return [first[axis] + step[axis] * np.arange(grid.shape_zyx[axis]) for axis in range(3)]


def _coefficients_along_first(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cubic B-spline coefficients along axis 0 of an array ``(N, ...)``, as ITK's recursion gives them."""
    n = len(values)
    if n == 1:
        return values
    powers = POLE ** np.arange(min(n, HORIZON))
    if n > HORIZON:
        weights = powers
    else:  # the sum over the mirrored signal, in closed form
        mirrored = POLE ** (2.0 * (n - 1) - np.arange(n))
        both = powers + np.where((np.arange(n) == 0) | (np.arange(n) == n - 1), 0.0, mirrored)
        weights = both / (1.0 - POLE ** (2 * (n - 1)))
    gain = (1.0 - POLE) * (1.0 - 1.0 / POLE)
    return np.asarray(recursed(values.reshape(n, -1), POLE, gain, weights).reshape(values.shape))


def _taps(positions: NDArray[np.float64], n: int) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Return index and weight of the four coefficients at each position; the signal is mirrored at its ends."""
    whole = np.floor(positions).astype(int)
    t = positions - np.floor(positions)
    last = t**3 / 6.0
    first = 1.0 / 6.0 + 0.5 * t * (t - 1.0) - last
    third = t + first - 2.0 * last
    inside = (positions >= -0.5) & (positions < n - 0.5)  # beyond, ITK's value is zero
    taps = []
    for k, weight in enumerate((first, 1.0 - first - third - last, third, last)):
        index = np.abs(whole + k - 1) if n > 1 else np.zeros_like(whole)
        index = np.where(index > n - 1, 2 * (n - 1) - index, index)
        taps.append((np.clip(index, 0, n - 1), np.where(inside, weight, 0.0)))
    return taps


def sample(values: NDArray[Any], geometry: Geometry, grid: Geometry) -> NDArray[Any]:
    """Return an image of floating-point numbers on another grid by cubic B-spline, as ITK's resampling gives it.

    Parameters
    ----------
    values : ndarray of float, shape (Z, Y, X)
        Image on `geometry`. A NaN or infinite voxel counts as its nearest finite neighbour.
    geometry, grid : Geometry
        Grids with the same axes.

    Returns
    -------
    ndarray of the dtype of `values`, of the shape of `grid`
        0 where a voxel's centre lies outside the image.

    References
    ----------
    .. [1] Unser M. Splines: a perfect fit for signal and image processing. IEEE Signal Process Mag
       1999;16:22-38 (doi 10.1109/79.799930).
    """
    where = positions_on(geometry, grid)
    crop = []
    for axis, n in enumerate(values.shape):
        low = min(max(int(np.floor(where[axis][0])) - MARGIN_VOXEL, 0), n - 1)
        crop.append(slice(low, max(min(int(np.ceil(where[axis][-1])) + MARGIN_VOXEL + 1, n), low + 1)))
    result = filled_values(values[tuple(crop)]).astype(np.float64)
    for axis in range(3):
        # sums of scaled slabs rather than a matrix product, which a threaded library may add up in any order
        slabs = _coefficients_along_first(np.ascontiguousarray(np.moveaxis(result, axis, 0)))
        taps = _taps(where[axis], values.shape[axis])
        index = np.stack([np.clip(near - crop[axis].start, 0, len(slabs) - 1) for near, _ in taps], axis=1)
        weight = np.stack([share for _, share in taps], axis=1)
        total = combined(slabs.reshape(len(slabs), -1), index.astype(np.int64), weight)
        result = np.moveaxis(total.reshape(len(total), *slabs.shape[1:]), 0, axis)
    return np.ascontiguousarray(result.astype(values.dtype))
