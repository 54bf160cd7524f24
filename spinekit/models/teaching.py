"""From a table of cases to a trained U-Net with its card: what ``spinekit train segmentation`` does."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError, shown
from spinekit.geometry import Geometry, require_same_grid
from spinekit.models.checkpoints import fill_network, read_card, save_network
from spinekit.models.clicks import CLICK_CHANNELS
from spinekit.models.examples import CHANNELS, Example, TaughtCase, is_example, open_example, write_example
from spinekit.models.fusing import fused
from spinekit.models.inference import reading_of
from spinekit.models.inputs import MAPS
from spinekit.models.missed import misses_of
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.models.segmentation_task import SegmentationTask, Teaching
from spinekit.models.segmenting import KIND
from spinekit.models.training import Plan, Trained, train_network
from spinekit.models.unet import UNet, UNetConfig, config_of
from spinekit.provenance import hash_json

__all__ = ["TaughtNetwork", "norm_of", "prepare_examples", "read_taught_case", "table_rows", "teach_segmentation"]

Told = Callable[[int, int, str], None]
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # it becomes the name of a folder
SPLITS = {"", "train", "validation", "test"}
MOST_LESIONS = 255  # of one case: they are numbered in a byte
EVERY = 8  # without a split column every eighth case is for validation


@dataclass(frozen=True)
class TaughtNetwork:
    """Where the weights lie, the learning curve, and the training itself."""

    weights: Path
    trained: Trained
    data: dict[str, Any] = field(default_factory=dict)


def teach_segmentation(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    plan: Plan,
    teaching: Teaching | None = None,
    network: UNetConfig | None = None,
    command: str = "",
    examples: Path | None = None,
    start: str | os.PathLike[str] | None = None,
    until: int | None = None,
    on_case: Told | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> TaughtNetwork:
    """Train a U-Net on a table of cases; the same folder goes on where a training was stopped.

    Parameters
    ----------
    table : path
        CSV with the columns ``case``, ``series``, ``lesions`` (a mask whose numbers are lesions), ``n_baseline`` and,
        if wanted, ``split`` ("train", "validation" or "test", which is left alone here). Paths are relative to the
        table.
    out : path
        Folder for the examples, the state, ``curve.csv``, ``unet.safetensors`` and its card.
    plan : Plan
        Steps, seed, rates.
    teaching : Teaching, optional
        Patches and how they vary.
    network : UNetConfig, optional
        The network; the default has Inception-ResNet blocks, attention gates and deep supervision.
    command : str
        For the card.
    examples : Path, optional
        Folder of the examples, to share them; ``examples`` in `out` if not given.
    start : path, optional
        Weights of an earlier training of the same network to begin with; it may have had another normalisation.
    until, on_step
        See `train_network`.
    on_case : callable, optional
        Called with (number, total, name) while the examples are computed.

    Returns
    -------
    TaughtNetwork

    Raises
    ------
    InputRefusedError
        ``table-invalid``; ``training-stopped``; ``value-out-of-range`` where lesions that are missed are to be drawn
        more often and there is no network to begin with; what reading a case refuses.
    """
    teaching = Teaching() if teaching is None else teaching
    config = UNetConfig(CHANNELS) if network is None else network
    place = Path(out) / "examples" if examples is None else examples
    prepared = prepare_examples(table, place, on_case=on_case)
    taught = [example for example, split in prepared if split == "train"]
    judged = [example for example, split in prepared if split == "validation"]
    if not taught or not judged:
        raise InputRefusedError(
            "table-invalid",
            found=f"The table has {len(taught)} cases to train with and {len(judged)} to judge with.",
            expected="At least one of each.",
            cause="The column split may name one only, or the table is too short.",
            cure="Give more cases, or a column split with train and validation.",
        )
    data: dict[str, Any] = {
        "cases": [e.name for e in taught], "validation": [e.name for e in judged],
        "examples": hash_json([json.loads((place / e.name / "example.json").read_text()) for e, _ in prepared]),
    }  # fmt: skip
    begun_from = None if start is None else read_card(start, kind=KIND)["sha256"]

    def build() -> UNet:
        net = UNet(config)
        return net if start is None else fill_network(net, start, to_begin=True)  # type: ignore[return-value]

    misses = None
    if teaching.hard > 0:
        _require_start(start)
        key = f"{begun_from} {data['examples']}"
        ready = fused(build().eval())
        reading = reading_of(ready, teaching.patch_zyx)
        misses = misses_of(ready, taught, reading=reading, kept=Path(out) / "misses.json", key=f"{key} {reading}")
    task = SegmentationTask(taught, judged, teaching, data=data, misses=misses)
    task.record["network"], task.record["start"] = config.as_dict(), begun_from

    trained = train_network(build, task, plan, out=out, until=until, on_step=on_step)
    training: dict[str, Any] = {
        "command": command, "plan": asdict(plan), "teaching": asdict(teaching), "data": data, "sees": teaching.sees,
        "patch_zyx": list(teaching.patch_zyx),
        "channels": channel_names(), "curve": trained.curve, "best_step": trained.best_step,
        "stopped_early": trained.stopped_early, "begun_from_sha256": begun_from,
    }  # fmt: skip
    best = next((row for row in trained.curve if row["step"] == trained.best_step), {})
    file = save_network(
        Path(out) / f"{KIND}.safetensors", trained.tensors,
        kind=KIND, config=config.as_dict(), training=training, metrics={"validation": best},
    )  # fmt: skip
    return TaughtNetwork(file, trained, data)


def norm_of(start: str | os.PathLike[str] | None) -> bool:
    """Return the ``instance_norm`` of the weights a training begins with, and that of a new network without any.

    Raises
    ------
    InputRefusedError
        What `read_card` refuses.
    """
    if start is None:
        return UNetConfig(CHANNELS).instance_norm
    return config_of(read_card(start, kind=KIND)["config"]).instance_norm


def prepare_examples(
    table: str | os.PathLike[str], folder: Path, *, on_case: Told | None = None
) -> list[tuple[Example, str]]:
    """Compute what the network sees of each case of a table, once, and return the examples with their split.

    Cases of the split ``test`` are left alone.
    """
    rows = [row for row in table_rows(Path(table)) if row.get("split") != "test"]
    found = []
    for number, row in enumerate(rows, start=1):
        place = folder / row["case"]
        if not is_example(place):
            write_example(read_taught_case(row, Path(table).parent), folder)
        split = row.get("split") or ("validation" if number % EVERY == 0 else "train")
        found.append((open_example(place), split))
        if on_case is not None:
            on_case(number, len(rows), row["case"])
    return found


def read_taught_case(row: dict[str, str], folder: Path) -> TaughtCase:
    """Read the series and lesions of one row; ``.npz`` is the compact form of simulated cases."""
    series_file = folder / row["series"]
    n_baseline = int(row.get("n_baseline") or 1)
    if series_file.suffix == ".npz":
        return _compact(row["case"], series_file, n_baseline)
    from spinekit.io import read_series
    from spinekit.io.regions import read_labels

    series = read_series(series_file)
    values, grid, labels = read_labels(folder / row["lesions"])
    require_same_grid(grid, series.geometry, names=("lesions", "series"))
    if len(labels) > MOST_LESIONS:
        raise InputRefusedError(
            "format-unsupported",
            found=f"The {shown(folder / row['lesions'])} holds {len(labels)} labels.",
            expected=f"A number for each lesion, at most {MOST_LESIONS}.",
            cause="It may be an image, or an atlas, instead of the lesions.",
            cure="Give the mask of the lesions in the column lesions.",
        )
    numbers = np.searchsorted([0, *labels], values).astype(np.uint8)  # whatever the labels, they become 1, 2, ...
    return TaughtCase(row["case"], series, numbers, n_baseline)


def channel_names() -> list[str]:
    """Return the names of the channels, in order."""
    marks = [f"{t:g}" for t in PHASE_TIMES_S]
    kinds = [f"map:{m}" for m in MAPS], [f"phase:{m}" for m in marks], [f"present:{m}" for m in marks]
    return [name for names in (*kinds, CLICK_CHANNELS) for name in names]


def _require_start(start: str | os.PathLike[str] | None) -> None:
    if start is None:
        raise InputRefusedError(
            "value-out-of-range",
            found="Lesions that are missed are to be drawn more often, and there is no network that could miss them.",
            expected="Weights to begin with, or no such preference.",
            cause="--start may have been forgotten.",
            cure="Give --start WEIGHTS, or leave --hard out.",
        )


def _compact(name: str, file: Path, n_baseline: int) -> TaughtCase:
    with np.load(file, allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["facts"]))
        series = DynamicSeries(
            arrays["signal"].astype(np.float32), arrays["times_s"], Geometry.from_dict(facts["geometry"]), "simulated",
            record={"simulated": True},
        )  # fmt: skip
        return TaughtCase(name, series, arrays["lesions"], n_baseline, share=arrays.get("share"))


def table_rows(table: Path) -> list[dict[str, str]]:
    """Read the rows of a table of cases whose lesions are known (`teach_segmentation` says of which columns).

    Raises
    ------
    InputRefusedError
        ``path-missing``, ``table-invalid``, ``case-name-unsafe``.
    """
    if not table.is_file():
        raise InputRefusedError(
            "path-missing",
            found=f"There is no table at the path that was given ({shown(table)}).",
            expected="A CSV file with the columns case, series, lesions, n_baseline.",
            cause="The path may be misspelt.",
            cure="Check it, or make simulated cases with spinekit train cases.",
        )
    with open(table, encoding="utf-8-sig", newline="") as stream:
        rows = [{k.strip(): (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(stream)]
    names = [row.get("case", "") for row in rows]
    if not rows or not all({"case", "series", "lesions"} <= row.keys() for row in rows) or len(set(names)) < len(names):
        raise InputRefusedError(
            "table-invalid",
            found=f"The {shown(table)} has {len(rows)} rows, and lacks a column or names a case twice.",
            expected="The columns case, series and lesions, and a name of its own for each case.",
            cause="A column may be misspelt, or a case stands twice.",
            cure="Correct the table.",
        )
    for name in names:
        if not PLAIN_NAME.fullmatch(name):
            raise InputRefusedError(
                "case-name-unsafe",
                found=f"A case is called {name!r}.",
                expected="Up to 64 letters, digits, '-' and '_', beginning with a letter or digit.",
                cause="A patient's name or a path may stand in the column case.",
                cure="Give each case a pseudonym.",
            )
    strange = sorted({row.get("split", "") for row in rows} - SPLITS)
    if strange:
        raise InputRefusedError(
            "table-invalid",
            found=f"The column split says {strange[0]!r}.",
            expected="train, validation, test, or an empty cell.",
            cause="The word may be misspelt.",
            cure="Correct the table.",
        )
    return rows
