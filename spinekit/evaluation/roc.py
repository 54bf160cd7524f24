"""The ROC curve, its bootstrap band, and what a threshold makes of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spinekit.evaluation.outcomes import labels_and_scores

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RocCurve", "area_under_curve", "at_threshold", "roc_band", "roc_curve", "youden_threshold"]


@dataclass(frozen=True)
class RocCurve:
    """Corners of a ROC curve, from (0, 0) to (1, 1).

    Attributes
    ----------
    false_positive, true_positive : ndarray of shape (K,)
        Rates where every patient at or above ``threshold`` is called class 1.
    threshold : ndarray of shape (K,)
        Falling; infinite at the first corner, where nobody is called.
    """

    false_positive: NDArray[Any]
    true_positive: NDArray[Any]
    threshold: NDArray[Any]

    @property
    def auc(self) -> float:
        """Area under the corners joined by straight lines, which counts ties half."""
        return float(np.trapezoid(self.true_positive, self.false_positive))


def roc_curve(labels: Any, scores: Any) -> RocCurve:
    """Return the ROC curve with a corner at every distinct score.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch``, ``value-out-of-range``; see `labels_and_scores`.

    Examples
    --------
    >>> curve = roc_curve([0, 1, 1], [0.2, 0.2, 0.9])
    >>> curve.false_positive.tolist(), curve.true_positive.tolist(), curve.auc
    ([0.0, 0.0, 1.0], [0.0, 0.5, 1.0], 0.75)
    """
    truth, score = labels_and_scores(labels, scores)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)  # of each group of equal scores
    hits = np.cumsum(truth[order])[last]
    alarms = last + 1 - hits
    return RocCurve(
        np.append(0.0, alarms / np.count_nonzero(~truth)),
        np.append(0.0, hits / np.count_nonzero(truth)),
        np.append(np.inf, ranked[last]),
    )


def area_under_curve(labels: Any, scores: Any) -> float:
    """Return the area under the ROC curve; ties count half.

    Examples
    --------
    >>> area_under_curve([0, 0, 1, 1], [1, 2, 2, 3])
    0.875
    """
    truth, score = labels_and_scores(labels, scores)
    cases = np.count_nonzero(truth)
    ranks = float(stats.rankdata(score)[truth].sum())
    return float((ranks - cases * (cases + 1) / 2) / (cases * (truth.size - cases)))


def roc_band(
    labels: Any, scores: Any, *, seed: int, n: int = 1000, confidence: float = 0.95, points: int = 101
) -> pd.DataFrame:
    """Return the curve with pointwise percentile limits from patients drawn anew within each class.

    Parameters
    ----------
    seed : int
        Of the draws.
    n, confidence, points : int, float, int
        Number of draws, coverage of the limits, number of false-positive rates from 0 to 1.

    Returns
    -------
    pandas.DataFrame
        Index ``false_positive``; columns ``true_positive``, ``low``, ``high``.

    Examples
    --------
    >>> band = roc_band([0, 0, 1, 1], [1, 2, 3, 4], seed=1, n=20, points=3)
    >>> band["true_positive"].tolist()
    [1.0, 1.0, 1.0]
    """
    import pandas as pd

    from spinekit.evaluation.comparison import stratified_draws

    truth, score = labels_and_scores(labels, scores)
    rates = np.linspace(0.0, 1.0, points)
    drawn = np.array([_at_rates(truth[rows], score[rows], rates) for rows in stratified_draws(truth, n, seed)])
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    table = {"true_positive": _at_rates(truth, score, rates), "low": low, "high": high}
    return pd.DataFrame(table, index=pd.Index(rates, name="false_positive"))


def _at_rates(truth: Any, score: Any, rates: Any) -> Any:
    curve = roc_curve(truth, score)
    # where the curve rises straight up the top of the step counts
    keep = np.append(np.diff(curve.false_positive) > 0, True)
    return np.interp(rates, curve.false_positive[keep], curve.true_positive[keep])


def at_threshold(labels: Any, scores: Any, *, threshold: float) -> dict[str, float]:
    """Return what calling everybody at or above a threshold class 1 comes to.

    Parameters
    ----------
    threshold : float
        No default: it is a clinical choice, and one that is chosen on test patients flatters.

    Returns
    -------
    dict
        ``accuracy``, ``balanced_accuracy``, ``sensitivity``, ``specificity``, ``ppv``, ``npv``; the last
        two NaN where nobody, or everybody, is called class 1.

    Examples
    --------
    >>> at_threshold([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], threshold=0.5)["accuracy"]
    0.5
    """
    truth, score = labels_and_scores(labels, scores)
    called = score >= threshold
    sensitivity, specificity = float(called[truth].mean()), float((~called[~truth]).mean())
    return {
        "accuracy": float((called == truth).mean()),
        "balanced_accuracy": 0.5 * (sensitivity + specificity),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": float(truth[called].mean()) if called.any() else float("nan"),
        "npv": float((~truth[~called]).mean()) if not called.all() else float("nan"),
    }


def youden_threshold(labels: Any, scores: Any) -> float:
    """Return the score with the largest sensitivity + specificity; to be chosen on training patients only.

    Examples
    --------
    >>> youden_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])
    0.6
    """
    curve = roc_curve(labels, scores)
    return float(curve.threshold[1:][int(np.argmax((curve.true_positive - curve.false_positive)[1:]))])
