"""The curve of the fitted model in every voxel of a region, to be laid over the measured one."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.kinetics.fit import fit_tofts
from spinekit.kinetics.quantitative import Input, _delays, _input, _protocol, _region, _shares, _tissue_t1
from spinekit.kinetics.signal import concentration_from_signal, spgr_signal
from spinekit.kinetics.tofts import extended_tofts

__all__ = ["fitted_enhancement"]


def fitted_enhancement(
    series: DynamicSeries,
    roi: Roi,
    *,
    n_baseline: int = 1,
    t1: float | Volume | None = None,
    arterial: str | Input = "fast",
    model: str = "extended_tofts",
) -> Any:
    """Return the relative enhancement that the fitted model predicts, phase by phase.

    The fit is that of `spinekit.kinetics.quantitative.quantitative_maps` with the same choices; its concentration is
    turned back into signal by the spoiled gradient echo.

    Parameters
    ----------
    series : DynamicSeries
    roi : Roi
        Where to fit.
    n_baseline : int
        Phases before the contrast agent.
    t1 : float or Volume
        T1 before contrast agent, s.
    arterial : str or Input
    model : {"extended_tofts", "tofts"}

    Returns
    -------
    ndarray of shape (T, Z, Y, X), float32
        S/S_BL - 1 of the model; NaN outside the region and where nothing could be fitted.

    Raises
    ------
    InputRefusedError
        What `quantitative_maps` refuses.
    """
    time_s, angle = _protocol(series, None, None)
    where = np.flatnonzero(roi.mask)
    tissue = _tissue_t1(t1, series, where)
    protocol = {"t1_s": tissue, "repetition_time_s": time_s, "flip_angle_deg": angle}
    signal = np.asarray(series.signal[:, roi.mask], dtype=np.float64)
    content = concentration_from_signal(signal, n_baseline=n_baseline, **protocol)
    blood = _input(arterial, series, n_baseline)
    delays = _delays(series, n_baseline, blood)
    if _shares(series, roi):
        delays = _region(content, series, blood, delays, model)
    fit = fit_tofts(
        content, series.times_s, blood.plasma_mM, plasma_times_s=blood.times_s, model=model, delay_range_s=delays
    )
    predicted = np.full(signal.shape, np.nan)
    for voxel in np.flatnonzero(np.isfinite(fit.ktrans_per_min)):
        predicted[:, voxel] = _at_phases(series.times_s, blood, fit, int(voxel))
    none = spgr_signal(np.zeros(signal.shape[1]), **protocol)
    whole = np.full(series.signal.shape, np.nan, dtype=np.float32)
    whole[:, roi.mask] = spgr_signal(predicted, **protocol) / none - 1.0
    return whole


def _at_phases(times_s: Any, blood: Input, fit: Any, voxel: int) -> Any:
    """Return the model's concentration of one voxel at the times of the phases, mM."""
    shifted = np.asarray(blood.times_s, dtype=np.float64) + fit.delay_s[voxel]
    fine = np.union1d(np.union1d(shifted, times_s), [shifted[0] - 1e-9])
    plasma = np.interp(fine, shifted, blood.plasma_mM, left=0.0)
    curve = extended_tofts(
        plasma, fine, ktrans_per_min=fit.ktrans_per_min[voxel], kep_per_min=fit.kep_per_min[voxel], vp=fit.vp[voxel]
    )
    return np.interp(times_s, fine, curve)
