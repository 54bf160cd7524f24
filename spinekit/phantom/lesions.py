"""Lesions: where they grow and what shape they take. What is inside them is in `texture`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.entities import Entity
from spinekit.phantom.painting import fill
from spinekit.phantom.randomness import SmoothField, stream
from spinekit.phantom.sampling import Frame, Samples, rotated
from spinekit.phantom.spine import Vertebra
from spinekit.phantom.texture import Texture
from spinekit.phantom.tissue import TISSUES, tissue_index

__all__ = ["FIRST_LESION_LABEL", "Lesion", "draw_lesion"]

FIRST_LESION_LABEL = len(TISSUES)
_MARROW = tuple(tissue_index(n) for n in ("red_marrow", "yellow_marrow", "basivertebral_vein", "haemangioma", "oedema"))
_CORTEX = (tissue_index("cortex"),)
_BEYOND = tuple(tissue_index(n) for n in ("fat", "muscle", "fibrous", "interspinous", "nerve", "viscera"))


@dataclass(frozen=True)
class Lesion:
    """One lesion of a patient.

    ``frame`` has its origin at the centre, ``radii_mm`` are along its axes, ``roughness`` is the
    relative depth of the bumps of its surface. A lesion with ``beyond_bone`` has broken through the
    cortex of its ``host``; one without stays in the marrow. Neither crosses a disc.
    """

    entity: Entity
    host: Vertebra
    site: str
    frame: Frame
    radii_mm: tuple[float, float, float]
    roughness: float
    bumps: SmoothField
    beyond_bone: bool
    ktrans_per_min: float
    kep_per_min: float
    vp: float
    texture: Texture

    def paint(self, labels: Any, samples: Samples, label: int) -> None:
        """Write `label` over the sample points that the lesion occupies, in place."""
        reach = np.asarray(self.radii_mm) * (1.0 + 3.0 * self.roughness)
        box = samples.box(self.frame, -reach, reach)
        if box is None:
            return
        inside = self.radius(*samples.local(self.frame, box)) < 1.0
        above = np.abs(samples.local(self.host.frame, box)[2])
        own = inside & (above < self.host.half_height + (0.0 if self.site == "body" else 9.0))
        fill(labels[box], own, label, only=_MARROW + (_CORTEX if self.beyond_bone else ()))
        if self.beyond_bone:
            fill(labels[box], inside & (above < 1.6 * self.host.half_height), label, only=_BEYOND)

    def radius(self, left: Any, behind: Any, above: Any) -> Any:
        """Return the distance from the centre over that of the surface, for points in the lesion's frame."""
        point = (left, behind, above)
        smooth = np.sqrt(sum((v / np.float32(r)) ** 2 for v, r in zip(point, self.radii_mm, strict=True)))
        return smooth / np.maximum(1.0 + self.roughness * self.bumps(*point), 0.3)

    def radius_at(self, x: Any, y: Any, z: Any) -> Any:
        """Return the same for positions in mm, shape (n,)."""
        points = (np.column_stack([x, y, z]) - self.frame.centre) @ np.asarray(self.frame.axes).T
        return self.radius(*points.T)


def _spot(rng: np.random.Generator, entity: Entity, bone: Vertebra, beyond: bool) -> tuple[str, Any]:
    """Return where in the vertebra the lesion starts, in words and in the vertebra's frame."""
    w, d, h = bone.half_width, bone.half_depth, bone.half_height
    if bone.sacral or rng.random() >= entity.posterior:
        shift = rng.uniform(-0.45, 0.45, 3) * np.array([w, d, h])
        if beyond:  # a mass that has left the bone sits towards a wall
            shift[:2] *= 1.6
        return "body", shift
    side = 1.0 if rng.random() < 0.5 else -1.0
    if rng.random() < 0.7:
        return "pedicle", np.array([side * 0.66 * w, d + rng.uniform(0.0, 9.0), rng.uniform(-2.0, 5.0)])
    return "spinous process", np.array([side * 2.0, d + rng.uniform(28.0, 40.0), -9.0])


def draw_lesion(
    seed: int, entity: Entity, bone: Vertebra, *, number: int, rates: tuple[float, float], vp: float
) -> Lesion:
    """Draw lesion `number` (1 is the index lesion) of a patient in a vertebra.

    Further lesions are smaller, and their exchange varies by 12 % around the patient's `rates`.
    """
    rng = stream(seed, "lesion", str(number))
    radius = rng.uniform(*entity.radius_mm) if number == 1 else rng.uniform(5.0, 0.8 * entity.radius_mm[1])
    radii = radius * np.exp(rng.normal(0.0, 0.12, 3)) * np.array([1.1, 1.0, 0.9])
    beyond = bool(rng.random() < entity.soft_tissue)
    site, shift = _spot(rng, entity, bone, beyond)
    tilt = rotated(pitch_deg=rng.uniform(-25, 25), yaw_deg=rng.uniform(-25, 25), roll_deg=rng.uniform(-40, 40))
    own = np.exp(rng.normal(0.0, 0.12, 3)) if number > 1 else np.ones(3)
    return Lesion(
        entity=entity,
        host=bone,
        site=site,
        frame=Frame(bone.frame.to_patient(*shift), tilt @ bone.frame.axes),
        radii_mm=(float(radii[0]), float(radii[1]), float(radii[2])),
        roughness=float(rng.uniform(0.05, 0.15)),
        bumps=SmoothField.draw(rng, length_mm=0.45 * radius),
        beyond_bone=beyond or site != "body",
        ktrans_per_min=float(rates[0] * own[0]),
        kep_per_min=float(rates[1] * own[1]),
        vp=float(vp * own[2]),
        texture=Texture.draw(rng, entity, radius_mm=radius),
    )
