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
        frames, positions = _frames_of(dataset, number, kind)
        record = {"method": "file", "format": "DICOM SEG", "label": number, "drawn_on": _told(dataset)}
        slices = _slices_of(dataset, frames, positions, on) if on is not None else None
        if on is not None and slices is not None:
            return Roi(_mask(dataset, number, kind, frames, slices, on), on, name, record=record)
        geometry, places = _grid(dataset, positions)
        roi = Roi(_mask(dataset, number, kind, frames, places[frames], geometry), geometry, name, record=record)
        return roi if on is None else on_grid(roi, on)

    return make


def _told(dataset: Any) -> str:
    """Return what the segmentation says of the phase it was drawn on, if spinekit wrote it."""
    text = str(dataset.get("ContentDescription", ""))
    return text if text.startswith("drawn on phase ") and len(text) < 40 else ""


def _frames_of(dataset: Any, number: int, kind: str) -> tuple[Any, Any]:
    """Return the numbers of the frames that may hold a segment, and the positions of all frames."""
    groups, n_frames = dataset.PerFrameFunctionalGroupsSequence, int(dataset.get("NumberOfFrames", 1) or 1)
    if len(groups) != n_frames:
        raise _corrupt(f"it holds {n_frames} frames and the places of {len(groups)}")
    positions = np.array([_group(dataset, g, "PlanePositionSequence").ImagePositionPatient for g in groups], float)
    mine = [n for n, g in enumerate(groups) if kind == "LABELMAP" or _segment(dataset, g) == number]
    return np.array(mine, dtype=int), positions


def _slices_of(dataset: Any, frames: Any, positions: Any, on: Geometry) -> Any:
    """Return the slice of a grid that each of some frames is; None where one of them is no slice of it.

    Frames alone do not tell how far apart slices lie where only some of them hold the segment.
    """
    slices = np.rint(on.mm_to_index(positions[frames])[:, 2]).astype(int) if len(frames) else frames
    for n, k in zip(frames, slices, strict=True):
        group = dataset.PerFrameFunctionalGroupsSequence[int(n)]
        x, y = _axes(dataset, group)
        z = np.cross(x, y)
        z *= np.sign(z @ np.asarray(on.direction)[:, 2]) or 1.0
        rows, columns = (float(v) for v in _group(dataset, group, "PixelMeasuresSequence").PixelSpacing)
        size, spacing = (int(dataset.Columns), int(dataset.Rows), 1), (columns, rows, on.spacing_mm[2])
        own = Geometry(size, spacing, tuple(positions[n].tolist()), _rows_of(x, y, z))
        place = tuple(float(v) for v in on.index_to_mm((0, 0, int(k))))
        slice_of_grid = Geometry((*on.size[:2], 1), on.spacing_mm, place, on.direction)  # type: ignore[arg-type]
        if not 0 <= k < on.size[2] or not own.same_grid(slice_of_grid):
            return None
    return slices


def _mask(dataset: Any, number: int, kind: str, frames: Any, slices: Any, geometry: Geometry) -> Any:
    """Return the voxels of a segment; frames are decoded one by one, since a file can hold a hundred segments."""
    from pydicom.pixels.utils import pixel_array

    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    for n, k in zip(frames, slices, strict=True):
        frame = np.asarray(pixel_array(dataset, index=int(n), raw=True)).reshape(geometry.shape_zyx[1:])
        mask[k] |= frame == (number if kind == "LABELMAP" else 1)
    if not mask.any():
        raise InputRefusedError(
            "roi-empty",
            found=f"Segment {number} holds no voxel.",
            expected="At least one voxel inside.",
            cause="The segment was not filled before the export.",
            cure="Export the segmentation again.",
        )
    return mask


def _axes(dataset: Any, frame: Any) -> tuple[Any, Any]:
    """Return the unit vectors along columns (x) and rows (y) of a frame, at right angles."""
    cosines = np.array(_group(dataset, frame, "PlaneOrientationSequence").ImageOrientationPatient, float)
    x = cosines[:3] / np.linalg.norm(cosines[:3])
    y = cosines[3:] - x * (x @ cosines[3:])
    return x, y / np.linalg.norm(y)


def _rows_of(x: Any, y: Any, z: Any) -> Any:
    return tuple(tuple(row) for row in np.stack([x, y, z], axis=1).tolist())


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
    measures = _group(dataset, first, "PixelMeasuresSequence")
    x, y = _axes(dataset, first)
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
    origin = (float(lowest[0]), float(lowest[1]), float(lowest[2]))
    return Geometry(size, (columns, rows, step), origin, _rows_of(x, y, z)), slices


def _corrupt(why: str) -> InputRefusedError:
    return InputRefusedError(
        "file-corrupt",
        found=f"The segmentation cannot be placed: {why}.",
        expected="A position, orientation and pixel size for every frame, on one even grid.",
        cause="Another tool wrote it incompletely, or frames were lost.",
        cure="Export it again, if possible as .seg.nrrd or NIfTI.",
    )
