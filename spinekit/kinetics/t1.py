r"""T1 from spoiled gradient echoes at several flip angles, by least squares on the signal itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.kinetics.signal import require_protocol

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["T1Fit", "t1_from_flip_angles"]

T1_RANGE_S = (0.01, 20.0)
GRID = 160  # rates tried first; 5 % apart
NEWTON = 12
CHUNK = 65536


@dataclass(frozen=True)
class T1Fit:
    """T1 in s and equilibrium signal of each voxel, shape (...); NaN, counted, where T1 lies outside the range."""

    t1_s: Any
    s0: Any
    residual: Any
    undefined: int


def t1_from_flip_angles(
    signal: ArrayLike,
    *,
    flip_angle_deg: ArrayLike,
    repetition_time_s: ArrayLike,
    t1_range_s: tuple[float, float] = T1_RANGE_S,
) -> T1Fit:
    r"""Fit S = s0 sin a (1 - E) / (1 - E cos a), E = exp(-TR/T1), to signals at several flip angles.

    Parameters
    ----------
    signal : ndarray of shape (A, ...)
        One value per flip angle, any unit.
    flip_angle_deg : ndarray of shape (A,)
        True angles, degrees; at least two that differ.
    repetition_time_s : float or ndarray of shape (A,)
        Repetition time, s.
    t1_range_s : tuple of float
        Where T1 is looked for, s.

    Returns
    -------
    T1Fit
        NaN where a signal is not finite, where no positive s0 fits, and where T1 lies at an end of its range.

    Raises
    ------
    ShapeMismatchError
        If there is not one signal per flip angle.
    InputRefusedError
        ``value-out-of-range`` for a protocol that no spoiled gradient echo has, or a single flip angle.

    Notes
    -----
    For a given T1 the model is linear in s0, so that only T1 is searched: a grid of rates, then damped
    Gauss-Newton steps. Unlike the straight line through S/sin a over S/tan a this does not weigh noise
    by the angle.

    References
    ----------
    .. [1] Fram 1987, Magn Reson Imaging 5:201; OSIPI CAPLEX M.EL1.003.
    .. [2] Chang 2008, Magn Reson Med 60:496 (bias of the straight line).

    Examples
    --------
    >>> from spinekit.kinetics.signal import spgr_signal
    >>> angles = [2.0, 5.0, 12.0]
    >>> s = [float(spgr_signal(0.0, t1_s=1.1, repetition_time_s=0.005, flip_angle_deg=a, s0=500.0)) for a in angles]
    >>> fit = t1_from_flip_angles(s, flip_angle_deg=angles, repetition_time_s=0.005)
    >>> fit.t1_s.round(6), fit.s0.round(3)
    (np.float64(1.1), np.float64(500.0))
    """
    values = np.asarray(signal, dtype=np.float64)
    angles = np.asarray(flip_angle_deg, dtype=np.float64)
    times = np.broadcast_to(np.asarray(repetition_time_s, dtype=np.float64), angles.shape)
    _check(values, angles, times, t1_range_s)
    flat = values.reshape(angles.size, -1)
    t1, s0 = np.full(flat.shape[1], np.nan), np.full(flat.shape[1], np.nan)
    residual = np.full(flat.shape[1], np.nan)
    for start in range(0, flat.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        good = np.isfinite(flat[:, part]).all(axis=0)
        where = np.flatnonzero(good) + start
        t1[where], s0[where], residual[where] = _fit(flat[:, where], np.deg2rad(angles), times, t1_range_s)
    inside = (t1 > t1_range_s[0] * 1.001) & (t1 < t1_range_s[1] / 1.001) & (s0 > 0)
    t1, s0 = np.where(inside, t1, np.nan), np.where(inside, s0, np.nan)
    shape = values.shape[1:]
    return T1Fit(t1.reshape(shape)[()], s0.reshape(shape)[()], residual.reshape(shape)[()], int((~inside).sum()))


def _check(values: Any, angles: Any, times: Any, t1_range_s: tuple[float, float]) -> None:
    if angles.ndim != 1 or values.shape[:1] != angles.shape:
        raise ShapeMismatchError(
            found=f"There are {angles.size} flip angles for signals of shape {values.shape}.",
            expected="One signal per flip angle, along the first axis.",
            cause="The axis of the angles may be the last one.",
            cure="Move it to the front.",
        )
    for angle, time in zip(angles, times, strict=True):
        require_protocol(repetition_time_s=float(time), flip_angle_deg=float(angle))
    if np.unique(angles).size < 2 or not 0 < t1_range_s[0] < t1_range_s[1]:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The flip angles are {angles.tolist()} and T1 is looked for in {tuple(t1_range_s)} s.",
            expected="At least two flip angles that differ, and a range from small to large.",
            cause="Only one of the measurements may have been given.",
            cure="Give the signals of all flip angles.",
        )


def _shape(rate: Any, angles: Any, times: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the signal per s0 for rates (N,), shape (A, N), and its derivative by log rate."""
    x = times[:, None] * rate
    decay = np.exp(-x)
    sine, cosine = np.sin(angles)[:, None], np.cos(angles)[:, None]
    below = 1.0 - decay * cosine
    return sine * -np.expm1(-x) / below, sine * x * decay * (1.0 - cosine) / below**2


def _fit(values: Any, angles: Any, times: Any, t1_range_s: tuple[float, float]) -> tuple[Any, Any, Any]:
    rates = np.geomspace(1 / t1_range_s[1], 1 / t1_range_s[0], GRID)
    curves, _ = _shape(rates, angles, times)
    gain = np.maximum(curves.T @ values, 0.0) ** 2 / (curves**2).sum(axis=0)[:, None]
    log_rate = np.log(rates)[gain.argmax(axis=0)]
    low, high = np.log(rates[0]), np.log(rates[-1])

    def solve(at: Any) -> tuple[Any, Any, Any]:
        model, slope = _shape(np.exp(at), angles, times)
        norm = (model**2).sum(axis=0)
        s0 = (values * model).sum(axis=0) / norm
        rest = values - s0 * model
        slope = s0 * (slope - model * (slope * model).sum(axis=0) / norm)  # s0 follows by itself
        bend = (slope**2).sum(axis=0)
        step = (slope * rest).sum(axis=0) / np.where(bend > 0, bend, np.inf)
        return s0, (rest**2).sum(axis=0), step

    s0, cost, step = solve(log_rate)
    damping = np.ones_like(cost)
    for _ in range(NEWTON):
        trial = np.clip(log_rate + np.clip(damping * step, -1.0, 1.0), low, high)
        new_s0, new_cost, new_step = solve(trial)
        better = new_cost <= cost
        log_rate, s0 = np.where(better, trial, log_rate), np.where(better, new_s0, s0)
        cost, step = np.where(better, new_cost, cost), np.where(better, new_step, step)
        damping = np.where(better, np.minimum(2 * damping, 1.0), damping / 4)
    return np.exp(-log_rate), s0, np.sqrt(cost / len(values))
