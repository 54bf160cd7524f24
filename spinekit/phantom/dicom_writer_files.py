"""Planes as DICOM datasets: classic, one per image, or enhanced multi-frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spinekit.case import Acquisition
from spinekit.phantom.dicom_writer_flavours import Flavour, clock_text
from spinekit.phantom.dicom_writer_planes import Plane

__all__ = ["classic_dataset", "enhanced_dataset"]

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
DAY = "20200101"
USUAL_TYPE = ["ORIGINAL", "PRIMARY", "M", "NONE"]
OF_FRAMES = {
    "FrameAcquisitionDateTime", "FrameReferenceDateTime", "TemporalPositionIndex", "TemporalPositionTimeOffset",
}  # fmt: skip
PHILIPS_SLOPE = (0x2005, 0x100E)


def _uid(*parts: Any) -> str:
    """Return the same UID for the same parts, so that files are the same in every run."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["spinekit phantom", *map(str, parts)]))


def _decimal(value: float) -> str:
    """Return a number as a DICOM decimal string, with a point and at most 16 characters."""
    text = f"{value:.10g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _numbers(values: Sequence[float]) -> list[str]:
    return [_decimal(float(v)) for v in values]


def _scale(plane: Plane, flavour: Flavour, step: float) -> tuple[float, float]:
    """Return slope and intercept with which the values of a plane are stored."""
    if not flavour.own_slopes:
        return step, 0.0
    low = float(plane.values.min())
    finest = float(np.ptp(plane.values)) / 65535
    slope = next(s for s in (step / 4, step / 2, step) if s >= finest) if plane.z % 2 else step
    return slope, low


def _stored(plane: Plane, slope: float, intercept: float) -> tuple[np.ndarray, int]:
    """Return the integers of a plane, and whether they are signed."""
    stored = np.round((plane.values - intercept) / slope)
    signed = bool(stored.min() < 0)
    if plane.tags.get("PhotometricInterpretation") == "MONOCHROME1":
        stored = (-1 if signed else 65535) - stored
    return stored.astype(np.int16 if signed else np.uint16), int(signed)


def _base(plane: Plane, key: str, flavour: Flavour, acquisition: Acquisition, sop_class: str) -> Any:
    """Return what classic and enhanced images have in common."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.UID(sop_class)
    data.PatientName, data.PatientID = f"Simulated^Case{plane.patient or ''}", f"SIM-{plane.patient}"
    data.PatientBirthDate, data.PatientSex, data.AccessionNumber, data.ReferringPhysicianName = "", "O", "", ""
    series = plane.series or (plane.phase + 1 if flavour.own_series else 0)
    data.StudyInstanceUID = _uid(key, "study", plane.patient, plane.study)
    data.SeriesInstanceUID = _uid(key, "series", plane.patient, series)
    data.FrameOfReferenceUID = _uid(key, "frame", plane.patient, plane.study, plane.frame_of_reference)
    data.StudyID, data.StudyDate, data.StudyTime = "1", DAY, clock_text(35_000.0)
    data.SeriesNumber, data.SeriesDescription = 4 + series, "simulated dynamic"
    data.Modality, data.Manufacturer, data.PositionReferenceIndicator = "MR", flavour.maker, ""
    data.ImageType = USUAL_TYPE
    data.MagneticFieldStrength = _decimal(acquisition.field_strength_t or 1.5)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = plane.values.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    return data


def _finish(data: Any, uid: str) -> Any:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
    return data


def _protocol(data: Any, acquisition: Acquisition) -> None:
    for keyword, value in (
        ("RepetitionTime", acquisition.repetition_time_ms),
        ("EchoTime", acquisition.echo_time_ms),
        ("FlipAngle", acquisition.flip_angle_deg),
    ):
        if value is not None:
            setattr(data, keyword, _decimal(value))


def classic_dataset(
    plane: Plane, number: int, *, key: str, flavour: Flavour, acquisition: Acquisition, step: float, n_phases: int
) -> Any:
    """Return the dataset of one image.

    Parameters
    ----------
    plane : Plane
        The image.
    number : int
        InstanceNumber.
    key : str
        What UIDs are made from.
    flavour : Flavour
        How the vendor writes.
    acquisition : Acquisition
        TR, TE, flip angle, field strength, where known.
    step : float
        Distance between neighbouring values.
    n_phases : int
        Of the series.
    """
    data = _base(plane, key, flavour, acquisition, MR)
    _protocol(data, acquisition)
    slope, intercept = _scale(plane, flavour, step)
    stored, data.PixelRepresentation = _stored(plane, slope, intercept)
    data.RescaleSlope = _decimal(slope if plane.slope is None else plane.slope)
    data.RescaleIntercept = _decimal(intercept)
    if flavour.maker.startswith("Philips"):
        block = data.private_block(PHILIPS_SLOPE[0], "Philips MR Imaging DD 001", create=True)
        block.add_new(PHILIPS_SLOPE[1] & 0xFF, "FL", 1.0 / slope)
    data.AcquisitionDate = data.ContentDate = data.SeriesDate = DAY
    data.SeriesTime = clock_text(35_500.0)
    for keyword, value in flavour.times(plane, n_phases).items():
        if keyword not in OF_FRAMES:
            setattr(data, keyword, value)
    data.InstanceNumber = number
    data.ImagePositionPatient = _numbers(plane.position)
    data.ImageOrientationPatient = _numbers(plane.orientation)
    data.PixelSpacing = _numbers(plane.spacing[::-1])
    data.SliceThickness = data.SpacingBetweenSlices = _decimal(plane.thickness_mm)
    data.PixelData = stored.tobytes()
    for keyword, value in plane.tags.items():
        if value is None and keyword in data:
            delattr(data, keyword)
        elif value is not None and keyword not in OF_FRAMES:
            setattr(data, keyword, value)
    return _finish(data, _uid(key, plane.patient, plane.series, plane.phase, plane.z, plane.copy))


def _group(**tags: Any) -> Any:
    import pydicom

    item = pydicom.Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return pydicom.Sequence([item])


def _frame(plane: Plane, flavour: Flavour, step: float, n_phases: int) -> tuple[Any, np.ndarray, int]:
    """Return the functional groups of one frame, and its stored values."""
    import pydicom

    slope, intercept = _scale(plane, flavour, step)
    stored, signed = _stored(plane, slope, intercept)
    times = {**flavour.times(plane, n_phases), **plane.tags}
    frame = pydicom.Dataset()
    if plane.tags.get("ImagePositionPatient", "") is not None:
        frame.PlanePositionSequence = _group(ImagePositionPatient=_numbers(plane.position))
    frame.PlaneOrientationSequence = _group(ImageOrientationPatient=_numbers(plane.orientation))
    content: dict[str, Any] = {"InStackPositionNumber": plane.z + 1, "StackID": "1"}
    if times.get("TemporalPositionIndex") is not None:
        content["TemporalPositionIndex"] = times["TemporalPositionIndex"]
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        if times.get(keyword) is not None:
            content[keyword] = DAY + clock_text(times[keyword])
    frame.FrameContentSequence = _group(**content)
    if times.get("TemporalPositionTimeOffset") is not None:
        offset = round(times["TemporalPositionTimeOffset"], 6)
        frame.TemporalPositionSequence = _group(TemporalPositionTimeOffset=offset)
    frame.MRImageFrameTypeSequence = _group(FrameType=plane.tags.get("ImageType", USUAL_TYPE))
    frame.PixelMeasuresSequence = _group(
        PixelSpacing=_numbers(plane.spacing[::-1]), SliceThickness=_decimal(plane.thickness_mm)
    )
    used = slope if plane.slope is None else plane.slope
    frame.PixelValueTransformationSequence = _group(
        RescaleSlope=_decimal(used), RescaleIntercept=_decimal(intercept), RescaleType="US"
    )
    return frame, stored, signed


def enhanced_dataset(
    planes: Sequence[Plane],
    number: int,
    *,
    key: str,
    flavour: Flavour,
    acquisition: Acquisition,
    step: float,
    n_phases: int,
) -> Any:
    """Return the dataset of a multi-frame file; see `classic_dataset` for the parameters."""
    import pydicom

    first = planes[0]
    data = _base(first, key, flavour, acquisition, ENHANCED_MR)
    made = [_frame(plane, flavour, step, n_phases) for plane in planes]
    data.ContentDate, data.ContentTime, data.InstanceNumber = DAY, clock_text(36_900.0), number
    data.NumberOfFrames = len(made)
    data.PhotometricInterpretation = first.tags.get("PhotometricInterpretation", "MONOCHROME2")
    shared = pydicom.Dataset()
    shared.MRTimingAndRelatedParametersSequence = pydicom.Sequence([pydicom.Dataset()])
    timing = shared.MRTimingAndRelatedParametersSequence[0]
    for keyword, value in (
        ("RepetitionTime", acquisition.repetition_time_ms),
        ("FlipAngle", acquisition.flip_angle_deg),
    ):
        if value is not None:
            setattr(timing, keyword, _decimal(value))
    if acquisition.echo_time_ms is not None:
        shared.MREchoSequence = _group(EffectiveEchoTime=acquisition.echo_time_ms)
    data.SharedFunctionalGroupsSequence = pydicom.Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = pydicom.Sequence([frame for frame, _, _ in made])
    data.PixelRepresentation = max(signed for _, _, signed in made)
    data.PixelData = b"".join(stored.tobytes() for _, stored, _ in made)
    return _finish(data, _uid(key, "frames", first.patient, first.series, first.phase, first.copy))
