"""True classes and predictions as arrays that have been checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit.errors import InputRefusedError, ShapeMismatchError

__all__ = ["labels_and_scores", "require_probabilities"]


def labels_and_scores(labels: Any, *scores: Any) -> tuple[NDArray[Any], ...]:
    """Return labels as bool and scores as float64 of one length, or refuse.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch``; ``value-out-of-range`` for a label other than 0 and 1, for one class
        only, and for a score that is NaN or infinite.

    Examples
    --------
    >>> labels_and_scores([0, 1], [0.2, 0.7])[0]
    array([False,  True])
    """
    truth = np.asarray(labels)
    given = [np.asarray(s, dtype=np.float64) for s in scores]
    if truth.ndim != 1 or any(s.shape != truth.shape for s in given):
        raise ShapeMismatchError(
            found=f"There are labels of shape {truth.shape} and scores of shape {[s.shape for s in given]}.",
            expected="One label and one score per patient, in one dimension.",
            cause="Patients may have been left out of one of the tables.",
            cure="Join the tables on the patient's pseudonym first.",
        )
    if not np.isin(truth, (0, 1)).all() or np.unique(truth).size < 2:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The labels are {np.unique(truth).tolist()[:5]} in {truth.size} patients.",
            expected="Labels 0 and 1, each at least once.",
            cause="A fold or centre may hold one class only, or a label may be missing.",
            cure="Use fewer folds, or code the classes as 0 and 1 with no gaps.",
        )
    bad = sum(int(np.count_nonzero(~np.isfinite(s))) for s in given)
    if bad:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{bad} scores are NaN or infinite.",
            expected="A finite score for each patient.",
            cause="A model may have abstained, or a feature was undefined.",
            cure="Report those patients apart and leave them out of both labels and scores.",
        )
    return (truth.astype(bool), *given)


def require_probabilities(scores: NDArray[Any]) -> None:
    """Refuse scores outside 0 to 1, such as distances from a decision boundary."""
    if scores.min() < 0 or scores.max() > 1:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The predictions run from {scores.min():.4g} to {scores.max():.4g}.",
            expected="Probabilities from 0 to 1.",
            cause="They may be decision values or logits.",
            cure="Pass the output of predict_proba.",
        )
