"""Steps that were fitted with all rows: seen in the pipeline, in what it says of itself, or in the table's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from spinekit.diagnosis.audit_finding import Finding

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
CURE = "Put the step into the pipeline and fit the pipeline on the training part of each fold."
EXACT = 1e-5
MOST = 0.8  # share of the columns that has to show a trace
FEW_COLUMNS = 2
EXPLAINED, TOO_ALIKE = 0.95, 1e-3  # share of variance looked at; how rarely chance makes sites so alike
JUST_ENOUGH = (1.9, 3.5)  # t values of columns that were chosen for them cluster above the first


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
    yield from _scaled(table)
    yield from _imputed(table)
    if sites is not None:
        yield from _harmonised(table, np.asarray(sites).astype(str))
    yield from _selected(table, y, candidates)


def _steps(pipeline: Any) -> list[tuple[str, Any]]:
    return list(getattr(pipeline, "steps", [])) or ([("estimator", pipeline)] if pipeline is not None else [])


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
        yield Finding(code, f"The step '{name}' ({type(inside).__name__}) is fitted already.", CURE)


def _continuous(table: pd.DataFrame) -> Any:
    values = table.to_numpy(dtype=np.float64)
    many = [np.unique(column[np.isfinite(column)]).size > max(10, 0.2 * len(column)) for column in values.T]
    return values[:, np.asarray(many, dtype=bool)]


def _scaled(table: pd.DataFrame) -> Iterator[Finding]:
    values = _continuous(table)
    if values.shape[1] < FEW_COLUMNS:
        return
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    sample = np.nanstd(values, axis=0, ddof=1)
    middle = np.nanmedian(values, axis=0)
    quartile = np.subtract(*np.nanpercentile(values, [75, 25], axis=0))
    unit = (np.abs(spread - 1) < EXACT) | (np.abs(sample - 1) < EXACT)
    traces = {  # words -> which columns show it, and the share of columns below which it may be their nature
        "mean 0 and standard deviation 1": ((np.abs(centre) < EXACT) & unit, 0.0),
        "median 0 and interquartile range 1": ((np.abs(middle) < EXACT) & (np.abs(quartile - 1) < EXACT), 0.0),
        "minimum 0 and maximum 1": ((np.abs(low) < EXACT) & (np.abs(high - 1) < EXACT), 0.5),
        "minimum -1 and maximum 1": ((np.abs(low + 1) < EXACT) & (np.abs(high - 1) < EXACT), 0.5),
        "largest absolute value 1": (np.abs(np.maximum(np.abs(low), np.abs(high)) - 1) < EXACT, MOST),
    }
    for words, (trace, least) in traces.items():
        if trace.sum() >= FEW_COLUMNS and trace.mean() >= least:
            seen = f"{int(trace.sum())} of {trace.size} columns have {words} over all rows."
            yield Finding("scaler-outside-fold", seen, CURE)
            return


def _imputed(table: pd.DataFrame) -> Iterator[Finding]:
    filled = []
    for name in table.columns:
        values = table[name].to_numpy(dtype=np.float64)
        values = values[np.isfinite(values)]
        kinds, counts = np.unique(values, return_counts=True)
        repeated = kinds[counts >= 3]
        # a column of measurements repeats no value, but for the one that filled its gaps
        if repeated.size == 1 and kinds.size > 0.5 * values.size and counts.max() == values.size - kinds.size + 1:
            rest = values[values != repeated[0]]
            if rest.size and any(
                np.isclose(repeated[0], centre, rtol=1e-6) for centre in (rest.mean(), np.median(rest))
            ):
                filled.append(str(name))
    if filled:
        yield Finding(
            "imputation-outside-fold",
            f"'{filled[0]}' and {len(filled) - 1} further columns repeat the mean or median of all other rows.",
            CURE,
        )


def _harmonised(table: pd.DataFrame, where: Any) -> Iterator[Finding]:
    values = _continuous(table)
    names = np.unique(where)
    if names.size < 2 or values.shape[1] < FEW_COLUMNS + 2:
        return
    filled = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    scaled = (filled - filled.mean(axis=0)) / np.maximum(filled.std(axis=0), 1e-300)
    parts, strength, _ = np.linalg.svd(scaled, full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(strength**2) / (strength**2).sum(), EXPLAINED)) + 1
    parts = parts[:, : min(kept, len(where) // 4)] * np.sqrt(len(where))  # independent, of variance 1
    apart = sum((where == s).sum() * (parts[where == s].mean(axis=0) ** 2).sum() for s in names)
    freedom = parts.shape[1] * (names.size - 1)
    if stats.chi2.cdf(apart, freedom) < TOO_ALIKE:
        yield Finding(
            "harmonisation-outside-fold",
            f"The means of the sites differ by a chi-square of {apart:.2g} where chance gives about {freedom}.",
            CURE,
        )


def _selected(table: pd.DataFrame, y: Any, candidates: Any) -> Iterator[Finding]:
    if candidates is not None and table.shape[1] < candidates.shape[1]:
        strength = _t_values(candidates, y)
        best = set(np.asarray(candidates.columns)[np.argsort(-strength)[: table.shape[1]]])
        share = len(best & set(table.columns)) / table.shape[1]
        if share >= 0.5 and table.shape[1] <= 0.5 * candidates.shape[1]:
            seen = f"{share:.0%} of the {table.shape[1]} columns are the best of {candidates.shape[1]} over all rows."
            yield Finding("selection-outside-fold", seen, CURE)
        return
    strength = _t_values(table, y)
    low, usual = JUST_ENOUGH
    if strength.size >= 6 and strength.min() >= low and np.percentile(strength, 25) < usual:
        seen = (
            f"All {strength.size} columns differ between the classes over all rows (smallest t {strength.min():.1f}), "
            "as columns do that were chosen for it."
        )
        yield Finding("selection-outside-fold", seen, CURE)


def _t_values(table: pd.DataFrame, y: Any) -> Any:
    values = table.to_numpy(dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    one, other = values[y == 1], values[y == 0]
    error = np.sqrt(one.var(axis=0, ddof=1) / len(one) + other.var(axis=0, ddof=1) / len(other))
    return np.abs(one.mean(axis=0) - other.mean(axis=0)) / np.where(error > 0, error, np.inf)


def threshold_leak(y: Any, scores: Any, threshold: float) -> Iterator[Finding]:
    """Yield a finding if a threshold is exactly one that is best for these test rows."""
    score = np.asarray(scores, dtype=np.float64)
    kinds = np.unique(score)
    cuts = np.concatenate([kinds, (kinds[1:] + kinds[:-1]) / 2])
    called = score[None] >= cuts[:, None]
    youden = called[:, y == 1].mean(axis=1) - called[:, y == 0].mean(axis=1)
    accuracy = (called == (y == 1)[None]).mean(axis=1)
    best = np.concatenate([cuts[youden >= youden.max() - 1e-12], cuts[accuracy >= accuracy.max() - 1e-12]])
    if round(threshold, 2) != threshold and np.isclose(best, threshold, rtol=0, atol=1e-9).any():
        yield Finding(
            "threshold-on-test",
            f"The threshold {threshold:.6g} is exactly the best one for the test rows.",
            "Choose it on training rows, such as inner folds, or before the study.",
        )


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
