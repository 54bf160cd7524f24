"""Segmentations of 3D Slicer (.seg.nrrd): segments with names, also where they overlap in several layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spinekit.case import Roi
from spinekit.geometry import Geometry
from spinekit.io.nrrd import NrrdContent, read_nrrd
from spinekit.io.region_dicom import DrawnRegion, on_same_voxels

__all__ = ["regions_of_seg_nrrd"]

FIELD = re.compile(r"Segment(\d{1,4})_(Name|LabelValue|Layer)")


def regions_of_seg_nrrd(path: Path) -> list[DrawnRegion] | None:
    """Return the segments of a .seg.nrrd; None if its header names none.

    A segment's number is its label value, or its place in the header where segments of several layers share values.

    Raises
    ------
    InputRefusedError
        What `spinekit.io.nrrd.read_nrrd` refuses.
    """
    content = read_nrrd(path)
    told: dict[int, dict[str, str]] = {}
    for key, value in content.fields.items():
        if match := FIELD.fullmatch(key):
            told.setdefault(int(match.group(1)), {})[match.group(2)] = value.strip()
    segments = [facts for _, facts in sorted(told.items()) if facts.get("LabelValue", "").isdigit()]
    if not segments:
        return None
    values = [int(facts["LabelValue"]) for facts in segments]
    own = len(set(values)) == len(values)
    return [
        _region(content, facts, number=value if own else place)
        for place, (facts, value) in enumerate(zip(segments, values, strict=True), start=1)
    ]


def _uncropped(roi: Roi, on: Geometry) -> Roi:
    """Return a region on a whole grid whose voxels it covers some of: Slicer saves no more than the segments fill.

    A region whose voxels lie between those of the grid, or beyond them, stays as it is.
    """
    own = roi.geometry
    first = np.rint(on.mm_to_index(own.origin_mm)).astype(int)
    if (first < 0).any() or (first + own.size > on.size).any():
        return roi
    x, y, z = (float(v) for v in on.index_to_mm(first))
    if not own.same_grid(Geometry(own.size, on.spacing_mm, (x, y, z), on.direction)):
        return roi
    mask = np.zeros(on.shape_zyx, dtype=bool)
    mask[tuple(slice(at, at + n) for at, n in zip(first[::-1], own.shape_zyx, strict=True))] = roi.mask
    return Roi(mask, on, roi.name, roi.warnings, roi.record)


def _region(content: NrrdContent, facts: Mapping[str, str], *, number: int) -> DrawnRegion:
    def make(on: Geometry | None) -> Roi:
        layers = content.values if content.values.ndim == 4 else content.values[None]
        layer = int(facts.get("Layer", "0") or 0)
        if not 0 <= layer < len(layers):
            mask = np.zeros(content.geometry.shape_zyx, dtype=bool)
        else:
            mask = layers[layer] == int(facts["LabelValue"])
        roi = Roi(mask, content.geometry, record={"method": "file", "label": number})
        return roi if on is None else on_same_voxels(_uncropped(roi, on), on)

    return DrawnRegion(number, facts.get("Name", ""), make)
