"""Radiomics: which features survive perturbation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, numbers, progress, told


@app.command()
def stability(
    out: Annotated[Path, typer.Option("--out", help="Folder of the tables and the figure.")],
    cases: Annotated[
        list[Path] | None, typer.Argument(help="Folders of at least three cases; simulated ones without.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=3, help="Number of simulated cases.")] = 12,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first simulated case.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Voxels of a simulated series, x,y,z.")] = "160,160,20",
    bin_count: Annotated[int, typer.Option("--bin-count", min=2, help="Grey levels, of simulated cases.")] = 32,
    resample_mm: Annotated[float, typer.Option("--resample-mm", min=0, help="Voxel size; 0 keeps the grid.")] = 1.0,
    filters: Annotated[bool, typer.Option("--filters/--no-filters", help="LoG of 2 and 4 mm, wavelet coif1.")] = True,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Cases at the same time.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Perturb regions, images and protocol, and tell which features survive: ICC, repeatability, a figure."""
    from spinekit.study.stability import StabilityPlan, run_stability

    with told(out):
        i, j, k = (int(v) for v in numbers(size, kind=int, option="--size", count=3))
        plan = StabilityPlan(
            tuple(cases or ()), n, first_seed, (i, j, k), bin_count, resample_mm, filters, workers,
        )  # fmt: skip
        result = run_stability(plan, out, on_case=None if quiet else lambda a, b: progress(a, b, "case measured"))
        if not quiet:
            typer.echo(result.text())
        typer.echo(f"Tables and figure: {result.folder}" if not quiet else str(result.folder))
