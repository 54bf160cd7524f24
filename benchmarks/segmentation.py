"""How near the ways to a region come to the lesion, on simulated cases: outline, one click, and naive growing.

Each case is outlined on its sagittal T2 by a reader who errs (see `spinekit.phantom.reader`) and clicked once
deep inside the lesion. Prints median and quartiles of Dice, how often a way fails, and how much the region
depends on the click. Nothing here is a clinical accuracy. Run: ``python benchmarks/segmentation.py [CASES]``.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from spinekit.phantom import simulate_case
from spinekit.phantom.reader import outlined_by_reader
from spinekit.segmentation import grow_along_outline, grow_region, seed_sensitivity
from spinekit.segmentation.agreement import dice

SIZE = (192, 192, 20)
SNR = 20.0
CASES = 40
SEEDS = 24
FIRST = 1000  # no other use of the simulator here begins there


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
    spread = seed_sensitivity(case.series, case.lesion, n_baseline=n, at_most=SEEDS)
    found["every core seed, curve: pairwise"] = spread.pairwise_dice
    return found


def main() -> int:
    """Print the table; return 0."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    with ProcessPoolExecutor(2) as pool:
        cases = list(pool.map(one_case, range(FIRST, FIRST + n)))
    size = " × ".join(str(v) for v in SIZE)
    print(f"{n} simulated cases of {size} voxels at SNR {SNR:g}, seeds {FIRST} to {FIRST + n - 1}")
    print(f"{'Dice':40}{'median':>8}{'quartiles':>14}{'below 0.7':>11}")
    for name in cases[0]:
        values = np.array([case[name] for case in cases])
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        print(f"{name:40}{middle:8.3f}{f'{low:.2f} to {high:.2f}':>14}{(values < 0.7).mean():11.0%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
