"""Measure a lesion again and again, each time a little otherwise: what a feature's stability is judged by.

The region is grown from other seeds of its core and with ten per cent more and less tolerance, thinned, thickened,
moved and turned, drawn by another reader; the series gets more noise; a simulated patient is scanned again under
another hospital's protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice
from spinekit.settings import Growing

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.phantom import SimulatedCase

__all__ = [
    "STABILITY_IMAGES", "Perturbed", "check_stability", "measure_case", "noise_of", "perturbed",
    "simulated_measurements", "stability_of_case",
]  # fmt: skip

STABILITY_IMAGES = ("relative_enhancement_peak", "wash_in_slope", "phase_peak")
CORE = 0.5  # of the largest depth: where another reader would click
OTHER_HOSPITAL = {"A": "B", "B": "A"}
SLIDER_SD = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # tolerances that a reader would try, standard deviations
SAME_OBJECT = 0.5  # Dice; below, a reader would not accept the region as the same lesion
ACCEPTABLE = 0.7  # Dice with the truth of a simulated lesion; below, it is outlined by hand


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
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(roi.mask, 1), sampling=roi.geometry.spacing_zyx_mm)[1:-1, 1:-1, 1:-1]
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


def measure_case(
    cases: Iterator[Perturbed], *, n_baseline: int, images: Sequence[str] = STABILITY_IMAGES, **choices: Any
) -> dict[str, pd.Series]:
    """Return the features of every perturbation as wide rows.

    Parameters
    ----------
    cases : iterator of Perturbed
        From `perturbed`.
    n_baseline : int
        Phases before the contrast agent.
    images : sequence of str
        As in the settings of radiomics.
    **choices
        Of `spinekit.extract_features`.

    Returns
    -------
    dict of str to Series
        A region that cannot be measured (too small after resampling, say) is left out, unless it is the reference.
    """
    from spinekit.kinetics import parameter_maps
    from spinekit.radiomics import extract_features, wide_row

    found: dict[str, pd.Series] = {}
    maps: Mapping[str, Volume] = {}
    of: DynamicSeries | None = None
    for one in cases:
        if one.series is not of:
            of, maps = one.series, dict(parameter_maps(one.series, n_baseline=n_baseline))
        # every image has one name, whichever phase is the brightest in this region
        chosen = {name: _image(name, one, maps) for name in images}
        try:
            found[one.name] = wide_row(extract_features(chosen, one.roi, not_finite="exclude", **choices))
        except InputRefusedError as refused:
            if one.name == "reference" or not refused.code.startswith("roi-"):
                raise
    return found


def _image(name: str, one: Perturbed, maps: Mapping[str, Volume]) -> Volume:
    from spinekit.workflow.computing import feature_images

    return next(iter(feature_images(one.series, maps, one.roi, [name]).values()))


def stability_of_case(case_dir: Any, *, n_seeds: int = 3, n_readers: int = 1) -> dict[str, pd.Series]:
    """Measure the case of a folder under every perturbation, with the settings and the seeds it was made with."""
    from spinekit.workflow.computing import binning_of, feature_choices
    from spinekit.workflow.loading import open_series, open_settings
    from spinekit.workflow.marking import open_roi

    study, series, roi = open_settings(case_dir), open_series(case_dir), open_roi(case_dir)
    n_baseline = study.kinetics.n_baseline
    regrown = roi.record.get("method") == study.growing.method  # a drawn region is not grown again
    seeds = [(int(i), int(j), int(k)) for i, j, k in roi.record.get("seeds", ())] if regrown else []
    ways = perturbed(series, roi, seeds=seeds, n_baseline=n_baseline, growing=study.growing, n_seeds=n_seeds,
                     n_readers=n_readers)  # fmt: skip
    return measure_case(ways, n_baseline=n_baseline, images=study.radiomics.images,
                        discretisation=binning_of(study.radiomics), **feature_choices(study.radiomics))  # fmt: skip


def check_stability(case_dir: Any, *, n_seeds: int = 2) -> pd.DataFrame:
    """Return how far every feature of a case moves under perturbation; see `spinekit.radiomics.spread_of_one_case`."""
    from spinekit.radiomics import spread_of_one_case

    return spread_of_one_case(stability_of_case(case_dir, n_seeds=n_seeds))


def simulated_measurements(
    n_cases: int,
    *,
    first_seed: int = 0,
    size: tuple[int, int, int] = (160, 160, 20),
    hospital: str = "A",
    other_protocol: bool = True,
    processes: int = 1,
    progress: Any = None,
    **choices: Any,
) -> dict[str, pd.DataFrame]:
    """Simulate cases and measure each under every perturbation, another hospital's protocol among them.

    Parameters
    ----------
    n_cases : int
        Simulated cases, with seeds from `first_seed` on.
    size : tuple of int
        Voxels of the series.
    hospital : {"A", "B"}
        Whose protocol is the reference.
    other_protocol : bool
        Whether each patient is also scanned by the other hospital, the region grown there anew.
    processes : int
        Worker processes.
    progress : callable, optional
        Called with the number of the case and `n_cases` when it is done.
    **choices
        Of `spinekit.extract_features`, and ``images``.

    Returns
    -------
    dict of str to DataFrame
        Perturbation to a table of one row per case, as `spinekit.radiomics.stability_table` takes it.
    """
    import pandas as pd

    work = partial(_simulated, size=size, hospital=hospital, other_protocol=other_protocol, choices=choices)
    seeds = range(first_seed, first_seed + n_cases)
    found: list[dict[str, pd.Series]] = []
    if processes > 1 and n_cases > 1:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for result in pool.map(work, seeds):
                found.append(result)
                _ = progress and progress(len(found), n_cases)
    else:
        for one in seeds:
            found.append(work(one))
            _ = progress and progress(len(found), n_cases)
    names = dict.fromkeys(name for rows in found for name in rows)
    cases = [f"simulated-{one}" for one in seeds]
    return {
        name: pd.DataFrame({case: rows[name] for case, rows in zip(cases, found, strict=True) if name in rows}).T
        for name in names
    }


def _simulated(seed: int, *, size: Any, hospital: str, other_protocol: bool, choices: Any) -> dict[str, pd.Series]:
    from spinekit.phantom import simulate_case

    case = simulate_case(seed, size=size, hospital=hospital)
    roi, seeds = _marked(case)
    ways = perturbed(case.series, roi, seeds=seeds, n_baseline=case.n_baseline, seed=seed)
    found = measure_case(ways, n_baseline=case.n_baseline, **choices)
    if other_protocol:
        other = simulate_case(seed, size=size, hospital=OTHER_HOSPITAL[hospital])
        again = iter([Perturbed("reference", _marked(other)[0], other.series)])
        name = f"protocol: hospital {OTHER_HOSPITAL[hospital]}"
        found[name] = measure_case(again, n_baseline=other.n_baseline, **choices)["reference"]
    return found


def _marked(case: SimulatedCase) -> tuple[Roi, list[tuple[int, int, int]]]:
    """Return the region a reader would accept, and its seeds: grown, or outlined by hand where growing failed."""
    from spinekit.phantom.reader import outlined_by_reader

    grown = grow_region(case.series, [case.seed_ijk], n_baseline=case.n_baseline)
    if dice(grown.mask, case.lesion.mask) >= ACCEPTABLE:
        return grown, [case.seed_ijk]
    return outlined_by_reader(case.lesion, int(case.facts["seed"])), []
