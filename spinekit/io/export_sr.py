"""Measurements of a region as DICOM SR, template TID 1500."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.io.deidentify_rules import Key
from spinekit.io.export_codes import EQUIPMENT, quantity_code, unit_code
from spinekit.io.export_seg import SERIES_NUMBER, dicom_uid
from spinekit.io.export_source import names_as_they_are, phase_images
from spinekit.io.simulated import pass_marks_on
from spinekit.provenance import hash_file, hash_json, library_versions, write_beside

__all__ = ["Measured", "write_dicom_sr"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Measured:
    """One number of a region.

    Parameters
    ----------
    name : str
        Name in `spinekit.quantities`, ``"volume"``, or a feature's name.
    value : float
        Finite; what is undefined is left out by the caller.
    unit : str
        Unit as in `spinekit.quantities`.
    statistic : {"", "median", "mean"}
        Over the voxels of the region; empty for a number of the region itself.
    """

    name: str
    value: float
    unit: str
    statistic: str = ""


def write_dicom_sr(
    measured: Sequence[Measured],
    path: PathLike,
    *,
    segmentation: PathLike,
    roi: Roi,
    source: PathLike | Sequence[PathLike],
    phase: int,
    reader: str = "unattended",
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> Path:
    """Write measurements as Comprehensive 3D SR that refers to a segmentation and its source images.

    Parameters
    ----------
    measured : sequence of Measured
        At least one.
    path : path
        Usually ``.dcm``; written beside and renamed.
    segmentation : path
        The DICOM SEG that `write_dicom_seg` wrote.
    roi : Roi
        The region that was measured.
    source : path or list of paths
        The DICOM series.
    phase : int
        The phase the region was drawn on, as for the segmentation.
    reader : str
        Initials of the observer.
    series : str, optional
        Which series, where the source holds several.
    drop_incomplete : bool
        As in the settings the series was read with.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for no measurement or one that is not finite; what reading the source refuses.
    """
    import highdicom as hd

    _require_finite(measured)
    images = phase_images(source, phase, on=roi.geometry, series=series, drop_incomplete=drop_incomplete, key=key)
    seg = hd.seg.segread(segmentation)
    identity = (seg.SOPInstanceUID, hash_file(segmentation), hash_json([vars(m) for m in measured]))
    with names_as_they_are():
        report = hd.sr.Comprehensive3DSR(
            evidence=[seg, *images.datasets],
            content=_content(measured, seg, images, reader),
            series_instance_uid=dicom_uid("sr series", *identity),
            series_number=SERIES_NUMBER + 2,
            sop_instance_uid=dicom_uid("sr", *identity),
            instance_number=1,
            manufacturer=EQUIPMENT["manufacturer"],
            is_complete=True,
        )
        report.SeriesDescription = "spinekit measurements, research only"
    pass_marks_on(images.datasets[0], report)
    with write_beside(path) as temporary:
        report.save_as(temporary, enforce_file_format=True)
    return Path(path)


def _require_finite(measured: Sequence[Measured]) -> None:
    wrong = [m.name for m in measured if not math.isfinite(m.value)]
    if not measured or wrong:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The measurements {', '.join(wrong)} are not finite." if wrong else "There is no measurement.",
            expected="At least one, each a finite number.",
            cause="A quantity is undefined in the region.",
            cure="Leave out what is undefined.",
        )


def _content(measured: Sequence[Measured], seg: Any, images: Any, reader: str) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    context = hd.sr.ObservationContext(
        observer_person_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=_person(reader)),
        )
    )
    series_uid = images.datasets[0].SeriesInstanceUID
    segment = hd.sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=1,
        source_series=hd.sr.SourceSeriesForSegmentation(series_uid),
    )
    tracked = seg.SegmentSequence[0]
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracked.TrackingUID, identifier=tracked.TrackingID),
        referenced_segment=segment,
        finding_type=codes.SCT.Lesion,
        finding_sites=[hd.sr.FindingSite(codes.SCT.Spine)],
        measurements=[_measurement(m) for m in measured],
    )
    return hd.sr.MeasurementReport(
        observation_context=context,
        procedure_reported=Code("113091006", "SCT", "Magnetic resonance imaging"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )[0]


def _person(initials: str) -> str:
    """Return initials as a DICOM name of one component."""
    return initials.translate(str.maketrans("^\\=", "   ")).strip()[:60] + "^"


def _measurement(m: Measured) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    statistics = {"median": codes.SCT.Median, "mean": codes.SCT.Mean}
    name = codes.SCT.Volume if m.name == "volume" else quantity_code(m.name)
    return hd.sr.Measurement(
        name=name,
        value=float(m.value),
        unit=unit_code(m.unit),
        derivation=statistics.get(m.statistic),
        algorithm_id=hd.sr.AlgorithmIdentification(name="spinekit", version=library_versions()["spinekit"]),
    )
