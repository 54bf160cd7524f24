"""Painting tissues onto labels, one over the other, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fill"]


def fill(labels: Any, where: Any, label: int, *, only: tuple[int, ...] | None = None) -> None:
    """Write `label` where the mask is true, over the tissues in `only` if given; in place.

    Parameters
    ----------
    labels : ndarray of uint8
        Changed in place.
    where : ndarray of bool
        Broadcast against `labels`.
    label : int
        Tissue to write.
    only : tuple of int, optional
        Tissues that may be painted over; any if not given.

    Examples
    --------
    >>> labels = np.array([0, 1, 2], dtype=np.uint8)
    >>> fill(labels, np.array([True, True, False]), 9, only=(1, 2))
    >>> labels.tolist()
    [0, 9, 2]
    """
    if only is not None:
        allowed = np.zeros(256, dtype=bool)
        allowed[list(only)] = True
        where = where & allowed[labels]
    np.copyto(labels, np.uint8(label), where=where)
