"""Models of a plain table of features: nested, audited, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, progress, told


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@app.command()
def model(
    table: Annotated[Path, typer.Argument(help="CSV with one row per lesion: features, class, patient, centre.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the page, the numbers and the figures.")],
    label: Annotated[str, typer.Option("--label", help="Column with the class, of two values.")] = "label",
    positive: Annotated[str, typer.Option("--positive", help="Value that is predicted; else the last one.")] = "",
    patient: Annotated[str, typer.Option("--patient", help="Column with the patient.")] = "",
    centre: Annotated[str, typer.Option("--centre", help="Column with the centre.")] = "",
    row: Annotated[str, typer.Option("--row", help="Column with a name for each row, if there is one.")] = "case",
    leave_out: Annotated[str, typer.Option("--leave-out", help="Columns that are no features, with commas.")] = "",
    classifiers: Annotated[str, typer.Option("--classifiers", help="With commas, the reference first; else all.")] = "",
    selection: Annotated[str, typer.Option("--selection", help="mrmr, lasso or none.")] = "mrmr",
    external: Annotated[str, typer.Option("--external", help="Centre that is kept for the external test.")] = "",
    harmonise: Annotated[bool, typer.Option("--harmonise", help="ComBat between centres, inside the folds.")] = False,
    keep: Annotated[str, typer.Option("--keep", help="Columns that ComBat leaves alone, with commas.")] = "",
    repeats: Annotated[Path | None, typer.Option("--repeats", help="measurements.csv of spinekit stability.")] = None,
    outer: Annotated[int, typer.Option("--outer", min=2, help="Outer folds.")] = 5,
    inner: Annotated[int, typer.Option("--inner", min=2, help="Inner folds.")] = 4,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds, classifiers and bootstrap.")] = 2023,
    draws: Annotated[int, typer.Option("--draws", min=50, help="Of the bootstrap.")] = 2000,
    quiet: QuietOption = False,
) -> None:
    """Compare classifiers on a table of features: nested by patient, audited for leaks, with every figure."""
    from spinekit.diagnosis.pipelines import CLASSIFIERS
    from spinekit.study.plain_table import read_plain_table, read_repeats
    from spinekit.study.table_models import TableChoices, models_of_table

    with told(out):
        read = read_plain_table(
            table, label=label, positive=positive, patient=patient, centre=centre, row=row, leave_out=_names(leave_out)
        )
        choices = TableChoices(
            _names(classifiers) or CLASSIFIERS, selection, external, harmonise, _names(keep), outer, inner, seed, draws
        )
        again = read_repeats(repeats, read) if repeats is not None else None
        done = models_of_table(read, out, choices, repeats=again, on_step=None if quiet else progress)
        for sentence in () if quiet else done.sentences:
            typer.echo(sentence)
        typer.echo(f"Report: {done.page}" if not quiet else str(done.page))
