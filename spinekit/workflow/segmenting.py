"""Let the U-Net segment a case: its proposal of the region, and the step that sets it beside the reader's."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np

from spinekit.case import DynamicSeries, Roi, Segmentation, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_json
from spinekit.settings import Study
from spinekit.viewmodels import SeedSelection
from spinekit.workflow.loading import missing_step, open_series, open_settings
from spinekit.workflow.marking import open_journal

__all__ = ["open_segmentation", "propose_region", "segment_case", "segmentation_notes"]

PathLike = str | os.PathLike[str]
CANNOT_BE_SEEN = ("too-few-phases", "protocol-insufficient", "value-out-of-range")  # by the network


def propose_region(series: DynamicSeries, study: Study) -> tuple[Roi, str]:
    """Return the largest lesion that the network finds without a click, and the name of the network.

    Raises
    ------
    InputRefusedError
        ``lesion-not-found``; what the network refuses.
    """
    found = _segment(series, study, None)
    mask = found.lesions.values == 1
    if not mask.any():
        raise InputRefusedError(
            "lesion-not-found",
            found="The network proposes no lesion in this series.",
            expected="A lesion of 0.3 ml or more.",
            cause="The lesion may hardly enhance, or the series is unlike the simulated cases it was taught with.",
            cure="Give --seed I,J,K with a voxel inside the lesion, or mark it in notebook 02.",
        )
    return Roi(mask, series.geometry, "lesion"), f"unet {found.record['sha256'][:16]}"


def segment_case(case_dir: PathLike) -> Segmentation | None:
    """Segment a case with its settings and write ``segmentation.nii.gz``, probability, uncertainty and the record.

    The reader's first seed, where the region grew from one, is the click; otherwise the network gets none.

    Returns
    -------
    Segmentation or None
        None where the network cannot see the case; the record then says why.
    """
    from spinekit.io import write_volume

    folder, series = CaseFolder.at(case_dir), open_series(case_dir)
    click = _click(case_dir, series)
    try:
        found = _segment(series, open_settings(case_dir), click)
    except InputRefusedError as refused:
        if refused.code not in CANNOT_BE_SEEN:
            raise
        text = f"The network cannot see this case. {refused.message}"
        write_json(folder.segmentation_record, {"warnings": [coded_warning(refused.code, text)], "record": {}})
        for file in (folder.segmentation, folder.segmentation_map("probability"), folder.segmentation_map("doubt")):
            file.unlink(missing_ok=True)
        return None
    write_volume(found.lesions, folder.segmentation)
    write_volume(found.probability, folder.segmentation_map("probability"))
    write_volume(found.uncertainty, folder.segmentation_map("doubt"))
    kept = {
        "notice": "not a diagnosis; simulated training data", "warnings": found.warnings, "record": found.record,
        "model_card": found.model_card,
    }  # fmt: skip
    write_json(folder.segmentation_record, kept)
    return found


def open_segmentation(case_dir: PathLike) -> Segmentation | None:
    """Return what the network found in a case; None where it could not see it.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if notebook 06 has not been run.
    """
    from spinekit.io import read_volume

    folder = CaseFolder.at(case_dir)
    if not folder.segmentation_record.is_file():
        raise missing_step("segmentation", folder.segmentation_record.name, "06")
    kept = json.loads(folder.segmentation_record.read_text(encoding="utf-8"))
    if not kept["record"]:
        return None
    numbers = read_volume(folder.segmentation)
    lesions = Volume(np.asarray(numbers.values).astype(np.uint8), numbers.geometry, "lesions", "1")
    probability = replace(read_volume(folder.segmentation_map("probability")), name="lesion_probability", unit="1")
    doubt = replace(read_volume(folder.segmentation_map("doubt")), name="uncertainty", unit="bit")
    warnings = tuple(kept["warnings"])
    roi = Roi(lesions.values > 0, lesions.geometry, "lesion", warnings, kept["record"])
    return Segmentation(roi, lesions, probability, doubt, kept["model_card"], warnings, kept["record"])


def segmentation_notes(case_dir: PathLike) -> tuple[str, ...]:
    """Return the warnings of the segmentation as they are kept, also where there is none."""
    folder = CaseFolder.at(case_dir)
    if not folder.segmentation_record.is_file():
        raise missing_step("segmentation", folder.segmentation_record.name, "06")
    return tuple(json.loads(folder.segmentation_record.read_text(encoding="utf-8"))["warnings"])


def _segment(series: DynamicSeries, study: Study, click: tuple[int, int, int] | None) -> Segmentation:
    from spinekit.models.segmenting import segment

    chosen = study.segmentation
    return segment(series, study.kinetics.n_baseline, chosen.model or None, click=click, mirror=chosen.mirror)


def _click(case_dir: PathLike, series: DynamicSeries) -> tuple[int, int, int] | None:
    marked = SeedSelection(series)
    marked.replay(open_journal(case_dir))
    inside = [seed.ijk for seed in marked.seeds if not seed.background]
    return inside[0] if inside else None
