"""Kinetic maps of a series: one compiled pass, by stated conventions, NaN with a reason."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume, require_baseline
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import require_same_grid
from spinekit.kinetics.denoise import denoised
from spinekit.kinetics.descriptive import area_weights, last_early_phase, unknown_convention
from spinekit.kinetics.quantitative import QUANTITATIVE, Input, quantitative_maps
from spinekit.quantities import QUANTITIES
from spinekit.settings import Kinetics

__all__ = ["DESCRIPTIVE", "parameter_maps"]

DESCRIPTIVE = (
    "relative_enhancement_peak", "time_to_peak", "bolus_arrival_time", "wash_in_slope", "wash_out_slope",
    "steepest_wash_in", "wash_out_ratio", "signal_enhancement_ratio", "auc60", "curve_type",
)  # fmt: skip
AREA_S = 60.0
THREADS = min(4, os.cpu_count() or 1)  # the pass is bound by memory; more threads gain nothing
WASH_OUT = ("lang2013", "lang2017")
ARRIVAL = ("baseline", "onset")
COARSE_STEP_S = 30.0  # arrival cannot be told better than the step between phases
RUN = 16384  # voxels from which 256 are looked at for contrast agent in the baseline
RISE_IN_BASELINE = 0.10  # of the peak rise: then a "baseline" phase has contrast agent in it


@dataclass(frozen=True)
class Plan:
    """The numbers that the conventions come down to for the times of one series."""

    n_baseline: int
    bat_s: float
    area: Any
    early: int
    late: int
    last_early: int
    wash_out: str
    late_weights: Any
    onset: bool


def parameter_maps(
    series: DynamicSeries,
    n_baseline: int = 1,
    within: Roi | None = None,
    *,
    names: Iterable[str] | None = None,
    settings: Kinetics | None = None,
    t1: Volume | None = None,
    arterial: Input | None = None,
) -> ParameterMaps:
    """Compute the kinetic maps of a series.

    Parameters
    ----------
    series : DynamicSeries
        At least 3 phases; with 2 only the peak enhancement can be had.
    n_baseline : int
        Number of leading phases before the contrast agent.
    within : Roi, optional
        Compute inside this region only; NaN outside.
    names : iterable of str, optional
        Which maps; all descriptive ones if not given. ktrans, kep, ve and vp have to be asked for: they need
        repetition time, flip angle and a T1, and take longer.
    settings : Kinetics, optional
        Conventions: arrival, wash-out, early phase of SER, arterial input, assumed T1; whether the series is denoised
        first (`spinekit.denoised`).
    t1 : Volume, optional
        Measured T1, s, for the quantitative maps; without it ``settings.assumed_t1_ms`` has to state one.
    arterial : Input, optional
        Measured arterial input (`image_derived_aif`) instead of the population curve of the settings.

    Returns
    -------
    ParameterMaps
        float32 volumes by name; NaN where undefined, with counts by reason in ``undefined``; the
        conventions and phase times used in ``record``, those of the quantitative maps and why they are
        exploratory in ``record["quantitative"]``.

    Raises
    ------
    InputRefusedError
        ``too-few-phases``, ``value-out-of-range`` (n_baseline), ``choice-unknown``; ``protocol-insufficient``
        for quantitative maps without repetition time, flip angle or T1.
    GridMismatchError
        If `within` is on another grid.

    References
    ----------
    OSIPI CAPLEX; Lang 2013 (Magn Reson Imaging 31:1285); Lang 2017 (Acad Radiol); Kuhl 1999.
    """
    wanted = _wanted(names, series.n_phases)
    chosen = settings or Kinetics()
    plan = _plan(series, n_baseline, chosen)
    if within is not None:
        require_same_grid(within.geometry, series.geometry, names=("ROI", "series"))
    if chosen.denoise:
        series = denoised(series, within)
    fitted = _fitted(series, n_baseline, within, chosen, t1, arterial) if set(wanted) & set(QUANTITATIVE) else None
    described = tuple(name for name in wanted if name in DESCRIPTIVE)
    rows, reasons = _compute(series, plan, within, described) if described else ({}, {})
    volumes = {name: Volume(rows[name], series.geometry, name, QUANTITIES[name].unit) for name in described}
    undefined = {name: _reasons_of(name, plan, reasons) for name in described}
    record, warnings = _record(series, plan, within), _warnings(series, plan, within)
    if fitted is not None:
        volumes = {name: volumes[name] if name in volumes else fitted[name] for name in wanted}
        undefined = {name: undefined[name] if name in undefined else dict(fitted.undefined[name]) for name in wanted}
        record["quantitative"] = dict(fitted.record)
        warnings = (*warnings, *fitted.warnings)
    return ParameterMaps(volumes, series.geometry, undefined, record, warnings)


def _fitted(
    series: DynamicSeries, n_baseline: int, within: Roi | None, chosen: Kinetics, t1: Volume | None, blood: Input | None
) -> ParameterMaps:
    assumed = chosen.assumed_t1_ms / 1000.0 if chosen.assumed_t1_ms > 0 else None
    return quantitative_maps(
        series, n_baseline, within, t1=assumed if t1 is None else t1, arterial=blood or chosen.arterial_input
    )


def _wanted(names: Iterable[str] | None, n_phases: int) -> tuple[str, ...]:
    wanted = DESCRIPTIVE if names is None else tuple(names)
    unknown = [name for name in wanted if name not in (*DESCRIPTIVE, *QUANTITATIVE)]
    if unknown:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The map '{unknown[0]}' was asked for.",
            expected=f"Names out of {', '.join((*DESCRIPTIVE, *QUANTITATIVE))}.",
            cause="The name may be misspelt.",
            cure="Use a name from spinekit.quantities.",
        )
    if n_phases < 3 and wanted != ("relative_enhancement_peak",):
        raise InputRefusedError(
            "too-few-phases",
            found=f"The series has {n_phases} phases.",
            expected="At least 3 for maps over time.",
            cause="Only a scan before and one after the contrast agent were exported.",
            cure='Export all phases, or ask for names=["relative_enhancement_peak"] alone.',
        )
    return wanted


def _plan(series: DynamicSeries, n_baseline: int, chosen: Kinetics) -> Plan:
    require_baseline(n_baseline, series.n_phases)
    if chosen.wash_out not in WASH_OUT:
        raise unknown_convention(chosen.wash_out)
    if chosen.arrival not in ARRIVAL:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The arrival method '{chosen.arrival}' was asked for.",
            expected="'baseline' (the last phase before the contrast agent) or 'onset' (each voxel's own).",
            cause="The name may be misspelt.",
            cure="Correct kinetics.arrival in the settings.",
        )
    times = series.times_s
    bat_s = float(times[n_baseline - 1])
    early = n_baseline
    if chosen.ser_early_s > 0:
        early = max(n_baseline, int(np.abs(times - (bat_s + chosen.ser_early_s)).argmin()))
    return Plan(
        n_baseline,
        bat_s,
        area_weights(times, bat_s=bat_s, length_s=AREA_S),
        early,
        series.n_phases - 1,
        last_early_phase(times, n_baseline=n_baseline, bat_s=bat_s),
        chosen.wash_out,
        area_weights_at(times, bat_s + 67.0),
        chosen.arrival == "onset",
    )


def area_weights_at(times_s: Any, at_s: float) -> Any:
    """Return weights whose sum with the signal is its value at one time; None outside the measured time."""
    if not times_s[0] <= at_s <= times_s[-1]:
        return None
    weights = np.zeros(times_s.size)
    after = int(np.clip(np.searchsorted(times_s, at_s, side="right"), 1, times_s.size - 1))
    share = (at_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1])
    weights[after - 1], weights[after] = 1.0 - share, share
    return weights


def _compute(
    series: DynamicSeries, plan: Plan, within: Roi | None, wanted: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, int]]:
    from spinekit.kinetics.kernel import BLOCK, MAPS, N_SIX, REASONS, describe_blocks

    n_phases, shape = series.n_phases, series.geometry.shape_zyx
    flat = series.signal.reshape(n_phases, -1) if within is None else series.signal[:, within.mask]
    flat = np.ascontiguousarray(flat, dtype=np.float32)
    extra = any(MAPS.index(name) >= N_SIX for name in wanted)
    out = np.empty((len(MAPS) if extra else N_SIX, flat.shape[1]), dtype=np.float32)
    counts = np.zeros((-(-flat.shape[1] // BLOCK), len(REASONS)), dtype=np.int64)
    nothing = np.full(n_phases, np.nan, dtype=np.float32)
    arguments: tuple[Any, ...] = (
        series.times_s.astype(np.float32),
        plan.n_baseline,
        np.float32(plan.bat_s),
        np.zeros(n_phases, np.float32) if plan.area is None else plan.area.astype(np.float32),
        plan.area is not None,
        plan.early,
        plan.late,
        plan.last_early,
        WASH_OUT.index(plan.wash_out),
        nothing if plan.late_weights is None else plan.late_weights.astype(np.float32),
        plan.onset,
        extra,
    )
    parts = np.linspace(0, len(counts), THREADS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as pool:  # the kernel releases the interpreter's lock
        done = [pool.submit(describe_blocks, flat, out, counts, a, b, *arguments) for a, b in pairwise(parts)]
        for part in done:
            part.result()
    reasons = dict(zip(REASONS, (int(n) for n in counts.sum(axis=0)), strict=True))
    if within is None:
        return {name: out[MAPS.index(name)].reshape(shape) for name in wanted}, reasons
    rows = {name: np.full(shape, np.nan, dtype=np.float32) for name in wanted}
    for name, row in rows.items():
        row[within.mask] = out[MAPS.index(name)]
    return rows, reasons


def _reasons_of(name: str, plan: Plan, reasons: dict[str, int]) -> dict[str, int]:
    """Return the reasons for which a map is undefined, with the number of voxels."""
    not_finite, no_base, no_uptake, peak_last, no_late, no_rise = reasons
    which = {
        "signal_enhancement_ratio": (not_finite, no_base, no_late),
        "auc60": (not_finite, no_base),
        "steepest_wash_in": (not_finite, no_base, no_rise),
        "wash_out_slope": (not_finite, no_base, no_uptake, peak_last),
    }.get(name, (not_finite, no_base, no_uptake))
    told = {reason: reasons[reason] for reason in which if reasons[reason]}
    if (name == "auc60" and plan.area is None) or (
        name == "wash_out_ratio" and plan.wash_out == "lang2017" and plan.late_weights is None
    ):
        told["the series ends before the interval does"] = -1
    return told


def _record(series: DynamicSeries, plan: Plan, within: Roi | None) -> dict[str, Any]:
    times = series.times_s
    return {
        "n_baseline": plan.n_baseline,
        "baseline_phases_s": [float(t) for t in times[: plan.n_baseline]],
        "bolus_arrival": "each voxel's own onset" if plan.onset else "last baseline phase",
        "bolus_arrival_s": plan.bat_s,
        "auc60_interval_s": [plan.bat_s, plan.bat_s + AREA_S],
        "ser_early_phase_s": float(times[plan.early]),
        "ser_late_phase_s": float(times[plan.late]),
        "wash_out_convention": plan.wash_out,
        "curve_type_early_phases_s": [float(times[plan.n_baseline]), float(times[plan.last_early])],
        "curve_type_plateau": "a change of up to 10 % from the early maximum to the last phase",
        "within_roi": within is not None,
        "denoised": dict(series.record["denoised"]) if "denoised" in series.record else None,
        "simulated": bool(series.record.get("simulated", False)),
    }


def _warnings(series: DynamicSeries, plan: Plan, within: Roi | None) -> tuple[str, ...]:
    told = []
    times = series.times_s
    step = float(times[plan.n_baseline] - times[plan.n_baseline - 1])
    if step > COARSE_STEP_S:
        text = (
            f"The first phase with contrast agent comes {step:.0f} s after the last one without: arrival, time to "
            "peak and slopes are known no better than that."
        )
        told.append(coded_warning("arrival-not-sampled", text))
    if plan.area is None:
        text = f"The series ends before {plan.bat_s + AREA_S:.0f} s: the area of the first 60 s is undefined."
        told.append(coded_warning("series-short", text))
    rise = _rise_in_baseline(series, plan.n_baseline, within)
    if rise > RISE_IN_BASELINE:
        text = (
            f"Between the first and the last of the {plan.n_baseline} baseline phases the enhancing voxels rise by "
            f"{100 * rise:.0f} % of their peak: a phase with contrast agent may be counted as baseline."
        )
        told.append(coded_warning("baseline-rises", text))
    return tuple(told)


def _rise_in_baseline(series: DynamicSeries, n_baseline: int, within: Roi | None) -> float:
    """Return how much of the enhancing voxels' rise falls into the claimed baseline, 0 for one phase.

    Enhancing are the voxels whose rise is in the top twentieth of those that are looked at: in a large series
    runs of 256 out of RUN, since single voxels here and there would cost a whole read of the memory.
    """
    if n_baseline < 2:
        return 0.0
    sample = series.signal.reshape(series.n_phases, -1) if within is None else series.signal[:, within.mask]
    runs = sample.shape[1] // RUN
    if runs > 8:
        sample = sample[:, : RUN * runs].reshape(series.n_phases, runs, RUN)[:, :, :256].reshape(series.n_phases, -1)
    rise = sample[n_baseline:].max(axis=0) - sample[0]
    strong = rise >= np.nanquantile(rise, 0.95)
    total = float(rise[strong].mean(dtype=np.float64))
    within_baseline = float((sample[n_baseline - 1] - sample[0])[strong].mean(dtype=np.float64))
    return within_baseline / total if total > 0 else 0.0
