"""Compile the kernels of growing ahead of their first use."""

from __future__ import annotations

__all__ = ["compile_kernels"]


def compile_kernels() -> None:
    """Compile, or load from the cache, the flood; its types are fixed, so importing does it."""
    from spinekit.segmentation import flood

    assert flood.flood.signatures
