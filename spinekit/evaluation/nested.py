"""Nested cross-validation by patient: what is reported was predicted for patients that no step had seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinekit.diagnosis.pipelines import PipelineChoices, build_pipeline, parameter_grid
from spinekit.errors import InputRefusedError
from spinekit.evaluation.roc import youden_threshold
from spinekit.evaluation.splits import NestedSplit, nested_splits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FittedPipeline", "NestedResult", "fit_pipeline", "nested_cross_validation", "permuted_areas"]


@dataclass(frozen=True)
class FittedPipeline:
    """A pipeline fitted on training rows, with what the inner folds chose.

    Attributes
    ----------
    pipeline : sklearn Pipeline
    parameters : dict
        What was chosen out of the grid.
    threshold : float
        Youden's, on the inner folds' predictions of training rows.
    columns : tuple of str
        What the classifier saw.
    """

    pipeline: Any
    parameters: dict[str, Any]
    threshold: float
    columns: tuple[str, ...]

    def predict(self, table: Any) -> NDArray[np.float64]:
        """Return the probability of class 1 for each row."""
        return np.asarray(self.pipeline.predict_proba(table)[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class NestedResult:
    """Predictions for rows outside the fold they were predicted in.

    Attributes
    ----------
    probabilities, called : ndarray of shape (N,)
        Of class 1; and whether it lies at or above the threshold that the fold's training rows chose.
    fold : ndarray of shape (N,)
        Number of the outer fold in which a row was tested.
    parameters, columns, thresholds : tuple
        Per outer fold: what the inner folds chose, what the classifier saw, where it is cut.
    """

    probabilities: NDArray[np.float64]
    called: NDArray[np.bool_]
    fold: NDArray[np.intp]
    parameters: tuple[dict[str, Any], ...]
    columns: tuple[tuple[str, ...], ...]
    thresholds: tuple[float, ...]


def fit_pipeline(
    table: pd.DataFrame, labels: Any, choices: PipelineChoices, folds: Any, *, repeats: Any = None
) -> FittedPipeline:
    """Fit a pipeline on all rows given, with parameters and threshold chosen on inner folds.

    Parameters
    ----------
    table : DataFrame of shape (N, P)
        Features; with the column of the site where ``choices.site`` names one.
    labels : array of shape (N,)
        0 or 1.
    folds : sequence of (train, validation)
        Row numbers within `table`.

    Notes
    -----
    Parameters with the smallest log loss over the folds are taken; of equal ones the first.
    """
    from sklearn.base import clone
    from sklearn.metrics import log_loss

    y = _zero_or_one(labels)
    plain = build_pipeline(choices, repeats=repeats)
    guesses = _inner_guesses(plain, table, y, folds, parameter_grid(choices))
    seen = np.unique(np.concatenate([validation for _, validation in folds]))
    losses = [float(log_loss(y[seen], guess[seen], labels=[0, 1])) for _, guess in guesses]
    parameters, guess = guesses[int(np.argmin(losses))]
    fitted = clone(plain).set_params(**parameters).fit(table, y)
    return FittedPipeline(fitted, parameters, youden_threshold(y[seen], guess[seen]), _seen_by_classifier(fitted))


def _zero_or_one(labels: Any) -> NDArray[np.int64]:
    y = np.asarray(labels)
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all() or np.unique(y).size < 2:
        kinds = [str(kind) for kind in np.unique(y.astype(str))[:4]]
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The classes are {', '.join(kinds)}.",
            expected="0 and 1, both of them.",
            cause="The classes may be in words, counted from 1, or have gaps.",
            cure=f"Code them, such as (table['label'] == '{kinds[-1]}').astype(int).",
        )
    return y.astype(np.int64)


def _inner_guesses(plain: Any, table: Any, y: Any, folds: Any, grid: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return the predictions of validation rows for every choice of the grid; shared steps are fitted once."""
    from sklearn.base import clone
    from sklearn.model_selection import ParameterGrid

    before = {name: values for name, values in grid.items() if not name.startswith("classify__")}
    last = {name.removeprefix("classify__"): values for name, values in grid.items() if name not in before}
    found = []
    for first in ParameterGrid(before):
        guesses = {n: np.full(y.size, np.nan) for n in range(len(ParameterGrid(last)))}
        for train, validation in folds:
            steps = clone(plain[:-1]).set_params(**first)
            known, unknown = steps.fit_transform(table.iloc[train], y[train]), steps.transform(table.iloc[validation])
            for n, second in enumerate(ParameterGrid(last)):
                classifier = clone(plain[-1]).set_params(**second).fit(known, y[train])
                guesses[n][validation] = classifier.predict_proba(unknown)[:, 1]
        for n, second in enumerate(ParameterGrid(last)):
            found.append(({**first, **{f"classify__{k}": v for k, v in second.items()}}, guesses[n]))
    return found


def _seen_by_classifier(fitted: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in fitted[:-1].get_feature_names_out())


def nested_cross_validation(
    table: pd.DataFrame,
    labels: Any,
    patients: Any,
    *,
    choices: PipelineChoices | None = None,
    centres: Any = None,
    outer: int = 5,
    inner: int = 4,
    seed: int,
    repeats: Any = None,
    splits: tuple[NestedSplit, ...] = (),
    on_fold: Callable[[int, int], None] | None = None,
) -> NestedResult:
    """Predict every row by a pipeline whose every step was fitted on other patients.

    Parameters
    ----------
    table : DataFrame of shape (N, P)
        One row per case.
    labels, patients, centres : array of shape (N,)
        Class (0 or 1), pseudonym, and where the row was acquired; folds are grouped by patient and
        stratified by class and centre.
    choices : PipelineChoices, optional
    outer, inner, seed : int
        Numbers of folds, and the seed of the shuffle; `splits`, if given, are used instead.
    repeats : DataFrame, optional
        For the stability filter.

    Returns
    -------
    NestedResult

    Raises
    ------
    InputRefusedError
        What `nested_splits` and the steps refuse.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> y = np.tile([0, 1], 20)
    >>> table = pd.DataFrame({"a": y + rng.normal(0, 0.3, 40), "b": rng.normal(size=40)})
    >>> result = nested_cross_validation(table, y, range(40), outer=3, inner=2, seed=1)
    >>> bool(np.mean((result.probabilities > 0.5) == y) > 0.8)
    True
    """
    chosen = choices or PipelineChoices()
    y = _zero_or_one(labels)
    folds = splits or nested_splits(y, patients, centres=centres, outer=outer, inner=inner, seed=seed)
    probabilities, called = np.full(y.size, np.nan), np.zeros(y.size, dtype=bool)
    fold = np.full(y.size, -1, dtype=np.intp)
    found = []
    for number, split in enumerate(folds):
        fitted = _in_fold(table, y, chosen, split, repeats)
        probabilities[split.test] = fitted.predict(table.iloc[split.test])
        called[split.test] = probabilities[split.test] >= fitted.threshold
        fold[split.test] = number
        found.append(fitted)
        if on_fold is not None:
            on_fold(number + 1, len(folds))
    return NestedResult(
        probabilities, called, fold, tuple(f.parameters for f in found),
        tuple(f.columns for f in found), tuple(f.threshold for f in found),
    )  # fmt: skip


def _in_fold(table: Any, y: Any, choices: PipelineChoices, split: NestedSplit, repeats: Any) -> FittedPipeline:
    place = np.full(y.size, -1)
    place[split.train] = np.arange(split.train.size)  # inner folds are numbered as the whole table
    inner = [(place[train], place[validation]) for train, validation in split.inner]
    return fit_pipeline(table.iloc[split.train], y[split.train], choices, inner, repeats=repeats)


def permuted_areas(
    table: pd.DataFrame,
    labels: Any,
    patients: Any,
    *,
    n: int,
    seed: int,
    kept: Sequence[float] = (),
    on_shuffle: Any = None,
    **options: Any,
) -> NDArray[np.float64]:
    """Return the area under the curve of the whole nested procedure with the labels of patients shuffled.

    Parameters
    ----------
    n : int
        Number of shuffles. Labels move between patients, so that rows of a patient stay alike.
    seed : int
        Of the shuffles and folds.
    kept : sequence of float
        Areas of the first shuffles from an earlier call with the same arguments, which are not computed again.
    on_shuffle : callable, optional
        Called with (number, n, area) after each.
    **options
        Of `nested_cross_validation`.

    Notes
    -----
    The area is the mean over outer folds of the area within the fold. Pooled over folds, the predictions of
    a model that knows nothing rank below one half: a fold with more cases left in training predicts higher.
    """
    from spinekit.evaluation.roc import area_under_curve

    y, who = np.asarray(labels), np.asarray(patients)
    _, first, of_row = np.unique(who, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    areas = []
    for number in range(n):
        shuffled = rng.permutation(y[first])[of_row]
        if number < len(kept):
            areas.append(float(kept[number]))
            continue
        result = nested_cross_validation(table, shuffled, who, seed=seed + 1 + number, **options)
        within = [
            area_under_curve(shuffled[result.fold == k], result.probabilities[result.fold == k])
            for k in np.unique(result.fold)
            if np.unique(shuffled[result.fold == k]).size == 2
        ]
        areas.append(float(np.mean(within)))
        if on_shuffle is not None:
            on_shuffle(number + 1, n, areas[-1])
    return np.asarray(areas)
