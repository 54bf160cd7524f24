"""Area under the curve with its interval, and paired comparison of two models on the same patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spinekit.errors import InputRefusedError
from spinekit.evaluation.outcomes import labels_and_scores, require_probabilities

__all__ = [
    "AucDifference",
    "AucEstimate",
    "Interval",
    "bootstrap_interval",
    "delong_auc",
    "delong_test",
    "paired_bootstrap",
    "reclassification",
    "stratified_draws",
]

Metric = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True)
class AucEstimate:
    """Area under the ROC curve, its standard error and confidence limits by DeLong."""

    auc: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class AucDifference:
    """First area less second; `p` is two-sided and NaN where the difference has no variance."""

    first: float
    second: float
    difference: float
    se: float
    z: float
    p: float


@dataclass(frozen=True)
class Interval:
    """A value with the percentile limits of its bootstrap distribution of `n` resamples."""

    value: float
    low: float
    high: float
    n: int


def _placements(truth: NDArray[Any], score: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the share of controls below each case, and of cases above each control; ties count half."""
    cases, controls = score[truth], score[~truth]
    ranks = stats.rankdata(score)
    above = (ranks[truth] - stats.rankdata(cases)) / controls.size
    below = 1.0 - (ranks[~truth] - stats.rankdata(controls)) / cases.size
    return above, below


def _require_two_of_each(truth: NDArray[Any]) -> None:
    n_cases, n_controls = int(truth.sum()), int((~truth).sum())
    if min(n_cases, n_controls) < 2:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"There are {n_cases} patients of class 1 and {n_controls} of class 0.",
            expected="At least two of each, since a variance is estimated.",
            cause="The sample may be a single fold.",
            cure="Pool the predictions of all outer folds first.",
        )


def _covariance(truth: NDArray[Any], scores: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    placements = [_placements(truth, score) for score in scores]
    above, below = np.array([p[0] for p in placements]), np.array([p[1] for p in placements])
    covariance = np.atleast_2d(np.cov(above)) / above.shape[1] + np.atleast_2d(np.cov(below)) / below.shape[1]
    return above.mean(axis=1), covariance


def delong_auc(labels: Any, scores: Any, *, confidence: float = 0.95) -> AucEstimate:
    """Return the area under the ROC curve with DeLong's standard error.

    Parameters
    ----------
    labels : array of shape (N,)
        0 or 1, one per patient.
    scores : array of shape (N,)
        Higher means class 1; any scale.
    confidence : float
        Of the limits, which are symmetric about the area and cut at 0 and 1.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch``; ``value-out-of-range`` with fewer than two patients of a class.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845.
    .. [2] Sun X, Xu W. IEEE Signal Process Lett 2014;21:1389-1393.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    >>> s = [0.1, 0.4, 0.35, 0.8, 0.9, 0.7, 0.65, 0.3, 0.95, 0.2]
    >>> estimate = delong_auc(y, s)
    >>> round(estimate.auc, 6), round(estimate.se, 6)
    (0.8, 0.154919)
    """
    truth, score = labels_and_scores(labels, scores)
    _require_two_of_each(truth)
    areas, covariance = _covariance(truth, (score,))
    auc, se = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return AucEstimate(auc, se, max(0.0, auc - reach), min(1.0, auc + reach))


def delong_test(labels: Any, first: Any, second: Any) -> AucDifference:
    """Compare two correlated areas by DeLong's test: both models have seen the same patients.

    Examples
    --------
    >>> result = delong_test([0, 0, 1, 1, 0, 1], [1, 2, 3, 4, 5, 6], [2, 1, 3, 5, 4, 6])
    >>> round(result.first, 4), round(result.second, 4)
    (0.7778, 0.8889)
    """
    truth, one, other = labels_and_scores(labels, first, second)
    _require_two_of_each(truth)
    areas, covariance = _covariance(truth, (one, other))
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(areas[0] - areas[1])
    if variance <= 1e-15:  # the same order of patients: rounding is all that is left
        return AucDifference(float(areas[0]), float(areas[1]), difference, 0.0, float("nan"), float("nan"))
    se = float(np.sqrt(variance))
    z = difference / se
    return AucDifference(float(areas[0]), float(areas[1]), difference, se, z, float(2 * stats.norm.sf(abs(z))))


def stratified_draws(truth: NDArray[Any], n: int, seed: int) -> list[NDArray[Any]]:
    """Draw patients with replacement within each class, so that no resample lacks one; row numbers, `n` times."""
    random = np.random.default_rng(seed)
    cases, controls = np.flatnonzero(truth), np.flatnonzero(~truth)
    return [
        np.concatenate([random.choice(cases, cases.size), random.choice(controls, controls.size)]) for _ in range(n)
    ]


def _interval(value: float, drawn: list[float], confidence: float) -> Interval:
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(float(value), float(low), float(high), len(drawn))


def bootstrap_interval(
    labels: Any, scores: Any, metric: Metric, *, seed: int, n: int = 2000, confidence: float = 0.95
) -> Interval:
    """Return a metric with percentile limits from patients drawn anew within each class.

    Parameters
    ----------
    metric : callable
        Takes labels and scores, gives a float.
    seed : int
        Of the draws; equal seeds give equal limits.

    Examples
    --------
    >>> bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], lambda y, s: s[y].mean() - s[~y].mean(), seed=1, n=100).value
    2.0
    """
    truth, score = labels_and_scores(labels, scores)
    drawn = [metric(truth[rows], score[rows]) for rows in stratified_draws(truth, n, seed)]
    return _interval(metric(truth, score), drawn, confidence)


def paired_bootstrap(
    labels: Any, first: Any, second: Any, metric: Metric, *, seed: int, n: int = 2000, confidence: float = 0.95
) -> Interval:
    """Return the first model's metric less the second's, both on the same drawn patients.

    Examples
    --------
    >>> paired_bootstrap([0, 1], [1, 3], [1, 2], lambda y, s: s[y].mean(), seed=1, n=10)
    Interval(value=1.0, low=1.0, high=1.0, n=10)
    """
    truth, one, other = labels_and_scores(labels, first, second)
    drawn = [
        metric(truth[rows], one[rows]) - metric(truth[rows], other[rows]) for rows in stratified_draws(truth, n, seed)
    ]
    return _interval(metric(truth, one) - metric(truth, other), drawn, confidence)


def reclassification(labels: Any, old: Any, new: Any, *, threshold: float) -> dict[str, float]:
    """Return net reclassification at a threshold and integrated discrimination improvement.

    Parameters
    ----------
    old, new : array of shape (N,)
        Probabilities of two models.
    threshold : float
        At or above it a patient is called class 1. No default: it is a clinical choice.

    Returns
    -------
    dict
        ``nri_events``, ``nri_nonevents``, ``nri`` (their sum), ``idi``.

    References
    ----------
    .. [1] Pencina MJ et al. Stat Med 2008;27:157-172.

    Examples
    --------
    >>> reclassification([1, 1, 0, 0], [0.4, 0.6, 0.6, 0.2], [0.6, 0.7, 0.4, 0.1], threshold=0.5)["nri"]
    1.0
    """
    truth, before, after = labels_and_scores(labels, old, new)
    for probabilities in (before, after):
        require_probabilities(probabilities)
    moved = (after >= threshold).astype(int) - (before >= threshold).astype(int)
    events, nonevents = float(moved[truth].mean()), float(-moved[~truth].mean())
    gain = after - before
    idi = float(gain[truth].mean() - gain[~truth].mean())
    return {"nri_events": events, "nri_nonevents": nonevents, "nri": events + nonevents, "idi": idi}
