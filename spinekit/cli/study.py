"""The study: radiomics, improved U-Net and Inception-ResNet, compared by patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, progress, told

FORMS = {  # name -> internal cases, external cases, size, outer and inner folds, draws
    "tiny": (16, 8, (48, 48, 6), 2, 2, 50),
    "small": (24, 12, (64, 64, 8), 3, 2, 500),
    "full": (54, 27, (128, 128, 16), 5, 4, 2000),
}
FIRST_SEED = 50000  # patients that no network of the package was trained on


@app.command()
def study(
    table: Annotated[
        Path | None, typer.Argument(help="CSV with case, series and label; see docs/study.md. None simulates a cohort.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the study; the same folder resumes it.")] = Path(
        "out/study"
    ),
    form: Annotated[str, typer.Option("--form", help="Size of a simulated cohort: tiny, small or full.")] = "small",
    external: Annotated[str, typer.Option("--external", help="Centre that is kept for the external test.")] = "",
    outer: Annotated[int, typer.Option("--outer", min=0, help="Outer folds; 0 takes the form's own.")] = 0,
    inner: Annotated[int, typer.Option("--inner", min=0, help="Inner folds; 0 takes the form's own.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds, classifiers and bootstrap.")] = 2023,
    permutations: Annotated[int, typer.Option("--permutations", min=0, help="Shuffles of the labels.")] = 0,
    networks: Annotated[bool, typer.Option("--networks/--no-networks", help="Ask the two networks.")] = True,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Cases at the same time.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Compare radiomics, improved U-Net and Inception-ResNet, nested, by patient, with an external test."""
    from spinekit.study.run import StudyOptions, run_study
    from spinekit.study.table import simulated_table

    with told(out):
        n_internal, n_external, size, n_outer, n_inner, draws = FORMS[_form(form)]
        source = table
        if source is None:
            source = out / "table.csv"
            simulated_table(source, n_internal=n_internal, n_external=n_external, size=size, first_seed=FIRST_SEED)
        options = StudyOptions(
            external, outer or n_outer, inner or n_inner, seed, draws, permutations, "auto" if networks else "no"
        )
        done = run_study(
            source, out, options, command=_command(table, form, permutations, networks, seed, external),
            workers=workers, on_step=None if quiet else progress,
        )  # fmt: skip
        for reason in done.left_out:
            typer.echo(f"left out: {reason}", err=True)
        for sentence in () if quiet else done.sentences:
            typer.echo(sentence)
        typer.echo(f"Report: {done.report}" if not quiet else str(done.report))


def _form(name: str) -> str:
    from spinekit.errors import InputRefusedError

    if name not in FORMS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"--form is '{name}'.",
            expected=f"One of {', '.join(FORMS)}.",
            cause="The name may be misspelt.",
            cure="Choose one of these.",
        )
    return name


def _command(table: Path | None, form: str, permutations: int, networks: bool, seed: int, external: str) -> str:
    words = ["spinekit study", "TABLE.csv" if table is not None else f"--form {form}", f"--seed {seed}"]
    words += [f"--external {external}"] if external else []
    words += [f"--permutations {permutations}"] if permutations else []
    return " ".join([*words, *([] if networks else ["--no-networks"])])
