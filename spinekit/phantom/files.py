"""A simulated case as files: the series as a scanner or converter leaves it, and the truth beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import to_sitk
from spinekit.io import write_roi, write_volume
from spinekit.io.simulated import NIFTI_MARK, simulated_record
from spinekit.phantom.case import SimulatedCase
from spinekit.phantom.dicom_writer import write_dicom
from spinekit.phantom.protocol import protocol_of
from spinekit.provenance import write_beside, write_json

__all__ = ["FORMATS", "write_case", "write_dicom_images", "write_nifti_series"]

FORMATS = ("nifti", "dicom")
T2_SERIES = 1  # the dynamic series of a study is number 0


def write_nifti_series(series: DynamicSeries, path: str | os.PathLike[str]) -> Path:
    """Write a series as 4-D NIfTI of whole numbers, as scanners keep them, with its times in the JSON beside it.

    Parameters
    ----------
    series : DynamicSeries
        Signal from 0 to 32,767.
    path : path
        Ends in ``.nii.gz`` or ``.nii``; the JSON has the same name.
    """
    import SimpleITK as sitk

    target = Path(path)
    whole = np.clip(np.rint(series.signal), 0, np.iinfo(np.int16).max).astype(np.int16)
    image = sitk.JoinSeries([to_sitk(phase, series.geometry) for phase in whole])
    simulated = bool(series.record.get("simulated", False))
    if simulated:
        image.SetMetaData("ITK_FileNotes", NIFTI_MARK)
    with write_beside(target) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=target.name.endswith(".gz"), compressionLevel=1)
    protocol = series.acquisition
    record = {
        "times_s": series.times_s,
        "simulated": simulated,
        "Manufacturer": protocol.manufacturer,
        "MagneticFieldStrength": protocol.field_strength_t,
        "RepetitionTime": _seconds(protocol.repetition_time_ms),
        "EchoTime": _seconds(protocol.echo_time_ms),
        "FlipAngle": protocol.flip_angle_deg,
    }
    write_json(target.with_name(target.name.removesuffix(".gz").removesuffix(".nii") + ".json"), record)
    return target


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


def write_dicom_images(case: SimulatedCase, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write the dynamic series and the T2 as one study, in the way of the hospital's scanner.

    Parameters
    ----------
    case : SimulatedCase
        Values are rounded to whole numbers, as scanners keep them.
    folder : path
        Gets the folders ``series`` and ``t2``; what they held before is replaced.

    Returns
    -------
    tuple of Path
        The two folders.
    """
    protocol = protocol_of(case.facts["hospital"])
    spin_echo = Acquisition(
        repetition_time_ms=1000 * protocol.t2_tr_s, echo_time_ms=1000 * protocol.t2_te_s, flip_angle_deg=90.0,
        field_strength_t=protocol.field_strength_t, modality="MR", manufacturer=protocol.manufacturer,
    )  # fmt: skip
    mark = simulated_record(True)
    t2 = DynamicSeries(
        np.rint(case.t2.values)[None], np.zeros(1), case.t2.geometry, "simulated", acquisition=spin_echo, record=mark
    )
    whole = np.clip(np.rint(case.series.signal), 0, np.iinfo(np.int16).max)
    dynamic = DynamicSeries(
        whole, case.series.times_s, case.series.geometry, "simulated", acquisition=case.series.acquisition,
        record=mark,
    )  # fmt: skip
    flavour = protocol.dicom_flavour
    places = Path(folder) / "series", Path(folder) / "t2"
    with _folder_beside(places[0]) as temporary:
        write_dicom(dynamic, temporary, flavour=flavour, patient=case.series.name)
    with _folder_beside(places[1]) as temporary:
        write_dicom(
            t2, temporary, flavour=flavour, patient=case.series.name, series_number=T2_SERIES,
            description="simulated sagittal T2",
        )  # fmt: skip
    return places


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target`; it takes that one's place only if all went well."""
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-", dir=target.parent))
        temporary.chmod(0o755)
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    except OSError as reason:
        raise InputRefusedError(
            "output-unwritable",
            found=f"'{target.name}' could not be written to '{target.parent}': {reason.strerror or reason}.",
            expected="A folder that can be written to, with enough space.",
            cause="The disk may be full, or the folder belongs to somebody else.",
            cure="Free space or choose another folder with --out.",
        ) from reason
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_case(case: SimulatedCase, out: str | os.PathLike[str], *, format: str = "nifti") -> dict[str, Any]:
    """Write a case into its own folder below `out`, and return its row of the table.

    Parameters
    ----------
    case : SimulatedCase
        What to write.
    out : path
        Folder of the cohort.
    format : {"nifti", "dicom"}
        Of the series and the T2; the truth is NIfTI and JSON in both.
    """
    folder = Path(out) / case.series.name
    truth = folder / "truth"
    if format == "dicom":
        series, t2 = write_dicom_images(case, folder)
    else:
        series = write_nifti_series(case.series, folder / "series.nii.gz")
        t2 = write_volume(case.t2, folder / "t2.nii.gz")
    roi = write_roi(case.lesion, truth / "lesion.nii.gz")
    outline = write_roi(case.t2_outline, truth / "t2_outline.nii.gz")
    for volume in (*case.truth.values(), case.lesions, case.tissue):
        write_volume(volume, truth / f"{volume.name}.nii.gz")
    write_json(truth / "truth.json", _record(case))
    places = {"series": series, "t2": t2, "roi": roi, "outline": outline}
    return {"case": case.series.name} | {n: p.relative_to(out).as_posix() for n, p in places.items()} | _row(case)


def _record(case: SimulatedCase) -> dict[str, Any]:
    return {
        "label": case.label,
        "entity": case.entity,
        "clinical": case.clinical,
        "kinetics_per_min": case.kinetics,
        "seed_ijk": case.seed_ijk,
        "n_baseline": case.n_baseline,
        "facts": case.facts,
        "motion_mm_deg": case.motion,
        "arterial_input": {"times_s": case.times_s, "concentration_mm": case.arterial_mm},
    }


def _row(case: SimulatedCase) -> dict[str, Any]:
    return {
        "label": case.label,
        "entity": case.entity,
        "hospital": case.facts["hospital"],
        **case.clinical,
        "seed_ijk": ",".join(str(n) for n in case.seed_ijk),
        "n_baseline": case.n_baseline,
        "n_lesions": case.facts["n_lesions"],
        "level": case.facts["level"],
        "lesion_ml": round(case.lesion.volume_ml, 3),
        "ktrans_per_min": round(case.kinetics["ktrans"], 5),
        "kep_per_min": round(case.kinetics["kep"], 5),
        "ve": round(case.kinetics["ktrans"] / case.kinetics["kep"], 5),
        "vp": round(case.kinetics["vp"], 5),
        "motion_mm": round(float(np.linalg.norm(case.motion[:, :3], axis=1).max()), 3),
        "random_seed": case.facts["seed"],
        "simulated": "yes",
    }
