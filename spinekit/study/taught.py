"""Which simulated patients the networks have learned from: none of them may be a case of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.study.diagnosis_training import TEST_SEED, TRAIN_SEED
from spinekit.study.table import SIMULATED, StudyCase

__all__ = ["FROZEN", "require_untaught", "taught_seeds"]

RESERVED = {
    # what spinekit train cases writes, choice of the best step included
    "unet": (*range(10_000, 12_000), *range(220_000, 230_000)),
    "inception_resnet": range(TRAIN_SEED, TEST_SEED),  # training, choice of the best step, calibration
}
FROZEN = (
    "The two networks are frozen: they were trained once, on other simulated patients, and not again inside the folds. "
    "No case of this table has a seed that either of them was trained, chosen or calibrated with; a table that has one "
    "is refused. What is fitted on what they give is fitted inside the fold, as in every other arm."
)


def taught_seeds(kind: str) -> frozenset[int]:
    """Return the seeds of all simulated patients that a network of the package was taught with, or may be.

    Parameters
    ----------
    kind : {"unet", "inception_resnet"}
        The seeds that are set aside for it, and those that the card of its weights names.
    """
    from spinekit.models.checkpoints import read_card, shipped

    data: Any = read_card(shipped(kind), kind=kind)["training"].get("data", {})
    lists = [part for part in data.values() if isinstance(part, list)] if isinstance(data, dict) else []
    named = [str(name) for part in lists for name in part]
    return frozenset(RESERVED[kind]) | {int(name) for name in named if name.isdecimal()}


def require_untaught(cases: Sequence[StudyCase], kinds: Sequence[str]) -> None:
    """Refuse a study that has a patient among its cases whom a network has learned from.

    Raises
    ------
    InputRefusedError
        ``table-invalid``, with the case and the network.
    """
    for kind in kinds:
        taught = taught_seeds(kind)
        for case in cases:
            seed = case.series.removeprefix(SIMULATED).partition("@")[0]
            if case.simulated and seed.isdecimal() and int(seed) in taught:
                raise InputRefusedError(
                    "table-invalid",
                    found=f"Case '{case.name}' is simulated patient {seed}, whom the network {kind} has learned from.",
                    expected="Patients whom no network of the package has seen, such as seeds from 50000 on.",
                    cause="Seeds 10000 to 11999 and 200000 to 229999 are set aside for training and calibration.",
                    cure="Take other seeds, or leave the networks out with --no-networks.",
                )
