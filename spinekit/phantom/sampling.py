"""Sample points inside voxels, frames in the patient, and painting shapes onto labels.

A voxel of several millimetres holds more than one tissue. Each slice is therefore labelled at
``sub`` points along each axis of every voxel, and the labels are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.geometry import Geometry

__all__ = ["PATIENT", "Frame", "Samples", "rotated"]

Box = tuple[slice, slice, slice]


def rotated(*, pitch_deg: float = 0.0, yaw_deg: float = 0.0, roll_deg: float = 0.0) -> Any:
    """Return the unit vectors left, posterior, superior (as rows) of a frame turned in the patient.

    Parameters
    ----------
    pitch_deg : float
        Turn in the sagittal plane; positive leans the upper end forward.
    yaw_deg : float
        Turn in the coronal plane; positive leans the upper end to the left.
    roll_deg : float
        Turn about the long axis.

    Examples
    --------
    >>> rotated(pitch_deg=90.0)[2].round(6).tolist()  # superior now points forward
    [0.0, -1.0, 0.0]
    """
    a, b, c = np.deg2rad([pitch_deg, yaw_deg, roll_deg])
    pitch = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    yaw = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    roll = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return roll @ pitch @ yaw


@dataclass(frozen=True)
class Frame:
    """A place and three directions: where a vertebra lies and which way it looks.

    ``centre`` is in LPS mm; the rows of ``axes`` are its left, posterior and superior.
    """

    centre: Any
    axes: Any

    def to_patient(self, left: float, posterior: float, superior: float) -> Any:
        """Return the LPS position in mm of a local point."""
        return np.asarray(self.centre) + np.asarray([left, posterior, superior]) @ np.asarray(self.axes)


PATIENT = Frame(np.zeros(3), np.eye(3))


class Samples:
    """The sample points of one slice of a grid, as an array of ``(sub_z, Y * sub_y, X * sub_x)`` points.

    Parameters
    ----------
    geometry : Geometry
        The image's grid.
    k : int
        Slice.
    sub : tuple of int
        Points per voxel along (x, y, z); (1, 1, 1) samples the voxel centres.
    """

    def __init__(self, geometry: Geometry, k: int, *, sub: tuple[int, int, int] = (1, 1, 1)) -> None:
        counts = np.asarray([geometry.size[0] * sub[0], geometry.size[1] * sub[1], sub[2]])
        self.sub = sub
        self.shape = (int(counts[2]), int(counts[1]), int(counts[0]))
        scale = 1.0 / np.asarray(sub, dtype=np.float64)
        first = 0.5 * scale - 0.5 + np.array([0.0, 0.0, k])
        self.step = geometry.matrix[:3, :3] * scale  # columns: mm per sample along i, j, k
        self.start = geometry.index_to_mm(first)
        self.whole: Box = tuple(slice(0, n) for n in self.shape)  # type: ignore[assignment]

    @property
    def z_range(self) -> tuple[float, float]:
        """Lowest and highest z (LPS mm) of the points."""
        ends = np.stack([np.zeros(3), self.step[2] * (np.asarray(self.shape[::-1]) - 1)])
        reach = ends.min(axis=0).sum(), ends.max(axis=0).sum()
        return float(self.start[2] + reach[0]), float(self.start[2] + reach[1])

    def box(self, frame: Frame, low: Any, high: Any) -> Box | None:
        """Return the part of the array that can hold the local box from `low` to `high` (mm), or None."""
        corners = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=np.float64)
        local = np.asarray(low) + corners * (np.asarray(high) - np.asarray(low))
        points = local @ np.asarray(frame.axes) + np.asarray(frame.centre)
        index = np.linalg.solve(self.step, (points - self.start).T).T
        first = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
        last = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, self.shape[::-1])
        if (first >= last).any():
            return None
        return tuple(slice(int(a), int(b)) for a, b in zip(first[::-1], last[::-1], strict=True))  # type: ignore[return-value]

    def local(self, frame: Frame, box: Box | None = None) -> tuple[Any, Any, Any]:
        """Return left, posterior, superior (mm, float32) of the points of a box in a frame.

        Each array has length 1 along the axes it does not depend on, which keeps upright frames cheap.
        """
        part = self.whole if box is None else box
        axes = np.asarray(frame.axes, dtype=np.float64)
        slopes, offsets = axes @ self.step, axes @ (self.start - np.asarray(frame.centre))
        k, j, i = (np.arange(s.start, s.stop, dtype=np.float64) for s in part)
        lines = (i[None, None, :], j[None, :, None], k[:, None, None])
        result = []
        for row, offset in zip(slopes, offsets, strict=True):
            value = np.full((1, 1, 1), offset)
            for slope, line in zip(row, lines, strict=True):
                if abs(slope) > 1e-9:
                    value = value + slope * line
            result.append(value.astype(np.float32))
        return result[0], result[1], result[2]

    def fractions(self, labels: Any, n_labels: int) -> Any:
        """Return the share of each label in each voxel of the slice, float32 of shape (Y, X, n_labels)."""
        from spinekit.phantom.compiled import count_labels

        sx, sy, _ = self.sub
        shares = np.empty((self.shape[1] // sy, self.shape[2] // sx, n_labels), dtype=np.float32)
        count_labels(labels, sx, sy, shares)
        return shares
