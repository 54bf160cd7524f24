"""Hold computing six maps against merely reading the phases and writing six maps.

Prints, for two sizes of series, the time of `parameter_maps` as a multiple of one compiled pass that reads
the ten phases and writes six maps (same number of threads, both allocate what they write), with plain numpy
beside it. Run: ``python benchmarks/kinetics.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.kinetics import descriptive as plain
from spinekit.kinetics import parameter_maps
from spinekit.kinetics.maps import THREADS

SIX = (
    "relative_enhancement_peak", "time_to_peak", "wash_in_slope", "wash_out_slope", "auc60",
    "signal_enhancement_ratio",
)  # fmt: skip
TIMES_S = np.array([0.0, 11, 23, 35, 48, 67, 92, 121, 160, 205])
BLOCK = 1024
REPEATS = 9


@numba.njit("void(float32[:, ::1], float32[:, ::1], int64, int64)", nogil=True)
def read_and_write(signal: Any, out: Any, first: int, end: int) -> None:
    """Read every phase once and write six maps: the least that any computation of six maps has to do."""
    sums = np.empty(BLOCK, np.float32)
    for block in range(first, end):
        start, stop = block * BLOCK, min(signal.shape[1], (block + 1) * BLOCK)
        sums[:] = 0
        for t in range(signal.shape[0]):
            row = signal[t, start:stop]
            for b in range(stop - start):
                sums[b] += row[b]
        for k in range(out.shape[0]):
            row = out[k, start:stop]
            for b in range(stop - start):
                row[b] = sums[b]


def one_pass(signal: Any) -> Any:
    """Do the pass on as many threads as the maps use, into fresh memory."""
    out = np.empty((len(SIX), signal.shape[1]), np.float32)
    parts = np.linspace(0, -(-signal.shape[1] // BLOCK), THREADS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda part: read_and_write(signal, out, *part), pairwise(parts)))
    return out


def plain_numpy(signal: Any) -> list[Any]:
    """Compute the same six maps with the definitions in plain numpy."""
    enhancement = plain.relative_enhancement(signal, n_baseline=2)
    return [
        plain.peak_enhancement(signal, n_baseline=2),
        plain.time_to_peak(signal, TIMES_S, n_baseline=2, bat_s=11.0),
        plain.wash_in_slope(enhancement, TIMES_S, n_baseline=2, bat_s=11.0),
        plain.wash_out_slope(enhancement, TIMES_S, n_baseline=2),
        plain.area_under_curve(signal, TIMES_S, n_baseline=2, bat_s=11.0),
        plain.signal_enhancement_ratio(signal, n_baseline=2, early=2, late=9),
    ]


def seconds(task: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the shortest time of a task, after one run that is not counted: what else runs can only add."""
    task()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Print the ratios."""
    sys.stdout.write(f"threads: {THREADS}; ten phases; six maps; shortest of {REPEATS} runs\n")
    for shape in ((24, 320, 320), (40, 512, 512)):
        signal = 100 + 50 * np.random.default_rng(7).random((10, *shape), dtype=np.float32)
        series = DynamicSeries(signal, TIMES_S, Geometry(shape[::-1], (1, 1, 3)), "benchmark")
        base = seconds(partial(one_pass, signal.reshape(10, -1)))
        six = seconds(partial(parameter_maps, series, 2, names=SIX))
        all_ten = seconds(partial(parameter_maps, series, 2))
        numpy_s = seconds(partial(plain_numpy, signal.reshape(10, -1)), repeats=1)
        sys.stdout.write(
            f"(10, {', '.join(map(str, shape))}): one pass {1e3 * base:.1f} ms; six maps {six / base:.2f} passes; "
            f"all ten maps {all_ten / base:.2f}; plain numpy {numpy_s / base:.0f}\n"
        )


if __name__ == "__main__":
    main()
