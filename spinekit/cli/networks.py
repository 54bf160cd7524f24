"""The networks: cases to teach with, and training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.app import app
from spinekit.cli.common import QuietOption, command_line, progress, told

train = typer.Typer(no_args_is_help=True, help="Train the networks; on simulated cases unless you give your own.")
app.add_typer(train, name="train")

OutFolder = Annotated[Path, typer.Option("--out", help="Folder; the same folder goes on where it was stopped.")]


@train.command()
def cases(
    out: OutFolder,
    whole: Annotated[int, typer.Option("--whole", min=0, help="Cases that show the whole trunk.")] = 100,
    near: Annotated[int, typer.Option("--near", min=0, help="Cases that show the surroundings of a lesion.")] = 100,
    drawn: Annotated[int, typer.Option("--drawn", min=0, help="More whole trunks, all at drawn scanners.")] = 0,
    harder: Annotated[
        int, typer.Option("--harder", min=0, help="More of what is missed: blastic metastases, slices of any number.")
    ] = 0,
    validation: Annotated[int, typer.Option("--validation", min=1, help="Cases to judge with.")] = 10,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first case.")] = 10000,
    size: Annotated[
        str, typer.Option("--size", help="Voxels of a whole case, x,y,z; of z harder ones vary.")
    ] = "128,128,24",
    quiet: QuietOption = False,
) -> None:
    """Simulate cases to teach the U-Net with: hospital A, and scanners drawn at random."""
    from spinekit.cli.common import numbers
    from spinekit.phantom.teaching import write_teaching_cases

    with told():
        i, j, k = (int(v) for v in numbers(size, kind=int, option="--size", count=3))
        table = write_teaching_cases(
            out, whole=whole, near=near, drawn=drawn, harder=harder, validation=validation,
            first_seed=first_seed, size=(i, j, k), progress=None if quiet else progress,
        )  # fmt: skip
        typer.echo(f"Table: {table}" if not quiet else str(table))


@train.command()
def segmentation(
    table: Annotated[
        Path, typer.Argument(help="CSV with the columns case, series, lesions, n_baseline; docs/networks.md.")
    ],
    out: OutFolder,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches in all.")] = 8000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the weights and of every batch.")] = 5,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Patches per step.")] = 2,
    patch: Annotated[str, typer.Option("--patch", help="Voxels of a patch, z,y,x.")] = "12,48,48",
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="At its highest.")] = 2e-3,
    average: Annotated[float, typer.Option("--average", help="Decay of the mean of weights that is kept.")] = 0.99,
    judge_every: Annotated[int, typer.Option("--judge-every", min=1, help="Steps between judgements.")] = 1000,
    patience: Annotated[int, typer.Option("--patience", min=0, help="Judgements without a gain; 0 goes on.")] = 0,
    block: Annotated[str, typer.Option("--block", help="plain, residual or inception.")] = "inception",
    attention: Annotated[bool, typer.Option("--attention/--no-attention", help="Attention gates.")] = True,
    supervision: Annotated[bool, typer.Option("--supervision/--no-supervision", help="Deep supervision.")] = True,
    instance_norm: Annotated[
        bool | None,
        typer.Option(
            "--instance-norm/--no-instance-norm",
            help="Stem and steps down normalise by the volume; if not said, as in --start, and without it yes.",
        ),
    ] = None,
    flat_levels: Annotated[int, typer.Option("--flat-levels", help="Upper levels within a slice; 4 is 2-D.")] = 1,
    start: Annotated[Path | None, typer.Option("--start", help="Weights of an earlier training to begin with.")] = None,
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Folder of the examples, to share those of another training.")
    ] = None,
    sees: Annotated[str, typer.Option("--sees", help="both, maps or phases.")] = "both",
    phase_dropout: Annotated[float, typer.Option("--phase-dropout", help="How often phases are left out.")] = 0.3,
    fewer_phases: Annotated[float, typer.Option("--fewer-phases", help="How often a shorter protocol is met.")] = 0.5,
    around: Annotated[float, typer.Option("--around", help="Share of patches drawn about a lesion.")] = 0.5,
    hard: Annotated[
        float, typer.Option("--hard", min=0, help="Draw lesions that --start misses up to 1 + this more often.")
    ] = 0.0,
    first_pass: Annotated[float, typer.Option("--first-pass", help="How often the first pass is taken away.")] = 0.0,
    foreign: Annotated[float, typer.Option("--foreign", help="How often a click is met in altered tissue.")] = 0.0,
    strange: Annotated[float, typer.Option("--strange", help="Share of clicks in patches of no anatomy.")] = 0.0,
    frozen_norm: Annotated[bool, typer.Option("--frozen-norm", help="Keep the statistics of the start.")] = False,
    precision: Annotated[str, typer.Option("--precision", help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    accelerator: Annotated[str, typer.Option("--accelerator", help="cpu, cuda or auto.")] = "cpu",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processors of this machine.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Train the U-Net; the folder then holds unet.safetensors, its card and the learning curve."""
    from spinekit.cli.common import numbers
    from spinekit.models.examples import CHANNELS
    from spinekit.models.segmentation_task import Teaching
    from spinekit.models.teaching import norm_of, teach_segmentation
    from spinekit.models.training import Plan
    from spinekit.models.unet import UNetConfig

    with told():
        z, y, x = (int(v) for v in numbers(patch, kind=int, option="--patch", count=3))
        plan = Plan(
            steps=steps, seed=seed, learning_rate=learning_rate, average=average, judge_every=judge_every,
            patience=patience, precision=precision, accelerator=accelerator, devices=devices,
        )  # fmt: skip
        done = teach_segmentation(
            table, out,
            plan=plan,
            teaching=Teaching(
                patch_zyx=(z, y, x), batch=batch, sees=sees,
                phase_dropout=phase_dropout, fewer_phases=fewer_phases, first_pass=first_pass, foreign=foreign,
                strange=strange, frozen_norm=frozen_norm, around_lesion=around, hard=hard,
            ),
            network=UNetConfig(
                CHANNELS, flat_levels=flat_levels, block=block, attention=attention, supervision=supervision,
                instance_norm=norm_of(start) if instance_norm is None else instance_norm,
            ),
            start=start,
            examples=examples,
            command=command_line(sys.argv[1:]),
            on_case=None if quiet else progress,
            on_step=None if quiet else _told_step,
        )  # fmt: skip
        if not quiet:
            for row in done.trained.curve:
                typer.echo("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        typer.echo(f"Weights: {done.weights}" if not quiet else str(done.weights))


@train.command("mean")
def mean_of(
    weights: Annotated[list[Path], typer.Argument(help="Weights of trainings that began with the same weights.")],
    out: Annotated[Path, typer.Option("--out", help="File for the mean, ending in .safetensors.")],
) -> None:
    """Average the weights of U-Nets that share a beginning: steadier than any of them."""
    from spinekit.models.averaging import average_networks

    with told():
        typer.echo(str(average_networks(weights, out, kind="unet", command=command_line(sys.argv[1:]))))


@train.command()
def ablation(
    table: Annotated[Path, typer.Argument(help="As for spinekit train segmentation.")],
    out: OutFolder,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches for each network.")] = 300,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the weights and of every batch.")] = 5,
    judge_every: Annotated[int, typer.Option("--judge-every", min=1, help="Steps between judgements.")] = 100,
    patch: Annotated[str, typer.Option("--patch", help="Voxels of a patch, z,y,x.")] = "12,48,48",
    widths: Annotated[str, typer.Option("--widths", help="Channels of each level.")] = "12,24,48,96",
    quiet: QuietOption = False,
) -> None:
    """Train the U-Net with one part more each time, and on maps or phases alone: one table, ablation.csv."""
    import pandas as pd

    from spinekit.cli.common import numbers
    from spinekit.models.ablation import ablate
    from spinekit.models.segmentation_task import Teaching
    from spinekit.models.training import Plan
    from spinekit.provenance import write_text

    with told():
        z, y, x = (int(v) for v in numbers(patch, kind=int, option="--patch", count=3))
        rows = ablate(
            table, out,
            plan=Plan(steps=steps, seed=seed, learning_rate=2e-3, judge_every=judge_every),
            teaching=Teaching(patch_zyx=(z, y, x)),
            widths=tuple(int(v) for v in numbers(widths, kind=int, option="--widths")),
            on_variant=None if quiet else lambda name, row: typer.echo(f"{name}: Dice {row['dice']:.3f}"),
        )  # fmt: skip
        file = write_text(out / "ablation.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.4g"))
        typer.echo(f"Table: {file}" if not quiet else str(file))


@train.command()
def judge(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="CSV file, one row per case and way of asking.")],
    model: Annotated[Path | None, typer.Option("--model", help="Weights; the demonstration weights if absent.")] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="Your cases instead of simulated ones: as for train segmentation, or a study's."),
    ] = None,
    centre: Annotated[str, typer.Option("--centre", help="Of a study's table: only the cases of this centre.")] = "",
    hospital: Annotated[str, typer.Option("--hospital", help="A or B.")] = "A",
    n: Annotated[int, typer.Option("--n", min=1, help="Simulated cases.")] = 20,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="None may be among the taught ones.")] = 12000,
    size: Annotated[str, typer.Option("--size", help="Voxels of the series, x,y,z.")] = "256,256,24",
    quiet: QuietOption = False,
) -> None:
    """Judge a U-Net on cases it has not seen, simulated or your own, beside all background and a threshold."""
    from spinekit.cli.common import numbers
    from spinekit.provenance import write_text
    from spinekit.study.segmentation_figures import judge_segmentation, summary_of
    from spinekit.study.unseen import simulated_cases, table_cases

    _require_used(context, ("hospital", "n", "first_seed", "size") if table is not None else ("centre",))
    with told():
        i, j, k = (int(v) for v in numbers(size, kind=int, option="--size", count=3))
        simulated = simulated_cases(n, hospital=hospital, first_seed=first_seed, size=(i, j, k))
        cases = simulated if table is None else table_cases(table, centre=centre, model=model)
        judged = judge_segmentation(cases, model=model, on_case=None if quiet else typer.echo)
        write_text(out, judged.to_csv(index=False, float_format="%.6g"))
        if not quiet:
            whose = "Simulated cases" if judged["simulated"].all() else "Cases of the table"
            some = ", some of them simulated" if judged["simulated"].nunique() > 1 else ""
            typer.echo(f"{whose}{some}: none of these figures is a clinical accuracy.")
            typer.echo(summary_of(judged).to_string())
        typer.echo(f"Table: {out}" if not quiet else str(out))


def _require_used(context: typer.Context, beside: tuple[str, ...]) -> None:
    """Refuse options that would be ignored: those of simulated cases beside a table, that of a table without one."""
    sources = {name: context.get_parameter_source(name) for name in beside}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        whose = "the cases of a table" if given == ["centre"] else "simulated cases"
        raise typer.BadParameter(f"{names} is about {whose}, and would be ignored. Leave it out, or change --table.")


def _told_step(step: int, steps: int, loss: float) -> None:
    if step == 1 or step % 10 == 0 or step == steps:
        typer.echo(f"[{step}/{steps}] loss {loss:.4f}")
