"""Segment the lesions of a series with the improved U-Net, with or without a click."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Segmentation, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.models.checkpoints import fill_network, read_card, shipped
from spinekit.models.clicks import CLICK_CHANNELS, click_channels
from spinekit.models.inference import binary_entropy, predict_probability, reading_of
from spinekit.models.memory import memory_kept
from spinekit.models.phases import PHASE_TIMES_S, WIDER_GAP_S, covered_phases
from spinekit.models.segmentation_task import only
from spinekit.models.working import SMALLEST_ML, onto_series, working_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = ["KIND", "segment"]

KIND = "unet"
ANYWHERE = "unet_anywhere"  # the same network after a second training on patches of no anatomy
FEW_PHASES = 4  # of ten; with no more the network for spines knows too little, and a click is put to the other
MOST_ABSENT = 4  # with more a warning says so
CUT = 0.5
UNASKED = 0.4  # ours: below a half, so that a neighbour that was not clicked is not joined on the word of one answer


def segment(
    series: DynamicSeries,
    n_baseline: int = 1,
    model: str | os.PathLike[str] | None = None,
    *,
    click: tuple[int, int, int] | None = None,
    mirror: bool = False,
    bf16: bool = False,
) -> Segmentation:
    """Segment the lesions of a series.

    Parameters
    ----------
    series : DynamicSeries
        3 phases or more, any times, spacing and orientation.
    n_baseline : int
        Leading phases before contrast.
    model : path, optional
        Weights (``.safetensors`` with a card beside them); without it the demonstration weights of the package, which
        have seen simulated cases only. Where a click is given and the protocol covers at most four of the ten
        phases, those of a second training are taken, which lean on the click; a warning says so.
    click : tuple of int, optional
        Voxel (i, j, k) inside the lesion that is wanted. Without it all lesions are proposed. With it the network is
        asked twice, with and without, and their weighed mean counts where it is the higher one.
    mirror : bool
        Average over four mirrored copies: four times the work, smoother borders.
    bf16 : bool
        See `predict_probability`.

    Returns
    -------
    Segmentation
        On the grid of the series: ``roi`` holds every lesion without a click and the clicked one with it,
        ``lesions`` numbers them from the largest, ``probability`` and ``uncertainty`` are maps. ``model_card`` and
        ``warnings`` belong to every use of the result.

    Raises
    ------
    InputRefusedError
        As `spinekit.models.inputs.network_input`; ``seed-outside``; ``model-missing``, ``model-unsafe``,
        ``model-changed``, ``model-shape``, ``model-other``.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(64, 64, 8))
    >>> found = segment(case.series, case.n_baseline, click=case.seed_ijk)
    >>> found.probability.values.shape, found.model_card["warning"]
    ((8, 64, 64), 'simulated data: not for clinical use')
    """
    seen = working_input(series, n_baseline, max_gap_s=WIDER_GAP_S)
    n_covered = int(covered_phases(series.times_s, arrival_s=seen.arrival_s).sum())
    chosen = os.fspath(model) if model is not None else str(shipped(_fitting(n_covered, click)))
    net, card = _network(chosen)
    channels, warnings = _channels(series, n_baseline, click, seen, card)
    warnings += _few(n_covered)
    reading = reading_of(net, card["training"].get("patch_zyx"))
    with memory_kept():
        probability, uncertainty = predict_probability(net, channels, mirror=mirror, reading=reading, bf16=bf16)
        if click is not None and not card["training"].get("anywhere"):
            channels[-len(CLICK_CHANNELS) :] = 0.0
            unasked, _ = predict_probability(net, channels, mirror=mirror, reading=reading, bf16=bf16)
            probability = _with_both(probability, unasked)
            uncertainty = binary_entropy(probability)
    full = np.clip(onto_series(probability, seen), 0.0, 1.0)
    doubt = np.clip(onto_series(uncertainty, seen), 0.0, 1.0)
    numbers, found = _parts(full, series, click)
    warnings += found
    record = {
        "method": KIND, "click": list(click) if click is not None else None, "cut": CUT, "mirror": mirror,
        "bf16": bf16, "n_baseline": n_baseline, "sha256": card["sha256"], "smallest_ml": SMALLEST_ML,
        "simulated": bool(series.record.get("simulated", False)),
    }  # fmt: skip
    grid = series.geometry
    return Segmentation(
        roi=Roi(numbers > 0, grid, "lesion", warnings, record),
        lesions=Volume(numbers, grid, "lesions", "1"),
        probability=Volume(full, grid, "lesion_probability", "1"),
        uncertainty=Volume(doubt, grid, "uncertainty", "bit"),
        model_card=card,
        warnings=warnings,
        record=record,
    )


def _with_both(clicked: NDArray[np.float32], unasked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weighed mean of what the network says with and without the click, but never less than with it.

    What it finds in both ways is surer; a lesion that it finds with the click alone is not lost.
    """
    share = np.float32(UNASKED)
    mean: NDArray[np.float32] = np.maximum(clicked, share * unasked + (1 - share) * clicked)
    return mean


@lru_cache(maxsize=2)
def _opened(path: str, stamp: tuple[int, int]) -> tuple[Any, dict[str, Any]]:
    from spinekit.models.fusing import fused
    from spinekit.models.unet import build_unet

    card = read_card(path, kind=KIND)
    net = build_unet(card["config"])
    fill_network(net, path)
    return fused(net), card


def _fitting(n_covered: int, click: tuple[int, int, int] | None) -> str:
    """Return which of the shipped weights fit: with a click and few phases those that lean on the click."""
    return ANYWHERE if click is not None and n_covered <= FEW_PHASES else KIND


def _few(n_covered: int) -> tuple[str, ...]:
    if len(PHASE_TIMES_S) - n_covered <= MOST_ABSENT:
        return ()
    text = f"The protocol covers {n_covered} of the ten phases the network was taught with."
    return (coded_warning("protocol-unlike-training", text),)


def _network(path: str) -> tuple[Any, dict[str, Any]]:
    """Return a network and its card; kept in memory as long as neither file changes."""
    file = Path(path)
    stamp = [0, 0]
    for n, part in enumerate((file, file.with_suffix(".json"))):
        stamp[n] = part.stat().st_mtime_ns if part.is_file() else 0
    return _opened(path, (stamp[0], stamp[1]))


def _channels(
    series: DynamicSeries, n_baseline: int, click: tuple[int, int, int] | None, seen: Any, card: dict[str, Any]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    names = (*seen.names, *CLICK_CHANNELS)
    expected = tuple(card["training"].get("channels", names))
    if expected != names:
        raise InputRefusedError(
            "model-other",
            found=f"The network was taught with {len(expected)} channels, beginning with {', '.join(expected[:3])}.",
            expected=f"{len(names)} channels, beginning with {', '.join(names[:3])}.",
            cause="It was trained by another version of spinekit.",
            cure="Train it anew with this version.",
        )
    warnings: tuple[str, ...] = (coded_warning("model-simulated", f"The network has seen {card['warning']}."),)
    if click is None:
        guide = np.zeros((len(CLICK_CHANNELS), *seen.geometry.shape_zyx), dtype=np.float32)
    else:
        guide, more = click_channels(series, n_baseline, click, seen)
        warnings += more
    if card["training"].get("anywhere"):
        text = "Few phases and a click: weights of the second training were taken, which lean on the click."
        warnings += (coded_warning("model-anywhere", text),)
    return only(np.concatenate([seen.channels, guide]), card["training"].get("sees", "both")), warnings


def _parts(
    probability: NDArray[np.float32], series: DynamicSeries, click: tuple[int, int, int] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return numbered lesions, the largest first; with a click the one that is clicked, or the nearest to it."""
    from scipy.ndimage import label

    parts, n = label(probability >= CUT)
    if n == 0:
        return np.zeros(probability.shape, np.uint8), (coded_warning("nothing-found", "The network found no lesion."),)
    if click is not None:
        return _clicked(parts, series, click)
    sizes = np.bincount(parts.ravel())
    least = SMALLEST_ML * 1000.0 / series.geometry.voxel_volume_mm3
    order = [part for part in np.argsort(-sizes[1:], kind="stable") + 1 if sizes[part] >= least][:255]
    table = np.zeros(n + 1, dtype=np.uint8)
    table[order] = np.arange(1, len(order) + 1, dtype=np.uint8)
    warnings = () if order else (coded_warning("nothing-found", f"No part reaches {SMALLEST_ML} ml."),)
    return table[parts], warnings


def _clicked(
    parts: NDArray[Any], series: DynamicSeries, click: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    from scipy.ndimage import distance_transform_edt

    i, j, k = (int(v) for v in click)
    if parts[k, j, i]:
        return (parts == parts[k, j, i]).astype(np.uint8), ()
    away, nearest = distance_transform_edt(parts == 0, sampling=series.geometry.spacing_zyx_mm, return_indices=True)
    chosen = parts[tuple(nearest[:, k, j, i])]
    text = (
        f"The clicked voxel lies {away[k, j, i]:.1f} mm outside the region that was found; the nearest one was taken."
    )
    return (parts == chosen).astype(np.uint8), (coded_warning("click-outside-region", text),)
