"""Lesions for the training of the classifier: of a table, or drawn by the simulator; cut once and kept as crops."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.diagnosis.diagnose_model import CLASSES
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.models.crop import LesionCrop, lesion_crop
from spinekit.phantom.protocol import Protocol, protocol_of
from spinekit.phantom.randomness import stream
from spinekit.phantom.scanners import DynamicCase, random_protocol, simulate_dynamic
from spinekit.provenance import write_beside
from spinekit.study.sources import open_case
from spinekit.study.table import StudyCase

__all__ = ["LabelledLesion", "drawn_lesion", "hospital_lesion", "kept_lesion", "lesion_of_row", "lesions"]

FIELD_MM = (96.0, 122.0, 88.0)  # of a simulated series: the classifier's box wherever the technician has put the slab
HOSPITAL_VOXEL_MM = {"A": (1.875, 1.875, 4.0), "B": (1.71875, 1.71875, 4.5)}  # as of 128 x 128 x 24 voxels
MOVING = 3  # one patient in three moves where only some need to: half the price


@dataclass(frozen=True)
class LabelledLesion:
    """A crop with its class (index in ``CLASSES``), the patient's clinical facts and the disease if it is known."""

    name: str
    patient: str
    crop: LesionCrop
    label: int
    clinical: Mapping[str, Any]
    entity: str = ""


def drawn_lesion(seed: int, *, moves: bool | None = None) -> LabelledLesion:
    """Simulate a patient in a scanner drawn at random, with drawn voxels and noise, and cut the lesion out.

    `moves` says whether the patient moves between the phases, as those of the hospitals all do; one in three if None.
    """
    rng = stream(seed, "classifier")
    plane = float(rng.uniform(1.6, 2.5))
    voxel = (plane, plane, float(rng.uniform(4.0, 6.0)))
    snr = float(rng.uniform(9.0, 28.0))
    protocol, size = _near(random_protocol(seed), voxel)
    motion = "usual" if (seed % MOVING == 0 if moves is None else moves) else "none"
    return _cut(simulate_dynamic(seed, protocol=protocol, size=size, snr=snr, motion=motion))


def hospital_lesion(seed: int, hospital: str) -> LabelledLesion:
    """Simulate a patient in hospital ``"A"`` or ``"B"``, imaged with 128 x 128 x 24 voxels, and cut the lesion out."""
    protocol, size = _near(protocol_of(hospital), HOSPITAL_VOXEL_MM[hospital])
    return _cut(simulate_dynamic(seed, protocol=protocol, size=size))


def _near(protocol: Protocol, voxel_mm: Sequence[float]) -> tuple[Protocol, tuple[int, int, int]]:
    """Return a protocol whose field of view holds little more than the classifier's box, and its size in voxels."""
    x, y, z = (round(f / s) for f, s in zip(FIELD_MM, voxel_mm, strict=True))
    return replace(protocol, field_of_view_mm=voxel_mm[0] * max(x, y), slab_mm=voxel_mm[2] * z), (x, y, z)


def _cut(case: DynamicCase) -> LabelledLesion:
    whole = np.rint(case.series.signal)  # as scanners keep it
    series = DynamicSeries(whole, case.series.times_s, case.series.geometry, "simulated", name=case.series.name)
    roi = Roi(case.lesions.values == 1, series.geometry)
    crop = lesion_crop(series, roi, case.n_baseline)
    return LabelledLesion(series.name, series.name, crop, CLASSES.index(case.label), case.clinical, case.entity)


def lesion_of_row(row: StudyCase) -> LabelledLesion:
    """Read or simulate a case of a table and cut its lesion out.

    Raises
    ------
    InputRefusedError
        ``table-invalid`` if the row has no mask of the lesion.
    """
    opened = open_case(row)
    roi = opened.roi if opened.roi is not None else opened.truth
    if roi is None:
        raise InputRefusedError(
            "table-invalid",
            found=f"The case '{row.name}' has no mask.",
            expected="The column roi or truth, with a mask on the grid of the series.",
            cause="The classifier is trained on regions; a click or an outline alone is none.",
            cure="Run spinekit cohort on the table first, and give its roi.nii.gz files.",
        )
    crop = lesion_crop(opened.series, roi, opened.n_baseline)
    return LabelledLesion(row.name, row.patient, crop, row.label, row.clinical)


def kept_lesion(folder: str | os.PathLike[str], key: str, make: Callable[[], LabelledLesion]) -> LabelledLesion:
    """Return a lesion from a folder of crops, made and kept there if it is not in it.

    Channels are kept as float16, and used as they are kept, so that a second training sees the same numbers.
    """
    file = Path(folder) / f"{key}.npz"
    if not file.is_file():
        made = make()
        crop = made.crop
        facts = {
            "name": made.name, "patient": made.patient, "label": made.label, "clinical": dict(made.clinical),
            "entity": made.entity, "names": crop.names, "geometry": crop.geometry.as_dict(), "present": crop.present,
            "covered": crop.covered, "region_ml": crop.region_ml, "region_inside": crop.region_inside,
        }  # fmt: skip
        with write_beside(file) as temporary, open(temporary, "wb") as stream_out:
            np.savez(stream_out, channels=crop.channels.astype(np.float16), facts=np.array(json.dumps(facts)))
    with np.load(file, allow_pickle=False) as kept:
        facts, channels = json.loads(str(kept["facts"])), kept["channels"].astype(np.float32)
    crop = LesionCrop(
        channels, tuple(facts["names"]), Geometry.from_dict(facts["geometry"]), facts["present"], facts["covered"],
        facts["region_ml"], facts["region_inside"],
    )  # fmt: skip
    return LabelledLesion(facts["name"], facts["patient"], crop, facts["label"], facts["clinical"], facts["entity"])


def lesions(
    folder: str | os.PathLike[str],
    makers: Mapping[str, Callable[[], LabelledLesion]],
    *,
    on_case: Callable[[int, int, str], None] | None = None,
) -> Iterator[LabelledLesion]:
    """Yield the lesions of several makers by key, each kept in `folder`."""
    for number, (key, make) in enumerate(makers.items(), start=1):
        lesion = kept_lesion(folder, key, make)
        if on_case is not None:
            on_case(number, len(makers), lesion.name)
        yield lesion
