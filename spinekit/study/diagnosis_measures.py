"""How good a model's answers are on patients it has not met: ranking, calibration, coverage, each with its chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.diagnose import COVERAGE, judge_crop
from spinekit.diagnosis.diagnose_model import CLASSES, DiagnosisModel
from spinekit.evaluation import bootstrap_interval, calibration, delong_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import Diagnosis
    from spinekit.study.diagnosis_lesions import LabelledLesion

__all__ = ["answers", "ece_by_chance", "measures", "measures_of", "share_interval"]

LEAST_IN_GROUP = 20  # patients, so that a group's share of events means something


def answers(
    model: DiagnosisModel, cases: Sequence[LabelledLesion], *, clinical: bool, coverage: float = COVERAGE
) -> tuple[Diagnosis, ...]:
    """Return what the model says of each case, also of one that is unlike its training; with clinical facts or not."""
    return tuple(
        judge_crop(model, c.crop, override=True, clinical=c.clinical if clinical else None, coverage=coverage)
        for c in cases
    )


def measures(model: DiagnosisModel, cases: Sequence[LabelledLesion], *, seed: int) -> dict[str, Any]:
    """Measure a model on patients that took no part in its training or calibration.

    Returns
    -------
    dict
        For ``network`` and ``combined`` what `measures_of` gives; beside them the number of cases, and the share that
        is called unlike the training cases (and would not be put to the model).
    """
    labels = np.array([c.label for c in cases])
    unlike = [model.judgement.familiar.compare(c.crop).unlike for c in cases]
    counts = {name: int((labels == k).sum()) for k, name in enumerate(CLASSES)}
    found = {
        name: measures_of(labels, answers(model, cases, clinical=name == "combined"), seed=seed)
        for name in ("network", "combined")
    }
    return {"cases": counts, "called_unlike": float(np.mean(unlike)), **found}


def measures_of(labels: Any, told: Sequence[Diagnosis], *, seed: int) -> dict[str, Any]:
    """Measure answers against the truth.

    Parameters
    ----------
    labels : array of shape (N,)
        Index in ``CLASSES``.
    told : sequence of Diagnosis
        One per case, none without a probability.
    seed : int
        Of the bootstrap and of the draws by chance.

    Returns
    -------
    dict
        Area under the curve with its bootstrap interval; expected calibration error over ``ece_groups`` groups of
        equal size, beside ``ece_by_chance``, the mean that perfect probabilities would have on as many patients, and
        the share ``ece_p`` of such draws that reach it; Brier score and calibration slope; of the conformal sets the
        coverage with its 95 % interval and by class; the share of cases with a label and how many of these are right.
    """
    truth = np.asarray(labels)
    p = np.array([d.probabilities[CLASSES[1]] for d in told])
    area = bootstrap_interval(truth, p, lambda y, s: delong_auc(y, s).auc, seed=seed, n=1000)
    groups = max(2, min(10, truth.size // LEAST_IN_GROUP))
    fit, chance = calibration(truth, p, groups=groups), ece_by_chance(p, groups=groups, seed=seed)
    held = np.array([CLASSES[y] in d.label_set for y, d in zip(truth, told, strict=True)])
    low, high = share_interval(int(held.sum()), held.size)
    right = [d.label == CLASSES[y] for y, d in zip(truth, told, strict=True) if d.label is not None]
    return {
        "auc": area.value, "auc_low": area.low, "auc_high": area.high,
        "ece": fit.ece, "ece_groups": groups, "ece_by_chance": float(chance.mean()),
        "ece_p": float(np.mean(chance >= fit.ece)), "brier": fit.brier, "calibration_slope": fit.slope,
        "coverage_stated": told[0].coverage, "coverage": float(held.mean()), "coverage_low": low, "coverage_high": high,
        "coverage_by_class": {name: float(held[truth == k].mean()) for k, name in enumerate(CLASSES)},
        "labelled": len(right) / truth.size,
        "accuracy_of_labelled": float(np.mean(right)) if right else float("nan"),
    }  # fmt: skip


def ece_by_chance(probabilities: Any, *, groups: int, seed: int, n: int = 2000) -> NDArray[np.float64]:
    """Return the expected calibration errors that probabilities show when they are exactly right.

    The error is a sum of magnitudes, so that it is above 0 even then: by 0.05 to 0.06 for 240 patients in ten groups.

    Parameters
    ----------
    probabilities : array of shape (N,)
        Of class 1.
    groups : int
        As for `spinekit.evaluation.calibration`.
    seed : int
        Of the outcomes, each drawn with its own probability.
    n : int
        Draws.

    Returns
    -------
    ndarray of shape (n,), float64

    References
    ----------
    .. [1] Bröcker J, Smith LA. Weather and Forecasting 2007;22:651-661 (consistency resampling).

    Examples
    --------
    >>> bool(ece_by_chance([0.0, 0.0, 1.0, 1.0], groups=2, seed=1).max() == 0.0)  # nothing is left to chance
    True
    """
    p = np.sort(np.asarray(probabilities, dtype=np.float64))
    drawn = np.random.default_rng(seed).random((n, p.size)) < p
    parts = np.array_split(np.arange(p.size), groups)
    gaps = [np.abs(drawn[:, part].mean(axis=1) - p[part].mean()) * part.size for part in parts]
    return np.asarray(np.sum(gaps, axis=0) / p.size)


def share_interval(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson).

    Examples
    --------
    >>> [round(limit, 3) for limit in share_interval(216, 240)]
    [0.855, 0.935]
    """
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)
