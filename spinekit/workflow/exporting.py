"""Give the results of a case in the formats that other tools read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi
from spinekit.errors import InputRefusedError
from spinekit.io.deidentify_rules import Key
from spinekit.io.layout import CaseFolder
from spinekit.io.whereabouts import known_sources
from spinekit.provenance import write_json, write_text
from spinekit.workflow.computing import open_maps
from spinekit.workflow.loading import is_simulated, open_series, open_settings
from spinekit.workflow.marking import open_roi

__all__ = ["Exported", "export_case"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Exported:
    """The files that were written, and in words what was left out and why."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def export_case(
    case_dir: PathLike,
    out: PathLike,
    *,
    source: PathLike | None = None,
    phase: int | None = None,
    reader: str = "",
    key: Key | None = None,
) -> Exported:
    """Write region, maps and measurements of a case for other tools.

    Always: ``region.seg.nrrd`` (3D Slicer), ``region.nii.gz`` with ``region.json``, ``measurements.csv`` and
    ``features.csv``. For a series that came as DICOM also ``dicom/region.dcm`` (SEG),
    ``dicom/region_rtstruct.dcm``, ``dicom/maps/<name>.dcm`` (parametric maps) and ``dicom/measurements.dcm`` (SR,
    TID 1500), which refer to the source images and carry their patient and study.

    Parameters
    ----------
    case_dir : path
        A case with an accepted region and maps.
    out : path
        Folder to write to.
    source : path, optional
        Where the series lies now; where it lay when the case was made if not given.
    phase : int, optional
        The phase the region was drawn on, from 0; the one with the largest mean signal of the region if not
        given.
    reader : str
        Initials of the observer in the SR; who accepted the region if not given.

    key : Key, optional
        The DICOM objects are for outside the hospital: they refer to the copy of the series that
        `spinekit.io.deidentify.deidentify_series` makes with the same key.

    Returns
    -------
    Exported

    Raises
    ------
    InputRefusedError
        ``case-incomplete``; ``source-changed`` if the DICOM files are not those the case was made from; what the
        writers refuse.
    """
    series, roi, maps = open_series(case_dir), open_roi(case_dir), open_maps(case_dir)
    target = Path(out)
    chosen = _brightest(series, roi) if phase is None else phase
    files = list(_plain_files(case_dir, target, series, roi, maps, chosen))
    if series.record.get("format") != "DICOM":
        why = "it did not come as DICOM" if "format" in series.record else "it is simulated"
        return Exported(tuple(files), (f"DICOM objects: they refer to the images of the series, and {why}",))
    if series.record.get("siemens_mosaic"):
        why = "it is stored as Siemens mosaics, which have no image of a single slice"
        return Exported(tuple(files), (f"DICOM objects: they refer to the images of the series, and {why}",))
    known = known_sources(case_dir, series_sha256=str(series.record["sha256"]))
    told: dict[str, Any] = {
        "source": os.fspath(source) if source is not None else _one_or_list(known.get("source")),
        "phase": chosen,
        "series": known.get("choose_series") or None,
        "drop_incomplete": open_settings(case_dir).reading.drop_incomplete_last_phase,
        "key": key,
    }
    if not told["source"]:
        return Exported(tuple(files), ("DICOM objects: where the series lies is not known; give --source",))
    _require_same_files(series, told["source"])
    observer = reader or str(roi.record.get("accepted_by", "")) or "unattended"
    return Exported((*files, *_dicom_files(target / "dicom", roi, maps, told, observer)), ())


def _one_or_list(paths: Any) -> Any:
    return paths[0] if isinstance(paths, list) and len(paths) == 1 else paths


def _brightest(series: DynamicSeries, roi: Roi) -> int:
    return int(np.argmax([float(phase[roi.mask].mean(dtype=np.float64)) for phase in series.signal]))


def _require_same_files(series: DynamicSeries, source: Any) -> None:
    from spinekit.io.dicom_headers import read_headers
    from spinekit.io.sources import list_sources

    found = set(read_headers(list_sources(source)).hashes.values())
    missing = [digest for digest in series.sources.values() if digest not in found]
    if missing:
        raise InputRefusedError(
            "source-changed",
            found=f"{len(missing)} of the {len(series.sources)} files that the case was made from are not there.",
            expected="The very files, by SHA-256.",
            cause="The series was exported again, de-identified or edited since.",
            cure="Give the original with --source, or run the case on these files.",
        )


def _plain_files(
    case_dir: PathLike, out: Path, series: DynamicSeries, roi: Roi, maps: ParameterMaps, phase: int
) -> Iterator[Path]:
    from spinekit.io import write_roi
    from spinekit.io.export import write_seg_nrrd

    yield write_seg_nrrd(roi, out / "region.seg.nrrd", phase=phase)
    yield write_roi(roi, out / "region.nii.gz")
    facts = {"name": roi.name, "drawn_on_phase": phase, "warnings": roi.warnings, "record": roi.record}
    facts |= {"series_sha256": series.record["sha256"], "simulated": is_simulated(case_dir)}
    yield write_json(out / "region.json", facts)
    rows = ["name,statistic,value,unit"]
    rows += [f"{m.name},{m.statistic},{m.value:.17g},{m.unit}" for m in measured(roi, maps)]
    yield write_text(out / "measurements.csv", "\n".join(rows) + "\n")
    features = CaseFolder.at(case_dir).features
    if features.is_file():
        yield write_text(out / "features.csv", features.read_text(encoding="utf-8"))


def measured(roi: Roi, maps: ParameterMaps) -> list[Any]:
    """Return volume and the medians of the maps over the defined voxels of the region.

    The curve type has no median; what is defined in no voxel is left out.
    """
    from spinekit.io.export import Measured

    numbers = [Measured("volume", roi.volume_ml, "ml")]
    for name, volume in maps.items():
        values = volume.within(roi).astype(np.float64)
        defined = values[np.isfinite(values)]
        if name != "curve_type" and defined.size:
            numbers.append(Measured(name, float(np.median(defined)), volume.unit, "median"))
    return numbers


def _dicom_files(out: Path, roi: Roi, maps: ParameterMaps, told: dict[str, Any], observer: str) -> Iterator[Path]:
    from spinekit.io.export import write_dicom_maps, write_dicom_seg, write_dicom_sr, write_rtstruct

    segmentation = write_dicom_seg(roi, out / "region.dcm", **told)
    yield segmentation
    yield write_rtstruct(roi, out / "region_rtstruct.dcm", **told)
    yield from write_dicom_maps(list(maps.values()), out / "maps", on=roi.geometry, **told)
    yield write_dicom_sr(
        measured(roi, maps), out / "measurements.dcm", segmentation=segmentation, roi=roi, reader=observer, **told
    )
