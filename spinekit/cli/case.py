"""One case: run, demo, export, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import OutOption, QuietOption, finish, numbers, progress, told


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
    label: Annotated[
        str, typer.Option("--label", help="Number or name of the region in --roi or --outline, if several.")
    ] = "",
    expand: Annotated[str, typer.Option("--expand", help="Five times the outline: area, linear or dilate.")] = "area",
    journal: Annotated[Path | None, typer.Option("--journal", help="Choices made earlier, to be replayed.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Take the region that the U-Net proposes; no seed.")] = False,
    t2: Annotated[Path | None, typer.Option("--t2", help="Sagittal T2 image.")] = None,
    clinical: Annotated[
        str, typer.Option("--clinical", help="Facts for the classifier, such as age_years=61,sex=F.")
    ] = "",
    n_baseline: Annotated[int | None, typer.Option("--n-baseline", help="Phases before the contrast agent.")] = None,
    times: Annotated[str, typer.Option("--times", help="Seconds of each phase, such as 0,12.5,25.")] = "",
    choose_series: Annotated[str, typer.Option("--series", help="Series number, UID or part of its description.")] = "",
    reader: Annotated[str, typer.Option("--reader", help="Your initials, for the journal.")] = "",
    settings: Annotated[Path | None, typer.Option("--settings", help="study.toml")] = None,
    quiet: QuietOption = False,
) -> None:
    """Read a series, grow the region, compute maps and features, write the report."""
    from spinekit.reporting.case_run import CaseRequest, run_case

    with told(out):
        request = CaseRequest(
            source=series,
            case_dir=out,
            seeds=tuple(numbers(s, kind=int, option="--seed", count=3) for s in seed or ()),
            background=tuple(numbers(s, kind=int, option="--background", count=3) for s in background or ()),
            roi_file=roi,
            outline_file=outline,
            roi_label=label,
            expand=expand,
            journal_file=journal,
            auto=auto,
            t2=t2,
            times_s=numbers(times, kind=float, option="--times"),
            choose_series=choose_series,
            reader=reader,
            settings_file=settings,
            n_baseline=n_baseline,
            clinical=clinical,
        )
        outcome = run_case(request, on_step=None if quiet else progress)
        finish(outcome, quiet=quiet)


@app.command()
def demo(
    out: OutOption = Path("out/demo"),
    case_seed: Annotated[int, typer.Option("--case-seed", help="Which simulated case; any whole number.")] = 7,
    quiet: QuietOption = False,
) -> None:
    """Run the main job on an embedded simulated case, to a report."""
    from spinekit.reporting.case_run import CaseRequest, run_case

    with told(out):
        if not quiet:
            typer.echo("A simulated case: its numbers say nothing about patients.")
        outcome = run_case(
            CaseRequest(source=f"simulated:{case_seed}", case_dir=out, reader="demo"),
            on_step=None if quiet else progress,
        )
        finish(outcome, quiet=quiet)
        if not quiet:
            typer.echo("Open JupyterLab on the notebooks with: make lab")


@app.command()
def export(
    case: Annotated[Path, typer.Argument(help="Folder that spinekit run has written.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    source: Annotated[Path | None, typer.Option("--source", help="Where the DICOM series lies now.")] = None,
    phase: Annotated[int | None, typer.Option("--phase", help="Phase the region was drawn on, from 0.")] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="For outside the hospital: the key of spinekit deidentify.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write region, maps and measurements as DICOM SEG, RTSTRUCT, maps and SR, .seg.nrrd, NIfTI and CSV."""
    from spinekit.io.deidentify import read_key
    from spinekit.workflow.exporting import export_case

    with told():
        done = export_case(case, out, source=source, phase=phase, key=read_key(key_file) if key_file else None)
        for file in done.files:
            typer.echo(str(file))
        for reason in () if quiet else done.left_out:
            typer.echo(f"left out: {reason}", err=True)


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

    tell = None if quiet else progress
    with told():
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
