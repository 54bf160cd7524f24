"""How fast features are extracted, against the command line of pyradiomics, and whether the numbers are the same.

    python benchmarks/radiomics.py [--regions 8] [--images 15] [--jobs 2]

Simulates regions with several float32 images each (320 × 320 × 24 voxels of 0.9 × 0.9 × 3 mm) as files, runs
``pyradiomics batch.csv --jobs N`` and `spinekit.radiomics.extract_cases` on them in the same run (107 features, 1 mm,
cubic B-spline), both with reading, and prints the ratio, the largest relative difference and the peak memory of our
processes for a quarter of the regions and for all of them.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

# this file has the name of the package it measures: its own folder must not be searched first, here or in workers
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402  after the path is set
import pandas as pd  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from scipy import ndimage  # noqa: E402

from spinekit.case import Roi, Volume  # noqa: E402
from spinekit.geometry import Geometry, from_sitk, to_sitk  # noqa: E402
from spinekit.radiomics import FixedBinWidth, extract_cases  # noqa: E402

GRID = Geometry((320, 320, 24), (0.9, 0.9, 3.0), (-143.5, -120.0, 31.0))
WIDTH = 25.0
PARAMETERS = f"""
imageType:
  Original: {{}}
setting:
  binWidth: {WIDTH}
  resampledPixelSpacing: [1, 1, 1]
  interpolator: sitkBSpline
"""


def write_case(folder: Path, number: int, n_images: int) -> None:
    """Write one lesion-like region with a rough surface and images of textured enhancement."""
    rng = np.random.default_rng(number)
    rough = ndimage.gaussian_filter(rng.normal(size=GRID.shape_zyx), (0.7, 2.5, 2.5))
    rough /= rough.std()
    z, y, x = np.indices(GRID.shape_zyx)
    centre = (12, 160 + rng.integers(-60, 60), 160 + rng.integers(-60, 60))
    radius = np.sqrt(sum(((a - c) * s) ** 2 for a, c, s in zip((z, y, x), centre, GRID.spacing_zyx_mm, strict=True)))
    size_mm = 16.0 + 1.2 * number
    sitk.WriteImage(to_sitk((radius < size_mm + 2 * rough).astype(np.uint8), GRID), str(folder / f"{number}_mask.nrrd"))
    texture = ndimage.gaussian_filter(rng.normal(size=GRID.shape_zyx), (0.5, 1.0, 1.0))
    texture /= texture.std()
    for k in range(n_images):
        enhancement = 300.0 + (60.0 + 8.0 * k) * np.exp(-((radius / size_mm) ** 2)) + (70.0 + 4.0 * k) * texture
        noise = rng.normal(scale=12.0, size=GRID.shape_zyx)
        sitk.WriteImage(to_sitk((enhancement + noise).astype(np.float32), GRID), str(folder / f"{number}_{k:02d}.nrrd"))


def load(folder: Path, n_images: int, number: str) -> tuple[dict[str, Volume], Roi]:
    mask, geometry = from_sitk(sitk.ReadImage(str(folder / f"{number}_mask.nrrd")))
    names = [f"{k:02d}" for k in range(n_images)]
    files = [str(folder / f"{number}_{name}.nrrd") for name in names]
    images = {n: Volume(from_sitk(sitk.ReadImage(f))[0], geometry, name=n) for n, f in zip(names, files, strict=True)}
    return images, Roi(mask == 1, geometry)


class Stopwatch:
    """Seconds that pass, and seconds that the processes started meanwhile compute."""

    def __init__(self) -> None:
        self._start, self._used = time.perf_counter(), self._computed()

    @staticmethod
    def _computed() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def read(self) -> tuple[float, float]:
        """Return both since the start."""
        return time.perf_counter() - self._start, self._computed() - self._used


def by_command_line(folder: Path, regions: int, images: int, jobs: int) -> tuple[pd.DataFrame, tuple[float, float]]:
    (folder / "parameters.yaml").write_text(PARAMETERS)
    with (folder / "batch.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["Image", "Mask", "case", "image"])
        for number in range(regions):
            for k in range(images):
                rows.writerow(
                    [folder / f"{number}_{k:02d}.nrrd", folder / f"{number}_mask.nrrd", f"r{number}", f"i{k:02d}"]
                )
    command = [str(Path(sys.executable).with_name("pyradiomics")), str(folder / "batch.csv")]
    command += ["--param", str(folder / "parameters.yaml"), "--out", str(folder / "out.csv"), "--format", "csv"]
    watch = Stopwatch()
    subprocess.run([*command, "--jobs", str(jobs)], check=True, capture_output=True)
    seconds = watch.read()
    table = pd.read_csv(folder / "out.csv")
    table.index = pd.MultiIndex.from_arrays([table["case"].str[1:], table["image"].str[1:]], names=["case", "image"])
    return table.filter(regex="^original_"), seconds


def ours(folder: Path, regions: int, images: int, jobs: int) -> tuple[pd.DataFrame, tuple[float, float]]:
    watch = Stopwatch()
    table = extract_cases(
        [str(n) for n in range(regions)],
        partial(load, folder, images),
        processes=jobs,
        discretisation=FixedBinWidth(WIDTH),
        resample_mm=1.0,
    )
    return table, watch.read()


def peak_of_workers_mib() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--regions", type=int, default=8)
    arguments.add_argument("--images", type=int, default=15)
    arguments.add_argument("--jobs", type=int, default=2)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(chosen.regions):
            write_case(folder, number, chosen.images)
        n = chosen.regions * chosen.images
        ours(folder, max(chosen.regions // 4, 2), chosen.images, 2)
        few = peak_of_workers_mib()
        table, fast = ours(folder, chosen.regions, chosen.images, chosen.jobs)
        many = peak_of_workers_mib()
        reference, slow = by_command_line(folder, chosen.regions, chosen.images, chosen.jobs)
        values = table.loc[reference.index, reference.columns]
        difference = ((values - reference).abs() / reference.abs().clip(lower=1e-9)).max()
        voxels = table["n_voxels"].groupby("case").first()
    print(f"{chosen.regions} regions of {voxels.min()} to {voxels.max()} voxels × {chosen.images} images, "
          f"{reference.shape[1]} features, {chosen.jobs} processes")  # fmt: skip
    print("                          seconds  an image   processor")
    for label, (passed, computed) in (("pyradiomics command line", slow), ("spinekit", fast)):
        print(f"{label:<25} {passed:7.1f}   {passed / n:7.3f}   {computed:7.1f}")
    print(f"ratio                     {slow[0] / fast[0]:7.1f} (wanted: at least 10)  {slow[1] / fast[1]:5.1f}")
    print(f"largest relative difference {difference.max():.1e} at {difference.idxmax()} (wanted: at most 1e-8)")
    print(f"peak memory of a worker   {few:.0f} MiB with a quarter of the regions, {many:.0f} MiB with all")


if __name__ == "__main__":
    main()
