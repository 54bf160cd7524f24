"""DICOM SEG as regions: each frame is put where its own position says, never by its number."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.region_dicom import SAME_PLACE_MM, DrawnRegion, on_grid

__all__ = ["regions_of_seg"]


def regions_of_seg(dataset: Any) -> list[DrawnRegion]:
    """Return the segments of a segmentation.

    Raises
    ------
    InputRefusedError
        ``format-unsupported`` for fractional segmentations; ``file-corrupt`` if a frame tells no place.
    """
    kind = str(dataset.get("SegmentationType", ""))
    if kind not in ("BINARY", "LABELMAP"):
        raise InputRefusedError(
            "format-unsupported",
            found=f"The segmentation is of type '{kind or 'unknown'}'.",
            expected="BINARY or LABELMAP.",
            cause="A fractional segmentation holds probabilities, which are no region before a threshold is chosen.",
            cure="Export it as binary segmentation.",
        )
    found = []
    for segment in dataset.get("SegmentSequence", []):
        number, name = int(segment.SegmentNumber), str(segment.get("SegmentLabel", "segment"))
        if number:  # 0 is the background of a label map
            found.append(DrawnRegion(number, name, _maker(dataset, number, name, kind)))
    return found


def _maker(dataset: Any, number: int, name: str, kind: str) -> Any:
    def make(on: Geometry | None) -> Roi:
        mask, geometry = _mask(dataset, number, kind)
        record = {"method": "file", "format": "DICOM SEG", "label": number, "drawn_on": _told(dataset)}
        roi = Roi(mask, geometry, name, record=record)
        return roi if on is None else on_grid(roi, on)

    return make


def _told(dataset: Any) -> str:
    """Return what the segmentation says of the phase it was drawn on, if spinekit wrote it."""
    text = str(dataset.get("ContentDescription", ""))
    return text if text.startswith("drawn on phase ") and len(text) < 40 else ""


def _mask(dataset: Any, number: int, kind: str) -> tuple[Any, Geometry]:
    from pydicom.pixels.utils import pixel_array

    frames = np.asarray(pixel_array(dataset, raw=True))
    frames = frames.reshape(-1, int(dataset.Rows), int(dataset.Columns))
    groups = dataset.PerFrameFunctionalGroupsSequence
    if len(groups) != len(frames):
        raise _corrupt(f"it holds {len(frames)} frames and the places of {len(groups)}")
    positions = np.array([_group(dataset, g, "PlanePositionSequence").ImagePositionPatient for g in groups], float)
    mine = (
        np.ones(len(frames), bool) if kind == "LABELMAP" else np.array([_segment(dataset, g) == number for g in groups])
    )
    geometry, slices = _grid(dataset, positions)
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    for n in np.flatnonzero(mine):
        mask[slices[n]] |= frames[n] == (number if kind == "LABELMAP" else 1)
    if not mask.any():
        raise InputRefusedError(
            "roi-empty",
            found=f"Segment {number} holds no voxel.",
            expected="At least one voxel inside.",
            cause="The segment was not filled before the export.",
            cure="Export the segmentation again.",
        )
    return mask, geometry


def _group(dataset: Any, frame: Any, name: str) -> Any:
    """Return a functional group of a frame, or the one that all frames share."""
    for groups in (frame, *dataset.get("SharedFunctionalGroupsSequence", [])):
        if name in groups and len(groups[name].value):
            return groups[name].value[0]
    raise _corrupt(f"a frame has no {name}")


def _segment(dataset: Any, frame: Any) -> int:
    return int(_group(dataset, frame, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _grid(dataset: Any, positions: Any) -> tuple[Geometry, Any]:
    """Return the smallest grid that holds all frames, and the slice of each."""
    first = dataset.PerFrameFunctionalGroupsSequence[0]
    cosines = np.array(_group(dataset, first, "PlaneOrientationSequence").ImageOrientationPatient, float)
    measures = _group(dataset, first, "PixelMeasuresSequence")
    x = cosines[:3] / np.linalg.norm(cosines[:3])
    y = cosines[3:] - x * (x @ cosines[3:])
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    z *= np.sign(z[np.abs(z).argmax()])  # as the reader of series counts slices
    heights = positions @ z
    levels = np.unique(np.round(heights / SAME_PLACE_MM)) * SAME_PLACE_MM
    steps = np.diff(levels)
    given = float(measures.get("SpacingBetweenSlices", 0) or 0) or float(measures.get("SliceThickness", 0) or 0)
    step = given or (float(steps.min()) if steps.size else 1.0)
    if steps.size and abs(float(steps.min()) / step - round(float(steps.min()) / step)) > 0.01:
        step = float(steps.min())  # what was given is the thickness, and slices have gaps
    places = (heights - heights.min()) / step
    slices = np.rint(places).astype(int)
    if (np.abs(places - slices) * step > 2 * SAME_PLACE_MM).any():
        raise _corrupt(f"its frames lie {sorted(set(steps.round(2).tolist()))} mm apart, which is no even grid")
    lowest = positions[int(heights.argmin())]
    step = float(np.ptp(heights) / slices.max()) if slices.max() else step
    rows, columns = (float(v) for v in measures.PixelSpacing)
    size = (int(dataset.Columns), int(dataset.Rows), int(slices.max()) + 1)
    axes = np.stack([x, y, z], axis=1)
    direction = tuple((float(a), float(b), float(c)) for a, b, c in axes)
    origin = (float(lowest[0]), float(lowest[1]), float(lowest[2]))
    return Geometry(size, (columns, rows, step), origin, direction), slices


def _corrupt(why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The segmentation cannot be placed: {why}.",
        expected="A position, orientation and pixel size for every frame, on one even grid.",
        cause="Another tool wrote it incompletely, or frames were lost.",
        cure="Export it again, if possible as .seg.nrrd or NIfTI.",
    )
