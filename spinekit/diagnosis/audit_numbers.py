"""Steps that were fitted with all rows, seen in the numbers of the table that they left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from spinekit.diagnosis.audit_finding import CURE, Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaks_in_numbers"]

EXACT = 1e-5
MOST = 0.8  # share of the columns that has to show a trace
FEW_COLUMNS = 2
EXPLAINED, TOO_ALIKE = 0.95, 1e-3  # share of variance looked at; how rarely chance makes sites so alike
ORTHOGONAL = 1e-6  # largest correlation of components of an analysis of all rows
# columns that were chosen for their difference cluster just above the t value at which the choice was cut
ENOUGH, CLUSTERED = 1.9, 0.6
MANY, ENOUGH_OF_MANY, CLUSTERED_HALF = 10, 1.7, 0.45
FEWEST_CHOSEN, ENOUGH_OF_FEW, CLUSTERED_FEW = 5, 2.2, 0.55
INDEPENDENT = 0.6  # share of the columns' number that tells independent things; alike columns cluster by themselves
UNUSUAL = 1e-4  # how rarely a choice that saw no class takes columns that differ so much
FILLED = 3  # rows in which a value is repeated


def leaks_in_numbers(table: pd.DataFrame, y: Any, *, sites: Any, candidates: Any) -> Iterator[Finding]:
    """Yield what scaling, imputation, harmonisation or selection over all rows leaves in the numbers.

    Parameters
    ----------
    table : DataFrame
        Numeric features.
    y : ndarray of shape (N,), 0 or 1
    sites : array of shape (N,) or None
    candidates : DataFrame or None
        The table before columns were chosen.
    """
    yield from _scaled(table)
    yield from _imputed(table, y)
    if sites is not None:
        yield from _harmonised(table, np.asarray(sites).astype(str))
    yield from _components(table)
    if candidates is None:
        yield from _clustered(table, y)
    else:
        yield from _chosen(table, y, candidates)


def _continuous(table: pd.DataFrame) -> Any:
    values = table.to_numpy(dtype=np.float64)
    many = [np.unique(column[np.isfinite(column)]).size > max(10, 0.2 * len(column)) for column in values.T]
    return values[:, np.asarray(many, dtype=bool)]


def _resolution(column: Any) -> float:
    """Return half of the unit that a column of decimal numbers was rounded to; 0 where it was not.

    Examples
    --------
    >>> float(_resolution(np.array([0.123, 1.2, 0.75]))), float(_resolution(np.array([1 / 3, 0.1])))
    (0.0005, 0.0)
    """
    finite = column[np.isfinite(column)]
    for digits in range(7):
        if np.allclose(finite, np.round(finite, digits), rtol=0, atol=1e-12):
            return float(0.5 * 10.0**-digits)
    return 0.0


def _scaled(table: pd.DataFrame) -> Iterator[Finding]:
    values = _continuous(table)
    if values.shape[1] < FEW_COLUMNS:
        return
    rounded = np.array([_resolution(column) for column in values.T])
    fine = rounded <= 0.005 + 1e-12  # whole numbers and one decimal would fit by chance
    near = EXACT + np.where(fine, rounded, 0.0)
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    sample = np.nanstd(values, axis=0, ddof=1)
    middle = np.nanmedian(values, axis=0)
    quartile = np.subtract(*np.nanpercentile(values, [75, 25], axis=0))
    unit = (np.abs(spread - 1) < near) | (np.abs(sample - 1) < near)
    least = 0.0 if (rounded < 5e-4).all() else 0.3
    traces = {  # words -> which columns show it, and the share of columns below which it may be their nature
        "mean 0 and standard deviation 1": ((np.abs(centre) < near) & unit, least),
        "median 0 and interquartile range 1": ((np.abs(middle) < near) & (np.abs(quartile - 1) < 2 * near), least),
        "minimum 0 and maximum 1": ((np.abs(low) < EXACT) & (np.abs(high - 1) < EXACT), 0.5),
        "minimum -1 and maximum 1": ((np.abs(low + 1) < EXACT) & (np.abs(high - 1) < EXACT), 0.5),
        "largest absolute value 1": (np.abs(np.maximum(np.abs(low), np.abs(high)) - 1) < EXACT, MOST),
        "the same minimum and maximum": (_same(low) & _same(high) & (rounded < 5e-4), MOST),
    }
    for words, (trace, share) in traces.items():
        if trace.sum() >= FEW_COLUMNS and trace.mean() >= share:
            seen = f"{int(trace.sum())} of {trace.size} columns have {words} over all rows."
            yield Finding("scaler-outside-fold", seen, CURE)
            return


def _same(ends: Any) -> Any:
    """Return which columns end where the middle one of all columns ends."""
    middle = np.sort(ends)[ends.size // 2]
    return np.abs(ends - middle) < EXACT * max(1.0, abs(float(middle)))


def _imputed(table: pd.DataFrame, y: Any) -> Iterator[Finding]:
    filled, by_class = [], []
    for name in table.columns:
        values = table[name].to_numpy(dtype=np.float64)
        if _repeats_centre(values):
            filled.append(str(name))
        elif all(_repeats_centre(values[y == kind]) for kind in (0, 1)):
            by_class.append(str(name))
    if filled:
        yield Finding(
            "imputation-outside-fold",
            f"'{filled[0]}' and {len(filled) - 1} further columns repeat the mean or median of all other rows.",
            CURE,
        )
    if by_class:
        yield Finding(
            "imputation-outside-fold",
            f"'{by_class[0]}' and {len(by_class) - 1} further columns repeat the mean or median of each class.",
            CURE + " Fill gaps without looking at the class.",
        )


def _repeats_centre(values: Any) -> bool:
    """Return whether one value, and no other nearly as often, is repeated, and is the mean or median of the rest."""
    values = values[np.isfinite(values)]
    kinds, counts = np.unique(values, return_counts=True)
    if kinds.size < max(6, 0.25 * values.size):
        return False
    often, next_often = int(np.argmax(counts)), int(np.sort(counts)[-2])
    if counts[often] < FILLED or counts[often] < 3 * next_often:
        return False
    value, rest = float(kinds[often]), values[values != kinds[often]]
    unit = float(np.diff(kinds).min())  # that of rounded numbers; tiny where they were not
    near = max(1e-6 * abs(value), 0.51 * unit if unit > 1e-5 * float(np.ptp(kinds)) else 0.0)
    centres = (rest.mean(), np.median(rest), np.median(np.append(rest, value)))  # the median may be a row's own value
    return any(abs(value - centre) <= near for centre in centres)


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


def _components(table: pd.DataFrame) -> Iterator[Finding]:
    values = _continuous(table)
    if values.shape[1] < 3 or not np.isfinite(values).all() or (values.std(axis=0) == 0).any():
        return
    among = np.corrcoef(values, rowvar=False)[np.triu_indices(values.shape[1], 1)]
    if (np.abs(among) < ORTHOGONAL).all():
        yield Finding(
            "selection-outside-fold",
            f"{values.shape[1]} columns have no correlation at all over all rows, as principal components of them do.",
            CURE,
        )


def _chosen(table: pd.DataFrame, y: Any, candidates: Any) -> Iterator[Finding]:
    """Find columns that differ more between the classes than a choice of the candidates that saw no class gives."""
    kept = [name for name in candidates.columns if name in set(table.columns)]
    if not 0 < len(kept) < candidates.shape[1]:
        return
    from sklearn.feature_selection import mutual_info_classif

    strength = _t_values(candidates, y)
    told = mutual_info_classif(_without_gaps(candidates), y, random_state=0)
    inside = np.isin(np.asarray(candidates.columns, dtype=object), np.asarray(kept, dtype=object))
    best = np.argsort(-strength)[: len(kept)]
    share = float(inside[best].mean())
    of_kinds = (strength, _distances(candidates, y), told)
    chance = min(float(stats.mannwhitneyu(s[inside], s[~inside], alternative="greater").pvalue) for s in of_kinds)
    if len(kept) <= 0.5 * candidates.shape[1] and (share >= 0.5 or chance < UNUSUAL):
        seen = f"{share:.0%} of the {len(kept)} columns are among the best of {candidates.shape[1]} over all rows."
        yield Finding("selection-outside-fold", seen, CURE)


def _clustered(table: pd.DataFrame, y: Any) -> Iterator[Finding]:
    strength = np.sort(_t_values(table, y))
    m = strength.size
    if m < FEWEST_CHOSEN:
        return
    mean, half = strength[1:].mean() - strength[0], np.median(strength) - strength[0]
    if m == FEWEST_CHOSEN:
        cut = strength[0] >= ENOUGH_OF_FEW and mean < CLUSTERED_FEW
    else:
        cut = strength[0] >= ENOUGH and mean < CLUSTERED
        cut |= m >= MANY and strength[0] >= ENOUGH_OF_MANY and half < CLUSTERED_HALF
    if cut and _independent(table, y) >= INDEPENDENT * m:
        seen = (
            f"All {m} columns differ between the classes over all rows, just enough to be chosen for it "
            f"(t from {strength[0]:.1f}, half of them below {np.median(strength):.1f})."
        )
        yield Finding("selection-outside-fold", seen, CURE)


def _independent(table: pd.DataFrame, y: Any) -> float:
    """Return the effective number of columns within the classes."""
    values = _without_gaps(table)
    within = values - np.stack([values[y == kind].mean(axis=0) for kind in (0, 1)])[np.asarray(y)]
    scaled = within / np.maximum(within.std(axis=0), 1e-300)
    share = np.linalg.svd(scaled, compute_uv=False) ** 2
    return float(share.sum() ** 2 / max(float((share**2).sum()), 1e-300))


def _without_gaps(table: pd.DataFrame) -> Any:
    values = table.to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nanmean(values, axis=0))


def _t_values(table: pd.DataFrame, y: Any) -> Any:
    values = _without_gaps(table)
    one, other = values[y == 1], values[y == 0]
    error = np.sqrt(one.var(axis=0, ddof=1) / len(one) + other.var(axis=0, ddof=1) / len(other))
    return np.abs(one.mean(axis=0) - other.mean(axis=0)) / np.where(error > 0, error, np.inf)


def _distances(table: pd.DataFrame, y: Any) -> Any:
    """Return the largest distance of the two classes' distribution functions, column by column."""
    values = _without_gaps(table)
    order = np.argsort(values, axis=0, kind="stable")
    step = np.where(y == 1, 1.0 / (y == 1).sum(), -1.0 / (y == 0).sum())
    return np.abs(np.cumsum(step[order], axis=0)).max(axis=0)
