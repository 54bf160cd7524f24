"""A region as RTSTRUCT: contours along the edges of voxels, which enclose exactly the voxels of the region.

Written with pydicom: the one library for this on the package index, rt-utils, has had no release since 2023.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Roi
from spinekit.io.deidentify_rules import Key
from spinekit.io.export_codes import EQUIPMENT
from spinekit.io.export_seg import LESION_RGB, SERIES_NUMBER, dicom_uid, refuse_empty
from spinekit.io.export_source import PhaseImages, phase_images
from spinekit.io.simulated import pass_marks_on
from spinekit.provenance import hash_array, library_versions, write_beside

__all__ = ["edge_contours", "write_rtstruct"]

PathLike = str | os.PathLike[str]
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
COPIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def write_rtstruct(
    roi: Roi,
    path: PathLike,
    *,
    source: PathLike | Sequence[PathLike],
    phase: int,
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> Path:
    """Write a region as DICOM structure set.

    A contour runs along the edges of voxels; a hole is a contour inside another, as in any planning system that
    counts a point as inside when an odd number of contours encloses it.

    Parameters
    ----------
    roi : Roi
        On the grid of the series.
    path : path
        Usually ``.dcm``; written beside and renamed.
    source : path or list of paths
        The DICOM series the region was drawn on.
    phase : int
        The phase it was drawn on, from 0.
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
    dataset = _structure_set(roi, images)
    pass_marks_on(images.datasets[0], dataset)
    with write_beside(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return Path(path)


def edge_contours(mask: Any) -> list[Any]:
    """Return the outlines of a mask of one slice along the edges of its voxels.

    Parameters
    ----------
    mask : ndarray of shape (Y, X), bool

    Returns
    -------
    list of ndarray of shape (n, 2)
        Corners (i, j) of closed outlines, at half indices. A point is inside the mask if an odd number of them
        encloses it; two voxels that touch at a corner have outlines of their own.

    Examples
    --------
    >>> edge_contours(np.array([[True, True]]))[0].tolist()
    [[-0.5, -0.5], [1.5, -0.5], [1.5, 0.5], [-0.5, 0.5]]
    """
    following: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for start, end in _edges(np.pad(np.asarray(mask, dtype=bool), 1)):
        following[start].append(end)
    contours = []
    while following:
        start = here = min(following)
        corners, way = [], (0, 0)
        while True:
            there = _turn_right(here, way, following[here])
            following[here].remove(there)
            if not following[here]:
                del following[here]
            step = (there[0] - here[0], there[1] - here[1])
            if step != way:
                corners.append(here)
            here, way = there, step
            if here == start:
                break
        contours.append(np.array(corners, dtype=np.float64) - 1.5)  # corner 0 of the padded mask lies at index -1.5
    return contours


def _edges(padded: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the edges between inside and outside as pairs of corners (i, j), the inside on the right hand."""
    across = padded[1:] != padded[:-1]  # edges along x, between rows j and j + 1
    for j, i in np.argwhere(across):
        left, right = (int(i), int(j) + 1), (int(i) + 1, int(j) + 1)
        yield (left, right) if padded[j + 1, i] else (right, left)
    down = padded[:, 1:] != padded[:, :-1]  # edges along y, between columns i and i + 1
    for j, i in np.argwhere(down):
        top, bottom = (int(i) + 1, int(j)), (int(i) + 1, int(j) + 1)
        yield (bottom, top) if padded[j, i + 1] else (top, bottom)


def _turn_right(here: tuple[int, int], way: tuple[int, int], ends: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the next corner; where two outlines touch, the one that stays with the same voxel."""
    if len(ends) == 1 or way == (0, 0):
        return ends[0]
    right = (here[0] - way[1], here[1] + way[0])
    return right if right in ends else ends[0]


def _structure_set(roi: Roi, images: PhaseImages) -> Any:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    first = images.datasets[0]
    identity = (first.SOPInstanceUID, str(images.phase), hash_array(roi.mask), roi.name)
    data: Any = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = RTSTRUCT_CLASS
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = dicom_uid("rtstruct", *identity)
    for keyword in COPIED:
        setattr(data, keyword, first.get(keyword, ""))
    data.Modality, data.SeriesNumber, data.InstanceNumber = "RTSTRUCT", SERIES_NUMBER + 3, 1
    data.SeriesInstanceUID = dicom_uid("rtstruct series", *identity)
    data.SeriesDescription = "spinekit region, research only"
    data.Manufacturer, data.ManufacturerModelName = EQUIPMENT["manufacturer"], EQUIPMENT["manufacturer_model_name"]
    data.SoftwareVersions = library_versions()["spinekit"]
    data.StructureSetLabel = "LESION"
    data.StructureSetDescription = f"drawn on phase {images.phase + 1} of {images.n_phases}"
    data.StructureSetDate, data.StructureSetTime = "", ""
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = first.FrameOfReferenceUID, ""
    data.ReferencedFrameOfReferenceSequence = [_frame_of_reference(images)]
    data.StructureSetROISequence = [_of(ROINumber=1, ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
                                        ROIName=roi.name[:64], ROIGenerationAlgorithm="SEMIAUTOMATIC")]  # fmt: skip
    data.ROIContourSequence = [
        _of(ReferencedROINumber=1, ROIDisplayColor=list(LESION_RGB), ContourSequence=list(_contours(roi, images)))
    ]
    data.RTROIObservationsSequence = [
        _of(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="", ROIInterpreter="")
    ]
    data.ApprovalStatus = "UNAPPROVED"
    return data


def _of(**elements: Any) -> Any:
    import pydicom

    data = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def _image(images: PhaseImages, k: int) -> Any:
    """Return the reference to the image of slice k."""
    dataset = images.datasets[0] if images.frames else images.datasets[k]
    image = _of(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    if images.frames:
        image.ReferencedFrameNumber = images.frames[k]
    return image


def _frame_of_reference(images: PhaseImages) -> Any:
    first = images.datasets[0]
    n_slices = len(images.frames) or len(images.datasets)
    series = _of(
        SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=[_image(images, k) for k in range(n_slices)]
    )
    study = _of(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _of(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _contours(roi: Roi, images: PhaseImages) -> Iterator[Any]:
    for k in np.flatnonzero(roi.mask.any(axis=(1, 2))):
        for corners in edge_contours(roi.mask[k]):
            points = roi.geometry.index_to_mm(np.column_stack([corners, np.full(len(corners), k)]))
            yield _of(
                ContourImageSequence=[_image(images, int(k))],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{value:.6f}" for value in points.ravel()],
            )
