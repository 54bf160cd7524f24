"""The diseases that are simulated, with the distributions their lesions are drawn from.

Published kinetics are those of Lang 2017 (doi 10.1016/j.acra.2016.12.014), fast blood curve. Where
no distribution was found, ``published`` is False and the numbers are our assumption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["DIAGNOSES", "ENTITIES", "Entity", "draw_rates", "entity_named"]

DIAGNOSES: tuple[str, ...] = ("metastasis", "primary")
LANG_2017 = "Lang 2017, doi 10.1016/j.acra.2016.12.014"


@dataclass(frozen=True)
class Entity:
    """One disease.

    Attributes
    ----------
    label : str
        One of `DIAGNOSES`.
    share : float
        Frequency within its label.
    ktrans_per_min, kep_per_min : tuple of float
        Mean and SD over patients of the mean over the lesion, 1/min.
    published : bool
        Whether that distribution is published; if not it is ours.
    t1_s : tuple of float
        At 1.5 T and 3 T. ``t2_s``, ``density`` as for tissues; ours.
    radius_mm : tuple of float
        Smallest and largest mean radius.
    soft_tissue : float
        Probability of a mass beyond the bone.
    heterogeneity : float
        SD of the logarithm of Ktrans within a lesion.
    texture : str
        ``"plain"``, ``"necrosis"``, ``"septa"`` or ``"rings"``.
    """

    name: str
    label: str
    share: float
    ktrans_per_min: tuple[float, float]
    kep_per_min: tuple[float, float]
    published: bool
    t1_s: tuple[float, float]
    t2_s: float
    density: float
    radius_mm: tuple[float, float]
    soft_tissue: float
    heterogeneity: float
    texture: str
    source: str = "assumption of spinekit"


ENTITIES: tuple[Entity, ...] = (
    Entity("lytic_metastasis", "metastasis", 0.68, (0.077, 0.028), (0.49, 0.23), True, (1.15, 1.35), 0.095, 0.85,
           (9.0, 17.0), 0.35, 0.35, "plain", LANG_2017),
    Entity("blastic_metastasis", "metastasis", 0.32, (0.077, 0.028), (0.49, 0.23), True, (0.95, 1.10), 0.052, 0.50,
           (8.0, 15.0), 0.15, 0.40, "plain", LANG_2017),
    Entity("myeloma", "primary", 0.56, (0.114, 0.036), (0.88, 0.26), True, (1.15, 1.35), 0.085, 0.88,
           (11.0, 20.0), 0.40, 0.25, "plain", LANG_2017),
    Entity("lymphoma", "primary", 0.08, (0.068, 0.016), (0.34, 0.06), True, (1.10, 1.30), 0.075, 0.85,
           (12.0, 21.0), 0.65, 0.15, "plain", LANG_2017),
    Entity("chordoma", "primary", 0.10, (0.095, 0.025), (0.22, 0.07), False, (1.45, 1.70), 0.200, 0.95,
           (13.0, 22.0), 0.75, 0.45, "septa"),
    Entity("chondrosarcoma", "primary", 0.08, (0.090, 0.025), (0.22, 0.08), False, (1.40, 1.65), 0.180, 0.92,
           (13.0, 22.0), 0.75, 0.45, "rings"),
    Entity("osteosarcoma", "primary", 0.09, (0.125, 0.035), (0.85, 0.25), False, (1.10, 1.30), 0.080, 0.70,
           (12.0, 22.0), 0.75, 0.50, "necrosis"),
    Entity("ewing_sarcoma", "primary", 0.09, (0.120, 0.030), (0.80, 0.22), False, (1.15, 1.35), 0.095, 0.88,
           (12.0, 22.0), 0.80, 0.40, "necrosis"),
)  # fmt: skip

RATE_CORRELATION = 0.5  # of log Ktrans and log kep over patients; ours, the paper gives none


def entity_named(name: str) -> Entity:
    """Return the entity of a name such as ``"myeloma"``; KeyError names the known ones."""
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise KeyError(f"There is no entity '{name}'; there are {', '.join(e.name for e in ENTITIES)}.")


def _lognormal(mean: float, sd: float, normal: float) -> float:
    """Return the log-normal value of the given mean and SD at a standard normal deviate."""
    spread = np.log1p((sd / mean) ** 2)
    return float(np.exp(np.log(mean) - 0.5 * spread + np.sqrt(spread) * normal))


def draw_rates(rng: np.random.Generator, entity: Entity) -> tuple[float, float]:
    """Draw Ktrans and kep (1/min) of one patient, log-normal with the entity's means and SDs.

    Rates are positive, so a log-normal distribution carries the published mean and SD without the
    truncation that a normal one would need.
    """
    first, second = rng.normal(size=2)
    second = RATE_CORRELATION * first + np.sqrt(1.0 - RATE_CORRELATION**2) * second
    return _lognormal(*entity.ktrans_per_min, float(first)), _lognormal(*entity.kep_per_min, float(second))
