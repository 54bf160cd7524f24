"""The memory of a network's large tensors, kept from one layer to the next while it answers.

The C library of Linux (glibc) hands every block above 32 MiB back to the system as soon as it is free, and a network
on a whole volume has a few dozen of them: each layer then waits for fresh pages, filled with zeros, as long as for its
arithmetic.
"""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

__all__ = ["memory_kept"]

MIB = 1 << 20
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # mallopt(3)
KEPT = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}
USUAL = {MMAP_MAX: 65536, TRIM_THRESHOLD: 64 * MIB, MMAP_THRESHOLD: 32 * MIB}  # what glibc comes to by itself at most

_LOCK = threading.Lock()
_inside = 0


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory for the next tensor; at the end all of it goes back to the system.

    No number changes. For the whole process, also from several threads at once; where the C library is another one,
    nothing is done.

    Examples
    --------
    >>> with memory_kept():
    ...     sum(range(3))
    3
    """
    global _inside
    library = _glibc()
    with _LOCK:
        _inside += 1
        if library is not None and _inside == 1:
            _set(library, KEPT)
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if library is not None and _inside == 0:
                _set(library, USUAL)
                library.malloc_trim(0)


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def _set(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
