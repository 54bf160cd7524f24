"""One lesion put to the classifier: a probability with its limits, or the reason why there is none. No diagnosis."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Diagnosis
from spinekit.diagnosis.combined import clinical_numbers, radiomic_numbers
from spinekit.diagnosis.diagnose_model import CLASSES, DiagnosisModel, open_model
from spinekit.errors import coded_warning
from spinekit.models.crop import LesionCrop, lesion_crop
from spinekit.models.inception_resnet_use import Views, ask

if TYPE_CHECKING:
    from spinekit.case import DynamicSeries, Roi
    from spinekit.diagnosis.conformal import Conformal
    from spinekit.diagnosis.unlike import Likeness

__all__ = ["COVERAGE", "NOTICE", "diagnose", "judge_crop", "numbers_of"]

COVERAGE = 0.9
NOTICE = "not a diagnosis; simulated training data"
LEAST_COVERED = 0.6  # share of the box inside the series; below it the surroundings are mostly unknown


def diagnose(
    series: DynamicSeries,
    roi: Roi,
    n_baseline: int = 1,
    *,
    model: str | os.PathLike[str] | DiagnosisModel | None = None,
    override: bool = False,
    clinical: Mapping[str, Any] | None = None,
    coverage: float = COVERAGE,
) -> Diagnosis:
    """Put one lesion to the classifier.

    Parameters
    ----------
    series : DynamicSeries
        3 phases or more.
    roi : Roi
        The lesion, on the grid of the series.
    n_baseline : int
        Leading phases before contrast.
    model : path or DiagnosisModel, optional
        Weights written by ``spinekit train diagnosis``; the demonstration weights if not given.
    override : bool
        Put a case to the model although it is unlike the training cases. It is then said in the warnings.
    clinical : mapping, optional
        Facts out of `spinekit.diagnosis.combined.CLINICAL`; with them the combined model answers.
    coverage : float
        Of the set of classes that cannot be ruled out.

    Returns
    -------
    Diagnosis
        Abstains (``label`` None, with a ``reason``) if both classes or none remain, and if the case is unlike the
        training cases and `override` is not set; the probabilities are then NaN.

    Raises
    ------
    InputRefusedError
        What `lesion_crop` and `open_model` refuse; ``value-out-of-range`` for a coverage that is no share.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(7, size=(64, 64, 8), n_phases=3)
    >>> result = diagnose(case.series, case.lesion, case.n_baseline)
    >>> result.label is None, "ten times after bolus arrival" in result.reason
    (True, True)
    """
    opened = model if isinstance(model, DiagnosisModel) else open_model(model)
    crop = lesion_crop(series, roi, n_baseline)
    return judge_crop(opened, crop, override=override, clinical=clinical, coverage=coverage)


def judge_crop(
    model: DiagnosisModel,
    crop: LesionCrop,
    *,
    override: bool = False,
    clinical: Mapping[str, Any] | None = None,
    coverage: float = COVERAGE,
) -> Diagnosis:
    """Do the same for a lesion that has been cut out; the options are those of `diagnose`."""
    likeness = model.judgement.familiar.compare(crop)
    warnings = _warnings(crop, likeness, _learned_from(model), override=override)
    record = {
        "notice": NOTICE,
        "distance": likeness.distance,
        "distance_limit": likeness.limit,
        "share_as_far": likeness.share,
        "override": override,
        "region_ml": crop.region_ml,
        "phases_present": crop.present,
        "box_covered": crop.covered,
        "reference": _reference(model.judgement.conformal),
    }
    if likeness.unlike and not override:
        return Diagnosis(
            dict.fromkeys(CLASSES, math.nan), None, f"The case is unlike the training cases: {likeness.reasons[0]}.",
            (), coverage, (math.nan, math.nan),
            unlike=likeness.reasons, model_card=model.card, warnings=warnings, record=record,
        )  # fmt: skip
    return _judged(model, crop, likeness, clinical, coverage, warnings, record)


def _judged(
    model: DiagnosisModel,
    crop: LesionCrop,
    likeness: Likeness,
    clinical: Mapping[str, Any] | None,
    coverage: float,
    warnings: tuple[str, ...],
    record: dict[str, Any],
) -> Diagnosis:
    views, judge = ask(model.classifier, crop), model.judgement
    alone = judge.scaling.probability(views.logit)
    probability, spread, conformal = float(alone), judge.scaling.probability(views.logits), judge.conformal
    if clinical is not None:
        numbers = numbers_of(crop, views, clinical)
        probability = float(judge.linear_scaling.probability(judge.linear.logit(numbers)))
        each = [judge.linear.logit(numbers | _network_numbers(v, e)) for v, e in views.each()]
        spread, conformal = judge.linear_scaling.probability(each), judge.linear_conformal
        unknown = [n.removeprefix("clinical:") for n in numbers if n.startswith("clinical:") and math.isnan(numbers[n])]
        if unknown:
            text = f"Not known: {', '.join(unknown)}. The mean of the training cases stands in for it."
            warnings = (*warnings, coded_warning("clinical-missing", text))
    both = (1.0 - probability, probability)
    remaining = conformal.prediction_set(both, coverage=coverage)
    reason = ""
    if len(remaining) != 1:
        what = "no class can be ruled out" if remaining else "the case is like neither class of the calibration cases"
        reason = f"At a coverage of {100 * coverage:.0f} % {what} (probability of {CLASSES[1]} {probability:.2f})."
    limits = (float(np.min(spread)), float(np.max(spread)))
    facts = {
        "reference": _reference(conformal),
        "logit": views.logit,
        "logits_of_views": views.logits.tolist(),
        "network_probability": float(alone),
        "clinical": {name: str(value) for name, value in (clinical or {}).items()},
    }
    return Diagnosis(
        dict(zip(CLASSES, both, strict=True)), remaining[0] if len(remaining) == 1 else None, reason,
        remaining, coverage, (min(limits[0], probability), max(limits[1], probability)),
        unlike=likeness.reasons, embedding=_named(views.embedding),
        given_by="network" if clinical is None else "combined",
        model_card=model.card, warnings=warnings, record=record | facts,
    )  # fmt: skip


def _reference(conformal: Conformal) -> dict[str, list[float]]:
    """Return the probabilities of the last class that calibration cases were given, class by class."""
    first, last = ([round(score, 4) for score in scores] for scores in conformal.scores)
    return {conformal.classes[0]: first, conformal.classes[1]: [round(1.0 - score, 4) for score in last]}


def numbers_of(crop: LesionCrop, views: Views, clinical: Mapping[str, Any] | None) -> dict[str, float]:
    """Return all numbers of the combined model by name: radiomics, clinical facts, embedding and logit."""
    return radiomic_numbers(crop) | clinical_numbers(clinical) | _network_numbers(views.logit, views.embedding)


def _network_numbers(logit: float, embedding: Any) -> dict[str, float]:
    return {"network:logit": float(logit)} | _named(embedding)


def _named(embedding: Any) -> dict[str, float]:
    return {f"embedding:{n:02d}": float(value) for n, value in enumerate(embedding)}


def _learned_from(model: DiagnosisModel) -> str:
    told = model.card.get("training", {}).get("data", "")
    return str(told) if told else "cases that its card does not name"


def _warnings(crop: LesionCrop, likeness: Likeness, learned_from: str, *, override: bool) -> tuple[str, ...]:
    found = [coded_warning("not-a-diagnosis", f"The model learned from {learned_from}; its output is no diagnosis.")]
    for reason in likeness.reasons:
        done = "It was put to the model all the same (override)." if override else "It was not put to the model."
        found.append(coded_warning("unlike-training", f"{reason[0].upper()}{reason[1:]}. {done}"))
    if crop.covered < LEAST_COVERED:
        text = f"The series covers {100 * crop.covered:.0f} % of the box that the model looks at."
        found.append(coded_warning("box-not-covered", text))
    if crop.region_inside < 0.9:
        text = f"{100 * (1 - crop.region_inside):.0f} % of the region lies outside the box that the model looks at."
        found.append(coded_warning("region-beyond-box", text))
    return tuple(found)
