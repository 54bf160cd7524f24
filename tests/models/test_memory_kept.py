"""Memory of large tensors is kept while a network answers, and given back after it."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from spinekit.models import memory
from spinekit.models.memory import memory_kept

LARGE = (48 << 20) // 4  # floats: 48 MiB, above what glibc keeps by itself

needs_glibc = pytest.mark.skipif(memory._glibc() is None, reason="another C library than glibc: nothing is kept")


def pages_taken() -> int:
    """Return how many fresh pages are taken while twenty large tensors are filled one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.full((LARGE,), 1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@needs_glibc
def test_a_freed_tensor_leaves_its_pages_to_the_next():
    without = pages_taken()

    with memory_kept():
        kept = pages_taken()

    assert kept < without / 4


@needs_glibc
def test_at_the_end_all_goes_back_also_after_an_error():
    before = resident_mib()
    seen = []

    def failing():
        with memory_kept():
            torch.full((4 * LARGE,), 1.0)
            seen.append(resident_mib())
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        failing()

    assert seen[0] > before + 150
    assert resident_mib() < before + 40


@needs_glibc
def test_an_inner_use_does_not_end_the_outer_one():
    with memory_kept():
        with memory_kept():
            pages_taken()
        inside = pages_taken()

    assert inside < pages_taken() / 4


def test_where_the_c_library_is_another_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)

    with memory_kept():
        assert torch.ones(3).sum() == 3
