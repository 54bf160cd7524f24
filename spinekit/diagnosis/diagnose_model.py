"""What a diagnosis needs beside the weights: calibration, conformal scores, what training cases look like.

It lies in ``<name>.judgement.json`` beside the weights, names the weights it belongs to by their hash, and is sealed
by a hash of its own. Numbers only: nothing in it can run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit.diagnosis.combined import Linear
from spinekit.diagnosis.conformal import Conformal
from spinekit.diagnosis.diagnose_scaling import Scaling
from spinekit.diagnosis.unlike import Familiar
from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import shipped
from spinekit.models.inception_resnet_use import KIND, Classifier, open_classifier
from spinekit.provenance import hash_json, write_json

__all__ = ["CLASSES", "DiagnosisModel", "Judgement", "judgement_path", "open_model", "write_judgement"]

CLASSES = ("primary", "metastasis")  # class 0 and class 1: the question is metastasis


@dataclass(frozen=True)
class Judgement:
    """How a network's answer is turned into a statement.

    Attributes
    ----------
    scaling, conformal : Scaling, Conformal
        Of the network alone.
    familiar : Familiar
        What the training cases look like.
    linear, linear_scaling, linear_conformal
        The combined model (radiomics, clinical, embedding) and the same for it.
    """

    scaling: Scaling
    conformal: Conformal
    familiar: Familiar
    linear: Linear
    linear_scaling: Scaling
    linear_conformal: Conformal

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name).as_dict() for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Judgement:
        """Rebuild from `as_dict`."""
        return cls(
            Scaling.from_dict(record["scaling"]), Conformal.from_dict(record["conformal"]),
            Familiar.from_dict(record["familiar"]), Linear.from_dict(record["linear"]),
            Scaling.from_dict(record["linear_scaling"]), Conformal.from_dict(record["linear_conformal"]),
        )  # fmt: skip


@dataclass(frozen=True)
class DiagnosisModel:
    """A classifier and how its answers are judged."""

    classifier: Classifier
    judgement: Judgement

    @property
    def card(self) -> dict[str, Any]:
        """The model card, without the tensors' names."""
        return {key: value for key, value in self.classifier.card.items() if key != "tensors"}


def judgement_path(weights: str | os.PathLike[str]) -> Path:
    """Return where the judgement of some weights lies."""
    return Path(weights).with_suffix(".judgement.json")


def write_judgement(weights: str | os.PathLike[str], judgement: Judgement, *, weights_sha256: str) -> Path:
    """Write a judgement beside its weights, sealed by a hash."""
    record = {"weights_sha256": weights_sha256, "judgement": judgement.as_dict()}
    return write_json(judgement_path(weights), {**record, "sha256": hash_json(record)})


def open_model(model: str | os.PathLike[str] | None = None) -> DiagnosisModel:
    """Open weights, card and judgement; those that come with the package if None.

    Raises
    ------
    InputRefusedError
        ``model-unsafe`` if the judgement is absent or not JSON, ``model-changed`` if it was altered or belongs to
        other weights, and what opening the weights refuses.
    """
    classifier = open_classifier(model)
    file = judgement_path(shipped(KIND) if model is None else model)
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        record = {"weights_sha256": kept["weights_sha256"], "judgement": kept["judgement"]}
        judgement = Judgement.from_dict(record["judgement"])
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise InputRefusedError(
            "model-unsafe",
            found=f"The judgement beside the weights is absent or cannot be read ({type(reason).__name__}).",
            expected="The judgement that spinekit train diagnosis writes beside the weights.",
            cause="Only the weights may have been copied.",
            cure="Copy all three files of the training.",
        ) from reason
    if kept.get("sha256") != hash_json(record) or record["weights_sha256"] != classifier.card["sha256"]:
        raise InputRefusedError(
            "model-changed",
            found="The judgement does not carry the hash of its contents or of the weights beside it.",
            expected="Weights, card and judgement of one training.",
            cause="A file was altered or replaced after training.",
            cure="Copy all three files again.",
        )
    return DiagnosisModel(classifier, judgement)
