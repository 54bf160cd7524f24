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

TELLS_ALL = ((120, 0.992), (60, 0.995), (0, 0.999))  # rows, area that an honest 0.95 reaches in fewer than 1 of 100
CODES = 0.98  # share of rows in which a column of few whole numbers has a number of one class alone
AGREES = 0.95  # share of rows in which a column of two values tells the class
FEWEST = 20  # with fewer rows a good column may separate by chance
CONFOUNDED, UNLIKELY = 0.35, 1e-3  # both: strong enough to matter, and no chance
BEFORE = re.compile(r"(^|_)(prior|previous|past|earlier|before|history|family)(_|$)", re.IGNORECASE)
AFTERWARDS = re.compile(
    r"(^|_)(histolog\w*|patholog\w*|biops\w*|diagnos[ie]s|outcome|entity|ground_truth|follow_?up|survival|death"
    r"|therapy|treatment|response|final_report)(_|$)",
    re.IGNORECASE,
)
IDENTIFIER = re.compile(
    r"(^|_)(id|uid|mrn|accession|case|patient|subject|subj|study|exam|scan|sample|pseudonym|row|index|record|filename"
    r"|path)(_?(id|no|nr|num|number|name|code))?$",
    re.IGNORECASE,
)
SITE = re.compile(
    r"(^|_)(site|centre|center|hospital|institution|scanner|vendor|manufacturer)(_?(id|no|name|code))?$", re.IGNORECASE
)
EACH_SITE = 8  # rows of a site; with fewer a column may be the same in all of them by chance


def leaks_in_columns(
    features: pd.DataFrame, y: Any, *, sites: Any, site_column: str, patients: Any = None
) -> Iterator[Finding]:
    """Yield columns that tell what a model must not know.

    Parameters
    ----------
    features : DataFrame
        Columns the model sees.
    y : ndarray of shape (N,), 0 or 1
    sites : array of shape (N,) or None
    site_column : str
        Its name; a finding if it is a feature.
    patients : array of shape (N,) or None
    """
    for name in features.columns:
        column = features[name]
        yield from _afterwards(str(name))
        if _numbers_rows(str(name), column) or _numbers_patients(str(name), column, patients):
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
    if sites is None:
        yield from _sites_by_name(features, y)


def _afterwards(name: str) -> Iterator[Finding]:
    if AFTERWARDS.search(name) and not BEFORE.search(name):
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
    if area >= next(limit for rows, limit in TELLS_ALL if truth.size >= rows):
        return f"separates the classes by itself (AUC {area:.3f})"
    return _numbers_tell(values, truth, kinds)


def _numbers_tell(values: Any, truth: Any, kinds: Any) -> str:
    """Say whether few repeated numbers are codes of one class each, or the share of the class in their rows."""
    if kinds.size > truth.size / 4:
        return ""
    of_kind = np.searchsorted(kinds, values)
    size = np.bincount(of_kind)
    share = np.bincount(of_kind, weights=truth) / size
    if (values == np.round(values)).all():
        told = float((np.maximum(share, 1 - share) * size).sum() / truth.size)
        return f"has a number of one class alone in {told:.0%} of the rows" if told >= CODES else ""
    encoded = np.isclose(kinds, share, rtol=0, atol=1e-6).all() or np.isclose(kinds, 1 - share, rtol=0, atol=1e-6).all()
    return "is the share of the class among the rows with the same number" if encoded else ""


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


def _numbers_patients(name: str, column: Any, patients: Any) -> bool:
    """Return whether a column of whole numbers has a number of its own for each patient of several rows."""
    if patients is None or column.dtype.kind not in "biuf" or column.isna().any():
        return False
    values, who = column.to_numpy(dtype=np.float64), np.asarray(patients).astype(str)
    n = np.unique(who).size
    if n == len(who) or n < FEWEST / 2 or (values != np.round(values)).any():
        return False
    one_each = np.unique(values).size == n == len(set(zip(who.tolist(), values.tolist(), strict=True)))
    return one_each and (float(np.ptp(values)) == n - 1 or bool(IDENTIFIER.search(name)))


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


def _confounded(where: Any, y: Any) -> float:
    """Return Cramér's V of site and class where it is strong enough to matter and no chance, else 0."""
    strength = float(site_and_class(where, y))
    table = [[int(((where == s) & (y == k)).sum()) for k in (0, 1)] for s in np.unique(where)]
    sure = len(table) > 1 and strength > 0 and stats.chi2_contingency(table)[1] < UNLIKELY
    return strength if strength >= CONFOUNDED and sure else 0.0


def _sites(features: pd.DataFrame, y: Any, sites: Any, site_column: str) -> Iterator[Finding]:
    if sites is None:
        return
    where = np.asarray(sites).astype(str)
    if strength := _confounded(where, y):
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


def _sites_by_name(features: pd.DataFrame, y: Any) -> Iterator[Finding]:
    """Find a column that by its name is the site and goes together with the class, where no site was named."""
    for name in features.columns:
        where = features[name].astype(str).to_numpy()
        if SITE.search(str(name)) and np.unique(where).size <= len(where) / 4 and (strength := _confounded(where, y)):
            yield Finding(
                "site-as-proxy",
                f"The column '{name}' and the class go together (Cramér's V {strength:.2f}).",
                "Leave it out of the features and pass it as site=; include both classes from every site.",
            )


def _copies_site(features: pd.DataFrame, where: Any) -> bool:
    """Return whether a column of few values is the same in all rows of a site, and not the same in all sites."""
    names, counts = np.unique(where, return_counts=True)
    if (counts >= EACH_SITE).sum() < 2:
        return False
    for name in features.columns:
        kinds = np.array([str(value) for value in features[name]])
        of_site = [set(kinds[where == one]) for one in names]
        if all(len(kind) == 1 for kind in of_site) and len(set.union(*of_site)) > 1:
            return True
    return False
