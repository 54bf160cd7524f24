"""How far the kinetic maps of simulated cases lie from the simulator's truth, without noise and at SNR 20.

Counted are voxels that hold the lesion alone (its mask less one voxel of border, where the signal is that of a mixture
and the truth the lesion's own) and that enhance: a noise-free peak above 0.3. Cases with fewer than 30 such voxels are
named and left out. For each case:

- Ktrans, with the arterial input and the T1 that the simulator keeps: bias of the lesion's mean, median relative error
  of a voxel, median size of that error; the delay looked for as `quantitative_maps` does, and known.
- Maps without noise: the largest difference of a voxel from the model in closed form, in units of the median.
- Maps at SNR 20: the median difference of a voxel from the same case without noise, and that of the lesion's mean.
- Both once more from the series as `spinekit.kinetics.denoised` gives it.

The wash-out ratio passes through 0, so that it is told in units of the median peak.
Run: ``python benchmarks/phantom_maps.py [CASES] [FIRST_SEED] [SIDE]``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion

import spinekit as sk
from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.kinetics import denoised, quantitative_maps
from spinekit.kinetics.quantitative import Input
from spinekit.kinetics.signal import spgr_signal
from spinekit.phantom import SimulatedCase, simulate_case
from spinekit.phantom.contrast import BloodCurve

CASES, FIRST, SIDE, SLICES = 10, 7300, 160, 16
SNR = 20.0
LEAST = 30  # voxels
PEAK = 0.3  # what enhances
PEAK_MAP = "relative_enhancement_peak"
WAYS = (("free", "delay looked for"), ("known", "delay known"), ("quiet", "denoised"), ("clean", "no noise"))
MAPS = (PEAK_MAP, "steepest_wash_in", "wash_out_ratio", "wash_in_slope", "wash_out_slope")


def ktrans_errors(
    case: SimulatedCase, core: Any, *, delay_range_s: tuple[float, float] | None = None, quiet: bool = False
) -> tuple[float, ...]:
    """Return bias of the mean, median relative error, its median size, and the share of voxels that have a Ktrans."""
    blood = Input(case.times_s, case.arterial_mm, "the truth", measured=True)
    roi = sk.Roi(core, case.series.geometry)
    series = denoised(case.series, roi) if quiet else case.series
    maps = quantitative_maps(
        series, case.n_baseline, roi, t1=case.t1, arterial=blood, delay_range_s=delay_range_s
    )  # fmt: skip
    found, true = maps["ktrans"].values[core].astype(float), case.ktrans.values[core].astype(float)
    told = np.isfinite(found)
    share = found[told] / true[told] - 1
    bias = found[told].mean() / true[told].mean() - 1
    return float(bias), float(np.median(share)), float(np.median(np.abs(share))), float(told.mean())


def in_closed_form(case: SimulatedCase, core: Any) -> DynamicSeries:
    """Return the signal that the model has where there is nothing but lesion, and no noise."""
    content = BloodCurve(arrival_s=case.facts["bolus_arrival_s"]).tissue(
        case.series.times_s, ktrans_per_min=case.ktrans.values[core], kep_per_min=case.kep.values[core],
        vp=case.vp.values[core],
    )  # fmt: skip
    told = case.series.acquisition
    signal = spgr_signal(
        content.T, t1_s=case.t1.values[core], repetition_time_s=told.repetition_time_ms / 1000,
        flip_angle_deg=told.flip_angle_deg,
    )  # fmt: skip
    grid = Geometry((int(core.sum()), 1, 1), (1.0, 1.0, 1.0))
    return DynamicSeries(signal[:, None, None, :], case.series.times_s, grid, "simulated")


def map_errors(noisy: SimulatedCase, clean: SimulatedCase, core: Any) -> dict[str, tuple[float, ...]]:
    """Return, for each map, a voxel's largest error without noise; with it that of a voxel and of the mean, twice."""
    n = clean.n_baseline
    exact = sk.parameter_maps(clean.series, n, names=MAPS)
    model = sk.parameter_maps(in_closed_form(clean, core), n, names=MAPS)
    quiet = denoised(noisy.series, sk.Roi(core, noisy.series.geometry))
    ways = [sk.parameter_maps(series, n, names=MAPS) for series in (noisy.series, quiet)]
    errors = {}
    for name in MAPS:
        here = exact[name].values[core]
        if not np.isfinite(here).any():  # a curve that rises to the end has no wash-out slope
            errors[name] = (np.nan,) * (1 + 2 * len(ways))
            continue
        scale = np.median(exact[PEAK_MAP].values[core]) if name == "wash_out_ratio" else np.nanmedian(np.abs(here))
        found = [np.nanmax(np.abs(here - model[name].values.ravel()))]
        for maps in ways:
            there = maps[name].values[core]
            told = np.isfinite(here) & np.isfinite(there)
            found += [np.median(np.abs(there - here)[told]), abs(there[told].mean() - here[told].mean())]
        errors[name] = tuple(float(value / scale) for value in found)
    return errors


def one_case(seed: int, side: int = SIDE) -> dict[str, Any]:
    """Return what is told of a case; of one with too few voxels only their number."""
    size = (side, side, SLICES)
    noisy, clean = (simulate_case(seed, size=size, snr=snr) for snr in (SNR, np.inf))
    core = binary_erosion(noisy.lesion.mask) & (noisy.ktrans.values > 0)
    peak = sk.parameter_maps(clean.series, clean.n_baseline, names=[PEAK_MAP])[PEAK_MAP].values
    strong = core & (peak > PEAK)
    found: dict[str, Any] = {"seed": seed, "entity": noisy.entity, "voxels": int(strong.sum())}
    if found["voxels"] < LEAST:
        return found
    found["free"] = ktrans_errors(noisy, strong)
    found["known"] = ktrans_errors(noisy, strong, delay_range_s=(0.0, 0.0))
    found["quiet"] = ktrans_errors(noisy, strong, quiet=True)
    found["clean"] = ktrans_errors(clean, strong)
    found["maps"] = map_errors(noisy, clean, strong)
    return found


def print_ktrans(cases: list[dict[str, Any]]) -> None:
    """Print the errors of Ktrans case by case, and over the cases."""
    print(
        f"\nKtrans at SNR {SNR:g}, %: bias of the mean, median error of a voxel, its median size, voxels that have one"
    )
    print(f"{'seed':>6} {'disease':20}{'voxels':>7}{''.join(f'{label:>24}' for _, label in WAYS)}")
    for case in cases:
        parts = "".join(f"{_percent(case[way]):>24}" for way, _ in WAYS)
        print(f"{case['seed']:6} {case['entity']:20}{case['voxels']:7}{parts}")
    for n, what in enumerate(("bias of the mean", "median error of a voxel")):
        for way, label in WAYS:
            values = 100 * np.array([case[way][n] for case in cases])
            worst = values[np.abs(values).argmax()]
            print(f"{what}, {label}: mean {values.mean():+.1f}, median {np.median(values):+.1f}, worst {worst:+.1f} %")


def print_maps(cases: list[dict[str, Any]]) -> None:
    """Print the errors of the maps over the cases."""
    columns = "".join(f"{label:>18}" for label in ("a voxel", "the mean", "a voxel, denoised", "mean, denoised"))
    print(f"\n{'median and largest of cases, %':28}{'no noise, worst voxel':>24}{columns}")
    for name in MAPS:
        values = 100 * np.array([case["maps"][name] for case in cases])
        cells = [f"{np.nanmedian(v):.2f}, {np.nanmax(v):.2f}" for v in values.T]
        print(f"{name:28}{cells[0]:>24}{''.join(f'{cell:>18}' for cell in cells[1:])}")


def _percent(values: tuple[float, ...]) -> str:
    bias, middle, size, share = (100 * v for v in values)
    return f"{bias:+.1f} {middle:+.1f} {size:.1f} {share:.0f}"


def main() -> int:
    """Print the tables; return 0."""
    given = [int(a) for a in sys.argv[1:]]
    n, first, side = (*given, *(CASES, FIRST, SIDE)[len(given) :])
    cases = [one_case(seed, side) for seed in range(first, first + n)]
    few = [f"{case['seed']} ({case['voxels']})" for case in cases if case["voxels"] < LEAST]
    cases = [case for case in cases if case["voxels"] >= LEAST]
    print(f"{len(cases)} simulated cases of {side} × {side} × {SLICES} voxels, seeds {first} to {first + n - 1}")
    print(f"left out, fewer than {LEAST} voxels: {', '.join(few) or 'none'}")
    if cases:
        print_ktrans(cases)
        print_maps(cases)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
