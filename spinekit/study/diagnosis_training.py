"""Train the classifier of lesions, calibrate it on patients it has not seen, and measure it on others again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.diagnosis.combined import fit_linear
from spinekit.diagnosis.conformal import fit_conformal
from spinekit.diagnosis.diagnose import NOTICE, numbers_of
from spinekit.diagnosis.diagnose_model import CLASSES, Judgement, open_model, write_judgement
from spinekit.diagnosis.diagnose_scaling import fit_scaling
from spinekit.diagnosis.unlike import fit_familiar
from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import read_card, save_network
from spinekit.models.inception_resnet_use import KIND, Classifier, ask, open_classifier
from spinekit.models.threads import fixed_threads
from spinekit.provenance import hash_json, write_json
from spinekit.study.case_work import case_key
from spinekit.study.diagnosis_lesions import LabelledLesion, drawn_lesion, hospital_lesion, lesion_of_row, lesions
from spinekit.study.diagnosis_measures import measures
from spinekit.study.table import read_study_table

__all__ = [
    "DiagnosisPlan",
    "Divided",
    "divided",
    "drawn_makers",
    "lesions_of_table",
    "seeds_of",
    "simulated_patients",
    "train_diagnosis",
]

MEASURES = "measures.json"
TRAIN_SEED, CALIBRATION_SEED = 200_000, 210_000  # of the first patient; ours, used nowhere else
TEST_SEED = 220_000  # the same patients in both hospitals, so that the difference is the scanners' alone
CALIBRATED, MEASURED = 1.5, 0.6  # patients to calibrate and to measure with, for each to train with


@dataclass(frozen=True)
class DiagnosisPlan:
    """How the classifier is trained: seed, batches, crops in each, and the network's width."""

    seed: int = 1
    steps: int = 160
    batch_size: int = 16
    width: int = 12
    judge_every: int = 20


@dataclass(frozen=True)
class Divided:
    """Lesions by what they are used for; no patient is in two of them."""

    training: tuple[LabelledLesion, ...]
    validation: tuple[LabelledLesion, ...]
    calibration: tuple[LabelledLesion, ...]


def divided(cases: Sequence[LabelledLesion], *, seed: int) -> Divided:
    """Divide lesions by patient, class by class: six tenths to train, one to choose the best step, three to calibrate.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` with fewer than ten patients of a class.
    """
    parts: tuple[list[LabelledLesion], ...] = ([], [], [])
    rng = np.random.default_rng(seed)
    for k, name in enumerate(CLASSES):
        patients = sorted({lesion.patient for lesion in cases if lesion.label == k})
        if len(patients) < 10:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"There are {len(patients)} patients with '{name}'.",
                expected="At least ten of each class; a few hundred for a network that is of use.",
                cause="The table may be a small form, or hold one class only.",
                cure="Add cases.",
            )
        order = [patients[i] for i in rng.permutation(len(patients))]
        first, second = max(1, round(0.6 * len(order))), max(2, round(0.7 * len(order)))
        place = {p: 0 if i < first else 1 if i < second else 2 for i, p in enumerate(order)}
        for lesion in cases:
            if lesion.label == k:
                parts[place[lesion.patient]].append(lesion)
    return Divided(*(tuple(part) for part in parts))


def seeds_of(n: int) -> dict[str, range]:
    """Return the seeds of the simulated patients by what they are for, for `n` to train with.

    Examples
    --------
    >>> seeds_of(400)["calibration"]
    range(210000, 210600)
    """
    return {
        "training": range(TRAIN_SEED, TRAIN_SEED + n),
        "calibration": range(CALIBRATION_SEED, CALIBRATION_SEED + round(CALIBRATED * n)),
        "measured": range(TEST_SEED, TEST_SEED + max(4, round(MEASURED * n))),
    }


def drawn_makers(n: int) -> dict[str, Callable[[], LabelledLesion]]:
    """Return, by the name of its crop, what simulates each patient of training and then of calibration."""
    seeds = seeds_of(n)
    makers: dict[str, Callable[[], LabelledLesion]] = {
        f"drawn-{seed}": partial(drawn_lesion, seed) for seed in seeds["training"]
    }
    return makers | {f"moving-{seed}": partial(drawn_lesion, seed, moves=True) for seed in seeds["calibration"]}


def simulated_patients(
    n: int, folder: str | os.PathLike[str], *, on_case: Callable[[int, int, str], None] | None = None
) -> tuple[Divided, dict[str, tuple[LabelledLesion, ...]]]:
    """Simulate the patients of the demonstration: drawn scanners to train and calibrate, hospitals A and B to measure.

    Parameters
    ----------
    n : int
        Patients to train with, one in eight of them to choose the best step; half as many again, who all move as the
        hospitals' patients do, to calibrate; and six tenths as many to measure, each of them imaged in both hospitals.
    folder : path
        Where crops are kept.
    on_case : callable, optional
        Called with (number, total, name) after each patient.
    """
    drawn = drawn_makers(n)
    hospitals = [(name, seed) for seed in seeds_of(n)["measured"] for name in ("A", "B")]
    makers = drawn | {f"{name}-{seed}": partial(hospital_lesion, seed, name) for name, seed in hospitals}
    made = dict(zip(makers, lesions(folder, makers, on_case=on_case), strict=True))
    taught = [made[key] for key in drawn]
    sets = Divided(tuple(c for i, c in enumerate(taught[:n]) if i % 8), tuple(taught[:n:8]), tuple(taught[n:]))
    tests = {
        f"hospital {name}": tuple(made[f"{name}-{seed}"] for where, seed in hospitals if where == name)
        for name in ("A", "B")
    }
    return sets, tests


def lesions_of_table(
    table: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    on_case: Callable[[int, int, str], None] | None = None,
) -> tuple[LabelledLesion, ...]:
    """Read the cases of a table, as `read_study_table` does, and cut their lesions out; crops are kept in `folder`."""
    rows = read_study_table(table)
    makers = {case_key(row): partial(lesion_of_row, row) for row in rows}
    return tuple(lesions(folder, makers, on_case=on_case))


def train_diagnosis(
    sets: Divided,
    out: str | os.PathLike[str],
    *,
    plan: DiagnosisPlan,
    tests: Mapping[str, Sequence[LabelledLesion]] | None = None,
    facts: Mapping[str, Any] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train, calibrate, measure and write weights, card, judgement and measures; the same inputs give the same bytes.

    Parameters
    ----------
    sets : Divided
        To train, to choose the best step, to calibrate.
    out : path
        Folder; a training that was interrupted in it goes on.
    plan : DiagnosisPlan
        Seed, steps, width.
    tests : mapping of str to sequence of LabelledLesion, optional
        Further patients by the name of their group, on which the finished model is measured.
    facts : mapping, optional
        What the card says about the data: where they come from, the command.
    on_step : callable, optional
        Called with (step, steps, loss).

    Returns
    -------
    Path
        Of the weights, ``inception_resnet.safetensors``.
    """
    from spinekit.models.inception_resnet import InceptionResNetConfig, build_inception_resnet
    from spinekit.models.inception_resnet_training import ClassifierTask
    from spinekit.models.training import Plan, train_network

    pairs = {name: [(c.crop, c.label) for c in getattr(sets, name)] for name in ("training", "validation")}
    config = InceptionResNetConfig(in_channels=len(sets.training[0].crop.names), width=plan.width)
    task = ClassifierTask(pairs["training"], pairs["validation"], batch_size=plan.batch_size)
    loop = Plan(steps=plan.steps, seed=plan.seed, judge_every=plan.judge_every, average=0.95)
    with fixed_threads(1):
        trained = train_network(
            lambda: build_inception_resnet(config), task, loop, out=Path(out) / "training", on_step=on_step
        )
    told: dict[str, Any] = {
        **(facts or {}), "notice": NOTICE, "seed": plan.seed, "steps": plan.steps, "best_step": trained.best_step,
        "cases": {name: _counts(getattr(sets, name)) for name in ("training", "validation", "calibration")},
        "task_sha256": hash_json(task.record),
    }  # fmt: skip
    weights = Path(out) / f"{KIND}.safetensors"
    save_network(weights, trained.tensors, kind=KIND, config=config.as_dict(), training=told, metrics={})
    judgement = _judgement(open_classifier(weights), sets, plan.seed)
    write_judgement(weights, judgement, weights_sha256=read_card(weights, kind=KIND)["sha256"])
    model = open_model(weights)
    found = {name: measures(model, group, seed=plan.seed) for name, group in (tests or {}).items()}
    best = max(trained.curve, key=lambda entry: entry["score"])
    metrics = {"validation": {"auc": best["auc"], "cross_entropy": -best["score"]}, **found}
    save_network(weights, trained.tensors, kind=KIND, config=config.as_dict(), training=told, metrics=metrics)
    write_json(Path(out) / MEASURES, metrics)
    return weights


def _counts(cases: Sequence[LabelledLesion]) -> dict[str, int]:
    return {name: sum(c.label == k for c in cases) for k, name in enumerate(CLASSES)}


def _judgement(classifier: Classifier, sets: Divided, seed: int) -> Judgement:
    """Calibrate on the calibration patients.

    Scaling does not change the order of cases, and conformal sets by class depend on the order alone, so both may be
    fitted on the same patients. The combined model is fitted on them too, and calibrated on the logits that each
    got from a model fitted on the others.
    """
    cases = sets.calibration
    labels = np.array([c.label for c in cases])
    views = [ask(classifier, c.crop) for c in cases]
    logits = np.array([v.logit for v in views])
    scaling = fit_scaling(labels, logits)
    rows = [numbers_of(c.crop, v, c.clinical) for c, v in zip(cases, views, strict=True)]
    linear, outside = fit_linear(rows, labels, seed=seed)
    linear_scaling = fit_scaling(labels, outside)
    return Judgement(
        scaling,
        fit_conformal(labels, scaling.probability(logits), classes=CLASSES),
        fit_familiar([c.crop for c in sets.training], [c.crop for c in cases]),
        linear,
        linear_scaling,
        fit_conformal(labels, linear_scaling.probability(outside), classes=CLASSES),
    )
