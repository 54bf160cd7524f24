"""Ktrans, kep, ve and vp of a series, by (extended) Tofts; exploratory unless the protocol supports them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume, require_baseline
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import require_same_grid
from spinekit.kinetics.aif import BIEXPONENTIAL, HEMATOCRIT, biexponential_aif, parker_aif
from spinekit.kinetics.delay import SHARING, region_delay
from spinekit.kinetics.fit import fit_tofts
from spinekit.kinetics.signal import RELAXIVITY_PER_MM_S, concentration_from_signal
from spinekit.quantities import QUANTITIES

__all__ = ["BLOOD_T1_S", "POPULATION", "QUANTITATIVE", "Input", "image_derived_aif", "quantitative_maps"]

QUANTITATIVE = ("ktrans", "kep", "ve", "vp")
POPULATION = ("parker", *BIEXPONENTIAL)
BLOOD_T1_S = 1.6  # arterial blood at 3 T (Lu 2004, Magn Reson Med 52:679: 1.62 s); 1.4 s at 1.5 T
FINE_S = 1.0  # step of a population curve: it changes within seconds
SPARE_S = 6.0  # of delay beyond the interval in which the bolus arrived
EARLY_S = 3.0  # before a measured input: an estimate that may not err below 0 is too late, and Ktrans too low
ENOUGH_PHASES = 20
CHUNK = 65536  # voxels whose concentration is held at a time, so that a whole series costs little memory
STEP_S, LENGTH_S = 5.0, 180.0  # what a quantitative protocol keeps to (QIBA DCE profile: at most 5 s, at least 5 min)


@dataclass(frozen=True)
class Input:
    """An arterial input: plasma concentration (mM) at times (s after the first phase), and where it came from."""

    times_s: Any
    plasma_mM: Any
    source: str
    measured: bool


def image_derived_aif(
    series: DynamicSeries,
    artery: Roi,
    *,
    n_baseline: int = 1,
    repetition_time_s: float | None = None,
    flip_angle_deg: float | None = None,
    blood_t1_s: float = BLOOD_T1_S,
    hematocrit: float = HEMATOCRIT,
    relaxivity_per_mM_s: float = RELAXIVITY_PER_MM_S,
) -> Input:
    """Return the arterial input measured in a region of an artery: the median over its voxels, as plasma.

    Raises
    ------
    InputRefusedError
        ``protocol-insufficient`` without repetition time and flip angle; ``value-out-of-range`` where most of
        the region is saturated.
    """
    require_same_grid(artery.geometry, series.geometry, names=("artery", "series"))
    time_s, angle = _protocol(series, repetition_time_s, flip_angle_deg)
    blood = concentration_from_signal(
        series.signal[:, artery.mask], n_baseline=n_baseline, t1_s=blood_t1_s, repetition_time_s=time_s,
        flip_angle_deg=angle, relaxivity_per_mM_s=relaxivity_per_mM_s,
    )  # fmt: skip
    whole = np.isfinite(blood).all(axis=0)
    if whole.mean() < 0.5:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"In {100 * (1 - whole.mean()):.0f} % of the artery's voxels the signal exceeds what blood can give.",
            expected="A signal that a spoiled gradient echo of blood with contrast agent can have.",
            cause="Inflow of fresh blood, saturation at the peak, or a wrong flip angle.",
            cure="Place the artery farther from the first slices of inflow, or take a population curve.",
        )
    curve = np.median(blood[:, whole], axis=1) / (1.0 - hematocrit)
    return Input(series.times_s, np.maximum(curve, 0.0), f"measured in '{artery.name}', {whole.sum()} voxels", True)


def quantitative_maps(
    series: DynamicSeries,
    n_baseline: int = 1,
    within: Roi | None = None,
    *,
    t1: float | Volume | None = None,
    arterial: str | Input = "fast",
    repetition_time_s: float | None = None,
    flip_angle_deg: float | None = None,
    model: str = "extended_tofts",
    delay_range_s: tuple[float, float] | None = None,
    shared_delay: bool | None = None,
    relaxivity_per_mM_s: float = RELAXIVITY_PER_MM_S,
) -> ParameterMaps:
    """Fit (extended) Tofts to every voxel of a series.

    Parameters
    ----------
    series : DynamicSeries
    n_baseline : int
        Phases before the contrast agent.
    within : Roi, optional
        Fit inside this region only; NaN outside.
    t1 : float or Volume
        T1 before contrast agent, s: a number is an assumption for every voxel, and recorded as one.
    arterial : {"fast", "medium", "slow", "parker"} or Input
        Population curve (Lang 2017; Parker 2006) or a measured input (`image_derived_aif`).
    repetition_time_s, flip_angle_deg : float, optional
        Those of the series' acquisition if not given.
    model : {"extended_tofts", "tofts"}
    delay_range_s : tuple of float, optional
        Where the bolus delay is looked for, s. If not given, the interval in which it arrived and 6 s more, or
        from 3 s before a measured input to 6 s after it.
    shared_delay : bool, optional
        One delay for all voxels of the region (`spinekit.kinetics.delay`). If not given, where there is a region and
        phases are more than 5 s apart: such phases cannot tell a voxel's own.
    relaxivity_per_mM_s : float

    Returns
    -------
    ParameterMaps
        ``ktrans``, ``kep``, ``ve``, ``vp``; NaN with counts by reason. ``record["exploratory"]`` lists why
        the protocol cannot support them as measurements; empty if it can. ``record["standard_error"]``
        holds the median standard error of each, ``record["shared_delay_s"]`` the delay if all voxels have one.

    Raises
    ------
    InputRefusedError
        ``protocol-insufficient`` without repetition time, flip angle or T1; ``choice-unknown``;
        ``too-few-phases``; ``value-out-of-range``.
    """
    require_baseline(n_baseline, series.n_phases)
    time_s, angle = _protocol(series, repetition_time_s, flip_angle_deg)
    where = np.flatnonzero(_mask(series, within))
    tissue_t1 = _tissue_t1(t1, series, where)
    blood = _input(arterial, series, n_baseline)
    delays = delay_range_s or _delays(series, n_baseline, blood)
    flat = series.signal.reshape(series.n_phases, -1)
    rows = np.full((len(QUANTITATIVE), flat.shape[1]), np.nan, dtype=np.float32)
    errors = np.full((len(QUANTITATIVE), where.size), np.nan, dtype=np.float32)
    undefined: Counter[str] = Counter()

    def content(part: slice) -> Any:
        return concentration_from_signal(
            flat[:, where[part]], n_baseline=n_baseline, t1_s=tissue_t1[part] if np.ndim(tissue_t1) else tissue_t1,
            repetition_time_s=time_s, flip_angle_deg=angle, relaxivity_per_mM_s=relaxivity_per_mM_s,
        )  # fmt: skip

    shared = _shares(series, within) if shared_delay is None else shared_delay
    some = slice(None, None, 1 + where.size // SHARING)
    limits = _region(content(some), series, blood, delays, model) if shared else delays
    for start in range(0, where.size, CHUNK):
        part = slice(start, start + CHUNK)
        fit = fit_tofts(
            content(part), series.times_s, blood.plasma_mM, plasma_times_s=blood.times_s, model=model,
            delay_range_s=limits,
        )  # fmt: skip
        rows[:, where[part]] = fit.ktrans_per_min, fit.kep_per_min, fit.ve, fit.vp
        errors[:, part] = [fit.errors[name] for name in QUANTITATIVE]
        undefined.update(fit.undefined)
    reasons = _exploratory(series, t1, blood)
    record = {
        "model": model,
        "arterial_input": blood.source,
        "repetition_time_s": time_s,
        "flip_angle_deg": angle,
        "relaxivity_per_mM_s": relaxivity_per_mM_s,
        "t1": f"assumed, {tissue_t1:g} s everywhere" if isinstance(tissue_t1, float) else "measured, a map",
        "delay_range_s": [float(d) for d in delays],
        "shared_delay_s": float(limits[0]) if shared and limits[0] == limits[1] else None,
        "n_baseline": n_baseline,
        "exploratory": reasons,
        "standard_error": {name: _median(row) for name, row in zip(QUANTITATIVE, errors, strict=True)},
        "within_roi": within is not None,
        "simulated": bool(series.record.get("simulated", False)),
    }
    text = f"Ktrans, kep, ve and vp are exploratory: {'; '.join(reasons)}."
    shape, grid = series.geometry.shape_zyx, series.geometry
    return ParameterMaps(
        {n: Volume(row.reshape(shape), grid, n, QUANTITIES[n].unit) for n, row in zip(QUANTITATIVE, rows, strict=True)},
        grid,
        {name: dict(undefined) for name in QUANTITATIVE},
        record,
        (coded_warning("quantities-exploratory", text),) if reasons else (),
    )


def _delays(series: DynamicSeries, n_baseline: int, blood: Input) -> tuple[float, float]:
    """Return where the delay is looked for: a population curve starts with the interval in which the bolus arrived."""
    if blood.measured:
        return -EARLY_S, SPARE_S
    return 0.0, float(series.times_s[n_baseline] - series.times_s[n_baseline - 1]) + SPARE_S


def _region(
    content: Any, series: DynamicSeries, blood: Input, delays: tuple[float, float], model: str
) -> tuple[float, float]:
    return region_delay(content, series.times_s, blood.plasma_mM, blood.times_s, delays, model)


def _shares(series: DynamicSeries, within: Roi | None) -> bool:
    return within is not None and float(np.diff(series.times_s).min()) > STEP_S


def _protocol(series: DynamicSeries, time_s: float | None, angle_deg: float | None) -> tuple[float, float]:
    told = series.acquisition
    if time_s is None and told.repetition_time_ms is not None:
        time_s = told.repetition_time_ms / 1000.0
    angle = told.flip_angle_deg if angle_deg is None else angle_deg
    if time_s is None or angle is None:
        missing = " and ".join(n for n, v in (("repetition time", time_s), ("flip angle", angle)) if v is None)
        raise _insufficient(f"The series does not tell its {missing}.", "Give repetition_time_s and flip_angle_deg.")
    return float(time_s), float(angle)


def _insufficient(found: str, cure: str) -> InputRefusedError:
    return InputRefusedError(
        "protocol-insufficient",
        found=found,
        expected="Repetition time, flip angle and a T1, from which signal becomes concentration.",
        cause="The format keeps no protocol, or T1 was not measured.",
        cure=f"{cure} Descriptive maps need none of it.",
    )


def _mask(series: DynamicSeries, within: Roi | None) -> Any:
    if within is None:
        return np.ones(series.geometry.shape_zyx, dtype=bool)
    require_same_grid(within.geometry, series.geometry, names=("ROI", "series"))
    return within.mask


def _tissue_t1(t1: float | Volume | None, series: DynamicSeries, where: Any) -> Any:
    if t1 is None:
        raise _insufficient("No T1 was given.", "Give a T1 map, or state an assumed T1 (kinetics.assumed_t1_ms).")
    if isinstance(t1, Volume):
        require_same_grid(t1.geometry, series.geometry, names=("T1 map", "series"))
        return t1.values.ravel()[where].astype(np.float64)
    if not 0.05 <= t1 <= 10.0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The T1 is {t1:g} s.",
            expected="From 0.05 to 10 s.",
            cause="It may be in milliseconds.",
            cure="Give seconds.",
        )
    return float(t1)


def _input(arterial: str | Input, series: DynamicSeries, n_baseline: int) -> Input:
    if isinstance(arterial, Input):
        return arterial
    if arterial not in POPULATION:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The arterial input '{arterial}' was asked for.",
            expected=f"One of {', '.join(POPULATION)}, or an Input.",
            cause="The name may be misspelt.",
            cure="Use 'fast', or measure it with image_derived_aif().",
        )
    arrival = float(series.times_s[n_baseline - 1])
    times = np.arange(arrival, float(series.times_s[-1]) + FINE_S, FINE_S)
    if arterial == "parker":
        return Input(times, parker_aif(times, delay_s=arrival), "population, Parker 2006", False)
    return Input(times, biexponential_aif(times, kind=arterial, delay_s=arrival), f"population, Lang {arterial}", False)


def _exploratory(series: DynamicSeries, t1: float | Volume | None, blood: Input) -> list[str]:
    reasons = []
    step, length = float(np.diff(series.times_s).min()), float(series.times_s[-1])
    if step > STEP_S:
        reasons.append(f"phases are at least {step:.0f} s apart, too far to see the first pass ({STEP_S:.0f} s)")
    if series.n_phases < ENOUGH_PHASES:
        reasons.append(f"{series.n_phases} phases leave little to judge a fit of four parameters by")
    if length < LENGTH_S:
        reasons.append(f"{length:.0f} s are too short for ve")
    if not blood.measured:
        reasons.append(f"the arterial input is not measured ({blood.source})")
    if not isinstance(t1, Volume):
        reasons.append("T1 is assumed, not measured")
    return reasons


def _median(values: Any) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
