"""Nested folds in which a patient never stands on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit.errors import InputRefusedError, ShapeMismatchError

__all__ = ["NestedSplit", "nested_splits"]


@dataclass(frozen=True)
class NestedSplit:
    """Row numbers of one outer fold, and of the inner folds of its training part (numbered as the whole table)."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    inner: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]


def nested_splits(
    labels: Any, patients: Any, *, centres: Any = None, outer: int = 5, inner: int = 4, seed: int
) -> tuple[NestedSplit, ...]:
    """Split rows into nested folds, grouped by patient and stratified by class and centre.

    Parameters
    ----------
    labels, patients : array of shape (N,)
        Class and pseudonym of each row; a patient may have several rows.
    centres : array of shape (N,), optional
        Where each row was acquired; class and centre together are stratified by.
    outer, inner : int
        Numbers of folds.
    seed : int
        Of the shuffle; equal seeds give equal folds.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch``; ``value-out-of-range`` where a class has fewer patients than the folds need.

    Examples
    --------
    >>> folds = nested_splits([0, 1] * 12, list(range(24)), outer=3, inner=2, seed=1)
    >>> len(folds), len(folds[0].inner), len(folds[0].test)
    (3, 2, 8)
    """
    kind, who = np.asarray(labels), np.asarray(patients)
    where = np.zeros(kind.shape, dtype=int) if centres is None else np.asarray(centres)
    _check(kind, who, where, outer, inner)
    stratum = np.unique(np.array([f"{k}\t{w}" for k, w in zip(kind, where, strict=True)]), return_inverse=True)[1]
    found = []
    for number, (train, test) in enumerate(_folds(stratum, who, outer, seed)):
        within = _folds(stratum[train], who[train], inner, seed + 1 + number)
        found.append(NestedSplit(train, test, tuple((train[a], train[b]) for a, b in within)))
    return tuple(found)


def _folds(stratum: Any, who: Any, n: int, seed: int) -> Iterator[tuple[Any, Any]]:
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed)
    with (
        warnings.catch_warnings()
    ):  # a class in a small centre may be rarer than the folds: it is spread as far as it goes
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        yield from folds.split(stratum, stratum, who)


def _check(kind: Any, who: Any, where: Any, outer: int, inner: int) -> None:
    if kind.ndim != 1 or not kind.shape == who.shape == where.shape:
        raise ShapeMismatchError(
            found=f"Labels, patients and centres have shapes {kind.shape}, {who.shape} and {where.shape}.",
            expected="One of each per row of the table.",
            cause="Rows may have been left out of one of them.",
            cure="Take all three from the same table.",
        )
    fewest = min((np.unique(who[kind == k]).size for k in np.unique(kind)), default=0)
    if np.unique(kind).size < 2 or min(outer, inner) < 2 or fewest < outer or fewest - -(-fewest // outer) < inner:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{np.unique(kind).size} classes; the smallest has {fewest} patients; folds {outer} × {inner}.",
            expected="Two classes, at least two folds, and in each class a patient for every outer and inner fold.",
            cause="The cohort may be too small for so many folds.",
            cure="Use fewer folds, or add patients.",
        )
