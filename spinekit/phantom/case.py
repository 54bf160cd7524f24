"""One simulated patient, imaged: the dynamic series, the sagittal T2, and the truth behind both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
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
from spinekit.phantom.contrast import BloodCurve, spoiled_gradient_echo
from spinekit.phantom.entities import DIAGNOSES
from spinekit.phantom.lesions import Lesion
from spinekit.phantom.patient import Patient
from spinekit.phantom.protocol import Protocol, protocol_of
from spinekit.phantom.randomness import stream
from spinekit.phantom.tissue import TISSUES

__all__ = ["SimulatedCase", "simulate_case"]

GAIN = 2200.0  # brings muscle to a few hundred units, as scanners do


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
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("clinical", "kinetics", "facts"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name in ("times_s", "arterial_mm"):
            getattr(self, name).flags.writeable = False

    def __reduce__(self) -> tuple[object, ...]:
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return (SimulatedCase, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values))

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
    n_phases: int = 10,
    snr: float | None = None,
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
    n_phases : int
        At least 3; the rhythm of the protocol's ten phases is kept.
    snr : float, optional
        Mean signal of the index lesion before contrast over the noise's SD; the hospital's own if
        not given, ``inf`` for no noise.

    Returns
    -------
    SimulatedCase

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for another hospital or diagnosis, ``value-out-of-range`` for a size, number of
        phases or SNR that cannot be simulated.

    Examples
    --------
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> case.series.signal.shape, case.label in ("metastasis", "primary")
    ((10, 6, 48, 48), True)
    """
    protocol = protocol_of(hospital)
    _check(seed, size, diagnosis, n_phases, snr)
    patient = Patient.draw(seed, diagnosis=diagnosis)
    rng = stream(seed, "timing")
    times = protocol.times(n_phases, rng)
    n_baseline = 2 if n_phases > 4 and rng.random() < 0.75 else 1
    before, after = times[n_baseline - 1], times[n_baseline]
    blood = BloodCurve(arrival_s=float(before + rng.uniform(0.3, 0.9) * (after - before)))
    ratio = protocol.snr if snr is None else float(snr)
    return _image(patient, protocol, blood, times, size=size, n_baseline=n_baseline, snr=ratio)


def _check(seed: int, size: Any, diagnosis: str | None, n_phases: int, snr: float | None) -> None:
    if diagnosis is not None and diagnosis not in DIAGNOSES:
        raise InputRefusedError(
            "choice-unknown",
            found=f"diagnosis='{diagnosis}' was asked for.",
            expected=f"One of {', '.join(DIAGNOSES)}, or None to draw it.",
            cause="The study knows two groups; an entity such as 'myeloma' is not a group.",
            cure="Choose one of the two.",
        )
    if (
        seed < 0
        or len(size) != 3
        or min(size[:2]) < 16
        or size[2] < 3
        or n_phases < 3
        or (snr is not None and snr <= 0)
    ):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"seed={seed}, size={tuple(size)}, n_phases={n_phases}, snr={snr} was asked for.",
            expected="A seed of 0 or more, at least 16 x 16 x 3 voxels, 3 phases, and an SNR above 0.",
            cause="The size may be given as (z, y, x); it is (x, y, z).",
            cure="Change the argument that is out of range.",
        )


def _image(
    patient: Patient,
    protocol: Protocol,
    blood: BloodCurve,
    times: Any,
    *,
    size: tuple[int, int, int],
    n_baseline: int,
    snr: float,
) -> SimulatedCase:
    """Scan a patient twice, dynamically and with T2, and gather the truth."""
    rng = stream(patient.seed, "position")
    centre = patient.lesions[0].frame.centre + rng.normal(0.0, (3.0, 3.0, 4.0))
    grid = protocol.series_grid(size, centre, protocol.tilt_deg + rng.normal(0.0, 2.0))
    side = max(48, round(1.25 * max(size[:2])))
    t2_grid = protocol.t2_grid((side, side, 15 if size[2] >= 12 else 9), patient.anatomy.centre_mm)
    table = np.hstack([dynamic_signals(protocol, blood, times), _truth_table(protocol)])
    seen = scan(patient.anatomy, patient.lesions, grid, table, sub=_sub(grid))
    signal, truth = seen.images[: len(times)], seen.images[len(times) :]
    _add_lesions(signal, truth, seen, patient.lesions, grid, protocol, blood, times)
    lesion = Roi(seen.lesions[0] >= 0.5, grid, name="lesion", record={"simulated": True, "source": "truth"})
    signal *= GAIN * coil(grid, patient.seed, back_mm=patient.anatomy.back_mm, name="dynamic")
    sigma = 0.0 if np.isinf(snr) else float(signal[:n_baseline, lesion.mask].mean()) / snr
    if sigma > 0.0:
        signal = rician(signal, sigma, stream(patient.seed, "noise"))
    series = DynamicSeries(
        signal=signal,
        times_s=times,
        geometry=grid,
        time_source="simulated",
        acquisition=_acquisition(protocol),
        name=f"simulated-{patient.seed}",
        record={"simulated": True, "seed": patient.seed, "hospital": protocol.hospital, "snr": snr, "sigma": sigma},
    )
    t2, outline = _t2(patient, protocol, t2_grid)
    fine = np.arange(0.0, times[-1] + 1.0, 1.0)
    first = patient.lesions[0]
    return SimulatedCase(
        series=series,
        t2=t2,
        lesion=lesion,
        t2_outline=outline,
        lesions=Volume(_numbers(seen.lesions), grid, name="lesions", unit="1"),
        tissue=Volume(seen.tissue, grid, name="tissue", unit="1"),
        **_truth_volumes(truth, grid),
        label=patient.label,
        entity=patient.entity.name,
        clinical=patient.clinical,
        seed_ijk=_deep_point(lesion, truth[0]),
        n_baseline=n_baseline,
        times_s=fine,
        arterial_mm=blood.concentration(fine),
        kinetics={"ktrans": first.ktrans_per_min, "kep": first.kep_per_min, "vp": first.vp},
        facts={
            "simulated": True,
            "seed": patient.seed,
            "hospital": protocol.hospital,
            "level": first.host,
            "snr": snr,
            "sigma": sigma,
            "bolus_arrival_s": blood.arrival_s,
            "n_lesions": len(patient.lesions),
        },
    )


def _sub(grid: Geometry) -> tuple[int, int, int]:
    """Return sample points per voxel, about 0.6 mm apart in the plane and 1.5 mm across, at most 4."""
    plane = int(np.clip(np.ceil(grid.spacing_mm[0] / 0.6), 2, 4))
    return plane, plane, int(np.clip(np.ceil(grid.spacing_mm[2] / 1.5), 2, 4))


def _acquisition(protocol: Protocol) -> Acquisition:
    return Acquisition(
        repetition_time_ms=protocol.tr_ms,
        echo_time_ms=protocol.te_ms,
        flip_angle_deg=protocol.flip_deg,
        field_strength_t=protocol.field_strength_t,
        modality="MR",
        manufacturer=protocol.manufacturer,
        sequence_name=protocol.sequence_name,
        others={"simulated": "yes"},
    )


def _truth_table(protocol: Protocol) -> Any:
    """Return Ktrans, ve, vp, 1/T1 and the share of anything but air for each tissue."""
    strong = int(protocol.field_strength_t > 2.0)
    rows = []
    for t in TISSUES:
        ve = t.ktrans_per_min / t.kep_per_min if t.kep_per_min else 0.0
        rows.append([t.ktrans_per_min, ve, t.vp, 1.0 / t.t1_s[strong], 1.0])
    table = np.array(rows)
    table[0] = 0.0  # air
    return table


def _add_lesions(
    signal: Any,
    truth: Any,
    seen: Scan,
    lesions: tuple[Lesion, ...],
    grid: Geometry,
    protocol: Protocol,
    blood: BloodCurve,
    times: Any,
) -> None:
    """Add the signal of the lesions, each voxel with its own kinetics, to the images; in place."""
    strong = int(protocol.field_strength_t > 2.0)
    for lesion, share in zip(lesions, seen.lesions, strict=True):
        mask = share > 0.0
        part = share[mask]
        rates = lesion.rates(*voxel_positions(grid, mask), core=part >= 0.5)
        content = blood.tissue(times, ktrans_per_min=rates.ktrans, kep_per_min=rates.kep, vp=rates.vp)
        t1 = lesion.entity.t1_s[strong] * rates.t1_factor
        own = spoiled_gradient_echo(
            content, t1_s=t1, density=lesion.entity.density, tr_s=protocol.tr_ms / 1000.0, flip_deg=protocol.flip_deg
        )
        signal[:, mask] += (own * part[:, None]).T.astype(np.float32)
        values = np.array([rates.ktrans, rates.ktrans / rates.kep, rates.vp, 1.0 / t1, np.ones_like(t1)])
        inside = part >= 0.5
        where = tuple(axis[inside] for axis in np.nonzero(mask))
        truth[:, *where] = values[:, inside]
        truth[:, mask & (share < 0.5)] += values[:, ~inside] * part[~inside]


def _truth_volumes(truth: Any, grid: Geometry) -> dict[str, Volume]:
    body = truth[4] > 0.5
    weight = np.where(body, truth[4], 1.0)
    ktrans, ve, vp, rate = (np.where(body, v / weight, np.nan).astype(np.float32) for v in truth[:4])
    with np.errstate(invalid="ignore", divide="ignore"):
        kep = np.where(ve > 0.0, ktrans / ve, np.nan).astype(np.float32)
        t1 = (1.0 / rate).astype(np.float32)
    return {
        "ktrans": Volume(ktrans, grid, name="ktrans", unit="1/min"),
        "kep": Volume(kep, grid, name="kep", unit="1/min"),
        "ve": Volume(ve, grid, name="ve", unit="1"),
        "vp": Volume(vp, grid, name="vp", unit="1"),
        "t1": Volume(t1, grid, name="t1", unit="s"),
    }


def _numbers(shares: Any) -> Any:
    """Return the number of the lesion that fills at least half of each voxel, from 1; uint8."""
    return np.where(shares.max(axis=0) >= 0.5, shares.argmax(axis=0) + 1, 0).astype(np.uint8)


def _t2(patient: Patient, protocol: Protocol, grid: Geometry) -> tuple[Volume, Roi]:
    seen = scan(patient.anatomy, patient.lesions, grid, spin_echo_signals(protocol), sub=(2, 2, 2))
    image = seen.images[0]
    strong = int(protocol.field_strength_t > 2.0)
    for lesion, share in zip(patient.lesions, seen.lesions, strict=True):
        mask = share > 0.0
        factor = lesion.t2_factor(*voxel_positions(grid, mask))
        entity = lesion.entity
        image[mask] += share[mask] * spin_echo(protocol, entity.t1_s[strong], entity.t2_s * factor, entity.density)
    bright = float(image[seen.lesions[0] > 0.5].mean()) if (seen.lesions[0] > 0.5).any() else float(image.mean())
    image *= GAIN * coil(grid, patient.seed, back_mm=patient.anatomy.back_mm, name="t2")
    image = rician(image, GAIN * bright / protocol.t2_snr, stream(patient.seed, "t2-noise"))
    record = {"simulated": True, "source": "truth"}
    return Volume(image, grid, name="t2"), Roi(seen.lesions[0] >= 0.5, grid, name="t2_outline", record=record)


def _deep_point(lesion: Roi, ktrans: Any) -> tuple[int, int, int]:
    """Return the voxel farthest from the edge of the better enhancing half of the lesion, as (i, j, k)."""
    from scipy.ndimage import distance_transform_edt

    if not lesion.mask.any():
        raise InputRefusedError(
            "value-out-of-range",
            found="The index lesion does not fill half of any voxel.",
            expected="Voxels small enough to show the lesion.",
            cause="The size that was asked for makes voxels larger than the lesion.",
            cure="Ask for more voxels.",
        )
    inside = distance_transform_edt(np.pad(lesion.mask, 1), sampling=lesion.geometry.spacing_zyx_mm)[1:-1, 1:-1, 1:-1]
    typical = np.median(ktrans[lesion.mask])
    depth = np.where(lesion.mask & (ktrans >= typical), inside, 0.0)
    k, j, i = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(i), int(j), int(k)
