"""What lies under the crosshair: the enhancement curve of a voxel and of its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.kinetics.descriptive import curve_type, relative_enhancement
from spinekit.quantities import CURVE_TYPES

__all__ = ["Probe", "Under"]

REACH = 1  # voxels to each side, within the slice


@dataclass(frozen=True)
class Under:
    """Relative enhancement (T,) of a voxel and of the mean of the voxels around it in the slice; NaN without baseline.

    ``signal`` is the voxel's signal (T,), ``kind`` the curve type of the neighbourhood in a word.
    """

    ijk: tuple[int, int, int]
    voxel: Any
    neighbours: Any
    signal: Any
    kind: str


class Probe:
    """A place in a series, and the curves there.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(48, 48, 8))
    >>> probe = Probe(case.series, n_baseline=case.n_baseline)
    >>> probe.move(case.seed_ijk)
    >>> probe.under().voxel.shape == case.series.times_s.shape
    True
    """

    def __init__(self, series: DynamicSeries, *, n_baseline: int) -> None:
        self.series, self.n_baseline = series, n_baseline
        self.place: tuple[int, int, int] | None = None

    def move(self, ijk: Any) -> None:
        """Go to a voxel; None, or a place outside the image, is nowhere."""
        place = None if ijk is None else (int(ijk[0]), int(ijk[1]), int(ijk[2]))
        self.place = place if place is not None and self.series.geometry.contains(place) else None

    def under(self) -> Under | None:
        """Return the curves at the place; None where there is none."""
        return None if self.place is None else self.at(self.place)

    def at(self, ijk: tuple[int, int, int]) -> Under:
        """Return the curves at a voxel inside the image."""
        i, j, k = ijk
        signal = self.series.signal
        own = np.asarray(signal[:, k, j, i], dtype=np.float64)
        rows, columns = slice(max(0, j - REACH), j + REACH + 1), slice(max(0, i - REACH), i + REACH + 1)
        near = np.asarray(signal[:, k, rows, columns], dtype=np.float64).reshape(len(own), -1).mean(axis=1)
        n, times = self.n_baseline, self.series.times_s
        kind = curve_type(near, times, n_baseline=n, bat_s=float(times[n - 1])) if np.isfinite(near).all() else np.nan
        return Under(
            ijk=ijk,
            voxel=relative_enhancement(own, n_baseline=n),
            neighbours=relative_enhancement(near, n_baseline=n),
            signal=own,
            kind=CURVE_TYPES[int(kind)] if np.isfinite(kind) else "no uptake",
        )
