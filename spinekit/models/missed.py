"""What a network misses of the cases it is taught with, so that another training meets those lesions more often."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinekit.models.examples import Example, example_channels
from spinekit.models.inference import Reading, logits_of
from spinekit.provenance import hash_json, write_json

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Misses", "misses_of"]

Misses = dict[str, dict[str, list[float]]]
"""By the name of a case and the number of a lesion: the share of it that is missed in each variant of the case."""


def misses_of(
    net: nn.Module,
    examples: Sequence[Example],
    *,
    reading: Reading | None = None,
    kept: Path | None = None,
    key: str = "",
) -> Misses:
    """Ask a network for every variant of every example, without a click.

    Parameters
    ----------
    net : Module
        (1, 27, z, y, x) -> logits, ready to answer.
    examples : sequence of Example
    reading : Reading, optional
        In which windows, as `segment` would read (`spinekit.models.inference.reading_of`).
    kept : path, optional
        File in which the answers are kept; those of the same `key` are taken from it.
    key : str
        What the answers depend on: the network and the examples.

    Returns
    -------
    dict
        ``misses["10000"]["1"][2]`` is the share, 0 to 1, that is missed of lesion 1 in variant 2.
    """
    import torch

    if kept is not None and kept.is_file():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["key"] == key:
            return dict(found["misses"])
    misses: Misses = {}
    for example in examples:
        lesions = np.asarray(example.lesions)
        here: dict[str, list[float]] = {str(n): [] for n in np.unique(lesions) if n}
        for variant in range(len(example.values)):
            x = torch.from_numpy(example_channels(example, variant, None))[None]
            with torch.inference_mode():
                inside = np.asarray(logits_of(net, x, reading or Reading())[0, 0] > 0)
            for number, shares in here.items():
                shares.append(round(1.0 - float(inside[lesions == int(number)].mean()), 4))
        misses[example.name] = here
    if kept is not None:
        write_json(kept, {"key": key, "sha256": hash_json(misses), "misses": misses})
    return misses
