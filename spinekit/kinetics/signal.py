r"""Signal of a spoiled gradient echo (SPGR) and concentration of contrast agent, both ways.

Curves are ``(T, ...)``, time first; T1 and equilibrium signal are numbers or arrays ``(...)``, so that
they spread over time by numpy's rules. Times in seconds, concentrations in mM, angles in degrees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["RELAXIVITY_PER_MM_S", "concentration_from_signal", "require_protocol", "spgr_signal"]

RELAXIVITY_PER_MM_S = 4.5  # gadolinium chelates in plasma at 37 °C, 1.5 to 3 T, rounded (Rohrer 2005)


def require_protocol(*, repetition_time_s: float, flip_angle_deg: float) -> None:
    """Refuse a repetition time or flip angle that no spoiled gradient echo can have.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range``. A repetition time of more than 2 s is taken for milliseconds.
    """
    if 0.0 < repetition_time_s <= 2.0 and 0.0 < flip_angle_deg < 180.0:
        return
    raise InputRefusedError(
        "value-out-of-range",
        found=f"The repetition time is {repetition_time_s:g} s and the flip angle {flip_angle_deg:g}°.",
        expected="A repetition time above 0 and up to 2 s, and a flip angle between 0 and 180 degrees.",
        cause="Milliseconds may have been given for seconds, or radians for degrees.",
        cure="Give repetition_time_s in seconds and flip_angle_deg in degrees.",
    )


def spgr_signal(
    concentration_mM: ArrayLike,
    *,
    t1_s: ArrayLike,
    repetition_time_s: float,
    flip_angle_deg: float,
    relaxivity_per_mM_s: float = RELAXIVITY_PER_MM_S,
    s0: ArrayLike = 1.0,
    echo_time_s: float = 0.0,
    r2_star_relaxivity_per_mM_s: float = 0.0,
) -> NDArray[np.float64]:
    r"""Compute the steady-state signal of a spoiled gradient echo.

    S = s0 sin a (1 - E) / (1 - E cos a) exp(-TE r2* C), with E = exp(-TR R1) and R1 = 1/T1 + r1 C.

    Parameters
    ----------
    concentration_mM : ndarray of shape (T, ...) or (...)
        Contrast agent in tissue, mM.
    t1_s : float or ndarray of shape (...)
        T1 before contrast agent, s.
    repetition_time_s, flip_angle_deg : float
        Protocol.
    relaxivity_per_mM_s : float
        Longitudinal relaxivity r1, 1/(mM s).
    s0 : float or ndarray of shape (...)
        Equilibrium signal, with the T2* decay without contrast agent in it.
    echo_time_s, r2_star_relaxivity_per_mM_s : float
        Echo time and transverse relaxivity r2*; with the default zeros T2* is left out.

    Returns
    -------
    ndarray of shape (T, ...), float64
        In the unit of `s0`. NaN where an input is NaN.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for a repetition time above 2 s (milliseconds?) or an angle not in (0, 180).

    Notes
    -----
    CAPLEX M.SM2.002 prints exp(+TR R1); the sign is a typo.

    References
    ----------
    .. [1] OSIPI CAPLEX, M.SM2.002 "Spoiled gradient recalled echo model".

    Examples
    --------
    >>> spgr_signal([0.0, 1.0], t1_s=1.0, repetition_time_s=0.005, flip_angle_deg=15.0).round(4)
    array([0.0332, 0.1165])
    """
    require_protocol(repetition_time_s=repetition_time_s, flip_angle_deg=flip_angle_deg)
    content = np.asarray(concentration_mM, dtype=np.float64)
    rate = 1.0 / np.asarray(t1_s, dtype=np.float64) + relaxivity_per_mM_s * content
    decay = np.exp(-repetition_time_s * rate)
    angle = np.deg2rad(flip_angle_deg)
    signal = np.asarray(s0, dtype=np.float64) * np.sin(angle) * -np.expm1(-repetition_time_s * rate)
    signal = signal / (1.0 - decay * np.cos(angle))
    if echo_time_s > 0.0 and r2_star_relaxivity_per_mM_s > 0.0:
        signal = signal * np.exp(-echo_time_s * r2_star_relaxivity_per_mM_s * content)
    return signal


def concentration_from_signal(
    signal: ArrayLike,
    *,
    n_baseline: int,
    t1_s: ArrayLike,
    repetition_time_s: float,
    flip_angle_deg: float,
    relaxivity_per_mM_s: float = RELAXIVITY_PER_MM_S,
) -> NDArray[np.float64]:
    r"""Convert signal to concentration, the exact inverse of `spgr_signal` without T2*.

    The mean of the first `n_baseline` phases fixes s0; then E = (s0 sin a - S) / (s0 sin a - S cos a),
    R1 = -ln(E)/TR and C = (R1 - 1/T1)/r1.

    Parameters
    ----------
    signal : ndarray of shape (T, ...)
        Signal in any unit.
    n_baseline : int
        Number of leading phases without contrast agent.
    t1_s : float or ndarray of shape (...)
        T1 before contrast agent, s.
    repetition_time_s, flip_angle_deg, relaxivity_per_mM_s : float
        As in `spgr_signal`.

    Returns
    -------
    ndarray of shape (T, ...), float64
        mM; noise makes some values negative, and they are kept. NaN where the baseline or T1 is not
        positive, and where the signal is beyond what a T1 of zero could give.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` (protocol, or n_baseline not in 1..T).

    References
    ----------
    .. [1] OSIPI CAPLEX, M.EL1.003 with M.SM2.002.

    Examples
    --------
    >>> protocol = dict(t1_s=1.0, repetition_time_s=0.005, flip_angle_deg=15.0)
    >>> signal = spgr_signal([0.0, 0.2, 1.0], s0=900.0, **protocol)
    >>> concentration_from_signal(signal, n_baseline=1, **protocol).round(9)
    array([0. , 0.2, 1. ])
    """
    require_protocol(repetition_time_s=repetition_time_s, flip_angle_deg=flip_angle_deg)
    values = np.asarray(signal, dtype=np.float64)
    if not 1 <= n_baseline <= values.shape[0]:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"n_baseline is {n_baseline} for {values.shape[0]} phases.",
            expected=f"A number from 1 to {values.shape[0]}.",
            cause="n_baseline counts the phases before the contrast agent arrives.",
            cure="Look at the montage of phases and count those that are not enhanced.",
        )
    t1 = np.asarray(t1_s, dtype=np.float64)
    base = values[:n_baseline].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is undefined becomes NaN below
        rest = np.exp(-repetition_time_s / np.where(t1 > 0.0, t1, np.nan))
        cosine = float(np.cos(np.deg2rad(flip_angle_deg)))
        full = np.where(base > 0.0, base, np.nan) * (1.0 - rest * cosine) / (1.0 - rest)  # s0 sin a
        share = (full - values) / (full - values * cosine)
        share = np.where((share > 0.0) & (values < full), share, np.nan)
        content: Any = (-np.log(share) / repetition_time_s - 1.0 / t1) / relaxivity_per_mM_s
    return content
