"""Regions in DICOM: segmentations and structure sets, on the grid they were drawn on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from spinekit.case import Roi
from spinekit.errors import GridMismatchError, InputRefusedError, SpinekitError, coded_warning
from spinekit.geometry import Geometry, grid_mismatch, turned_onto
from spinekit.io.pieces import Bounded

__all__ = ["DrawnRegion", "choose_region", "dicom_region_reader"]

SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # segmentation, label map
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
SAME_PLACE_MM = 0.05
Result = TypeVar("Result")


@dataclass(frozen=True)
class DrawnRegion:
    """One region that a file offers: its number, its name, and how its mask is made."""

    number: int
    name: str
    make: Callable[[Geometry | None], Roi]


def dicom_region_reader(path: Path) -> list[DrawnRegion] | None:
    """Return the regions of a DICOM SEG or RTSTRUCT file; None if the file is neither."""
    import pydicom

    try:
        with Bounded(path) as stream:
            dataset = pydicom.dcmread(stream)
        kind = str(dataset.get("SOPClassUID", ""))
    except Exception:  # no DICOM, or damaged: other readers tell which
        return None
    if kind in SEG_CLASSES:
        from spinekit.io.region_seg import regions_of_seg

        regions = _in_words(regions_of_seg)(dataset)
    elif kind == RTSTRUCT_CLASS:
        from spinekit.io.region_rtstruct import regions_of_rtstruct

        regions = _in_words(regions_of_rtstruct)(dataset)
    else:
        return None
    return [DrawnRegion(region.number, region.name, _in_words(region.make)) for region in regions]


def _in_words(read: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Return a reader that refuses what pydicom cannot convert, which it finds when an element is asked for."""

    def told(source: Any) -> Result:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd values are judged here
                return read(source)
        except SpinekitError:
            raise
        except Exception as reason:
            raise InputRefusedError(
                "file-corrupt",
                found="The regions of the file cannot be read: an element is absent, or no number where one is needed.",
                expected="A segmentation or structure set as DICOM describes it.",
                cause="Another tool wrote it incompletely, or it was damaged.",
                cure="Export it again, if possible as .seg.nrrd or NIfTI.",
            ) from reason

    return told


def choose_region(regions: list[DrawnRegion], wanted: int | str | None, what: str) -> DrawnRegion:
    """Return the region that is meant.

    Raises
    ------
    InputRefusedError
        ``roi-empty`` if there is none, ``roi-label-ambiguous`` if there are several and none was chosen,
        ``roi-label-absent`` if the choice is not there.
    """
    listed = ", ".join(f"{region.number} '{region.name}'" for region in regions)
    if not regions:
        raise InputRefusedError(
            "roi-empty",
            found=f"{what} holds no region.",
            expected="At least one segment or contour.",
            cause="The file was exported before anything was drawn.",
            cure="Export it again.",
        )
    if wanted is None and len(regions) > 1:
        raise InputRefusedError(
            "roi-label-ambiguous",
            found=f"{what} holds the regions {listed}.",
            expected="One region, or a choice.",
            cause="Several structures were drawn in one file.",
            cure="Choose by number or by name with label=..., --label or the column roi_label.",
        )
    fitting = [r for r in regions if wanted is None or wanted in (r.number, r.name)]
    if len(fitting) != 1:
        raise InputRefusedError(
            "roi-label-absent" if not fitting else "roi-label-ambiguous",
            found=f"{what} holds {len(fitting)} regions '{wanted}'; it holds {listed}.",
            expected="A number or name that occurs once.",
            cause="The regions may have been renumbered or renamed on export.",
            cure="Choose one of those that are there, by number.",
        )
    return fitting[0]


def slice_numbers(positions: Any, on: Geometry, what: str) -> Any:
    """Return on which slice k of a grid each position (n, 3) lies.

    Raises
    ------
    GridMismatchError
        If one lies between slices or outside: the region was drawn on another image.
    """
    places = on.mm_to_index(positions)[:, 2]
    nearest = np.rint(places).astype(int)
    off = np.abs(places - nearest) * on.spacing_mm[2]
    if (off > SAME_PLACE_MM).any() or nearest.min() < 0 or nearest.max() >= on.size[2]:
        raise GridMismatchError(
            found=(
                f"Slices of {what} lie up to {off.max():.2f} mm off the slices of the image, which is "
                f"{on.describe()}, at its slices {nearest.min()} to {nearest.max()}."
            ),
            expected=f"Slices at the same places, to within {SAME_PLACE_MM} mm.",
            cause="The region was drawn on another series.",
            cure="Read it on the grid of the series it was drawn on, then resample it with spinekit.resample_to().",
        )
    return nearest


def on_grid(roi: Roi, on: Geometry) -> Roi:
    """Return a region that covers some slices of a grid as one on the whole grid; it is never moved.

    Raises
    ------
    GridMismatchError
        If its voxels are not those of the grid.
    """
    own = roi.geometry
    if turned_onto(roi.mask, own, on) is not None:
        return on_same_voxels(roi, on)
    first = int(slice_numbers(np.asarray([own.origin_mm]), on, "the region")[0])
    last = first + own.size[2]
    if last <= on.size[2]:
        x, y, z = (float(v) for v in on.index_to_mm((0, 0, first)))
        part = Geometry((on.size[0], on.size[1], own.size[2]), on.spacing_mm, (x, y, z), on.direction)
        if own.size[2] == 1:  # one slice does not tell the distance to the next
            own = Geometry(own.size, (*own.spacing_mm[:2], on.spacing_mm[2]), own.origin_mm, own.direction)
        if own.same_grid(part):
            mask = np.zeros(on.shape_zyx, dtype=bool)
            mask[first:last] = roi.mask
            return Roi(mask, on, roi.name, roi.warnings, roi.record)
    raise grid_mismatch(roi.geometry, on, names=("ROI", "series"))


def on_same_voxels(roi: Roi, on: Geometry) -> Roi:
    """Return a region on a grid whose voxels are its own, its axes swapped where they are counted otherwise.

    Raises
    ------
    GridMismatchError
        If the voxels do not coincide.
    """
    if roi.geometry.same_grid(on):
        return Roi(roi.mask, on, roi.name, roi.warnings, roi.record)
    turned = turned_onto(roi.mask, roi.geometry, on)
    if turned is None:
        raise grid_mismatch(roi.geometry, on, names=("ROI", "series"))
    names = f"{roi.geometry.axis_names()} to {on.axis_names()}"
    text = f"The mask has the voxels of the series, counted along other axes: it was turned from {names}."
    told = coded_warning("roi-turned", text)
    return Roi(turned, on, roi.name, (*roi.warnings, told), {**roi.record, "turned": names})
