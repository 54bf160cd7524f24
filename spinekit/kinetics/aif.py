r"""Arterial input: population curves in closed form.

Times are seconds on the scale of the series; `delay_s` moves the curve to later times, and there is
no contrast agent before it. Concentrations are mM.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BIEXPONENTIAL", "HEMATOCRIT", "biexponential_aif", "parker_aif"]

HEMATOCRIT = 0.42  # adult mean, as in Parker 2006

# Lang 2017: amplitudes a1, a2 in kg/L and rates m1, m2 in 1/min
BIEXPONENTIAL: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "fast": (92.0, 6.4, 5.3, 0.016),
        "medium": (24.0, 6.2, 3.0, 0.016),
        "slow": (3.99, 4.78, 0.144, 0.011),
    }
)


def _require_hematocrit(hematocrit: float) -> None:
    if not 0.0 <= hematocrit < 1.0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The haematocrit is {hematocrit:g}.",
            expected="A fraction from 0 to below 1.",
            cause="It may have been given in percent.",
            cure="Give 0.42 for 42 %.",
        )


def parker_aif(times_s: ArrayLike, *, delay_s: float = 0.0, hematocrit: float = HEMATOCRIT) -> NDArray[np.float64]:
    r"""Compute Parker's population arterial input, two Gaussians and an exponential with a sigmoid.

    Parameters
    ----------
    times_s : ndarray of shape (T,)
        Seconds.
    delay_s : float
        Where the curve starts, s. The published curve reaches its first peak 10.2 s later.
    hematocrit : float
        Plasma is blood / (1 - hematocrit). With 0 the curve is that of whole blood, as published.

    Returns
    -------
    ndarray of shape (T,), float64
        Concentration in plasma, mM, for a dose of 0.1 mmol/kg; 0 before `delay_s`, NaN at NaN.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for a haematocrit outside [0, 1).

    References
    ----------
    .. [1] Parker 2006, Magn Reson Med 56:993, Table 1, doi 10.1002/mrm.21066.

    Examples
    --------
    >>> parker_aif([0.0, 20.0, 30.0, 60.0], delay_s=20.0, hematocrit=0.0).round(3)
    array([0.   , 0.08 , 6.042, 1.011])
    """
    _require_hematocrit(hematocrit)
    seconds = np.asarray(times_s, dtype=np.float64)
    t = (seconds - delay_s) / 60.0
    u = np.where(t < 0.0, 0.0, t)  # exp(-s (t - tau)) overflows long before arrival
    blood = np.zeros_like(t)
    for area, middle, width in ((0.809, 0.17046, 0.0563), (0.330, 0.365, 0.132)):
        blood += area / (width * np.sqrt(2.0 * np.pi)) * np.exp(-((u - middle) ** 2) / (2.0 * width**2))
    blood += 1.050 * np.exp(-0.1685 * u) / (1.0 + np.exp(-38.078 * (u - 0.483)))
    return np.where(seconds < delay_s, 0.0, blood) / (1.0 - hematocrit)


def biexponential_aif(
    times_s: ArrayLike, *, kind: str, dose_mmol_per_kg: float = 0.1, delay_s: float = 0.0
) -> NDArray[np.float64]:
    r"""Compute one of Lang's three blood curves, C = D [a1 exp(-m1 t) + a2 exp(-m2 t)].

    The paper uses the curve as Tofts' input as it stands, without a haematocrit; so do we.

    Parameters
    ----------
    times_s : ndarray of shape (T,)
        Seconds.
    kind : {"fast", "medium", "slow"}
        Which curve.
    dose_mmol_per_kg : float
        Dose D.
    delay_s : float
        Time of arrival; the curve jumps to its maximum there.

    Returns
    -------
    ndarray of shape (T,), float64
        mM; 0 before `delay_s`, NaN at NaN.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for another `kind`.

    References
    ----------
    .. [1] Lang 2017, Acad Radiol, doi 10.1016/j.acra.2016.12.014.

    Examples
    --------
    >>> biexponential_aif([0.0, 10.0, 70.0], kind="fast", delay_s=10.0).round(3)
    array([0.   , 9.84 , 0.676])
    """
    if kind not in BIEXPONENTIAL:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The blood curve '{kind}' was asked for.",
            expected=f"One of {', '.join(BIEXPONENTIAL)}.",
            cause="The name may be misspelt.",
            cure="Lang 2017 fits best with 'fast' or 'medium'.",
        )
    a1, a2, m1, m2 = BIEXPONENTIAL[kind]
    seconds = np.asarray(times_s, dtype=np.float64)
    t = (seconds - delay_s) / 60.0
    u = np.where(t < 0.0, 0.0, t)
    blood = dose_mmol_per_kg * (a1 * np.exp(-m1 * u) + a2 * np.exp(-m2 * u))
    return np.where(seconds < delay_s, 0.0, blood)
