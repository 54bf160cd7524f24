"""The diseases that are simulated, with the distributions their lesions are drawn from.

Published kinetics are those of Lang 2017 (doi 10.1016/j.acra.2016.12.014), fast blood curve. Where
no distribution was found, ``published`` is False and the numbers are our assumption, as are all
sizes, shares, relaxation times and textures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gamma

import numpy as np

__all__ = ["DIAGNOSES", "ENTITIES", "LARGEST_VE", "Entity", "draw_rates", "entity_named"]

DIAGNOSES: tuple[str, ...] = ("metastasis", "primary")
LANG_2017 = "Lang 2017, doi 10.1016/j.acra.2016.12.014"
OURS = "assumption of spinekit"


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
        Mean and SD over patients of the mean over the index lesion, 1/min.
    published : bool
        Whether that distribution is published; if not it is ours.
    t1_s : tuple of float
        At 1.5 T and 3 T; ``t2_s`` and ``density`` as for tissues.
    radius_mm : tuple of float
        Smallest and largest mean radius of the index lesion.
    soft_tissue : float
        Probability that the lesion has broken through the cortex into a mass beyond the bone.
    posterior : float
        Probability that it sits in the arch instead of the body.
    several : float
        Mean number of further lesions, in other vertebrae.
    heterogeneity : float
        SD of the logarithm of Ktrans within a lesion.
    texture : str
        ``"plain"``, ``"necrosis"``, ``"septa"`` or ``"rings"``.
    matrix : float
        Share of the lesion that is mineralised and dark.
    age : tuple of float
        Mean and SD in years.
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
    posterior: float
    several: float
    heterogeneity: float
    texture: str
    matrix: float
    age: tuple[float, float]
    source: str = OURS


ENTITIES: tuple[Entity, ...] = (
    Entity(
        "lytic_metastasis", "metastasis", 0.68, (0.077, 0.028), (0.49, 0.23), True,
        t1_s=(1.25, 1.55), t2_s=0.095, density=0.85, radius_mm=(9.0, 17.0), soft_tissue=0.35, posterior=0.20,
        several=1.8, heterogeneity=0.35, texture="plain", matrix=0.0, age=(63.0, 11.0), source=LANG_2017,
    ),
    Entity(
        "blastic_metastasis", "metastasis", 0.32, (0.077, 0.028), (0.49, 0.23), True,
        t1_s=(1.00, 1.20), t2_s=0.055, density=0.60, radius_mm=(9.0, 15.0), soft_tissue=0.15, posterior=0.20,
        several=2.2, heterogeneity=0.40, texture="plain", matrix=0.35, age=(67.0, 9.0), source=LANG_2017,
    ),
    Entity(
        "myeloma", "primary", 0.68, (0.114, 0.036), (0.88, 0.26), True,
        t1_s=(1.25, 1.55), t2_s=0.085, density=0.88, radius_mm=(11.0, 20.0), soft_tissue=0.40, posterior=0.12,
        several=0.6, heterogeneity=0.25, texture="plain", matrix=0.0, age=(62.0, 10.0), source=LANG_2017,
    ),
    Entity(
        "lymphoma", "primary", 0.05, (0.068, 0.016), (0.34, 0.06), True,
        t1_s=(1.20, 1.50), t2_s=0.075, density=0.85, radius_mm=(12.0, 20.0), soft_tissue=0.65, posterior=0.15,
        several=0.4, heterogeneity=0.15, texture="plain", matrix=0.0, age=(54.0, 15.0), source=LANG_2017,
    ),
    Entity(
        "chordoma", "primary", 0.06, (0.125, 0.032), (0.25, 0.07), False,
        t1_s=(1.50, 1.85), t2_s=0.200, density=0.95, radius_mm=(13.0, 21.0), soft_tissue=0.75, posterior=0.02,
        several=0.0, heterogeneity=0.30, texture="septa", matrix=0.0, age=(57.0, 12.0),
    ),
    Entity(
        "chondrosarcoma", "primary", 0.05, (0.120, 0.032), (0.25, 0.08), False,
        t1_s=(1.45, 1.80), t2_s=0.180, density=0.92, radius_mm=(13.0, 21.0), soft_tissue=0.75, posterior=0.35,
        several=0.0, heterogeneity=0.25, texture="rings", matrix=0.12, age=(48.0, 14.0),
    ),
    Entity(
        "osteosarcoma", "primary", 0.08, (0.150, 0.040), (1.00, 0.28), False,
        t1_s=(1.20, 1.50), t2_s=0.080, density=0.75, radius_mm=(12.0, 21.0), soft_tissue=0.75, posterior=0.30,
        several=0.0, heterogeneity=0.40, texture="necrosis", matrix=0.25, age=(37.0, 15.0),
    ),
    Entity(
        "ewing_sarcoma", "primary", 0.08, (0.145, 0.035), (0.95, 0.25), False,
        t1_s=(1.25, 1.55), t2_s=0.095, density=0.88, radius_mm=(12.0, 21.0), soft_tissue=0.80, posterior=0.25,
        several=0.0, heterogeneity=0.35, texture="necrosis", matrix=0.0, age=(24.0, 9.0),
    ),
)  # fmt: skip

RATE_CORRELATION = 0.3  # of Ktrans and kep over patients, before they are made positive; ours, the paper gives none
LARGEST_VE = 0.95  # extravascular extracellular share of any voxel of a tumour
LARGEST_MEAN_VE = 0.75  # of a tumour; a draw beyond it is repeated


def entity_named(name: str) -> Entity:
    """Return the entity of a name; KeyError names the known ones.

    Examples
    --------
    >>> entity_named("myeloma").label
    'primary'
    """
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise KeyError(f"There is no entity '{name}'; there are {', '.join(e.name for e in ENTITIES)}.")


@lru_cache(maxsize=64)
def _weibull(mean: float, sd: float) -> tuple[float, float]:
    """Return the scale and shape of the Weibull distribution of a mean and SD."""
    from scipy.optimize import brentq

    def excess(shape: float) -> float:
        return gamma(1.0 + 2.0 / shape) / gamma(1.0 + 1.0 / shape) ** 2 - 1.0 - (sd / mean) ** 2

    shape = float(brentq(excess, 0.5, 50.0))
    return mean / gamma(1.0 + 1.0 / shape), shape


def draw_rates(rng: np.random.Generator, entity: Entity) -> tuple[float, float]:
    """Draw Ktrans and kep (1/min) of one patient, Weibull with the entity's means and SDs.

    Rates are positive and the published means and SDs leave little room for skew; a Weibull
    distribution carries both exactly, where a normal one would have to be cut at zero.
    """
    from scipy.special import log_ndtr

    while True:
        first, second = rng.normal(size=2)
        second = RATE_CORRELATION * first + np.sqrt(1.0 - RATE_CORRELATION**2) * second
        drawn = []
        for (mean, sd), normal in zip((entity.ktrans_per_min, entity.kep_per_min), (first, second), strict=True):
            scale, shape = _weibull(mean, sd)
            drawn.append(scale * float(-log_ndtr(-normal)) ** (1.0 / shape))
        if drawn[0] <= LARGEST_MEAN_VE * drawn[1]:
            return drawn[0], drawn[1]
