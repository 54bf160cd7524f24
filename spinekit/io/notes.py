"""What has to be told about a series whatever format it came in."""

from __future__ import annotations

from spinekit.errors import coded_warning

__all__ = ["thin_slab"]


def thin_slab(n_slices: int) -> str:
    """Return the warning of a series with one slice or two.

    Examples
    --------
    >>> thin_slab(1)
    '[slab-too-thin] The series has 1 slice: maps and curves can be computed, 3-D growing and 3-D features cannot.'
    """
    slices = "1 slice" if n_slices == 1 else f"{n_slices} slices"
    text = f"The series has {slices}: maps and curves can be computed, 3-D growing and 3-D features cannot."
    return coded_warning("slab-too-thin", text)
