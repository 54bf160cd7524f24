"""Radiomics, clinical facts and the network's embedding in one logistic regression, kept as plain numbers in JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop

__all__ = ["CLINICAL", "Linear", "clinical_numbers", "fit_linear", "radiomic_numbers"]

CLINICAL = ("age_years", "sex", "alkaline_phosphatase_u_per_l", "history_of_cancer")
IMAGES = ("map:relative_enhancement_peak", "map:wash_in_slope", "map:wash_out_slope")
FAMILIES = {
    "shape": ("MeshVolume", "Sphericity", "Maximum3DDiameter", "Flatness"),
    "firstorder": ("Mean", "Variance", "Skewness", "10Percentile", "90Percentile", "Entropy"),
    "glcm": ("Correlation", "JointEntropy", "Idn"),
}
BINS = 16
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # of the ridge's inverse, tried in cross-validation
WORDS = {
    "sex": {"f": 1.0, "female": 1.0, "m": 0.0, "male": 0.0},
    "history_of_cancer": {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0},
}
RANGES = {
    "age_years": (0.0, 125.0),
    "sex": (0.0, 1.0),
    "alkaline_phosphatase_u_per_l": (1.0, 1e5),
    "history_of_cancer": (0.0, 1.0),
}


@dataclass(frozen=True)
class Linear:
    """A logistic regression on standardised numbers.

    Attributes
    ----------
    names : tuple of str
        Of the numbers.
    mean, scale, coefficients : tuple of float
        One per name; the coefficients are those of the standardised numbers.
    intercept : float
    strength : float
        Inverse of the ridge penalty that cross-validation chose.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    strength: float

    def logit(self, numbers: Mapping[str, float]) -> float:
        """Return the logit of class 1; a number that is NaN counts as the mean of the training cases.

        Raises
        ------
        InputRefusedError
            ``shape-mismatch`` if a name is absent.
        """
        absent = [name for name in self.names if name not in numbers]
        if absent:
            raise InputRefusedError(
                "shape-mismatch",
                found=f"The numbers lack {', '.join(absent[:4])}.",
                expected=f"All {len(self.names)} that the model was fitted on.",
                cause="The model may be of another version.",
                cure="Train it again, or give the model that fits.",
            )
        given = np.array([numbers[name] for name in self.names], dtype=np.float64)
        z = (given - np.asarray(self.mean)) / np.asarray(self.scale)
        return float(np.nan_to_num(z, nan=0.0) @ np.asarray(self.coefficients) + self.intercept)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to the card."""
        return {
            "names": list(self.names), "mean": list(self.mean), "scale": list(self.scale),
            "coefficients": list(self.coefficients), "intercept": self.intercept, "strength": self.strength,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Linear:
        """Rebuild from `as_dict`."""
        lists = {key: tuple(record[key]) for key in ("names", "mean", "scale", "coefficients")}
        return cls(**lists, intercept=float(record["intercept"]), strength=float(record["strength"]))


def radiomic_numbers(crop: LesionCrop) -> dict[str, float]:
    """Return shape, histogram and texture of the region on three maps, all on the grid of the crop.

    NaN where a feature is undefined, as for a region of a few voxels.

    Examples
    --------
    >>> from spinekit.models.crop import lesion_crop
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> numbers = radiomic_numbers(lesion_crop(case.series, case.lesion, case.n_baseline))
    >>> len(numbers), "radiomics:wash_in_slope:firstorder_Mean" in numbers
    (31, True)
    """
    from spinekit.case import Roi, Volume
    from spinekit.radiomics import FixedBinCount, extract_features

    roi = Roi(crop.channels[-1] >= 0.5, crop.geometry)
    images = {n.removeprefix("map:"): Volume(crop.channels[crop.names.index(n)], crop.geometry) for n in IMAGES}
    names = [f"{family}_{f}" for family, features in FAMILIES.items() for f in features]
    try:
        table = extract_features(images, roi, discretisation=FixedBinCount(BINS), families=FAMILIES)
    except InputRefusedError as refused:
        if refused.code not in ("roi-empty", "roi-too-small", "roi-flat"):
            raise
        table = None
    found = {}
    for n, image in enumerate(images):
        for name in names:
            if name.startswith("shape") and n > 0:
                continue
            key = f"radiomics:{name}" if name.startswith("shape") else f"radiomics:{image}:{name}"
            found[key] = math.nan if table is None else float(table.loc[image, f"original_{name}"])
    return found


def clinical_numbers(clinical: Mapping[str, Any] | None) -> dict[str, float]:
    """Return clinical facts as numbers, NaN where they are not known.

    Examples
    --------
    >>> numbers = clinical_numbers({"age_years": 61, "sex": "F", "history_of_cancer": True})
    >>> numbers["clinical:sex"], numbers["clinical:history_of_cancer"]
    (1.0, 1.0)
    """
    given = clinical or {}
    unknown = sorted(set(given) - set(CLINICAL))
    if unknown:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The clinical fact '{unknown[0]}' was given.",
            expected=f"Names out of {', '.join(CLINICAL)}.",
            cause="It may be misspelt, or the model does not know it.",
            cure="Correct the name, or leave it out.",
        )
    return {f"clinical:{name}": _number(name, given.get(name)) for name in CLINICAL}


def _number(name: str, value: Any) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    words, (low, high) = WORDS.get(name, {}), RANGES[name]
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.inf
    if math.isnan(number):
        return math.nan
    if not low <= number <= high or (words and number not in (low, high)):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The clinical fact {name} is {value!r}.",
            expected=f"One of {', '.join(words)}, 0 or 1." if words else f"A number from {low:g} to {high:g}.",
            cause="A unit may stand behind the number, or a decimal comma in it.",
            cure="Give the number or word alone; leave out what is not known.",
        )
    return math.log(number) if name.startswith("alkaline") else number


def fit_linear(rows: Sequence[Mapping[str, float]], labels: Any, *, seed: int) -> tuple[Linear, NDArray[np.float64]]:
    """Fit the regression, its ridge chosen by cross-validation, and return logits that cases had no part in.

    Parameters
    ----------
    rows : sequence of mapping of str to float
        The same names in each; NaN where missing.
    labels : array of shape (N,)
        0 or 1.
    seed : int
        Of the folds.

    Returns
    -------
    model : Linear
        Fitted on all rows.
    logits : ndarray of shape (N,), float64
        Of each row by a model fitted on four fifths of the others, ridge and all: for calibration.
    """
    from sklearn.model_selection import StratifiedKFold

    names, truth = tuple(rows[0]), np.asarray(labels)
    table = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    outside = np.empty(len(rows))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(table, truth):
        part = _fitted(names, table[train], truth[train], seed)
        outside[test] = [part.logit(rows[i]) for i in test]
    return _fitted(names, table, truth, seed), outside


def _fitted(names: tuple[str, ...], table: NDArray[np.float64], truth: NDArray[Any], seed: int) -> Linear:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    known = np.isfinite(table).any(axis=0)
    mean, scale = np.zeros(len(names)), np.ones(len(names))
    mean[known], scale[known] = np.nanmean(table[:, known], axis=0), np.nanstd(table[:, known], axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    z = np.nan_to_num((table - mean) / scale, nan=0.0)
    folds = StratifiedKFold(4, shuffle=True, random_state=seed + 1)

    def loss(strength: float) -> float:
        model = LogisticRegression(C=strength, max_iter=5000)
        return float(log_loss(truth, cross_val_predict(model, z, truth, cv=folds, method="predict_proba")[:, 1]))

    best = min(STRENGTHS, key=loss)
    model = LogisticRegression(C=best, max_iter=5000).fit(z, truth)
    return Linear(
        names, tuple(mean.tolist()), tuple(scale.tolist()), tuple(model.coef_[0].tolist()),
        float(model.intercept_[0]), best,
    )  # fmt: skip
