"""Hold click to mask against one pass that reads the series, beside SimpleITK's filters and scikit-image's flood.

A simulated series of (10, 40, 320, 320), clicked in many voxels of the lesion: median and 95th percentile of
each way to a mask, in milliseconds and as a multiple of merely reading the ten phases once with numpy.
Run: ``python benchmarks/growing.py [NUMBER_OF_CLICKS]``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk
from skimage.segmentation import flood

from spinekit.geometry import to_sitk
from spinekit.phantom import simulate_case
from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice
from spinekit.segmentation.one_image import enhancement_image

SIZE = (320, 320, 40)
CLICKS = 60


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and result."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def main() -> int:
    """Print the table; return 0."""
    clicks = int(sys.argv[1]) if len(sys.argv) > 1 else CLICKS
    case = simulate_case(104, size=SIZE)
    series, truth = case.series, case.lesion.mask
    voxels = np.argwhere(truth)
    chosen = voxels[np.random.default_rng(0).choice(len(voxels), clicks, replace=False)]
    image = enhancement_image(series.signal, case.n_baseline)
    picture = to_sitk(image, series.geometry)
    spread = float(image[truth].std())

    def seed_of(point: Any) -> tuple[int, int, int]:
        return int(point[2]), int(point[1]), int(point[0])

    def ours(method: str) -> Callable[[Any], Any]:
        return lambda p: grow_region(series, [seed_of(p)], method=method, n_baseline=case.n_baseline).mask

    def confidence(p: Any) -> Any:
        found = sitk.ConfidenceConnected(
            picture, seedList=[seed_of(p)], numberOfIterations=2, multiplier=2.5, initialNeighborhoodRadius=2,
            replaceValue=1,
        )  # fmt: skip
        return sitk.GetArrayFromImage(found) > 0

    def connected(p: Any) -> Any:
        level = float(image[tuple(p)])
        found = sitk.ConnectedThreshold(picture, [seed_of(p)], lower=level - 2 * spread, upper=level + 2 * spread)
        return sitk.GetArrayFromImage(found) > 0

    ways: dict[str, Callable[[Any], Any]] = {
        "spinekit curve": ours("curve"),
        "spinekit confidence": ours("confidence"),
        "spinekit threshold": ours("threshold"),
        "SimpleITK ConfidenceConnected": confidence,
        "SimpleITK ConnectedThreshold": connected,
        "scikit-image flood": lambda p: flood(image, tuple(int(c) for c in p), tolerance=2 * spread),
    }
    one_pass = float(np.median([timed(lambda: series.signal.sum(axis=0))[0] for _ in range(7)]))
    shape = " × ".join(str(n) for n in series.signal.shape)
    print(f"{shape} float32, {clicks} clicks; one numpy pass over the ten phases {1e3 * one_pass:.0f} ms")
    print(f"{'':32}{'p50, ms':>9}{'p95, ms':>9}{'p95 / pass':>12}{'median Dice':>13}")
    for name, way in ways.items():
        way(chosen[0])
        measured = [timed(lambda p=p, way=way: way(p)) for p in chosen]
        seconds = [s for s, _ in measured]
        agreed = float(np.median([dice(mask, truth) for _, mask in measured]))
        p50, p95 = np.percentile(seconds, [50, 95])
        print(f"{name:32}{1e3 * p50:9.0f}{1e3 * p95:9.0f}{p95 / one_pass:12.2f}{agreed:13.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
