"""Lesions: where they grow, what shape they take, and how contrast exchange varies inside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.entities import Entity, draw_rates
from spinekit.phantom.randomness import SmoothField, stream
from spinekit.phantom.sampling import Frame, Samples, rotated
from spinekit.phantom.spine import Vertebra
from spinekit.phantom.tissue import TISSUES, tissue_index

__all__ = ["FIRST_LESION_LABEL", "Lesion", "Rates", "draw_lesion"]

FIRST_LESION_LABEL = len(TISSUES)
_BONE = tuple(tissue_index(n) for n in ("red_marrow", "yellow_marrow", "basivertebral_vein"))
_OUTSIDE = tuple(tissue_index(n) for n in ("fat", "muscle", "fibrous", "nerve", "viscera"))


@dataclass(frozen=True)
class Rates:
    """Exchange of contrast agent at n points: Ktrans and kep (1/min), vp, and T1 over the entity's."""

    ktrans: Any
    kep: Any
    vp: Any
    t1_factor: Any


@dataclass(frozen=True)
class Lesion:
    """One lesion of a patient.

    ``frame`` has its origin at the centre; ``radii_mm`` are along its axes. ``roughness`` is the
    relative depth of the bumps of its surface. ``beyond_bone`` says that it has broken through the
    cortex; a lesion that has not stays inside the marrow.
    """

    entity: Entity
    host: str
    frame: Frame
    radii_mm: tuple[float, float, float]
    roughness: float
    bumps: SmoothField
    beyond_bone: bool
    ktrans_per_min: float
    kep_per_min: float
    vp: float
    mixture: SmoothField
    exchange: SmoothField

    def paint(self, labels: Any, samples: Samples, label: int) -> None:
        """Write `label` over the sample points that the lesion occupies, in place."""
        reach = np.asarray(self.radii_mm) * (1.0 + 2.5 * self.roughness)
        box = samples.box(self.frame, -reach, reach)
        if box is None:
            return
        point = samples.local(self.frame, box)
        radius = np.sqrt(sum((v / np.float32(r)) ** 2 for v, r in zip(point, self.radii_mm, strict=True)))
        inside = radius < 1.0 + self.roughness * self.bumps(*point)
        cortex = (tissue_index("cortex"),)
        allowed = _BONE + (cortex + _OUTSIDE if self.beyond_bone else ())
        part = labels[box]
        np.copyto(part, np.uint8(label), where=inside & np.isin(part, allowed))

    def rates(self, x: Any, y: Any, z: Any, *, core: Any) -> Rates:
        """Return the exchange at positions in mm; its mean over `core` (a mask of them) is the lesion's."""
        sd = self.entity.heterogeneity
        exchange, mixture = self.exchange(x, y, z), self.mixture(x, y, z)
        weight = core if core.any() else np.ones_like(core)
        ktrans, kep = np.exp(sd * exchange), np.exp(0.5 * sd * (0.6 * exchange + 0.8 * mixture))
        return Rates(
            ktrans=self.ktrans_per_min * ktrans / ktrans[weight].mean(),
            kep=self.kep_per_min * kep / kep[weight].mean(),
            vp=self.vp * ktrans / ktrans[weight].mean(),
            t1_factor=np.exp(0.06 * mixture).astype(np.float64),
        )

    def t2_factor(self, x: Any, y: Any, z: Any) -> Any:
        """Return by how much T2 differs from the entity's at positions in mm."""
        return np.exp(0.18 * self.mixture(x, y, z))


def draw_lesion(seed: int, entity: Entity, bone: Vertebra, *, number: int) -> Lesion:
    """Draw lesion `number` of a patient in the body of a vertebra."""
    rng = stream(seed, "lesion", str(number))
    radius = rng.uniform(*entity.radius_mm)
    radii = radius * np.exp(rng.normal(0.0, 0.12, 3)) * np.array([1.1, 1.0, 0.9])
    beyond = bool(rng.random() < entity.soft_tissue)
    reach = np.array([bone.half_width, bone.half_depth, bone.half_height])
    shift = rng.uniform(-0.45, 0.45, 3) * reach
    if beyond:  # a mass that has left the bone sits towards a wall
        shift[:2] *= 1.6
    axes = rotated(pitch_deg=rng.uniform(-25, 25), yaw_deg=rng.uniform(-25, 25), roll_deg=rng.uniform(-40, 40))
    ktrans, kep = draw_rates(rng, entity)
    return Lesion(
        entity=entity,
        host=bone.name,
        frame=Frame(bone.frame.to_patient(*shift), axes @ bone.frame.axes),
        radii_mm=tuple(float(r) for r in radii),  # type: ignore[arg-type]
        roughness=float(rng.uniform(0.05, 0.14)),
        bumps=SmoothField.draw(rng, length_mm=0.45 * radius),
        beyond_bone=beyond,
        ktrans_per_min=ktrans,
        kep_per_min=kep,
        vp=float(np.clip(rng.lognormal(np.log(0.03), 0.3), 0.01, 0.08)),
        mixture=SmoothField.draw(rng, length_mm=0.5 * radius),
        exchange=SmoothField.draw(rng, length_mm=0.35 * radius),
    )
