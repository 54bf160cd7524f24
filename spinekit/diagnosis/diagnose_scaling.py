"""From a network's logit to a probability that means what it says: Platt scaling on cases it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from spinekit.errors import InputRefusedError

__all__ = ["Scaling", "fit_scaling"]


@dataclass(frozen=True)
class Scaling:
    """probability = expit(slope * logit + intercept); 1 / slope is the temperature."""

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, logit: Any) -> Any:
        """Return the probability of class 1, of the shape of `logit`."""
        return expit(self.slope * np.asarray(logit, dtype=np.float64) + self.intercept)

    def as_dict(self) -> dict[str, float]:
        """Return plain values, as written to the card."""
        return {"slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Scaling:
        """Rebuild from `as_dict`."""
        return cls(float(record["slope"]), float(record["intercept"]))


def fit_scaling(labels: Any, logits: Any) -> Scaling:
    """Fit slope and intercept by maximum likelihood.

    Parameters
    ----------
    labels : array of shape (N,)
        0 or 1.
    logits : array of shape (N,)
        Of class 1.

    Returns
    -------
    Scaling
        The classes' targets are drawn in by 1 / (n + 2), as Platt did, so that classes which are told apart without
        an error still get a finite slope.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if a class is absent; ``fit-failed`` if higher logits do not mean class 1.

    References
    ----------
    .. [1] Platt JC. Advances in Large Margin Classifiers, MIT Press 1999, 61-74.

    Examples
    --------
    >>> scaling = fit_scaling([0, 0, 1, 0, 1, 1], [-4.0, -2.0, -1.0, 1.0, 2.0, 4.0])
    >>> 0.3 < scaling.slope < 1.0, abs(scaling.intercept) < 1e-8
    (True, True)
    """
    from scipy.optimize import minimize

    truth, logit = np.asarray(labels), np.asarray(logits, dtype=np.float64)
    positive, negative = int((truth == 1).sum()), int((truth == 0).sum())
    if min(positive, negative) == 0 or truth.shape != logit.shape or not np.isfinite(logit).all():
        raise InputRefusedError(
            "value-out-of-range",
            found=f"There are {negative} and {positive} cases of the classes with {logit.size} logits.",
            expected="At least one case of each class, each with a finite logit.",
            cause="The calibration set may hold one class only.",
            cure="Add cases of the other class.",
        )
    target = np.where(truth == 1, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))

    def loss(ab: Any) -> Any:
        z = ab[0] * logit + ab[1]
        error = expit(z) - target
        value = float((np.logaddexp(0.0, z) - target * z).sum())
        return value, np.array([(error * logit).sum(), error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    if not found.x[0] > 0:
        raise InputRefusedError(
            "fit-failed",
            found=f"The slope of the calibration is {found.x[0]:.3g}.",
            expected="A positive one: a higher logit means class 1.",
            cause="The classes may be swapped, or the network has learned nothing.",
            cure="Check the labels of both sets, or train longer.",
        )
    return Scaling(float(found.x[0]), float(found.x[1]))
