"""The mean of networks that share a beginning: steadier than any of them, at the cost of one.

After Wortsman 2022 (model soups): trainings that begin with the same weights end in one valley, and the mean of their
weights lies deeper in it. Networks that were begun apart must not be averaged: their units do not correspond.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import load_tensors, read_card, save_network

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["average_networks"]


def average_networks(
    files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str], *, kind: str, command: str = ""
) -> Path:
    """Write the mean of several networks' weights and a card that names them.

    Parameters
    ----------
    files : sequence of path
        Two or more ``.safetensors`` with cards, of one kind and configuration, of trainings with one beginning.
    out : path
        Ends in ``.safetensors``.
    kind : str
        Such as ``"unet"``.
    command : str
        For the card.

    Returns
    -------
    Path
        Of the weights. The card's data name every case that any of them was taught or judged with.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for a single network; ``model-other`` if they differ in kind, configuration or channels;
        what `read_card` refuses.
    """
    cards = [read_card(file, kind=kind) for file in files]
    if len(cards) < 2:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{len(cards)} network was given.",
            expected="Two or more.",
            cause="A mean of one is itself.",
            cure="Name the weights of another training that began with the same weights.",
        )
    for file, card in zip(files, cards, strict=True):
        if _build(card, kind) != _build(cards[0], kind):
            raise InputRefusedError(
                "model-other",
                found=f"'{Path(file).name}' has another configuration or other channels than the first.",
                expected="Networks of one configuration that see the same.",
                cause="They may come from different versions or options.",
                cure="Average trainings that began with the same weights.",
            )
    first = cards[0]["training"]
    training: dict[str, Any] = {
        "command": command,
        "mean_of": [_of(card) for card in cards],
        "data": _data(cards),
        "curve": max((card["training"].get("curve", []) for card in cards), key=len),  # of the longest training
        **{name: first[name] for name in ("sees", "channels", "patch_zyx") if name in first},
    }
    mean = _mean([load_tensors(Path(file)) for file in files])
    return save_network(out, mean, kind=kind, config=_config(cards[0], kind), training=training, metrics={})


def _of(card: dict[str, Any]) -> dict[str, Any]:
    told = ("command", "plan", "teaching", "begun_from_sha256")
    return {"sha256": card["sha256"], **{name: card["training"][name] for name in told if name in card["training"]}}


def _build(card: dict[str, Any], kind: str) -> tuple[Any, ...]:
    return _config(card, kind), card["tensors"], card["training"].get("channels"), card["training"].get("sees")


def _config(card: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a configuration in full: a card may be older than one of its switches."""
    from spinekit.models.unet import config_of

    config: dict[str, Any] = card["config"]
    return config_of(config).as_dict() if kind == "unet" else config


def _data(cards: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the union of the lists of cases in the cards."""
    found: dict[str, list[str]] = {}
    for card in cards:
        for name, cases in card["training"].get("data", {}).items():
            if isinstance(cases, list):
                found[name] = sorted({*found.get(name, []), *(str(case) for case in cases)})
    return found


def _mean(networks: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each tensor of floating point; counters are those of the first."""
    import torch

    return {
        name: torch.stack([net[name].double() for net in networks]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in networks[0].items()
    }
