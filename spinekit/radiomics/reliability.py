"""How far repeated measurements agree: intraclass correlation, repeatability and reproducibility.

Closed forms for many features at once, so that a filter can be fitted again in every fold; the tests hold them to
pingouin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

__all__ = ["COLUMNS", "reliability"]

COLUMNS = (
    "icc2",
    "icc2_low",
    "icc2_high",
    "icc3",
    "icc3_low",
    "icc3_high",
    "repeatability",
    "reproducibility",
    "n_cases",
)
FEWEST_CASES = 3
COVERAGE = 1.96 * np.sqrt(2.0)  # 95 % of differences of two measurements lie within


def reliability(values: Any, *, confidence: float = 0.95) -> dict[str, NDArray[np.float64]]:
    r"""Return ICC(2,1), ICC(3,1) with confidence limits, and the coefficients of repeatability and reproducibility.

    Parameters
    ----------
    values : ndarray of shape (cases, repeats) or (cases, repeats, features)
        Every case measured in every way. A case with a NaN is left out, for that feature.
    confidence : float
        Of the limits.

    Returns
    -------
    dict of str to ndarray of shape (features,)
        Keys are `COLUMNS`. ICC(2,1) absolute agreement, the repeats a sample of all ways to measure; ICC(3,1)
        consistency, offsets between the ways forgiven. ``repeatability`` :math:`1.96\sqrt{2}\,\sigma_e`:
        95 % of two measurements of one case, offsets removed, differ by less; ``reproducibility``
        :math:`1.96\sqrt{2}\sqrt{\sigma_e^2 + \sigma_r^2}` with the offsets; both in the feature's unit. NaN with
        fewer than three cases or two repeats, or where nothing varies.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428; McGraw KO, Wong SP. Psychol Methods 1996;1:30-46.
    .. [2] Raunig DL et al. Quantitative imaging biomarkers: statistical methods for technical performance
       assessment. Stat Methods Med Res 2015;24:27-67.

    Examples
    --------
    The six subjects and four judges of Shrout and Fleiss:

    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = reliability(judges)
    >>> round(float(found["icc2"][0]), 2), round(float(found["icc3"][0]), 2)
    (0.29, 0.71)
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[:, :, None] if array.ndim == 2 else array
    whole = np.isfinite(array).all(axis=1)  # (cases, features)
    found = {name: np.full(array.shape[2], np.nan) for name in COLUMNS}
    found["n_cases"] = whole.sum(axis=0).astype(np.float64)
    patterns, which = np.unique(whole.T, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):  # features with the same cases are computed together
        columns = np.flatnonzero(which.ravel() == number)
        if pattern.sum() < FEWEST_CASES or array.shape[1] < 2:
            continue
        for name, result in _of_complete(array[pattern][:, :, columns], confidence).items():
            found[name][columns] = result
    return found


def _of_complete(values: NDArray[np.float64], confidence: float) -> dict[str, NDArray[np.float64]]:
    n, k, _ = values.shape
    scale = np.abs(values).max(axis=(0, 1))
    scale[scale == 0] = 1.0
    values = values / scale  # squares of features of 1e200 would overflow
    grand = values.mean(axis=(0, 1))
    of_cases, of_ways = values.mean(axis=1), values.mean(axis=0)
    between = k * ((of_cases - grand) ** 2).sum(axis=0) / (n - 1)
    ways = n * ((of_ways - grand) ** 2).sum(axis=0) / (k - 1)
    rest = values - of_cases[:, None] - of_ways[None] + grand
    error = (rest**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    varies = between > 1e-24
    with np.errstate(divide="ignore", invalid="ignore"):
        icc3 = (between - error) / (between + (k - 1) * error)
        icc2 = (between - error) / (between + (k - 1) * error + k * (ways - error) / n)
        limits3 = _limits3(between, error, n, k, confidence)
        limits2 = _limits2(icc2, between, ways, error, n, k, confidence)
    found = {
        "icc2": icc2, "icc2_low": limits2[0], "icc2_high": limits2[1],
        "icc3": icc3, "icc3_low": limits3[0], "icc3_high": limits3[1],
    }  # fmt: skip
    found = {name: np.where(varies, value, np.nan) for name, value in found.items()}
    offsets = np.maximum((ways - error) / n, 0.0)
    found["repeatability"] = COVERAGE * np.sqrt(error) * scale
    found["reproducibility"] = COVERAGE * np.sqrt(error + offsets) * scale
    return found


def _limits3(between: Any, error: Any, n: int, k: int, confidence: float) -> tuple[Any, Any]:
    tail = 1.0 - (1.0 - confidence) / 2.0
    df = (n - 1, (n - 1) * (k - 1))
    ratio = between / error
    low = ratio / fdtri(*df, tail)
    high = ratio * fdtri(df[1], df[0], tail)
    same = error == 0  # every repeat gives the same: certain
    return (np.where(same, 1.0, (low - 1) / (low + k - 1)), np.where(same, 1.0, (high - 1) / (high + k - 1)))


def _limits2(icc2: Any, between: Any, ways: Any, error: Any, n: int, k: int, confidence: float) -> tuple[Any, Any]:
    tail = 1.0 - (1.0 - confidence) / 2.0
    ratio = ways / error
    part = n * (1 + (k - 1) * icc2) - k * icc2
    upper = (k - 1) * (n - 1) * (k * icc2 * ratio + part) ** 2
    lower = (n - 1) * k**2 * icc2**2 * ratio**2 + part**2
    freedom = upper / lower
    first, second = fdtri(n - 1, freedom, tail), fdtri(freedom, n - 1, tail)
    rest = (k * n - k - n) * error
    low = n * (between - first * error) / (first * (k * ways + rest) + n * between)
    high = n * (second * between - error) / (k * ways + rest + n * second * between)
    same = (error == 0) & (ways == 0)
    return np.where(same, 1.0, low), np.where(same, 1.0, high)
