"""The networks: cases to teach with, and training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, progress, told

train = typer.Typer(no_args_is_help=True, help="Train the networks; on simulated cases unless you give your own.")
app.add_typer(train, name="train")

OutFolder = Annotated[Path, typer.Option("--out", help="Folder; the same folder goes on where it was stopped.")]


@train.command()
def cases(
    out: OutFolder,
    whole: Annotated[int, typer.Option("--whole", min=0, help="Cases that show the whole trunk.")] = 38,
    near: Annotated[int, typer.Option("--near", min=0, help="Cases that show the surroundings of a lesion.")] = 46,
    validation: Annotated[int, typer.Option("--validation", min=1, help="Cases to judge with.")] = 6,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first case.")] = 10000,
    quiet: QuietOption = False,
) -> None:
    """Simulate cases to teach the U-Net with: hospital A, and scanners drawn at random."""
    from spinekit.phantom.teaching import write_teaching_cases

    with told():
        table = write_teaching_cases(
            out, whole=whole, near=near, validation=validation, first_seed=first_seed,
            progress=None if quiet else progress,
        )  # fmt: skip
        typer.echo(f"Table: {table}" if not quiet else str(table))


@train.command()
def segmentation(
    table: Annotated[
        Path, typer.Argument(help="CSV with the columns case, series, lesions, n_baseline; docs/networks.md.")
    ],
    out: OutFolder,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches in all.")] = 1500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the weights and of every batch.")] = 5,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Patches per step.")] = 2,
    patch: Annotated[str, typer.Option("--patch", help="Voxels of a patch, z,y,x.")] = "12,48,48",
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="At its highest.")] = 2e-3,
    judge_every: Annotated[int, typer.Option("--judge-every", min=1, help="Steps between judgements.")] = 250,
    patience: Annotated[int, typer.Option("--patience", min=0, help="Judgements without a gain; 0 goes on.")] = 0,
    block: Annotated[str, typer.Option("--block", help="plain, residual or inception.")] = "inception",
    attention: Annotated[bool, typer.Option("--attention/--no-attention", help="Attention gates.")] = True,
    supervision: Annotated[bool, typer.Option("--supervision/--no-supervision", help="Deep supervision.")] = True,
    flat_levels: Annotated[int, typer.Option("--flat-levels", help="Upper levels within a slice; 4 is 2-D.")] = 1,
    sees: Annotated[str, typer.Option("--sees", help="both, maps or phases.")] = "both",
    precision: Annotated[str, typer.Option("--precision", help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    accelerator: Annotated[str, typer.Option("--accelerator", help="cpu, cuda or auto.")] = "cpu",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processors of this machine.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Train the U-Net; the folder then holds unet.safetensors, its card and the learning curve."""
    from spinekit.cli.common import numbers
    from spinekit.models.examples import CHANNELS
    from spinekit.models.segmentation_task import Teaching
    from spinekit.models.teaching import teach_segmentation
    from spinekit.models.training import Plan
    from spinekit.models.unet import UNetConfig

    with told():
        z, y, x = (int(v) for v in numbers(patch, kind=int, option="--patch", count=3))
        plan = Plan(
            steps=steps, seed=seed, learning_rate=learning_rate, judge_every=judge_every, patience=patience,
            precision=precision, accelerator=accelerator, devices=devices,
        )  # fmt: skip
        done = teach_segmentation(
            table, out,
            plan=plan,
            teaching=Teaching(patch_zyx=(z, y, x), batch=batch, sees=sees),
            network=UNetConfig(
                CHANNELS, flat_levels=flat_levels, block=block, attention=attention, supervision=supervision
            ),
            command="spinekit " + " ".join(sys.argv[1:]),
            on_case=None if quiet else progress,
            on_step=None if quiet else _told_step,
        )  # fmt: skip
        if not quiet:
            for row in done.trained.curve:
                typer.echo("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        typer.echo(f"Weights: {done.weights}" if not quiet else str(done.weights))


def _told_step(step: int, steps: int, loss: float) -> None:
    if step == 1 or step % 10 == 0 or step == steps:
        typer.echo(f"[{step}/{steps}] loss {loss:.4f}")
