"""Whether a predicted probability means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from spinekit.errors import InputRefusedError
from spinekit.evaluation.outcomes import labels_and_scores, require_probabilities

__all__ = ["Calibration", "calibration"]

NEAREST_TO_CERTAIN = 1e-6  # a probability of 0 or 1 has no logit


@dataclass(frozen=True)
class Calibration:
    """Numbers of a calibration plot.

    Attributes
    ----------
    slope : float
        Of the outcome's logit on the prediction's logit; 1 is ideal, below 1 too extreme. NaN where
        the predictions separate the classes or do not vary.
    intercept : float
        Calibration in the large: shift of the logit with the slope held at 1; 0 is ideal.
    ece, brier : float
        Expected calibration error over the groups; mean squared error.
    hosmer_lemeshow, p : float
        Chi-square over the groups with (groups - 2) degrees of freedom and its p value; NaN if a group
        expects no event or no non-event, or fewer than three groups are left.
    predicted, observed, size : tuple
        Mean prediction, share of events and number of patients, group by group.
    """

    slope: float
    intercept: float
    ece: float
    brier: float
    hosmer_lemeshow: float
    p: float
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    size: tuple[int, ...]


def _logistic(design: NDArray[Any], truth: NDArray[Any], offset: NDArray[Any]) -> NDArray[Any]:
    """Fit a logistic regression by Newton's method; NaN where it does not converge."""
    beta = np.zeros(design.shape[1])
    for _ in range(100):
        fitted = expit(design @ beta + offset)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        if np.linalg.cond(information) > 1e12:
            break
        step = np.linalg.solve(information, design.T @ (truth - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return beta
    return np.full(design.shape[1], np.nan)


def calibration(labels: Any, probabilities: Any, *, groups: int = 10) -> Calibration:
    """Return slope, intercept, expected calibration error, Brier score and Hosmer-Lemeshow.

    Parameters
    ----------
    labels : array of shape (N,)
        0 or 1.
    probabilities : array of shape (N,)
        Predicted for class 1, 0 to 1.
    groups : int
        Groups of nearly equal size, by predicted probability; equal predictions are not torn apart only
        by chance of order, since patients are sorted stably.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for scores that are no probabilities or more groups than patients.

    References
    ----------
    .. [1] Van Calster B et al. BMC Med 2019;17:230.
    .. [2] Hosmer DW, Lemeshow S. Commun Stat 1980;9:1043-1069.

    Examples
    --------
    >>> result = calibration([0, 1, 0, 1], [0.25, 0.25, 0.75, 0.75], groups=2)
    >>> result.ece, result.observed
    (0.25, (0.5, 0.5))
    """
    truth, probability = labels_and_scores(labels, probabilities)
    require_probabilities(probability)
    if not 2 <= groups <= truth.size:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{groups} groups were asked for in {truth.size} patients.",
            expected="From 2 groups to one per patient.",
            cause="Ten groups are usual, and the sample may be small.",
            cure="Choose fewer groups.",
        )
    odds = logit(np.clip(probability, NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN))
    outcome = truth.astype(np.float64)
    ones = np.ones_like(odds)
    slope = float(_logistic(np.column_stack([ones, odds]), outcome, 0 * odds)[1])
    intercept = float(_logistic(ones[:, None], outcome, odds)[0])
    parts = np.array_split(np.argsort(probability, kind="stable"), groups)
    predicted = np.array([probability[p].mean() for p in parts])
    observed = np.array([outcome[p].mean() for p in parts])
    size = np.array([p.size for p in parts])
    ece = float((size * np.abs(predicted - observed)).sum() / truth.size)
    brier = float(((probability - outcome) ** 2).mean())
    statistic, p = _hosmer_lemeshow(predicted, observed, size)
    return Calibration(
        slope, intercept, ece, brier, statistic, p,
        tuple(predicted.tolist()), tuple(observed.tolist()), tuple(size.tolist()),
    )  # fmt: skip


def _hosmer_lemeshow(predicted: NDArray[Any], observed: NDArray[Any], size: NDArray[Any]) -> tuple[float, float]:
    spread = size * predicted * (1 - predicted)
    if size.size < 3 or (spread <= 0).any():
        return float("nan"), float("nan")
    statistic = float(((size * (observed - predicted)) ** 2 / spread).sum())
    return statistic, float(stats.chi2.sf(statistic, size.size - 2))
