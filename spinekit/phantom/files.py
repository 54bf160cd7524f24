"""A simulated case as files: the series as a scanner or converter leaves it, and the truth beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.geometry import to_sitk
from spinekit.io import write_roi, write_volume
from spinekit.phantom.case import SimulatedCase
from spinekit.provenance import write_beside, write_json

__all__ = ["FORMATS", "write_case", "write_nifti_series"]

FORMATS = ("nifti",)


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
    with write_beside(target) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=target.name.endswith(".gz"), compressionLevel=1)
    protocol = series.acquisition
    record = {
        "times_s": series.times_s,
        "simulated": bool(series.record.get("simulated", False)),
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


def write_case(case: SimulatedCase, out: str | os.PathLike[str]) -> dict[str, Any]:
    """Write a case into its own folder below `out`, and return its row of the table.

    Parameters
    ----------
    case : SimulatedCase
        What to write.
    out : path
        Folder of the cohort.
    """
    folder = Path(out) / case.series.name
    truth = folder / "truth"
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
