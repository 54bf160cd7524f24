"""Who is simulated: age and sex, disease, lesions and where they sit. No scanner yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.anatomy import Anatomy
from spinekit.phantom.entities import DIAGNOSES, ENTITIES, Entity, draw_rates
from spinekit.phantom.lesions import Lesion, draw_lesion
from spinekit.phantom.randomness import stream, truncated_normal
from spinekit.phantom.spine import LEVELS

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
    def draw(cls, seed: int, *, diagnosis: str | None = None, entity: Entity | None = None) -> Patient:
        """Draw a patient from a seed; `diagnosis` fixes the group, `entity` the disease."""
        rng = stream(seed, "patient")
        label = DIAGNOSES[int(rng.random() < 0.5)] if diagnosis is None else diagnosis
        choices = [e for e in ENTITIES if e.label == label]
        drawn = choices[int(rng.choice(len(choices), p=[e.share for e in choices]))]
        disease = drawn if entity is None else entity
        age = truncated_normal(rng, *disease.age, low=14.0, high=90.0)
        target = str(rng.choice(_TARGETS))
        anatomy = Anatomy.draw(seed, target=target, age=age)
        lesions = _lesions(seed, disease, anatomy, target)
        clinical = _clinical(stream(seed, "clinical"), disease, age, len(lesions))
        return cls(seed, disease.label, disease, anatomy, lesions, clinical)


def _lesions(seed: int, entity: Entity, anatomy: Anatomy, target: str) -> tuple[Lesion, ...]:
    rng = stream(seed, "lesions")
    rates = draw_rates(rng, entity)
    vp = float(np.clip(rng.lognormal(np.log(0.012), 0.4), 0.003, 0.05))
    extra = min(int(rng.poisson(entity.several)), 7)
    others = [name for name in LEVELS if name not in (target, "S3", "S4")]
    near = np.array([1.0 / (1.0 + abs(LEVELS.index(n) - LEVELS.index(target))) for n in others])
    hosts = [target, *rng.choice(others, size=extra, replace=False, p=near / near.sum())]
    return tuple(
        draw_lesion(seed, entity, anatomy.spine.level(str(name)), number=n, rates=rates, vp=vp)
        for n, name in enumerate(hosts, start=1)
    )


def _clinical(rng: np.random.Generator, entity: Entity, age: float, n_lesions: int) -> dict[str, Any]:
    """Return what a request form and a laboratory tell; associations are plausible, imperfect and ours."""
    metastatic = entity.label == "metastasis"
    # alkaline phosphatase, U/L: about 75 in the healthy, higher in growing adolescents and with bone formation
    centre = 75.0 * (1.5 if age < 20 else 1.0) * (1.0 + 0.06 * n_lesions)
    centre *= {"blastic_metastasis": 1.9, "lytic_metastasis": 1.35, "osteosarcoma": 1.8}.get(entity.name, 1.0)
    history = rng.random() < (0.72 if metastatic else 0.09)
    female = {"myeloma": 0.42, "lytic_metastasis": 0.55, "blastic_metastasis": 0.30}.get(entity.name, 0.42)
    return {
        "age_years": round(age),
        "sex": "F" if rng.random() < female else "M",
        "alkaline_phosphatase_u_per_l": round(float(centre * rng.lognormal(0.0, 0.38))),
        "history_of_cancer": bool(history),
    }
