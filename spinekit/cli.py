"""The command line: one subcommand per job. Exit status 0 done, 2 input refused, 1 our fault."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinekit.errors import InputRefusedError, SpinekitError

if TYPE_CHECKING:
    from spinekit.reporting.case_run import CaseRun

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Contrast-enhanced MRI of spinal lesions: from a dynamic series to a report. Research only, no diagnosis.",
)

OutOption = Annotated[Path, typer.Option("--out", help="Folder of the case; made if it is not there.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print only the path of the report.")]


@contextmanager
def _told(out: Path | None = None) -> Iterator[None]:
    """Turn what goes wrong into a message, error.json and an exit status."""
    from spinekit.provenance import write_json

    try:
        yield
    except SpinekitError as refused:
        typer.echo(f"spinekit: {refused.message} [{refused.code}]", err=True)
        if (
            out is not None
            and (not out.exists() or out.is_dir())
            and refused.code not in ("output-exists", "output-busy")
        ):
            write_json(out / "error.json", refused.as_dict())
        raise typer.Exit(refused.exit_status) from refused
    except OSError as reason:
        typer.echo(f"spinekit: the operating system refused: {reason.strerror or reason}.", err=True)
        raise typer.Exit(1) from reason


def _numbers(text: str, *, kind: type, option: str, count: int | None = None) -> tuple[float, ...]:
    try:
        values = tuple(kind(part) for part in text.replace(";", ",").split(",") if part.strip())
        if count is not None and len(values) != count:
            raise ValueError(text)
    except ValueError as reason:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{option} is '{text}'.",
            expected="Three whole numbers i,j,k such as 85,131,38." if count == 3 else "Numbers such as 0,12.5,25.",
            cause="A separator may be missing, or a decimal comma was used.",
            cure=f"Write {option} with commas between the numbers.",
        ) from reason
    return values


def _finish(outcome: CaseRun, *, quiet: bool) -> None:
    if not quiet:
        typer.echo(f"Took {outcome.seconds:.0f} s.")
    if outcome.failure is not None:
        failed = outcome.failure
        typer.echo(f"spinekit: step {failed.step} failed: {failed.message} [{failed.code}]", err=True)
        typer.echo(f"What was done up to there: {outcome.report}", err=True)
        raise typer.Exit(failed.exit_status)
    typer.echo(f"Report: {outcome.report}" if not quiet else str(outcome.report))


@app.command()
def run(
    series: Annotated[str, typer.Argument(help="DICOM folder, .zip, 4-D NIfTI, .nrrd, or simulated:SEED.")],
    out: OutOption,
    seed: Annotated[list[str] | None, typer.Option("--seed", help="Seed i,j,k in the lesion; may be repeated.")] = None,
    background: Annotated[
        list[str] | None, typer.Option("--background", help="Seed i,j,k outside the lesion; may be repeated.")
    ] = None,
    roi: Annotated[Path | None, typer.Option("--roi", help="Mask file to take instead of growing.")] = None,
    outline: Annotated[
        Path | None, typer.Option("--outline", help="Mask drawn on another image, such as the T2; the study's route.")
    ] = None,
    expand: Annotated[str, typer.Option("--expand", help="Five times the outline: area, linear or dilate.")] = "area",
    journal: Annotated[Path | None, typer.Option("--journal", help="Choices made earlier, to be replayed.")] = None,
    t2: Annotated[Path | None, typer.Option("--t2", help="Sagittal T2 image.")] = None,
    n_baseline: Annotated[int | None, typer.Option("--n-baseline", help="Phases before the contrast agent.")] = None,
    times: Annotated[str, typer.Option("--times", help="Seconds of each phase, such as 0,12.5,25.")] = "",
    choose_series: Annotated[str, typer.Option("--series", help="Series number, UID or part of its description.")] = "",
    reader: Annotated[str, typer.Option("--reader", help="Your initials, for the journal.")] = "",
    settings: Annotated[Path | None, typer.Option("--settings", help="study.toml")] = None,
    quiet: QuietOption = False,
) -> None:
    """Read a series, grow the region, compute maps and features, write the report."""
    from spinekit.reporting.case_run import CaseRequest, run_case

    with _told(out):
        request = CaseRequest(
            source=series,
            case_dir=out,
            seeds=tuple(_numbers(s, kind=int, option="--seed", count=3) for s in seed or ()),
            background=tuple(_numbers(s, kind=int, option="--background", count=3) for s in background or ()),
            roi_file=roi,
            outline_file=outline,
            expand=expand,
            journal_file=journal,
            t2=t2,
            times_s=_numbers(times, kind=float, option="--times"),
            choose_series=choose_series,
            reader=reader,
            settings_file=settings,
            n_baseline=n_baseline,
        )
        outcome = run_case(request, on_step=None if quiet else _progress)
        _finish(outcome, quiet=quiet)


@app.command()
def export(
    case: Annotated[Path, typer.Argument(help="Folder that spinekit run has written.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    source: Annotated[Path | None, typer.Option("--source", help="Where the DICOM series lies now.")] = None,
    phase: Annotated[int | None, typer.Option("--phase", help="Phase the region was drawn on, from 0.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Write region, maps and measurements as DICOM SEG, RTSTRUCT, maps and SR, .seg.nrrd, NIfTI and CSV."""
    from spinekit.workflow.exporting import export_case

    with _told():
        done = export_case(case, out, source=source, phase=phase)
        for file in done.files:
            typer.echo(str(file))
        for reason in () if quiet else done.left_out:
            typer.echo(f"left out: {reason}", err=True)


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

    with _told():
        i, j, k = (int(v) for v in _numbers(size, kind=int, option="--size", count=3))
        table = write_cohort(
            n, out, format=kind, hospital=hospital, first_seed=first_seed, size=(i, j, k),
            progress=None if quiet else _progress,
        )  # fmt: skip
        typer.echo(f"Table: {table}" if not quiet else str(table))


def _progress(number: int, total: int, title: str) -> None:
    typer.echo(f"[{number}/{total}] {title}")


@app.command()
def demo(
    out: OutOption = Path("out/demo"),
    case_seed: Annotated[int, typer.Option("--case-seed", help="Which simulated case; any whole number.")] = 7,
    quiet: QuietOption = False,
) -> None:
    """Run the main job on an embedded simulated case, to a report."""
    from spinekit.reporting.case_run import CaseRequest, run_case

    with _told(out):
        if not quiet:
            typer.echo("A simulated case: its numbers say nothing about patients.")
        outcome = run_case(
            CaseRequest(source=f"simulated:{case_seed}", case_dir=out, reader="demo"),
            on_step=None if quiet else _progress,
        )
        _finish(outcome, quiet=quiet)
        if not quiet:
            typer.echo("Open JupyterLab on the notebooks with: make lab")


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
    reports: Annotated[bool, typer.Option("--reports/--no-reports", help="A report per case, or tables only.")] = True,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="What a case may take; 0 is no limit.")] = 60,
    memory_gb: Annotated[float, typer.Option("--memory-gb", min=0, help="What a case may hold; 0 is no limit.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Run every case of a table, past the bad ones, and merge the tables; resumes where it was stopped."""
    from spinekit.cohort import CohortOptions, run_cohort
    from spinekit.cohort.progress import Progress

    options = CohortOptions(workers, scheduler, settings, reports, minutes, memory_gb, mark_by, reader)
    with _told(out):
        ended = run_cohort(table, out, options, on_case=None if quiet else Progress(typer.echo))
        for case in ended.failures:
            typer.echo(f"spinekit: {case['name']}: {case['message']} [{case['code']}]", err=True)
        if not quiet:
            typer.echo(f"{len(ended.cases) - len(ended.failures)} of {len(ended.cases)} cases are done.")
        typer.echo(f"Report: {ended.report}" if not quiet else str(ended.report))
        raise typer.Exit(ended.exit_status)


@app.command()
def verify(
    case: Annotated[Path, typer.Argument(help="Folder that spinekit run or spinekit cohort has written.")],
    source: Annotated[Path | None, typer.Option("--source", help="Where the series lies now.")] = None,
    t2: Annotated[Path | None, typer.Option("--t2", help="Where the T2 image lies now.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what differs.")] = False,
) -> None:
    """Recompute every number of a report from its sources and name what differs."""
    from spinekit.cohort.verify import is_cohort, verify_cohort
    from spinekit.reporting.verify import verify_case

    tell = None if quiet else _progress
    with _told():
        if is_cohort(case):
            found = verify_cohort(case, on_case=tell)
        else:
            found = verify_case(case, source=source, t2=t2, on_step=tell)
        for note in () if quiet else found.notes:
            typer.echo(f"note: {note}")
        for difference in found.differences:
            typer.echo(f"differs: {difference}")
        if not found.unchanged:
            typer.echo(f"spinekit: {len(found.differences)} of what was checked differ [verify-differs]", err=True)
            raise typer.Exit(2)
        typer.echo("Unchanged: every hash, setting and version agrees, and every number was recomputed to the bit.")


@app.command()
def doctor() -> None:
    """Check the installation, one line each, with the cure."""
    from spinekit.doctor import examine

    bad = 0
    for finding in examine():
        typer.echo(finding.line())
        bad += finding.state == "bad"
    raise typer.Exit(1 if bad else 0)


def main() -> None:
    """Run the command line; a fault of ours is shown with its traceback and exit status 1."""
    try:
        app()
    except Exception:
        traceback.print_exc()
        sys.stderr.write("spinekit: this is a fault of spinekit; please report the lines above.\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
