"""The values and the grid of an NRRD file, from its header and bytes.

Read here and not with ITK, whose NRRD reader ends the whole process on some damaged headers. The format is the one of
the teem library (NRRD0001 to NRRD0005): https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spinekit.geometry import Geometry
from spinekit.io.pieces import Numbers, Unpacked, fill, gzip_tells, padding_of, unpacked_size

__all__ = ["NrrdError", "grid_of", "values_of"]

TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
TO_LPS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0, 1.0)),
}
TO_MM = {"mm": 1.0, "millimeter": 1.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "cm": 10.0, "m": 1e3}
TEXT, GZIP = ("text", "txt", "ascii"), ("gzip", "gz")
UNPACKERS: dict[str, Any] = {
    **dict.fromkeys(GZIP, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    **dict.fromkeys(("bzip2", "bz2"), bz2.BZ2Decompressor),
}
VECTORS = {"vector", "point", "covariant-vector"}
FRAMES = {"list", "time"} | VECTORS
VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)


class NrrdError(ValueError):
    """What is wrong with a header or its data, in words; ``code`` is that of the refusal."""

    def __init__(self, why: str, *, code: str = "file-truncated") -> None:
        self.code = code
        super().__init__(why)


def _integers(fields: Mapping[str, str], name: str, count: int | None) -> tuple[int, ...]:
    words = fields.get(name, "").split()
    if not words or not all(re.fullmatch(r"\d{1,12}", w) for w in words) or count not in (None, len(words)):
        raise NrrdError(f"its '{name}' is '{fields.get(name, 'absent')[:40]}'")
    return tuple(int(w) for w in words)


def _shape(fields: Mapping[str, str]) -> tuple[int, ...]:
    (dimension,) = _integers(fields, "dimension", 1)
    if dimension not in (3, 4):
        raise NrrdError(f"{dimension} dimensions", code="format-unsupported")
    sizes = _integers(fields, "sizes", dimension)
    if min(sizes) < 1:
        raise NrrdError(f"its 'sizes' is '{fields['sizes'][:40]}'")
    return sizes


def _frame_axis(fields: Mapping[str, str], dimension: int) -> int | None:
    """Return the axis, fastest first, that counts frames; None for a volume."""
    kinds = fields.get("kinds", "").lower().split()
    vectors = [m.group(0).lower() for m in VECTOR.finditer(fields.get("space directions", ""))]
    named = [n for n, kind in enumerate(kinds) if kind in FRAMES or kind.endswith(("-color", "-matrix", "complex"))]
    apart = [n for n, vector in enumerate(vectors) if vector == "none"]
    axes = sorted(set(named) | set(apart))
    if any(kinds[n] not in FRAMES for n in named) or (dimension == 3 and axes) or len(axes) > 1:
        raise NrrdError(f"{dimension} dimensions of kind {' '.join(kinds) or 'unknown'}", code="format-unsupported")
    framed = {"MultiVolume.FrameLabels", "axis 0 index values"} & set(fields)
    if axes and len(kinds) == dimension and kinds[axes[0]] in VECTORS and not framed:
        raise NrrdError(f"vectors of {fields.get('sizes', '').split()[axes[0]]} components", code="format-unsupported")
    if dimension == 3:
        return None
    return axes[0] if axes else 3


def values_of(path: Path, fields: Mapping[str, str], header_bytes: int, *, dtype: Any = None) -> np.ndarray:
    """Return the values of a file, ``(Z, Y, X)`` or ``(T, Z, Y, X)``.

    Parameters
    ----------
    path : Path
        The file, or its detached header.
    fields : mapping of str to str
        The fields of the header, by names in lower case.
    header_bytes : int
        Where the data of an attached header begin.
    dtype : dtype, optional
        Of the result; by default the one of the file.

    Raises
    ------
    NrrdError
        For a header that contradicts itself or the data, and for kinds that are no volume and no frames.

    Notes
    -----
    The file is read piece by piece, so that little more than the result is held.
    """
    sizes = _shape(fields)
    axis = _frame_axis(fields, len(sizes))
    stored = _stored_as(fields)
    promised = int(np.prod([int(n) for n in sizes], dtype=object)) * stored.itemsize
    allowed = padding_of(sizes, stored.itemsize)
    try:
        with _data_of(path, fields, header_bytes, promised, allowed) as stream:
            source = _unpacked(stream, fields, stored, promised)
            frames = None if axis is None else len(sizes) - 1 - axis
            values = fill(source, sizes[::-1], frames, stored, np.dtype(dtype or stored.newbyteorder("=")))
            if not isinstance(source, Numbers) and len(source.read(allowed + 1)) > allowed:
                raise NrrdError(f"it promises {promised} bytes and holds more", code="file-corrupt")
            return values
    except EOFError as reason:
        raise NrrdError(str(reason)) from reason
    except (zlib.error, OSError, ValueError) as reason:
        if isinstance(reason, NrrdError):
            raise
        raise NrrdError("its data cannot be unpacked") from reason


def _stored_as(fields: Mapping[str, str]) -> np.dtype:
    kind = TYPES.get(" ".join(fields.get("type", "").lower().split()))
    if kind is None:
        raise NrrdError(f"values of type '{fields.get('type', 'unknown')[:40]}'", code="format-unsupported")
    single = kind.endswith("1") or fields.get("encoding", "").lower() in TEXT
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "little" if single else "absent").lower())
    if order is None:
        raise NrrdError(f"its 'endian' is '{fields.get('endian', 'absent')[:40]}'")
    return np.dtype(order + kind)


def _data_of(path: Path, fields: Mapping[str, str], header_bytes: int, promised: int, allowed: int) -> BinaryIO:
    """Return the file of the data, open where they begin; of raw data, held against their size."""
    named = fields.get("data file", fields.get("datafile", ""))
    if named:
        if named != Path(named).name or named.upper().startswith("LIST") or "%" in named:
            raise NrrdError("data in several files or in another folder", code="format-unsupported")
        path, header_bytes = path.with_name(named), 0
    if fields.get("line skip", fields.get("lineskip", "0")) not in ("", "0"):
        raise NrrdError("lines to be skipped", code="format-unsupported")
    skip = fields.get("byte skip", fields.get("byteskip", "0"))
    if not re.fullmatch(r"-1|\d{1,12}", skip):
        raise NrrdError(f"its 'byte skip' is '{skip[:40]}'")
    try:
        stream = open(path, "rb")  # noqa: SIM115 - handed to the caller, who closes it
    except OSError as reason:
        raise NrrdError("its data file cannot be opened") from reason
    end = stream.seek(0, 2)
    raw = fields.get("encoding", "raw").lower() == "raw"
    first = end - promised if skip == "-1" else header_bytes + int(skip)
    failure = None
    if first < header_bytes or (raw and end - first < promised):
        failure = NrrdError(f"it promises {promised} bytes and holds {max(end - header_bytes, 0)}")
    elif raw and end - first - promised > allowed:
        failure = NrrdError(f"it promises {promised} bytes and holds {end - first}", code="file-corrupt")
    if failure is not None:
        stream.close()
        raise failure
    stream.seek(first)
    return stream


def _unpacked(stream: BinaryIO, fields: Mapping[str, str], stored: np.dtype, promised: int) -> Any:
    """Return what gives the values as plain bytes, after holding their number against what is there."""
    encoding, first = fields.get("encoding", "").lower(), stream.tell()
    if encoding == "raw":
        return stream
    if encoding in TEXT:
        count, there = promised // stored.itemsize, stream.seek(0, 2) - first + 1
        if 2 * count > there:  # a digit and a space for every number
            raise NrrdError(f"it promises {count} numbers and holds at most {there // 2}")
        stream.seek(first)
        return Numbers(stream, stored)
    if encoding not in UNPACKERS:
        raise NrrdError(f"the encoding '{encoding[:40]}'", code="format-unsupported")
    if encoding not in GZIP or not gzip_tells(stream, promised):
        stream.seek(first)
        there = unpacked_size(Unpacked(stream, UNPACKERS[encoding]()))
        if there < promised:
            raise NrrdError(f"it promises {promised} bytes and holds {there}")
    stream.seek(first)
    return Unpacked(stream, UNPACKERS[encoding]())


def grid_of(fields: Mapping[str, str], *, accept_missing_space: bool = False) -> Geometry:
    """Return the grid of a header, in LPS.

    Parameters
    ----------
    fields : mapping of str to str
        The fields of the header, by names in lower case.
    accept_missing_space : bool
        Take the axes of a header that does not say where they point as left, posterior, superior.

    Raises
    ------
    NrrdError
        For directions that are no three vectors at right angles, a space that is unknown, no finite place.
    """
    sizes = _shape(fields)
    axis = _frame_axis(fields, len(sizes))
    size = tuple(n for a, n in enumerate(sizes) if a != axis)
    space = " ".join(fields.get("space", "").lower().split())
    if space and space not in TO_LPS and space.removesuffix("-time") not in TO_LPS:
        raise NrrdError(f"the space '{space[:40]}'", code="format-unsupported")
    if not space and not accept_missing_space:
        raise NrrdError("no 'space' that says where its axes point in the patient", code="affine-missing")
    signs = np.array(TO_LPS.get(space.removesuffix("-time"), (1.0, 1.0, 1.0)))
    if "space directions" in fields:
        vectors = _vectors(fields["space directions"])
        vectors = vectors if len(vectors) == 3 else [v for a, v in enumerate(vectors) if a != axis]
        kept = [v for v in vectors if v is not None]
        columns = np.array(kept) if [len(v) for v in kept] == [3, 3, 3] else np.zeros((0, 0))
    else:
        words = fields.get("spacings", " ".join(["1"] * len(sizes))).split()
        numbers = [_number(w) for a, w in enumerate(words) if a != axis]
        columns = np.diag(numbers) if len(numbers) == 3 else np.zeros((0, 0))
    origin = _vectors(fields["space origin"])[0] if _vectors(fields.get("space origin", "")) else np.zeros(3)
    if columns.shape != (3, 3) or origin is None or len(origin) != 3:
        raise NrrdError("its directions or its origin are not three vectors of three numbers")
    scale = _unit(fields.get("space units", ""))
    columns, origin = columns * signs * scale, np.asarray(origin) * signs * scale
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.linalg.norm(columns, axis=1)
        unit = (columns / np.where(spacing > 0, spacing, 1.0)[:, None]).T
        straight = np.allclose(unit.T @ unit, np.eye(3), atol=1e-3)
    if not (np.isfinite([*spacing, *origin]).all() and (spacing > 0).all() and straight):
        told = fields.get("space directions", fields.get("spacings", ""))[:80]
        raise NrrdError(f"the directions {told}, which are not three at right angles", code="affine-invalid")
    rows = tuple(tuple(float(x) for x in row) for row in unit)
    return Geometry(tuple(int(n) for n in size), tuple(spacing.tolist()), tuple(origin.tolist()), rows)  # type: ignore[arg-type]


def _unit(text: str) -> float:
    """Return the unit of a header in mm; 1 where none is told."""
    units = {word.strip() for word in re.findall(r'"([^"]*)"', text)} - {""}
    if len(units) > 1 or not units <= set(TO_MM):
        raise NrrdError(f"the units {text[:40]}", code="affine-invalid")
    return TO_MM[units.pop()] if units else 1.0


def _vectors(text: str) -> list[np.ndarray | None]:
    """Return the vectors of a field such as ``none (1,0,0) (0,1,0)``."""
    found = VECTOR.finditer(text)
    return [None if m.group(1) is None else np.array([_number(w) for w in m.group(1).split(",")]) for m in found]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
