"""The grid a network works on, and the way of an array onto it and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinekit.geometry import Geometry, resample_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIMIT", "network_grid", "onto_grid"]

LIMIT = 6.0  # ours: vessels reach about 5; what lies beyond is an artefact and is clipped


def network_grid(
    geometry: Geometry, spacing_mm: tuple[float, float, float] | None = None, *, coarser: bool = False
) -> Geometry:
    """Return the grid a network works on: axes turned and flipped to lie nearest to L, P, S.

    Parameters
    ----------
    geometry : Geometry
        Grid of the series, in any orientation.
    spacing_mm : tuple of float, optional
        Spacing wanted along the turned (x, y, z); never coarser than the series, since a region must
        come back as it went. Without it only the order of the voxels changes: the way back is exact.
    coarser : bool
        Take `spacing_mm` as it is, also where the series is finer: for probabilities, not for masks.

    Returns
    -------
    Geometry
        Covers the series' field of view, its centre on the same point.

    Examples
    --------
    >>> sagittal = Geometry((40, 50, 9), (1.0, 1.0, 4.0), direction=((0, 0, 1), (1, 0, 0), (0, -1, 0)))
    >>> sagittal.axis_names(), network_grid(sagittal).axis_names(), network_grid(sagittal).size
    ('PIL', 'LPS', (9, 40, 50))
    """
    home = geometry.anatomical_axes()
    order = [home.index(axis) for axis in range(3)]
    columns = np.asarray(geometry.direction)[:, order]
    signs = np.where(np.diag(columns) < 0, -1.0, 1.0)
    old_size, old_spacing = np.asarray(geometry.size)[order], np.asarray(geometry.spacing_mm)[order]
    limit = np.inf if coarser else old_spacing
    spacing = old_spacing if spacing_mm is None else np.minimum(limit, spacing_mm)
    size = old_size if spacing_mm is None else np.ceil(np.round(old_size * old_spacing / spacing, 6)).astype(int)
    direction = columns * signs
    centre = geometry.index_to_mm((np.asarray(geometry.size) - 1) / 2)
    origin = centre - direction @ (spacing * (size - 1) / 2)
    a, b, c = (tuple(row) for row in direction.tolist())
    return Geometry(tuple(size.tolist()), tuple(spacing.tolist()), tuple(origin.tolist()), (a, b, c))


def onto_grid(values: NDArray[np.float32], source: Geometry, target: Geometry) -> NDArray[np.float32]:
    """Return finite values, clipped to ± `LIMIT`, on another grid by linear interpolation; 0 outside the source."""
    clean = np.clip(np.nan_to_num(values, nan=0.0, posinf=LIMIT, neginf=-LIMIT), -LIMIT, LIMIT)
    return np.asarray(resample_array(clean, source, target, interpolation="linear", outside=0.0), dtype=np.float32)
