"""What goes wrong with dynamic series between the scanner and the reader, one function per defect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spinekit.phantom.dicom_writer_flavours import clock_text
from spinekit.phantom.dicom_writer_planes import TEN_O_CLOCK_S, Plane

__all__ = ["PLANE_DEFECTS"]

Planes = list[Plane]
TIME_TAGS = (
    "AcquisitionTime", "AcquisitionDateTime", "TriggerTime", "ContentTime", "SeriesTime", "TemporalPositionIdentifier",
    "FrameAcquisitionDateTime", "TemporalPositionTimeOffset",
)  # fmt: skip
BEFORE_MIDNIGHT_S = 86_399.0


def _middle(planes: Planes) -> tuple[int, int]:
    """Return the phase and the position, both inside, at which a defect is put."""
    return max(p.phase for p in planes) // 2, max(p.z for p in planes) // 2


def _change(planes: Planes, where: Callable[[Plane], bool], **changes: Any) -> Planes:
    return [replace(p, **changes) if where(p) else p for p in planes]


def _tag(planes: Planes, where: Callable[[Plane], bool], **tags: Any) -> Planes:
    return [replace(p, tags={**p.tags, **tags}) if where(p) else p for p in planes]


def _everywhere(_: Plane) -> bool:
    return True


def _one(planes: Planes) -> Callable[[Plane], bool]:
    at = _middle(planes)
    return lambda p: (p.phase, p.z) == at


def _normal(plane: Plane) -> np.ndarray:
    return np.cross(plane.orientation[:3], plane.orientation[3:])


def _moved(plane: Plane, way_mm: Sequence[float] | np.ndarray) -> Plane:
    return replace(plane, position=tuple(float(a + b) for a, b in zip(plane.position, way_mm, strict=True)))


def _missing_slice(planes: Planes) -> Planes:
    return [p for p in planes if not _one(planes)(p)]


def _missing_position(planes: Planes) -> Planes:
    return [p for p in planes if p.z != _middle(planes)[1]]


def _incomplete_last_phase(planes: Planes) -> Planes:
    last, far = max(p.phase for p in planes), max(p.z for p in planes)
    return [p for p in planes if p.phase < last or p.z <= far // 2]


def _duplicate_identical(planes: Planes) -> Planes:
    return [*planes, *(replace(p, copy=1) for p in planes if _one(planes)(p))]


def _duplicate_different(planes: Planes) -> Planes:
    return [*planes, *(replace(p, copy=1, values=p.values[::-1].copy()) for p in planes if _one(planes)(p))]


def _uneven_spacing(planes: Planes) -> Planes:
    far = max(p.z for p in planes)
    return [_moved(p, 0.3 * p.thickness_mm * _normal(p)) if p.z == far else p for p in planes]


def _gantry_tilt(planes: Planes) -> Planes:
    lean = np.tan(np.radians(10.0))
    return [_moved(p, lean * p.z * p.thickness_mm * np.asarray(p.orientation[3:])) for p in planes]


def _slice_aside(planes: Planes) -> Planes:
    z = _middle(planes)[1]
    return [_moved(p, 3.0 * np.asarray(p.orientation[:3])) if p.z == z else p for p in planes]


def _shifted_phase(planes: Planes) -> Planes:
    t = _middle(planes)[0]
    return [_moved(p, 5.0 * np.asarray(p.orientation[:3])) if p.phase == t else p for p in planes]


def _raised_phase(planes: Planes) -> Planes:
    t = _middle(planes)[0]
    return [_moved(p, 0.4 * p.thickness_mm * _normal(p)) if p.phase == t else p for p in planes]


def _other_matrix(planes: Planes) -> Planes:
    t = _middle(planes)[0]
    return [replace(p, values=p.values[:-2].copy()) if p.phase == t else p for p in planes]


def _other_spacing(planes: Planes) -> Planes:
    t = _middle(planes)[0]
    return [replace(p, spacing=(1.1 * p.spacing[0], 1.1 * p.spacing[1])) if p.phase == t else p for p in planes]


def _localizer(planes: Planes) -> Planes:
    first = planes[0]
    turned = (*first.orientation[3:], *(float(v) for v in _normal(first)))
    return [*planes, *(_moved(replace(first, copy=n, orientation=turned), (7.0 * n, 0, 0)) for n in (1, 2, 3))]


def _subtraction(planes: Planes) -> Planes:
    before = {p.z: p.values for p in planes if p.phase == 0}
    kind = ["DERIVED", "SECONDARY", "SUBTRACTION"]
    later = [p for p in planes if p.phase == max(q.phase for q in planes)]
    return [
        *planes,
        *(replace(p, copy=1, values=np.abs(p.values - before[p.z]), tags={"ImageType": kind}) for p in later),
    ]


def _colour(planes: Planes) -> Planes:
    first = planes[0]
    picture = np.zeros((*first.values.shape, 3), dtype=np.uint8)
    colour = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelData": picture.tobytes() + b"\0" * (picture.size % 2),
    }
    return [*planes, replace(first, copy=1, tags=colour)]


def _no_times(planes: Planes) -> Planes:
    return _tag(planes, _everywhere, **dict.fromkeys(TIME_TAGS))


def _equal_times(planes: Planes) -> Planes:
    t = max(1, _middle(planes)[0])
    earlier = {p.z: p.clock_s for p in planes if p.phase == t - 1}
    return [replace(p, clock_s=earlier[p.z]) if p.phase == t else p for p in planes]


def _contradicting_times(planes: Planes) -> Planes:
    first, last = min(p.clock_s for p in planes), max(p.clock_s for p in planes)
    backwards = [first + last - p.clock_s for p in planes]
    return [
        replace(p, tags={**p.tags, "ContentTime": clock_text(b), "FrameReferenceDateTime": b})
        for p, b in zip(planes, backwards, strict=True)
    ]


def _past_midnight(planes: Planes) -> Planes:
    later = [replace(p, clock_s=p.clock_s - TEN_O_CLOCK_S + BEFORE_MIDNIGHT_S) for p in planes]
    return _tag(later, _everywhere, AcquisitionDate=None, ContentDate=None, SeriesDate=None)


def _phase_apart(planes: Planes, **changes: int) -> Planes:
    return _change(planes, lambda p: p.phase == _middle(planes)[0], **changes)


def _first_phases(count: int) -> Callable[[Planes], Planes]:
    return lambda planes: [p for p in planes if p.phase < count]


def _first_slices(count: int) -> Callable[[Planes], Planes]:
    return lambda planes: [p for p in planes if p.z < count]


def _inverted(planes: Planes) -> Planes:
    return _tag(planes, _everywhere, PhotometricInterpretation="MONOCHROME1")


# fmt: off
PLANE_DEFECTS: dict[str, tuple[str, Callable[[Planes], Planes]]] = {
    "missing-slice": ("one image of a middle phase is not there", _missing_slice),
    "missing-position": ("one position is not there in any phase", _missing_position),
    "incomplete-last-phase": ("the last phase ends half-way", _incomplete_last_phase),
    "duplicate-identical": ("one image is there twice", _duplicate_identical),
    "duplicate-different": ("two different images claim one place", _duplicate_different),
    "uneven-spacing": ("the last gap is 30 % wider", _uneven_spacing),
    "gantry-tilt": ("the stack leans by 10 degrees", _gantry_tilt),
    "slice-aside": ("one position lies 3 mm to the side", _slice_aside),
    "shifted-phase": ("one phase lies 5 mm to the side", _shifted_phase),
    "raised-phase": ("one phase lies 0.4 slices higher", _raised_phase),
    "other-matrix": ("one phase has two rows less", _other_matrix),
    "other-spacing": ("one phase has larger pixels", _other_spacing),
    "localizer": ("three images of another orientation are in the series", _localizer),
    "subtraction": ("a subtraction of the last phase is in the series", _subtraction),
    "colour": ("a colour picture is in the series", _colour),
    "no-times": ("no tag tells a time", _no_times),
    "equal-times": ("two phases share their time", _equal_times),
    "contradicting-times": ("ContentTime runs backwards", _contradicting_times),
    "past-midnight": ("the clock passes midnight and no date is told", _past_midnight),
    "single-phase": ("there is one phase", _first_phases(1)),
    "two-phases": ("there are two phases", _first_phases(2)),
    "two-slices": ("there are two slices", _first_slices(2)),
    "one-slice": ("there is one slice", _first_slices(1)),
    "zero-slope": ("one image has the rescale slope 0", lambda planes: _change(planes, _one(planes), slope=0.0)),
    "zero-spacing": ("one image has pixels of 0 mm", lambda planes: _change(planes, _one(planes), spacing=(0.0, 0.0))),
    "no-position": (
        "one image has no position", lambda planes: _tag(planes, _one(planes), ImagePositionPatient=None)),
    "flat-orientation": (
        "rows and columns of one image are parallel",
        lambda planes: _change(planes, _one(planes), orientation=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0))),
    "monochrome1": ("grey values are stored inverted", _inverted),
    "mosaic": (
        "the type says that slices are tiled into one picture, and no private header says how",
        lambda planes: _tag(planes, _everywhere, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])),
    "mixed-patients": ("one phase is of another patient", lambda planes: _phase_apart(planes, patient=1)),
    "other-frame-of-reference": (
        "one phase has another frame of reference", lambda planes: _phase_apart(planes, frame_of_reference=1)),
    "other-study": ("one phase is of another study", lambda planes: _phase_apart(planes, study=1)),
}
# fmt: on
