"""Compile what is compiled on first use, so that a reader's first click does not wait.

Run by the set-up as ``python -m spinekit.warm``. The compiled code is cached beside the package, or in
the user's cache folder where the package cannot be written to.
"""

from __future__ import annotations

import importlib
import sys
import time

__all__ = ["main"]

ROOMS = ("spinekit.kinetics.warm", "spinekit.segmentation.warm", "spinekit.radiomics.warm", "spinekit.phantom.warm")


def main() -> None:
    """Compile every kernel and say how long it took."""
    started = time.perf_counter()
    for room in ROOMS:
        importlib.import_module(room).compile_kernels()
    sys.stdout.write(f"Compiled the kernels in {time.perf_counter() - started:.0f} s.\n")


if __name__ == "__main__":
    main()
