"""From files to slices: what each DICOM image says of itself, before any pixel is decoded."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError, SpinekitError
from spinekit.io.dicom_clock import seconds_of_datetime
from spinekit.io.dicom_locate import StoredPixels
from spinekit.io.dicom_mosaic import Tile, is_mosaic, require_no_mosaic, tiles_of
from spinekit.io.dicom_parse import check_pixels_fit, opened, parse_header, refused_kind, sha256_of
from spinekit.io.dicom_tags import (
    as_dict,
    b_value_of,
    clocks_of,
    first_item,
    first_number,
    kind_of,
    number_of,
    patient_of,
    place_of,
    protocol_of,
    scale_of,
)
from spinekit.io.simulated import is_simulated_header
from spinekit.io.sources import FileSource

__all__ = ["Headers", "Slice", "read_headers"]

PHILIPS_SLOPE = (0x2005, 0x100E)
TEMPORAL_POSITION_INDEX = 0x00209128
FRAMES_PER_FILE = 100_000  # keeps the numbers of frames of several files apart


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
    image_type: tuple[str, ...] = ()
    protocol: tuple[float | None, ...] = ()  # TR, TE, flip angle: tells a series of phases from one of flip angles
    private_scale: float | None = None
    tile: Tile | None = None  # of a mosaic; `shape` and `position` are then the tile's
    pixels: StoredPixels | None = field(default=None, repr=False)  # of the whole file
    b_value: float = 0.0  # s/mm²; above 0 for diffusion-weighted images
    simulated: bool = False


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
        ``patients-mixed``, ``geometry-missing``, ``slope-zero``, ``file-truncated``, ``file-corrupt``,
        ``file-unreadable``, ``mosaic``.
    """
    slices: list[Slice] = []
    aside: Counter[str] = Counter()
    hashes: dict[str, str] = {}
    protocols: dict[str, dict[str, Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are judged by us
        for source in sources:
            with opened(source) as stream:
                dataset, pixels = parse_header(stream, source.label)
                try:
                    kind = "no DICOM image" if dataset is None else refused_kind(dataset)
                    if kind:
                        aside[kind] += 1
                        continue
                    check_pixels_fit(dataset, pixels.length if pixels else 0, source.label)
                    protocol = protocol_of(dataset)
                    measured = list(_slices_of(dataset, source, pixels, protocol, aside))
                except SpinekitError:
                    raise
                except Exception as reason:  # pydicom converts an element when it is asked for, and raises many things
                    raise _damaged_header(source.label) from reason
                hashes[source.label] = sha256_of(stream, source.label)
            slices += measured
            if measured:
                protocols.setdefault(measured[0].series_uid, protocol)
    _require_one_patient(slices)
    return Headers(tuple(slices), dict(aside), hashes, protocols)


def _frames_untold(label: str, n_frames: int, n_told: int) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"{label} holds {n_frames} frames and says of {n_told} where they lie and when they were taken.",
        expected="A group of facts for every frame.",
        cause="It is a film loop or a screen capture, or the header was damaged by a conversion.",
        cure="Export the original series from the archive.",
    )


def _damaged_header(label: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The header of {label} holds elements that cannot be read.",
        expected="Elements of the kinds that DICOM knows.",
        cause="The file was damaged, or written by a program that does not keep to the standard.",
        cure="Send the series again from the archive.",
    )


def _slices_of(
    dataset: Any, source: FileSource, pixels: StoredPixels | None, protocol: Mapping[str, Any], aside: Counter[str]
) -> Iterator[Slice]:
    """Yield the slices of a file; what is no measurement is counted, and need not have a place."""
    kind = kind_of(dataset.get("ImageType", None))
    if kind:
        aside[kind] += int(number_of(dataset, "NumberOfFrames", 1))
        return
    shared: dict[str, Any] = {
        "source": source,
        "pixels": pixels,
        "series_uid": str(dataset.get("SeriesInstanceUID", "")),
        "series_number": str(dataset.get("SeriesNumber", "") or ""),
        "description": str(dataset.get("SeriesDescription", "") or ""),
        "study_uid": str(dataset.get("StudyInstanceUID", "")),
        "frame_of_reference": str(dataset.get("FrameOfReferenceUID", "")),
        "patient": patient_of(dataset),
        "simulated": is_simulated_header(dataset),
        "shape": (int(dataset.Rows), int(dataset.Columns)),
        "inverted": str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1",
        "image_type": tuple(str(w).strip().upper() for w in (dataset.get("ImageType", None) or ())),
        "protocol": tuple(protocol[n] for n in ("repetition_time_ms", "echo_time_ms", "flip_angle_deg")),
    }
    if "PerFrameFunctionalGroupsSequence" in dataset:
        yield from _frames_of(dataset, shared, aside)
        return
    if number_of(dataset, "NumberOfFrames", 1) > 1:
        raise _frames_untold(source.label, int(dataset.NumberOfFrames), 0)
    private = dataset.get(PHILIPS_SLOPE, None)
    instance = number_of(dataset, "InstanceNumber", 0)
    whole = Slice(
        frame=None,
        **shared,
        **place_of(dataset, dataset, source.label),
        **scale_of(dataset, source.label),
        instance=int(instance) if np.isfinite(instance) else 0,
        clocks=clocks_of(dataset),
        b_value=b_value_of(dataset),
        private_scale=None if private is None else first_number(private.value),
    )
    if not is_mosaic(dataset, whole.shape, source.label):
        yield whole
        return
    place = {"position": whole.position, "orientation": whole.orientation, "spacing": whole.spacing}
    for facts in tiles_of(dataset, place, whole.shape, source.label):
        yield replace(whole, **facts)


def _temporal_dimension(dataset: Any) -> int | None:
    """Return which of a frame's DimensionIndexValues counts temporal positions; None if none does."""
    pointers = [item.get("DimensionIndexPointer", None) for item in dataset.get("DimensionIndexSequence", None) or ()]
    return pointers.index(TEMPORAL_POSITION_INDEX) if TEMPORAL_POSITION_INDEX in pointers else None


def _frame_clocks(groups: tuple[Any, Any], dimension: int | None) -> dict[str, float]:
    content = first_item(groups, "FrameContentSequence")
    indices = content.get("DimensionIndexValues", None) or ()
    indices = indices if isinstance(indices, Sequence) else [indices]  # one value alone is no list
    trigger = first_item(groups, "CardiacSynchronizationSequence")
    offset = first_item(groups, "TemporalPositionSequence")
    found = {
        "TemporalPositionIndex": number_of(content, "TemporalPositionIndex", np.nan),
        "TemporalPositionTimeOffset": number_of(offset, "TemporalPositionTimeOffset", np.nan),
        "AcquisitionTime": seconds_of_datetime(content.get("FrameAcquisitionDateTime", None)),
        "ContentTime": seconds_of_datetime(content.get("FrameReferenceDateTime", None)),
        "TriggerTime": number_of(trigger, "NominalCardiacTriggerDelayTime", np.nan) / 1000.0,
        "AcquisitionNumber": number_of(content, "FrameAcquisitionNumber", np.nan),
    }
    if dimension is not None and dimension < len(indices) and not np.isfinite(found["TemporalPositionIndex"]):
        found["TemporalPositionIndex"] = float(indices[dimension])
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _frame_protocol(groups: tuple[Any, Any], of_file: tuple[float | None, ...]) -> tuple[float | None, ...]:
    """Return repetition time, echo time and flip angle of a frame; of the file where its groups are silent."""
    timing, echo = first_item(groups, "MRTimingAndRelatedParametersSequence"), first_item(groups, "MREchoSequence")
    own = [(timing, "RepetitionTime"), (echo, "EffectiveEchoTime"), (timing, "FlipAngle")]
    values = [number_of(group, name, np.nan) for group, name in own]
    return tuple(v if np.isfinite(v) and v > 0 else kept for v, kept in zip(values, of_file, strict=True))


def _frames_of(dataset: Any, shared: dict[str, Any], aside: Counter[str]) -> Iterator[Slice]:
    common = dataset.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in dataset else None
    dimension = _temporal_dimension(dataset)
    of_file = clocks_of(dataset)  # one file per phase: what the frames do not tell, the file does
    file_number = number_of(dataset, "InstanceNumber", 1)
    first = FRAMES_PER_FILE * int(file_number - 1) if file_number > 1 else 0
    n_frames, n_told = int(number_of(dataset, "NumberOfFrames", 1)), len(dataset.PerFrameFunctionalGroupsSequence)
    if n_frames != n_told:
        raise _frames_untold(shared["source"].label, n_frames, n_told)
    for number, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups = (own, common)
        types = first_item(groups, "MRImageFrameTypeSequence").get("FrameType", None)
        kind = kind_of(types)
        if kind:
            aside[kind] += 1
            continue
        label = f"{shared['source'].label} frame {number + 1}"
        require_no_mosaic((*shared["image_type"], *(types or ())), label)
        place = {**as_dict(first_item(groups, "PlanePositionSequence"), "ImagePositionPatient")}
        place |= as_dict(first_item(groups, "PlaneOrientationSequence"), "ImageOrientationPatient")
        private = own.get(PHILIPS_SLOPE, None)
        own_kind: dict[str, Any] = {"protocol": _frame_protocol(groups, shared["protocol"])}
        if types:
            own_kind["image_type"] = tuple(str(w).strip().upper() for w in types)
        yield Slice(
            frame=number,
            **{**shared, **own_kind},
            **place_of(place, first_item(groups, "PixelMeasuresSequence"), label),
            **scale_of(first_item(groups, "PixelValueTransformationSequence") or dataset, label),
            instance=first + number + 1,
            b_value=b_value_of(first_item(groups, "MRDiffusionSequence")),
            clocks={**of_file, **_frame_clocks(groups, dimension)},
            private_scale=None if private is None else first_number(private.value),
        )


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
