"""From tissues to images: shares of tissue in each voxel, signal over time, coil, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.geometry import Geometry
from spinekit.kinetics.signal import spgr_signal
from spinekit.phantom.anatomy import Anatomy
from spinekit.phantom.contrast import BloodCurve
from spinekit.phantom.lesions import FIRST_LESION_LABEL, Lesion
from spinekit.phantom.protocol import Protocol
from spinekit.phantom.randomness import SmoothField, stream
from spinekit.phantom.sampling import PATIENT, Samples
from spinekit.phantom.tissue import TISSUES, tissue_index

__all__ = ["Scan", "coil", "dynamic_signals", "rician", "scan", "spin_echo_signals", "voxel_positions"]


@dataclass(frozen=True)
class Scan:
    """What a scanner sees of the healthy tissues, and where the lesions lie.

    Attributes
    ----------
    images : ndarray of shape (C, Z, Y, X), float32
        One image per column of the table of signals.
    lesions : ndarray of shape (n, Z, Y, X), float32
        Share of each lesion in each voxel; their signal is not in `images`.
    tissue : ndarray of shape (Z, Y, X), uint8
        The tissue, or lesion, with the largest share.
    """

    images: Any
    lesions: Any
    tissue: Any


def scan(
    anatomy: Anatomy, lesions: tuple[Lesion, ...], geometry: Geometry, table: Any, *, sub: tuple[int, int, int]
) -> Scan:
    """Sum the tissues' signals in each voxel.

    Parameters
    ----------
    anatomy, lesions
        The patient.
    geometry : Geometry
        The image's grid.
    table : ndarray of shape (n_tissues, C)
        What each tissue contributes to each of C images.
    sub : tuple of int
        Sample points per voxel along (x, y, z), for partial volume.
    """
    n_labels = FIRST_LESION_LABEL + len(lesions)
    shape = geometry.shape_zyx
    images = np.zeros((table.shape[1], *shape), dtype=np.float32)
    shares = np.zeros((len(lesions), *shape), dtype=np.float32)
    tissue = np.zeros(shape, dtype=np.uint8)
    values = np.zeros((n_labels, table.shape[1]), dtype=np.float32)  # lesions add nothing
    values[:FIRST_LESION_LABEL] = table
    for k in range(shape[0]):
        samples = Samples(geometry, k, sub=sub)
        labels = anatomy.labels(samples)
        for n, lesion in enumerate(lesions):
            lesion.paint(labels, samples, FIRST_LESION_LABEL + n)
        parts = samples.fractions(labels, n_labels)
        tissue[k] = parts.argmax(axis=-1)
        shares[:, k] = np.moveaxis(parts[..., FIRST_LESION_LABEL:], -1, 0)
        _mix(parts, anatomy, geometry, k)
        images[:, k] = np.moveaxis(parts @ values, -1, 0)
    return Scan(images, shares, tissue)


def _mix(parts: Any, anatomy: Anatomy, geometry: Geometry, k: int) -> None:
    """Turn part of the muscle into fat, of the red marrow into yellow, of bowel and discs likewise; in place."""
    _move(parts, "muscle", "fat", geometry, k, lambda *p: anatomy.muscle_fat + 0.10 * anatomy.streaks(*p))
    _move(
        parts, "red_marrow", "yellow_marrow", geometry, k, lambda *p: anatomy.fatty_marrow + 0.12 * anatomy.clumps(*p)
    )
    _move(parts, "viscera", "fat", geometry, k, lambda *p: 0.25 + 1.4 * anatomy.loops(*p))
    _move(parts, "nucleus", "degenerate_nucleus", geometry, k, anatomy.spine.wear)


def _move(parts: Any, source: str, target: str, geometry: Geometry, k: int, share: Any) -> None:
    """Move a share, a function of position, from one tissue to another in the voxels of slice `k`; in place."""
    have, gets = parts[..., tissue_index(source)], parts[..., tissue_index(target)]
    j, i = np.nonzero(have)
    points = geometry.index_to_mm(np.column_stack([i, j, np.full_like(i, k)]))
    moved = have[j, i] * np.clip(share(*points.T), 0.0, 1.0).astype(np.float32)
    have[j, i] -= moved
    gets[j, i] += moved


def dynamic_signals(protocol: Protocol, blood: BloodCurve, times_s: Any) -> Any:
    """Return the signal of each tissue at each time, float64 of shape (n_tissues, T)."""
    artery, vein = blood.concentration(times_s), blood.in_veins(times_s)
    rows = []
    for tissue in TISSUES:
        feed = artery if tissue.input == "artery" else vein
        content = tissue.vp * feed
        if tissue.ktrans_per_min > 0.0:
            content = content + tissue.ktrans_per_min * blood.leaked(times_s, tissue.kep_per_min)
        visible = tissue.density * (1.0 - protocol.fat_suppression * tissue.fat)
        t1 = tissue.t1_s[int(protocol.field_strength_t > 2.0)]
        rows.append(
            spgr_signal(
                content,
                t1_s=t1,
                s0=visible,
                repetition_time_s=protocol.tr_ms / 1000.0,
                flip_angle_deg=protocol.flip_deg,
            )
        )
    return np.array(rows)


def spin_echo_signals(protocol: Protocol) -> Any:
    """Return the T2-weighted signal of each tissue, float64 of shape (n_tissues, 1)."""
    strong = int(protocol.field_strength_t > 2.0)
    return np.array([[spin_echo(protocol, t.t1_s[strong], t.t2_s, t.t2_density)] for t in TISSUES])


def spin_echo(protocol: Protocol, t1_s: Any, t2_s: Any, density: Any) -> Any:
    """Return density (1 - e^(-TR/T1)) e^(-TE/T2)."""
    return density * -np.expm1(-protocol.t2_tr_s / t1_s) * np.exp(-protocol.t2_te_s / t2_s)


def voxel_positions(geometry: Geometry, mask: Any) -> tuple[Any, Any, Any]:
    """Return x, y, z in mm of the voxels of a mask, in the order of the array."""
    k, j, i = np.nonzero(mask)
    points = geometry.index_to_mm(np.column_stack([i, j, k]))
    return points[:, 0], points[:, 1], points[:, 2]


def coil(geometry: Geometry, seed: int, *, back_mm: float, name: str) -> Any:
    """Return the sensitivity of a spine coil under the patient's back, float32 (Z, Y, X), about 1 at the spine."""
    rng = stream(seed, "coil", name)
    ripple = SmoothField.draw(rng, length_mm=90.0, n_waves=8)
    slope = rng.uniform(0.8, 1.2)
    result = np.empty(geometry.shape_zyx, dtype=np.float32)
    for k in range(geometry.size[2]):
        x, y, z = Samples(geometry, k).local(PATIENT)
        near = np.exp(np.clip((y - back_mm) / 95.0, -4.0, 0.15) * slope)
        result[k] = ((0.35 + 1.3 * near) * (1.0 + 0.05 * ripple(x, y, z)))[0]
    return result


def rician(clean: Any, sigma: float, rng: np.random.Generator) -> Any:
    """Return the magnitude of a signal with Gaussian noise of SD `sigma` in both channels, float32."""
    real = rng.standard_normal(clean.shape, dtype=np.float32)
    real *= np.float32(sigma)
    real += clean
    imaginary = rng.standard_normal(clean.shape, dtype=np.float32)
    imaginary *= np.float32(sigma)
    return np.hypot(real, imaginary, out=real)
