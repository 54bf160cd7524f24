"""Many cases: simulated ones, and a table of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, numbers, progress, told


@app.command()
def phantom(
    out: Annotated[Path, typer.Option("--out", help="Folder of the cases and their table.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Number of cases.")] = 10,
    kind: Annotated[str, typer.Option("--format", help="File format of the series.")] = "nifti",
    hospital: Annotated[str, typer.Option("--hospital", help="A or B: scanner and protocol.")] = "A",
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first case.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Voxels of the series, x,y,z.")] = "256,256,24",
    quiet: QuietOption = False,
) -> None:
    """Write simulated cases with their truth, and a table that spinekit cohort takes."""
    from spinekit.phantom.cohort import write_cohort

    with told():
        i, j, k = (int(v) for v in numbers(size, kind=int, option="--size", count=3))
        table = write_cohort(
            n, out, format=kind, hospital=hospital, first_seed=first_seed, size=(i, j, k),
            progress=None if quiet else progress,
        )  # fmt: skip
        typer.echo(f"Table: {table}" if not quiet else str(table))


@app.command()
def cohort(
    table: Annotated[Path, typer.Argument(help="CSV with the columns case and series; see docs/cohort.md.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the cohort; the same folder resumes it.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Cases at the same time.")] = 1,
    scheduler: Annotated[str, typer.Option("--scheduler", help="Address of a Dask scheduler to use instead.")] = "",
    settings: Annotated[Path | None, typer.Option("--settings", help="study.toml")] = None,
    mark_by: Annotated[
        str, typer.Option("--mark-by", help="journal, seeds, outline or roi, if rows have several.")
    ] = "",
    reader: Annotated[str, typer.Option("--reader", help="Your initials, for the journals.")] = "",
    reports: Annotated[
        bool, typer.Option("--reports/--no-reports", help="A report per case, or tables only, without the networks.")
    ] = True,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="What a case may take; 0 is no limit.")] = 60,
    memory_gb: Annotated[float, typer.Option("--memory-gb", min=0, help="What a case may hold; 0 is no limit.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Run every case of a table, past the bad ones, and merge the tables; resumes where it was stopped."""
    from spinekit.cohort import CohortOptions, run_cohort
    from spinekit.cohort.progress import Progress

    options = CohortOptions(workers, scheduler, settings, reports, minutes, memory_gb, mark_by, reader)
    with told(out):
        ended = run_cohort(table, out, options, on_case=None if quiet else Progress(typer.echo))
        for case in ended.failures:
            typer.echo(f"spinekit: {case['name']}: {case['message']} [{case['code']}]", err=True)
        if not quiet:
            typer.echo(f"{len(ended.cases) - len(ended.failures)} of {len(ended.cases)} cases are done.")
        typer.echo(f"Report: {ended.report}" if not quiet else str(ended.report))
        raise typer.Exit(ended.exit_status)
