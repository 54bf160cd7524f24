"""A region as DICOM SEG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.io.deidentify_rules import Key
from spinekit.io.export_codes import EQUIPMENT
from spinekit.io.export_source import PhaseImages, names_as_they_are, phase_images, true_frame_numbers
from spinekit.io.simulated import pass_marks_on
from spinekit.provenance import hash_array, library_versions, write_beside

__all__ = ["dicom_uid", "refuse_empty", "write_dicom_seg"]

PathLike = str | os.PathLike[str]
BY_HAND = ("file", "drawn", "manual")
LESION_RGB = (221, 79, 56)  # the colour that 3D Slicer gives a lesion
SERIES_NUMBER = 9000  # behind whatever the scanner has numbered


def refuse_empty(roi: Roi) -> None:
    """Refuse a region without a voxel: other tools would take the file for 'no lesion'."""
    if not roi.mask.any():
        raise InputRefusedError(
            "roi-empty",
            found=f"The region '{roi.name}' holds no voxel.",
            expected="At least one voxel inside.",
            cause="The region was erased, or resampled onto a grid that does not cover it.",
            cure="Export the region before it is emptied.",
        )


def dicom_uid(*parts: str) -> str:
    """Return a UID that follows from what it stands for: the same object exported twice has the same UID."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[*parts, library_versions()["spinekit"]]))


def write_dicom_seg(
    roi: Roi,
    path: PathLike,
    *,
    source: PathLike | Sequence[PathLike],
    phase: int,
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> Path:
    """Write a region as DICOM SEG (binary) that refers to one phase of its series.

    Empty slices are written too, so that the grid of the region survives. Patient and study are those of
    the source: give `key` if the file is to leave the hospital, see
    `spinekit.io.deidentify.read_key`.

    Parameters
    ----------
    roi : Roi
        On the grid of the series.
    path : path
        Usually ``.dcm``; written beside and renamed.
    source : path or list of paths
        The DICOM series the region was drawn on.
    phase : int
        The phase it was drawn on, from 0; kept in the content description and by the references.
    series : str, optional
        Which series, where the source holds several.
    drop_incomplete : bool
        As in the settings the series was read with.

    Raises
    ------
    InputRefusedError
        ``roi-empty``; what reading the source refuses.
    GridMismatchError
        If region and series are on different grids.
    """
    refuse_empty(roi)
    images = phase_images(source, phase, on=roi.geometry, series=series, drop_incomplete=drop_incomplete, key=key)
    with names_as_they_are():
        dataset = _segmentation(roi, images)
    pass_marks_on(images.datasets[0], dataset)
    with write_beside(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return Path(path)


def _segmentation(roi: Roi, images: PhaseImages) -> Any:
    import highdicom as hd

    first = images.datasets[0]
    identity = (first.SOPInstanceUID, str(images.phase), hash_array(roi.mask), roi.name)
    dataset = hd.seg.Segmentation(
        source_images=list(images.datasets),
        pixel_array=np.ascontiguousarray(roi.mask).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(roi, identity)],
        series_instance_uid=dicom_uid("series", *identity),
        series_number=SERIES_NUMBER,
        sop_instance_uid=dicom_uid("instance", *identity),
        instance_number=1,
        software_versions=library_versions()["spinekit"],
        content_label="LESION",
        content_description=f"drawn on phase {images.phase + 1} of {images.n_phases}",
        omit_empty_frames=False,
        **EQUIPMENT,
    )
    dataset.SeriesDescription = "spinekit region, research only"
    dataset.ContentCreatorName = ""
    true_frame_numbers(dataset, images)
    return dataset


def _description(roi: Roi, identity: tuple[str, ...]) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    method = str(roi.record.get("method", "not recorded"))
    by_hand = method in BY_HAND
    algorithm = hd.AlgorithmIdentificationSequence(
        name=f"spinekit {method}"[:64],
        version=library_versions()["spinekit"],
        family=codes.cid7162.MorphologicalOperations,
    )
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=roi.name[:64],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type="MANUAL" if by_hand else "SEMIAUTOMATIC",
        algorithm_identification=None if by_hand else algorithm,
        tracking_uid=dicom_uid("tracking", *identity),
        tracking_id=roi.name[:64],
        anatomic_regions=[codes.SCT.Spine],
        display_color=hd.color.CIELabColor.from_rgb(*LESION_RGB),
    )
