"""From our arrays to the page's and back: axis order, sides, bytes.

Images and drawings are handed over in the order R, A, S whatever the image's own order is, so that a drawing and
an image share one index, and a plane is drawn alike for every acquisition. NiiVue keeps its drawings so, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.geometry import Geometry
from spinekit.io.nifti import nifti_bytes

__all__ = ["Canvas"]

INT16_MAX, NO_VALUE = 32767, -32768


@dataclass(frozen=True)
class Canvas:
    """How a grid lies in the viewer.

    Parameters
    ----------
    geometry : Geometry
        The grid of the image shown.
    """

    geometry: Geometry

    @property
    def _order(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """Array axis (Z, Y, X order) that becomes S, A, R, and whether it is turned round."""
        along = self.geometry.anatomical_axes()
        direction = np.asarray(self.geometry.direction)
        axes, flips = [], []
        for anatomical in (2, 1, 0):  # S, A, R: the order of an array whose x runs fastest
            voxel = along.index(anatomical)
            rises = direction[anatomical, voxel] > 0  # towards L, P, S
            axes.append(2 - voxel)
            flips.append(rises != (anatomical == 2))  # R and A are opposite to L and P
        return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an array as the viewer holds it: S, A, R."""
        axes, _ = self._order
        size = self.geometry.shape_zyx
        return size[axes[0]], size[axes[1]], size[axes[2]]

    def to_viewer(self, values: Any) -> Any:
        """Turn an array (..., Z, Y, X) into the viewer's order (..., S, A, R)."""
        axes, flips = self._order
        lead = values.ndim - 3
        turned = np.transpose(values, (*range(lead), *(lead + a for a in axes)))
        turns: tuple[Any, ...] = (..., *(slice(None, None, -1 if f else 1) for f in flips))
        return turned[turns]

    def from_viewer(self, values: Any) -> Any:
        """Turn an array (S, A, R) of the viewer back into (Z, Y, X)."""
        axes, flips = self._order
        return np.transpose(values[tuple(slice(None, None, -1 if f else 1) for f in flips)], np.argsort(axes))

    def mask_from_bitmap(self, bitmap: Any, pen: int = 1) -> Any:
        """Return the mask of what a drawing holds in one pen value; the bitmap is flat, R running fastest."""
        return self.from_viewer(np.asarray(bitmap, dtype=np.uint8).reshape(self.shape)) == pen

    def affine_ras(self) -> Any:
        """Return the affine (4, 4) of the viewer's order, RAS mm."""
        axes, flips = self._order
        matrix = self.geometry.matrix.copy()
        turned = np.eye(4)
        size = self.geometry.size
        for column, (axis, flip) in enumerate(zip(axes[::-1], flips[::-1], strict=True)):
            voxel = 2 - axis
            sign = -1.0 if flip else 1.0
            turned[:3, column] = sign * matrix[:3, voxel]
            if flip:
                matrix[:3, 3] += matrix[:3, voxel] * (size[voxel] - 1)
        turned[:3, 3] = matrix[:3, 3]
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ turned

    def index_matrix(self) -> Any:
        """Return the affine (4, 4) from the viewer's index (r, a, s) to our voxel (i, j, k)."""
        flip = np.diag([-1.0, -1.0, 1.0, 1.0])
        matrix = np.linalg.inv(self.geometry.matrix) @ flip @ self.affine_ras()
        return np.round(matrix)  # a permutation, turned round and shifted by whole voxels

    def stored(self, values: Any, low: float, slope: float) -> Any:
        """Return values (Z, Y, X) as int16 in the viewer's order: low + slope * (stored + 32767); NaN is -32768."""
        turned = np.array(self.to_viewer(values), dtype=np.float32)
        turned -= low
        turned /= slope
        turned -= INT16_MAX
        finite = np.isfinite(turned)
        if not finite.all():
            turned[~finite] = NO_VALUE
        np.rint(turned, out=turned)
        return np.clip(turned, NO_VALUE, INT16_MAX, out=turned).astype(np.int16)

    def runs(self, labels: Any) -> Any:
        """Return what is labelled as runs (start, length, label) in the viewer's flat order, uint32 of shape (n, 3)."""
        flat = np.ascontiguousarray(self.to_viewer(np.asarray(labels, dtype=np.uint8))).ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts = np.concatenate([[0], edges])
        ends = np.concatenate([edges, [flat.size]])
        values = flat[starts]
        kept = values > 0
        return np.stack([starts[kept], (ends - starts)[kept], values[kept]], axis=1).astype(np.uint32)

    def nifti(self, values: Any) -> bytes:
        """Return an array (Z, Y, X) or (T, Z, Y, X) as the bytes of a NIfTI file in the viewer's order.

        Numbers are scaled to 16 bits, which is finer than any screen; NaN becomes the smallest value.
        """
        turned = self.to_viewer(np.asarray(values, dtype=np.float32))
        finite = np.isfinite(turned)
        low = float(turned.min(initial=np.inf, where=finite)) if finite.any() else 0.0
        high = float(turned.max(initial=-np.inf, where=finite)) if finite.any() else 1.0
        slope = (high - low) / (2 * INT16_MAX) or 1.0
        scaled = np.where(finite, turned, low)
        scaled -= low
        scaled /= slope
        scaled -= INT16_MAX
        scaled = np.rint(scaled, out=scaled).astype(np.int16)
        return nifti_bytes(scaled.T, self.affine_ras(), slope=slope, intercept=low + INT16_MAX * slope)
