"""Who is simulated: age and sex, disease, lesions and where they sit. No scanner yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spinekit.phantom.anatomy import Anatomy
from spinekit.phantom.entities import DIAGNOSES, ENTITIES, Entity
from spinekit.phantom.lesions import Lesion, draw_lesion
from spinekit.phantom.randomness import stream, truncated_normal

__all__ = ["Patient"]

_TARGETS = ("T12", "L1", "L2", "L3", "L4")


@dataclass(frozen=True)
class Patient:
    """One simulated patient: anatomy, lesions (the first is the index lesion) and clinical columns."""

    seed: int
    label: str
    entity: Entity
    anatomy: Anatomy
    lesions: tuple[Lesion, ...]
    clinical: dict[str, Any]

    @classmethod
    def draw(cls, seed: int, *, diagnosis: str | None = None) -> Patient:
        """Draw a patient from a seed; `diagnosis` fixes the group."""
        rng = stream(seed, "patient")
        drawn = DIAGNOSES[int(rng.random() < 0.5)]
        label = drawn if diagnosis is None else diagnosis
        choices = [e for e in ENTITIES if e.label == label]
        entity = choices[int(rng.choice(len(choices), p=[e.share for e in choices]))]
        age = truncated_normal(rng, 60.0, 11.0, low=18.0, high=88.0)
        sex = "F" if rng.random() < 0.48 else "M"
        target = str(rng.choice(_TARGETS))
        anatomy = Anatomy.draw(seed, target=target, age=age)
        lesion = draw_lesion(seed, entity, anatomy.spine.level(target), number=1)
        clinical = {"age_years": round(age), "sex": sex}
        return cls(seed, label, entity, anatomy, (lesion,), clinical)
