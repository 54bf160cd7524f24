"""Scanners beyond the two hospitals, drawn at random, so that a network meets more than one contrast.

Domain randomisation: field strength, repetition time, flip angle, fat suppression, rhythm of the phases, field
of view, slice thickness, tilt and noise are drawn. What is drawn is imaged without the sagittal T2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Volume
from spinekit.phantom.contrast import BloodCurve
from spinekit.phantom.entities import Entity, entity_named
from spinekit.phantom.imaging import image_dynamic
from spinekit.phantom.motion import motion_of
from spinekit.phantom.patient import Patient
from spinekit.phantom.protocol import Protocol, protocol_of
from spinekit.phantom.randomness import stream

__all__ = ["DynamicCase", "harder_case", "random_protocol", "simulate_dynamic", "teaching_case"]

BLASTIC = 0.4  # of the harder cases: the entity is drawn for the others, so that about half are blastic in all
SLICES = (0.6, 1.3)  # of a harder case, over those asked for
SNR = (14.0, 50.0)
NEAR_MM = (120.0, 150.0)  # field of view of a case that shows the surroundings of the lesion only


@dataclass(frozen=True)
class DynamicCase:
    """The dynamic series of a simulated patient, and what a network is taught with.

    ``lesions`` holds the number of the lesion in each voxel (1 is the index lesion), uint8, and ``share`` which part
    of it is lesion, float32 from 0 to 1; ``n_baseline`` counts the phases before contrast; ``label``, ``entity`` and
    ``clinical`` are as in `SimulatedCase`.
    """

    series: DynamicSeries
    lesions: Volume
    share: Volume
    n_baseline: int
    label: str
    entity: str
    clinical: dict[str, Any]


def random_protocol(seed: int) -> Protocol:
    """Draw a scanner and protocol; the ranges are ours and span what clinics use.

    Parameters
    ----------
    seed : int
        Not negative; the same seed gives the same scanner.

    Returns
    -------
    Protocol
        Its ``hospital`` is ``"drawn"``; neither hospital A nor B, though both lie within the ranges.

    Examples
    --------
    >>> random_protocol(1) == random_protocol(1), random_protocol(1) == random_protocol(2)
    (True, False)
    """
    rng = stream(seed, "scanner")
    rhythm = np.asarray(protocol_of("A").times_s) * rng.uniform(0.85, 1.35)
    return replace(
        protocol_of("A"),
        hospital="drawn",
        field_strength_t=3.0 if rng.random() < 0.5 else 1.5,
        manufacturer="simulated",
        tr_ms=float(rng.uniform(3.5, 6.0)),
        te_ms=float(rng.uniform(1.2, 2.4)),
        flip_deg=float(rng.uniform(10.0, 25.0)),
        times_s=tuple(np.round(rhythm, 2).tolist()),
        field_of_view_mm=float(rng.uniform(200.0, 280.0)),
        slab_mm=float(rng.uniform(84.0, 120.0)),
        fat_suppression=float(rng.choice([0.0, rng.uniform(0.0, 1.0)])),
        tilt_deg=float(rng.normal(0.0, 5.0)),
    )


def simulate_dynamic(
    seed: int,
    *,
    protocol: Protocol | None = None,
    size: tuple[int, int, int] = (128, 128, 24),
    n_phases: int = 10,
    snr: float | None = None,
    motion: Any = "usual",
    entity: Entity | None = None,
) -> DynamicCase:
    """Simulate the dynamic series of one patient in any protocol; cheaper than `simulate_case`.

    Parameters
    ----------
    seed : int
        The patient; the same as in `simulate_case`, so seeds for training and for tests must differ.
    protocol : Protocol, optional
        Hospital A's if not given.
    size, n_phases, snr, motion
        As for `simulate_case`.
    entity : Entity, optional
        The disease; drawn with the patient if not given.

    Returns
    -------
    DynamicCase

    Examples
    --------
    >>> case = simulate_dynamic(3, size=(32, 32, 4), protocol=random_protocol(3))
    >>> case.series.signal.shape, case.series.record["hospital"]
    ((10, 4, 32, 32), 'drawn')
    """
    scanner = protocol_of("A") if protocol is None else protocol
    patient = Patient.draw(seed, entity=entity)
    rng = stream(seed, "timing")
    times = scanner.times(n_phases, rng)
    n_baseline = 2 if n_phases > 4 and rng.random() < 0.75 else 1
    before, after = times[n_baseline - 1], times[n_baseline]
    blood = BloodCurve(arrival_s=float(before + rng.uniform(0.3, 0.9) * (after - before)))
    place = stream(seed, "position")
    centre = patient.lesions[0].frame.centre + place.normal(0.0, (3.0, 3.0, 4.0))
    grid = scanner.series_grid(size, centre, scanner.tilt_deg + place.normal(0.0, 2.0))
    images = image_dynamic(
        patient, scanner, blood,
        times_s=times, geometry=grid, motion=motion_of(motion, seed, n_phases), n_baseline=n_baseline,
        snr=scanner.snr if snr is None else snr,
    )  # fmt: skip
    acquisition = Acquisition(
        repetition_time_ms=scanner.tr_ms, echo_time_ms=scanner.te_ms, flip_angle_deg=scanner.flip_deg,
        field_strength_t=scanner.field_strength_t, modality="MR", others={"simulated": "yes"},
    )  # fmt: skip
    record = {"simulated": True, "seed": seed, "hospital": scanner.hospital}
    series = DynamicSeries(
        images.signal, times, grid, "simulated",
        acquisition=acquisition, name=f"simulated-{scanner.hospital}-{seed:05d}", record=record,
    )  # fmt: skip
    numbers = np.where(images.shares.max(axis=0) >= 0.5, images.shares.argmax(axis=0) + 1, 0).astype(np.uint8)
    share = np.minimum(images.shares.sum(axis=0), 1.0).astype(np.float32)
    return DynamicCase(
        series, Volume(numbers, grid, name="lesions", unit="1"), Volume(share, grid, name="share", unit="1"),
        n_baseline, patient.label, patient.entity.name, dict(patient.clinical),
    )  # fmt: skip


def teaching_case(seed: int, *, near: bool = False, size: tuple[int, int, int] = (128, 128, 24)) -> DynamicCase:
    """Simulate a case to teach with: even seeds at hospital A, odd ones at a drawn scanner, each with noise of its own.

    Parameters
    ----------
    seed : int
        Of the patient.
    near : bool
        Show 120 to 150 mm about the index lesion instead of the whole trunk: a third of the work.
    size : tuple of int
        Voxels along (x, y, z); a near case has as many as its field of view needs at the same voxel size.

    Returns
    -------
    DynamicCase
        Its SNR is drawn between 14 and 50 and stands in the series' record. Voxels of 1.9 mm average four of those of
        0.9 mm that a scanner measures, which doubles their SNR; hence a range above the hospitals' own.

    Examples
    --------
    >>> teaching_case(4, near=True, size=(48, 48, 6)).series.signal.shape[0]
    10
    """
    rng = stream(seed, "teaching")
    protocol = protocol_of("A") if seed % 2 == 0 else random_protocol(seed)
    if near:
        field = float(rng.uniform(*NEAR_MM))
        voxels = max(32, round(field / protocol.field_of_view_mm * max(size[:2])))
        protocol, size = replace(protocol, field_of_view_mm=field), (voxels, voxels, size[2])
    return _noisy(seed, protocol, size)


def harder_case(seed: int, *, size: tuple[int, int, int] = (128, 128, 24)) -> DynamicCase:
    """Simulate a whole case of what a network misses most: blastic metastases in every other, slices of any thickness.

    Every fourth seed is at hospital A, all others at a drawn scanner.

    Parameters
    ----------
    seed : int
        Of the patient.
    size : tuple of int
        Voxels along (x, y) and the usual number of slices; 0.6 to 1.3 times as many are drawn.

    Returns
    -------
    DynamicCase
        With noise as in `teaching_case`.

    Examples
    --------
    >>> harder_case(7, size=(32, 32, 10)).series.geometry.size[2] in range(6, 14)
    True
    """
    rng = stream(seed, "harder")
    entity = entity_named("blastic_metastasis") if rng.random() < BLASTIC else None
    slices = round(size[2] * float(rng.uniform(*SLICES)))
    protocol = random_protocol(seed) if seed % 4 else protocol_of("A")
    return _noisy(seed, protocol, (size[0], size[1], slices), entity)


def _noisy(seed: int, protocol: Protocol, size: tuple[int, int, int], entity: Entity | None = None) -> DynamicCase:
    snr = float(np.exp(stream(seed, "snr").uniform(np.log(SNR[0]), np.log(SNR[1]))))
    case = simulate_dynamic(seed, protocol=protocol, size=size, snr=snr, entity=entity)
    return replace(case, series=replace(case.series, record={**case.series.record, "snr": snr}))
