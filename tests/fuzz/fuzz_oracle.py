"""What a mutation touched - values, grid or times - so that a success can be held against what it left alone."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries

__all__ = ["touched_by_dicom", "touched_by_nifti", "touched_by_nrrd", "wrong_contents"]

VALUES, GRID, TIMES = "values", "grid", "times"
ALL = frozenset({VALUES, GRID, TIMES})
# what an element, field or line may change; one that is not named must change nothing at all
OF_DICOM = {
    VALUES: {
        "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData",
        "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "RescaleSlope",
        "RescaleIntercept", "TransferSyntaxUID",
    },
    GRID: {"ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SpacingBetweenSlices"},
    TIMES: {
        "TemporalPositionIndex", "TemporalPositionTimeOffset", "TemporalPositionIdentifier", "AcquisitionTime",
        "AcquisitionDate", "AcquisitionDateTime", "TriggerTime", "ContentTime", "ContentDate", "SeriesTime",
        "SeriesDate", "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "FrameAcquisitionDateTime",
        "FrameReferenceDateTime", "TemporalResolution", "NominalCardiacTriggerDelayTime",
    },
}  # fmt: skip
OF_NIFTI = {
    VALUES: {"sizeof_hdr", "dim", "datatype", "bitpix", "vox_offset", "scl_slope", "scl_inter", "magic"},
    GRID: {
        "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x",
        "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
    },
    TIMES: set(),
}  # fmt: skip
OF_NRRD = {
    VALUES: {"type", "dimension", "sizes", "kinds", "endian", "encoding", "byte skip", "line skip", "data file"},
    GRID: {"space", "space directions", "space origin", "space units", "measurement frame", "space dimension"},
    TIMES: {
        "MultiVolume.FrameIdentifyingDICOMTagName", "MultiVolume.FrameIdentifyingDICOMTagUnits",
        "MultiVolume.FrameLabels", "MultiVolume.NumberOfFrames",
    },
}  # fmt: skip


def _sides(changed: set[str], meaning: dict[str, set[str]]) -> frozenset[str]:
    return frozenset(side for side, names in meaning.items() if names & changed)


def _elements(data: bytes) -> dict[str, list[Any]]:
    import pydicom

    image = pydicom.dcmread(io.BytesIO(data), force=True)
    found: dict[str, list[Any]] = {}
    for element in [*image.file_meta, *image.iterall()]:
        if element.VR != "SQ":
            found.setdefault(element.keyword or str(element.tag), []).append(element.value)
    return found


def touched_by_dicom(before: bytes, after: bytes) -> frozenset[str]:
    """Return what the elements that differ between two images may change; all of it where they cannot be listed."""
    try:
        old, new = _elements(before), _elements(after)
        changed = {name for name in {*old, *new} if str(old.get(name)) != str(new.get(name))}
    except Exception:  # the reader understood what cannot be listed here
        return ALL
    private = {name for name in changed if name.startswith("(")}
    return ALL if private else _sides(changed, OF_DICOM)


def touched_by_nifti(before: bytes, after: bytes) -> frozenset[str]:
    """Return what the header fields that differ may change; all of it where bytes were put in or taken out."""
    import nibabel

    if len(before) != len(after):
        return ALL
    old, new = (np.frombuffer(data[:348], nibabel.nifti1.header_dtype)[0] for data in (before, after))
    changed = {name for name in old.dtype.names if old[name].tobytes() != new[name].tobytes()}
    values = {VALUES} if before[348:] != after[348:] else set()  # four bytes written across the end of the header
    return _sides(changed, OF_NIFTI) | values


def touched_by_nrrd(before: bytes, after: bytes) -> frozenset[str]:
    """Return what the lines that differ may change; all of it where the header ends elsewhere."""
    old, new = (
        {line.partition(b":")[0].decode("latin-1").strip(): line for line in data.split(b"\n")}
        for data in (before, after)
    )
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    blank_lines = {data.count(b"\n\n") + data.count(b"\r") for data in (before, after)}
    return ALL if len(blank_lines) > 1 or before[-2:] != after[-2:] else _sides(changed, OF_NRRD)


def wrong_contents(found: DynamicSeries, base: DynamicSeries, touched: frozenset[str]) -> str:
    """Return what differs from the original although the mutation left it alone; empty if nothing does."""
    if found.signal.shape != base.signal.shape:
        return "" if VALUES in touched else f"shape {found.signal.shape}"
    if GRID not in touched and not found.geometry.same_grid(base.geometry):
        return f"grid {found.geometry.describe()}"
    if TIMES not in touched and not np.array_equal(found.times_s, base.times_s):
        return f"times {found.times_s.tolist()}"
    if VALUES in touched:
        return ""
    if not touched and not np.array_equal(found.signal, base.signal):
        return "the order of values"
    if not np.array_equal(np.sort(found.signal, axis=None), np.sort(base.signal, axis=None)):
        return "values"
    return ""
