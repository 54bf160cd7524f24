"""Which way round a slice is shown: radiological, with letters, in millimetres.

Axial: the patient's right is on the left of the picture, anterior at the top. Sagittal: anterior on the
left, superior at the top. Coronal: right on the left, superior at the top. An oblique grid is shown in
its own planes, each under the name of the anatomical plane it is nearest to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry

__all__ = ["PLANES", "View", "native_plane", "view_of"]

PLANES = ("axial", "sagittal", "coronal")
# per plane: anatomical axis (0 L, 1 P, 2 S) of the normal, of the columns and of the rows; sign of rows
NORMAL = {"axial": 2, "sagittal": 0, "coronal": 1}
COLUMNS = {"axial": 0, "sagittal": 1, "coronal": 0}  # towards L, P, L: all positive in LPS
ROWS = {"axial": (1, 1), "sagittal": (2, -1), "coronal": (2, -1)}  # rows go down: towards P, towards I
LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
OBLIQUE_DEG = 10.0


@dataclass(frozen=True)
class View:
    """How slices of a grid across one voxel axis are turned for display."""

    plane: str
    axis: int  # array axis (0 z, 1 y, 2 x) across which the slice is cut
    transposed: bool
    flip_rows: bool
    flip_columns: bool
    spacing_mm: tuple[float, float]  # rows, columns
    letters: tuple[str, str, str, str]  # left, right, top, bottom
    oblique: bool

    def pixels(self, values: Any, index: int) -> Any:
        """Return slice `index` of an array (Z, Y, X) as it is shown, row 0 at the top."""
        flat = np.take(values, index, axis=self.axis)
        flat = flat.T if self.transposed else flat
        flat = flat[::-1] if self.flip_rows else flat
        return flat[:, ::-1] if self.flip_columns else flat

    def place(self, zyx: Sequence[float], shape_zyx: Sequence[int]) -> tuple[float, float]:
        """Return (row, column) in the shown slice of a voxel given in array order."""
        first, second = (a for a in range(3) if a != self.axis)
        rows, columns = (second, first) if self.transposed else (first, second)
        row, column = float(zyx[rows]), float(zyx[columns])
        row = shape_zyx[rows] - 1 - row if self.flip_rows else row
        column = shape_zyx[columns] - 1 - column if self.flip_columns else column
        return row, column

    def extent_mm(self, shape: Sequence[int]) -> tuple[float, float, float, float]:
        """Return matplotlib's extent (left, right, bottom, top) of a shown slice, mm."""
        height, width = shape[0] * self.spacing_mm[0], shape[1] * self.spacing_mm[1]
        return 0.0, width, height, 0.0


def native_plane(geometry: Geometry) -> str:
    """Return the name of the plane in which the slices were acquired: across the voxel axis k."""
    along = geometry.anatomical_axes()[2]
    return next(plane for plane, normal in NORMAL.items() if normal == along)


def view_of(geometry: Geometry, plane: str | None = None) -> View:
    """Return how slices of a grid are shown in a plane; the acquired plane if none is named.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for a plane that is not in `PLANES`.
    """
    plane = plane or native_plane(geometry)
    if plane not in PLANES:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The plane '{plane}' was asked for.",
            expected=f"One of {', '.join(PLANES)}.",
            cause="The name may be misspelt.",
            cure="Correct it.",
        )
    axes = geometry.anatomical_axes()
    matrix = np.asarray(geometry.direction)
    voxel = {anatomical: v for v, anatomical in enumerate(axes)}
    sign = {anatomical: float(np.sign(matrix[anatomical, v])) for anatomical, v in voxel.items()}
    row_axis, row_sign = ROWS[plane]
    column_axis = COLUMNS[plane]
    array_axis = {anatomical: 2 - v for anatomical, v in voxel.items()}
    top, bottom = LETTERS[row_axis] if row_sign > 0 else LETTERS[row_axis][::-1]
    left, right = LETTERS[column_axis]
    spacing = geometry.spacing_mm
    tilt = np.degrees(np.arccos(np.clip(min(abs(matrix[a, v]) for a, v in voxel.items()), 0.0, 1.0)))
    return View(
        plane,
        array_axis[NORMAL[plane]],
        array_axis[row_axis] > array_axis[column_axis],
        sign[row_axis] != row_sign,
        sign[column_axis] < 0,
        (spacing[voxel[row_axis]], spacing[voxel[column_axis]]),
        (left, right, top, bottom),
        bool(tilt > OBLIQUE_DEG),
    )
