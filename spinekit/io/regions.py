"""Regions of interest and volumes as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, to_sitk
from spinekit.io.region_dicom import DrawnRegion, choose_region, dicom_region_reader, on_same_voxels
from spinekit.io.region_seg_nrrd import regions_of_seg_nrrd
from spinekit.io.sources import shown
from spinekit.provenance import write_beside
from spinekit.settings import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_labels", "read_roi", "write_roi", "write_volume"]

PathLike = str | os.PathLike[str]
MOST_COUNTED = 1 << 16  # labels below are found by counting, which takes no sorting


def write_volume(volume: Volume, path: PathLike) -> Path:
    """Write a volume as NIfTI or NRRD (by the suffix), float32. The same volume gives the same bytes."""
    import SimpleITK as sitk

    image = to_sitk(np.asarray(volume.values, dtype=np.float32), volume.geometry)
    with write_beside(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
    return Path(path)


def write_roi(roi: Roi, path: PathLike) -> Path:
    """Write a region as a mask of 0 and 1 (uint8), NIfTI or NRRD by the suffix; beside and renamed.

    Raises
    ------
    InputRefusedError
        ``roi-empty``: an empty mask is not a region.
    """
    import SimpleITK as sitk

    if not roi.mask.any():
        raise _empty(f"The region '{roi.name}'")
    with write_beside(path) as temporary:
        sitk.WriteImage(to_sitk(roi.mask.astype(np.uint8), roi.geometry), str(temporary), useCompression=True)
    return Path(path)


def read_roi(
    path: PathLike,
    on: Geometry | None = None,
    *,
    label: int | str | None = None,
    name: str = "lesion",
    settings: Reading | None = None,
) -> Roi:
    """Read a region of interest from a mask image.

    Parameters
    ----------
    path : path
        NIfTI, NRRD, .seg.nrrd of 3D Slicer (also with several layers), MetaImage, DICOM SEG, RTSTRUCT.
    on : Geometry, optional
        The grid that the region must be on; it is never moved onto it. Where the voxels coincide and only the axes
        are counted in another order or direction, they are swapped, with the warning ``roi-turned``. An RTSTRUCT
        has no grid of its own and needs that of the image it was drawn on.
    label : int or str, optional
        Which label, or number or name in a DICOM SEG, RTSTRUCT or .seg.nrrd; needed where the file holds several.

    Returns
    -------
    Roi

    Raises
    ------
    InputRefusedError
        ``roi-empty``, ``roi-too-small`` (one voxel or a line), ``roi-label-absent``,
        ``roi-label-ambiguous``, ``format-unsupported`` (values that are no labels).
    GridMismatchError
        If its grid differs from `on`; both grids are in the message.
    """
    drawn = _drawn(Path(path)) if Path(path).is_file() else None
    if drawn is not None:
        region = choose_region(drawn, label, f"The {shown(path)}").make(on)
        if not region.mask.any():
            raise _empty(f"The region that was chosen in the {shown(path)}")
        _require_extent(region, f"The {shown(path)}")
        return Roi(region.mask, region.geometry, name, region.warnings, region.record)
    if isinstance(label, str):
        raise _no_names(shown(path), label)
    values, geometry, present = read_labels(path, settings=settings)
    what = f"The {shown(path)}"
    if not present:
        raise _empty(what)
    if label is None and len(present) > 1:
        raise InputRefusedError(
            "roi-label-ambiguous",
            found=f"{what} holds {_listed(present)}.",
            expected="One label, or a choice.",
            cause="Several structures were drawn in one file.",
            cure="Choose with label=..., --label or the column roi_label.",
        )
    chosen = present[0] if label is None else int(label)
    if chosen not in present:
        raise InputRefusedError(
            "roi-label-absent",
            found=f"{what} has no label {chosen}; it holds {_listed(present)}.",
            expected="A label that is in the mask.",
            cause="The labels may have been renumbered on export.",
            cure="Choose one of those that are there.",
        )
    roi = Roi(values == chosen, geometry, name, record={"method": "file", "label": chosen})
    if on is not None:
        roi = on_same_voxels(roi, on)
    _require_extent(roi, what)
    return roi


def _drawn(path: Path) -> list[DrawnRegion] | None:
    """Return the regions of a file that names them; None for a mask of numbers."""
    if path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        return regions_of_seg_nrrd(path)
    return None if _is_image(path) else dicom_region_reader(path)


def _listed(labels: list[int]) -> str:
    more = f" and {len(labels) - 8} more" if len(labels) > 8 else ""
    return f"the labels {labels[:8]}{more}"


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"))


def _no_names(file: str, label: str) -> InputRefusedError:
    return InputRefusedError(
        "roi-label-absent",
        found=f"The {file} holds numbered labels; the name '{label}' was asked for.",
        expected="A whole number.",
        cause="Only regions in DICOM SEG, RTSTRUCT and .seg.nrrd have names.",
        cure="Give the number of the label.",
    )


def read_labels(
    path: str | os.PathLike[str], *, settings: Reading | None = None
) -> tuple[NDArray[Any], Geometry, list[int]]:
    """Return the values of a mask image (Z, Y, X), their grid and the labels in it, found slice by slice.

    Raises
    ------
    InputRefusedError
        ``format-unsupported`` for values that are no labels; what `read_volume` refuses.
    """
    from spinekit.io.reading import read_volume

    volume = read_volume(path, settings=settings or Reading())
    values = np.asarray(volume.values)
    present: set[int] = set()
    for part in values:
        if not np.isfinite(part).all() or (part != np.round(part)).any() or part.min() < 0:
            raise InputRefusedError(
                "format-unsupported",
                found=f"The {shown(path)} holds no labels but {_range(values)}.",
                expected="Whole numbers from 0.",
                cause="It is an image, a probability map, or a mask resampled by interpolation.",
                cure="Give the label image; turn a probability into a mask by an explicit threshold.",
            )
        few = part.max() < MOST_COUNTED
        present |= set(
            (np.flatnonzero(np.bincount(part.ravel().astype(np.int64))) if few else np.unique(part)).tolist()
        )
    return values, volume.geometry, sorted(int(label) for label in present if label)


def _range(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"values from {finite.min():g} to {finite.max():g}" if finite.size else "nothing that is a number"


def _require_extent(roi: Roi, what: str) -> None:
    extents = [box.stop - box.start for box in roi.box_zyx]
    if sum(extent > 1 for extent in extents) < 2:
        raise InputRefusedError(
            "roi-too-small",
            found=f"{what} holds {roi.n_voxels} voxels that span {' × '.join(str(e) for e in extents[::-1])}.",
            expected="A region that extends in at least two directions.",
            cause="A point or a measuring line was saved instead of the region.",
            cure="Draw the region again.",
        )


def _empty(what: str) -> InputRefusedError:
    return InputRefusedError(
        "roi-empty",
        found=f"{what} holds no voxel.",
        expected="At least one voxel inside.",
        cause="The segment was not filled, or the mask was exported before it was drawn.",
        cure="Export the region again.",
    )
