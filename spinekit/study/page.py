"""A study's results as one page: Markdown for a repository, HTML with the pictures inside for a reader."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.provenance import write_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Section", "write_pages"]

WARNING = (
    "Simulated cohort: no patients. No number on this page is a clinical accuracy, and none can be compared with a "
    "figure measured in patients."
)
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#22303c}"
    "table{border-collapse:collapse;font-size:13px;margin:1rem 0;display:block;overflow-x:auto}"
    "td,th{border-bottom:1px solid #d8dee4;padding:.25rem .6rem;text-align:left;vertical-align:top}"
    "img{max-width:100%}.warn{background:#fdecea;color:#8c1d18;padding:.6rem 1rem;font-weight:600}"
)


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, tables and pictures (files beside the page), in that order."""

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[pd.DataFrame, ...] = ()
    pictures: tuple[tuple[Path, str], ...] = ()


def _cell(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if not math.isfinite(number):
            return "–"
        return f"{number:.3f}" if abs(number) < 100 else f"{number:.1f}"
    return str(value)


def _cells(table: Any) -> tuple[list[str], list[list[str]]]:
    plain = table.reset_index() if table.index.name or table.index.nlevels > 1 else table
    rows = [[_cell(v) for v in row] for row in plain.itertuples(index=False)]
    return [str(c) for c in plain.columns], rows


def _markdown(section: Section, folder: Path) -> str:
    lines = [f"## {section.title}", ""]
    for words in section.words:
        lines += [words, ""]
    for table in section.tables:
        head, rows = _cells(table)
        lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in rows]
        lines.append("")
    for path, words in section.pictures:
        lines += [f"![{words}]({path.relative_to(folder).as_posix()})", ""]
    return "\n".join(lines)


def _html(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(words)}</p>" for words in section.words]
    for table in section.tables:
        head, rows = _cells(table)
        cells = "".join(f"<th>{html.escape(c)}</th>" for c in head)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>")
    for path, words in section.pictures:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        parts.append(f'<p><img alt="{html.escape(words, quote=True)}" src="data:image/png;base64,{data}"></p>')
    return "".join(parts)


def write_pages(
    folder: Path, title: str, sections: Sequence[Section], *, simulated: bool, limits: str
) -> tuple[Path, Path]:
    """Write ``README.md`` and ``report.html`` of a study; return their paths."""
    banner = f"**{WARNING}**\n\n" if simulated else ""
    text = f"# {title}\n\n{banner}{limits}\n\n" + "\n".join(_markdown(s, folder) for s in sections)
    markdown = write_text(folder / "README.md", text.rstrip() + "\n")
    warn = f'<p class="warn">{WARNING}</p>' if simulated else ""
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{warn}<p>{html.escape(limits)}</p>"
        + "".join(_html(s) for s in sections)
        + "</body></html>\n"
    )
    return markdown, write_text(folder / "report.html", page)
