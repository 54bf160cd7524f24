"""What differs between two records, arrays or tables, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Difference", "differing_leaves", "differing_values"]

SHOWN = 12  # differences of one record that are named; the rest is counted


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be: what it is, and how it differs."""

    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def differing_leaves(kept: Any, again: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the words of each leaf in which two JSON records differ.

    Examples
    --------
    >>> list(differing_leaves({"a": [1, 2], "b": 3}, {"a": [1, 4], "b": 3}))
    [('a[1]', 'kept 2, recomputed 4')]
    """
    if isinstance(kept, Mapping) and isinstance(again, Mapping):
        for key in dict.fromkeys((*kept, *again)):
            place = f"{prefix}.{key}" if prefix else str(key)
            if key not in kept or key not in again:
                where, value = ("kept", kept[key]) if key in kept else ("recomputed", again[key])
                yield place, f"only in what was {where}: {_brief(value)}"
            else:
                yield from differing_leaves(kept[key], again[key], place)
    elif isinstance(kept, list) and isinstance(again, list) and len(kept) == len(again):
        for n, (one, other) in enumerate(zip(kept, again, strict=True)):
            yield from differing_leaves(one, other, f"{prefix}[{n}]")
    elif kept != again and not (_is_nan(kept) and _is_nan(again)):
        yield prefix, f"kept {_brief(kept)}, recomputed {_brief(again)}"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def named(subject: str, leaves: Iterator[tuple[str, str]]) -> list[Difference]:
    """Return the leaves as differences of one subject; beyond `SHOWN` they are counted."""
    found = list(leaves)
    shown = [Difference(f"{subject}, {place}" if place else subject, text) for place, text in found[:SHOWN]]
    if len(found) > SHOWN:
        shown.append(Difference(subject, f"{len(found) - SHOWN} further entries differ"))
    return shown


def differing_values(subject: str, kept: Any, again: Any) -> list[Difference]:
    """Compare two arrays of the order ([T,] Z, Y, X) to the bit; NaN equals NaN.

    Returns
    -------
    list of Difference
        Empty, or one that tells how many values differ, the first of them and the largest difference.
    """
    if kept.shape != again.shape:
        return [Difference(subject, f"shape {kept.shape} kept, {again.shape} recomputed")]
    count, first, largest = 0, None, 0.0
    slabs = zip(kept, again, strict=True) if kept.ndim == 4 else [(kept, again)]
    for phase, (one, other) in enumerate(slabs):
        unequal = (one != other) & ~(np.isnan(one) & np.isnan(other))
        if not unequal.any():
            continue
        count += int(np.count_nonzero(unequal))
        gap = np.abs(one[unequal].astype(np.float64) - other[unequal].astype(np.float64))
        largest = max(largest, float(np.nanmax(gap)) if np.isfinite(gap).any() else math.inf)
        if first is None:
            k, j, i = (int(n) for n in np.argwhere(unequal)[0])
            where = f"phase {phase}, " if kept.ndim == 4 else ""
            first = f"{where}voxel i,j,k = {i},{j},{k}: kept {one[k, j, i]:.9g}, recomputed {other[k, j, i]:.9g}"
    if first is None:
        return []
    values = "value differs" if count == 1 else "values differ"
    return [Difference(subject, f"{count} {values}; {first}; largest difference {largest:.4g}")]
