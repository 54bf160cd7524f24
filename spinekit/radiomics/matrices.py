"""Texture matrices for pyradiomics' own classes, counted by compiled kernels in its stead.

The functions have the names, arguments and results of pyradiomics' compiled module, so that its classes go on with
the matrices as if they were its own. The counts are whole numbers, hence the same; what the kernels do not cover
(other distances, force2D) is left to pyradiomics.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTED", "Counting"]

COUNTED = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")


class _Padded:
    """Grey levels (zero outside the region) with a layer of zeros around, flat; the region's voxels; steps."""

    def __init__(self, levels: NDArray[Any]) -> None:
        padded = np.zeros([n + 2 for n in levels.shape], dtype=np.int32)
        padded[1:-1, 1:-1, 1:-1] = levels
        self.flat = padded.ravel()
        self.inside = np.flatnonzero(self.flat)
        self._strides = (padded.shape[1] * padded.shape[2], padded.shape[2], 1)
        self._size = np.array(levels.shape)

    def angles(self, *, both_ways: bool) -> NDArray[np.int64]:
        """Return pyradiomics' directions, (z, y, x), in its order."""
        from radiomics import cMatrices

        return np.asarray(cMatrices.generate_angles(self._size, np.array([1]), int(both_ways), 0, 0), dtype=np.int64)

    def steps(self, angles: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.ascontiguousarray(angles @ np.array(self._strides, dtype=np.int64))


_LAST: list[tuple[Any, _Padded]] = []


def _padded(levels: NDArray[Any]) -> _Padded:
    """Return the padded levels; the families of one image, which come one after another, share them."""
    for known, padded in _LAST:
        if known is levels:
            return padded
    padded = _Padded(levels)
    _LAST[:] = [(levels, padded)]
    return padded


class Counting:
    """Stands in for pyradiomics' compiled module ``cMatrices``."""

    @staticmethod
    def calculate_glcm(levels: Any, mask: Any, distances: Any, n_levels: int, flat: bool, axis: int) -> Any:
        """Return co-occurrences, shape (1, N_g, N_g, directions), and the directions."""
        from radiomics import cMatrices

        if flat or list(distances) != [1]:
            return cMatrices.calculate_glcm(levels, mask, distances, n_levels, flat, axis)
        from spinekit.radiomics.matrix_kernels import co_occurrences

        padded = _padded(levels)
        angles = padded.angles(both_ways=False)
        return co_occurrences(padded.flat, padded.inside, padded.steps(angles), n_levels)[None], angles

    @staticmethod
    def calculate_glrlm(levels: Any, mask: Any, n_levels: int, longest: int, flat: bool, axis: int) -> Any:
        """Return runs, shape (1, N_g, N_r, directions), and the directions."""
        from radiomics import cMatrices

        if flat:
            return cMatrices.calculate_glrlm(levels, mask, n_levels, longest, flat, axis)
        from spinekit.radiomics.matrix_kernels import runs

        padded = _padded(levels)
        angles = padded.angles(both_ways=False)
        counts = runs(padded.flat, padded.inside, padded.steps(angles), n_levels, longest)
        for n, angle in enumerate(angles):
            if not counts[:, 1:, n].any() and not _some_line_holds_two(mask, angle):
                counts[:, :, n] = 0.0  # pyradiomics calls such a direction empty
        return counts[None], angles

    @staticmethod
    def calculate_glszm(levels: Any, mask: Any, n_levels: int, n_voxels: int, flat: bool, axis: int) -> Any:
        """Return zones by level and size, shape (1, N_g, largest size)."""
        from radiomics import cMatrices

        if flat:
            return cMatrices.calculate_glszm(levels, mask, n_levels, n_voxels, flat, axis)
        from spinekit.radiomics.matrix_kernels import zones

        padded = _padded(levels)
        found = zones(padded.flat, padded.inside, padded.steps(padded.angles(both_ways=True)))
        counts = np.zeros((1, n_levels, int(found[:, 1].max())))
        np.add.at(counts[0], (found[:, 0] - 1, found[:, 1] - 1), 1.0)
        return counts

    @staticmethod
    def calculate_gldm(
        levels: Any, mask: Any, distances: Any, n_levels: int, tolerance: float, flat: bool, axis: int
    ) -> Any:
        """Return voxels by level and number of like neighbours, shape (1, N_g, neighbours + 1)."""
        from radiomics import cMatrices

        if flat or list(distances) != [1]:
            return cMatrices.calculate_gldm(levels, mask, distances, n_levels, tolerance, flat, axis)
        from spinekit.radiomics.matrix_kernels import dependences

        padded = _padded(levels)
        around = padded.steps(padded.angles(both_ways=True))
        return dependences(padded.flat, padded.inside, around, n_levels, int(np.floor(tolerance)))[None]

    @staticmethod
    def calculate_ngtdm(levels: Any, mask: Any, distances: Any, n_levels: int, flat: bool, axis: int) -> Any:
        """Return number, summed difference and level, shape (1, N_g, 3)."""
        from radiomics import cMatrices

        if flat or list(distances) != [1]:
            return cMatrices.calculate_ngtdm(levels, mask, distances, n_levels, flat, axis)
        from spinekit.radiomics.matrix_kernels import tone_differences

        padded = _padded(levels)
        around = padded.steps(padded.angles(both_ways=True))
        return tone_differences(padded.flat, padded.inside, around, n_levels)[None]


def _some_line_holds_two(mask: NDArray[np.bool_], angle: NDArray[np.int64]) -> bool:
    """Return whether two voxels of the region lie on one line along `angle`, with or without a gap between them."""
    points = np.argwhere(mask)
    along = np.flatnonzero(angle)[0]
    feet = points - np.outer(points[:, along] * angle[along], angle)  # each line's point at zero of that axis
    return bool(len(np.unique(feet, axis=0)) < len(feet))
