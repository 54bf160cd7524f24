"""How fast cases are simulated, and how far their kinetics agree with the paper they are drawn from.

    python benchmarks/phantom.py [--cases N] [--first-seed SEED] [--no-times]

Prints the times on one core, the drawn and simulated kinetics beside Lang 2017, and how hard the
task is. Nothing here says anything about patients.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from spinekit.phantom import simulate_case, simulate_cohort
from spinekit.phantom.entities import DIAGNOSES

# METHOD, Lang 2017: maximum enhancement ratio, wash-out slope %, Ktrans, kep; mean and SD
PUBLISHED = {
    "metastasis": ((1.7, 0.6), (1.0, 0.4), (0.077, 0.028), (0.49, 0.23)),
    "myeloma": ((2.3, 0.7), (-22.0, 10.0), (0.114, 0.036), (0.88, 0.26)),
    "lymphoma": ((2.7, 0.4), (3.0, 3.0), (0.068, 0.016), (0.34, 0.06)),
}
QUANTITIES = ("max enhancement", "wash-out %", "Ktrans 1/min", "kep 1/min")


def print_times() -> None:
    print("CPU seconds per case")
    for size, motion in (((96, 96, 12), "none"), ((256, 256, 24), "none"), ((256, 256, 24), "usual")):
        spent = []
        for seed in range(3):
            start = time.process_time()
            simulate_case(seed, size=size, motion=motion)
            spent.append(time.process_time() - start)
        print(f"  (10, {size[2]}, {size[1]}, {size[0]}), motion {motion}: {np.median(spent):.2f}", flush=True)


def measured(case) -> dict[str, float]:
    """Return the means over the lesion of what a reader can measure, and of the truth."""
    signal = case.series.signal[:, case.lesion.mask].astype(np.float64)
    curve = signal.mean(axis=1)
    rise = signal / signal[: case.n_baseline].mean(axis=0) - 1.0
    times, arrival = case.series.times_s, case.facts["bolus_arrival_s"]
    early = np.interp(arrival + 50.0, times, curve)  # about 67 s after the first phase
    return {
        "max enhancement": float(curve.max() / curve[: case.n_baseline].mean() - 1.0),
        "wash-out %": float(100.0 * (curve[-1] - early) / early),
        "Ktrans 1/min": case.kinetics["ktrans"],
        "kep 1/min": case.kinetics["kep"],
        "peak map": float(rise.max(axis=0).mean()),
        "time to peak map": float((times[rise.argmax(axis=0)] - arrival).mean()),
        "steepest map": float(np.diff(rise, axis=0).max(axis=0).mean()),
        "SER map": float((rise[case.n_baseline] / rise[-1]).mean()),
        "ve map": float(case.ve.within(case.lesion).mean()),
        "T1 map": float(case.t1.within(case.lesion).mean()),
    }


def area_under_the_curve(low: np.ndarray, high: np.ndarray) -> float:
    return float(0.5 + 0.5 * np.sign(high[:, None] - low[None, :]).mean())


def print_kinetics(cases: list) -> None:
    rows = [(case, measured(case)) for case in cases]
    groups = {
        "metastasis": [r for c, r in rows if c.label == "metastasis"],
        "myeloma": [r for c, r in rows if c.entity == "myeloma"],
        "lymphoma": [r for c, r in rows if c.entity == "lymphoma"],
    }
    print("\nsimulated mean ± SD (Lang 2017 in brackets)")
    for name, group in groups.items():
        parts = []
        for quantity, (mean, sd) in zip(QUANTITIES, PUBLISHED[name], strict=True):
            values = np.array([r[quantity] for r in group])
            parts.append(f"{quantity} {values.mean():.3g} ± {values.std():.2g} ({mean:g} ± {sd:g})")
        print(f"  {name} ({len(group)}): " + "; ".join(parts))
    kep, slope = (np.array([r[q] for _, r in rows]) for q in ("kep 1/min", "wash-out %"))
    print(f"\nr(kep, wash-out) {-np.corrcoef(kep, slope)[0, 1]:.2f} (0.92)")
    print_difficulty(rows)


def print_difficulty(rows: list) -> None:
    low, high = ([r for c, r in rows if c.label == label] for label in DIAGNOSES)
    print("\nAUC, metastasis against primary, of one mean over the region")
    for name in low[0]:
        area = area_under_the_curve(*(np.array([r[name] for r in side]) for side in (low, high)))
        print(f"  {name}: {max(area, 1 - area):.2f}")
    pairs = [np.array([[r["Ktrans 1/min"], r["kep 1/min"]] for r in side]) for side in (low, high)]
    direction = np.linalg.solve(sum(np.cov(p.T) for p in pairs), pairs[1].mean(axis=0) - pairs[0].mean(axis=0))
    print(f"  best linear combination of Ktrans and kep: {area_under_the_curve(*(p @ direction for p in pairs)):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--times", action=argparse.BooleanOptionalAction, default=True)
    given = parser.parse_args()
    if given.times:
        print_times()
    last = given.first_seed + given.cases - 1
    print(f"\n{given.cases} simulated cases, hospital A, seeds {given.first_seed} to {last}")
    print_kinetics(list(simulate_cohort(given.cases, first_seed=given.first_seed, size=(48, 48, 8))))


if __name__ == "__main__":
    main()
