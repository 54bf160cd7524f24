"""The simulated patient: the column with its soft tissues, painted onto the sample points of a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.randomness import SmoothField, stream, truncated_normal
from spinekit.phantom.sampling import PATIENT, Samples
from spinekit.phantom.shapes import body_depth, capsule_depth, disc_depth, ellipsoid_depth, plate_depth
from spinekit.phantom.spine import Disc, Spine, Vertebra
from spinekit.phantom.tissue import tissue_index

__all__ = ["Anatomy"]

AIR, SKIN, FAT, MUSCLE, FIBROUS = (tissue_index(n) for n in ("air", "skin", "fat", "muscle", "fibrous"))
VISCERA, KIDNEY, ARTERY, VEIN = (tissue_index(n) for n in ("viscera", "kidney", "artery", "vein"))
CORTEX, MARROW, BASIVERTEBRAL = (tissue_index(n) for n in ("cortex", "red_marrow", "basivertebral_vein"))
ANNULUS, NUCLEUS, CSF = (tissue_index(n) for n in ("annulus", "nucleus", "csf"))
CORD, NERVE = (tissue_index(n) for n in ("cord", "nerve"))


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
            streaks=SmoothField.draw(rng, length_mm=(3.0, 3.5, 25.0)),
            clumps=SmoothField.draw(rng, length_mm=5.0),
            loops=SmoothField.draw(rng, length_mm=(9.0, 8.0, 10.0)),
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
        """Return the tissue of each sample point, uint8, shape of the samples."""
        labels = np.full(samples.shape, AIR, dtype=np.uint8)
        where = samples.local(PATIENT)
        along = self.spine.along(*where)
        _trunk(labels, self, where, along)
        _abdomen(labels, self, samples, where, along)
        _muscles(labels, self, where, along)
        for bone in self.spine.vertebrae:
            _arch(labels, samples, bone)
        _canal(labels, self, where, along)
        for bone in self.spine.vertebrae:
            _foramina(labels, samples, bone)
        for disc in self.spine.discs:
            _disc(labels, samples, disc)
        for bone in self.spine.vertebrae:
            _body(labels, samples, bone)
        return labels


def _fill(labels: Any, where: Any, label: int, *, only: tuple[int, ...] | None = None) -> None:
    if only is not None:
        where = where & np.isin(labels, only)
    np.copyto(labels, np.uint8(label), where=where)


def _trunk(labels: Any, patient: Anatomy, where: Any, along: Any) -> None:
    """Skin, fat under it, the muscular wall and the fat inside it."""
    left, _ = along
    # the back follows the column's curve only in part
    straight = 0.5 * (where[1] - np.float32(patient.spine.level(patient.target).frame.centre[1])) + 0.5 * along[1]
    back = 72.0 + patient.back_fat_mm
    depth = 0.5 * (back + 150.0 * patient.girth)
    middle = back - depth
    groove = 5.0 * np.exp(-((left / 14.0) ** 2)) * (straight > 0)
    radius = (np.abs(left) / (168.0 * patient.girth)) ** 2.3 + (np.abs(straight + groove - middle) / depth) ** 2.3
    radius = radius ** np.float32(1 / 2.3)
    _fill(labels, radius < 1.0, SKIN)
    _fill(labels, radius < 1.0 - 2.2 / depth, FAT)
    wall = 1.0 - (0.9 * patient.back_fat_mm + 3.0) / depth
    front = straight < 30.0
    _fill(labels, (radius < wall) & front, MUSCLE)
    _fill(labels, (radius < wall - 15.0 / depth) & front, FAT)


def _abdomen(labels: Any, patient: Anatomy, samples: Samples, where: Any, along: Any) -> None:
    """Bowel, kidneys, aorta and vena cava."""
    left, behind = along
    inside = (behind < -30.0) | ((np.abs(left) > 60.0) & (behind < -5.0))
    loops = patient.loops(*where) > -0.25
    _fill(labels, inside & loops, VISCERA, only=(FAT,))
    height = patient.spine.level("L2").frame.centre[2]
    for side, shift in ((-1.0, -8.0), (1.0, 8.0)):
        kidney = ellipsoid_depth((left, behind, where[2]), (side * 66.0, 2.0, height + shift), (27.0, 23.0, 54.0))
        _fill(labels, kidney > -6.0, FAT, only=(VISCERA, MUSCLE))
        _fill(labels, kidney > 0.0, KIDNEY)
        _fill(labels, kidney > 12.0, FAT)
    fork = patient.spine.level("L4").frame.centre[2] - 8.0
    below = np.clip((fork - where[2]) / 60.0, 0.0, 1.5)
    for side in (-1.0, 1.0):
        a = patient.aorta_mm
        radius = a[2] - 0.35 * a[2] * np.clip(4 * below, 0, 1)
        apart = a[0] * (1 - np.clip(below, 0, 1)) + side * 34.0 * below
        pipe = np.hypot(left - apart, behind - a[1] + 14.0 * below) - radius
        _fill(labels, pipe < 2.5, FAT, only=(VISCERA,))
        _fill(labels, pipe < 0.0, ARTERY)
        v = patient.vena_cava_mm
        split = v[0] * (1 - np.clip(below - 0.15, 0, 1)) + side * 36.0 * np.clip(below - 0.15, 0, 2)
        vein = np.hypot((left - split) / 1.2, behind - v[1]) - v[2] * 0.85
        _fill(labels, vein < 0.0, VEIN, only=(VISCERA, FAT))


def _muscles(labels: Any, patient: Anatomy, where: Any, along: Any) -> None:
    """Erector spinae with multifidus, psoas, quadratus lumborum; fascia around the back muscles."""
    left, behind = along
    aside = np.abs(left)
    top, bottom = (patient.spine.level(n).frame.centre[2] for n in ("T12", "L5"))
    down = np.clip((top - where[2]) / (top - bottom), 0.0, 1.3)
    spread = 27.0 + 6.0 * np.sin(np.clip(down, 0, 1) * np.pi)
    erector = 1.0 - np.sqrt(((aside - 33.0) / spread) ** 2 + ((behind - 51.0) / 20.0) ** 2)
    multifidus = 1.0 - np.sqrt(((aside - 12.0) / 12.0) ** 2 + ((behind - 48.0) / 17.0) ** 2)
    _fill(labels, (np.maximum(erector * 20.0, multifidus * 12.0) > -1.3) & (behind > 20), FIBROUS, only=(FAT, MUSCLE))
    _fill(labels, erector > 0.0, MUSCLE)
    _fill(labels, (np.abs(multifidus) < 0.10) & (erector > 0.0), FAT)
    _fill(labels, multifidus > 0.0, MUSCLE)
    size = 5.0 + 15.0 * down
    psoas = ((aside - 20.0 - 0.9 * size) / size) ** 2 + ((behind - 3.0 + 3 * down) / (1.25 * size)) ** 2
    _fill(labels, psoas < 1.0, MUSCLE)
    quadratus = ((aside - 62.0) / 21.0) ** 2 + ((behind - 27.0 + 0.12 * (aside - 62.0)) / 8.0) ** 2
    _fill(labels, (quadratus < 1.0) & (down > 0.1), MUSCLE, only=(FAT, VISCERA))


def _arch(labels: Any, samples: Samples, bone: Vertebra) -> None:
    """Pedicles, laminae, spinous, transverse and articular processes, with a thin cortex."""
    w, d = bone.half_width, bone.half_depth
    box = samples.box(bone.frame, (-w - 30, d - 6, -40), (w + 30, d + 64, 28))
    if box is None or bone.sacral:
        return
    point = samples.local(bone.frame, box)
    left, behind, above = point
    half = (np.abs(left), behind, above)  # both sides at once
    ligament = capsule_depth(half, (13.0, d + 15.0, -14.0), (1.0, d + 23.0, -18.0), 2.2, stretch=5.0)
    _fill(labels[box], ligament > 0.0, FIBROUS)
    depth = capsule_depth(half, (0.66 * w, d - 4.0, 4.0), (0.70 * w, d + 11.0, 3.0), 0.2 * w, stretch=1.55)
    parts = [
        capsule_depth(half, (0.66 * w, d + 11.0, -1.0), (1.5, d + 22.5, -6.0), 3.3, stretch=2.3),
        plate_depth((left, behind, above), (0.0, d + 36.0, -10.0), (2.6 + 0.03 * w, 14.5, 8.5), slope=0.18),
        ellipsoid_depth(half, (0.0, d + 50.0, -12.5), (4.2, 4.5, 8.5)),
        capsule_depth(half, (0.75 * w, d + 9.0, 2.0), (w + 19.0, d + 15.0, 4.0), 3.4, stretch=1.4),
        ellipsoid_depth(half, (0.80 * w, d + 13.5, 13.0), (5.0, 5.5, 9.0)),
        ellipsoid_depth(half, (0.62 * w, d + 18.5, -17.0), (4.8, 4.8, 9.0)),
    ]
    for part in parts:
        depth = np.maximum(depth, part)
    _fill(labels[box], depth > 0.0, CORTEX)
    _fill(labels[box], depth > 1.1, MARROW)


def _canal(labels: Any, patient: Anatomy, where: Any, along: Any) -> None:
    """Epidural fat, dural sac, cord down to the conus, and the roots below it."""
    left, behind = along
    wide, deep = patient.canal_mm
    z = where[2]
    sacrum = patient.spine.level("S1").frame.centre[2]
    taper = np.clip((z - sacrum + 35.0) / 60.0, 0.0, 1.0)
    middle = 16.5 + deep + 1.6
    pocket = ((left) / (wide + 3.0)) ** 2 + ((behind - middle - 1.0) / (deep + 3.2)) ** 2
    _fill(labels, pocket < 1.0, FAT)
    size = 0.35 + 0.65 * taper
    sac = np.sqrt((left / (wide * size)) ** 2 + ((behind - middle) / (deep * size)) ** 2)
    _fill(labels, (sac < 1.0) & (taper > 0), FIBROUS)
    _fill(labels, (sac < 0.93) & (taper > 0), CSF)
    conus = patient.spine.level("L1").frame.centre[2] - 6.0
    cord = np.clip((z - conus + 14.0) / 22.0, 0.0, 1.0)
    radius = np.sqrt((left / 5.0) ** 2 + ((behind - middle - 0.3) / 3.9) ** 2)
    _fill(labels, radius < cord, CORD)
    tail = np.clip((conus - z) / 110.0, 0.0, 1.0)
    for n in range(7):
        aside = (0.35 + 0.09 * n) * wide * size * (1 if n % 2 else -1) * np.clip(0.35 + tail, 0, 1)
        back = middle + deep * size * (0.55 - 0.10 * n * (0.4 + tail))
        root = np.hypot(left - aside, behind - back) < 1.0
        _fill(labels, root & (z < conus + 10.0), NERVE, only=(CSF,))


def _foramina(labels: Any, samples: Samples, bone: Vertebra) -> None:
    """Fat with the leaving nerve root, under the pedicle."""
    w, d, h = bone.half_width, bone.half_depth, bone.half_height
    box = samples.box(bone.frame, (-w - 12, d - 8, -h - 14), (w + 12, d + 14, 0))
    if box is None or bone.sacral:
        return
    left, behind, above = samples.local(bone.frame, box)
    half = (np.abs(left), behind, above)
    _fill(labels[box], ellipsoid_depth(half, (0.75 * w, d + 4.0, -h + 1.0), (8.0, 4.5, 9.0)) > 0.0, FAT)
    root = capsule_depth(half, (0.45 * w, d + 5.0, -h + 5.0), (1.05 * w, d + 2.0, -h - 3.0), 2.3)
    _fill(labels[box], root > 0.0, NERVE, only=(FAT, MUSCLE))


def _disc(labels: Any, samples: Samples, disc: Disc) -> None:
    w, d = disc.half_width + 6, disc.half_depth + 6
    box = samples.box(disc.frame, (-w, -d, -disc.half_height - 6), (w, d, disc.half_height + 6))
    if box is None:
        return
    point = samples.local(disc.frame, box)
    depth, radius = disc_depth(point, disc)
    _fill(labels[box], depth > 0.0, ANNULUS)
    core = np.sqrt((radius / 0.72) ** 4 + (point[2] / (disc.half_height + 3.0)) ** 4)
    cleft = np.abs(point[2]) < 0.7
    _fill(labels[box], (depth > 0.0) & (core < 1.0) & ~(cleft & (radius < 0.55)), NUCLEUS)


def _body(labels: Any, samples: Samples, bone: Vertebra) -> None:
    w, d, h = bone.half_width + 1, bone.half_depth + 1, bone.half_height + 1
    box = samples.box(bone.frame, (-w, -d, -h), (w, d, h))
    if box is None:
        return
    left, behind, above = samples.local(bone.frame, box)
    depth = body_depth((left, behind, above), bone)
    _fill(labels[box], depth > 0.0, CORTEX)
    _fill(labels[box], depth > bone.cortex_mm, MARROW)
    if bone.sacral:
        return
    trunk = capsule_depth((left, behind, above), (0.0, d - 10.0, 0.0), (0.0, d + 2.0, 0.0), 2.2)
    arms = capsule_depth((np.abs(left), behind, above), (0.0, d - 9.0, 0.0), (9.0, d - 17.0, 0.5), 1.3)
    _fill(labels[box], (np.maximum(trunk, arms) > 0.0) & (depth > 0.0), BASIVERTEBRAL)
