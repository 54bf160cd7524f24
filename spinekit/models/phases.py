"""Ten phases at stated times after bolus arrival, whatever the protocol, and the scale of their signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinekit.case import require_baseline
from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = [
    "MAX_GAP_S", "PHASE_TIMES_S", "WIDER_GAP_S", "bolus_arrival_s", "covered_phases", "phases_after_arrival",
    "signal_scale",
]  # fmt: skip

PHASE_TIMES_S = (-10.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0)  # ours: dense where curves bend
FIRST_PASS_S = (10.0, 20.0)  # the phases of the first pass of the bolus
MAX_GAP_S = {20.0: 23.0, 60.0: 45.0, 240.0: 75.0}  # ours: up to these times a straight line spans no longer gap
WIDER_GAP_S = {20.0: 35.0, 45.0: 60.0, 60.0: 75.0, 240.0: 150.0}  # ours: to a network a line tells more than nothing
AT_ONCE_S = 10.0  # ours: after the last phase before contrast, where the first pass was not imaged


def signal_scale(series: DynamicSeries, n_baseline: int = 1) -> float:
    """Return the signal that stands for 1: the 95th percentile of the body before contrast.

    Parameters
    ----------
    series : DynamicSeries
        Signal in any unit.
    n_baseline : int
        Leading phases before contrast.

    Returns
    -------
    float
        In the unit of the signal. The body is what exceeds a tenth of the 99th percentile, so that
        neither the share of air nor a few bright voxels move it; a gain of the receiver cancels.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if `n_baseline` leaves no phase after contrast, ``protocol-insufficient``
        if the baseline holds no positive signal.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> signal_scale(simulate_case(1, size=(32, 32, 4)).series) > 0
    True
    """
    require_baseline(n_baseline, series.n_phases)
    before = _baseline(series, n_baseline)
    before = before[np.isfinite(before)]
    body = before[before > 0.1 * np.percentile(before, 99)] if before.size else before
    if body.size == 0 or body.max() <= 0:
        raise InputRefusedError(
            "protocol-insufficient",
            found="The phases before contrast hold no positive, finite signal.",
            expected="An image of the body in the first phases.",
            cause="The series may be a subtraction, or its first phase may be empty.",
            cure="Give the original series, not its subtraction.",
        )
    return float(np.percentile(body, 95))


def bolus_arrival_s(series: DynamicSeries, n_baseline: int = 1) -> float:
    """Return when the bolus arrives, seconds after the first phase, from the most enhancing voxels.

    Parameters
    ----------
    series : DynamicSeries
        At least one phase more than `n_baseline`.
    n_baseline : int
        Leading phases before contrast.

    Returns
    -------
    float
        The line through the first two phases after the baseline, on the mean curve of the 1 % of
        voxels that enhance most, is followed back to the baseline; the result is kept between the
        last phase before contrast and the first after it, since n_baseline says so. Where those two lie more than 23 s
        apart, the line is not that of the first pass: the result is at most 10 s after the last phase before contrast.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if `n_baseline` leaves no phase after contrast.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(32, 32, 4))
    >>> arrival = bolus_arrival_s(case.series, case.n_baseline)
    >>> bool(case.series.times_s[case.n_baseline - 1] <= arrival <= case.series.times_s[case.n_baseline])
    True
    """
    require_baseline(n_baseline, series.n_phases)
    rise = np.nan_to_num(series.signal[n_baseline:] - _baseline(series, n_baseline), nan=0.0, posinf=0.0, neginf=0.0)
    early = rise[:2].mean(axis=0).ravel()
    most = np.argsort(early, kind="stable")[-max(early.size // 100, 1) :]
    curve = rise.reshape(len(rise), -1)[:, most].mean(axis=1, dtype=np.float64)
    times = series.times_s[n_baseline:]
    first, last = float(series.times_s[n_baseline - 1]), float(times[0])
    if last - first > MAX_GAP_S[FIRST_PASS_S[-1]]:
        last = min(last, first + AT_ONCE_S)
    if len(curve) < 2 or curve[1] <= curve[0] or curve[0] <= 0:
        return min(0.5 * (first + float(times[0])), last)
    back = float(times[0] - curve[0] * (times[1] - times[0]) / (curve[1] - curve[0]))
    return min(max(back, first), last)


def covered_phases(
    times_s: NDArray[np.float64], *, arrival_s: float, max_gap_s: Mapping[float, float] = MAX_GAP_S
) -> NDArray[np.bool_]:
    """Return which of the ten times after bolus arrival a protocol covers.

    Parameters
    ----------
    times_s : ndarray of shape (T,)
        Of the phases, rising; at least one lies before contrast.
    arrival_s : float
        Seconds after the first phase.
    max_gap_s : mapping
        How far apart, in seconds, two phases may lie that have the wanted time between them, by the time after
        arrival up to which that holds.

    Returns
    -------
    ndarray of shape (10,), bool
        The first stands for the phases before contrast and is covered always. False where the time lies outside the
        series or in too wide a gap: a straight line across the first pass of a bolus would look like a slow uptake.

    Examples
    --------
    >>> covered_phases(np.array([0.0, 15.0, 30.0, 60.0, 120.0]), arrival_s=10.0).astype(int).tolist()
    [1, 1, 1, 1, 1, 0, 1, 0, 0, 0]
    """
    times, wanted = np.asarray(times_s, dtype=np.float64), arrival_s + np.asarray(PHASE_TIMES_S[1:])
    right = np.searchsorted(times, wanted)
    inside = (right > 0) & (right < len(times))
    right = np.clip(right, 1, len(times) - 1)
    limits = [next(limit for until, limit in max_gap_s.items() if after <= until) for after in PHASE_TIMES_S[1:]]
    return np.concatenate([[True], inside & (times[right] - times[right - 1] <= limits)])


def phases_after_arrival(
    series: DynamicSeries, n_baseline: int = 1, *, arrival_s: float, max_gap_s: Mapping[float, float] = MAX_GAP_S
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Interpolate a series at the ten times after bolus arrival, and say which of them it covers.

    Parameters
    ----------
    series : DynamicSeries
        Any number of phases at any times.
    n_baseline : int
        Leading phases before contrast; their mean is the phase before arrival.
    arrival_s, max_gap_s
        As for `covered_phases`.

    Returns
    -------
    phases : ndarray of shape (10, Z, Y, X), float32
        Signal, linear between neighbouring phases; 0 where absent.
    present : ndarray of shape (10,), bool
        `covered_phases`.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(32, 32, 4))
    >>> phases, present = phases_after_arrival(case.series, case.n_baseline, arrival_s=20.0)
    >>> phases.shape, bool(present[0])
    ((10, 4, 32, 32), True)
    """
    require_baseline(n_baseline, series.n_phases)
    phases = np.zeros((len(PHASE_TIMES_S), *series.geometry.shape_zyx), dtype=np.float32)
    phases[0] = _baseline(series, n_baseline)
    times = series.times_s
    present = covered_phases(times, arrival_s=arrival_s, max_gap_s=max_gap_s)
    for p in np.flatnonzero(present[1:]) + 1:
        wanted = arrival_s + PHASE_TIMES_S[p]
        right = int(np.searchsorted(times, wanted))
        share = np.float32((wanted - times[right - 1]) / (times[right] - times[right - 1]))
        phases[p] = (1 - share) * series.signal[right - 1] + share * series.signal[right]
    return phases, present


def _baseline(series: DynamicSeries, n_baseline: int) -> NDArray[np.float32]:
    return series.signal[:n_baseline].mean(axis=0, dtype=np.float32)
