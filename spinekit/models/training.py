"""The training loop of both networks: deterministic, resumable to the bit, on one processor or several.

What is learned is a `Task`: it knows its batches, its loss and how to judge a network. Each batch depends on the seed
and its number alone, never on what was drawn before, so a resumed training meets the same batches as an
uninterrupted one. All state (weights, optimiser, average, curve) lies in safetensors and JSON.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from spinekit.errors import InputRefusedError
from spinekit.models.training_state import TrainingState, read_state, write_state
from spinekit.provenance import hash_json, write_text

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Plan", "Task", "Trained", "learning_rate_at", "train_network"]


@dataclass(frozen=True)
class Plan:
    """How a training goes.

    Attributes
    ----------
    steps : int
        Batches in all.
    seed : int
        Of the weights and of every batch.
    learning_rate : float
        At its highest: it rises over the first `warm_up` share of the steps and falls as a cosine to 1 % of it.
    weight_decay : float
        Of AdamW.
    average : float
        Decay of the running average of the weights that is judged and kept; 0 keeps the weights themselves.
    judge_every : int
        Steps between two judgements on the validation cases; the state is written then.
    patience : int
        Judgements without a better score until the training stops; 0 never stops early.
    precision : str
        Lightning Fabric's: ``"32-true"``, ``"bf16-mixed"``, ``"16-mixed"``.
    accelerator : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    devices : int
        Processors of this machine; under torchrun its own number counts.
    """

    steps: int
    seed: int = 0
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.08
    average: float = 0.99
    judge_every: int = 100
    patience: int = 0
    precision: str = "32-true"
    accelerator: str = "cpu"
    devices: int = 1


class Task(Protocol):
    """What a network is taught.

    ``record`` names the data and settings, JSON-serialisable: it is hashed, so that a training is resumed on the same
    task only. ``batch`` must depend on its arguments alone.
    """

    record: dict[str, Any]

    def batch(self, step: int, *, seed: int, rank: int) -> dict[str, Tensor]:
        """Return the tensors of one step."""
        ...

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the scalar to be lowered."""
        ...

    def judge(self, net: nn.Module) -> dict[str, float]:
        """Return measures on the validation cases; ``"score"`` is the one that counts, larger is better."""
        ...


@dataclass(frozen=True)
class Trained:
    """The best weights of a training (by ``score``), the learning curve, and the step they are from."""

    tensors: dict[str, Tensor]
    curve: tuple[dict[str, float], ...]
    best_step: int
    stopped_early: bool


def learning_rate_at(step: int, plan: Plan) -> float:
    """Return the learning rate of a step, counted from 0.

    Examples
    --------
    >>> plan = Plan(steps=100, learning_rate=1.0, warm_up=0.1)
    >>> [round(learning_rate_at(s, plan), 2) for s in (0, 9, 54, 99)]
    [0.1, 1.0, 0.51, 0.01]
    """
    rising = max(1, round(plan.warm_up * plan.steps))
    if step < rising:
        return plan.learning_rate * (step + 1) / rising
    share = (step - rising + 1) / max(1, plan.steps - rising)
    return plan.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))


def train_network(
    build: Callable[[], nn.Module],
    task: Task,
    plan: Plan,
    *,
    out: str | os.PathLike[str],
    until: int | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Trained:
    """Train a network, or go on with a training that lies in `out`.

    Parameters
    ----------
    build : callable
        Returns the network, freshly initialised.
    task : Task
        Batches, loss, judgement.
    plan : Plan
        Steps, seed, rates, precision.
    out : path
        Folder of ``state-*.safetensors``, ``state.json`` and ``curve.csv``.
    until : int, optional
        Stop after this step and keep the state, as an interruption would.
    on_step : callable, optional
        Called with (step, steps, loss) after each step.

    Returns
    -------
    Trained

    Raises
    ------
    InputRefusedError
        ``training-stopped`` if `out` holds another training, or a loss is not finite.

    Notes
    -----
    The same seed gives bit-identical weights on the CPU. On several devices (Lightning Fabric, or started by torchrun)
    each rank draws batches of its own and the gradients are averaged; no other code runs.
    """
    import torch

    fabric = _fabric(plan)
    key = hash_json({"task": task.record, "plan": asdict(plan), "ranks": fabric.world_size})
    torch.manual_seed(plan.seed)
    net = build()
    state = read_state(Path(out), key) or TrainingState.fresh(net)
    net.load_state_dict(state.weights)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    state.fill_optimiser(optimiser)
    net, optimiser = fabric.setup(net, optimiser)
    while state.step < min(plan.steps, until or plan.steps) and not _patience_spent(state, plan):
        value = _step(fabric, net, optimiser, task, plan, state)
        if on_step is not None and fabric.is_global_zero:
            on_step(state.step, plan.steps, value)
        if state.step % plan.judge_every == 0 or state.step == plan.steps:
            _judge(net.module, build, task, state)
            state.keep(net.module, optimiser)
            if fabric.is_global_zero:
                write_state(Path(out), state, key)
                write_text(Path(out) / "curve.csv", _table(state.curve))
            fabric.barrier()
    return Trained(state.best or state.average, tuple(state.curve), state.best_step, _patience_spent(state, plan))


def _fabric(plan: Plan) -> Any:
    from lightning_fabric import Fabric

    devices = int(os.environ.get("LOCAL_WORLD_SIZE", plan.devices))  # torchrun says how many it has started
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1))
    fabric = Fabric(accelerator=plan.accelerator, devices=devices, num_nodes=nodes, precision=plan.precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def _step(fabric: Any, net: Any, optimiser: Any, task: Task, plan: Plan, state: TrainingState) -> float:
    import torch

    net.train()
    for group in optimiser.param_groups:
        group["lr"] = learning_rate_at(state.step, plan)
    torch.manual_seed(hash((plan.seed, state.step, fabric.global_rank)) % 2**31)  # of dropout, should a network have it
    batch = fabric.to_device(task.batch(state.step, seed=plan.seed, rank=fabric.global_rank))
    loss = task.loss(net, batch)
    if not bool(torch.isfinite(loss)):
        raise InputRefusedError(
            "training-stopped",
            found=f"The loss is {float(loss.detach())} at step {state.step}.",
            expected="A finite loss.",
            cause="The learning rate may be too high for this precision, or a case holds values that are not finite.",
            cure="Lower the learning rate, or use precision 32-true; what was learned before lies in the folder.",
        )
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(loss)
    fabric.clip_gradients(net, optimiser, max_norm=5.0, error_if_nonfinite=False)
    optimiser.step()
    state.advance(net.module, plan.average)
    return float(loss.detach())


def _judge(net: nn.Module, build: Callable[[], nn.Module], task: Task, state: TrainingState) -> None:
    """Judge the averaged weights, note the result in the curve, keep the weights if they are the best so far."""
    import torch

    judged = build().to(next(net.parameters()).device)
    judged.load_state_dict(state.average)
    judged.eval()
    with torch.no_grad():
        measures = task.judge(judged)
    state.note(measures)


def _patience_spent(state: TrainingState, plan: Plan) -> bool:
    return plan.patience > 0 and state.waited >= plan.patience


def _table(curve: list[dict[str, float]]) -> str:
    if not curve:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    return text.getvalue()
