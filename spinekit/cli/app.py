"""The command line itself, to which the subcommands are added."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Contrast-enhanced MRI of spinal lesions: from a dynamic series to a report. Research only, no diagnosis.",
)
