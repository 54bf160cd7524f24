"""Compile the kernels ahead of their first use, and say where they are kept."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cache_state", "compile_kernels"]


def compile_kernels() -> None:
    """Compile, or load from the cache, the kernels of maps and fit; their types are fixed, so importing does it."""
    from spinekit.kinetics import fit_kernel, kernel

    assert kernel.describe_blocks.signatures
    assert fit_kernel.fit_voxels.signatures


def cache_state() -> tuple[str, bool]:
    """Return the folder of the compiled code, in words, and whether it holds the kernel."""
    from spinekit.kinetics import kernel

    folder = Path(str(kernel.describe_blocks.stats.cache_path))
    return folder.parent.name + "/" + folder.name, any(folder.glob("kernel.describe_blocks*.nbc"))
