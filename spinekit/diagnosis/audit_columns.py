"""Leaks in columns: the class itself, the name of a row, the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from spinekit.diagnosis.audit_finding import Finding
from spinekit.diagnosis.combat import site_and_class

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaks_in_columns"]

TELLS_ALL = 0.999  # area under the curve of a single column
AGREES = 0.95  # share of rows in which a column of two values tells the class
FEWEST = 20  # with fewer rows a good column may separate by chance
CONFOUNDED, UNLIKELY = 0.35, 1e-3  # both: strong enough to matter, and no chance
AFTERWARDS = re.compile(
    r"(^|_)(histolog\w*|patholog\w*|biops\w*|diagnos[ie]s|outcome|entity|ground_truth|follow_?up|survival|death"
    r"|therapy|treatment|response|final_report)(_|$)",
    re.IGNORECASE,
)
IDENTIFIER = re.compile(
    r"(^|_)(id|uid|mrn|accession|case|patient|pseudonym|row|index|record|filename|path)(_?(id|no|number|name))?$",
    re.IGNORECASE,
)


def leaks_in_columns(features: pd.DataFrame, y: Any, *, sites: Any, site_column: str) -> Iterator[Finding]:
    """Yield columns that tell what a model must not know.

    Parameters
    ----------
    features : DataFrame
        Columns the model sees.
    y : ndarray of shape (N,), 0 or 1
    sites : array of shape (N,) or None
    site_column : str
        Its name; a finding if it is a feature.
    """
    for name in features.columns:
        column = features[name]
        yield from _afterwards(str(name))
        if _numbers_rows(str(name), column):
            yield Finding(
                "identifier-as-feature",
                f"The column '{name}' numbers or names the rows.",
                "Leave it out of the features; pass it as patient= if it is the pseudonym.",
            )
        elif told := _tells_class(column, y):
            yield Finding(
                "target-in-column", f"The column '{name}' {told}.", "Leave it out, and find where it is from."
            )
        yield from _missing(str(name), column, y)
    yield from _sites(features, y, sites, site_column)


def _afterwards(name: str) -> Iterator[Finding]:
    if AFTERWARDS.search(name):
        yield Finding(
            "known-only-afterwards",
            f"The column '{name}' is by its name known only once the diagnosis is.",
            "Leave it out; predictors have to be known when the model is used.",
        )


def _tells_class(column: Any, y: Any) -> str:
    present = column.notna().to_numpy()
    truth = y[present]
    if truth.size < FEWEST or np.unique(truth).size < 2:
        return ""
    if column.dtype.kind in "biuf":
        return _number_tells(column[present].to_numpy(dtype=np.float64), truth)
    words, group = np.unique(column[present].astype(str), return_inverse=True)
    if not 2 <= words.size <= truth.size / 4:
        return ""
    counts = np.zeros((words.size, 2))
    np.add.at(counts, (group, truth.astype(int)), 1)
    share = counts.max(axis=1).sum() / truth.size
    return f"tells the class in {share:.0%} of the rows" if share >= AGREES else ""


def _number_tells(values: Any, truth: Any) -> str:
    kinds = np.unique(values)
    if kinds.size == 1:
        return ""
    if kinds.size == 2:
        share = float(((values == kinds[1]) == (truth == 1)).mean())
        agrees = max(share, 1 - share)
        return f"agrees with the class in {agrees:.0%} of the rows" if agrees >= AGREES else ""
    cases = int(truth.sum())
    area = (stats.rankdata(values)[truth == 1].sum() - cases * (cases + 1) / 2) / (cases * (truth.size - cases))
    area = max(area, 1 - area)
    return f"separates the classes by itself (AUC {area:.3f})" if area >= TELLS_ALL else ""


def _numbers_rows(name: str, column: Any) -> bool:
    if column.dtype.kind not in "biuf":
        return column.nunique() > 0.9 * len(column) and len(column) >= FEWEST
    values = column.dropna().to_numpy(dtype=np.float64)
    if values.size < FEWEST or np.unique(values).size < values.size:
        return False
    whole = bool((values == np.round(values)).all())
    ordered = whole and bool((np.diff(values) > 0).all() or (np.diff(values) < 0).all())
    dense = whole and float(np.ptp(values)) == values.size - 1
    return ordered or dense or (whole and bool(IDENTIFIER.search(name)))


def _missing(name: str, column: Any, y: Any) -> Iterator[Finding]:
    absent = column.isna().to_numpy()
    if not FEWEST / 4 <= absent.sum() <= absent.size - FEWEST / 4:
        return
    agree = max(float((absent == (y == 1)).mean()), float((absent == (y == 0)).mean()))
    if agree >= 0.9 and stats.fisher_exact([[(absent & (y == k)).sum() for k in (0, 1)],
                                            [(~absent & (y == k)).sum() for k in (0, 1)]])[1] < UNLIKELY:  # fmt: skip
        yield Finding(
            "missingness-tells-target",
            f"Where '{name}' is missing tells the class in {agree:.0%} of the rows.",
            "Find out why one class was not measured; leave the column out.",
        )


def _sites(features: pd.DataFrame, y: Any, sites: Any, site_column: str) -> Iterator[Finding]:
    if sites is None:
        return
    where = np.asarray(sites).astype(str)
    strength = site_and_class(where, y)
    table = [[int(((where == s) & (y == k)).sum()) for k in (0, 1)] for s in np.unique(where)]
    sure = len(table) > 1 and strength > 0 and stats.chi2_contingency(table)[1] < UNLIKELY
    if strength >= CONFOUNDED and sure:
        yield Finding(
            "site-as-proxy",
            f"Site and class go together (Cramér's V {strength:.2f}): a model can learn the scanner.",
            "Include both classes from every site, or test within sites.",
        )
    elif site_column in features.columns or _copies_site(features, where):
        yield Finding(
            "site-as-proxy",
            "The site is among the features, so that a model learns how often a class is sent there.",
            "Leave the site out of the features; stratify folds by it.",
        )


def _copies_site(features: pd.DataFrame, where: Any) -> bool:
    """Return whether a column of few values tells the site in every row."""
    n_sites = np.unique(where).size
    if n_sites < 2:
        return False
    for name in features.columns:
        kinds = np.array([str(value) for value in features[name]])
        words = np.unique(kinds)
        if words.size == n_sites and len({(a, b) for a, b in zip(kinds, where, strict=True)}) == n_sites:
            return True
    return False
