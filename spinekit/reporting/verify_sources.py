"""The part of a verification that reads the sources again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.errors import SpinekitError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_json
from spinekit.reporting.differences import Difference, differing_leaves, differing_values, named
from spinekit.reporting.verify_files import Records, read_json
from spinekit.settings import Study, settings_from
from spinekit.workflow import load_case, open_series

__all__ = ["series"]

PathLike = str | os.PathLike[str]


def series(
    folder: CaseFolder,
    again: CaseFolder,
    kept: Records,
    notes: list[str],
    *,
    source: PathLike | None,
    t2: PathLike | None,
) -> Iterator[Difference]:
    """Read the sources into the folder `again` and compare; where they differ, go on with the kept series.

    With the kept series in place of a changed source the later steps still tell whether region, maps and
    features follow from it.
    """
    study = _study(kept)
    marker = read_json(folder.marker)
    read, refused = _read(again, marker, kept, study, source=source, t2=t2)
    if refused is not None:
        yield refused
    held, unusable = _held(folder)
    if unusable is not None:
        yield unusable
    same = False
    if read is not None and held is not None:
        found = list(_compare(held, read, folder, again))
        yield from found
        same = not found
        yield from _second_image(folder, again)
    if held is not None and not same and _seal_of(folder) == _hash(held):
        _continue_with(held, again, marker, study)


def _study(kept: Records) -> Study:
    try:
        return settings_from(kept["settings"])
    except SpinekitError:
        return settings_from(kept["provenance"].get("settings", {}))


def _read(
    again: CaseFolder, marker: Any, kept: Records, study: Study, *, source: PathLike | None, t2: PathLike | None
) -> tuple[DynamicSeries | None, Difference | None]:
    remembered = kept["remembered"]
    origin = str(marker.get("origin", ""))
    places: Any = [os.fspath(source)] if source is not None else remembered.get("source")
    if origin.startswith("simulated:"):
        places = [origin]
    if not places:
        return None, Difference("sources", "where they lie is not known on this machine; give --source")
    try:
        load_case(
            places[0] if len(places) == 1 else places,
            again.root,
            t2=t2 if t2 is not None else remembered.get("t2", ""),
            times_s=_times(kept),
            choose_series=remembered.get("choose_series", ""),
            settings=study,
            remember=False,
        )
    except SpinekitError as refused:
        return None, Difference("sources", f"cannot be read again: {refused.message} [{refused.code}]")
    return open_series(again.root), None


def _times(kept: Records) -> Any:
    """Return the times that a reader gave, None where the files gave them."""
    if "times_s" in kept["remembered"]:
        return kept["remembered"]["times_s"]
    recorded = kept["provenance"].get("series", {})
    return recorded.get("times_s") if recorded.get("time_source") == "times_s" else None


def _held(folder: CaseFolder) -> tuple[DynamicSeries | None, Difference | None]:
    try:
        return open_series(folder.root), None
    except SpinekitError as refused:
        return None, Difference("kept series", f"{refused.message} [{refused.code}]")


def _hash(held: DynamicSeries) -> str:
    from spinekit.io.stored import hash_series

    return hash_series(held)


def _seal_of(folder: CaseFolder) -> str:
    return str(read_json(folder.series / "series.json").get("sha256", ""))


def _compare(held: DynamicSeries, read: DynamicSeries, folder: CaseFolder, again: CaseFolder) -> Iterator[Difference]:
    """Compare the kept series with the sources: files, voxels, times, grid, protocol."""
    for name in dict.fromkeys((*held.sources, *read.sources)):
        if held.sources.get(name) != read.sources.get(name):
            what = (
                "is not there any more"
                if name not in read.sources
                else "was not there"
                if name not in held.sources
                else None
            )
            yield Difference(f"source {name}", what or "has another SHA-256 than when the case was made")
    yield from differing_values("voxels of the series", held.signal, read.signal)
    if not np.array_equal(held.times_s, read.times_s):
        yield Difference("times of the phases", f"kept {held.times_s.tolist()}, read again {read.times_s.tolist()} s")
    stored, fresh = (
        {key: value for key, value in read_json(f.series / "series.json").items() if key not in ("sources", "times_s")}
        for f in (folder, again)
    )
    leaves = differing_leaves(stored, fresh)
    yield from named("series.json", leaves)
    if _seal_of(folder) != _hash(held):
        yield Difference("kept series", "its voxels, times or grid do not give the SHA-256 in series.json")


def _second_image(folder: CaseFolder, again: CaseFolder) -> Iterator[Difference]:
    from spinekit.workflow import open_t2

    if not folder.t2.is_file() and not again.t2.is_file():
        return
    try:
        held, read = open_t2(folder.root), open_t2(again.root)
    except SpinekitError as refused:
        yield Difference("T2 image", f"{refused.message} [{refused.code}]")
        return
    if held is None or read is None:
        yield Difference(
            "T2 image", "is missing " + ("in the case" if held is None else "among the sources; give --t2")
        )
    else:
        yield from differing_values("voxels of the T2 image", held.values, read.values)


def _continue_with(held: DynamicSeries, again: CaseFolder, marker: Any, study: Study) -> None:
    """Lay the kept series where the later steps look for it."""
    from spinekit.io.stored import store_series

    record = {key: value for key, value in held.record.items() if key != "sha256"}
    write_json(again.marker, marker)
    write_json(again.settings, study.as_dict())
    store_series(replace(held, record=record), again.series)
