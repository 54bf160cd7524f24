"""Whether a sample is large enough for a model: events per parameter, and the criteria of Riley."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, log

import numpy as np
from scipy import stats

from spinekit.errors import InputRefusedError

__all__ = ["SampleSize", "cox_snell_from_auc", "sample_size"]

OPTIMISM = 0.05  # of Nagelkerke's R², criterion 2
MARGIN = 0.05  # of the overall risk, criterion 3
USUAL_EVENTS = 10.0  # per parameter; a rule of thumb that Riley's criteria replace


@dataclass(frozen=True)
class SampleSize:
    """How many patients a model of so many parameters needs, and what the sample has.

    Attributes
    ----------
    n, events, parameters : int
        The sample: patients, patients of the rarer class, candidate parameters (before selection).
    events_per_parameter : float
    for_shrinkage, for_optimism, for_risk : int
        Patients needed for criteria 1 to 3.
    needed : int
        The largest of the three.
    sentence : str
        For the report.
    """

    n: int
    events: int
    parameters: int
    events_per_parameter: float
    for_shrinkage: int
    for_optimism: int
    for_risk: int
    needed: int
    sentence: str

    @property
    def enough(self) -> bool:
        """Whether the sample meets all three criteria."""
        return self.n >= self.needed


def _refuse(found: str, expected: str) -> InputRefusedError:
    return InputRefusedError(
        "value-out-of-range",
        found=found,
        expected=expected,
        cause="A share may have been given in percent.",
        cure="Correct the number.",
    )


def cox_snell_from_auc(auc: float, prevalence: float) -> float:
    """Return the Cox-Snell R² of a model with a normal linear predictor in either class and a given AUC.

    Parameters
    ----------
    auc : float
        Expected area under the curve, from 0.5 to below 1.
    prevalence : float
        Of class 1, between 0 and 1.

    References
    ----------
    .. [1] Riley RD, Van Calster B, Collins GS. Stat Med 2021;40:859-864.

    Examples
    --------
    >>> round(cox_snell_from_auc(0.81, 0.77), 2)
    0.21
    """
    if not (0.5 <= auc < 1 and 0 < prevalence < 1):
        raise _refuse(f"auc={auc} and prevalence={prevalence} were given.", "0.5 <= auc < 1 and 0 < prevalence < 1.")
    distance = float(np.sqrt(2) * stats.norm.ppf(auc))
    x = np.linspace(-9.0, 9.0 + distance, 6001)
    odds = np.log(prevalence / (1 - prevalence)) + distance * x - distance**2 / 2
    gain = 0.0
    for share, centre, sign, base in (
        (prevalence, distance, -1.0, log(prevalence)),
        (1 - prevalence, 0.0, 1.0, log(1 - prevalence)),
    ):
        likelihood = -np.logaddexp(0.0, sign * odds) - base
        gain += share * float(np.trapezoid(stats.norm.pdf(x, centre) * likelihood, x))
    return 1.0 - exp(-2.0 * gain)


def sample_size(
    n: int, events: int, parameters: int, *, auc: float | None = None, cox_snell: float | None = None,
    shrinkage: float = 0.9,
) -> SampleSize:  # fmt: skip
    """Check a sample against the criteria for a model with a binary outcome.

    Parameters
    ----------
    n, events : int
        Patients, and patients of class 1.
    parameters : int
        Candidate parameters: every feature that selection may choose from counts, not those it chose.
    auc, cox_snell : float
        What the model is expected to reach, from earlier work; give one of them.
    shrinkage : float
        Wanted, criterion 1.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputRefusedError
        ``value-out-of-range``.

    References
    ----------
    .. [1] Riley RD et al. BMJ 2020;368:m441.

    Examples
    --------
    >>> sample_size(1000, 174, 24, cox_snell=0.288).needed
    662
    """
    if not (0 < events < n and parameters >= 1):
        raise _refuse(f"n={n}, events={events}, parameters={parameters}.", "0 < events < n, and a parameter or more.")
    if (auc is None) == (cox_snell is None):
        raise _refuse(f"auc={auc} and cox_snell={cox_snell} were given.", "One of the two.")
    prevalence = events / n
    r2 = float(cox_snell) if cox_snell is not None else cox_snell_from_auc(float(auc or 0.0), prevalence)
    largest = 1.0 - (prevalence**prevalence * (1 - prevalence) ** (1 - prevalence)) ** 2
    if not 0 < r2 < largest:
        raise _refuse(f"The expected Cox-Snell R² is {r2:.3g}.", f"Above 0 and below {largest:.3g} at this prevalence.")
    first = _for_shrinkage(parameters, r2, shrinkage)
    second = _for_shrinkage(parameters, r2, r2 / (r2 + OPTIMISM * largest))
    third = ceil((1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence))
    needed = max(first, second, third)
    rarer = min(events, n - events)
    per = rarer / parameters
    verdict = "which the sample has" if n >= needed else f"and the sample has {n}: results are exploratory"
    sentence = (
        f"{rarer} patients of the rarer class for {parameters} candidate parameters are {per:.2g} events per parameter "
        f"(rule of thumb {USUAL_EVENTS:.0f}); the criteria of Riley ask for {needed} patients, {verdict}."
    )
    return SampleSize(n, rarer, parameters, per, first, second, third, needed, sentence)


def _for_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    return ceil(parameters / ((shrinkage - 1) * log(1 - r2 / shrinkage)))
