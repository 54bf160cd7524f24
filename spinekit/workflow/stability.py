"""Measure a lesion again and again, each time a little otherwise: what a feature's stability is judged by.

A simulated patient is also scanned again under another hospital's protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.provenance import hash_json, library_versions, write_json
from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice
from spinekit.settings import Kinetics
from spinekit.workflow.perturbing import Perturbed, perturbed

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.phantom import SimulatedCase

__all__ = ["STABILITY_IMAGES", "check_stability", "measure_case", "simulated_measurements", "stability_of_case"]

STABILITY_IMAGES = ("relative_enhancement_peak", "wash_in_slope", "phase_peak")
OTHER_HOSPITAL = {"A": "B", "B": "A"}
ACCEPTABLE = 0.7  # Dice with the truth of a simulated lesion; below, it is outlined by hand


def measure_case(
    cases: Iterator[Perturbed],
    *,
    n_baseline: int,
    images: Sequence[str] = STABILITY_IMAGES,
    kinetics: Kinetics | None = None,
    **choices: Any,
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
    kinetics : Kinetics, optional
        Settings of the maps.
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
            of, maps = one.series, dict(parameter_maps(one.series, n_baseline=n_baseline, settings=kinetics))
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
    return measure_case(ways, n_baseline=n_baseline, images=study.radiomics.images, kinetics=study.kinetics,
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
    keep: Path | None = None,
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
    keep : Path, optional
        A folder in which each case is kept as soon as it is measured; another call with the same choices and
        versions takes it from there.
    **choices
        Of `spinekit.extract_features`, and ``images``.

    Returns
    -------
    dict of str to DataFrame
        Perturbation to a table of one row per case, as `spinekit.radiomics.stability_table` takes it. A case whose
        region cannot be measured (one slice, too small) is in none of them.
    """
    import pandas as pd

    asked: dict[str, Any] = {"size": size, "hospital": hospital, "other_protocol": other_protocol, "choices": choices}
    work = partial(_kept, keep=keep, asked=asked)
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


def _kept(seed: int, *, keep: Path | None, asked: dict[str, Any]) -> dict[str, pd.Series]:
    """Measure a simulated case, or take it from the folder where an earlier call has left it."""
    if keep is None:
        return _simulated(seed, **asked)
    import pandas as pd

    path, key = keep / f"simulated-{seed}.json", hash_json({"asked": repr(asked), "versions": library_versions()})
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if record.get("key") != key:
        write_json(path, {"key": key, "measured": {name: dict(row) for name, row in _simulated(seed, **asked).items()}})
        record = json.loads(path.read_text(encoding="utf-8"))  # both ways give the same bits
    return {name: pd.Series(row, dtype=np.float64) for name, row in record["measured"].items()}


def _simulated(seed: int, *, size: Any, hospital: str, other_protocol: bool, choices: Any) -> dict[str, pd.Series]:
    from spinekit.phantom import simulate_case

    case = simulate_case(seed, size=size, hospital=hospital)
    roi, seeds = _marked(case)
    ways = perturbed(case.series, roi, seeds=seeds, n_baseline=case.n_baseline, seed=seed)
    found = _measured_or_none(ways, case.n_baseline, choices)
    if other_protocol and found:
        other = simulate_case(seed, size=size, hospital=OTHER_HOSPITAL[hospital])
        again = iter([Perturbed("reference", _marked(other)[0], other.series)])
        measured = _measured_or_none(again, other.n_baseline, choices)
        if measured:
            found[f"protocol: hospital {OTHER_HOSPITAL[hospital]}"] = measured["reference"]
    return found


def _measured_or_none(ways: Iterator[Perturbed], n_baseline: int, choices: Any) -> dict[str, pd.Series]:
    """Measure a case; nothing if its own region cannot be measured, so that one lesion does not stop the others."""
    try:
        return measure_case(ways, n_baseline=n_baseline, **choices)
    except InputRefusedError as refused:
        if not refused.code.startswith("roi-"):
            raise
        return {}


def _marked(case: SimulatedCase) -> tuple[Roi, list[tuple[int, int, int]]]:
    """Return the region a reader would accept, and its seeds: grown, or outlined by hand where growing failed."""
    from spinekit.phantom.reader import outlined_by_reader

    grown = grow_region(case.series, [case.seed_ijk], n_baseline=case.n_baseline)
    if dice(grown.mask, case.lesion.mask) >= ACCEPTABLE:
        return grown, [case.seed_ijk]
    return outlined_by_reader(case.lesion, int(case.facts["seed"])), []
