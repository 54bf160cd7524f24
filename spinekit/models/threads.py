"""How many threads torch may use: sums are taken in another order with another number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["fixed_threads"]


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """Let torch work on so many threads, so that a result is the same in every process of a machine.

    Examples
    --------
    >>> import torch
    >>> with fixed_threads(1):
    ...     torch.get_num_threads()
    1
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
