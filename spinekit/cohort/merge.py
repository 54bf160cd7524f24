"""Merged tables of a cohort, in the order of its table; the same cases give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spinekit.cohort.layout import CohortFolder
from spinekit.cohort.manifest import read_entry
from spinekit.cohort.report import report_page
from spinekit.provenance import write_json, write_text

__all__ = ["MERGED", "merge"]

MERGED = ("cases.csv", "regions.csv", "maps.csv", "features.csv", "manifest.json", "report.html")
SAME_EVERY_TIME = (".nii.gz", ".csv", ".npy")  # the others hold the moment at which they were written
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def merge(folder: CohortFolder, cases: Sequence[Mapping[str, Any]], *, into: CohortFolder | None = None) -> Path:
    """Write ``cases.csv``, ``regions.csv``, ``maps.csv``, ``features.csv``, ``manifest.json``, ``report.html``.

    Parameters
    ----------
    cases : sequence of mapping
        How each case ended, in the order of the table.
    into : CohortFolder, optional
        Where to write; the folder itself if not given.

    Returns
    -------
    Path
        The report.
    """
    out = into or folder
    entries = {case["name"]: read_entry(folder.state(case["name"])) for case in cases}
    done = [case["name"] for case in cases if case["status"] == "done"]
    summaries = {name: entries[name]["summary"] for name in done}
    write_text(out.merged("cases"), _csv(_case_rows(cases, summaries)))
    write_text(out.merged("regions"), _csv({"case": name} | summaries[name]["region"] for name in done))
    write_text(out.merged("maps"), _csv({"case": name} | row for name in done for row in summaries[name]["maps"]))
    write_text(out.merged("features"), _csv(_feature_rows(folder, done)))
    write_json(out.manifest, {"cases": [_manifest_row(case, entries[case["name"]]) for case in cases]})
    linked = {name for name in done if (folder.case(name) / "report.html").is_file()}
    return write_text(out.report, report_page(cases, summaries, linked=linked))


def _case_rows(cases: Iterable[Mapping[str, Any]], summaries: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for case in cases:
        summary = summaries.get(case["name"], {})
        yield {
            "case": case["name"],
            "status": case["status"],
            "code": case["code"],
            "message": case["message"],
            "simulated": summary.get("simulated", ""),
            "n_warnings": len(summary["warnings"]) if summary else "",
            "warnings": " ".join(summary.get("warnings", ())),
        }


def _feature_rows(folder: CohortFolder, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        with open(folder.case(name) / "features.csv", encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                yield {"case": name, **row}


def _manifest_row(case: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    files = entry.get("files_sha256", {})
    return {
        "case": case["name"],
        "status": case["status"],
        "code": case["code"],
        "depends_on": entry.get("depends_on", {}),
        "results_sha256": {name: digest for name, digest in files.items() if name.endswith(SAME_EVERY_TIME)},
    }


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV; a column that only some rows have is empty in the others."""
    kept = list(rows)
    columns = list(dict.fromkeys(column for row in kept for column in row)) or ["case"]
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _cell(value) for column, value in row.items()} for row in kept)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as it is written: floats in full, no text that a spreadsheet would take for a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.17g}"
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
