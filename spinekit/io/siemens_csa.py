"""The private headers of Siemens images, as far as a mosaic needs them: CSA elements and the protocol's slices."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ProtocolSlices", "csa_elements", "csa_header", "private_value", "protocol_slices"]

MOST_TAGS, MOST_ITEMS = 1000, 1000
MARKS = (77, 205)  # what stands where nothing is told
TAG = struct.Struct("<64si4siii")  # name, multiplicity, representation, type, number of items, 77 or 205
ITEM = struct.Struct("<4i")  # of which the second is the length of what follows, padded to four bytes
PROTOCOL = re.compile(r"### ASCCONV BEGIN(.*?)### ASCCONV END", re.DOTALL)
N_SLICES = re.compile(r"^sSliceArray\.lSize[ \t]*=[ \t]*(0x[0-9a-fA-F]{1,6}|\d{1,6})[ \t]*$", re.MULTILINE)
COORDINATE = re.compile(
    r"^sSliceArray\.asSlice\[(\d{1,6})\]\.s(Position|Normal)\.d(Sag|Cor|Tra)[ \t]*=[ \t]*"
    r"(-?[0-9.]{1,20}(?:e[-+]?\d{1,3})?)[ \t]*$",
    re.MULTILINE,
)
AXES = ("Sag", "Cor", "Tra")
ProtocolSlices = np.ndarray  # (n, 3), LPS mm: the centres of the planned slices in the order of the protocol


def csa_elements(data: bytes, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return elements of a CSA header by name; empty where the bytes are no whole header of either kind.

    Parameters
    ----------
    data : bytes
        Value of (0029,xx10) or (0029,xx20).
    names : collection of str
        Elements that are wanted; the others are only stepped over.

    Returns
    -------
    dict of str to tuple of str
        The items that are not empty.

    Notes
    -----
    A header of the second kind begins with "SV10". One of the first kind (before 2004) does not, and tells the length
    of an item as a sum with the number of items of an element, for which published readers take the first or the
    second. It is read where these two have the same number of items and the whole header adds up.

    References
    ----------
    .. [1] Nibabel, "Siemens CSA header", nipy.org/nibabel/dicom/siemens_csa.html.

    Examples
    --------
    >>> csa_elements(b"SV10", ["SliceNormalVector"])
    {}
    """
    if not any(_filled(data, name) for name in names):  # most images are no mosaics, and need not be walked through
        return {}
    try:
        return dict(_elements(bytes(data), set(names)))
    except (struct.error, ValueError):
        return {}


def _filled(data: bytes, name: str) -> bool:
    """Whether the bytes name an element that has items."""
    at = data.find(name.encode("latin-1") + b"\0")
    return 0 <= at <= len(data) - TAG.size and TAG.unpack_from(data, at)[4] > 0


def _elements(data: bytes, names: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the wanted elements of a header that adds up to its end."""
    second = data[:4] == b"SV10"
    n_tags, mark = struct.unpack_from("<II", data, 8 if second else 0)
    if not 0 < n_tags <= MOST_TAGS or not (second or mark == MARKS[0]):
        raise ValueError(f"{n_tags} tags")
    at, more = (16, 0) if second else (8, TAG.unpack_from(data, 8)[4])
    found: list[tuple[str, tuple[str, ...]]] = []
    for number in range(n_tags):
        name, _, _, _, n_items, mark = TAG.unpack_from(data, at)
        at += TAG.size
        if not 0 <= n_items <= MOST_ITEMS or not (second or (mark in MARKS and (number != 1 or n_items == more))):
            raise ValueError(f"{n_items} items")
        word = name.split(b"\0", 1)[0].decode("latin-1")
        items = []
        for _ in range(n_items):
            sizes = ITEM.unpack_from(data, at)
            length = sizes[1] if second else sizes[0] - more
            at += ITEM.size
            if not 0 <= length <= len(data) - at or not (second or sizes[2] in MARKS):
                raise ValueError(f"an item of {length} bytes")
            items.append(data[at : at + length])
            at += -(-length // 4) * 4
        if word in names:
            texts = (item.split(b"\0", 1)[0].decode("latin-1").strip() for item in items)
            found.append((word, tuple(text for text in texts if text)))
    yield from found


def csa_header(elements: Mapping[str, tuple[str, Sequence[str]]], *, kind: int = 2) -> bytes:
    """Return a CSA header, which `csa_elements` reads.

    Parameters
    ----------
    elements : mapping of str to (str, sequence of str)
        Name to representation and items.
    kind : {2, 1}
        1 for that of the scanners before 2004, in which every element has room for as many items.

    Examples
    --------
    >>> csa_header({"ProtocolSliceNumber": ("IS", ["1"])})[:4]
    b'SV10'
    """
    room = max((len(items) for _, items in elements.values()), default=0) if kind == 1 else 0
    parts = [b"" if kind == 1 else b"SV10\4\3\2\1", struct.pack("<II", len(elements), MARKS[0])]
    for name, (representation, items) in elements.items():
        filled = [*items, *[""] * (room - len(items))]
        facts = (name.encode(), len(items), representation.encode(), 0, len(filled), MARKS[0])
        parts.append(TAG.pack(*facts))
        for number, item in enumerate(filled):
            data = item.encode("latin-1") + b"\0" if number < len(items) else b""
            parts.append(ITEM.pack(len(data) + room, len(data), MARKS[0], len(data)))
            parts.append(data + b"\0" * (-len(data) % 4))
    return b"".join(parts) + b"\0" * 4


def private_value(dataset: Any, group: int, creator: str, element: int, *, nameless: bool = True) -> Any:
    """Return the value of a private element, wherever its block lies; None where it is not there.

    Anonymisation may have taken the name of the block out and left the block; then the usual place, 0x10, is read,
    unless `nameless` is false.
    """
    blocks = {int(e.tag.element): str(e.value).strip().upper() for e in _creators(dataset, group)}
    usual = 0x10 if nameless and 0x10 not in blocks else None
    block = next((at for at, name in blocks.items() if name == creator), usual)
    found = None if block is None else dataset.get((group, (block << 8) + element), None)
    return None if found is None else found.value


def _creators(dataset: Any, group: int) -> Iterator[Any]:
    for element in range(0x10, 0x20):
        found = dataset.get((group, element), None)
        if found is not None:
            yield found


def protocol_slices(text: str) -> ProtocolSlices | None:
    r"""Return the centres of the slices of a Siemens protocol, LPS mm; None where it does not list parallel slices.

    A coordinate that is zero is left out by the scanner.

    Examples
    --------
    >>> lines = ["sSliceArray.asSlice[0].sNormal.dTra = 1.0", "sSliceArray.asSlice[0].sPosition.dTra = -4.0"]
    >>> lines += ["sSliceArray.asSlice[1].sNormal.dTra = 1.0", "sSliceArray.lSize = 2"]
    >>> protocol_slices("### ASCCONV BEGIN ###\n" + "\n".join(lines) + "\n### ASCCONV END ###").tolist()
    [[0.0, 0.0, -4.0], [0.0, 0.0, 0.0]]
    """
    part = PROTOCOL.search(text)
    size = N_SLICES.search(part.group(1)) if part else None
    count = int(size.group(1), 0) if size else 0
    if part is None or not 0 < count <= MOST_ITEMS:
        return None
    places = {"Position": np.zeros((count, 3)), "Normal": np.zeros((count, 3))}
    for number, what, axis, value in COORDINATE.findall(part.group(1)):
        if int(number) >= count:
            return None
        try:
            places[what][int(number), AXES.index(axis)] = float(value)
        except ValueError:
            return None
    lengths = np.linalg.norm(places["Normal"], axis=1)
    if np.abs(lengths - 1).max() > 1e-3 or np.ptp(places["Normal"], axis=0).max() > 1e-3:
        return None
    return places["Position"]
