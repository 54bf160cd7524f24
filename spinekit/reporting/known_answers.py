"""Hold this installation against answers that are known: a simulated case and its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.case import ParameterMaps
    from spinekit.phantom import SimulatedCase

__all__ = ["compare_with_truth", "in_colour"]

CASE_SEED, SIZE = 4, (128, 128, 16)  # one case whose answers are known; small, so that the check takes seconds


def compare_with_truth() -> pd.DataFrame:
    """Simulate a case, measure it, and compare with what it was made from; nothing in it says anything of patients.

    Beside the case stand a curve in closed form and a published one.

    Returns
    -------
    DataFrame
        One row per check: what was asked, what was found, the limit, and whether it was ``reached``.
    """
    import pandas as pd

    from spinekit.kinetics import parameter_maps
    from spinekit.phantom import simulate_case

    noisy = simulate_case(CASE_SEED, size=SIZE)
    clean = simulate_case(CASE_SEED, size=SIZE, snr=float("inf"))
    once, again = (simulate_case(CASE_SEED, size=(48, 48, 6)).series.signal for _ in range(2))
    roi = grow_region(noisy.series, [noisy.seed_ijk], n_baseline=noisy.n_baseline)
    exact = parameter_maps(clean.series, n_baseline=clean.n_baseline)
    measured = parameter_maps(noisy.series, n_baseline=noisy.n_baseline)
    same = float((once == again).mean())
    rows: list[tuple[str, float, float, str]] = [
        ("voxels that the same seed makes again, share", same, 1.0, "at least"),
        ("overlap of the grown region with the lesion, Dice", dice(roi.mask, noisy.lesion.mask), 0.80, "at least"),
        ("peak enhancement without noise, error", _peak_error(exact, clean, clean), 0.001, "at most"),
        ("peak enhancement with noise, error", _peak_error(measured, clean, noisy), 0.10, "at most"),
        *_kinetics(clean, noisy),
        ("Tofts curve of known parameters, error of Ktrans", _tofts_error(), 0.001, "at most"),
        ("Parker's curve at its first peak, mM, error", _parker_error(), 1e-12, "at most"),
    ]
    table = pd.DataFrame(rows, columns=["check", "found", "limit", "bound"])
    reached = [f >= v if kind == "at least" else f <= v for _, f, v, kind in rows]
    table["limit"] = [f"{kind} {value:g}" for _, _, value, kind in rows]
    table["reached"] = reached
    return table.drop(columns="bound").set_index("check")


def in_colour(answers: pd.DataFrame) -> Any:
    """Return the table with each line green or red, and the word beside the colour for those who see neither."""
    shown = answers.assign(reached=answers["reached"].map({True: "reproduced", False: "NOT REPRODUCED"}))

    def paint(row: pd.Series) -> list[str]:
        colour = "#d9f2df" if row["reached"] == "reproduced" else "#f8d0d0"
        return [f"background-color: {colour}"] * len(row)

    return shown.style.apply(paint, axis=1).format({"found": "{:.4g}"})


def _kinetics(clean: SimulatedCase, noisy: SimulatedCase) -> list[tuple[str, float, float, str]]:
    """Fit where voxels hold the lesion alone: Ktrans without noise voxel by voxel, with noise its mean."""
    from scipy.ndimage import binary_erosion

    from spinekit.case import Roi
    from spinekit.kinetics.quantitative import Input, quantitative_maps

    found = []
    core = Roi(binary_erosion(clean.lesion.mask), clean.series.geometry)
    true = clean.ktrans.values[core.mask].astype(np.float64)
    for case in (clean, noisy):
        blood = Input(case.times_s, case.arterial_mm, "the truth", measured=True)
        maps = quantitative_maps(case.series, case.n_baseline, core, t1=case.t1, arterial=blood)
        found.append(maps["ktrans"].values[core.mask].astype(np.float64))
    exact = float(np.nanmedian(np.abs(found[0] / true - 1)))
    bias = abs(float(np.nanmean(found[1]) / true.mean() - 1))
    return [
        ("Ktrans with the true arterial input, error without noise", exact, 0.01, "at most"),
        ("Ktrans with the true arterial input, bias with noise", bias, 0.05, "at most"),
    ]


def _tofts_error() -> float:
    """Fit a curve made in closed form from a bi-exponential input, and return the relative error of Ktrans."""
    from spinekit.kinetics.fit import fit_tofts
    from spinekit.phantom.contrast import BloodCurve

    blood = BloodCurve(arrival_s=20.0)
    times, fine = np.arange(0.0, 300.0, 5.0), np.arange(0.0, 301.0, 0.25)
    tissue = blood.tissue(times, ktrans_per_min=0.11, kep_per_min=0.9, vp=0.02)
    fit = fit_tofts(tissue, times, blood.concentration(fine), plasma_times_s=fine)
    return float(abs(fit.ktrans_per_min / 0.11 - 1))


def _parker_error() -> float:
    """Return the difference from the published formula at 0.17046 min, written out here."""
    from spinekit.kinetics.aif import parker_aif

    minute = 0.17046
    peaks = 0.809 / (0.0563 * np.sqrt(2 * np.pi)) + 0.330 / (0.132 * np.sqrt(2 * np.pi)) * np.exp(
        -((minute - 0.365) ** 2) / (2 * 0.132**2)
    )
    tail = 1.050 * np.exp(-0.1685 * minute) / (1 + np.exp(-38.078 * (minute - 0.483)))
    return float(abs(parker_aif([60 * minute], hematocrit=0.0)[0] - peaks - tail))


def _peak_error(maps: ParameterMaps, truth: SimulatedCase, measured: SimulatedCase) -> float:
    """Return the median error, relative to the truth, of the peak enhancement over the lesion.

    The truth is computed here from the noise-free signal by definition, not by `parameter_maps`.
    """
    signal = truth.series.signal[:, measured.lesion.mask].astype(np.float64)
    baseline = signal[: truth.n_baseline].mean(axis=0)
    known = signal[truth.n_baseline :].max(axis=0) / baseline - 1
    found = maps["relative_enhancement_peak"].values[measured.lesion.mask]
    return float(np.nanmedian(np.abs(found - known) / known))
