"""One self-contained page out of executed notebooks: pictures inside, no script, no network, no code in view."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_text
from spinekit.reporting.notebooks import NotebookRun
from spinekit.workflow.loading import is_simulated

__all__ = ["write_report"]

TAGS = {
    "p", "h1", "h2", "h3", "h4", "em", "strong", "code", "pre", "ul", "ol", "li", "br", "hr", "blockquote",
    "span", "div", "table", "thead", "tbody", "tr", "th", "td", "caption",
}  # fmt: skip
PLACE = {"08": 0, "00": 2}  # the summary first, the check of the setup last, the steps between
LONG_TABLE = 40  # rows; longer ones are folded
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LIMITS = (
    "Research only. No output of spinekit is a diagnosis. Measures depend on the protocol, the region and the "
    "conventions that are stated below; a person who knows the case has to judge them."
)
SIMULATED = "Simulated case: no patient. No number below is a clinical result or an accuracy."


def write_report(case_dir: str | os.PathLike[str], run: NotebookRun) -> Path:
    """Write ``report.html`` of a case from its executed notebooks.

    The summary comes first, the steps after it, the check of the setup last. Whatever notebooks put out passes a
    list of permitted tags: no script, no link, no attribute of an event survives. A run that failed
    leaves a report that says at its head which step failed, and why.

    Returns
    -------
    Path
    """
    import nbformat

    folder = CaseFolder(Path(case_dir))
    notebooks = [(path.stem, nbformat.read(path, as_version=4)) for path in run.executed]
    order = sorted(notebooks, key=lambda notebook: PLACE.get(notebook[0][:2], 1))
    sections = [(stem, _title(notebook), "".join(_cells(notebook))) for stem, notebook in order]
    simulated = folder.marker.is_file() and is_simulated(folder.root)
    return write_text(folder.report, _page(sections, run, simulated=simulated, name=folder.root.name))


def _page(sections: list[tuple[str, str, str]], run: NotebookRun, *, simulated: bool, name: str) -> str:
    links = "".join(f'<a href="#s{stem[:2]}">{html.escape(title)}</a>' for stem, title, _ in sections)
    body = "".join(
        f'<section id="s{stem[:2]}"><h2>{html.escape(title)}</h2>{content}</section>'
        for stem, title, content in sections
    )
    banner = f'<p class="simulated">{SIMULATED}</p>' if simulated else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>spinekit report</title><style>{_style()}</style></head><body><main>"
        f'<header><h1>spinekit case report</h1><p class="quiet">{html.escape(name)}</p>{banner}{_failed(run)}'
        f'<p class="limits">{LIMITS}</p><nav>{links}</nav></header>{body}</main></body></html>\n'
    )


def _style() -> str:
    return resources.files("spinekit.reporting").joinpath("report.css").read_text(encoding="utf-8")


def _failed(run: NotebookRun) -> str:
    if run.failure is None:
        return ""
    skipped = f" Not run: {', '.join(run.not_run)}." if run.not_run else ""
    text = f"Step {run.failure.step} failed: {run.failure.message} [{run.failure.code}]{skipped}"
    return f'<p class="failure">{html.escape(text)}</p>'


def _title(notebook: Any) -> str:
    first = notebook.cells[0].source.splitlines()[0]
    return str(first).lstrip("# ").strip()


def _clean(text: str) -> str:
    import nh3

    return nh3.clean(text, tags=TAGS, attributes={}, link_rel=None, strip_comments=True)


def _cells(notebook: Any) -> Iterator[str]:
    """Yield the cells as HTML: text, what code put out, and at the end the code itself, folded."""
    import mistune

    markdown = mistune.create_markdown(escape=True, plugins=["table"])
    code = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            text = _without_heading(cell.source) if number == 0 else cell.source
            if not text.startswith("**Before going on"):
                yield _clean(str(markdown(text)).replace("<h2", "<h3").replace("</h2", "</h3"))
        elif cell.cell_type == "code":
            code.append(cell.source)
            for output in cell.outputs:
                yield from _output(output)
    listing = html.escape("\n\n".join(code))
    yield f"<details><summary>code of this step</summary><pre>{listing}</pre></details>"


def _without_heading(source: str) -> str:
    """Return the first cell without its title and its table of needs, which are for the person who runs it."""
    lines = source.splitlines()[1:]
    return "\n".join(line for line in lines if not line.startswith("|")).strip()


def _output(output: Any) -> Iterator[str]:
    if output.output_type == "error":
        text = ANSI.sub("", f"{output.ename}: {output.evalue}")
        yield f'<p class="failure">{html.escape(text)}</p>'
        return
    data = output.get("data", {})
    if "image/png" in data:
        pixels = re.sub(r"[^A-Za-z0-9+/=]", "", str(data["image/png"]))
        yield f'<img alt="figure" src="data:image/png;base64,{pixels}">'
    elif "application/vnd.jupyter.widget-view+json" in data:
        return
    elif "text/html" in data:
        yield _table(_clean(str(data["text/html"])))
    elif output.output_type == "stream" or "text/plain" in data:
        text = ANSI.sub("", str(output.get("text", "") or data.get("text/plain", "")))
        yield f"<pre>{html.escape(text)}</pre>" if text.strip() else ""


def _table(text: str) -> str:
    rows = text.count("<tr")
    table = f'<div class="table">{text}</div>'
    return table if rows <= LONG_TABLE else f"<details><summary>table of {rows - 1} lines</summary>{table}</details>"
