"""Where a training stands: weights, their running average, the best so far, the optimiser, the learning curve."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import load_tensors
from spinekit.provenance import hash_file, write_beside, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["TrainingState", "read_state", "write_state"]


@dataclass
class TrainingState:
    """All that a training needs to go on; the only value of this package that changes, step by step."""

    weights: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Tensor] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    step: int = 0
    best_step: int = 0
    best_score: float = float("-inf")
    waited: int = 0

    @classmethod
    def fresh(cls, net: nn.Module) -> TrainingState:
        """Return the state before the first step."""
        return cls(_copy(net), _copy(net))

    def advance(self, net: nn.Module, decay: float) -> None:
        """Count a step and move the running average, which forgets faster in the first steps."""
        self.step += 1
        share = 1.0 - min(decay, self.step / (self.step + 9.0)) if decay else 1.0
        for name, now in net.state_dict().items():
            kept = self.average[name] = self.average[name].to(now.device)
            if now.is_floating_point():
                kept.lerp_(now.detach().to(kept.dtype), share)
            else:
                kept.copy_(now)

    def note(self, measures: dict[str, float]) -> None:
        """Add a judgement to the curve; keep the averaged weights if their score is the best so far."""
        self.curve.append({"step": float(self.step), **measures})
        if measures["score"] > self.best_score:
            self.best = {name: tensor.clone() for name, tensor in self.average.items()}
            self.best_score, self.best_step, self.waited = measures["score"], self.step, 0
        else:
            self.waited += 1

    def keep(self, net: nn.Module, optimiser: Any) -> None:
        """Take over the weights and the optimiser's moments."""
        self.weights = _copy(net)
        entries = optimiser.state_dict()["state"]
        self.optimiser = {
            f"{index}.{name}": tensor.detach().clone()
            for index, values in entries.items()
            for name, tensor in values.items()
        }

    def fill_optimiser(self, optimiser: Any) -> None:
        """Give an optimiser the moments that were kept; nothing happens before the first step."""
        if not self.optimiser:
            return
        entries: dict[int, dict[str, Tensor]] = {}
        for key, tensor in self.optimiser.items():
            index, name = key.split(".", 1)
            entries.setdefault(int(index), {})[name] = tensor
        optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})


def write_state(folder: Path, state: TrainingState, key: str) -> None:
    """Write the state: tensors in a file of their step, then the JSON that names it, then the older file goes.

    Whenever the program is ended, the JSON names a file that is whole.
    """
    from safetensors.torch import save_file

    groups = {"weights": state.weights, "average": state.average, "best": state.best, "optimiser": state.optimiser}
    tensors = {f"{g}/{name}": t.cpu().contiguous() for g, values in groups.items() for name, t in values.items()}
    file = folder / f"state-{state.step:06d}.safetensors"
    with write_beside(file) as temporary:
        save_file(tensors, temporary)
    facts = {
        "key": key, "file": file.name, "sha256": hash_file(file), "step": state.step, "best_step": state.best_step,
        "best_score": state.best_score, "waited": state.waited, "curve": state.curve,
    }  # fmt: skip
    write_json(folder / "state.json", facts)
    for older in folder.glob("state-*.safetensors"):
        if older != file:
            older.unlink()


def read_state(folder: Path, key: str) -> TrainingState | None:
    """Return the state that lies in a folder, None if there is none.

    Raises
    ------
    InputRefusedError
        ``training-stopped`` if it belongs to another task or plan, ``model-changed`` if the tensors are not those
        that were written with it.
    """
    record = folder / "state.json"
    if not record.is_file():
        return None
    facts = json.loads(record.read_text(encoding="utf-8"))
    if facts["key"] != key:
        raise InputRefusedError(
            "training-stopped",
            found=f"'{folder.name}' holds a training with other data, steps, seed or settings.",
            expected="The training that is to go on.",
            cause="An option was changed since it was begun.",
            cure="Choose another folder with --out, or repeat the options of the first call.",
        )
    file = folder / Path(facts["file"]).name
    if not file.is_file() or hash_file(file) != facts["sha256"]:
        raise InputRefusedError(
            "model-changed",
            found=f"'{file.name}' is absent, or is not the file that '{record.name}' was written for.",
            expected="Both as the training left them.",
            cause="A file was removed, damaged or replaced.",
            cure="Begin the training again in another folder.",
        )
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "best": {}, "optimiser": {}}
    for name, tensor in load_tensors(file).items():
        group, rest = name.split("/", 1)
        groups[group][rest] = tensor
    return TrainingState(
        weights=groups["weights"], average=groups["average"], best=groups["best"], optimiser=groups["optimiser"],
        curve=facts["curve"], step=facts["step"], best_step=facts["best_step"],
        best_score=facts["best_score"] if facts["best_score"] is not None else float("-inf"), waited=facts["waited"],
    )  # fmt: skip


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
