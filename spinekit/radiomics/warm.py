"""Compile the kernels of texture matrices and interpolation ahead of their first use."""

from __future__ import annotations

__all__ = ["compile_kernels"]


def compile_kernels() -> None:
    """Compile, or load from the cache, all kernels; their types are fixed, so importing does it."""
    from spinekit.radiomics import matrix_kernels, sampling_kernels

    for kernel in (
        matrix_kernels.co_occurrences,
        matrix_kernels.runs,
        matrix_kernels.dependences,
        matrix_kernels.tone_differences,
        matrix_kernels.zones,
        sampling_kernels.combined,
        sampling_kernels.recursed,
    ):
        assert kernel.signatures
