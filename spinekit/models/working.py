"""The coarse grid the U-Net works on: about 1.9 x 1.9 x 4 mm, whatever the series, and the way back.

Fine voxels are first averaged in blocks, which lowers the noise and costs little; what is left is resampled only where
it lies more than 15 % off. The network gives a probability, which comes back by linear interpolation and is cut on the
grid of the series, so that its border is finer than the working voxels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.geometry import Geometry, resample_array
from spinekit.models.inputs import NetworkInput, network_input
from spinekit.models.phases import FIRST_PASS_S, MAX_GAP_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = [
    "SMALLEST_ML", "WORKING_MM", "block_mean", "coarse_series", "counted_lesions", "onto_series", "onto_working",
    "working_input",
]  # fmt: skip

WORKING_MM = (1.875, 1.875, 4.0)  # along L, P, S; ours: a lesion of 10 mm radius is ten voxels across
SMALLEST_ML = 0.3  # ours, a lesion of 4 mm radius: what is less is no answer, gets no click and does not count
FIRST_MINUTE_S = (*FIRST_PASS_S, 30.0)  # without any of them there is no area under the curve of the first minute
NEAR_ENOUGH = 0.15  # a spacing this close is left as it is; training varies the scale by more


def coarse_series(series: DynamicSeries) -> DynamicSeries:
    """Average blocks of voxels so that no axis is much finer than `WORKING_MM`.

    Returns
    -------
    DynamicSeries
        The same series where it is coarse already. The last, incomplete block of an axis repeats its last voxel.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> series = simulate_case(1, size=(256, 256, 4)).series
    >>> coarse_series(series).geometry.size
    (128, 128, 4)
    """
    factors = _factors(series.geometry)
    if factors == (1, 1, 1):
        return series
    signal = np.stack([block_mean(phase, factors[::-1]) for phase in series.signal])
    return replace(series, signal=signal, geometry=_coarse_grid(series.geometry, factors))


def block_mean(values: NDArray[Any], factors_zyx: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the mean over blocks of a (Z, Y, X) array; an incomplete block repeats the last voxel.

    Examples
    --------
    >>> block_mean(np.arange(6.0).reshape(1, 1, 6), (1, 1, 4)).tolist()
    [[[1.5, 4.75]]]
    """
    missing = [(0, -n % f) for n, f in zip(values.shape, factors_zyx, strict=True)]
    whole = np.pad(values, missing, mode="edge") if any(m for _, m in missing) else values
    result = np.asarray(whole, dtype=np.float32)
    for axis, factor in enumerate(factors_zyx):
        if factor > 1:
            parts = [result[(slice(None),) * axis + (slice(f, None, factor),)] for f in range(factor)]
            total = parts[0] + parts[1]
            for part in parts[2:]:
                total += part
            result = total / np.float32(factor)
    return result


def working_input(
    series: DynamicSeries, n_baseline: int = 1, *, max_gap_s: Mapping[float, float] = MAX_GAP_S
) -> NetworkInput:
    """Return `network_input` on the working grid; ``series_geometry`` is that of the series as it came.

    Where the first pass was not imaged, the wash-in slope is that of a longer rise, and vessels look like a lesion in
    it: it is zero then, as an undefined map; so is the area under the curve where the phase at 30 s is absent too.
    `max_gap_s` is as for `network_input`.

    Raises
    ------
    InputRefusedError
        As `network_input`.
    """
    coarse = coarse_series(series)
    home, spacing = coarse.geometry.anatomical_axes(), coarse.geometry.spacing_mm
    turned = [spacing[home.index(axis)] for axis in range(3)]
    x, y, z = (
        s if abs(np.log(s / wanted)) <= np.log1p(NEAR_ENOUGH) else wanted
        for s, wanted in zip(turned, WORKING_MM, strict=True)
    )
    seen = network_input(coarse, n_baseline, spacing_mm=(x, y, z), coarser=True, max_gap_s=max_gap_s)
    return replace(seen, channels=_without_first_pass(seen), series_geometry=series.geometry)


def onto_working(values: NDArray[Any], geometry: Geometry, grid: Geometry) -> NDArray[np.float32]:
    """Bring what fills the voxels of a series to its working grid as the signal is brought: by the mean of blocks.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X) of the series
        Such as a mask.
    geometry, grid : Geometry
        Of the series, and of its `working_input`.

    Examples
    --------
    >>> fine = Geometry((4, 2, 1), (1.0, 1.0, 4.0))
    >>> mask = np.array([[[0, 1, 1, 1], [0, 0, 1, 1]]])
    >>> onto_working(mask, fine, Geometry((2, 1, 1), (2.0, 2.0, 4.0), (0.5, 0.5, 0.0))).tolist()
    [[[0.25, 1.0]]]
    """
    factors = _factors(geometry)
    mean = block_mean(values, factors[::-1])
    return resample_array(mean, _coarse_grid(geometry, factors), grid, interpolation="linear", outside=0.0)


def counted_lesions(lesions: NDArray[np.uint8], voxel_mm3: float) -> NDArray[np.uint8]:
    """Return the numbers of the lesions without those that the slab cuts to less than `SMALLEST_ML`.

    Examples
    --------
    >>> counted_lesions(np.array([[[1, 1, 1, 0, 2]]], dtype=np.uint8), 100.0).tolist()
    [[[1, 1, 1, 0, 0]]]
    """
    small = np.bincount(lesions.ravel(), minlength=256) * voxel_mm3 < SMALLEST_ML * 1000.0
    return np.where(small[lesions], 0, lesions).astype(np.uint8)


def onto_series(values: NDArray[Any], seen: NetworkInput) -> NDArray[np.float32]:
    """Bring a probability from the working grid to the grid of the series, by linear interpolation.

    Voxels of the series beyond the centres of the outermost working voxels take the value of the nearest of them.
    """
    grid = seen.geometry
    i, j, k = grid.size
    x, y, z = grid.index_to_mm((-1, -1, -1)).tolist()
    wide = Geometry((i + 2, j + 2, k + 2), grid.spacing_mm, (x, y, z), grid.direction)
    padded = np.pad(np.asarray(values, dtype=np.float32), 1, mode="edge")
    return resample_array(padded, wide, seen.series_geometry, interpolation="linear", outside=0.0)


def _factors(geometry: Geometry) -> tuple[int, int, int]:
    home, fine = geometry.anatomical_axes(), geometry.spacing_mm
    i, j, k = (max(1, int(WORKING_MM[home[n]] / fine[n] + 0.3)) for n in range(3))
    return i, j, k


def _without_first_pass(seen: NetworkInput) -> NDArray[np.float32]:
    covered = {time: bool(seen.channels[seen.names.index(f"present:{time:g}"), 0, 0, 0]) for time in FIRST_MINUTE_S}
    channels = seen.channels
    if not all(covered[time] for time in FIRST_PASS_S):
        channels[seen.names.index("map:wash_in_slope")] = 0.0
    if not any(covered.values()):
        channels[seen.names.index("map:auc60")] = 0.0
    return channels


def _coarse_grid(grid: Geometry, factors: tuple[int, ...]) -> Geometry:
    size = tuple(-(-n // f) for n, f in zip(grid.size, factors, strict=True))
    spacing = tuple(s * f for s, f in zip(grid.spacing_mm, factors, strict=True))
    origin = grid.index_to_mm([(f - 1) / 2 for f in factors])
    return Geometry(size, spacing, tuple(origin.tolist()), grid.direction)  # type: ignore[arg-type]
