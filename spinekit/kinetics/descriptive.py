r"""Descriptive quantities of enhancement curves, one function each, by OSIPI CAPLEX definitions.

These are the definitions in plain numpy and double precision; the compiled kernel of
`spinekit.kinetics.kernel` is held to them. Every function takes curves of shape ``(T, ...)`` and gives
``(...)``, with NaN where the quantity is undefined: never 0 or inf in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import require_baseline
from spinekit.errors import InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "area_under_curve",
    "baseline_signal",
    "curve_type",
    "onset_time",
    "peak_enhancement",
    "relative_enhancement",
    "signal_at",
    "signal_enhancement_ratio",
    "steepest_wash_in",
    "time_of_peak",
    "time_to_peak",
    "wash_in_slope",
    "wash_out_ratio",
    "wash_out_slope",
]

EARLY_S = 120.0  # Kuhl 1999: the early phase is the maximum within the first two minutes
PLATEAU = 0.10  # Kuhl 1999: a change of up to 10 % is a plateau
LANG_2017_S = 67.0  # Lang 2017: wash-out is counted from the phase at 67 s


def _checked(curves: ArrayLike, times_s: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    values = np.asarray(curves, dtype=np.float64)  # uint16 - uint16 would wrap
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or values.ndim < 1 or values.shape[0] != times.size:
        raise ShapeMismatchError(
            found=f"There are {times.size} times for curves of shape {values.shape}.",
            expected="One time per phase, and the phases along the first axis.",
            cause="The time axis may be the last one, or a phase was dropped.",
            cure="Move the time axis to the front.",
        )
    return values, times


def baseline_signal(curves: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return S_BL, the mean of the first `n_baseline` phases; NaN where it is not positive."""
    values = np.asarray(curves, dtype=np.float64)
    require_baseline(n_baseline, values.shape[0])
    mean = values[:n_baseline].mean(axis=0)
    return np.where(mean > 0, mean, np.nan)


def relative_enhancement(curves: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return RE = S/S_BL - 1, shape (T, ...); NaN where the baseline is not positive.

    Examples
    --------
    >>> relative_enhancement([2.0, 2.0, 5.0], n_baseline=2)
    array([0. , 0. , 1.5])
    """
    return np.asarray(curves, dtype=np.float64) / baseline_signal(curves, n_baseline=n_baseline) - 1.0


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return np.isfinite(values).all(axis=0)


def peak_enhancement(curves: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return RE_max, the largest relative enhancement after the baseline; NaN where it is not positive."""
    enhancement = relative_enhancement(curves, n_baseline=n_baseline)
    peak = enhancement[n_baseline:].max(axis=0)
    return np.where(_finite(enhancement) & (peak > 0), peak, np.nan)


def time_of_peak(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return the time of the first phase that reaches the peak, seconds after the first phase; NaN without uptake."""
    values, times = _checked(curves, times_s)
    peak = peak_enhancement(values, n_baseline=n_baseline)
    index = values[n_baseline:].argmax(axis=0) + n_baseline
    return np.where(np.isfinite(peak), times[index], np.nan)


def onset_time(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return the bolus arrival time as the foot of the steepest rise, seconds after the first phase.

    The line through the two phases of the steepest rise up to the peak meets the baseline signal there;
    not before the last baseline phase. Exact for a straight rise, whichever phases sample it. NaN
    without uptake.

    Examples
    --------
    >>> onset_time([0.5, 0.5, 1.0, 3.0], [0, 10, 20, 30], n_baseline=2)
    array(17.5)
    """
    values, times = _checked(curves, times_s)
    base = baseline_signal(values, n_baseline=n_baseline)
    peak_s = time_of_peak(values, times, n_baseline=n_baseline)
    best = np.zeros(values.shape[1:])
    foot = np.full(values.shape[1:], times[n_baseline - 1])
    for t in range(n_baseline, times.size):
        slope = (values[t] - values[t - 1]) / (times[t] - times[t - 1])
        steeper = (slope > best) & (times[t] <= peak_s)
        lead = np.divide(values[t - 1] - base, slope, out=np.zeros_like(best), where=steeper)
        foot = np.where(steeper, times[t - 1] - lead, foot)
        best = np.where(steeper, slope, best)
    return np.where(np.isfinite(peak_s), np.clip(foot, times[n_baseline - 1], peak_s), np.nan)


def time_to_peak(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int, bat_s: ArrayLike) -> NDArray[Any]:
    """Return TTP = t_peak - BAT, seconds (CAPLEX Q.CD1.010): from bolus arrival, not from the first phase.

    Examples
    --------
    >>> time_to_peak([0.5, 0.5, 3.0, 6.0], [0, 10, 20, 30], n_baseline=2, bat_s=10)
    np.float64(20.0)
    """
    return time_of_peak(curves, times_s, n_baseline=n_baseline) - np.asarray(bat_s, dtype=np.float64)


def wash_in_slope(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int, bat_s: ArrayLike) -> NDArray[Any]:
    r"""Compute the wash-in slope WIS = (f_max - f_BL) / (t_peak - BAT) of each curve (CAPLEX Q.CD1.011).

    Parameters
    ----------
    curves : ndarray of shape (T, ...)
        Signal, relative enhancement or concentration; its unit is called U below.
    times_s : ndarray of shape (T,)
        Time of each phase, seconds, rising; need not be uniform.
    n_baseline : int
        Number of leading pre-contrast phases averaged into the baseline.
    bat_s : float or ndarray of shape (...)
        Bolus arrival time, seconds on the scale of `times_s`.

    Returns
    -------
    ndarray of shape (...), float64
        Slope in U/s. NaN where the curve does not rise above its baseline, or peaks at or before
        `bat_s`, so that a voxel without uptake cannot be mistaken for one with a slope of zero.

    Raises
    ------
    ShapeMismatchError
        If `times_s` does not have one entry per phase.

    Examples
    --------
    >>> wash_in_slope([0.0, 0.0, 3.0, 6.0], [0, 10, 20, 30], n_baseline=2, bat_s=10)
    array(0.3)
    """
    values, times = _checked(curves, times_s)
    require_baseline(n_baseline, times.size)
    base = values[:n_baseline].mean(axis=0)
    after = values[n_baseline:]
    rise = after.max(axis=0) - base
    delay = times[after.argmax(axis=0) + n_baseline] - np.asarray(bat_s, dtype=np.float64)
    usable = _finite(values) & (rise > 0) & (delay > 0)
    return np.divide(rise, delay, out=np.full(np.broadcast(rise, delay).shape, np.nan), where=usable)


def wash_out_slope(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Compute WOS = (f_max - f_last) / (t_peak - t_last), U/s: negative when the signal washes out.

    NaN where the peak is the last phase (the wash-out has not been seen) or there is no uptake.

    Examples
    --------
    >>> wash_out_slope([1.0, 5.0, 3.0], [0, 10, 30], n_baseline=1)
    array(-0.1)
    """
    values, times = _checked(curves, times_s)
    require_baseline(n_baseline, times.size)
    after = values[n_baseline:]
    peak = after.max(axis=0)
    delay = times[after.argmax(axis=0) + n_baseline] - times[-1]
    usable = _finite(values) & (peak > values[:n_baseline].mean(axis=0)) & (delay < 0)
    return np.divide(peak - values[-1], delay, out=np.full(peak.shape, np.nan), where=usable)


def steepest_wash_in(curves: ArrayLike, *, n_baseline: int) -> NDArray[Any]:
    """Return max over t of (S(t+1) - S(t)) / S_BL, from the last baseline phase on (Lang 2013); NaN if none rises."""
    values = np.asarray(curves, dtype=np.float64)
    base = baseline_signal(values, n_baseline=n_baseline)
    step = np.diff(values[n_baseline - 1 :], axis=0).max(axis=0)
    return np.where(_finite(values) & (step > 0), step / base, np.nan)


def signal_at(curves: ArrayLike, times_s: ArrayLike, at_s: float) -> NDArray[Any]:
    """Return the signal at one time, linear between phases; NaN outside the measured time."""
    values, times = _checked(curves, times_s)
    if not times[0] <= at_s <= times[-1]:
        return np.full(values.shape[1:], np.nan)
    after = int(np.clip(np.searchsorted(times, at_s, side="right"), 1, times.size - 1))
    share = (at_s - times[after - 1]) / (times[after] - times[after - 1])
    return (1.0 - share) * values[after - 1] + share * values[after]


def wash_out_ratio(
    curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int, convention: str, bat_s: float
) -> NDArray[Any]:
    """Compute the wash-out ratio by a named convention.

    Parameters
    ----------
    convention : {"lang2013", "lang2017"}
        ``lang2013``: (S_last - S_peak) / S_BL. ``lang2017``: (S_last - S_67s) / S_67s, with S_67s
        the signal 67 s after bolus arrival, linear between phases.
    bat_s : float
        Bolus arrival, seconds after the first phase.

    Returns
    -------
    ndarray of shape (...)
        NaN without uptake, with a non-positive denominator, or where the series ends before 67 s.

    Examples
    --------
    >>> wash_out_ratio([2.0, 6.0, 4.0], [0, 60, 120], n_baseline=1, convention="lang2013", bat_s=0)
    array(-1.)
    """
    values, times = _checked(curves, times_s)
    base = baseline_signal(values, n_baseline=n_baseline)
    uptake = np.isfinite(peak_enhancement(values, n_baseline=n_baseline))
    if convention == "lang2013":
        return np.where(uptake, (values[-1] - values[n_baseline:].max(axis=0)) / base, np.nan)
    if convention == "lang2017":
        early = signal_at(values, times, bat_s + LANG_2017_S)
        usable = uptake & (early > 0)
        return np.divide(values[-1] - early, early, out=np.full(early.shape, np.nan), where=usable)
    raise unknown_convention(convention)


def unknown_convention(convention: str) -> InputRefusedError:
    """Return the refusal of a wash-out convention that does not exist."""
    return InputRefusedError(
        "choice-unknown",
        found=f"The wash-out convention '{convention}' was asked for.",
        expected="'lang2013' or 'lang2017'.",
        cause="The name may be misspelt.",
        cure="Choose one of the two; their formulas stand in docs/kinetics.md.",
    )


def signal_enhancement_ratio(curves: ArrayLike, *, n_baseline: int, early: int, late: int) -> NDArray[Any]:
    """Compute SER = (S_early - S_BL) / (S_late - S_BL); custom, not in CAPLEX.

    `early` and `late` are phase numbers. NaN where the late enhancement is not positive.

    Examples
    --------
    >>> signal_enhancement_ratio([2.0, 6.0, 4.0], n_baseline=1, early=1, late=2)
    array(2.)
    """
    values = np.asarray(curves, dtype=np.float64)
    base = baseline_signal(values, n_baseline=n_baseline)
    rise, rest = values[early] - base, values[late] - base
    usable = _finite(values) & (rest > 0)
    return np.divide(rise, rest, out=np.full(rest.shape, np.nan), where=usable)


def area_weights(times_s: ArrayLike, *, bat_s: float, length_s: float) -> NDArray[Any] | None:
    """Return weights w with ``sum_t w_t f_t`` the trapezoidal integral of f from BAT to BAT + length.

    f is linear between phases. None where the measured time does not cover the interval.
    """
    times = np.asarray(times_s, dtype=np.float64)
    end = bat_s + length_s
    if bat_s < times[0] or end > times[-1]:
        return None
    weights = np.zeros(times.size)
    for n in range(times.size - 1):
        a, b = max(times[n], bat_s), min(times[n + 1], end)
        if b <= a:
            continue
        step = times[n + 1] - times[n]
        middle = ((a + b) / 2 - times[n]) / step  # the trapezoid of a line is its value in the middle
        weights[n] += (b - a) * (1.0 - middle)
        weights[n + 1] += (b - a) * middle
    return weights


def area_under_curve(
    curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int, bat_s: float, length_s: float = 60.0
) -> NDArray[Any]:
    """Integrate relative enhancement from BAT to BAT + `length_s`, in seconds; NaN if the series is shorter.

    Examples
    --------
    >>> area_under_curve([1.0, 2.0, 2.0], [0, 60, 120], n_baseline=1, bat_s=0.0)
    array(30.)
    """
    values, times = _checked(curves, times_s)
    weights = area_weights(times, bat_s=bat_s, length_s=length_s)
    enhancement = relative_enhancement(values, n_baseline=n_baseline)
    if weights is None:
        return np.full(values.shape[1:], np.nan)
    return np.where(_finite(enhancement), np.tensordot(weights, enhancement, axes=1), np.nan)


def curve_type(curves: ArrayLike, times_s: ArrayLike, *, n_baseline: int, bat_s: float) -> NDArray[Any]:
    """Classify each curve as 1 persistent, 2 plateau, 3 wash-out (Kuhl 1999); NaN without uptake.

    The last phase is compared with the early one, the largest signal within two minutes of arrival (at
    least the first phase after the baseline): more than 10 % above it is persistent, more than 10 %
    below it is wash-out.

    Examples
    --------
    >>> curve_type([[1.0, 1.0], [3.0, 3.0], [3.5, 2.0]], [0, 60, 300], n_baseline=1, bat_s=0.0)
    array([1., 3.])
    """
    values, times = _checked(curves, times_s)
    uptake = np.isfinite(peak_enhancement(values, n_baseline=n_baseline))
    early = values[n_baseline : last_early_phase(times, n_baseline=n_baseline, bat_s=bat_s) + 1].max(axis=0)
    usable = uptake & (early > 0)
    change = np.divide(values[-1] - early, early, out=np.full(early.shape, np.nan), where=usable)
    kind = np.where(change > PLATEAU, 1.0, np.where(change < -PLATEAU, 3.0, 2.0))
    return np.where(usable, kind, np.nan)


def last_early_phase(times_s: ArrayLike, *, n_baseline: int, bat_s: float) -> int:
    """Return the last phase of the early interval; at least the first one after the baseline."""
    times = np.asarray(times_s, dtype=np.float64)
    return max(n_baseline, int(np.searchsorted(times, bat_s + EARLY_S, side="right")) - 1)
