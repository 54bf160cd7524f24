"""NRRD: Slicer MultiVolume, sequences (.seq.nrrd) and plain volumes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.nrrd_data import NrrdError, grid_of, values_of
from spinekit.io.sources import shown, without_path

__all__ = ["NrrdContent", "read_nrrd"]

TO_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3}
LONGEST_HEADER = 1 << 20


class NrrdContent:
    """Values ``(T, Z, Y, X)`` or ``(Z, Y, X)``, grid, header fields and times where the header tells them."""

    def __init__(self, values: np.ndarray, geometry: Geometry, fields: dict[str, str], times_s: Any) -> None:
        self.values = values
        self.geometry = geometry
        self.fields = fields
        self.times_s = times_s

    def protocol(self) -> dict[str, Any]:
        """Return TR, TE (ms) and flip angle (degrees) of a MultiVolume, where stated."""
        names = {"repetition_time_ms": "RepetitionTime", "echo_time_ms": "EchoTime", "flip_angle_deg": "FlipAngle"}
        stated = {key: self.fields.get(f"MultiVolume.DICOM.{tag}", "") for key, tag in names.items()}
        return {key: float(text) for key, text in stated.items() if re.fullmatch(r"[0-9.eE+-]+", text)}


def read_nrrd(path: Path, *, accept_missing_space: bool = False, dtype: Any = None) -> NrrdContent:
    """Read an NRRD file.

    Parameters
    ----------
    path : Path
        The file, or its detached header.
    accept_missing_space : bool
        Take the axes of a header that does not say where they point as left, posterior, superior.
    dtype : dtype, optional
        Of the values; by default as in the file.

    Raises
    ------
    InputRefusedError
        ``file-truncated``, ``file-corrupt``, ``format-unsupported``, ``affine-missing``, ``affine-invalid``,
        ``times-invalid``.
    """
    fields, header_bytes = _fields(path)
    try:
        geometry = grid_of(_lower(fields), accept_missing_space=accept_missing_space)
        values = values_of(path, _lower(fields), header_bytes, dtype=dtype)
    except NrrdError as reason:
        raise REFUSALS.get(reason.code, _damaged)(path, str(reason)) from reason
    except MemoryError as reason:
        raise InputRefusedError(
            "file-too-large",
            found=f"The {shown(path)} holds more than the memory takes.",
            expected="A series that fits the memory.",
            cause="It may be a whole study in one file.",
            cure="Cut it into series, or use a larger machine.",
        ) from reason
    return NrrdContent(values, geometry, fields, _times(path, fields, values.shape[0]) if values.ndim == 4 else None)


def _lower(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields with the names of the format in lower case, as it allows; keys of its users stay."""
    return {name if "." in name else name.lower(): text for name, text in fields.items()}


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Return fields and key/value pairs of the header, text that ends with an empty line, and its length in bytes."""
    with open(path, "rb") as stream:
        head = stream.read(LONGEST_HEADER)
    if not head.startswith(b"NRRD"):
        raise _damaged(path, "it does not begin with 'NRRD'")
    end = re.search(rb"\r?\n\r?\n", head)
    if end is None and (path.suffix.lower() != ".nhdr" or len(head) == LONGEST_HEADER):
        raise _damaged(path, "its header does not end")
    text = head[: end.start()] if end else head
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}  # key:=value, whose keys may be called like fields and say something else
    for line in text.decode("utf-8", "replace").splitlines()[1:]:
        match = re.match(r"([^#:][^:]*):(=?)\s*(.*)$", line)
        if match:
            (pairs if match[2] else fields)[match[1].strip()] = match[3].strip()
    return {**pairs, **fields}, end.end() if end else len(head)


def _times(path: Path, fields: dict[str, str], n_phases: int) -> np.ndarray | None:
    """Return seconds of each phase from a MultiVolume's labels or a sequence's index values; None if neither."""
    text, unit = fields.get("MultiVolume.FrameLabels", ""), fields.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "")
    if not text:
        text = fields.get("axis 0 index values", "")
        unit = fields.get("axis 0 index unit", fields.get("axis 0 index units", ""))
        if fields.get("axis 0 index type", "numeric") != "numeric":
            return None
    if not text:
        return None
    try:
        labels = np.array([float(part) for part in re.split(r"[,;\s]+", text.strip()) if part])
    except ValueError:
        return None
    if labels.size != n_phases:
        raise InputRefusedError(
            "times-invalid",
            found=f"The header of the {shown(path)} has {labels.size} frame times for {n_phases} frames.",
            expected="One time per frame.",
            cause="Frames were removed without their labels.",
            cure="Give the true times with times_s=[...].",
        )
    scale = TO_SECONDS.get(unit.strip().lower())
    return None if scale is None else labels * scale


def _damaged(path: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-truncated",
        found=f"The {shown(path)} cannot be read: {without_path(why, path)}.",
        expected="A complete NRRD file with its data.",
        cause="The copy was interrupted, or the data file beside a .nhdr is missing.",
        cure="Copy the file again and compare its size.",
    )


def _contradicted(path: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The header of the {shown(path)} contradicts its data: {why}.",
        expected="A file as large as its header says.",
        cause="The sizes in the header were changed, so that values would come to lie in wrong places.",
        cure="Convert the original series again.",
    )


def _unplaced(path: Path, what: str) -> InputRefusedError:
    return InputRefusedError(
        "affine-missing",
        found=f"The {shown(path)} has {what}.",
        expected="A space such as left-posterior-superior.",
        cause="It was written by a program that keeps voxel sizes only; left and right are then unknown.",
        cure="Save the image again from 3D Slicer, or set reading.accept_missing_form = true.",
    )


def _oblique(path: Path, what: str) -> InputRefusedError:
    return InputRefusedError(
        "affine-invalid",
        found=f"The {shown(path)} has {what}.",
        expected="Three axes of non-zero length at right angles.",
        cause="An affine registration was written into the header, or the header is damaged.",
        cure="Resample the image onto a rectangular grid first.",
    )


def _unsupported(path: Path, what: str) -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found=f"The {shown(path)} has {what}.",
        expected="A 3-D volume, or frames over time.",
        cause="It may be a colour image or a vector field.",
        cure="Export it from 3D Slicer as MultiVolume, sequence or scalar volume.",
    )


REFUSALS = {
    "format-unsupported": _unsupported, "affine-missing": _unplaced, "affine-invalid": _oblique,
    "file-corrupt": _contradicted,
}  # fmt: skip
