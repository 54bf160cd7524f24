"""RTSTRUCT as regions: contours in mm become voxels of the image they were drawn on."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from spinekit.case import Roi
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import Geometry
from spinekit.io.region_dicom import DrawnRegion, slice_numbers

__all__ = ["regions_of_rtstruct"]


def regions_of_rtstruct(dataset: Any) -> list[DrawnRegion]:
    """Return the structures that have closed contours."""
    names = {int(s.ROINumber): str(s.get("ROIName", "structure")) for s in dataset.get("StructureSetROISequence", [])}
    found = []
    for item in dataset.get("ROIContourSequence", []):
        number = int(item.ReferencedROINumber)
        contours = [
            np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            for contour in item.get("ContourSequence", [])
            if str(contour.get("ContourGeometricType", "")).startswith("CLOSED") and len(contour.ContourData) >= 9
        ]
        if contours:
            name = names.get(number, "structure")
            found.append(DrawnRegion(number, name, _maker(contours, number, name)))
    return found


def _maker(contours: list[Any], number: int, name: str) -> Any:
    def make(on: Geometry | None) -> Roi:
        if on is None:
            raise _no_grid(name)
        record = {"method": "file", "format": "RTSTRUCT", "label": number, "contours": len(contours)}
        mask = fill_contours(contours, on)
        roi = Roi(mask, on, name, tuple(_gaps(mask, name)), record)
        if not roi.mask.any():
            raise InputRefusedError(
                "roi-empty",
                found=f"The contours of '{name}' enclose no voxel centre of the image.",
                expected="Contours inside the image.",
                cause="They were drawn on another series, or are smaller than a voxel.",
                cure="Read them on the grid of the series they were drawn on.",
            )
        return roi

    return make


def _gaps(mask: Any, name: str) -> list[str]:
    """Return the warning of contours that leave out slices between the first and the last; nothing is filled in."""
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    missing = int(drawn[-1] - drawn[0] + 1 - drawn.size) if drawn.size else 0
    if not missing:
        return []
    text = f"'{name}' is drawn in {drawn.size} slices; {missing} between them have no contour and were left empty."
    return [coded_warning("roi-gaps", text)]


def fill_contours(contours: list[Any], on: Geometry) -> Any:
    """Return the voxels whose centres lie inside an odd number of contours of their slice, bool (Z, Y, X).

    Parameters
    ----------
    contours : list of ndarray of shape (n, 3)
        Corners of closed polygons, LPS mm, each in one slice of the image.
    on : Geometry
        Grid of the image.
    """
    from skimage.measure import points_in_poly

    mask = np.zeros(on.shape_zyx, dtype=bool)
    by_slice: dict[int, list[Any]] = defaultdict(list)
    for contour in contours:
        slices = slice_numbers(contour, on, "the contours")
        if slices.min() != slices.max():
            raise _oblique()
        by_slice[int(slices[0])].append(on.mm_to_index(contour)[:, :2])
    for k, polygons in by_slice.items():
        for polygon in polygons:
            low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
            high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int), np.array(on.size[:2]) - 1)
            if (high < low).any():
                continue
            i, j = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
            inside = points_in_poly(np.stack([i.ravel(), j.ravel()], axis=1), polygon).reshape(i.shape)
            mask[k, low[1] : high[1] + 1, low[0] : high[0] + 1] ^= inside
    return mask


def _no_grid(name: str) -> InputRefusedError:
    return InputRefusedError(
        "grid-mismatch",
        found=f"The structure '{name}' consists of contours in mm; a structure set has no voxels of its own.",
        expected="The grid of the image it was drawn on.",
        cause="The region was read by itself.",
        cure="Give the grid: read_roi(path, on=volume.geometry), with the image the contours were drawn on.",
    )


def _oblique() -> InputRefusedError:
    return InputRefusedError(
        "grid-mismatch",
        found="A contour runs through several slices of the image.",
        expected="Contours that lie in the slices.",
        cause="They were drawn on a series in another orientation.",
        cure="Read them on the grid of that series, then resample with spinekit.resample_to().",
    )
