"""A lesion a little otherwise: marked again, moved, drawn by another reader, scanned with more noise.

The region is grown from other seeds of its core and with ten per cent more and less tolerance, thinned, thickened,
moved and turned, drawn by another reader; the series gets more noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import depth_mm
from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice
from spinekit.settings import Growing

__all__ = ["Perturbed", "noise_of", "perturbed"]

CORE = 0.5  # of the largest depth: where another reader would click
SLIDER_SD = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # tolerances that a reader would try, standard deviations
SAME_OBJECT = 0.5  # Dice; below, a reader would not accept the region as the same lesion


@dataclass(frozen=True)
class Perturbed:
    """One perturbation: its name (kind before the colon), the region, and the series it is measured on."""

    name: str
    roi: Roi
    series: DynamicSeries


def noise_of(series: DynamicSeries) -> float:
    """Return the standard deviation of the noise, in the signal's unit, from the last two phases.

    A robust estimate: the median absolute deviation of their difference over the brighter half of the voxels, where
    little changes any more at that time; over root two, as both phases have noise.
    """
    before, last = (np.asarray(series.signal[t], dtype=np.float64) for t in (-2, -1))
    tissue = last > np.median(last)
    difference = (last - before)[tissue]
    return float(1.4826 * np.median(np.abs(difference - np.median(difference))) / np.sqrt(2.0))


def other_seeds(roi: Roi, count: int, seed: int) -> list[tuple[int, int, int]]:
    """Return voxels (i, j, k) drawn from the core of a region, where another reader would click."""
    depth = depth_mm(roi.mask, roi.geometry.spacing_zyx_mm)
    core = np.argwhere(depth >= CORE * depth.max())
    drawn = np.random.default_rng([seed, 4711]).choice(len(core), size=min(count, len(core)), replace=False)
    return [(int(x), int(y), int(z)) for z, y, x in core[np.sort(drawn)]]


def perturbed(
    series: DynamicSeries,
    roi: Roi,
    *,
    seeds: Sequence[tuple[int, int, int]],
    n_baseline: int,
    growing: Growing | None = None,
    n_seeds: int = 3,
    n_readers: int = 1,
    border_mm: float = 1.0,
    shift_mm: float = 1.0,
    turn_deg: float = 5.0,
    noise: bool = True,
    seed: int = 0,
) -> Iterator[Perturbed]:
    """Yield the lesion as it is, named ``reference``, and perturbed.

    Parameters
    ----------
    series, roi : DynamicSeries, Roi
        The case.
    seeds : sequence of (i, j, k)
        Where it was clicked; empty if the region was drawn, and then nothing is grown again.
    n_baseline : int
        Phases before the contrast agent.
    growing : Growing, optional
        Settings of the growing.
    n_seeds, n_readers : int
        How many other seeds and other readers.
    border_mm, shift_mm, turn_deg : float
        Sizes of the geometric perturbations.
    noise : bool
        Whether the series is also measured with noise of its own size added (a scan of 1/√2 of the signal-to-noise
        ratio).
    seed : int
        Of what is drawn.

    Notes
    -----
    A region grown anew that overlaps the reference by a Dice below 0.5, or nothing, is another object: a reader, who
    reviews every region, would not accept it. It is left out; the case then lacks that measurement.
    """
    from spinekit.phantom.reader import outlined_by_reader
    from spinekit.radiomics import region_perturbations

    yield Perturbed("reference", roi, series)
    for name, region in _grown(series, roi, seeds, n_baseline, growing or Growing(), n_seeds, seed):
        yield Perturbed(name, region, series)
    for name, region in region_perturbations(roi, border_mm=border_mm, shift_mm=shift_mm, turn_deg=turn_deg).items():
        yield Perturbed(name, region, series)
    for number in range(1, n_readers + 1):
        yield Perturbed(f"reader: {number}", outlined_by_reader(roi, 1000 * seed + number), series)
    if noise:
        rng = np.random.default_rng([seed, 1848])
        added = rng.normal(scale=noise_of(series), size=series.signal.shape).astype(np.float32)
        yield Perturbed("noise: twice the variance", roi, replace(series, signal=series.signal + added))


@dataclass(frozen=True)
class _Grower:
    """Grows the lesion of a series anew; None where nothing grows, or another object than the reference."""

    series: DynamicSeries
    reference: Roi
    n_baseline: int
    options: Mapping[str, Any]

    def grow(self, seeds: Sequence[tuple[int, int, int]], tolerance: float | None) -> Roi | None:
        try:
            grown = grow_region(self.series, seeds, n_baseline=self.n_baseline, tolerance=tolerance, **self.options)
        except InputRefusedError as refused:
            if refused.code not in ("growth-failed", "seed-undefined"):
                raise
            return None
        return grown if dice(grown.mask, self.reference.mask) >= SAME_OBJECT else None

    def tolerance(self, seeds: Sequence[tuple[int, int, int]]) -> float | None:
        """Return the tolerance the reference was grown with, or at which a reader would leave the slider."""
        used = self.reference.record.get("tolerance")
        if used:
            return float(used)
        fits = {t: grown for t in SLIDER_SD if (grown := self.grow(seeds, t)) is not None}
        return max(fits, key=lambda t: dice(fits[t].mask, self.reference.mask)) if fits else None


def _grown(
    series: DynamicSeries, roi: Roi, seeds: Sequence[tuple[int, int, int]], n_baseline: int, growing: Growing,
    n_seeds: int, seed: int,
) -> Iterator[tuple[str, Roi]]:  # fmt: skip
    if not seeds:
        return
    options = {key: value for key, value in vars(growing).items() if key != "tolerance"}
    grower = _Grower(series, roi, n_baseline, options)
    ways: list[tuple[str, Sequence[tuple[int, int, int]], float | None]] = [
        (f"seed: {number}", [place], growing.tolerance or None)
        for number, place in enumerate(other_seeds(roi, n_seeds, seed), start=1)
    ]
    tolerance = growing.tolerance or grower.tolerance(seeds)
    if tolerance:
        ways += [(f"tolerance: {sign} 10 %", seeds, tolerance * f) for sign, f in (("-", 0.9), ("+", 1.1))]
    for name, places, limit in ways:
        grown = grower.grow(places, limit)
        if grown is not None:
            yield name, grown
