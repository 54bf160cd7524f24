"""Compile the kernels of growing ahead of their first use."""

from __future__ import annotations

__all__ = ["compile_kernels"]


def compile_kernels() -> None:
    """Compile, or load from the cache, flood, distances and mixtures; their types are fixed, so importing does it."""
    from spinekit.segmentation import flood, mixtures, nearness

    assert flood.flood.signatures
    assert mixtures.__name__  # importing compiles its kernels
    assert nearness.spread.signatures
