"""Whether the extensions of a NIfTI header can be true, before a library makes room for them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

__all__ = ["untrue_extension"]

HEADERS = {
    348: (108, "f"),
    540: (168, "q"),
}  # its length tells the kind; where and as what the offset of the values stands
SMALLEST = 8  # its own length and its code


def untrue_extension(path: Path) -> str:
    """Return in words what is wrong with the extensions of a header; empty if nothing is, or if it is no NIfTI.

    Each tells its length, and all of them lie between the header and the first value.
    """
    with gzip.open(path) if path.name.lower().endswith(".gz") else open(path, "rb") as stream:
        head = stream.read(max(HEADERS) + 4)
        for order in "<>":
            length = struct.unpack_from(f"{order}i", head.ljust(4, b"\0"))[0]
            if length in HEADERS and len(head) >= length + 4:
                break
        else:
            return ""
        at, (where, kind) = length + 4, HEADERS[length]
        first = struct.unpack_from(f"{order}{kind}", head, where)[0]
        if head[length] == 0 or not first > at:  # also NaN
            return "it tells of extensions and leaves no room for them" if head[length] and not first >= at else ""
        while first - at >= 2 * SMALLEST:
            stream.seek(at)
            told = stream.read(SMALLEST)
            size = struct.unpack(f"{order}ii", told)[0] if len(told) == SMALLEST else 0
            if not SMALLEST <= size <= first - at:
                return f"an extension of its header is said to take {size} bytes"
            at += size
    return ""
