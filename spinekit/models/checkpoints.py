"""Networks as files: safetensors and a JSON card beside them. Nothing that could run code is ever opened.

A pickle (``.pt``, ``.pth``, ``.ckpt``, ``.pkl``) runs whatever its maker put into it when it is loaded, so it is
refused by name and by content. The card names each tensor with its shape and holds the SHA-256 of the weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError, shown
from spinekit.provenance import hash_file, write_beside, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["WARNING", "fill_network", "load_tensors", "read_card", "save_network", "shipped"]

WARNING = "simulated data: not for clinical use"
CARD_KEYS = ("kind", "config", "training", "metrics", "tensors", "sha256", "warning")
ENDING = ".safetensors"
COUNTED = ("running_mean", "running_var", "num_batches_tracked")  # by batch normalisation


def shipped(name: str) -> Path:
    """Return the path of the demonstration weights that come with the package, such as ``"unet"``."""
    return Path(__file__).with_name("weights") / f"{name}{ENDING}"


def save_network(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    *,
    kind: str,
    config: Mapping[str, Any],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Path:
    """Write weights and their card, each beside and renamed.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``; the card gets the same name with ``.json``.
    tensors : mapping of str to Tensor
        ``net.state_dict()``, on any device.
    kind : str
        What the network is, such as ``"unet"``; `read_card` refuses another one.
    config, training, metrics : mapping
        What builds the same network; data, seed and command; what it reached and on what.

    Returns
    -------
    Path
        Of the weights.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save_network(f"{folder}/net.safetensors", {"w": torch.ones(2)}, kind="unet",
    ...                         config={}, training={}, metrics={})
    ...     card = read_card(file, kind="unet")
    >>> card["tensors"], card["warning"]
    ({'w': [2]}, 'simulated data: not for clinical use')
    """
    from safetensors.torch import save_file

    target = _weights_path(path)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with write_beside(target) as temporary:
        save_file(plain, temporary)
        os.chmod(temporary, 0o644)  # safetensors leaves it to the owner alone
    card = {
        "kind": kind,
        "config": dict(config),
        "training": dict(training),
        "metrics": dict(metrics),
        "tensors": {name: list(tensor.shape) for name, tensor in plain.items()},
        "sha256": hash_file(target),
        "warning": WARNING,
    }
    write_json(target.with_suffix(".json"), card)
    return target


def read_card(path: str | os.PathLike[str], *, kind: str) -> dict[str, Any]:
    """Return the card of a network, after holding the weights against its hash.

    Raises
    ------
    InputRefusedError
        ``model-unsafe`` for a pickle or a file without a card, ``model-missing``, ``model-changed`` if the hash of
        the weights is another one, ``model-other`` if the network is of another kind.
    """
    weights = _weights_path(path)
    card_file = weights.with_suffix(".json")
    if not weights.is_file():
        raise InputRefusedError(
            "model-missing",
            found=f"There are no weights at the path that was given ({shown(weights)}).",
            expected=f"Weights ending in {ENDING}, with a card ending in .json beside them.",
            cause="The path may be misspelt, or the training has not been run.",
            cure="Check the path, leave model out to use the demonstration weights, or run spinekit train.",
        )
    card = _card(card_file)
    found = hash_file(weights)
    if found != card["sha256"]:
        raise InputRefusedError(
            "model-changed",
            found=f"The {shown(weights)} has the SHA-256 {found[:16]}...",
            expected=f"{str(card['sha256'])[:16]}..., as its card says.",
            cause="The file was damaged or replaced after training, or the card belongs to other weights.",
            cure="Copy both files again from where the network was trained.",
        )
    if card["kind"] != kind:
        raise InputRefusedError(
            "model-other",
            found=f"The {shown(weights)} holds a network of kind '{card['kind']}'.",
            expected=f"A network of kind '{kind}'.",
            cause="The networks for segmentation and for diagnosis may have been mixed up.",
            cure="Give the other file.",
        )
    return card


def load_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; a file that is none is refused with ``model-unsafe``."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights = _weights_path(path)
    try:
        return load_file(weights)
    except (SafetensorError, OSError, ValueError) as reason:
        raise _unsafe(weights, f"It cannot be read as safetensors ({reason}).") from reason


def fill_network(net: nn.Module, path: str | os.PathLike[str], *, to_begin: bool = False) -> nn.Module:
    """Load weights into a network of the same shapes and return it in evaluation mode.

    Parameters
    ----------
    to_begin : bool
        A training begins with them: what batch normalisation has counted is left out where the network to be trained
        normalises by the volume. To answer with, such weights are another network's.

    Raises
    ------
    InputRefusedError
        ``model-shape`` with the first tensor that differs; ``model-unsafe``.
    """
    tensors, wanted = load_tensors(path), net.state_dict()
    if to_begin:
        tensors = {name: t for name, t in tensors.items() if name in wanted or name.rpartition(".")[2] not in COUNTED}
    for name in sorted(set(tensors) | set(wanted)):
        here = tuple(tensors[name].shape) if name in tensors else None
        there = tuple(wanted[name].shape) if name in wanted else None
        if here != there:
            raise InputRefusedError(
                "model-shape",
                found=f"The tensor '{name}' is {here or 'absent'} in the {shown(path)}.",
                expected=f"{there or 'No such tensor'}, as the network has it.",
                cause="The weights belong to a network with other widths, blocks, channels or normalisation.",
                cure="Give weights and card of one training.",
            )
    net.load_state_dict(tensors)
    return net.eval()


def _weights_path(path: str | os.PathLike[str]) -> Path:
    weights = Path(path)
    if weights.suffix != ENDING:
        raise _unsafe(weights, f"It does not end in {ENDING}.")
    return weights


def _card(file: Path) -> dict[str, Any]:
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        raise _unsafe(file.with_suffix(ENDING), "Its card, named alike with .json, is absent or not JSON.") from reason
    missing = [key for key in CARD_KEYS if not isinstance(card, dict) or key not in card]
    if missing:
        raise _unsafe(file.with_suffix(ENDING), f"Its card lacks {', '.join(missing)}.")
    return dict(card)


def _unsafe(file: Path, why: str) -> InputRefusedError:
    return InputRefusedError(
        "model-unsafe",
        found=f"The model {shown(file)} was given. {why}",
        expected=f"Weights ending in {ENDING} with a JSON card of the same name beside them.",
        cause="A pickle such as .pt or .ckpt can run code when it is opened, and is never opened here.",
        cure="Export the weights as safetensors with spinekit.models.checkpoints.save_network().",
    )
