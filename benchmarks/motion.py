"""Plant motion in a simulated series of full size, correct it, and say what is left and what it did to the maps.

Six millimetres and four degrees, in directions drawn from a seed, are planted in every second phase. What is left is
measured against what was planted, over points in a sphere of 60 mm radius about the centre of the image; the
report of `correct_motion` itself knows nothing of the truth. Run: ``python benchmarks/motion.py [phases]``.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import spinekit as sk
from spinekit.kinetics import correct_motion
from spinekit.phantom.motion import rigid

SEED, SIZE, SNR = 4, (256, 256, 24), 20.0
SHIFT_MM, TURN_DEG, RADIUS_MM = 6.0, 4.0, 60.0
MAPS = ("relative_enhancement_peak", "wash_in_slope", "wash_out_slope")


def planted(n_phases: int) -> Any:
    """Return the motion of each phase, (T, 6): every second one displaced and turned by the stated amounts.

    The middle phase, onto which the others are moved, lies still: the truth of the lesion is where it is.
    """
    rng = np.random.default_rng(3)
    motion = np.zeros((n_phases, 6))
    for t in range((n_phases // 2 + 1) % 2, n_phases, 2):
        for part, size in ((slice(0, 3), SHIFT_MM), (slice(3, 6), TURN_DEG)):
            direction = rng.normal(size=3)
            motion[t, part] = size * direction / np.linalg.norm(direction)
    return motion


def left(points: Any, motion: Any, found: Any, reference: int) -> Any:
    """Return the distances, (T, P) mm, between where points went and where the transforms found say they went."""

    def placed(at: Any, six: Any) -> Any:
        turn, shift = rigid(six)
        return at @ turn.T + shift

    there = placed(points, motion[reference])
    return np.array(
        [np.linalg.norm(placed(there, f) - placed(points, m), axis=1) for f, m in zip(found, motion, strict=True)]
    )


def main() -> None:
    """Print the figures."""
    n_phases = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    motion = planted(n_phases)
    moved = sk.simulate_case(SEED, size=SIZE, n_phases=n_phases, snr=SNR, motion=motion)
    still = sk.simulate_case(SEED, size=SIZE, n_phases=n_phases, snr=SNR)
    started = time.perf_counter()
    corrected, report = correct_motion(moved.series, n_baseline=moved.n_baseline, within=moved.lesion)
    taken = time.perf_counter() - started
    rng = np.random.default_rng(1)
    points = rng.normal(size=(500, 3))
    points *= RADIUS_MM * rng.random((500, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1)[:, None]
    rest = np.sqrt((left(points, motion, report.transforms, report.reference) ** 2).mean(axis=1))
    sys.stdout.write(
        f"simulated, {n_phases} phases of {' x '.join(map(str, SIZE))}, SNR {SNR:g}: {taken:.0f} s, one thread\n"
        f"planted {SHIFT_MM:.0f} mm and {TURN_DEG:.0f} degrees: "
        f"left {', '.join(f'{r:.2f}' for r in rest)} mm per phase (largest {rest.max():.2f})\n"
        f"told by the report: {', '.join(f'{r:.2f}' for r in report.residual_mm)} mm\n"
    )
    region = still.lesion.mask
    maps = {
        label: sk.parameter_maps(series, still.n_baseline, names=MAPS)
        for label, series in (("still", still.series), ("moved", moved.series), ("corrected", corrected))
    }
    for name in MAPS:
        true = maps["still"][name].values[region]
        errors = {k: np.nanmedian(np.abs(maps[k][name].values[region] - true)) for k in ("moved", "corrected")}
        size = np.nanmedian(np.abs(true))
        sys.stdout.write(
            f"  {name}: error in the lesion {100 * errors['moved'] / size:.0f} % with motion, "
            f"{100 * errors['corrected'] / size:.0f} % after correction\n"
        )


if __name__ == "__main__":
    main()
