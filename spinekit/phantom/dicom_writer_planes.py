"""The images of a dynamic series before they become DICOM: one plane per phase and position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = ["Plane", "planes_of", "quantised", "step_of"]

TEN_O_CLOCK_S = 36_000.0
SMALLEST_STEP = 2.0**-13  # a decimal string of 16 characters holds no smaller power of two
SHARE_OF_PHASE = 0.9  # slices of a phase are acquired one after the other, with a pause before the next phase


@dataclass(frozen=True)
class Plane:
    """One image: where it lies, when it was taken, and its values in the scanner's units.

    Attributes
    ----------
    phase, z : int
        Counted from 0.
    values : ndarray of shape (rows, columns), float64
        Multiples of `step_of` the series.
    position : tuple of float
        LPS mm of the first pixel.
    orientation : tuple of float
        Cosines of the rows, then of the columns.
    spacing : tuple of float
        Between columns (x), between rows (y), mm.
    clock_s : float
        Time of day at which the phase began.
    lag_s : float
        How much later this slice was taken, where slices carry times of their own.
    series, study, frame_of_reference, patient : int
        Which of several; 0 is the one that is written without defects.
    copy : int
        Tells a second image of the same phase and position apart.
    slope : float, optional
        In place of the slope of the flavour.
    tags : mapping of str to object
        DICOM keywords that replace those of the flavour; None leaves one out.
    """

    phase: int
    z: int
    values: NDArray[np.float64]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    thickness_mm: float
    clock_s: float
    lag_s: float = 0.0
    series: int = 0
    study: int = 0
    frame_of_reference: int = 0
    patient: int = 0
    copy: int = 0
    slope: float | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", MappingProxyType(dict(self.tags)))


def step_of(series: DynamicSeries) -> float:
    """Return the distance between neighbouring stored values: 1 for whole numbers, else a power of two."""
    largest = float(np.abs(series.signal).max())
    if largest <= 32767 and bool((series.signal == np.round(series.signal)).all()):
        return 1.0
    return max(SMALLEST_STEP, float(2.0 ** np.ceil(np.log2(max(largest, SMALLEST_STEP) / 32767))))


def quantised(series: DynamicSeries) -> NDArray[np.float32]:
    """Return the signal (T, Z, Y, X) as integers of 16 bits can hold it: what a reader should get back.

    Parameters
    ----------
    series : DynamicSeries
        Finite.

    Returns
    -------
    ndarray of shape (T, Z, Y, X), float32
        Rounded to multiples of a power of two; unchanged where it holds whole numbers.

    Examples
    --------
    >>> from spinekit.case import DynamicSeries
    >>> from spinekit.geometry import Geometry
    >>> series = DynamicSeries([[[[1.0, 7.0]]], [[[2.0, 9.0]]]], [0, 30], Geometry((2, 1, 1), (1, 1, 1)), "times_s")
    >>> quantised(series)[1].tolist()
    [[[2.0, 9.0]]]
    """
    step = step_of(series)
    return np.asarray(np.round(series.signal.astype(np.float64) / step) * step, dtype=np.float32)


def planes_of(series: DynamicSeries) -> list[Plane]:
    """Return the planes of a series, phase by phase."""
    grid = series.geometry
    axes = np.asarray(grid.direction)
    orientation = (*map(float, axes[:, 0]), *map(float, axes[:, 1]))
    values = quantised(series).astype(np.float64)
    n_phases, n_slices = values.shape[:2]
    pause = float(np.diff(series.times_s).min()) if n_phases > 1 else 1.0
    return [
        Plane(
            phase=t,
            z=z,
            values=values[t, z],
            position=tuple(float(v) for v in grid.index_to_mm((0, 0, z))),
            orientation=orientation,
            spacing=(grid.spacing_mm[0], grid.spacing_mm[1]),
            thickness_mm=grid.spacing_mm[2],
            clock_s=TEN_O_CLOCK_S + float(series.times_s[t]),
            lag_s=SHARE_OF_PHASE * pause * z / n_slices,
        )
        for t in range(n_phases)
        for z in range(n_slices)
    ]
