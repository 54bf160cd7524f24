"""The whole road: what notebooks and report cost beside the computation, and how much memory reading and mapping take.

    python benchmarks/road.py [SERIES --seed I,J,K]

Prints the time of `spinekit run` over (papermill on as many empty notebooks + the same computation without notebooks),
networks and all, each measured in this call, and the peak memory of reading a series and computing its maps over the
series in float32.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# this folder holds a radiomics.py, which must not stand before the package of that name
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]

SIZE = (10, 24, 320, 320)
ROAD_TARGET, MEMORY_TARGET = 4.0, 3.0
MAPPING = """
import sys
from pathlib import Path
import spinekit as sk
from spinekit.kinetics.warm import compile_kernels
compile_kernels()
def now(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = now("VmRSS")
series = sk.read_series(sys.argv[1])
maps = sk.parameter_maps(series, n_baseline=1)
print(now("VmHWM") - before, series.signal.nbytes)
"""


def empty_notebooks(folder: Path, count: int) -> float:
    """Return the seconds of papermill on so many empty notebooks, one after the other."""
    import nbformat
    import papermill

    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(metadata={"kernelspec": spec}), folder / "empty.ipynb")
    started = time.perf_counter()
    for number in range(count):
        papermill.execute_notebook(str(folder / "empty.ipynb"), str(folder / f"out{number}.ipynb"), progress_bar=False)
    return time.perf_counter() - started


def whole_run(folder: Path, source: str, seed: str) -> tuple[float, float, int]:
    """Return the seconds of the run, of the same computation without notebooks, and the number of notebooks."""
    from spinekit import workflow
    from spinekit.reporting.case_compute import compute_case
    from spinekit.reporting.case_run import CaseRequest

    seeds = (tuple(int(n) for n in seed.split(",")),) if seed else ()
    marked = ["--seed", seed] if seed else []
    started = time.perf_counter()
    command = [sys.executable, "-c", "from spinekit.cli import main; main()", "run", source, *marked]
    subprocess.run([*command, "--out", str(folder / "run"), "--quiet"], check=True)
    ran = time.perf_counter() - started
    started = time.perf_counter()
    compute_case(CaseRequest(source=source, case_dir=folder / "plain", seeds=seeds, check_setup=False))
    workflow.segment_case(folder / "plain")  # what the notebooks compute besides
    workflow.diagnose_case(folder / "plain")
    workflow.check_stability(folder / "plain")
    return ran, time.perf_counter() - started, len(list((folder / "run" / "notebooks").glob("*.ipynb")))


def memory(folder: Path) -> float:
    """Return the peak of reading and mapping a DICOM series, over its size in float32."""
    import numpy as np

    from spinekit.case import DynamicSeries
    from spinekit.geometry import Geometry
    from spinekit.phantom.dicom_writer import write_dicom

    values = np.random.default_rng(1).integers(100, 3000, SIZE).astype(np.float32)
    grid = Geometry(SIZE[:0:-1], (0.75, 0.75, 4.0))
    write_dicom(DynamicSeries(values, 15.0 * np.arange(SIZE[0]), grid, "times_s"), folder / "dicom")
    told = subprocess.run(
        [sys.executable, "-c", MAPPING, str(folder / "dicom")], check=True, capture_output=True, text=True
    ).stdout.split()
    return int(told[0]) / int(told[1])


def main() -> None:
    """Print both ratios."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("series", nargs="?", default="simulated:7")
    asked.add_argument("--seed", default="")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        ran, computed, count = whole_run(folder, given.series, given.seed)
        empty = empty_notebooks(folder, count)
        print(f"spinekit run {ran:.1f} s; {count} empty notebooks {empty:.1f} s; computation alone {computed:.1f} s")
        print(f"run / (empty notebooks + computation) = {ran / (empty + computed):.2f} (at most {ROAD_TARGET:g})")
        print(f"peak of reading and mapping {SIZE} / its size = {memory(folder):.2f} (at most {MEMORY_TARGET:g})")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
