"""The part of a verification that computes again: region, maps, features, and the lines of the report."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spinekit import workflow
from spinekit.errors import SpinekitError
from spinekit.io.layout import CaseFolder
from spinekit.reporting.differences import Difference, differing_leaves, differing_values, named
from spinekit.reporting.verify_files import read_json, same_record

__all__ = ["STEPS", "rows_of"]

CLICKS = ("record.seeds", "record.background_seeds")
ROW, CELL, TAG = (re.compile(p, re.DOTALL) for p in (r"<tr[^>]*>(.*?)</tr>", r"<t[hd][^>]*>(.*?)</t[hd]>", r"<[^>]+>"))


def region(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Make the reader's choices again, and compare the region with the one that was kept."""
    from spinekit.io import read_volume

    selection = workflow.begin_marking(again.root, journal_file=folder.journal)
    workflow.save_roi(again.root, selection.confirm(), selection.journal)
    review = workflow.begin_review(again.root, journal_file=folder.journal)
    workflow.save_roi(again.root, review.confirm(), review.journal)
    leaves = list(differing_leaves(read_json(folder.roi_record), read_json(again.roi_record)))
    for place, text in leaves:
        if place.startswith(CLICKS):
            yield Difference(f"click, {place.removeprefix('record.')}", text)
    yield from named("roi.json", (leaf for leaf in leaves if not leaf[0].startswith(CLICKS)))
    kept, made = (read_volume(f.roi) for f in (folder, again))
    yield from differing_values("voxels of the region", np.asarray(kept.values), np.asarray(made.values))


def maps(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Compute the maps again and compare every voxel."""
    from spinekit.io import read_volume

    made = workflow.compute_maps(again.root)
    yield from same_record("maps.json", folder.maps_record, again.maps_record)
    for name in made:
        if not folder.map(name).is_file():
            yield Difference(f"map {name}", "is missing")
            continue
        try:
            kept = read_volume(folder.map(name))
        except SpinekitError as refused:
            yield Difference(f"map {name}", f"{refused.message} [{refused.code}]")
            continue
        yield from differing_values(f"map {name}", kept.values, read_volume(again.map(name)).values)
    for file in sorted(folder.maps.glob("*.nii.gz")):
        if file.name.removesuffix(".nii.gz") not in made:
            yield Difference(f"map {file.name.removesuffix('.nii.gz')}", "is not among the maps of the case")


def features(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Extract the features again and compare every number."""
    made = workflow.compute_features(again.root)
    try:
        kept = workflow.open_features(folder.root)
    except (SpinekitError, OSError, ValueError, KeyError) as reason:
        yield Difference("features.csv", f"cannot be read: {reason}")
        return
    yield from same_record("features.json", folder.features_record, again.features_record)
    fresh = workflow.open_features(again.root)
    yield from named("features.csv", differing_leaves(_cells(kept), _cells(fresh)))
    if made.shape != kept.shape:
        yield Difference("features.csv", f"has {kept.shape[0]} × {kept.shape[1]} entries, recomputed {made.shape}")


def _cells(table: Any) -> dict[str, dict[str, Any]]:
    return {str(i): {str(c): table.at[i, c] for c in table.columns} for i in table.index}


def segmentation(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Let the network segment the case again and compare every voxel, its probability and its doubt."""
    from spinekit.io import read_volume

    if not folder.segmentation_record.is_file():
        notes.append("the case has no segmentation.json")
        return
    found = workflow.segment_case(again.root)
    yield from same_record("segmentation.json", folder.segmentation_record, again.segmentation_record)
    for name in ("", "probability", "doubt"):
        kept, made = (f.segmentation_map(name) if name else f.segmentation for f in (folder, again))
        if kept.is_file() != made.is_file():
            yield Difference(kept.name, "is missing" if found is not None else "could not be made again")
        elif kept.is_file():
            values = (np.asarray(read_volume(file).values) for file in (kept, made))
            yield from differing_values(f"voxels of {kept.name}", *values)


def diagnosis(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Put the lesion to the classifier again and compare what it says, to the bit."""
    if not folder.diagnosis.is_file():
        notes.append("the case has no diagnosis.json")
        return
    kept = read_json(folder.diagnosis)
    workflow.diagnose_case(again.root, clinical=kept.get("clinical"))
    yield from named("diagnosis.json", differing_leaves(kept, read_json(again.diagnosis)))


def report(folder: CaseFolder, again: CaseFolder, notes: list[str]) -> Iterator[Difference]:
    """Write the tables of the report again and look for each of their lines in it."""
    from spinekit.reporting import tables

    provenance = workflow.write_provenance(again.root)
    told = {"written_utc", "versions", "results_sha256"}
    kept = {k: v for k, v in read_json(folder.provenance).items() if k not in told}
    fresh = {k: v for k, v in read_json(again.provenance).items() if k not in told}
    yield from named("provenance.json", differing_leaves(kept, fresh))
    if not folder.report.is_file():
        notes.append("the case has no report.html")
        return
    page = set(rows_of(folder.report.read_text(encoding="utf-8", errors="replace")))
    series, roi = workflow.open_series(again.root), workflow.open_roi(again.root)
    made = workflow.open_maps(again.root)
    shown = {
        "series": tables.series_table(series),
        "times": tables.phase_table(series),
        "region": tables.region_table(roi),
        "maps": tables.map_statistics(made, roi),
        "undefined voxels": tables.undefined_table(made),
        "conventions": tables.record_table(made.record),
        "features": tables.feature_table(workflow.open_features(again.root)),
        "settings": tables.settings_table(provenance["settings"]),
        "choices": tables.journal_table(workflow.open_journal(folder.root)),
    }
    if again.segmentation_record.is_file():
        shown["segmentation"] = tables.segmentation_table(workflow.open_segmentation(again.root), roi)
    if again.diagnosis.is_file():
        shown["diagnosis"] = tables.diagnosis_table(workflow.open_diagnosis(again.root))
    for subject, table in shown.items():
        for row in rows_of(table.to_html()):
            if row not in page:
                yield Difference(f"report, {subject}", f"the line '{' | '.join(row)[:160]}' is not in report.html")


def rows_of(text: str) -> list[tuple[str, ...]]:
    """Return the table rows of a page as the text of their cells.

    Examples
    --------
    >>> rows_of("<tr><th>volume</th><td>3.20 <b>ml</b></td></tr>")
    [('volume', '3.20 ml')]
    """
    return [tuple(html.unescape(TAG.sub("", cell)).strip() for cell in CELL.findall(row)) for row in ROW.findall(text)]


STEPS: dict[str, Callable[[CaseFolder, CaseFolder, list[str]], Iterator[Difference]]] = {
    "region": region,
    "maps": maps,
    "features": features,
    "segmentation": segmentation,
    "diagnosis": diagnosis,
    "report": report,
}
