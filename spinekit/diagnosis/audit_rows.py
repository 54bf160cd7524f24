"""Leaks between rows: a patient, a copy or the future on both sides of a fold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spinekit.diagnosis.audit_finding import Finding

__all__ = ["leaks_between_rows"]

NEIGHBOURS = 8  # of a row among which the ends of a synthetic row are looked for
STRAIGHT = 1e-6  # largest distance from the line between two rows, of its length
NEAR_COPY = 1e-3  # in standard deviations, column by column
VERY_NEAR = 0.1  # of the median distance to the nearest row, at most
BY_CHANCE = 0.005  # pairs of rows that may be so near by chance
SEVERAL = 3
CONTINUOUS = 0.5  # share of rows with a value of their own in a column that rows are interpolated in


def leaks_between_rows(
    values: Any, y: Any, *, patients: Any, times: Any, folds: tuple[tuple[Any, Any], ...], inner: Any
) -> Iterator[Finding]:
    """Yield what is wrong between training and test rows.

    Parameters
    ----------
    values : ndarray of shape (N, P)
        Numeric features, standardised; 0 where missing.
    y : ndarray of shape (N,)
    patients, times : array of shape (N,) or None
    folds : tuple of (train, test)
    inner : sequence of sequence of (train, validation), or None
    """
    if folds:
        yield from _same_row(folds)
        if patients is not None:
            yield from _same_patient(patients, folds)
        if times is not None:
            yield from _future(times, folds)
        if inner is not None:
            yield from _inner(folds, inner)
    yield from _copies(values, y, patients, folds)
    yield from _synthetic(values, y)


def _same_row(folds: Any) -> Iterator[Finding]:
    shared = sum(np.intersect1d(train, test).size for train, test in folds)
    if shared:
        yield Finding(
            "row-in-train-and-test",
            f"{shared} rows stand in the training and the test part of the same fold.",
            "Make the parts disjoint, for example with spinekit.evaluation.nested_splits.",
        )


def _same_patient(patients: Any, folds: Any) -> Iterator[Finding]:
    who = np.asarray(patients).astype(str)
    shared = {name for train, test in folds for name in set(who[train]) & set(who[test])}
    if shared:
        yield Finding(
            "patient-in-two-folds",
            f"{len(shared)} patients, such as '{sorted(shared)[0]}', have rows on both sides of a fold.",
            "Group the folds by patient: spinekit.evaluation.nested_splits does.",
        )


def _future(times: Any, folds: Any) -> Iterator[Finding]:
    when = np.asarray(times)
    late = [n for n, (train, test) in enumerate(folds) if when[train].max() > when[test].min()]
    if late:
        yield Finding(
            "training-after-test",
            f"In {len(late)} of {len(folds)} folds a training row is later than a test row.",
            "For a test in time, train on what came before the test rows alone.",
        )


def _inner(folds: Any, inner: Any) -> Iterator[Finding]:
    seen = 0
    for (_, test), pairs in zip(folds, inner, strict=True):
        rows = np.concatenate([np.concatenate([np.asarray(a), np.asarray(b)]) for a, b in pairs])
        seen += np.intersect1d(rows, test).size
    if seen:
        yield Finding(
            "tuned-on-test",
            f"{seen} test rows are used by inner folds, where parameters are chosen.",
            "Choose parameters on inner folds of the training part alone.",
        )


def _groups(values: Any) -> Any:
    """Return the number of the group of copies that each row belongs to.

    Rows are copies if they are equal, or nearer to one another than chance brings rows. In d dimensions the share
    of rows that have a neighbour within a fraction f of the median distance to the nearest row is about f^d ln 2.
    """
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial.distance import pdist, squareform

    distance = squareform(pdist(values))
    np.fill_diagonal(distance, np.inf)
    limit = NEAR_COPY * np.sqrt(values.shape[1])
    share = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
    effective = share.sum() ** 2 / max(float((share**2).sum()), 1e-300)
    near = (BY_CHANCE / (np.log(2.0) * len(values))) ** (1.0 / max(effective, 1.0))
    limit = max(limit, min(near, VERY_NEAR) * float(np.median(distance.min(axis=1))))
    return connected_components(distance <= limit, directed=False)[1]


def _copies(values: Any, y: Any, patients: Any, folds: Any) -> Iterator[Finding]:
    if values.shape[1] < 2:  # a single column may well repeat
        return
    group = _groups(values)
    sizes = np.bincount(group)
    copied = sizes[group] > 1
    if not copied.any() or (values.std(axis=0) > 0).sum() < 2 or _equal_by_chance(values, group) > 0.05:
        return
    crossing = _crossing(group, folds)
    named = patients is not None and len(set(np.asarray(patients).astype(str)[copied])) > (sizes > 1).sum()
    if not (crossing or named):
        return
    classes, counts = np.unique(y, return_counts=True)
    minority = classes[np.argmin(np.bincount(np.searchsorted(classes, y[np.unique(group, return_index=True)[1]])))]
    if classes.size == 2 and counts[0] == counts[1] and (y[copied] == minority).all():
        yield Finding(
            "oversampling-outside-fold",
            f"Both classes have {counts[0]} rows, and {int(copied.sum())} rows of class {minority} are copies.",
            "Draw rows of the smaller class again inside the training part of each fold, or weight them.",
        )
    else:
        yield Finding(
            "duplicate-across-folds",
            f"{int(copied.sum())} rows have the same features as another row on the other side of a fold "
            "or under another pseudonym.",
            "Keep one row of each, or give copies the pseudonym of their patient.",
        )


def _equal_by_chance(values: Any, group: Any) -> float:
    """Return how many pairs of rows would be equal by chance if columns were independent: ages and counts repeat."""
    rows = values[np.unique(group, return_index=True)[1]]
    n = len(rows)
    if n < 2:
        return 0.0
    same = [float((c * (c - 1)).sum()) / (n * (n - 1)) for c in (np.unique(v, return_counts=True)[1] for v in rows.T)]
    return n * (n - 1) / 2 * float(np.prod(np.maximum(same, 1e-4)))


def _crossing(group: Any, folds: Any) -> int:
    return sum(np.intersect1d(group[train], group[test]).size for train, test in folds)


def _synthetic(values: Any, y: Any) -> Iterator[Finding]:
    """Find rows that lie on the line between two others of their class, as interpolating oversampling makes them."""
    # whole numbers lie on straight lines by chance
    own = [np.unique(column).size >= CONTINUOUS * len(column) for column in values.T]
    values = values[:, np.asarray(own, dtype=bool)]
    if values.shape[1] < 3 or len(values) < 12:
        return
    count = sum(_between_others(values[y == kind]) for kind in np.unique(y))
    if count >= SEVERAL:
        yield Finding(
            "oversampling-outside-fold",
            f"{count} rows lie on the straight line between two other rows of their class: they were interpolated.",
            "Interpolate inside the training part of each fold; a synthetic row must never be tested.",
        )


def _between_others(rows: Any) -> int:
    """Count rows r for which there are rows a, b with r on the line from a to b."""
    found = 0
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    for n in range(len(rows)):
        near = [m for m in np.argsort(distance[n], kind="stable") if distance[n, m] > 1e-9][:NEIGHBOURS]
        towards = rows - rows[n]
        length = np.linalg.norm(towards, axis=1)
        usable = length > 1e-9
        for m in near:
            cosine = towards[usable] @ towards[m] / (length[usable] * length[m])
            if (cosine < -1 + STRAIGHT).any():
                found += 1
                break
    return found
