"""What the two networks say of each case of a study, computed once and kept.

The networks are frozen: they were trained on simulated patients with other seeds than any study's (`taught` refuses a
table that has one of these), so that no case of the table was seen in training. What is fitted on them here, a
classifier on the features of the U-Net's region or on the embedding of the Inception-ResNet, is fitted inside the fold
like every other arm.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.evaluation.metrics import overlap_scores
from spinekit.models.working import counted_lesions
from spinekit.provenance import hash_json, write_json
from spinekit.study.case_work import case_key, each_case
from spinekit.study.measured import maps_of, radiomics_features
from spinekit.study.regions import regions_of
from spinekit.study.sources import OpenCase, open_case
from spinekit.study.table import StudyCase

__all__ = ["KINDS", "network_records", "networks_missing"]

FORMAT = 1
KINDS = ("unet", "inception_resnet")


def networks_missing() -> dict[str, str]:
    """Return the networks that cannot be asked, each with the reason, such as that its weights are not there."""
    from spinekit.models.checkpoints import read_card, shipped

    missing = {}
    for kind in KINDS:
        try:
            read_card(shipped(kind), kind=kind)
        except InputRefusedError as refused:
            missing[kind] = refused.message
    return missing


def _hashes(kinds: Sequence[str]) -> dict[str, str]:
    from spinekit.models.checkpoints import read_card, shipped

    return {kind: str(read_card(shipped(kind), kind=kind)["sha256"]) for kind in kinds}


def network_records(
    cases: Sequence[StudyCase],
    folder: Path,
    *,
    kinds: Sequence[str] = KINDS,
    workers: int = 1,
    on_case: Callable[[int, int, str], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the record of each case by name: overlap and features of the U-Net's region, embedding and logit.

    Kept as ``NAME.networks.json`` beside the case's own record, under a key that holds the weights' hashes.
    """
    work = partial(_kept, folder=folder, kinds=tuple(kinds), weights=_hashes(kinds))
    found = {}
    for number, (case, record) in enumerate(each_case(work, cases, workers), start=1):
        found[case.name] = record
        if on_case is not None:
            on_case(number, len(cases), f"{case.name}, networks")
    return found


def _kept(case: StudyCase, *, folder: Path, kinds: tuple[str, ...], weights: dict[str, str]) -> dict[str, Any]:
    path = folder / f"{case.name}.networks.json"
    key = hash_json({"case": case_key(case), "weights": weights, "format": FORMAT})
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("key") != key:
        try:
            record = _asked(open_case(case), kinds)
        except InputRefusedError as refused:
            record = dict(refused.as_dict())
        write_json(path, record | {"case": case.name, "key": key})
        kept = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _asked(case: OpenCase, kinds: Sequence[str]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if "unet" in kinds:
        record |= _segmented(case)
    if "inception_resnet" in kinds:
        record |= _embedded(case)
    return record


def _segmented(case: OpenCase) -> dict[str, Any]:
    from spinekit.models.segmenting import segment

    seen = segment(case.series, case.n_baseline)
    record: dict[str, Any] = {"unet": _features_of_largest(case, seen.lesions.values), "unet_scores": {}}
    if case.truth is not None:
        spacing = case.series.geometry.spacing_zyx_mm
        record["unet_scores"] = overlap_scores(
            seen.roi.mask, case.all_lesions, spacing_zyx_mm=spacing, lesions=_numbered(case)
        )
    return record


def _numbered(case: OpenCase) -> Any:
    """Return the numbers of the lesions that are large enough to be asked for; None where none are known."""
    return None if case.lesions is None else counted_lesions(case.lesions, case.series.geometry.voxel_volume_mm3)


def _embedded(case: OpenCase) -> dict[str, Any]:
    from spinekit.models.crop import lesion_crop
    from spinekit.models.inception_resnet_use import ask, open_classifier

    region = next(iter(regions_of(case).by_name.values()))
    views = ask(open_classifier(), lesion_crop(case.series, region, case.n_baseline))
    return {
        "inception": {"logit": views.logit} | {f"embedding_{k:03d}": float(v) for k, v in enumerate(views.embedding)}
    }


def _features_of_largest(case: OpenCase, numbers: Any) -> dict[str, float]:
    """Return the features of the largest lesion that the U-Net proposes; empty if it proposes none that has any."""
    mask = np.asarray(numbers) == 1
    if mask.sum() < 8 or np.flatnonzero(mask.any(axis=(1, 2))).size < 2:
        return {}
    roi = Roi(mask, case.series.geometry, "lesion")
    try:
        features = radiomics_features(case.series, case.n_baseline, roi, maps_of(case.series, case.n_baseline))
    except InputRefusedError:
        return {}  # a region that has no features is a missing value, which the fold fills
    return {name: value for name, value in features.items() if math.isfinite(value)}
