"""What every subcommand shares: options, how a refusal is told, how progress is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinekit.errors import ENDINGS, InputRefusedError, SpinekitError, shown

if TYPE_CHECKING:
    from spinekit.reporting.case_run import CaseRun

__all__ = ["OutOption", "QuietOption", "command_line", "finish", "numbers", "progress", "told"]

PATH_OPTIONS = (
    "--out",
    "--start",
    "--examples",
    "--model",
    "--settings",
    "--t2",
    "--roi",
    "--outline",
    "--journal",
    "--source",
)
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the case; made if it is not there.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print only the path of the report.")]


@contextmanager
def told(out: Path | None = None) -> Iterator[None]:
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


def numbers(text: str, *, kind: type, option: str, count: int | None = None) -> tuple[float, ...]:
    """Return the numbers of an option such as `85,131,38`; refuses text that holds none, or another count."""
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


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as a record may keep it: paths by their endings only, since a path can be a patient's.

    Examples
    --------
    >>> command_line(["train", "segmentation", "/data/Doe/cases.csv", "--steps", "300", "--out=runs/Doe"])
    "spinekit train segmentation file '….csv' --steps 300 --out=PATH"
    """
    before = ["", *arguments]
    told = (_without_path(word, after=last) for last, word in zip(before, arguments, strict=False))
    return " ".join(["spinekit", *told])


def _without_path(word: str, *, after: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    of_path = (option or after) in PATH_OPTIONS or os.path.exists(value) or "/" in value or "\\" in value
    if not value or not (of_path or Path(value).suffix in ENDINGS):
        return word
    return f"{option}{equals}{shown(value) if Path(value).suffix in ENDINGS else 'PATH'}"


def finish(outcome: CaseRun, *, quiet: bool) -> None:
    """Say where the report is and, if a step failed, which and why, with its exit status."""
    if not quiet:
        typer.echo(f"Took {outcome.seconds:.0f} s.")
    if outcome.failure is not None:
        failed = outcome.failure
        typer.echo(f"spinekit: step {failed.step} failed: {failed.message} [{failed.code}]", err=True)
        typer.echo(f"What was done up to there: {outcome.report}", err=True)
        raise typer.Exit(failed.exit_status)
    typer.echo(f"Report: {outcome.report}" if not quiet else str(outcome.report))


def progress(number: int, total: int, title: str) -> None:
    """Print one line of progress."""
    typer.echo(f"[{number}/{total}] {title}")
