"""The bolus delay of a region, which its voxels share where phases are too far apart for each to tell its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.kinetics.fit import fit_tofts

__all__ = ["SHARING", "region_delay"]

SHARING = 1000  # voxels of a region that tell its delay; more do not change it
STEP_S, FINE_S = 0.5, 0.1  # of the delays that are tried: everywhere, and within a step of the best
PARAMETERS = 4  # of a voxel's curve
NOTHING = 1e-9  # of a curve's mean square: less than this is no residual


def region_delay(
    content: Any, times_s: Any, plasma_mM: Any, plasma_times_s: Any, delays: tuple[float, float], model: str
) -> tuple[float, float]:
    """Return the delay of a region, twice, as a range for `fit_tofts`; the range given where no voxel takes up.

    It is the posterior mean, all delays of the range and all sizes of each voxel's noise being as likely beforehand: a
    delay is tried in all voxels and weighs by the residuals that it leaves. Voxels at a border, which no curve of the
    model fits, then say little. The best delay alone is off by more where residuals hardly tell delays apart.

    Parameters
    ----------
    content : ndarray of shape (T, N)
        Tissue curves, mM; up to `SHARING` of them are looked at, evenly.
    times_s, plasma_mM, plasma_times_s, model
        As `fit_tofts` takes them.
    delays : tuple of float
        Smallest and largest, s.

    Returns
    -------
    tuple of float
    """
    if delays[0] == delays[1]:
        return delays
    curves = content[:, :: 1 + content.shape[1] // SHARING]
    curves = curves[:, np.isfinite(curves).all(axis=0)]

    def fit(limits: tuple[float, float]) -> Any:
        return fit_tofts(
            curves, times_s, plasma_mM, plasma_times_s=plasma_times_s, model=model, delay_range_s=limits
        )  # fmt: skip

    own = fit(delays).delay_s
    own = own[np.isfinite(own)]
    if not own.size:
        return delays
    floor = NOTHING * (curves**2).mean(axis=0)
    freedom = max(len(times_s) - PARAMETERS, 1)

    def cost(delay: float) -> float:
        return 0.5 * freedom * float(np.log(fit((delay, delay)).residual_mM ** 2 + floor).sum())

    costs = {float(d): cost(d) for d in _even(*delays, STEP_S)}
    best = min(costs, key=costs.__getitem__)
    near = _even(max(best - STEP_S, delays[0]), min(best + STEP_S, delays[1]), FINE_S)
    for d in (*near, own.mean(), np.median(own)):  # without noise those two are right, and between the steps
        costs.setdefault(float(d), cost(d))
    tried = np.array(sorted(costs))
    each = np.array([costs[d] for d in tried])
    weights = np.exp(each.min() - each) * np.gradient(tried)
    mean = float(np.average(tried, weights=weights))
    return mean, mean


def _even(low: float, high: float, step: float) -> Any:
    """Return delays from low to high, evenly, at most a step apart."""
    return np.linspace(low, high, 1 + int(np.ceil((high - low) / step - 1e-9)))
