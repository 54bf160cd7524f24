"""The classifier of lesions: its training, on a table of cases or on simulated patients."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spinekit.cli.common import QuietOption, command_line, progress, told
from spinekit.cli.networks import OutFolder, train
from spinekit.errors import InputRefusedError


@train.command()
def diagnosis(
    out: OutFolder,
    table: Annotated[
        Path | None, typer.Argument(help="CSV with case, series, label, roi; clinical columns count too.")
    ] = None,
    simulated: Annotated[
        int, typer.Option("--simulated", min=0, max=6000, help="Instead of a table: patients to simulate.")
    ] = 0,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches in all.")] = 160,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Lesions per batch, an even number.")] = 16,
    width: Annotated[int, typer.Option("--width", min=4, help="Channels of the network's stem.")] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the weights, the batches and the division.")] = 1,
    judge_every: Annotated[int, typer.Option("--judge-every", min=1, help="Steps between judgements.")] = 20,
    quiet: QuietOption = False,
) -> None:
    """Train, calibrate and measure the classifier; the folder then holds weights, card, judgement and measures."""
    from spinekit.provenance import hash_file
    from spinekit.study.diagnosis_training import (
        DiagnosisPlan,
        divided,
        lesions_of_table,
        seeds_of,
        simulated_patients,
        train_diagnosis,
    )  # fmt: skip

    with told():
        if (table is None) == (simulated == 0):
            raise InputRefusedError(
                "choice-unknown",
                found="A table and --simulated were given." if table else "Neither a table nor --simulated was given.",
                expected="One of the two.",
                cause="The network learns from cases of yours or from simulated ones.",
                cure="Give the path of a table, or --simulated 256.",
            )
        tell = None if quiet else progress
        data = "simulated patients, scanners drawn at random"
        if table is None:
            sets, tests = simulated_patients(simulated, out / "crops", on_case=tell)
        else:
            data = f"cases of a table of SHA-256 {hash_file(table)[:16]}"
            sets, tests = divided(lesions_of_table(table, out / "crops", on_case=tell), seed=seed), {}
        done = train_diagnosis(
            sets, out,
            plan=DiagnosisPlan(seed=seed, steps=steps, batch_size=batch, width=width, judge_every=judge_every),
            tests=tests,
            facts={
                "data": data,
                "command": command_line(sys.argv[1:]),
                "seeds": {name: [s[0], s[-1]] for name, s in seeds_of(simulated).items()} if table is None else {},
            },
            on_step=None if quiet else _step,
        )  # fmt: skip
        typer.echo(f"Weights: {done}" if not quiet else str(done))


def _step(step: int, steps: int, loss: float) -> None:
    if step % 10 == 0 or step in (1, steps):
        typer.echo(f"[{step}/{steps}] loss {loss:.4f}")
