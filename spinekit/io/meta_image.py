"""MetaImage (.mha, .mhd), as elastix, ITK-SNAP and Slicer write it.

Read here and not with ITK, which gives back what happens to lie in memory where data are shorter than a header says.
The format is told at https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spinekit.errors import InputRefusedError, shown
from spinekit.geometry import Geometry
from spinekit.io.pieces import Unpacked, fill, padding_of, unpacked_size

__all__ = ["META_IMAGE", "read_meta_image"]

META_IMAGE = (".mha", ".mhd")
LARGEST_RATIO = 1000  # to which zlib packs zeros
LONGEST_HEADER = 1 << 16
LINE = re.compile(rb"([A-Za-z0-9_]+)[ \t]*=[ \t]*(.*?)[ \t]*\r?\n")
TYPES = {
    "MET_CHAR": "i1", "MET_ASCII_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
SPACING, ORIGIN = ("ElementSpacing", "ElementSize"), ("Offset", "Position", "Origin")
AXES = ("TransformMatrix", "Rotation", "Orientation")
ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def read_meta_image(path: Path) -> tuple[np.ndarray, Geometry]:
    """Return values (Z, Y, X) in float32 and the grid of a 3-D MetaImage.

    Raises
    ------
    InputRefusedError
        ``file-truncated``, ``file-too-large``, ``file-corrupt`` where data and header do not fit;
        ``format-unsupported``; ``geometry-missing`` or ``affine-invalid`` for a grid that cannot be.
    """
    fields, first = _fields(path)
    size = _size(path, fields)
    kind = TYPES.get(fields.get("ElementType", ""))
    if kind is None:
        raise _unsupported(path, f"an image of values of type '{fields.get('ElementType', 'unknown')[:24]}'")
    stored = np.dtype((">" if _flag(path, fields, *ORDER) else "<") + kind)
    geometry = _grid(path, fields, size)
    promised = int(np.prod(size, dtype=object)) * stored.itemsize
    name = fields["ElementDataFile"]
    local = name.upper() == "LOCAL"
    if not local and (name != Path(name).name or name.upper().startswith("LIST") or "%" in name):
        raise _unsupported(path, "an image whose data lie in several files or in another folder")
    try:
        with open(path if local else path.with_name(name), "rb") as stream:
            source = _source(path, fields, stream, first if local else 0, promised, padding_of(size, stored.itemsize))
            values = fill(source, size[::-1], None, stored, np.dtype(np.float32))
    except (OSError, EOFError, zlib.error) as reason:
        raise _damaged(path) from reason
    return values, geometry


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of the header, whose last is ElementDataFile, and where it ends."""
    with open(path, "rb") as stream:
        head = stream.read(LONGEST_HEADER)
    fields: dict[str, str] = {}
    at = 0
    while "ElementDataFile" not in fields:
        line = LINE.match(head + b"\n" if len(head) < LONGEST_HEADER else head, at)
        if line is None:
            raise _damaged(path)
        fields[line[1].decode()] = line[2].decode("utf-8", "replace")
        at = line.end()
    return fields, at


def _flag(path: Path, fields: Mapping[str, str], *names: str, default: str = "False") -> bool:
    text = next((fields[name] for name in names if name in fields), default).strip().lower()
    if text not in ("true", "false", "1", "0"):
        raise _corrupt(path, f"its {names[0]} is '{text[:24]}'")
    return text in ("true", "1")


def _whole_numbers(path: Path, fields: Mapping[str, str], name: str, default: str = "") -> list[int]:
    words = fields.get(name, default).split()
    if not words or not all(re.fullmatch(r"-?\d{1,12}", word) for word in words):
        raise _corrupt(path, f"its {name} is '{fields.get(name, 'absent')[:24]}'")
    return [int(word) for word in words]


def _size(path: Path, fields: Mapping[str, str]) -> tuple[int, ...]:
    """Return the voxels along x, y and z of a header that speaks of one 3-D image of single values."""
    if fields.get("ObjectType", "Image") != "Image":
        raise _unsupported(path, f"a MetaIO object of type '{fields['ObjectType'][:24]}'")
    (dimensions, *_), sizes = _whole_numbers(path, fields, "NDims"), _whole_numbers(path, fields, "DimSize")
    parts = _whole_numbers(path, fields, "ElementNumberOfChannels", "1")[0]
    if dimensions != 3 or parts != 1:
        raise _unsupported(path, f"an image of {dimensions} dimensions with {parts} values per voxel")
    if len(sizes) != 3 or min(sizes) < 1:
        raise _corrupt(path, f"its DimSize is '{fields['DimSize'][:24]}'")
    if not _flag(path, fields, "BinaryData", default="True"):
        raise _unsupported(path, "an image written as text")
    return tuple(sizes)


def _grid(path: Path, fields: Mapping[str, str], size: tuple[int, ...]) -> Geometry:
    def numbers(names: tuple[str, ...], default: str, count: int) -> list[float]:
        text = next((fields[name] for name in names if name in fields), default)
        try:
            values = [float(word) for word in text.split()]
        except ValueError:
            values = []
        if len(values) != count:
            raise _corrupt(path, f"its {names[0]} is '{text[:40]}'")
        return values

    axes = np.reshape(numbers(AXES, "1 0 0 0 1 0 0 0 1", 9), (3, 3)).T  # listed axis by axis
    x, y, z = size
    spacing, origin = numbers(SPACING, "1 1 1", 3), numbers(ORIGIN, "0 0 0", 3)
    return Geometry((x, y, z), tuple(spacing), tuple(origin), tuple(tuple(row) for row in axes.tolist()))  # type: ignore[arg-type]


def _source(path: Path, fields: Mapping[str, str], stream: BinaryIO, first: int, promised: int, padding: int) -> Any:
    """Return what gives the values, after holding their number against what is there; nothing is allocated before."""
    end = stream.seek(0, 2)
    packed = _flag(path, fields, "CompressedData")
    told = _whole_numbers(path, fields, "CompressedDataSize", "0")[0] if packed else promised
    skip = _whole_numbers(path, fields, "HeaderSize", "0")[0]
    first = end - told if skip == -1 else max(skip, first)
    if skip < -1 or first < 0 or told < 0:
        raise _corrupt(path, f"its HeaderSize is {skip} and its data take {told} bytes")
    there = max(end - first, 0)
    if promised > LARGEST_RATIO * there:
        raise _too_large(path, promised, there)
    stream.seek(first)
    if not packed:
        _hold(path, promised, there, padding)
        return stream
    if told > there:
        raise _damaged(path)
    unpacks_to = unpacked_size(Unpacked(stream, zlib.decompressobj(zlib.MAX_WBITS | 32)))
    _hold(path, promised, unpacks_to, padding)
    stream.seek(first)
    return Unpacked(stream, zlib.decompressobj(zlib.MAX_WBITS | 32))


def _hold(path: Path, promised: int, there: int, padding: int) -> None:
    if there < promised:
        raise _damaged(path)
    if there > promised + padding:
        raise _corrupt(path, f"it promises {promised} bytes of values and holds {there}")


def _too_large(path: Path, promised: int, there: int) -> InputRefusedError:
    return InputRefusedError(
        "file-too-large",
        found=f"The header of the {shown(path)} promises {promised} bytes of values; there are {there} bytes.",
        expected="As much data as the header says.",
        cause="The header was damaged, or the data lie in a file that was not copied along.",
        cure="Copy all files of the image again.",
    )


def _unsupported(path: Path, what: str) -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found=f"The {shown(path)} is {what}.",
        expected="A 3-D image with one value per voxel, its data in one place.",
        cause="It may be a series over time, a colour image or a field of vectors.",
        cure="Save a single image; a series over time as NIfTI or .seq.nrrd.",
    )


def _corrupt(path: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The header of the {shown(path)} cannot be true: {why}.",
        expected="Fields as MetaIO tells them, and as much data as they say.",
        cause="The header was damaged, or changed by hand.",
        cure="Save the image again from the program it comes from.",
    )


def _damaged(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "file-truncated",
        found=f"The {shown(path)} cannot be read to its end.",
        expected="A complete MetaImage, with its data in the file or beside it under the name that it tells.",
        cause="The copy was interrupted, or the .raw file of an .mhd was not copied along or renamed.",
        cure="Copy all files of the image again, or save it as one .mha, NIfTI or .nrrd.",
    )
