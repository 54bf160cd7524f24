"""Steps that were fitted with all rows, seen in the pipeline; what a script or a threshold betrays of test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.audit_finding import CURE, Finding
from spinekit.diagnosis.audit_numbers import leaks_in_numbers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaks_by_fitting", "leaks_of_procedure", "threshold_leak"]

KINDS = {  # part of a class's or step's name -> the leak it makes when it is fitted outside
    "combat": "harmonisation", "harmon": "harmonisation", "site": "harmonisation", "batch": "harmonisation",
    "imput": "imputation", "usable": "imputation",
    "select": "selection", "lasso": "selection", "mrmr": "selection", "variance": "selection", "rfe": "selection",
    "columns": "selection", "uncorrelated": "selection", "stab": "selection", "pca": "selection", "kbest": "selection",
    "smote": "oversampling", "sampl": "oversampling",
    "scal": "scaler", "normaliz": "scaler", "normalis": "scaler", "quantile": "scaler", "power": "scaler",
}  # fmt: skip
DEEPEST = 6  # pipelines within pipelines


def leak_of_step(name: str) -> str:
    """Return the code of the leak that a step of this name makes.

    Examples
    --------
    >>> leak_of_step("StandardScaler"), leak_of_step("SelectKBest"), leak_of_step("RandomForestClassifier")
    ('scaler-outside-fold', 'selection-outside-fold', 'fitted-outside-fold')
    """
    kind = next((kind for part, kind in KINDS.items() if part in name.lower()), "fitted")
    return f"{kind}-outside-fold"


def leaks_by_fitting(
    pipeline: Any, table: pd.DataFrame, y: Any, *, sites: Any, folds: Any, fitted: Mapping[str, Any], candidates: Any
) -> Iterator[Finding]:
    """Yield steps that saw rows they are tested on.

    Parameters
    ----------
    pipeline : estimator or None
        Steps that are fitted already are findings.
    table : DataFrame
        Numeric features.
    fitted : mapping of str to array
        Step -> numbers of the rows it was fitted on, as the user tells.
    candidates : DataFrame or None
        The table before columns were chosen.
    """
    yield from _told(fitted, folds)
    yield from _fitted_steps(pipeline)
    yield from leaks_in_numbers(table, y, sites=sites, candidates=candidates)


def _steps(pipeline: Any, name: str = "estimator", depth: int = 0) -> list[tuple[str, Any]]:
    """Return the innermost steps: pipelines, column transformers, unions, searches and calibrators are opened."""
    if pipeline is None or isinstance(pipeline, str) or depth > DEEPEST:
        return []
    inside: list[tuple[str, Any]] = []
    for list_name in ("steps", "transformers", "transformer_list", "estimators"):
        listed = getattr(pipeline, list_name, None)
        if isinstance(listed, (list, tuple)):
            inside += [(str(item[0]), item[1]) for item in listed if isinstance(item, tuple) and len(item) > 1]
    if not inside and type(pipeline).__name__ != "FrozenEstimator" and hasattr(pipeline, "estimator"):
        inside = [(name, pipeline.estimator)]
    found = [step for label, part in inside for step in _steps(part, label, depth + 1)]
    return found if _is_list_of_steps(pipeline) else [*found, (name, pipeline)]


def _is_list_of_steps(estimator: Any) -> bool:
    """Return whether an estimator learns nothing of its own: what its steps learned is said by them."""
    return hasattr(estimator, "steps") or (bool(getattr(estimator, "transformer_list", None)))


def _told(fitted: Mapping[str, Any], folds: Any) -> Iterator[Finding]:
    tested = np.unique(np.concatenate([np.asarray(test) for _, test in folds])) if folds else np.zeros(0, dtype=int)
    for name, rows in fitted.items():
        seen = np.asarray(rows)
        shared = tested.size if seen.dtype.kind in "US" else np.intersect1d(seen, tested).size
        if shared or (not folds and seen.size):
            yield Finding(leak_of_step(name), f"The step '{name}' was fitted on {shared} rows that are tested.", CURE)


def _fitted_steps(pipeline: Any) -> Iterator[Finding]:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    for name, step in _steps(pipeline):
        inside = getattr(step, "estimator", step) if type(step).__name__ == "FrozenEstimator" else step
        if isinstance(inside, str) or not any(k.endswith("_") and not k.startswith("_") for k in vars(inside)):
            continue
        try:
            check_is_fitted(inside)
        except (NotFittedError, TypeError):
            continue
        code = leak_of_step(type(inside).__name__)
        code = leak_of_step(name) if code == "fitted-outside-fold" else code
        code = "tuned-on-test" if hasattr(inside, "best_params_") else code
        yield Finding(code, f"The step '{name}' ({type(inside).__name__}) is fitted already.", CURE)


def search_leak(pipeline: Any, folds: Any) -> Iterator[Finding]:
    """Yield a finding if a search for parameters validates on rows that are tested."""
    tested = np.unique(np.concatenate([np.asarray(test) for _, test in folds])) if folds else np.zeros(0, dtype=int)
    for _, step in _steps(pipeline):
        pairs = getattr(step, "cv", None)
        if not isinstance(pairs, (list, tuple)) or not pairs or not tested.size:
            continue
        rows = np.unique(np.concatenate([np.asarray(part).ravel() for pair in pairs for part in pair]))
        shared = np.intersect1d(rows, tested).size
        fewest = min(len(np.asarray(train)) for train, _ in folds)
        if shared and rows.size > fewest:  # more rows than a training part has: numbers of the whole table
            yield Finding(
                "tuned-on-test",
                f"The search of {type(step).__name__} validates on {shared} rows that are tested.",
                "Give it a splitter such as StratifiedGroupKFold, which splits the training part alone.",
            )


def threshold_leak(y: Any, scores: Any, threshold: float, *, folds: Any = ()) -> Iterator[Finding]:
    """Yield a finding if a threshold is exactly one that is best for the test rows, in whichever sense of best."""
    score = np.asarray(scores, dtype=np.float64)
    tested = np.unique(np.concatenate([np.asarray(test) for _, test in folds])) if folds else np.arange(score.size)
    for rows in (tested, np.arange(score.size)):
        rows = rows[np.isfinite(score[rows])]
        if _best_for(y[rows], score[rows], threshold):
            yield Finding(
                "threshold-on-test",
                f"The threshold {threshold:.6g} is exactly the best one for the test rows.",
                "Choose it on training rows, such as inner folds, or before the study.",
            )
            return


def _best_for(y: Any, score: Any, threshold: float) -> bool:
    kinds = np.unique(score)
    if np.unique(y).size < 2 or round(threshold, 2) == threshold or kinds.size <= score.size / 2:
        return False  # a rounded threshold, or scores of few values, may well coincide
    cuts = np.concatenate([kinds, (kinds[1:] + kinds[:-1]) / 2])
    called = score[None] >= cuts[:, None]
    hits, false = called[:, y == 1].mean(axis=1), called[:, y == 0].mean(axis=1)
    true = called[:, y == 1].sum(axis=1)
    measures = (
        hits - false,  # Youden
        (called == (y == 1)[None]).mean(axis=1),  # accuracy
        2 * true / (called.sum(axis=1) + (y == 1).sum()),  # F1
        -((1 - hits) ** 2 + false**2),  # nearest to the corner
    )
    best = np.concatenate([cuts[value >= value.max() - 1e-12] for value in measures])
    return bool(np.isclose(best, threshold, rtol=0, atol=1e-9).any())


def leaks_of_procedure(
    procedure: Callable[..., Any], table: Any, y: Any, folds: Any, *, seed: int
) -> Iterator[Finding]:
    """Yield what a procedure betrays when test rows and their labels are changed behind its back.

    Parameters
    ----------
    procedure : callable
        ``procedure(table, labels, train, test)`` gives a prediction for each test row; it is handed the
        whole table, as a script has it, and has to use the training rows alone.
    """
    rng = np.random.default_rng(seed)
    train, test = folds[0]
    before = np.asarray(procedure(table.copy(), y.copy(), train, test), dtype=np.float64)
    flipped = y.copy()
    flipped[test] = 1 - flipped[test]
    after = np.asarray(procedure(table.copy(), flipped, train, test), dtype=np.float64)
    if not np.allclose(before, after, rtol=1e-9, atol=1e-9):
        yield Finding(
            "test-labels-used",
            "Predictions of test rows change when their labels are changed.",
            "Selection, encoding, tuning or the threshold sees the test labels: give them the training rows alone.",
        )
    changed = table.copy()
    half = rng.permutation(test)[: max(1, len(test) // 2)]
    numeric = [n for n, kind in enumerate(changed.dtypes) if kind.kind == "f"]
    moved = changed.iloc[half, numeric].to_numpy(dtype=np.float64)
    changed.iloc[half, numeric] = 10.0 * moved + 5.0 * np.nanstd(table.iloc[:, numeric].to_numpy(), axis=0)
    after = np.asarray(procedure(changed, y.copy(), train, test), dtype=np.float64)
    others = ~np.isin(test, half)
    if not np.allclose(before[others], after[others], rtol=1e-9, atol=1e-9):
        yield Finding(
            "test-rows-used",
            "Predictions of test rows change when the features of other test rows are changed.",
            "Scaling, imputation, harmonisation or oversampling sees the test rows: fit it on the training rows alone.",
        )
