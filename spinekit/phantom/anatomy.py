"""The simulated patient: the column with its soft tissues, painted onto the sample points of a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.benign import Benign, draw_benign
from spinekit.phantom.column import paint_arch, paint_body, paint_canal, paint_disc, paint_foramina
from spinekit.phantom.randomness import SmoothField, stream, truncated_normal
from spinekit.phantom.sampling import Samples
from spinekit.phantom.soft_tissue import paint_abdomen, paint_back, paint_trunk
from spinekit.phantom.spine import Spine

__all__ = ["Anatomy"]


@dataclass(frozen=True)
class Anatomy:
    """Everything about one patient that does not depend on a scanner.

    Lengths in mm. ``girth`` scales the trunk, ``back_fat_mm`` is the fat under the skin of the back,
    ``muscle_fat`` the share of fat in the paraspinal muscles, ``fatty_marrow`` that in the marrow.
    """

    seed: int
    spine: Spine
    target: str
    age: float
    girth: float
    back_fat_mm: float
    muscle_fat: float
    fatty_marrow: float
    aorta_mm: tuple[float, float, float]  # left, behind, radius
    vena_cava_mm: tuple[float, float, float]
    canal_mm: tuple[float, float]  # half width, half depth of the dural sac
    benign: tuple[Benign, ...]
    streaks: SmoothField
    clumps: SmoothField
    loops: SmoothField

    @classmethod
    def draw(cls, seed: int, *, target: str, age: float) -> Anatomy:
        """Draw a patient from a seed."""
        rng = stream(seed, "anatomy")
        centre = rng.normal(0.0, (4.0, 6.0, 8.0))
        spine = Spine.draw(seed, target=target, age=age, centre_mm=centre)
        return cls(
            seed=seed,
            spine=spine,
            target=target,
            age=age,
            girth=truncated_normal(rng, 1.0, 0.08, low=0.84, high=1.2),
            back_fat_mm=truncated_normal(rng, 16.0, 6.0, low=7.0, high=32.0),
            muscle_fat=truncated_normal(rng, 0.04 + 0.003 * (age - 30), 0.05, low=0.02, high=0.35),
            fatty_marrow=truncated_normal(rng, 0.25 + 0.004 * (age - 30), 0.08, low=0.1, high=0.7),
            aorta_mm=(
                rng.normal(8.0, 3.0),
                -29.0 + rng.normal(0, 1.0),
                truncated_normal(rng, 9.5, 1.2, low=7.5, high=13),
            ),
            vena_cava_mm=(
                rng.normal(-15.0, 2.0),
                -26.0 + rng.normal(0, 1.0),
                truncated_normal(rng, 10, 1.3, low=7, high=13),
            ),
            canal_mm=(
                truncated_normal(rng, 9.5, 1.0, low=7.5, high=12),
                truncated_normal(rng, 7.2, 0.7, low=5.5, high=9),
            ),
            benign=draw_benign(seed, spine, target=target),
            streaks=SmoothField.draw(rng, length_mm=(1.9, 2.6, 25.0), n_waves=48),
            clumps=SmoothField.draw(rng, length_mm=5.0),
            loops=SmoothField.draw(rng, length_mm=(8.0, 7.0, 9.0), n_waves=16),
        )

    @property
    def centre_mm(self) -> Any:
        """LPS position of the body of the target vertebra."""
        return self.spine.level(self.target).frame.centre

    @property
    def back_mm(self) -> float:
        """Position of the skin of the back along y (LPS), at the target vertebra."""
        return float(self.centre_mm[1]) + 72.0 + self.back_fat_mm

    def labels(self, samples: Samples) -> Any:
        """Return the tissue of each sample point, uint8, shape of the samples. What comes later lies over it."""
        labels = np.zeros(samples.shape, dtype=np.uint8)
        paint_trunk(labels, self, samples)
        paint_abdomen(labels, self, samples)
        paint_back(labels, self, samples)
        for bone in self.spine.vertebrae:
            paint_arch(labels, samples, bone)
        paint_canal(labels, self, samples)
        for bone in self.spine.vertebrae:
            paint_foramina(labels, samples, bone)
        for disc in self.spine.discs:
            paint_disc(labels, samples, disc)
        for bone in self.spine.vertebrae:
            paint_body(labels, samples, bone)
        for change in self.benign:
            change.paint(labels, samples)
        return labels
