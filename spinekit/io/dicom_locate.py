"""Where the pixels of a DICOM file lie and how they are coded, without holding them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

__all__ = ["DEFLATED", "StoredPixels", "locate_pixels", "options_of"]

DEFLATED = "1.2.840.10008.1.2.1.99"
PIXEL_DATA = (0x7FE0, 0x0010)
UNTOLD = 0xFFFFFFFF  # a length that the items tell


@dataclass(frozen=True)
class StoredPixels:
    """Where the pixels of a file lie and what decoding them needs; no pixel is held.

    Attributes
    ----------
    syntax : str
        UID of the transfer syntax.
    offset : int
        Of their first byte in the file.
    length : int
        Of those that are there, bytes.
    in_items : bool
        Whether they lie in items that tell their length.
    options : mapping, optional
        What pydicom's decoders ask for; None where the header does not hold it.
    """

    syntax: str
    offset: int
    length: int
    in_items: bool
    options: Mapping[str, Any] | None


def locate_pixels(stream: BinaryIO, dataset: Any) -> StoredPixels | None:
    """Return where the pixels lie in a stream that stands at their element; None if there is no such element."""
    from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    head = stream.read(8)
    if len(head) < 8 or struct.unpack_from(f"{order}HH", head) != PIXEL_DATA:
        return None
    (length,), kind = struct.unpack_from(f"{order}L", head, 4), head[4:6]
    if kind not in (b"OB", b"OW") and (implicit or not b"AA" <= kind <= b"ZZ"):
        kind = b"OW"
    elif kind.decode("latin-1") in EXPLICIT_VR_LENGTH_32:
        (length,) = struct.unpack(f"{order}L", stream.read(4).ljust(4, b"\0"))
    else:
        (length,) = struct.unpack_from(f"{order}H", head, 6)
    offset, size = stream.tell(), stream.seek(0, 2)
    stream.seek(offset)
    there = _length_of_items(stream, size) if length == UNTOLD else max(min(length, size - offset), 0)
    syntax = str(getattr(dataset.file_meta, "TransferSyntaxUID", "1.2.840.10008.1.2"))
    options = options_of(dataset, kind.decode("latin-1"))
    return None if there < 0 else StoredPixels(syntax, offset, there, length == UNTOLD, options)


def _length_of_items(stream: BinaryIO, size: int) -> int:
    """Return how many bytes the items of packed pixels take up to their delimiter; -1 where they do not end."""
    first = stream.tell()
    while len(header := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", header)
        if (group, element) == (0xFFFE, 0xE0DD):
            return stream.tell() - 8 - first
        if (group, element) != (0xFFFE, 0xE000) or stream.tell() + length > size:
            return -1
        stream.seek(length, 1)
    return -1


def options_of(dataset: Any, kind: str) -> dict[str, Any] | None:
    """Return what pydicom's decoders ask for, with the VR of the pixels; None where the header does not hold it."""
    from pydicom.pixels.utils import as_pixel_options

    try:
        return as_pixel_options(dataset, pixel_keyword="PixelData", pixel_vr=kind)
    except Exception:  # an element that decoding needs cannot be converted: told when the image is decoded
        return None
