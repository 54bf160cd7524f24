"""A support vector machine that gives probabilities, also in small folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

__all__ = ["CalibratedSvm"]

FOLDS = 3


class CalibratedSvm(ClassifierMixin, BaseEstimator):
    """Radial support vector machine whose decision values are turned into probabilities by Platt's sigmoid.

    The sigmoid is fitted on decision values of held-out rows, in as many folds (up to 3) as the smaller class
    has rows; with a single row there it is fitted on the training rows' own values, which is too sure.

    Parameters
    ----------
    C : float
        Cost of a row on the wrong side.

    Examples
    --------
    >>> x = np.array([[0.0], [0.2], [0.1], [1.0], [1.2], [1.1]])
    >>> CalibratedSvm().fit(x, [0, 0, 0, 1, 1, 1]).predict(x).tolist()
    [0, 0, 0, 1, 1, 1]
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Any, y: Any) -> CalibratedSvm:
        """Fit machine and sigmoid on these rows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.svm import SVC

        values, labels = np.asarray(X, dtype=np.float64), np.asarray(y)
        self.classes_, counts = np.unique(labels, return_counts=True)
        self.machine_ = SVC(C=self.C, gamma="scale").fit(values, labels)
        folds = min(FOLDS, int(counts.min()))
        if folds >= 2:
            plan = StratifiedKFold(folds)
            decided = cross_val_predict(
                SVC(C=self.C, gamma="scale"), values, labels, cv=plan, method="decision_function"
            )
        else:
            decided = self.machine_.decision_function(values)
        self.sigmoid_ = LogisticRegression().fit(decided[:, None], labels)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, shape (N, 2)."""
        decided = self.machine_.decision_function(np.asarray(X, dtype=np.float64))
        return self.sigmoid_.predict_proba(decided[:, None])

    def predict(self, X: Any) -> Any:
        """Return the class whose probability is larger."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
