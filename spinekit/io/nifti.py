"""NIfTI in and out. The only place that knows of RAS."""

from __future__ import annotations

import gzip
import json
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import SAME_GRID_TOLERANCE_VOXEL, Geometry
from spinekit.io.nifti_extensions import untrue_extension
from spinekit.io.pieces import PIECE, gzip_tells, padding_of, unpacked_size
from spinekit.io.simulated import NIFTI_MARK, says_simulated
from spinekit.io.sources import shown, without_path
from spinekit.settings import Reading

__all__ = ["NiftiContent", "nifti_bytes", "read_nifti", "times_beside"]

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TO_MM = {"mm": 1.0, "micron": 1e-3, "meter": 1e3, "unknown": 1.0}
LARGEST_SHEAR = np.sin(np.deg2rad(0.5))  # as for DICOM, INPUTS.md 13


class NiftiContent:
    """Values ``(T, Z, Y, X)`` or ``(Z, Y, X)`` in float32, grid, and what has to be told."""

    def __init__(
        self, values: np.ndarray, geometry: Geometry, told: list[str], step_s: float | None, simulated: bool
    ) -> None:
        self.values = values
        self.geometry = geometry
        self.warnings = told
        self.step_s = step_s  # pixdim[4], which may be the time of a phase, TR, 0 or 1
        self.simulated = simulated


def read_nifti(path: Path, *, reading: Reading) -> NiftiContent:
    """Read a 3-D or 4-D NIfTI file.

    Raises
    ------
    InputRefusedError
        ``file-truncated``, ``file-too-large``, ``format-unsupported`` (5-D, complex, RGB),
        ``affine-invalid``, ``affine-ambiguous``, ``affine-missing``.
    """
    import nibabel

    try:
        if why := untrue_extension(path):
            raise _corrupt(path, why)
        image: Any = nibabel.load(path)
    except InputRefusedError:
        raise
    except Exception as reason:  # nibabel raises its own, OSError, EOFError and zlib errors for damaged files
        raise _damaged(path, str(reason)) from reason
    header = image.header
    if not hasattr(header, "get_xyzt_units"):
        raise _unsupported(path, f"a {type(image).__name__}", "NIfTI-1 or NIfTI-2")
    try:
        return _content(path, image, reading)
    except (KeyError, ValueError, OverflowError, nibabel.spatialimages.HeaderDataError) as reason:
        raise _corrupt(path, str(reason)) from reason


def _content(path: Path, image: Any, reading: Reading) -> NiftiContent:
    header = image.header
    shape, kind = image.shape, header.get_data_dtype()
    if len(shape) not in (3, 4) or kind.names is not None or kind.kind == "c" or min(shape) < 1:
        raise _unsupported(path, f"an image of shape {shape} and type {kind}", "a real 3-D or 4-D image")
    _check_size(path, shape, kind.itemsize, int(image.dataobj.offset))
    scale, seconds = _units(header)
    geometry = _geometry(path, image, scale, reading)
    values, bad = _values(path, image)
    told = []
    if bad:
        told.append(coded_warning("not-finite", f"{bad} values are NaN or infinite; they were kept."))
    step = float(header["pixdim"][4]) * seconds if len(shape) == 4 else None
    note = bytes(header["descrip"].item()).decode("latin-1")
    simulated = note.startswith(NIFTI_MARK) or says_simulated(_beside(path))
    return NiftiContent(values, geometry, told, step, simulated)


def _damaged(path: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-truncated",
        found=f"The {shown(path)} cannot be read: {without_path(why, path) or 'it ends too early'}.",
        expected="A complete NIfTI file.",
        cause="The copy or download was interrupted.",
        cure="Copy the file again and compare its size.",
    )


def _corrupt(path: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The header of the {shown(path)} holds what no image can have: {without_path(why, path)}.",
        expected="Codes and numbers that NIfTI knows.",
        cause="The file was damaged, or another program wrote its own codes.",
        cure="Convert the original series again.",
    )


def _unsupported(path: Path, found: str, expected: str) -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found=f"The {shown(path)} is {found}.",
        expected=f"{expected[0].upper()}{expected[1:]}.",
        cause="It may be a colour image, a vector field or a spectrum.",
        cure="Export the magnitude images as 3-D or 4-D.",
    )


def _check_size(path: Path, shape: Sequence[int], itemsize: int, offset: int) -> None:
    """Refuse a header that promises more than the file holds, before anything is allocated."""
    promised = int(np.prod([int(n) for n in shape], dtype=object)) * itemsize
    there = path.stat().st_size
    packed = path.name.endswith(".gz")
    if promised > 1000 * there if packed else promised + offset > there:
        raise InputRefusedError(
            "file-too-large" if promised > 8 * there else "file-truncated",
            found=f"The header of the {shown(path)} promises {promised} bytes; the file has {there}.",
            expected="A file as large as its header says.",
            cause="The copy was interrupted, or the header is damaged.",
            cure="Copy the file again and compare its size.",
        )
    if not packed:
        _check_rest(path, there - promised - offset, padding_of(shape, itemsize))
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * promised // itemsize > free:
        raise InputRefusedError(
            "file-too-large",
            found=f"The {shown(path)} would take {4 * promised / itemsize / 1024**3:.0f} GiB as float32.",
            expected=f"Less than this machine's memory of {free / 1024**3:.0f} GiB.",
            cause="The header may be damaged, or the series is too large for this machine.",
            cure="Crop the series, or use a machine with more memory.",
        )


def _check_rest(path: Path, rest: int, allowed: int) -> None:
    """Refuse a file with values that its header knows nothing of: a smaller size in the header shifts every row."""
    if rest > allowed:
        raise InputRefusedError(
            "file-corrupt",
            found=f"The {shown(path)} goes on after the last value that its header speaks of.",
            expected="A file as large as its header says.",
            cause="The sizes in the header were changed, so that values would come to lie in wrong places.",
            cure="Convert the original series again.",
        )


def _units(header: Any) -> tuple[float, float]:
    space, time = header.get_xyzt_units()
    return TO_MM.get(space, 1.0), {"msec": 1e-3, "usec": 1e-6}.get(time, 1.0)


def _geometry(path: Path, image: Any, scale: float, reading: Reading) -> Geometry:
    header = image.header
    forms = {"qform": header.get_qform(coded=True), "sform": header.get_sform(coded=True)}
    known = {name: affine for name, (affine, code) in forms.items() if code > 0 and affine is not None}
    shape = image.shape[:3]
    if not known:
        if not reading.accept_missing_form:
            raise InputRefusedError(
                "affine-missing",
                found=f"The {shown(path)} has neither a qform nor an sform.",
                expected="A form code above 0, which says where the voxels lie in the patient.",
                cause="The file was written by a program that keeps voxel sizes only; left and right are then unknown.",
                cure="Convert the original series again, or set reading.accept_missing_form = true.",
            )
        return _grid(path, header.get_base_affine(), shape, scale)
    grids = {name: _grid(path, affine, shape, scale) for name, affine in known.items()}
    if len(grids) == 1:
        return next(iter(grids.values()))
    apart = grids["sform"].largest_difference_voxel(grids["qform"])
    if apart <= 10 * SAME_GRID_TOLERANCE_VOXEL:  # a qform stores quaternions in float32
        return grids["sform"]
    if reading.prefer_form in grids:
        return grids[reading.prefer_form]
    raise InputRefusedError(
        "affine-ambiguous",
        found=f"qform and sform of the {shown(path)} differ by {apart:.2f} voxels.",
        expected="Both to describe the same grid.",
        cause="The image was registered or edited, and only one of the two was updated.",
        cure="Set reading.prefer_form to 'qform' or 'sform', after checking which is true.",
    )


def _grid(path: Path, affine: np.ndarray, shape: Sequence[int], scale: float) -> Geometry:
    lps = RAS_TO_LPS @ np.asarray(affine, dtype=np.float64)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    if not np.isfinite(lps).all() or spacing.min() <= 0 or abs(np.linalg.det(lps[:3, :3] / spacing)) < 0.5:
        raise _bad_affine(path, "is singular or not finite")
    axes = lps[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() > LARGEST_SHEAR:
        raise _bad_affine(path, "is sheared: its axes are not at right angles")
    left, _, right = np.linalg.svd(axes)
    rows = tuple(tuple(row) for row in left @ right)
    size = (int(shape[0]), int(shape[1]), int(shape[2]))
    return Geometry(size, tuple(spacing * scale), tuple(lps[:3, 3] * scale), rows)


def _bad_affine(path: Path, what: str) -> InputRefusedError:
    return InputRefusedError(
        "affine-invalid",
        found=f"The affine of the {shown(path)} {what}.",
        expected="Three axes of non-zero length at right angles.",
        cause="An affine registration was written into the header, or the header is damaged.",
        cure="Resample the image onto a rectangular grid first.",
    )


def _values(path: Path, image: Any) -> tuple[np.ndarray, int]:
    """Return float32 values, time first, and how many are not finite; the slope is applied in double.

    The file is read piece by piece, so that little more than the result is held.
    """
    slope, inter = float(image.dataobj.slope), float(image.dataobj.inter)  # nibabel empties those of the header
    kind, offset, shape = image.dataobj.dtype, int(image.dataobj.offset), tuple(reversed(image.shape))
    packed, scaled, bad = path.name.lower().endswith(".gz"), (slope, inter) != (1.0, 0.0), 0
    try:
        if packed:
            _require_unpacked(path, offset + int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
        out = np.empty(shape, dtype=np.float32)
        slices = out.reshape(-1, *shape[-2:])
        with gzip.open(path) if packed else open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN in, NaN out
            stream.seek(offset)
            for part in _parts(slices, kind.itemsize):
                data = stream.read(part.size * kind.itemsize)
                if len(data) < part.size * kind.itemsize:
                    raise EOFError("it ends before its last value")
                stored = np.frombuffer(data, dtype=kind).reshape(part.shape)
                if scaled:
                    stored = np.multiply(stored, slope, dtype=np.float64)
                    stored += inter
                part[...] = stored
                bad += int(part.size - np.count_nonzero(np.isfinite(part)))
            if packed:  # to the check sum at the end
                allowed = padding_of(shape, kind.itemsize)
                _check_rest(path, len(stream.read(allowed + 1)), allowed)
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as reason:
        raise _damaged(path, str(reason)) from reason
    return out, bad


def _parts(slices: np.ndarray, itemsize: int) -> Iterator[np.ndarray]:
    """Yield views of some slices at a time, as many as take about `PIECE` bytes in the file."""
    step = max(1, PIECE // max(1, slices[0].size * itemsize))
    return (slices[at : at + step] for at in range(0, len(slices), step))


def _require_unpacked(path: Path, needed: int) -> None:
    """Refuse a packed file that unpacks to less than its header says, before anything is allocated.

    Its last four bytes tell the size; only where they say otherwise is it unpacked once to count.

    Raises
    ------
    EOFError
        In words.
    """
    with open(path, "rb") as plain:
        if gzip_tells(plain, needed):
            return
    with gzip.open(path) as stream:
        there = unpacked_size(stream)
    if there < needed:
        raise EOFError(f"its header promises {needed} bytes and it unpacks to {there}")


def _beside(path: Path) -> Path:
    """Return the JSON of an image's name."""
    stem = path.name
    for suffix in (".gz", ".nii", ".nrrd", ".seq"):
        stem = stem.removesuffix(suffix)
    return path.with_name(stem + ".json")


def times_beside(path: Path) -> tuple[float, ...] | None:
    """Return the times from the JSON beside an image, or None if there is none.

    The JSON has the image's name; its key is ``times_s``, or BIDS' ``VolumeTiming`` or ``FrameTimesStart``.
    """
    file = _beside(path)
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        found = next((record[k] for k in ("times_s", "VolumeTiming", "FrameTimesStart") if k in record), None)
        return None if found is None else tuple(float(t) for t in found)
    except (ValueError, TypeError, AttributeError) as reason:
        raise InputRefusedError(
            "times-invalid",
            found=f"The {shown(file)} beside the image cannot be read as times: {without_path(str(reason), file)}.",
            expected='A JSON object such as {"times_s": [0, 12.5, 25]}.',
            cause="A comma may be missing, or the file belongs to something else.",
            cure="Correct the file, or give times_s=[...].",
        ) from reason


def nifti_bytes(values: np.ndarray, affine_ras: np.ndarray, *, slope: float, intercept: float) -> bytes:
    """Return stored values (X, Y, Z[, T]) as the bytes of an uncompressed NIfTI file, for a viewer.

    Parameters
    ----------
    values : ndarray of shape (X, Y, Z) or (X, Y, Z, T)
        In the type they are stored in.
    affine_ras : ndarray of shape (4, 4)
        Index to RAS mm.
    slope, intercept : float
        Value = slope * stored + intercept.
    """
    import nibabel as nib

    image = nib.Nifti1Image(values, affine_ras)
    image.header.set_slope_inter(slope, intercept)
    image.header.set_xyzt_units("mm", "sec")
    return bytes(image.to_bytes())
