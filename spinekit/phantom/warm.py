"""Compile the kernels of the simulator ahead of their first use."""

from __future__ import annotations

__all__ = ["compile_kernels"]


def compile_kernels() -> None:
    """Compile, or load from the cache, the displaced image and the shares of tissues; importing does it."""
    from spinekit.phantom import compiled

    assert compiled.spline_image.signatures
    assert compiled.count_labels.signatures
