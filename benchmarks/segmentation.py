"""How near the ways to a region come to the lesion, on simulated cases: outline, one click, and naive growing.

Each case is outlined on its sagittal T2 by a reader who errs (see `spinekit.phantom.reader`) and clicked once
deep inside the lesion. Prints median and quartiles of Dice, how often a way fails, how much the region
depends on the click, and the same where a vessel, muscle or bowel beside the lesion is as bright at the peak.
Nothing here is a clinical accuracy. Run: ``python benchmarks/segmentation.py [CASES] [FIRST_SEED]``.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.phantom import SimulatedCase, simulate_case
from spinekit.phantom.reader import outlined_by_reader
from spinekit.phantom.tissue import tissue_index
from spinekit.segmentation import grow_along_outline, grow_region, seed_sensitivity
from spinekit.segmentation.agreement import dice

SIZE = (128, 128, 16)
SNR = 20.0
CASES = 40
SEEDS = 24
FIRST = 1000  # no other use of the simulator here begins there
BRIGHT = ("muscle", "artery", "vein", "viscera", "kidney")
NEAR_MM = 6.0
SHARE = 0.1  # of what is near, that counts as isointense


def is_isointense(case: SimulatedCase) -> bool:
    """Whether a good part of what is near the lesion is vessel, muscle or bowel with the lesion's peak."""
    signal = case.series.signal
    peak = signal[case.n_baseline :].max(axis=0) - signal[: case.n_baseline].mean(axis=0)
    lesion = case.lesion.mask
    away = ndimage.distance_transform_edt(~lesion, sampling=case.series.geometry.spacing_zyx_mm)
    near = (away > 0) & (away <= NEAR_MM)
    bright = np.isin(case.tissue.values, [tissue_index(n) for n in BRIGHT])
    low, high = np.quantile(peak[lesion], [0.1, 0.9])
    return bool((near & bright & (peak >= low) & (peak <= high)).sum() >= SHARE * near.sum())


def one_case(seed: int) -> dict[str, float]:
    """Return Dice with the truth for every way."""
    case = simulate_case(seed, size=SIZE, snr=SNR)
    truth, n = case.lesion.mask, case.n_baseline
    outline = outlined_by_reader(case.t2_outline, seed)
    found: dict[str, Any] = {"outline on the T2, with the true one": dice(outline.mask, case.t2_outline.mask)}
    for expand in ("area", "linear", "dilate"):
        steps = grow_along_outline(case.series, outline, expand=expand, n_baseline=n)
        if expand == "area":
            found["outline, carried (C)"] = dice(steps.carried.mask, truth)
            found["outline, fused partitions (F)"] = dice(steps.fused.mask, truth)
        found[f"outline, region (G), {expand}"] = dice(steps.roi.mask, truth)
    for method in ("curve", "confidence", "threshold"):
        found[f"one click, {method}"] = dice(
            grow_region(case.series, [case.seed_ijk], method=method, n_baseline=n).mask, truth
        )
    started = time.process_time()
    spread = seed_sensitivity(case.series, case.lesion, n_baseline=n, at_most=SEEDS)
    found["every core seed, curve: pairwise"] = spread.pairwise_dice
    found["seconds of that"] = time.process_time() - started
    found["isointense"] = is_isointense(case)
    return found


def print_table(cases: list[dict[str, float]]) -> None:
    """Print median, quartiles and failures of every way."""
    print(f"{'Dice':40}{'median':>8}{'quartiles':>14}{'below 0.7':>11}")
    for name in [n for n in cases[0] if n not in ("isointense", "seconds of that")]:
        values = np.array([case[name] for case in cases])
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        print(f"{name:40}{middle:8.3f}{f'{low:.2f} to {high:.2f}':>14}{(values < 0.7).mean():11.0%}")


def main() -> int:
    """Print the table; return 0."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    first = int(sys.argv[2]) if len(sys.argv) > 2 else FIRST
    with ProcessPoolExecutor(2) as pool:
        cases = list(pool.map(one_case, range(first, first + n)))
    size = " × ".join(str(v) for v in SIZE)
    print(f"{n} simulated cases of {size} voxels at SNR {SNR:g}, seeds {first} to {first + n - 1}")
    print_table(cases)
    alike = [case for case in cases if case["isointense"]]
    if alike:
        print(f"\n{len(alike)} of them with vessel, muscle or bowel nearby that is as bright at the peak")
        print_table(alike)
    seconds = float(np.median([case["seconds of that"] for case in cases]))
    print(f"\n{SEEDS} seeds of the core take {seconds:.2f} s of one core")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
