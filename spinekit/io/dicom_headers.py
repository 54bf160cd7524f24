"""From files to slices: what each DICOM image says of itself, before any pixel is decoded."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.io.dicom_clock import seconds_of, seconds_of_datetime
from spinekit.io.sources import FileSource, sha256

__all__ = ["Headers", "Slice", "read_headers"]

IMAGE_CLASSES = {  # storage classes whose frames are slices of one volume
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "legacy converted enhanced MR",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "enhanced CT",
}
NOT_A_MEASUREMENT = {"LOCALIZER", "SUBTRACTION", "SUB", "MIP", "MINIP", "PROJECTION IMAGE", "PHASE MAP", "VELOCITY"}
PHILIPS_SLOPE = (0x2005, 0x100E)


@dataclass(frozen=True)
class Slice:
    """One image plane and what its header says. Nothing in it names a patient."""

    source: FileSource
    frame: int | None  # index in a multi-frame file
    series_uid: str
    series_number: str
    description: str  # compared with what the user asks for, never shown
    study_uid: str
    frame_of_reference: str
    patient: str  # hash
    shape: tuple[int, int]  # rows, columns
    position: tuple[float, float, float]
    orientation: tuple[float, ...]  # six cosines
    spacing: tuple[float, float]  # between columns (x), between rows (y), mm
    slope: float
    intercept: float
    inverted: bool
    instance: int
    clocks: Mapping[str, float] = field(default_factory=dict)  # values of the time tags that are present
    kind: str = ""  # "" is a measured image; otherwise why it is set aside
    private_scale: float | None = None


@dataclass(frozen=True)
class Headers:
    """All slices of a source, what was set aside, and the protocol of each series."""

    slices: tuple[Slice, ...]
    set_aside: Mapping[str, int]
    hashes: Mapping[str, str]
    protocols: Mapping[str, Mapping[str, Any]]  # by series UID


def read_headers(sources: Sequence[FileSource]) -> Headers:
    """Read the header of every file; junk is skipped and counted.

    Raises
    ------
    InputRefusedError
        ``no-image``, ``patients-mixed``, ``geometry-missing``, ``slope-zero``, ``file-truncated``,
        ``file-corrupt``, ``mosaic``.
    """
    slices: list[Slice] = []
    aside: Counter[str] = Counter()
    hashes: dict[str, str] = {}
    protocols: dict[str, dict[str, Any]] = {}
    for source in sources:
        data = _bytes_of(source)
        dataset = _parse(data)
        if dataset is None:
            aside["no DICOM image"] += 1
            continue
        kind = _refused_kind(dataset)
        if kind:
            aside[kind] += 1
            continue
        _check_pixels_fit(dataset, source.label)
        hashes[source.label] = sha256(data)
        found = list(_slices_of(dataset, source))
        measured = [s for s in found if not s.kind]
        aside.update(s.kind for s in found if s.kind)
        slices += measured
        if measured and measured[0].series_uid not in protocols:
            protocols[measured[0].series_uid] = _protocol(dataset)
    _require_one_patient(slices)
    return Headers(tuple(slices), dict(aside), hashes, protocols)


def _bytes_of(source: FileSource) -> bytes:
    try:
        return source.read()
    except OSError as reason:
        raise InputRefusedError(
            "file-unreadable",
            found=f"{source.label} could not be read: {reason.strerror or reason}.",
            expected="A file that can be read.",
            cause="Rights are missing, or the drive has a fault.",
            cure="Copy the series to another place and read it from there.",
        ) from reason


def _parse(data: bytes) -> Any:
    """Return the dataset, or None for what is not a DICOM image."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    if len(data) < 128:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are judged below, by us
        try:
            return pydicom.dcmread(io.BytesIO(data))
        except InvalidDicomError:
            pass
        except Exception:  # a damaged header raises many things; without pixels it is no image of ours
            return None
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            usable = "SOPClassUID" in dataset and "Rows" in dataset and "Columns" in dataset
        except Exception:  # not DICOM at all
            return None
    if not usable:
        return None
    if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return dataset


def _refused_kind(dataset: Any) -> str:
    """Return why a DICOM object is no slice, in words; empty if it is one."""
    if str(dataset.get("SOPClassUID", "")) not in IMAGE_CLASSES:
        name = getattr(dataset.get("SOPClassUID", ""), "name", "") or "unknown object"
        return f"not an image series ({name})"
    if int(dataset.get("SamplesPerPixel", 1) or 1) != 1:
        return "colour image"
    if "PixelData" not in dataset:
        return "image without pixels"
    return ""


def _check_pixels_fit(dataset: Any, label: str) -> None:
    """Hold the promised size against the bytes that are there, before anything is allocated."""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    promised = int(dataset.Rows) * int(dataset.Columns) * frames * int(dataset.get("BitsAllocated", 16)) // 8
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_compressed:
        return
    there = len(dataset.PixelData)
    if there < promised or promised == 0:
        raise InputRefusedError(
            "file-truncated",
            found=f"{label} promises {promised} bytes of pixels and holds {there}.",
            expected="As many bytes as rows, columns and bits say.",
            cause="The transfer was interrupted, or rows and columns in the header are wrong.",
            cure="Send the series again from the archive.",
        )
    if there > promised + 2:  # one byte of padding is allowed
        raise InputRefusedError(
            "file-corrupt",
            found=f"{label} holds {there} bytes of pixels and its header accounts for {promised}.",
            expected="As many bytes as rows, columns and bits say.",
            cause="Rows, columns or the number of frames in the header are wrong.",
            cure="Send the series again from the archive.",
        )


def _number(dataset: Any, name: str, default: float) -> float:
    try:
        value = dataset.get(name, None)
        return default if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return float("nan")


def _numbers(dataset: Any, name: str, count: int) -> tuple[float, ...]:
    """Return the values of a multi-valued tag, or an empty tuple where they are absent or no numbers."""
    try:
        values = tuple(float(v) for v in (dataset.get(name, None) or ()))
    except (TypeError, ValueError):  # a decimal comma ends up here
        return ()
    return values if len(values) == count and all(np.isfinite(values)) else ()


def _patient(dataset: Any) -> str:
    parts = (str(dataset.get(name, "")) for name in ("PatientID", "PatientName", "PatientBirthDate"))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:8]


def _kind(dataset: Any) -> str:
    words = {str(w).strip().upper() for w in (dataset.get("ImageType", None) or ())}
    if "MOSAIC" in words:
        raise InputRefusedError(
            "mosaic",
            found="The images are Siemens mosaics: all slices of a phase tiled into one picture.",
            expected="One image per slice, or an enhanced multi-frame file.",
            cause="The scanner was set to store mosaics, as for functional series.",
            cure="Export the series as single slices, or convert it with dcm2niix and give the times.",
        )
    aside = words & NOT_A_MEASUREMENT
    if aside:
        return f"image type {sorted(aside)[0].lower()}"
    if len(words) and list(dataset.ImageType)[2:3] == ["P"]:
        return "image type phase"
    return ""


def _slices_of(dataset: Any, source: FileSource) -> Iterator[Slice]:
    shared: dict[str, Any] = {
        "source": source,
        "series_uid": str(dataset.get("SeriesInstanceUID", "")),
        "series_number": str(dataset.get("SeriesNumber", "") or ""),
        "description": str(dataset.get("SeriesDescription", "") or ""),
        "study_uid": str(dataset.get("StudyInstanceUID", "")),
        "frame_of_reference": str(dataset.get("FrameOfReferenceUID", "")),
        "patient": _patient(dataset),
        "shape": (int(dataset.Rows), int(dataset.Columns)),
        "inverted": str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1",
        "kind": _kind(dataset),
    }
    if "PerFrameFunctionalGroupsSequence" in dataset:
        yield from _frames_of(dataset, shared)
        return
    private = dataset.get(PHILIPS_SLOPE, None)
    yield Slice(
        frame=None,
        **shared,
        **_place(dataset, dataset, source.label),
        **_scale(dataset, source.label),
        instance=int(_number(dataset, "InstanceNumber", 0) or 0),
        clocks=_clocks(dataset),
        private_scale=None if private is None else _first_number(private.value),
    )


def _first_number(value: Any) -> float | None:
    try:
        return float(value[0] if isinstance(value, (list, tuple)) else value)
    except (TypeError, ValueError, IndexError):
        return None


def _place(place: Any, measures: Any, label: str) -> dict[str, Any]:
    position = _numbers(place, "ImagePositionPatient", 3)
    orientation = _numbers(place if "ImageOrientationPatient" in place else measures, "ImageOrientationPatient", 6)
    spacing = _numbers(measures, "PixelSpacing", 2)
    missing = [
        n for n, v in (("position", position), ("orientation", orientation), ("pixel spacing", spacing)) if not v
    ]
    if spacing and min(spacing) <= 0:
        missing.append("positive pixel spacing")
    if orientation and not missing:
        row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
        if min(np.linalg.norm(row), np.linalg.norm(column)) < 0.9 or abs(row @ column) > 0.01:
            missing.append("orientation with two unit vectors at right angles")
    if missing:
        raise InputRefusedError(
            "geometry-missing",
            found=f"{label} has no usable {', '.join(missing)}.",
            expected="Position, orientation and pixel spacing as finite numbers with a decimal point.",
            cause="Anonymisation or conversion removed them, or wrote a decimal comma or zero.",
            cure="Export the original series from the archive.",
        )
    return {"position": position, "orientation": orientation, "spacing": (spacing[1], spacing[0])}


def _scale(dataset: Any, label: str) -> dict[str, Any]:
    slope, intercept = _number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise InputRefusedError(
            "slope-zero",
            found=f"{label} has rescale slope {slope} and intercept {intercept}.",
            expected="A finite slope other than zero.",
            cause="The header was damaged by a conversion.",
            cure="Export the original series from the archive.",
        )
    return {"slope": slope, "intercept": intercept}


def _clocks(dataset: Any) -> dict[str, float]:
    """Return the time tags that are present: order numbers as they are, clock times in seconds."""
    found = {
        "TemporalPositionIdentifier": _number(dataset, "TemporalPositionIdentifier", np.nan),
        "AcquisitionTime": seconds_of_datetime(dataset.get("AcquisitionDateTime", None)),
        "TriggerTime": _number(dataset, "TriggerTime", np.nan) / 1000.0,
        "ContentTime": seconds_of(dataset.get("ContentTime", None), dataset.get("ContentDate", None)),
        "SeriesTime": seconds_of(dataset.get("SeriesTime", None), dataset.get("SeriesDate", None)),
        "SeriesNumber": _number(dataset, "SeriesNumber", np.nan),
        "AcquisitionNumber": _number(dataset, "AcquisitionNumber", np.nan),
        "TemporalResolution": _number(dataset, "TemporalResolution", np.nan) / 1000.0,
    }
    if not np.isfinite(found["AcquisitionTime"]):
        found["AcquisitionTime"] = seconds_of(
            dataset.get("AcquisitionTime", None), dataset.get("AcquisitionDate", None)
        )
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _item(groups: Any, name: str) -> Any:
    """Return the first item of a functional group, from the frame's or the shared groups; {} if absent."""
    for group in groups:
        sequence = group.get(name, None) if group is not None else None
        if sequence:
            return sequence[0]
    return {}


def _frames_of(dataset: Any, shared: dict[str, Any]) -> Iterator[Slice]:
    common = dataset.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in dataset else None
    for number, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups = (own, common)
        label = f"{shared['source'].label} frame {number + 1}"
        place = {**_as_dict(_item(groups, "PlanePositionSequence"), "ImagePositionPatient")}
        place |= _as_dict(_item(groups, "PlaneOrientationSequence"), "ImageOrientationPatient")
        content = _item(groups, "FrameContentSequence")
        clocks = {
            "TemporalPositionIndex": _number(content, "TemporalPositionIndex", np.nan),
            "AcquisitionTime": seconds_of_datetime(content.get("FrameAcquisitionDateTime", None)),
            "ContentTime": seconds_of_datetime(content.get("FrameReferenceDateTime", None)),
            "TemporalPositionTimeOffset": _number(
                _item(groups, "TemporalPositionSequence"), "TemporalPositionTimeOffset", np.nan
            ),
        }
        trigger = _item(groups, "CardiacSynchronizationSequence")
        clocks["TriggerTime"] = _number(trigger, "NominalCardiacTriggerDelayTime", np.nan) / 1000.0
        private = own.get(PHILIPS_SLOPE, None) if hasattr(own, "get") else None
        yield Slice(
            frame=number,
            **shared,
            **_place(place, _item(groups, "PixelMeasuresSequence"), label),
            **_scale(_item(groups, "PixelValueTransformationSequence"), label),
            instance=number + 1,
            clocks={name: float(value) for name, value in clocks.items() if np.isfinite(value)},
            private_scale=None if private is None else _first_number(private.value),
        )


def _as_dict(item: Any, name: str) -> dict[str, Any]:
    value = item.get(name, None)
    return {} if value is None else {name: value}


def _protocol(dataset: Any) -> dict[str, Any]:
    def positive(name: str) -> float | None:
        value = _number(dataset, name, np.nan)
        return value if np.isfinite(value) and value > 0 else None

    field = positive("MagneticFieldStrength")
    maker = str(dataset.get("Manufacturer", "") or "").strip()
    known = [
        m
        for m in ("Siemens", "GE", "Philips", "Canon", "Toshiba", "Hitachi", "Hyperfine")
        if m.upper() in maker.upper()
    ]
    return {
        "repetition_time_ms": positive("RepetitionTime"),
        "echo_time_ms": positive("EchoTime"),
        "flip_angle_deg": positive("FlipAngle"),
        "field_strength_t": None if field is None else field / 10_000 if field > 100 else field,  # older GE: gauss
        "modality": str(dataset.get("Modality", "") or "") or None,
        "manufacturer": known[0] if known else None,  # a free text tag can hold anything
    }


def _require_one_patient(slices: Sequence[Slice]) -> None:
    patients = sorted({s.patient for s in slices})
    if len(patients) > 1:
        counts = ", ".join(f"patient-{p}: {sum(s.patient == p for s in slices)} images" for p in patients)
        raise InputRefusedError(
            "patients-mixed",
            found=f"The files belong to {len(patients)} patients ({counts}).",
            expected="One patient.",
            cause="Two exports may have gone to one folder, or one of them was anonymised and the other not.",
            cure="Put each patient's series into a folder of its own.",
        )
