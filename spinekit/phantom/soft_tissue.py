"""Soft tissue of the trunk: skin, fat, abdominal wall, organs, vessels, muscles of the back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.phantom.painting import fill
from spinekit.phantom.sampling import PATIENT, Samples
from spinekit.phantom.shapes import ellipsoid_depth
from spinekit.phantom.tissue import tissue_index

if TYPE_CHECKING:
    from spinekit.phantom.anatomy import Anatomy

__all__ = ["paint_abdomen", "paint_back", "paint_trunk"]

SKIN, FAT, MUSCLE, FIBROUS = (tissue_index(n) for n in ("skin", "fat", "muscle", "fibrous"))
VISCERA, KIDNEY, ARTERY, VEIN = (tissue_index(n) for n in ("viscera", "kidney", "artery", "vein"))
INTERSPINOUS = tissue_index("interspinous")


def paint_trunk(labels: Any, patient: Anatomy, samples: Samples) -> None:
    """Skin, the fat under it, the muscular wall, the fat and the bowel inside it."""
    where = samples.local(PATIENT)
    left, behind = patient.spine.along(*where)
    # the back follows the column's curve only in part
    above_sacrum = np.maximum(where[2], np.float32(patient.spine.level("L5").frame.centre[2]))
    straight = (
        0.5 * (where[1] - np.float32(patient.centre_mm[1])) + 0.5 * patient.spine.along(*where[:2], above_sacrum)[1]
    )
    back = 72.0 + patient.back_fat_mm
    depth = 0.5 * (back + 150.0 * patient.girth)
    groove = 5.0 * np.exp(-((left / 14.0) ** 2)) * (straight > 0)
    radius = _power(np.abs(left) / np.float32(168.0 * patient.girth))
    radius = radius + _power(np.abs(straight + groove - np.float32(back - depth)) / np.float32(depth))
    fill(labels, radius < 1.0, SKIN)
    fill(labels, radius < _power(1.0 - 2.2 / depth), FAT)
    wall = 1.0 - (0.9 * patient.back_fat_mm + 3.0) / depth
    inner = wall - 15.0 * np.clip((40.0 - straight) / 45.0, 0.0, 1.0) / depth
    fill(labels, (radius < _power(wall)) & (straight < 40.0), MUSCLE)
    fill(labels, radius < _power(inner), FAT)
    # the peritoneal cavity keeps clear of the column
    hollow = 34.0 * np.exp(-(((left / 46.0) ** 2) ** 2))
    cavity = _power(np.abs(left) / 132.0) + _power(np.abs(behind + 62.0) / 70.0) < patient.girth
    fill(labels, cavity & (behind < 2.0 - hollow) & (radius < _power(inner - 0.02)), VISCERA)


def _power(value: Any) -> Any:
    """Return value ** 2.5, which gives rounded rectangles; much faster than a general power."""
    return value * value * np.sqrt(value)


def paint_abdomen(labels: Any, patient: Anatomy, samples: Samples) -> None:
    """Kidneys in their fat, aorta and vena cava with their forks."""
    height = patient.spine.level("L2").frame.centre[2]
    for side, shift in ((-1.0, -8.0), (1.0, 8.0)):
        spot = (side * 66.0, 2.0, height + shift)
        reach = (34.0, 30.0)
        box = patient.spine.box(
            samples, (spot[0] - reach[0], spot[1] - reach[1]), (spot[0] + reach[0], spot[1] + reach[1])
        )
        if box is None:
            continue
        x, y, z = samples.local(PATIENT, box)
        left, behind = patient.spine.along(x, y, z)
        kidney = ellipsoid_depth((left, behind, z), spot, (27.0, 23.0, 54.0))
        fill(labels[box], kidney > -6.0, FAT, only=(VISCERA, MUSCLE))
        fill(labels[box], kidney > 0.0, KIDNEY)
        fill(labels[box], kidney > 12.0, FAT)
    _vessels(labels, patient, samples)


def _vessels(labels: Any, patient: Anatomy, samples: Samples) -> None:
    box = patient.spine.box(samples, (-70.0, -75.0), (70.0, -8.0))
    if box is None:
        return
    x, y, z = samples.local(PATIENT, box)
    left, behind = patient.spine.along(x, y, z)
    part = labels[box]
    fork = patient.spine.level("L4").frame.centre[2] - 8.0
    below = np.clip((fork - z) / 60.0, 0.0, 1.5)
    low = np.clip(below - 0.15, 0.0, 1.5)
    a, v = patient.aorta_mm, patient.vena_cava_mm
    for side in (-1.0, 1.0):
        radius = a[2] * (1.0 - 0.35 * np.clip(4 * below, 0, 1))
        apart = a[0] * (1 - np.clip(below, 0, 1)) + side * 34.0 * below
        pipe = np.hypot(left - apart, behind - a[1] + 14.0 * below) - radius
        fill(part, pipe < 3.0, FAT, only=(VISCERA,))
        fill(part, pipe < 0.0, ARTERY)
        split = v[0] * (1 - np.clip(low, 0, 1)) + side * 36.0 * low
        vein = np.hypot((left - split) / 1.25, behind - v[1] + 6.0 * low) - v[2] * (0.85 - 0.2 * np.clip(4 * low, 0, 1))
        fill(part, vein < 3.0, FAT, only=(VISCERA,))
        fill(part, vein < 0.0, VEIN, only=(VISCERA, FAT))


def paint_back(labels: Any, patient: Anatomy, samples: Samples) -> None:
    """Erector spinae with multifidus in their fascia, psoas, quadratus lumborum."""
    box = patient.spine.box(samples, (-90.0, -35.0), (90.0, 76.0))
    if box is None:
        return
    x, y, z = samples.local(PATIENT, box)
    left, behind = patient.spine.along(x, y, z)
    part, aside = labels[box], np.abs(left)
    top, bottom = (patient.spine.level(n).frame.centre[2] for n in ("T12", "L5"))
    down = np.clip((top - z) / (top - bottom), 0.0, 1.3)
    spread = 27.0 + 6.0 * np.sin(np.clip(down, 0, 1) * np.pi)
    erector = 1.0 - np.sqrt(((aside - 33.0) / spread) ** 2 + ((behind - 51.0) / 20.0) ** 2)
    multifidus = 1.0 - np.sqrt(((aside - 12.0) / 12.0) ** 2 + ((behind - 48.0) / 17.0) ** 2)
    fascia = np.maximum(erector * 20.0, multifidus * 12.0) > -1.3
    fill(part, fascia & (behind > 20), FIBROUS, only=(FAT, MUSCLE))
    fill(part, erector > 0.0, MUSCLE)
    fill(part, (np.abs(multifidus) < 0.08) & (erector > 0.0), FAT)
    fill(part, multifidus > 0.0, MUSCLE)
    size = 5.0 + 15.0 * down
    psoas = ((aside - 20.0 - 0.9 * size) / size) ** 2 + ((behind - 3.0 + 3 * down) / (1.25 * size)) ** 2
    fill(part, psoas < 1.0, MUSCLE)
    quadratus = ((aside - 62.0) / 21.0) ** 2 + ((behind - 27.0 + 0.12 * (aside - 62.0)) / 8.0) ** 2
    fill(part, (quadratus < 1.0) & (down > 0.1), MUSCLE, only=(FAT, VISCERA))
    gap = (aside < 4.0) & (behind > 38.0) & (behind < 71.0)
    fill(part, gap, INTERSPINOUS, only=(MUSCLE, FIBROUS, FAT))
    fill(part, gap & (behind > 68.5), FIBROUS, only=(INTERSPINOUS,))
