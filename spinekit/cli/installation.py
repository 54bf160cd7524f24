"""The installation: doctor."""

from __future__ import annotations

import typer

from spinekit.cli.app import app


@app.command()
def doctor() -> None:
    """Check the installation, one line each, with the cure."""
    from spinekit.doctor import examine

    bad = 0
    for finding in examine():
        typer.echo(finding.line())
        bad += finding.state == "bad"
    raise typer.Exit(1 if bad else 0)
