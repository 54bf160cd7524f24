r"""Tofts and extended Tofts models: tissue concentration from plasma concentration.

The plasma curve is taken as linear between its samples, and its convolution with exp(-kep t) is then
exact: no error from the sampling of the exponential. Times are seconds; Ktrans and kep are 1/min.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinekit.errors import InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["convolve_exponential", "extended_tofts", "tofts"]

SMALL = 1e-2  # below this the closed forms lose digits by cancellation and their series are exact to 1e-12


def _checked(plasma_mM: ArrayLike, times_s: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    plasma = np.asarray(plasma_mM, dtype=np.float64)
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or plasma.shape != times.shape:
        raise ShapeMismatchError(
            found=f"There are {times.size} times for a plasma curve of shape {plasma.shape}.",
            expected="One plasma concentration per time, both along one axis.",
            cause="The arterial input may have been sampled at other times than the series.",
            cure="Sample it at these times, for example with numpy.interp.",
        )
    if not (np.diff(times) > 0).all():
        raise InputRefusedError(
            "times-invalid",
            found=f"The times run {times[:5].tolist()} and so on.",
            expected="Finite seconds that rise.",
            cause="They may be out of order, or doubled.",
            cure="Sort them, with the concentrations.",
        )
    return plasma, times


def _segment_weights(u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return exp(-u) and what the start and end of a linear segment weigh in it, per unit of its length."""
    decay = np.exp(-u)
    safe = np.where(u > SMALL, u, 1.0)
    whole = np.where(u > SMALL, -np.expm1(-u) / safe, 1.0 - u / 2 * (1.0 - u / 3 * (1.0 - u / 4 * (1.0 - u / 5))))
    late = np.where(
        u > SMALL, (1.0 - whole) / safe, 0.5 * (1.0 - u / 3 * (1.0 - u / 4 * (1.0 - u / 5 * (1.0 - u / 6))))
    )
    return decay, whole - late, late


def convolve_exponential(plasma_mM: ArrayLike, times_s: ArrayLike, *, rate_per_min: ArrayLike) -> NDArray[np.float64]:
    r"""Compute the integral of Cp(s) exp(-k (t - s)) ds from the first time to t, for Cp linear between samples.

    Parameters
    ----------
    plasma_mM : ndarray of shape (T,)
        Cp, mM.
    times_s : ndarray of shape (T,)
        Seconds, rising; need not be uniform.
    rate_per_min : float or ndarray of shape (...)
        k, 1/min; may be 0, which gives the running integral.

    Returns
    -------
    ndarray of shape (T, ...), float64
        mM min; 0 at the first time. NaN where k is NaN, and after a NaN in `plasma_mM`.

    Raises
    ------
    ShapeMismatchError
        If there is not one concentration per time.
    InputRefusedError
        ``times-invalid`` if the times do not rise.

    Examples
    --------
    >>> convolve_exponential([1.0, 1.0, 1.0], [0, 30, 90], rate_per_min=0.0)
    array([0. , 0.5, 1.5])
    """
    plasma, times = _checked(plasma_mM, times_s)
    rate = np.asarray(rate_per_min, dtype=np.float64)
    result = np.zeros((times.size, *rate.shape))
    for t in range(1, times.size):
        step = (times[t] - times[t - 1]) / 60.0
        decay, early, late = _segment_weights(rate * step)
        result[t] = decay * result[t - 1] + step * (early * plasma[t - 1] + late * plasma[t])
    return result


def extended_tofts(
    plasma_mM: ArrayLike,
    times_s: ArrayLike,
    *,
    ktrans_per_min: ArrayLike,
    kep_per_min: ArrayLike | None = None,
    ve: ArrayLike | None = None,
    vp: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    r"""Compute the extended Tofts tissue curve, C = vp Cp + Ktrans (Cp * exp(-kep t)).

    Parameters
    ----------
    plasma_mM : ndarray of shape (T,)
        Plasma concentration at `times_s`, mM. Sample it finely where it changes quickly: it is taken as
        linear between samples.
    times_s : ndarray of shape (T,)
        Seconds, rising.
    ktrans_per_min : float or ndarray of shape (...)
        Ktrans, 1/min.
    kep_per_min, ve : float or ndarray of shape (...)
        One of the two: kep in 1/min, or ve = Ktrans/kep.
    vp : float or ndarray of shape (...)
        Plasma volume fraction.

    Returns
    -------
    ndarray of shape (T, ...), float64
        mM. NaN where a parameter is NaN; with `ve` of 0 nothing leaks, and vp Cp is left.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if not exactly one of `kep_per_min` and `ve` is given; ``times-invalid``.
    ShapeMismatchError
        If there is not one concentration per time.

    References
    ----------
    .. [1] Tofts 1999, J Magn Reson Imaging 10:223; OSIPI CAPLEX M.IC1.005.

    Examples
    --------
    >>> extended_tofts([0.0, 6.0, 6.0], [0, 1, 61], ktrans_per_min=0.1, kep_per_min=0.0, vp=0.05).round(3)
    array([0.   , 0.305, 0.905])
    """
    if (kep_per_min is None) == (ve is None):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{'Neither' if ve is None else 'Both'} of kep_per_min and ve were given.",
            expected="Exactly one of them; the other follows from ve = Ktrans/kep.",
            cause="The model has one exponential.",
            cure="Leave one out.",
        )
    plasma, times = _checked(plasma_mM, times_s)
    ktrans, fraction = np.asarray(ktrans_per_min, dtype=np.float64), np.asarray(vp, dtype=np.float64)
    if kep_per_min is None:
        volume = np.asarray(ve, dtype=np.float64)
        nothing = volume == 0.0
        rate = np.where(nothing, 0.0, ktrans / np.where(nothing, 1.0, volume))
        ktrans = np.where(nothing, 0.0, ktrans)
    else:
        rate = np.asarray(kep_per_min, dtype=np.float64)
    shape = np.broadcast_shapes(ktrans.shape, rate.shape, fraction.shape)
    vessels = plasma.reshape(-1, *(1,) * len(shape)) * fraction
    leaked = convolve_exponential(plasma, times, rate_per_min=np.broadcast_to(rate, shape))
    return vessels + ktrans * leaked


def tofts(
    plasma_mM: ArrayLike,
    times_s: ArrayLike,
    *,
    ktrans_per_min: ArrayLike,
    kep_per_min: ArrayLike | None = None,
    ve: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Compute the Tofts tissue curve: `extended_tofts` without plasma in the tissue.

    Examples
    --------
    >>> tofts([0.0, 6.0, 6.0], [0, 1, 61], ktrans_per_min=0.1, kep_per_min=0.0).round(3)
    array([0.   , 0.005, 0.605])
    """
    return extended_tofts(plasma_mM, times_s, ktrans_per_min=ktrans_per_min, kep_per_min=kep_per_min, ve=ve)
