"""What leaves the hospital: deidentify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, told


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(help="DICOM folder, .zip or file of one patient.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the copy; not there yet, or empty.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="Secret that keeps pseudonyms the same; made if not there.")
    ] = None,
    pixels_checked: Annotated[
        bool, typer.Option("--pixels-checked", help="You have looked: no image shows a name.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a copy of DICOM images without what identifies the patient; dates are shifted, intervals kept."""
    from spinekit.io.deidentify import deidentify_series, read_key

    with told():
        done = deidentify_series(source, out, key=read_key(key_file), pixels_checked=pixels_checked)
        for reason, count in () if quiet else sorted(done.left_out.items()):
            typer.echo(f"left out: {count} × {reason}", err=True)
        if not done.labelled:
            typer.echo(
                "warning: nobody has said that the pixels show no name, so the copy does not claim to be "
                "de-identified. Look at it, then use --pixels-checked. [burned-in-unknown]",
                err=True,
            )
        typer.echo(f"{len(done.files)} images: {out}" if not quiet else str(out))
