"""A patient imaged twice: the dynamic series and the sagittal T2, each with the truth on its grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry
from spinekit.kinetics.signal import spgr_signal
from spinekit.phantom.acquisition import (
    Scan,
    coil,
    dynamic_signals,
    rician,
    scan,
    spin_echo,
    spin_echo_signals,
    voxel_positions,
)
from spinekit.phantom.contrast import BloodCurve
from spinekit.phantom.motion import moved, padded
from spinekit.phantom.patient import Patient
from spinekit.phantom.protocol import Protocol
from spinekit.phantom.randomness import stream
from spinekit.phantom.tissue import TISSUES

__all__ = ["Dynamic", "image_dynamic", "image_t2"]

GAIN = 8000.0  # brings muscle to about a thousand units, as scanners do; the brightest vessel stays below 32,767
TRUTHS = (("ktrans", "1/min"), ("ve", "1"), ("vp", "1"), ("rate", "1/s"), ("body", "1"))


@dataclass(frozen=True)
class Dynamic:
    """The dynamic signal (T, Z, Y, X) with the noise's SD, truth volumes, and shares of the lesions (n, Z, Y, X)."""

    signal: Any
    sigma: float
    truth: dict[str, Volume]
    shares: Any
    tissue: Any


def image_dynamic(
    patient: Patient,
    protocol: Protocol,
    blood: BloodCurve,
    *,
    times_s: Any,
    geometry: Geometry,
    motion: Any,
    n_baseline: int,
    snr: float,
) -> Dynamic:
    """Image a patient over time.

    Parameters
    ----------
    patient, protocol, blood
        Who, how, and what arrives.
    times_s : ndarray of shape (T,)
        Phases, s.
    geometry : Geometry
        Grid of the series.
    motion : ndarray of shape (T, 6)
        Displacement in each phase; the truth is that of no displacement.
    n_baseline : int
        Phases before contrast.
    snr : float
        Mean of the index lesion before contrast over the noise's SD; inf for none.
    """
    wide, inner = padded(geometry, motion)
    table = np.hstack([dynamic_signals(protocol, blood, times_s), _truth_table(protocol)])
    seen = scan(patient.anatomy, patient.lesions, wide, table, sub=_sub(wide))
    images, truth = seen.images[: len(times_s)], seen.images[len(times_s) :]
    _add_lesions(images, truth, seen, patient, wide, protocol, blood, times_s)
    signal = np.empty((len(times_s), *geometry.shape_zyx), dtype=np.float32)
    for t, six in enumerate(motion):
        signal[t] = moved(images[t], wide, geometry, six) if np.any(six) else images[t][inner]
    np.maximum(signal, 0.0, out=signal)  # a spline undershoots beside bright edges
    signal *= GAIN * coil(geometry, patient.seed, back_mm=patient.anatomy.back_mm, name="dynamic")
    shares = seen.lesions[:, *inner]
    core = shares[0] >= 0.5
    sigma = 0.0 if np.isinf(snr) or not core.any() else float(signal[:n_baseline, core].mean()) / snr
    if sigma > 0.0:
        signal = rician(signal, sigma, stream(patient.seed, "noise"))
    return Dynamic(signal, sigma, _truth_volumes(truth[:, *inner], geometry), shares, seen.tissue[inner])


def _sub(grid: Geometry) -> tuple[int, int, int]:
    """Return sample points per voxel, about 0.6 mm apart in the plane and 1.5 mm across, at most 3."""
    plane = int(np.clip(np.ceil(grid.spacing_mm[0] / 0.6), 2, 3))
    return plane, plane, int(np.clip(np.ceil(grid.spacing_mm[2] / 1.5), 2, 3))


def _truth_table(protocol: Protocol) -> Any:
    """Return Ktrans, ve, vp, 1/T1 and whether it is body for each tissue, shape (n_tissues, 5)."""
    strong = int(protocol.field_strength_t > 2.0)
    rows = []
    for t in TISSUES:
        ve = t.ktrans_per_min / t.kep_per_min if t.kep_per_min else 0.0
        rows.append([t.ktrans_per_min, ve, t.vp, 1.0 / t.t1_s[strong], 1.0])
    rows[0] = [0.0] * 5  # air
    return np.array(rows)


def _add_lesions(
    images: Any,
    truth: Any,
    seen: Scan,
    patient: Patient,
    grid: Geometry,
    protocol: Protocol,
    blood: BloodCurve,
    times_s: Any,
) -> None:
    """Add the lesions, each voxel with its own kinetics, to images and truth; in place.

    Where a lesion fills at least half of a voxel the truth is the lesion's own, not a mean with its neighbours.
    """
    for lesion, share in zip(patient.lesions, seen.lesions, strict=True):
        mask = share > 0.0
        if not mask.any():  # a further lesion beyond the slab
            continue
        part, inside = share[mask], share[mask] >= 0.5
        own = lesion.texture.at(
            lesion, *voxel_positions(grid, mask), core=inside, strong=protocol.field_strength_t > 2.0
        )
        content = blood.tissue(times_s, ktrans_per_min=own.ktrans, kep_per_min=own.kep, vp=own.vp)
        bright = spgr_signal(
            content.T,
            t1_s=own.t1_s,
            s0=own.density,
            repetition_time_s=protocol.tr_ms / 1000.0,
            flip_angle_deg=protocol.flip_deg,
        )
        images[:, mask] += (bright * part).astype(np.float32)
        values = np.array([own.ktrans, own.ktrans / own.kep, own.vp, 1.0 / own.t1_s, np.ones_like(own.t1_s)])
        truth[:, mask] = np.where(inside, values, truth[:, mask] + values * part)


def _truth_volumes(truth: Any, grid: Geometry) -> dict[str, Volume]:
    body = truth[4] > 0.5
    weight = np.where(body, truth[4], 1.0)
    means = {name: np.where(body, v / weight, np.nan) for (name, _), v in zip(TRUTHS, truth, strict=True)}
    with np.errstate(invalid="ignore", divide="ignore"):
        kep = np.where(means["ve"] > 0.0, means["ktrans"] / means["ve"], np.nan)
        t1 = 1.0 / means["rate"]
    units = dict(TRUTHS) | {"kep": "1/min", "t1": "s"}
    values = means | {"kep": kep, "t1": t1}
    return {
        name: Volume(values[name].astype(np.float32), grid, name=name, unit=units[name])
        for name in ("ktrans", "kep", "ve", "vp", "t1")
    }


def image_t2(patient: Patient, protocol: Protocol, grid: Geometry) -> tuple[Volume, Roi]:
    """Return the sagittal T2 and the outline of the index lesion on it."""
    seen = scan(patient.anatomy, patient.lesions, grid, spin_echo_signals(protocol), sub=(2, 2, 2))
    image, strong = seen.images[0], protocol.field_strength_t > 2.0
    for lesion, share in zip(patient.lesions, seen.lesions, strict=True):
        mask = share > 0.0
        if not mask.any():  # a further lesion beyond the slab
            continue
        own = lesion.texture.at(lesion, *voxel_positions(grid, mask), core=share[mask] >= 0.5, strong=strong)
        image[mask] += share[mask] * spin_echo(protocol, own.t1_s, own.t2_s, own.density)
    image *= GAIN * coil(grid, patient.seed, back_mm=patient.anatomy.back_mm, name="t2")
    outline = seen.lesions[0] >= 0.5
    typical = float(image[outline].mean()) if outline.any() else float(image[image > 0].mean())
    image = rician(image, typical / protocol.t2_snr, stream(patient.seed, "t2-noise"))
    record = {"simulated": True, "source": "truth"}
    return Volume(image, grid, name="t2"), Roi(outline, grid, name="t2_outline", record=record)
