"""Everything a study needs of one case, computed once and kept: masks, overlaps, features."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.provenance import hash_file, hash_json, write_beside, write_json
from spinekit.study.measured import BINS, FAMILIES, MAPS, layer_features, maps_of, radiomics_features, two_parameters
from spinekit.study.regions import LEVELS, SHARES, Regions, marked_again, regions_of, segmentation_scores
from spinekit.study.sources import MOTION, READER, OpenCase, open_case
from spinekit.study.table import StudyCase

__all__ = ["case_key", "each_case", "measure_case", "measure_cases"]

FORMAT = 2


def case_key(case: StudyCase) -> str:
    """Return the hash of everything that a case's numbers depend on; another key means computing anew."""
    from spinekit import __version__

    files = {}
    for name in ("series", "outline", "roi", "truth"):
        path = Path(getattr(case, name) or ".")
        if path.is_file():
            files[name] = hash_file(path)
        elif path.is_dir() and getattr(case, name) and not case.simulated:
            files[name] = hash_json({p.name: hash_file(p) for p in sorted(path.rglob("*")) if p.is_file()})
    choices = [FORMAT, BINS, FAMILIES, MAPS, LEVELS, SHARES, MOTION, READER]
    asked = [case.series if case.simulated else "", case.centre, case.label, case.n_baseline, case.seed_ijk]
    return hash_json({"files": files, "choices": choices, "asked": asked, "version": __version__})


def measure_case(case: StudyCase) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compute a case: its record (overlaps, features, in JSON's types) and its masks by name."""
    opened = open_case(case)
    series, n = opened.series, opened.n_baseline
    regions = regions_of(opened)
    first = next(iter(regions.by_name))
    maps = {wash_out: maps_of(series, n, wash_out=wash_out) for wash_out in ("lang2013", "lang2017")}
    main = maps["lang2013"]
    region = regions.by_name[first]
    parameters = {f"region:{name}": two_parameters(main, roi) for name, roi in regions.by_name.items()}
    parameters["wash_out:lang2013"] = two_parameters(main, region)
    parameters["wash_out:lang2017"] = two_parameters(maps["lang2017"], region)
    for layers in ("phases", "slices"):
        parameters[f"layers:{layers}"] = layer_features(series, n, region, layers=layers)
    record = {
        "case": case.name,
        "simulated": bool(series.record.get("simulated", False)),
        "region": first,
        "n_baseline": n,
        "volume_ml": {name: roi.volume_ml for name, roi in regions.by_name.items()},
        "segmentation": segmentation_scores(opened, regions),
        "radiomics": radiomics_features(series, n, region, main),
        "repeats": _measured_again(opened, regions, main, reader=zlib.crc32(case.name.encode())),
        "readings": parameters,
        "warnings": [*series.warnings, *region.warnings],
    }
    masks = {name: roi.mask for name, roi in regions.by_name.items()}
    if opened.truth is not None:
        masks |= {"truth": opened.truth.mask, "all_lesions": opened.all_lesions}
    return record, masks


def _measured_again(case: OpenCase, regions: Regions, maps: Any, *, reader: int) -> dict[str, dict[str, float]]:
    """Return the features of the lesion marked otherwise; a region that has none is left out."""
    found = {}
    for name, roi in marked_again(case, regions, reader=reader).items():
        try:
            found[name] = radiomics_features(case.series, case.n_baseline, roi, maps)
        except InputRefusedError as refused:
            if not refused.code.startswith("roi-"):
                raise
    return found


def measure_cases(
    cases: Sequence[StudyCase],
    folder: Path,
    *,
    workers: int = 1,
    on_case: Callable[[int, int, str], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the record of each case by name, computing only what is not there for the same key.

    Parameters
    ----------
    folder : Path
        Where the records ``NAME.json`` and masks ``NAME.npz`` are kept; the record is written last, so
        that a run that was stopped goes on with the case it was at.
    workers : int
        Cases at the same time, each in a process of its own.

    Returns
    -------
    dict
        A case that was refused has the keys ``code`` and ``message`` instead of numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, (case, record) in enumerate(each_case(partial(_kept, folder=folder), cases, workers), start=1):
        found[case.name] = record
        if on_case is not None:
            on_case(number, len(cases), case.name)
    return found


def each_case(
    work: Callable[[StudyCase], dict[str, Any]], cases: Sequence[StudyCase], workers: int
) -> Iterator[tuple[StudyCase, dict[str, Any]]]:
    """Yield each case with its record, in their order; with several workers `work` has to be importable."""
    if workers == 1:
        yield from ((case, work(case)) for case in cases)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from zip(cases, pool.map(work, cases), strict=True)


def _kept(case: StudyCase, *, folder: Path) -> dict[str, Any]:
    path, key = folder / f"{case.name}.json", case_key(case)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    whole = case.simulated or "simulated" in kept  # kept before files were asked whether the simulator wrote them
    return kept if whole and kept.get("key") == key else _measured(case, key, folder)


def _measured(case: StudyCase, key: str, folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    try:
        record, masks = measure_case(case)
    except InputRefusedError as refused:
        record, masks = {"case": case.name, **refused.as_dict()}, {}
    if masks:
        with write_beside(folder / f"{case.name}.npz") as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **masks)
    write_json(folder / f"{case.name}.json", record | {"key": key, "seconds": round(time.monotonic() - began, 2)})
    kept: dict[str, Any] = json.loads((folder / f"{case.name}.json").read_text(encoding="utf-8"))
    return kept
