"""Whether two workers halve the time of a cohort, and the cost per case stays the same from 20 to 200 cases.

Baselines, measured in the same run: one worker; twenty cases. The cases are small simulated ones and only the
tables are made, so that the figures tell of the cohort and not of the maps. The figure for 500 cases is an
extrapolation, and is called one.

Run: python benchmarks/cohort.py [--many 200]
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import time
from pathlib import Path

import psutil

from spinekit.cohort import CohortOptions, run_cohort

FEW = 20
SIZE = "48x48x8"


def table(folder: Path, n: int) -> Path:
    rows = "".join(f"case-{i:03d},simulated:{i}@{SIZE}\n" for i in range(n))
    path = folder / f"cases-{n}.csv"
    path.write_text("case,series\n" + rows)
    return path


def cpu_s() -> float:
    """Return the CPU seconds of all processes that have ended, which other users of the machine hardly change."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, n: int, workers: int, name: str) -> tuple[float, float, float]:
    """Return seconds, CPU seconds of the processes of cases, and the largest memory of this process in MB."""
    mine, largest = psutil.Process(), [0]

    def look(number: int, total: int, case: object) -> None:
        largest[0] = max(largest[0], mine.memory_info().rss)

    gc.collect()
    started, before = time.perf_counter(), cpu_s()
    ended = run_cohort(table(folder, n), folder / name, CohortOptions(workers=workers, reports=False), on_case=look)
    assert not ended.failures, ended.failures
    return time.perf_counter() - started, cpu_s() - before, largest[0] / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--many", type=int, default=200)
    many = options.parse_args().many
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SPINEKIT_STATE"] = scratch
        folder = Path(scratch)
        measure(folder, 2, 2, "warm")
        one, _, _ = measure(folder, FEW, 1, "one")
        two, cpu_few, memory_few = measure(folder, FEW, 2, "two")
        print(f"cores: {os.cpu_count()}, load before: {os.getloadavg()[0]:.1f}")
        print(f"{FEW} cases: one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f} times as fast (goal 1.8)")
        lots, cpu_lots, memory_lots = measure(folder, many, 2, "lots")
        print(
            f"time per case at {many} cases: {lots / many:.3f} s, {(lots / many) / (two / FEW):.2f} of that at {FEW} "
            "(goal 0.90 to 1.10)"
        )
        print(f"CPU time per case: {cpu_lots / many:.3f} s, {(cpu_lots / many) / (cpu_few / FEW):.2f} of that at {FEW}")
        print(f"memory of the parent: {memory_few:.0f} MB at {FEW} cases, {memory_lots:.0f} MB at {many}")
        again = time.perf_counter()
        run_cohort(folder / f"cases-{many}.csv", folder / "lots", CohortOptions(workers=2, reports=False))
        print(f"the same command again, nothing to compute: {time.perf_counter() - again:.1f} s for {many} cases")
        print(f"500 such cases, extrapolated from {many}: {500 * lots / many / 60:.1f} min")


if __name__ == "__main__":
    main()
