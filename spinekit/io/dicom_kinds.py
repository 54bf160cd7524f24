"""Images of several kinds in one series: echoes, flip angles, or water and fat are no phases of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from spinekit.io.dicom_grid import group_by_position
from spinekit.io.dicom_headers import Slice

__all__ = ["KIND", "kind_in_words", "of_kind", "split_by_kind"]

Stack = list[Slice]
KIND = re.compile(r"(type|echo|flip)=([A-Za-z0-9_. -]{1,32})")  # what a reader may ask for
WORD = re.compile(r"[A-Z0-9_. -]{1,16}")
PLACES = {"TR": 0, "TE": 1, "flip": 2}  # in the protocol of a slice
STEPS = {"TR": (0.02, 0.0), "TE": (0.01, 0.01), "flip": (0.0, 0.5)}  # relative and absolute: less is rounding


def of_kind(s: Slice, what: str, value: str) -> bool:
    """Whether an image is of the kind that was asked for, such as ``type=W``, ``echo=2.3`` or ``flip=15``."""
    if what == "type":
        return value.strip().upper() in s.image_type
    told = s.protocol[PLACES["TE" if what == "echo" else "flip"]] if s.protocol else None
    try:
        return told is not None and abs(told - float(value)) < 0.01
    except ValueError:
        return False


def split_by_kind(stack: Stack) -> list[Stack]:
    """Return the images of a series by kind; the series itself if it holds one kind.

    Echo time, flip angle or repetition time divide it where each value occurs at most positions; the image type where
    two or more types occur at least twice at most positions, as water and fat do; and what was derived is divided from
    what was measured, as a subtraction that is not called one. A single damaged header divides nothing.
    """
    by_protocol = _divided(stack, _protocols(stack), least=1)
    by_type = [part for whole in by_protocol for part in _divided(whole, [s.image_type for s in whole], least=2)]
    return [part for whole in by_type for part in _divided(whole, [s.image_type[:1] for s in whole], least=1)]


def _divided(stack: Stack, kinds: Sequence[Any], *, least: int) -> list[Stack]:
    """Return the images by kind, if several kinds have so many images at most positions."""
    parts: dict[Any, Stack] = {}
    for s, kind in zip(stack, kinds, strict=True):
        parts.setdefault(kind, []).append(s)
    if len(parts) < 2:
        return [stack]
    n_positions = len(group_by_position(stack))
    filled = {kind: sum(len(g) >= least for g in group_by_position(part)) for kind, part in parts.items()}
    whole = sorted(kind for kind, n in filled.items() if 2 * n > n_positions)
    if len(whole) < 2:
        return [stack]
    largest = max(whole, key=lambda kind: len(parts[kind]))
    rest = [s for kind, part in parts.items() if kind not in whole for s in part]
    return [parts[kind] + (rest if kind == largest else []) for kind in whole]


def _protocols(stack: Stack) -> list[tuple[int, ...]]:
    """Return for every image the number of its repetition time, echo time and flip angle among those that occur."""
    columns = []
    for name, place in PLACES.items():
        values = np.array([np.nan if not s.protocol or s.protocol[place] is None else s.protocol[place] for s in stack])
        columns.append(_clusters(values, *STEPS[name]))
    return [tuple(int(n) for n in row) for row in np.stack(columns, axis=1)]


def _clusters(values: np.ndarray, relative: float, absolute: float) -> np.ndarray:
    """Return for every value the number of its cluster; what is not told goes with the first."""
    known = np.unique(values[np.isfinite(values)])
    if known.size == 0:
        return np.zeros(values.size)
    borders = known[1:][np.diff(known) > relative * known[:-1] + absolute]
    return np.where(np.isfinite(values), np.searchsorted(borders, np.nan_to_num(values), side="right"), 0)


def kind_in_words(stack: Stack, others: Sequence[Stack]) -> str:
    """Return what tells a part of a series from the other parts of it, as it may be asked for; "" if nothing does."""
    same = [o for o in others if o is not stack and o[0].series_uid == stack[0].series_uid]
    if not same:
        return ""
    for what, name in (("echo", "TE"), ("flip", "flip")):
        values = [o[0].protocol[PLACES[name]] if o[0].protocol else None for o in (stack, *same)]
        if len(set(values)) > 1 and values[0] is not None:
            return f"{what}={values[0]:g}"
    words = [w for w in stack[0].image_type if WORD.fullmatch(w) and not any(w in o[0].image_type for o in same)]
    return f"type={words[0]}" if words else ""
