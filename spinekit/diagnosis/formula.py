"""A logistic regression written down: a formula in JSON, without pickle, with its coefficients in words."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError, shown
from spinekit.provenance import write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LinearModel", "linear_model", "read_linear_model", "write_linear_model"]

FORMAT = "spinekit linear model 1"


@dataclass(frozen=True)
class LinearModel:
    """log odds of class 1 = intercept + sum of coefficient × (value - mean) / scale.

    Attributes
    ----------
    columns : tuple of str
    medians, means, scales, coefficients : tuple of float
        Per column, of the training rows; a missing value takes the median.
    intercept : float
    classes : tuple of str
        Names of class 0 and class 1.
    about : mapping
        Training data, warnings; JSON-serialisable.
    """

    columns: tuple[str, ...]
    medians: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    classes: tuple[str, str]
    about: Mapping[str, Any]

    def log_odds(self, table: pd.DataFrame) -> Any:
        """Return the log odds of class 1 for each row."""
        values = table[list(self.columns)].to_numpy(dtype=np.float64)
        filled = np.where(np.isfinite(values), values, np.asarray(self.medians))
        return self.intercept + (filled - self.means) / np.asarray(self.scales) @ np.asarray(self.coefficients)

    def predict(self, table: pd.DataFrame) -> Any:
        """Return the probability of class 1 for each row."""
        return 1.0 / (1.0 + np.exp(-self.log_odds(table)))

    def in_words(self) -> tuple[str, ...]:
        """Return a sentence per coefficient, the strongest first.

        Examples
        --------
        >>> model = LinearModel(("age_years",), (60,), (60,), (10,), (0.7,), 0.0, ("primary", "metastasis"), {})
        >>> model.in_words()[0]
        'age_years: 10 more (one SD) multiplies the odds of metastasis by 2.01.'
        """
        order = np.argsort(-np.abs(np.asarray(self.coefficients)), kind="stable")
        return tuple(
            f"{self.columns[n]}: {self.scales[n]:.3g} more (one SD) multiplies the odds of {self.classes[1]} "
            f"by {math.exp(self.coefficients[n]):.3g}."
            for n in order
        )


def linear_model(fitted: Any, *, classes: tuple[str, str], about: Mapping[str, Any] | None = None) -> LinearModel:
    """Return the formula of a fitted pipeline of `build_pipeline` whose classifier is the logistic regression.

    Raises
    ------
    InputRefusedError
        ``model-not-linear`` for another classifier, or with harmonisation, which knows its own sites only.
    """
    steps = dict(fitted.steps)
    classifier = steps["classify"]
    if not hasattr(classifier, "coef_") or "harmonise" in steps or classifier.coef_.shape[0] != 1:
        raise InputRefusedError(
            "model-not-linear",
            found=f"The pipeline ends with {type(classifier).__name__} and has the steps {', '.join(steps)}.",
            expected="A logistic regression without harmonisation.",
            cause="A forest or a support vector machine has no short formula.",
            cure="Fit classifier='logistic_regression' for what is to be stored, drawn as a nomogram or put in words.",
        )
    columns = tuple(str(name) for name in fitted[:-1].get_feature_names_out())
    before = [str(name) for name in steps["scale"].feature_names_in_]
    place = [before.index(name) for name in columns]
    medians = steps["usable"].medians_
    return LinearModel(
        columns,
        tuple(float(medians[name]) for name in columns),
        tuple(float(steps["scale"].mean_[n]) for n in place),
        tuple(float(steps["scale"].scale_[n]) for n in place),
        tuple(float(c) for c in classifier.coef_[0]),
        float(classifier.intercept_[0]),
        classes,
        dict(about or {}),
    )


def write_linear_model(model: LinearModel, path: str | os.PathLike[str]) -> Path:
    """Write a formula as JSON."""
    return write_json(path, {"format": FORMAT, **asdict(model)})


def read_linear_model(path: str | os.PathLike[str]) -> LinearModel:
    """Read a formula.

    Raises
    ------
    InputRefusedError
        ``path-missing``; ``file-corrupt`` if it is not such a file.
    """
    file = Path(path)
    if not file.is_file():
        raise InputRefusedError(
            "path-missing",
            found=f"There is no model at the path that was given ({shown(file)}).",
            expected="A JSON file of spinekit.",
            cause="The path may be misspelt.",
            cure="Check it.",
        )
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record.pop("format") != FORMAT:
            raise ValueError("it is of another format")
        numbers = {k: tuple(float(v) for v in record[k]) for k in ("medians", "means", "scales", "coefficients")}
        columns = tuple(str(c) for c in record["columns"])
        if {len(v) for v in numbers.values()} != {len(columns)}:
            raise ValueError("its lists differ in length")
        first, second = record["classes"]
        return LinearModel(
            columns, **numbers, intercept=float(record["intercept"]), classes=(str(first), str(second)),
            about=dict(record["about"]),
        )  # fmt: skip
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as reason:
        raise InputRefusedError(
            "file-corrupt",
            found=f"The {shown(file)} is no model of spinekit: {reason}.",
            expected="A JSON file that write_linear_model has written.",
            cause="It may be of another program, or was edited.",
            cure="Write the model anew. A pickle is never read.",
        ) from reason
