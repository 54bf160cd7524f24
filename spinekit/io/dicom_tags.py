"""What single DICOM tags say, as numbers that can be trusted or not at all."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.io.dicom_clock import seconds_of, seconds_of_datetime, zone_of
from spinekit.io.siemens_csa import private_value

__all__ = [
    "TIME_OF_DAY",
    "ZONE",
    "as_dict",
    "b_value_of",
    "clocks_of",
    "first_item",
    "first_number",
    "kind_of",
    "number_of",
    "patient_of",
    "place_of",
    "protocol_of",
    "scale_of",
]

NOT_A_MEASUREMENT = {
    "LOCALIZER", "SUBTRACTION", "SUBTRACT", "SUBTRACTED", "SUB", "MIP", "MINIP", "PROJECTION IMAGE", "PHASE MAP",
    "VELOCITY",
}  # fmt: skip
TIME_OF_DAY, ZONE = "AcquisitionTime beside AcquisitionDateTime", "zone of AcquisitionDateTime"
LARGEST_SCALE = 1e30  # times 65,535 it still fits float32
MAKERS = ("Siemens", "GE", "Philips", "Canon", "Toshiba", "Hitachi", "Hyperfine")


def number_of(dataset: Any, name: str, default: float) -> float:
    """Return the value of a tag; `default` where it is absent or empty, NaN where it is no number."""
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


def patient_of(dataset: Any) -> str:
    """Return a pseudonym of the patient: a hash of ID, name and date of birth."""
    parts = (str(dataset.get(name, "")) for name in ("PatientID", "PatientName", "PatientBirthDate"))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:8]


def kind_of(types: Any) -> str:
    """Return why an image is no measurement, from its image (or frame) type; empty if it is one."""
    words = [str(w).strip().upper() for w in (types or ())]
    aside = set(words) & NOT_A_MEASUREMENT
    if aside:
        return f"image type {sorted(aside)[0].lower()}"
    return "image type phase" if words[2:3] == ["P"] else ""


def first_number(value: Any) -> float | None:
    """Return the value of a private tag, or the first of several; None if it is no number."""
    try:
        return float(value[0] if isinstance(value, (list, tuple)) else value)
    except (TypeError, ValueError, IndexError):
        return None


def place_of(place: Any, measures: Any, label: str) -> dict[str, Any]:
    """Return position, orientation and spacing (x, y) in mm.

    Raises
    ------
    InputRefusedError
        ``geometry-missing``.
    """
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


def scale_of(dataset: Any, label: str) -> dict[str, Any]:
    """Return rescale slope and intercept, 1 and 0 where absent.

    Raises
    ------
    InputRefusedError
        ``slope-zero``.
    """
    slope, intercept = number_of(dataset, "RescaleSlope", 1.0), number_of(dataset, "RescaleIntercept", 0.0)
    if not (1e-30 < abs(slope) < LARGEST_SCALE and abs(intercept) < LARGEST_SCALE):  # also NaN
        raise InputRefusedError(
            "slope-zero",
            found=f"{label} has rescale slope {slope} and intercept {intercept}.",
            expected="A finite slope other than zero, and values that single precision can hold.",
            cause="The header was damaged by a conversion.",
            cure="Export the original series from the archive.",
        )
    return {"slope": slope, "intercept": intercept}


def clocks_of(dataset: Any) -> dict[str, float]:
    """Return the time tags that are present: order numbers as they are, clock times in seconds."""
    found = {
        "TemporalPositionIdentifier": number_of(dataset, "TemporalPositionIdentifier", np.nan),
        "AcquisitionTime": seconds_of_datetime(dataset.get("AcquisitionDateTime", None)),
        "TriggerTime": number_of(dataset, "TriggerTime", np.nan) / 1000.0,
        "ContentTime": seconds_of(dataset.get("ContentTime", None), dataset.get("ContentDate", None)),
        "SeriesTime": seconds_of(dataset.get("SeriesTime", None), dataset.get("SeriesDate", None)),
        "SeriesNumber": number_of(dataset, "SeriesNumber", np.nan),
        "AcquisitionNumber": number_of(dataset, "AcquisitionNumber", np.nan),
        "NumberOfTemporalPositions": number_of(dataset, "NumberOfTemporalPositions", np.nan),
        "TemporalResolution": number_of(dataset, "TemporalResolution", np.nan) / 1000.0,
    }
    of_day = seconds_of(dataset.get("AcquisitionTime", None), dataset.get("AcquisitionDate", None))
    if np.isfinite(found["AcquisitionTime"]):
        found |= {TIME_OF_DAY: of_day, ZONE: zone_of(dataset.get("AcquisitionDateTime", None))}
    else:
        found["AcquisitionTime"] = of_day
    begun = first_number(private_value(dataset, 0x2005, "PHILIPS MR IMAGING DD 001", 0xA0, nameless=False))
    found["DynamicScanBeginTime"] = np.nan if begun is None else begun
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def b_value_of(dataset: Any) -> float:
    """Return the b-value of an image or of a frame's diffusion group, s/mm²; 0 where it tells none."""
    told = [number_of(dataset, "DiffusionBValue", np.nan)]
    if hasattr(dataset, "file_meta"):
        private = ((0x0019, "SIEMENS MR HEADER", 0x0C), (0x2001, "PHILIPS IMAGING DD 001", 0x03))
        values = (private_value(dataset, *place, nameless=False) for place in private)
        told += [number for value in values if (number := first_number(value)) is not None]
    return max((float(value) for value in told if np.isfinite(value)), default=0.0)


def first_item(groups: Any, name: str) -> Any:
    """Return the first item of a functional group, from the frame's or the shared groups; {} if absent."""
    for group in groups:
        sequence = group.get(name, None) if group is not None else None
        if sequence:
            return sequence[0]
    return {}


def as_dict(item: Any, name: str) -> dict[str, Any]:
    """Return one tag of a functional group by its name; empty if absent."""
    value = item.get(name, None)
    return {} if value is None else {name: value}


def protocol_of(dataset: Any) -> dict[str, Any]:
    """Return the protocol as `spinekit.case.Acquisition` takes it; None where a classic or enhanced image is silent."""
    shared = dataset.get("SharedFunctionalGroupsSequence", None) or [{}]
    frames = dataset.get("PerFrameFunctionalGroupsSequence", None) or [{}]
    groups = (shared[0], frames[0])
    timing, echo = first_item(groups, "MRTimingAndRelatedParametersSequence"), first_item(groups, "MREchoSequence")

    def positive(*places: tuple[Any, str]) -> float | None:
        values = (number_of(place, name, np.nan) for place, name in places)
        return next((float(v) for v in values if np.isfinite(v) and v > 0), None)

    field = positive((dataset, "MagneticFieldStrength"))
    maker = str(dataset.get("Manufacturer", "") or "").strip().upper()
    return {
        "repetition_time_ms": positive((dataset, "RepetitionTime"), (timing, "RepetitionTime")),
        "echo_time_ms": positive((dataset, "EchoTime"), (echo, "EffectiveEchoTime")),
        "flip_angle_deg": positive((dataset, "FlipAngle"), (timing, "FlipAngle")),
        "field_strength_t": None if field is None else field / 10_000 if field > 100 else field,  # older GE: gauss
        "modality": str(dataset.get("Modality", "") or "") or None,
        "manufacturer": next((m for m in MAKERS if m.upper() in maker), None),  # a free text tag can hold anything
    }
