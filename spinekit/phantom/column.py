"""The column painted onto the sample points of a slice: arches, canal, foramina, discs, bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.phantom.painting import fill
from spinekit.phantom.sampling import PATIENT, Samples
from spinekit.phantom.shapes import body_depth, capsule_depth, disc_depth, ellipsoid_depth, plate_depth
from spinekit.phantom.spine import Disc, Vertebra
from spinekit.phantom.tissue import tissue_index

if TYPE_CHECKING:
    from spinekit.phantom.anatomy import Anatomy

__all__ = ["paint_arch", "paint_body", "paint_canal", "paint_disc", "paint_foramina"]

FAT, MUSCLE, FIBROUS = (tissue_index(n) for n in ("fat", "muscle", "fibrous"))
CORTEX, MARROW, BASIVERTEBRAL = (tissue_index(n) for n in ("cortex", "red_marrow", "basivertebral_vein"))
ANNULUS, NUCLEUS, CSF = (tissue_index(n) for n in ("annulus", "nucleus", "csf"))
CORD, NERVE = (tissue_index(n) for n in ("cord", "nerve"))
ARCH_CORTEX_MM = 1.1


def paint_arch(labels: Any, samples: Samples, bone: Vertebra) -> None:
    """Pedicles, laminae, spinous, transverse and articular processes; ribs; the wings of the sacrum."""
    w, d = bone.half_width, bone.half_depth
    ribbed = bone.name.startswith("T")
    wide = w + (85 if ribbed else 40)
    box = samples.box(bone.frame, (-wide, d - 34, -62), (wide, d + 64, 28))
    if box is None:
        return
    left, behind, above = samples.local(bone.frame, box)
    half = (np.abs(left), behind, above)  # both sides at once
    if bone.sacral:
        depth = _sacral_wing(half, bone)
    else:
        ligament = capsule_depth(half, (13.0, d + 15.0, -14.0), (1.0, d + 22.5, -17.0), 1.7, stretch=6.0)
        fill(labels[box], ligament > 0.0, FIBROUS)
        depth = _lumbar_arch(left, half, w, d)
    if ribbed:
        depth = np.maximum(depth, capsule_depth(half, (w + 4, d + 5, 6), (w + 40, d + 22, -12), 4.0, stretch=1.4))
        depth = np.maximum(depth, capsule_depth(half, (w + 40, d + 22, -12), (w + 80, d + 8, -46), 4.0, stretch=1.4))
    fill(labels[box], depth > 0.0, CORTEX)
    fill(labels[box], depth > ARCH_CORTEX_MM, MARROW)


def _lumbar_arch(left: Any, half: Any, w: float, d: float) -> Any:
    behind, above = half[1:]
    depth = capsule_depth(half, (0.66 * w, d - 4.0, 4.0), (0.70 * w, d + 11.0, 3.0), 0.2 * w, stretch=1.55)
    parts = (
        capsule_depth(half, (0.66 * w, d + 11.0, -1.0), (1.5, d + 22.5, -6.0), 3.3, stretch=2.3),
        plate_depth((left, behind, above), (0.0, d + 36.0, -10.0), (2.6 + 0.03 * w, 14.5, 8.5), slope=0.18),
        ellipsoid_depth(half, (0.0, d + 50.0, -12.5), (4.2, 4.5, 8.5)),
        capsule_depth(half, (0.75 * w, d + 9.0, 2.0), (w + 19.0, d + 15.0, 4.0), 3.4, stretch=1.4),
        ellipsoid_depth(half, (0.80 * w, d + 13.5, 13.0), (5.0, 5.5, 9.0)),
        ellipsoid_depth(half, (0.62 * w, d + 18.5, -17.0), (4.8, 4.8, 9.0)),
    )
    for part in parts:
        depth = np.maximum(depth, part)
    return depth


def _sacral_wing(half: Any, bone: Vertebra) -> Any:
    w, d, h = bone.half_width, bone.half_depth, bone.half_height
    wing = ellipsoid_depth(half, (w + 12.0, 2.0, -3.0), (24.0, d + 1.0, h + 3.0))
    crest = plate_depth(half, (0.0, d + 19.0, 0.0), (9.0, 4.0, h + 1.0))
    return np.maximum(wing, crest)


def paint_canal(labels: Any, patient: Anatomy, samples: Samples) -> None:
    """Epidural fat, dural sac, cord down to the conus, and the roots below it."""
    wide, deep = patient.canal_mm
    box = patient.spine.box(samples, (-wide - 4, 12.0), (wide + 4, 26.0 + 2 * deep))
    if box is None:
        return
    x, y, z = samples.local(PATIENT, box)
    left, behind = patient.spine.along(x, y, z)
    part = labels[box]
    taper = np.clip((z - patient.spine.level("S1").frame.centre[2] + 35.0) / 60.0, 0.0, 1.0)
    middle = 18.1 + deep
    pocket = (left / (wide + 3.0)) ** 2 + ((behind - middle - 1.0) / (deep + 3.2)) ** 2
    fill(part, pocket < 1.0, FAT)
    size = 0.35 + 0.65 * taper
    sac = np.sqrt((left / (wide * size)) ** 2 + ((behind - middle) / (deep * size)) ** 2)
    fill(part, (sac < 1.0) & (taper > 0), FIBROUS)
    fill(part, (sac < 0.93) & (taper > 0), CSF)
    conus = patient.spine.level("L1").frame.centre[2] - 6.0
    cord = np.clip((z - conus + 14.0) / 22.0, 0.0, 1.0)
    fill(part, np.sqrt((left / 5.0) ** 2 + ((behind - middle - 0.3) / 3.9) ** 2) < cord, CORD)
    tail = np.clip((conus - z) / 110.0, 0.0, 1.0)
    for n in range(7):
        aside = (0.35 + 0.09 * n) * wide * size * (1 if n % 2 else -1) * np.clip(0.35 + tail, 0, 1)
        back = middle + deep * size * (0.55 - 0.10 * n * (0.4 + tail))
        root = np.hypot(left - aside, behind - back) < 1.0
        fill(part, root & (z < conus + 10.0), NERVE, only=(CSF,))


def paint_foramina(labels: Any, samples: Samples, bone: Vertebra) -> None:
    """Fat with the leaving nerve root, under the pedicle."""
    w, d, h = bone.half_width, bone.half_depth, bone.half_height
    box = samples.box(bone.frame, (-w - 12, d - 8, -h - 14), (w + 12, d + 14, 0))
    if box is None or bone.sacral:
        return
    left, behind, above = samples.local(bone.frame, box)
    half = (np.abs(left), behind, above)
    fill(labels[box], ellipsoid_depth(half, (0.75 * w, d + 4.0, -h + 1.0), (8.0, 4.5, 9.0)) > 0.0, FAT)
    root = capsule_depth(half, (0.45 * w, d + 5.0, -h + 5.0), (1.05 * w, d + 2.0, -h - 3.0), 2.3)
    fill(labels[box], root > 0.0, NERVE, only=(FAT, MUSCLE))


def paint_disc(labels: Any, samples: Samples, disc: Disc) -> None:
    """Annulus and nucleus with its cleft."""
    w, d = disc.half_width + 6, disc.half_depth + 6
    box = samples.box(disc.frame, (-w, -d, -disc.half_height - 6), (w, d, disc.half_height + 6))
    if box is None:
        return
    point = samples.local(disc.frame, box)
    depth, radius = disc_depth(point, disc)
    fill(labels[box], depth > 0.0, ANNULUS)
    core = np.sqrt((radius / 0.74) ** 2.6 + (np.abs(point[2]) / (disc.half_height + 2.0)) ** 2.6)
    cleft = np.abs(point[2]) < 0.45
    fill(labels[box], (depth > 0.0) & (core < 1.0) & ~(cleft & (radius < 0.55)), NUCLEUS)


def paint_body(labels: Any, samples: Samples, bone: Vertebra) -> None:
    """Cortex, marrow, basivertebral vein."""
    w, d, h = bone.half_width + 1, bone.half_depth + 1, bone.half_height + 1
    box = samples.box(bone.frame, (-w, -d, -h), (w, d, h))
    if box is None:
        return
    left, behind, above = samples.local(bone.frame, box)
    depth = body_depth((left, behind, above), bone)
    fill(labels[box], depth > 0.0, CORTEX)
    fill(labels[box], depth > bone.cortex_mm, MARROW)
    if bone.sacral:
        return
    trunk = capsule_depth((left, behind, above), (0.0, d - 10.0, 0.0), (0.0, d + 2.0, 0.0), 1.7)
    arms = capsule_depth((np.abs(left), behind, above), (0.0, d - 9.0, 0.0), (8.0, d - 16.0, 0.5), 1.0)
    fill(labels[box], (np.maximum(trunk, arms) > 0.0) & (depth > 0.0), BASIVERTEBRAL)
