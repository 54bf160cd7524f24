"""Which classes cannot be ruled out, with a stated coverage: split conformal prediction, class by class.

A class stays in a case's set unless its probability is lower than nearly all that cases of that class were given.
Whatever the classifier, the true class is then in the set with at least the stated probability, in each class, as
long as new cases are drawn like those of the calibration; it promises nothing for cases that are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError

__all__ = ["Conformal", "fit_conformal"]


@dataclass(frozen=True)
class Conformal:
    """Scores of the calibration cases, by which later cases are judged.

    Attributes
    ----------
    classes : tuple of str
        Names, in the order of the probabilities.
    scores : tuple of tuple of float
        Per class: 1 - probability of the true class of each calibration case, ascending.
    """

    classes: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]

    def threshold(self, which: int, coverage: float) -> float:
        """Return the largest score a class may have to stay in the set; inf where there are too few cases.

        The rank is ceil((n + 1) coverage), which is what makes the promise hold for finite n.
        """
        own = self.scores[which]
        rank = int(np.ceil((len(own) + 1) * coverage - 1e-9))
        return own[rank - 1] if rank <= len(own) else float("inf")

    def prediction_set(self, probabilities: Sequence[float], *, coverage: float) -> tuple[str, ...]:
        """Return the classes that cannot be ruled out.

        Parameters
        ----------
        probabilities : sequence of float
            One per class.
        coverage : float
            Above 0 and below 1.

        Returns
        -------
        tuple of str
            One class where the case is clear; several or none where it is not.

        Examples
        --------
        >>> judge = fit_conformal([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.4, 0.6, 0.7, 0.9], classes=("a", "b"))
        >>> judge.prediction_set([0.95, 0.05], coverage=0.5), judge.prediction_set([0.5, 0.5], coverage=0.75)
        (('a',), ())
        """
        _require_share(coverage)
        return tuple(
            name
            for k, name in enumerate(self.classes)
            if 1.0 - float(probabilities[k]) <= self.threshold(k, coverage) + 1e-12
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to the card."""
        return {"classes": list(self.classes), "scores": [list(s) for s in self.scores]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Conformal:
        """Rebuild from `as_dict`."""
        return cls(tuple(record["classes"]), tuple(tuple(s) for s in record["scores"]))


def fit_conformal(labels: Any, probabilities: Any, *, classes: tuple[str, str]) -> Conformal:
    """Keep the scores of calibration cases that the classifier has not been trained on.

    Parameters
    ----------
    labels : array of shape (N,)
        0 or 1.
    probabilities : array of shape (N,)
        Of class 1.
    classes : tuple of str
        Names of class 0 and class 1.

    Returns
    -------
    Conformal

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if a class has no case or a probability is none.

    References
    ----------
    .. [1] Vovk V, Gammerman A, Shafer G. Algorithmic Learning in a Random World. Springer 2005, chapter 4.
    .. [2] Sadinle M, Lei J, Wasserman L. J Am Stat Assoc 2019;114:223-234.
    """
    truth, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    fair = truth.shape == p.shape and bool(((p >= 0) & (p <= 1)).all())
    if not fair or any(not (truth == k).any() for k in (0, 1)):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The calibration cases number {int((truth == 0).sum())} and {int((truth == 1).sum())} per class.",
            expected="At least one of each, with a probability from 0 to 1.",
            cause="The calibration set may hold one class only, or logits were given.",
            cure="Add cases, or turn logits into probabilities.",
        )
    own = np.where(truth == 1, 1.0 - p, p)
    return Conformal(classes, tuple(tuple(np.sort(own[truth == k]).tolist()) for k in (0, 1)))


def _require_share(coverage: float) -> None:
    if not 0.0 < coverage < 1.0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"A coverage of {coverage} was asked for.",
            expected="A share above 0 and below 1, such as 0.9.",
            cause="It may have been given in percent.",
            cure="Give a share.",
        )
