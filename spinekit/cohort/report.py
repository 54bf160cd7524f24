"""The report of a cohort: what is done, what is not and why, and the maps over all cases."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence, Set
from importlib import resources
from typing import Any

import numpy as np

from spinekit.quantities import QUANTITIES

__all__ = ["report_page"]

SIMULATED = "Simulated cases: no patients. No number below is a clinical result or an accuracy."
LIMITS = "Research only. No output of spinekit is a diagnosis."


def report_page(
    cases: Sequence[Mapping[str, Any]], summaries: Mapping[str, Mapping[str, Any]], *, linked: Set[str] = frozenset()
) -> str:
    """Return the page; it holds no time and no path, so that the same cases give the same bytes.

    Parameters
    ----------
    cases : sequence of mapping
        How each case ended, in the order of the table.
    summaries : mapping of str to mapping
        Of the cases that are done; see `spinekit.cohort.summary.summary_of`.
    linked : set of str
        Cases that have a report of their own.
    """
    simulated = any(summary["simulated"] for summary in summaries.values())
    missing = [case for case in cases if case["status"] != "done"]
    told = f"{len(summaries)} of {len(cases)} cases are done" + (f", {len(missing)} are not." if missing else ".")
    banner = f'<p class="simulated">{SIMULATED}</p>' if simulated else ""
    body = _not_done(missing) + _cases(cases, summaries, linked) + _maps(summaries)
    style = resources.files("spinekit.reporting").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>spinekit cohort report</title><style>{style}</style></head><body><main>"
        f'<header><h1>spinekit cohort report</h1>{banner}<p>{told}</p><p class="limits">{LIMITS}</p></header>'
        f"{body}</main></body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are HTML already."""
    line = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{line}</tr></thead><tbody>{body}</tbody></table></div>'


def _not_done(missing: Sequence[Mapping[str, Any]]) -> str:
    if not missing:
        return ""
    rows = [[html.escape(str(case[key])) for key in ("name", "status", "code", "message")] for case in missing]
    return f"<section><h2>Not done</h2>{_table(('case', 'status', 'code', 'why'), rows)}</section>"


def _cases(cases: Sequence[Mapping[str, Any]], summaries: Mapping[str, Mapping[str, Any]], linked: Set[str]) -> str:
    rows = []
    for case in cases:
        summary = summaries.get(case["name"])
        if summary is None:
            continue
        name, region = html.escape(case["name"]), summary["region"]
        warnings = "<br>".join(html.escape(text) for text in summary["warnings"]) or "none"
        link = f'<a href="cases/{name}/report.html">{name}</a>' if case["name"] in linked else name
        rows.append([link, f"{region['volume_ml']:.2f} ml", html.escape(str(region["method"])), warnings])
    return f"<section><h2>Cases</h2>{_table(('case', 'region', 'made by', 'warnings'), rows)}</section>" if rows else ""


def _maps(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    values: dict[str, list[float]] = {}
    for summary in summaries.values():
        for row in summary["maps"]:
            if row.get("median") is not None:
                values.setdefault(row["map"], []).append(row["median"])
    rows = []
    for name, medians in values.items():
        low, middle, high = np.percentile(medians, [25, 50, 75])
        quantity = QUANTITIES[name]
        numbers = (f"{middle:.4g}", f"{low:.4g} to {high:.4g}", str(len(medians)))
        rows.append([html.escape(quantity.title), html.escape(quantity.unit), *numbers])
    head = ("median of the region", "unit", "median over cases", "quartiles over cases", "cases")
    return f"<section><h2>Maps over all cases</h2>{_table(head, rows)}</section>" if rows else ""
