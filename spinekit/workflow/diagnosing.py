"""Put the lesion of a case to the classifier, ask where the evidence lies, and keep what was said."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinekit.case import Diagnosis
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_json
from spinekit.workflow.loading import missing_step, open_series, open_settings
from spinekit.workflow.marking import open_roi

if TYPE_CHECKING:
    from spinekit.models.crop import LesionCrop
    from spinekit.models.explain_tests import Explanation

__all__ = ["DiagnosedCase", "clinical_facts", "diagnose_case", "open_diagnosis"]

PathLike = str | os.PathLike[str]
CANNOT_BE_SEEN = (  # by the network
    "too-few-phases",
    "protocol-insufficient",
    "value-out-of-range",
    "slab-too-thin",
)


@dataclass(frozen=True)
class DiagnosedCase:
    """What notebook 07 shows; crop and explanations are absent where the case was not put to the model."""

    diagnosis: Diagnosis
    crop: LesionCrop | None
    explanations: tuple[Explanation, ...]

    @property
    def tested(self) -> list[dict[str, Any]]:
        """The tests of each explanation, as they are written."""
        return [
            {
                "method": e.method, "faithful": e.faithful, "stamp": e.stamp, "reasons": list(e.reasons),
                "fall": e.fall, "fall_random": e.fall_random,
                "alike_random_weights": e.alike_random_weights if math.isfinite(e.alike_random_weights) else None,
            }
            for e in self.explanations
        ]  # fmt: skip


def clinical_facts(text: str) -> dict[str, str] | None:
    """Return clinical facts written as ``"age_years=61,sex=F"``; None if the text is empty.

    Examples
    --------
    >>> clinical_facts("age_years=61, sex=F"), clinical_facts("")
    ({'age_years': '61', 'sex': 'F'}, None)
    """
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not sign or not name.strip() for name, sign, _ in parts):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The clinical facts are '{text}'.",
            expected="Names and values such as age_years=61,sex=F.",
            cause="An equals sign may be missing.",
            cure="Correct the text, or leave it empty.",
        )
    return {name.strip(): value.strip() for name, _, value in parts} or None


def diagnose_case(case_dir: PathLike, *, clinical: Mapping[str, Any] | None = None) -> DiagnosedCase:
    """Put the lesion of a case to the classifier with the settings of the case, and write ``diagnosis.json``.

    Parameters
    ----------
    clinical : mapping, optional
        Facts; with them the combined model answers.

    Returns
    -------
    DiagnosedCase
        A case that the network cannot see, or that is unlike its training cases, has no probability but a reason.
    """
    from spinekit.diagnosis.diagnose import judge_crop
    from spinekit.diagnosis.diagnose_model import open_model
    from spinekit.models.crop import lesion_crop

    study, roi = open_settings(case_dir), open_roi(case_dir)
    chosen = study.diagnosis
    model = open_model(chosen.model or None)
    try:
        crop = lesion_crop(open_series(case_dir), roi, study.kinetics.n_baseline)
    except InputRefusedError as refused:
        if refused.code not in CANNOT_BE_SEEN:
            raise
        done = DiagnosedCase(_unseen(refused, chosen.coverage, model.card), None, ())
    else:
        told = judge_crop(model, crop, override=chosen.override, clinical=clinical, coverage=chosen.coverage)
        done = DiagnosedCase(told, crop, _explained(model, crop, told))
    _write(case_dir, done, clinical)
    return done


def _unseen(refused: InputRefusedError, coverage: float, card: Mapping[str, Any]) -> Diagnosis:
    from spinekit.diagnosis.diagnose_model import CLASSES

    return Diagnosis(
        dict.fromkeys(CLASSES, math.nan), None, f"The network cannot see this case. {refused.message}",
        (), coverage, (math.nan, math.nan),
        model_card=card, warnings=(coded_warning(refused.code, refused.message),),
    )  # fmt: skip


def _explained(model: Any, crop: LesionCrop, told: Diagnosis) -> tuple[Explanation, ...]:
    from spinekit.models.explain_tests import explain

    values = list(told.probabilities.values())
    if not all(math.isfinite(p) for p in values):
        return ()
    return explain(model.classifier, crop, target=int(values[1] > values[0]))


def _write(case_dir: PathLike, done: DiagnosedCase, clinical: Mapping[str, Any] | None) -> None:
    told = done.diagnosis
    record = {
        "notice": "not a diagnosis; simulated training data",
        "label": told.label,
        "reason": told.reason,
        "label_set": told.label_set,
        "coverage": told.coverage,
        "probabilities": told.probabilities,
        "interval": told.interval,
        "given_by": told.given_by,
        "clinical": clinical,
        "unlike": told.unlike,
        "explanations": done.tested,
        "embedding": told.embedding,
        "warnings": told.warnings,
        "model_card": told.model_card,
        "record": told.record,
    }
    write_json(CaseFolder.at(case_dir).diagnosis, record)


def open_diagnosis(case_dir: PathLike) -> Diagnosis:
    """Return what the classifier said of a case.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if notebook 07 has not been run.
    """
    folder = CaseFolder.at(case_dir)
    if not folder.diagnosis.is_file():
        raise missing_step("statement of the classifier", "diagnosis.json", "07")
    kept = json.loads(folder.diagnosis.read_text(encoding="utf-8"))
    low, high = (_number(v) for v in kept["interval"])
    return Diagnosis(
        {name: _number(p) for name, p in kept["probabilities"].items()}, kept["label"], kept["reason"],
        tuple(kept["label_set"]), kept["coverage"], (low, high),
        unlike=tuple(kept["unlike"]), embedding=kept["embedding"], given_by=kept["given_by"],
        model_card=kept["model_card"], warnings=tuple(kept["warnings"]), record=kept["record"],
    )  # fmt: skip


def _number(value: float | None) -> float:
    """Return a number of a JSON file, where null stands for what is not known."""
    return math.nan if value is None else float(value)
