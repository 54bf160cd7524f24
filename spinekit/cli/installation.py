"""The installation: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app


@app.command()
def doctor(
    radiomics: Annotated[
        bool, typer.Option("--radiomics", help="Print how far the features agree with other implementations.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with ibsi_digital_phantom and pyradiomics_cases.")
    ] = None,
) -> None:
    """Check the installation, one line each, with the cure."""
    if radiomics:
        _conformity(data)
        return
    from spinekit.doctor import examine

    bad = 0
    for finding in examine():
        typer.echo(finding.line())
        bad += finding.state == "bad"
    raise typer.Exit(1 if bad else 0)


def _conformity(data: Path | None) -> None:
    from spinekit.radiomics.conformity import conformity_table, reference_data

    table = conformity_table(reference_data(data))
    for name, row in table.iterrows():
        worst = "" if row["worst"] != row["worst"] else f", largest relative difference {row['worst']:.1e}"
        found = f"{row['agree']} of {row['compared']} agree within {row['limit']}{worst}"
        mark = {"ok": "ok  ", "differs": "BAD ", "not here": "note"}[row["state"]]
        missing = "its files are not here  ->  name their folder with --data or SPINEKIT_DATA"
        typer.echo(f"{mark}  {name} [path {row['path']}]: {missing if row['state'] == 'not here' else found}")
    raise typer.Exit(1 if (table["state"] == "differs").any() else 0)
