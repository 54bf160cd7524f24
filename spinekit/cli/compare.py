"""Two readers: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import told


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Case folder or journal.json of one reader, or a folder of cases.")],
    second: Annotated[Path, typer.Argument(help="The same of the other reader.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.csv, compare.png and compare.json.")],
    series: Annotated[
        Path | None, typer.Option("--series", help="The series, for journals that lie in no case folder.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the paths of the files.")] = False,
) -> None:
    """Compare two readers of one case or of many: Dice, HD95, volumes, features, time and clicks."""
    from spinekit.cohort.compare import compare as compare_them

    with told():
        done = compare_them(first, second, out, series=series)
        for row in () if quiet else done.table.to_dict("records"):
            typer.echo(
                f"{row['case']}: Dice {row['dice']:.3f}, HD95 {row['hd95_mm']:.1f} mm, "
                f"{row['first_ml']:.2f} against {row['second_ml']:.2f} ml ({row['difference_percent']:+.1f} %)"
            )
        for name, reason in done.refused.items():
            typer.echo(f"spinekit: {name}: {reason}", err=True)
        for file in done.files:
            typer.echo(str(file))
        if any("[" in reason for reason in done.refused.values()):
            raise typer.Exit(2)
