"""Less noise in a dynamic series, without a model of its curves: what few curves explain in a neighbourhood is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid

__all__ = ["denoised"]

PER_PHASE = 2.5  # voxels of a neighbourhood per phase: with fewer, noise cannot be told from signal


def denoised(series: DynamicSeries, within: Roi | None = None, *, side: int | None = None) -> DynamicSeries:
    """Return the series with the noise between its phases reduced.

    The curves of a square of voxels in a slice span few directions, noise all of them alike: directions whose variance
    noise alone would explain (Marchenko and Pastur) are taken out. Every voxel gets the mean over all squares that
    hold it. Nothing is smoothed in space, a series without noise comes back, and no curve is assumed. Noise of
    neighbouring voxels that is not independent, as after interpolation, is reduced less.

    Parameters
    ----------
    series : DynamicSeries
    within : Roi, optional
        Where; other voxels stay as they are. A whole series of (10, 24, 256, 256) takes about half a minute.
    side : int, optional
        Odd number of voxels along the square's side; if not given, the least that holds 2.5 voxels per phase.

    Returns
    -------
    DynamicSeries
        float32; voxels that are not finite in every phase stay as they are. ``record["denoised"]`` holds the side and
        the standard deviation of the noise found (the median over the region), in the signal's unit.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for a side that is even or below 3.
    GridMismatchError
        If `within` is on another grid.

    Notes
    -----
    Neighbouring voxels share what is left of the noise, so that standard errors of a fit to the result are too small.

    References
    ----------
    .. [1] Veraart 2016, NeuroImage 142:394.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> quiet = denoised(case.series, case.lesion)
    >>> quiet.signal.shape, quiet.record["denoised"]["side"]
    ((10, 6, 48, 48), 5)
    """
    chosen = _side(series.n_phases) if side is None else side
    if chosen < 3 or chosen % 2 == 0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"A side of {chosen} voxels was asked for.",
            expected="An odd number from 3.",
            cause="A square has a voxel in its middle.",
            cure=f"Leave it out for {_side(series.n_phases)}, or give another odd number.",
        )
    where = np.ones(series.geometry.shape_zyx, dtype=bool)
    if within is not None:
        require_same_grid(within.geometry, series.geometry, names=("ROI", "series"))
        where = within.mask
    signal = np.array(series.signal, dtype=np.float32)
    noise = []
    for k in np.flatnonzero(where.any(axis=(1, 2))):
        rows, columns = (_span(where[k].any(axis=axis), chosen - 1) for axis in (1, 0))
        plane = series.signal[:, k, rows, columns].astype(np.float64)
        inside = where[k, rows, columns] & np.isfinite(plane).all(axis=0)
        quiet, deviation = _plane(np.where(np.isfinite(plane).all(axis=0), plane, 0.0), chosen)
        signal[:, k, rows, columns][:, inside] = quiet[:, inside]
        noise.append(deviation[inside])
    found = np.concatenate(noise) if noise else np.empty(0)
    told = {"side": chosen, "noise_sd": float(np.median(found)) if found.size else None}
    return replace(series, signal=signal, record={**series.record, "denoised": told})


def _side(n_phases: int) -> int:
    """Return the least odd side whose square holds enough voxels."""
    side = 3
    while side * side < PER_PHASE * n_phases:
        side += 2
    return side


def _span(used: Any, margin: int) -> slice:
    """Return the range that is used along an axis, with a margin."""
    at = np.flatnonzero(used)
    return slice(max(0, int(at[0]) - margin), int(at[-1]) + 1 + margin)


def _plane(curves: Any, side: int) -> tuple[Any, Any]:
    """Return the curves (T, Y, X) of a slice without their noise, and the standard deviation (Y, X) of it."""
    n_phases, *shape = curves.shape
    moments = np.empty((n_phases, n_phases, *shape))
    _mean_over_squares(lambda a, b: curves[a] * curves[b], moments, side)
    variances, axes = np.linalg.eigh(np.moveaxis(moments.reshape(n_phases, n_phases, -1), -1, 0))
    noise = _noise_variance(np.maximum(variances, 0.0), side * side)
    edge = (1.0 + np.sqrt(n_phases / side**2)) ** 2  # of what noise of variance 1 spans
    kept = axes * (variances > edge * noise[:, None])[:, None, :]
    projection = np.moveaxis(kept @ axes.transpose(0, 2, 1), 0, -1).reshape(moments.shape)
    _mean_over_squares(lambda a, b: projection[a, b], moments, side)
    return np.einsum("ijyx,jyx->iyx", moments, curves), np.sqrt(noise).reshape(shape)


def _mean_over_squares(entry: Any, out: Any, side: int) -> None:
    """Write the mean over the square around each voxel of every entry of a symmetric matrix."""
    from scipy.ndimage import uniform_filter

    for a in range(out.shape[0]):
        for b in range(a + 1):
            out[a, b] = uniform_filter(entry(a, b), side, mode="reflect")
            out[b, a] = out[a, b]


def _noise_variance(variances: Any, n_voxels: int) -> Any:
    """Return the noise's variance (N,) from rising variances (N, T): the largest tail that spreads as noise does."""
    n_phases = variances.shape[1]
    sums = np.cumsum(variances, axis=1)
    found = variances[:, 0].copy()
    open_ = np.ones(variances.shape[0], dtype=bool)
    for n in range(n_phases, 1, -1):
        mean = sums[:, n - 1] / n
        alike = open_ & (variances[:, n - 1] - variances[:, 0] <= 4.0 * np.sqrt(n / n_voxels) * mean)
        found[alike] = mean[alike]
        open_ &= ~alike
    return found
