"""What a reader may mistake for a tumour: haemangiomas and Modic-like changes at worn discs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.painting import fill
from spinekit.phantom.randomness import SmoothField, stream
from spinekit.phantom.sampling import Frame, Samples
from spinekit.phantom.shapes import ellipsoid_depth
from spinekit.phantom.spine import LEVELS, Spine
from spinekit.phantom.tissue import tissue_index

__all__ = ["Benign", "draw_benign"]

_MARROW = (tissue_index("red_marrow"),)


@dataclass(frozen=True)
class Benign:
    """One benign change: a rounded part of the marrow that is another tissue."""

    kind: str
    level: str
    tissue: str
    frame: Frame
    radii_mm: tuple[float, float, float]
    bumps: SmoothField

    def paint(self, labels: Any, samples: Samples) -> None:
        """Write the tissue over the marrow, in place."""
        reach = 1.5 * np.asarray(self.radii_mm)
        box = samples.box(self.frame, -reach, reach)
        if box is None:
            return
        point = samples.local(self.frame, box)
        depth = ellipsoid_depth(point, (0.0, 0.0, 0.0), self.radii_mm) / min(self.radii_mm)
        fill(labels[box], depth + 0.12 * self.bumps(*point) > 0.0, tissue_index(self.tissue), only=_MARROW)


def draw_benign(seed: int, spine: Spine, *, target: str) -> tuple[Benign, ...]:
    """Draw haemangiomas (not in the target vertebra) and Modic-like changes (types 1 and 2).

    Each other vertebra has a haemangioma with probability 0.07; each disc worn beyond 0.5 has a
    change at its endplates with probability 0.35, oedematous in one third and fatty in two thirds.
    The rates are ours, after the order of magnitude in adults.
    """
    rng = stream(seed, "benign")
    found = []
    for bone in spine.vertebrae:
        draw, radius = rng.random(), rng.uniform(4.0, 9.0)
        shift = rng.uniform(-0.4, 0.4, 3) * np.array([bone.half_width, bone.half_depth, bone.half_height])
        bumps = SmoothField.draw(rng, length_mm=4.0, n_waves=12)
        if draw < 0.07 and bone.name != target and not bone.sacral:
            frame = Frame(bone.frame.to_patient(*shift), bone.frame.axes)
            found.append(Benign("haemangioma", bone.name, "haemangioma", frame, (radius,) * 3, bumps))
    for disc, level in zip(spine.discs, LEVELS, strict=False):
        draw, kind, deep = rng.random(), rng.random(), rng.uniform(3.0, 8.0)
        bumps = SmoothField.draw(rng, length_mm=5.0, n_waves=12)
        if disc.degeneration > 0.5 and draw < 0.35 and not level.startswith("S"):
            centre = disc.frame.to_patient(rng.uniform(-6, 6), rng.uniform(-5, 3), 0.0)
            radii = (0.85 * disc.half_width, 0.75 * disc.half_depth, disc.half_height + deep)
            name, tissue = ("Modic 1", "oedema") if kind < 1 / 3 else ("Modic 2", "yellow_marrow")
            found.append(Benign(name, disc.name, tissue, Frame(centre, disc.frame.axes), radii, bumps))
    return tuple(found)
