"""Hold this installation against answers that are known: a simulated case and its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.case import ParameterMaps
    from spinekit.phantom import SimulatedCase

__all__ = ["compare_with_truth"]

CASE_SEED, SIZE = 4, (128, 128, 16)  # one case whose answers are known; small, so that the check takes seconds


def compare_with_truth() -> pd.DataFrame:
    """Simulate a case, measure it, and compare with what it was made from; nothing in it says anything of patients.

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
    again = simulate_case(CASE_SEED, size=SIZE)
    roi = grow_region(noisy.series, [noisy.seed_ijk], n_baseline=noisy.n_baseline)
    overlap = dice(roi.mask, noisy.lesion.mask)
    exact = parameter_maps(clean.series, n_baseline=clean.n_baseline)
    measured = parameter_maps(noisy.series, n_baseline=noisy.n_baseline)
    rows = [
        ("the same seed gives the same series", bool((noisy.series.signal == again.series.signal).all()), "identical"),
        ("overlap of the grown region with the lesion, Dice", overlap, "at least 0.80"),
        ("peak enhancement without noise, error", _peak_error(exact, clean, clean), "at most 0.001"),
        ("peak enhancement with noise, error", _peak_error(measured, clean, noisy), "at most 0.10"),
    ]
    reached = [rows[0][1], overlap >= 0.80, rows[2][1] <= 0.001, rows[3][1] <= 0.10]
    table = pd.DataFrame(rows, columns=["check", "found", "limit"]).assign(reached=reached)
    return table.set_index("check")


def _peak_error(maps: ParameterMaps, truth: SimulatedCase, measured: SimulatedCase) -> float:
    """Return the median error, relative to the truth, of the peak enhancement over the lesion.

    The truth is computed here from the noise-free signal by definition, not by `parameter_maps`.
    """
    signal = truth.series.signal[:, measured.lesion.mask].astype(np.float64)
    baseline = signal[: truth.n_baseline].mean(axis=0)
    known = signal[truth.n_baseline :].max(axis=0) / baseline - 1
    found = maps["relative_enhancement_peak"].values[measured.lesion.mask]
    return float(np.nanmedian(np.abs(found - known) / known))
