"""One simulated patient, imaged: the dynamic series, the sagittal T2, and the truth behind both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, depth_mm
from spinekit.phantom.contrast import BloodCurve
from spinekit.phantom.entities import DIAGNOSES, ENTITIES, entity_named
from spinekit.phantom.imaging import Dynamic, image_dynamic, image_t2
from spinekit.phantom.motion import motion_of
from spinekit.phantom.patient import Patient
from spinekit.phantom.protocol import Protocol, protocol_of
from spinekit.phantom.randomness import stream

__all__ = ["SimulatedCase", "simulate_case"]


@dataclass(frozen=True)
class SimulatedCase:
    """A simulated case with everything that is known about it. Nothing in it is a clinical fact.

    Attributes
    ----------
    series : DynamicSeries
        Axial, contrast enhanced; ``record["simulated"]`` is True.
    t2 : Volume
        Sagittal T2 of the same patient on its own grid.
    lesion, t2_outline : Roi
        The index lesion, on the grid of the series and on that of the T2.
    lesions : Volume
        Number of the lesion in each voxel of the series (1 is the index lesion), 0 elsewhere; uint8.
    tissue : Volume
        The tissue with the largest share in each voxel, an index into `TISSUES`; lesions follow; uint8.
    ktrans, kep, ve, vp, t1 : Volume
        Truth on the grid of the series, float32: 1/min, 1/min, 1, 1, s. In the lesions the values of
        the lesion, elsewhere the mean over the tissues in the voxel. NaN in air, and kep where nothing leaks.
    label : str
        ``"metastasis"`` or ``"primary"``.
    entity : str
        The disease.
    clinical : mapping
        Age, sex and what a request form may tell.
    seed_ijk : tuple of int
        A voxel deep inside an enhancing part of the index lesion.
    n_baseline : int
        Phases before the bolus arrives.
    times_s, arterial_mm : ndarray of shape (n,)
        Fine times in s after the first phase, and the arterial concentration (mM) at them.
    kinetics : mapping of str to float
        Ktrans, kep (1/min) and vp that were drawn for the index lesion: its means.
    motion : ndarray of shape (T, 6)
        Displacement of the patient in each phase: mm along x, y, z (LPS), degrees about them, about the
        centre of the slab; the truth is that of no displacement.
    facts : mapping
        Seed, hospital, level, SNR, bolus arrival and further settings; JSON-serialisable.
    """

    series: DynamicSeries
    t2: Volume
    lesion: Roi
    t2_outline: Roi
    lesions: Volume
    tissue: Volume
    ktrans: Volume
    kep: Volume
    ve: Volume
    vp: Volume
    t1: Volume
    label: str
    entity: str
    clinical: Mapping[str, Any]
    seed_ijk: tuple[int, int, int]
    n_baseline: int
    times_s: Any
    arterial_mm: Any
    kinetics: Mapping[str, float]
    motion: Any
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("clinical", "kinetics", "facts"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name in ("times_s", "arterial_mm", "motion"):
            getattr(self, name).flags.writeable = False

    @property
    def truth(self) -> Mapping[str, Volume]:
        """The truth maps by the names of the quantities, with ``t1``."""
        return {name: getattr(self, name) for name in ("ktrans", "kep", "ve", "vp", "t1")}


def simulate_case(
    seed: int,
    *,
    size: tuple[int, int, int] = (256, 256, 24),
    hospital: str = "A",
    diagnosis: str | None = None,
    entity: str | None = None,
    n_phases: int = 10,
    snr: float | None = None,
    motion: Any = "none",
) -> SimulatedCase:
    """Simulate one case; the same seed and arguments give the same bits.

    Parameters
    ----------
    seed : int
        Not negative.
    size : tuple of int
        Voxels of the series along (x, y, z). The field of view stays, so fewer voxels are larger.
    hospital : {"A", "B"}
        Scanner and protocol.
    diagnosis : {"metastasis", "primary"}, optional
        Drawn if not given.
    entity : str, optional
        A disease such as ``"myeloma"``, which also fixes the diagnosis; drawn if not given.
    n_phases : int
        At least 3; the rhythm of the protocol's ten phases is kept.
    snr : float, optional
        Mean signal of the index lesion before contrast over the noise's SD; the hospital's own if
        not given, ``inf`` for no noise.
    motion : {"none", "usual", "strong"} or array of shape (n_phases, 6)
        How the patient moves between phases, see `spinekit.phantom.motion.motion_of`.

    Returns
    -------
    SimulatedCase

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for another hospital, diagnosis, entity or motion, ``value-out-of-range`` for a
        size, number of phases or SNR that cannot be simulated.

    Examples
    --------
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> case.series.signal.shape, case.label in ("metastasis", "primary")
    ((10, 6, 48, 48), True)
    """
    protocol = protocol_of(hospital)
    _check(seed, size, n_phases, snr)
    _check_names(diagnosis, entity)
    patient = Patient.draw(seed, diagnosis=diagnosis, entity=None if entity is None else entity_named(entity))
    rng = stream(seed, "timing")
    times = protocol.times(n_phases, rng)
    n_baseline = 2 if n_phases > 4 and rng.random() < 0.75 else 1
    before, after = times[n_baseline - 1], times[n_baseline]
    blood = BloodCurve(arrival_s=float(before + rng.uniform(0.3, 0.9) * (after - before)))
    place = stream(seed, "position")
    centre = patient.lesions[0].frame.centre + place.normal(0.0, (3.0, 3.0, 4.0))
    grid = protocol.series_grid(size, centre, protocol.tilt_deg + place.normal(0.0, 2.0))
    side = max(48, round(1.25 * max(size[:2])))
    t2_grid = protocol.t2_grid((side, side, 15 if size[2] >= 12 else 9), patient.anatomy.centre_mm)
    displaced = motion_of(motion, seed, n_phases)
    ratio = protocol.snr if snr is None else float(snr)
    images = image_dynamic(
        patient, protocol, blood,
        times_s=times, geometry=grid, motion=displaced, n_baseline=n_baseline, snr=ratio,
    )  # fmt: skip
    t2, outline = image_t2(patient, protocol, t2_grid)
    lesion = Roi(images.shares[0] >= 0.5, grid, name="lesion", record={"simulated": True, "source": "truth"})
    first = patient.lesions[0]
    fine = np.arange(0.0, times[-1] + 1.0, 1.0)
    return SimulatedCase(
        series=_series(images, patient, protocol, times, grid, ratio),
        t2=t2,
        lesion=lesion,
        t2_outline=outline,
        lesions=Volume(_numbers(images.shares), grid, name="lesions", unit="1"),
        tissue=Volume(images.tissue, grid, name="tissue", unit="1"),
        **images.truth,
        label=patient.label,
        entity=patient.entity.name,
        clinical=patient.clinical,
        seed_ijk=_deep_point(lesion, images.truth["ktrans"]),
        n_baseline=n_baseline,
        times_s=fine,
        arterial_mm=blood.concentration(fine),
        kinetics={"ktrans": first.ktrans_per_min, "kep": first.kep_per_min, "vp": first.vp},
        motion=displaced,
        facts=_facts(patient, protocol, blood, snr=ratio, sigma=images.sigma),
    )


def _series(
    images: Dynamic, patient: Patient, protocol: Protocol, times: Any, grid: Geometry, snr: float
) -> DynamicSeries:
    acquisition = Acquisition(
        repetition_time_ms=protocol.tr_ms,
        echo_time_ms=protocol.te_ms,
        flip_angle_deg=protocol.flip_deg,
        field_strength_t=protocol.field_strength_t,
        modality="MR",
        manufacturer=protocol.manufacturer,
        sequence_name=protocol.sequence_name,
        others={"simulated": "yes"},
    )
    record = {"simulated": True, "seed": patient.seed, "hospital": protocol.hospital, "snr": snr, "sigma": images.sigma}
    return DynamicSeries(
        signal=images.signal,
        times_s=times,
        geometry=grid,
        time_source="simulated",
        acquisition=acquisition,
        name=f"simulated-{protocol.hospital}-{patient.seed:05d}",
        record=record,
    )


def _facts(patient: Patient, protocol: Protocol, blood: BloodCurve, *, snr: float, sigma: float) -> dict[str, Any]:
    first = patient.lesions[0]
    return {
        "simulated": True,
        "seed": patient.seed,
        "hospital": protocol.hospital,
        "level": first.host.name,
        "site": first.site,
        "soft_tissue": first.beyond_bone,
        "snr": snr,
        "sigma": sigma,
        "bolus_arrival_s": blood.arrival_s,
        "n_lesions": len(patient.lesions),
        "benign": [f"{change.kind} {change.level}" for change in patient.anatomy.benign],
        "kinetics_published": patient.entity.published,
        "kinetics_source": patient.entity.source,
    }


def _check_names(diagnosis: str | None, entity: str | None) -> None:
    if diagnosis is not None and diagnosis not in DIAGNOSES:
        raise InputRefusedError(
            "choice-unknown",
            found=f"diagnosis='{diagnosis}' was asked for.",
            expected=f"One of {', '.join(DIAGNOSES)}, or None to draw it.",
            cause="The study knows two groups; a disease such as 'myeloma' is an entity.",
            cure="Choose one of the two, or give entity=.",
        )
    fitting = [e.name for e in ENTITIES if diagnosis in (None, e.label)]
    if entity is not None and entity not in fitting:
        raise InputRefusedError(
            "choice-unknown",
            found=f"entity='{entity}' was asked for with diagnosis={diagnosis!r}.",
            expected=f"One of {', '.join(fitting)}, or None to draw it.",
            cause="The name may be misspelt, or belong to the other diagnosis.",
            cure="Choose one of these, or leave diagnosis out.",
        )


def _check(seed: int, size: tuple[int, int, int], n_phases: int, snr: float | None) -> None:
    sized = len(size) == 3 and min(size[:2]) >= 32 and size[2] >= 4
    if seed < 0 or not sized or n_phases < 3 or (snr is not None and not snr > 0):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"seed={seed}, size={tuple(size)}, n_phases={n_phases}, snr={snr} was asked for.",
            expected="A seed of 0 or more, at least 32 x 32 x 4 voxels, 3 phases, and an SNR above 0.",
            cause="The size may be given as (z, y, x); it is (x, y, z).",
            cure="Change the argument that is out of range.",
        )


def _numbers(shares: Any) -> Any:
    """Return the number of the lesion that fills at least half of each voxel, from 1; uint8."""
    return np.where(shares.max(axis=0) >= 0.5, shares.argmax(axis=0) + 1, 0).astype(np.uint8)


def _deep_point(lesion: Roi, ktrans: Volume) -> tuple[int, int, int]:
    """Return the voxel farthest from the edge of the better enhancing half of the lesion, as (i, j, k)."""
    if not lesion.mask.any():
        raise InputRefusedError(
            "value-out-of-range",
            found="The index lesion does not fill half of any voxel.",
            expected="Voxels small enough to show the lesion.",
            cause="The size that was asked for makes voxels larger than the lesion.",
            cure="Ask for more voxels.",
        )
    inside = depth_mm(lesion.mask, lesion.geometry.spacing_zyx_mm)
    typical = np.median(ktrans.values[lesion.mask])
    depth = np.where(lesion.mask & (ktrans.values >= typical), inside, 0.0)
    k, j, i = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(i), int(j), int(k)
