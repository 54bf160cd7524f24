"""A parameter map as DICOM parametric map, with its unit and quantity as codes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.deidentify_rules import Key
from spinekit.io.export_codes import EQUIPMENT, quantity_code, unit_code
from spinekit.io.export_seg import SERIES_NUMBER, dicom_uid
from spinekit.io.export_source import PhaseImages, names_as_they_are, phase_images, true_frame_numbers
from spinekit.io.simulated import pass_marks_on
from spinekit.provenance import hash_array, library_versions, write_beside
from spinekit.quantities import QUANTITIES

__all__ = ["write_dicom_map", "write_dicom_maps"]

PathLike = str | os.PathLike[str]


def write_dicom_map(
    volume: Volume,
    path: PathLike,
    *,
    source: PathLike | Sequence[PathLike],
    phase: int = 0,
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> Path:
    """Write one map as DICOM parametric map (float32).

    NaN stays NaN: a voxel in which the quantity is undefined is not turned into a number. Patient and
    study are those of the source: give `key` if the file is to leave the hospital, see
    `spinekit.io.deidentify.read_key`.

    Parameters
    ----------
    volume : Volume
        On the grid of the series; its name and unit give the codes.
    path : path
        Usually ``.dcm``; written beside and renamed.
    source : path or list of paths
        The DICOM series the map was computed from.
    phase : int
        Phase whose images the frames refer to for their place, from 0; the map is made of all phases.
    series : str, optional
        Which series, where the source holds several.
    drop_incomplete : bool
        As in the settings the series was read with.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if no voxel of the map is defined; what reading the source refuses.
    GridMismatchError
        If map and series are on different grids.
    """
    images = phase_images(source, phase, on=volume.geometry, series=series, drop_incomplete=drop_incomplete, key=key)
    return _write(volume, Path(path), images)


def write_dicom_maps(
    volumes: Sequence[Volume],
    folder: PathLike,
    *,
    on: Geometry,
    source: PathLike | Sequence[PathLike],
    phase: int = 0,
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> list[Path]:
    """Write several maps of one series into a folder, reading the series once; see `write_dicom_map`.

    A map without a defined voxel is left out.
    """
    images = phase_images(source, phase, on=on, series=series, drop_incomplete=drop_incomplete, key=key)
    defined = [volume for volume in volumes if np.isfinite(volume.values).any()]
    return [_write(volume, Path(folder) / f"{volume.name}.dcm", images, place=n) for n, volume in enumerate(defined, 1)]


def _write(volume: Volume, path: Path, images: PhaseImages, place: int = 1) -> Path:
    with names_as_they_are():
        dataset = _parametric_map(volume, images, place)
    pass_marks_on(images.datasets[0], dataset)
    with write_beside(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return path


def _parametric_map(volume: Volume, images: PhaseImages, place: int) -> Any:
    import highdicom as hd

    values = np.array(volume.values, dtype=np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The map '{volume.name}' is undefined in every voxel.",
            expected="At least one voxel with a value.",
            cause="No voxel takes up contrast agent, or the number of baseline phases is wrong.",
            cure="Leave this map out, or correct the settings.",
        )
    low, high = QUANTITIES[volume.name].plausible if volume.name in QUANTITIES else (finite.min(), finite.max())
    identity = (images.datasets[0].SOPInstanceUID, volume.name, hash_array(values))
    dataset = hd.pm.ParametricMap(
        source_images=list(images.datasets),
        pixel_array=values,
        series_instance_uid=dicom_uid("maps", images.datasets[0].SOPInstanceUID),
        series_number=SERIES_NUMBER + 1,
        sop_instance_uid=dicom_uid("map", *identity),
        instance_number=place,
        software_versions=library_versions()["spinekit"],
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(volume, finite)],
        voi_lut_transformations=[
            hd.VOILUTTransformation(window_center=float(low + high) / 2, window_width=max(float(high - low), 1e-6))
        ],
        content_label=volume.name[:16].upper().strip("_"),
        content_description=(QUANTITIES[volume.name].title if volume.name in QUANTITIES else volume.name)[:64],
        **EQUIPMENT,
    )
    dataset.SeriesDescription = "spinekit parameter maps, research only"
    dataset.ContentCreatorName = ""
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_spine()]
    _order_frames(dataset)
    true_frame_numbers(dataset, images)
    return dataset


def _spine() -> Any:
    """Return the anatomy of the frames; dcmqi does not open a map without it."""
    import pydicom
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    anatomy: Any = pydicom.Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [CodedConcept.from_code(codes.SCT.Spine)]
    return anatomy


def _order_frames(dataset: Any) -> None:
    """Put the frames in the order of space along the normal of the slices.

    highdicom orders them by coordinates, x before y before z, which for a stack that leans may run against the
    normal. The places in the frames are right either way, but there are readers that go by the order alone.
    """
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    cosines = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(cosines[:3], cosines[3:])
    heights = [np.dot(g.PlanePositionSequence[0].ImagePositionPatient, normal) for g in groups]
    order = np.argsort(heights)
    frames = np.frombuffer(dataset.FloatPixelData, np.uint8).reshape(len(groups), -1)
    dataset.FloatPixelData = frames[order].tobytes()
    for place, group in enumerate((groups[n] for n in order), start=1):
        group.FrameContentSequence[0].DimensionIndexValues = place
    dataset.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]


def _mapping(volume: Volume, finite: Any) -> Any:
    """Return the mapping from stored to real values, which are the same, with unit and quantity."""
    import highdicom as hd

    return hd.pm.RealWorldValueMapping(
        lut_label=volume.name[:16].upper().strip("_"),
        lut_explanation=(QUANTITIES[volume.name].formula if volume.name in QUANTITIES else volume.name)[:64],
        unit=unit_code(volume.unit),
        value_range=(float(finite.min()), float(finite.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=quantity_code(volume.name),
    )
