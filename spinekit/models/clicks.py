"""What a reader's click tells the network: three channels, all zero where nobody has clicked.

``near`` falls with the distance from the click, ``alike`` with the difference of the enhancement curve from that
around the click, and ``grown`` is the region that region growing finds from it. The curve is that of the series' own
phases, so a click also helps where a protocol covers none of the network's ten times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.models.grid import onto_grid
from spinekit.models.phases import signal_scale
from spinekit.models.working import coarse_series
from spinekit.segmentation import grow_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries
    from spinekit.models.inputs import NetworkInput

__all__ = ["CLICK_CHANNELS", "click_channels"]

CLICK_CHANNELS = ("click:near", "click:alike", "click:grown")
REACH_MM = 8.0  # SD of the fall with distance
TOLERANCE = 0.35  # of the curve around the click, for the fall with its difference


def click_channels(
    series: DynamicSeries, n_baseline: int, click: tuple[int, int, int], seen: NetworkInput
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the three channels of a click, and warnings.

    Parameters
    ----------
    series : DynamicSeries
        As it came.
    n_baseline : int
        Phases before contrast.
    click : tuple of int
        Voxel (i, j, k) of the series inside the lesion.
    seen : NetworkInput
        From `spinekit.models.working.working_input`.

    Returns
    -------
    channels : ndarray of shape (3, Z, Y, X) of the network's grid, float32
        Between 0 and 1. Where region growing refuses, ``grown`` is zero and a warning says why.
    warnings : tuple of str

    Raises
    ------
    InputRefusedError
        ``seed-outside`` if the click lies outside the series.

    Examples
    --------
    >>> from spinekit.models.working import working_input
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(96, 96, 12))
    >>> seen = working_input(case.series, case.n_baseline)
    >>> channels, _ = click_channels(case.series, case.n_baseline, case.seed_ijk, seen)
    >>> channels.shape == (3, *seen.geometry.shape_zyx), float(channels.max()) <= 1.0
    (True, True)
    """
    _check(click, series)
    coarse = coarse_series(series)
    at_mm = series.geometry.index_to_mm(click)
    index = np.rint(coarse.geometry.mm_to_index(at_mm)).astype(int)
    i, j, k = (int(v) for v in np.clip(index, 0, np.asarray(coarse.geometry.size) - 1))
    alike = onto_grid(_likeness(coarse, n_baseline, (k, j, i)), coarse.geometry, seen.geometry)
    warnings: tuple[str, ...] = ()
    try:
        region = grow_region(coarse, [(i, j, k)], n_baseline=n_baseline)
        grown = onto_grid(region.mask.astype(np.float32), coarse.geometry, seen.geometry)
    except InputRefusedError as refused:
        grown = np.zeros_like(alike)
        warnings = (coded_warning("click-not-grown", f"No region grew from the click: {refused.message}"),)
    return np.stack([_nearness(seen, at_mm), alike, grown]), warnings


def _nearness(seen: NetworkInput, at_mm: Any) -> NDArray[np.float32]:
    x, y, z = seen.geometry.mm_to_index(at_mm)
    shape, spacing = seen.geometry.shape_zyx, seen.geometry.spacing_zyx_mm
    away = [
        ((np.arange(n) - centre) * step / REACH_MM) ** 2
        for n, centre, step in zip(shape, (z, y, x), spacing, strict=True)
    ]
    total = away[0][:, None, None] + away[1][None, :, None] + away[2][None, None, :]
    return np.exp(-0.5 * total).astype(np.float32)


def _likeness(series: DynamicSeries, n_baseline: int, zyx: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return exp(-d² / 2): d is the RMS difference of enhancement from that around the click, over its tolerance."""
    scale = np.float32(signal_scale(series, n_baseline))
    before = series.signal[:n_baseline].mean(axis=0)
    k, j, i = zyx
    box = (slice(max(k, 0), k + 1), slice(max(j - 1, 0), j + 2), slice(max(i - 1, 0), i + 2))
    total = np.zeros(series.geometry.shape_zyx, dtype=np.float32)
    strength = 0.0
    for phase in series.signal[n_baseline:]:
        rise = np.nan_to_num((phase - before) / scale, nan=0.0, posinf=0.0, neginf=0.0)
        here = float(rise[box].mean())
        total += (rise - np.float32(here)) ** 2
        strength += here**2
    n_after = max(series.n_phases - n_baseline, 1)
    width = TOLERANCE * np.sqrt(strength / n_after) + 0.02
    return np.exp(-0.5 * total / n_after / width**2).astype(np.float32)


def _check(click: tuple[int, int, int], series: DynamicSeries) -> None:
    if len(click) != 3 or not series.geometry.contains(click):
        raise InputRefusedError(
            "seed-outside",
            found=f"The click {tuple(click)} lies outside the series of {series.geometry.describe()}.",
            expected="An index (i, j, k) of a voxel.",
            cause="The click may have been made on another image, or be given in millimetres.",
            cure="Click in the series that is segmented, or convert with geometry.mm_to_index().",
        )
