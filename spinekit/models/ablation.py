"""What each part of the U-Net is worth: the same training with one part more each time, one table."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinekit.models.examples import CHANNELS
from spinekit.models.segmentation_task import Teaching
from spinekit.models.teaching import teach_segmentation
from spinekit.models.training import Plan
from spinekit.models.unet import UNet, UNetConfig

__all__ = ["ablate", "variants"]


def variants(widths: tuple[int, ...] = (12, 24, 48, 96)) -> dict[str, tuple[UNetConfig, str]]:
    """Return each network of the table by its name, with what it sees.

    Examples
    --------
    >>> list(variants())
    ['plain', '+ residual', '+ inception', '+ attention', '+ supervision', '+ instance norm', 'maps only',
     'phases only', '2-D']
    """
    plain = UNetConfig(CHANNELS, widths, block="plain", attention=False, supervision=False, instance_norm=False)
    inception = replace(plain, block="inception")
    attention = replace(inception, attention=True)
    supervision = replace(attention, supervision=True)
    whole = replace(supervision, instance_norm=True)
    return {
        "plain": (plain, "both"),
        "+ residual": (replace(plain, block="residual"), "both"),
        "+ inception": (inception, "both"),
        "+ attention": (attention, "both"),
        "+ supervision": (supervision, "both"),
        "+ instance norm": (whole, "both"),
        "maps only": (whole, "maps"),
        "phases only": (whole, "phases"),
        "2-D": (replace(whole, flat_levels=len(widths)), "both"),
    }


def ablate(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    plan: Plan,
    teaching: Teaching | None = None,
    widths: tuple[int, ...] = (12, 24, 48, 96),
    on_variant: Callable[[str, dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train every variant with the same plan on the same cases, and judge each on the same validation cases.

    Parameters
    ----------
    table, out, plan, teaching
        As for `spinekit.models.teaching.teach_segmentation`; each variant has a folder of its own in `out`, the
        examples are computed once.
    widths : tuple of int
        Of every variant.
    on_variant : callable, optional
        Called with the name and the row when a variant is done.

    Returns
    -------
    list of dict
        ``network``, ``parameters``, ``dice`` (all lesions, no click), ``dice_clicked``, ``step`` of the best
        judgement, ``cpu_s``. One training each: differences of a few hundredths are within what another seed gives.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    return [row for _, row in _trained(table, folder, plan, teaching or Teaching(), widths, on_variant)]


def _trained(
    table: str | os.PathLike[str],
    folder: Path,
    plan: Plan,
    teaching: Teaching,
    widths: tuple[int, ...],
    on_variant: Callable[[str, dict[str, Any]], None] | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, (name, (config, sees)) in enumerate(variants(widths).items()):
        started = time.process_time()
        done = teach_segmentation(
            table, folder / f"{number}", plan=plan, teaching=replace(teaching, sees=sees), network=config,
            examples=folder / "examples",
        )  # fmt: skip
        best = max(done.trained.curve, key=lambda row: row["score"])
        row = {
            "network": name,
            "parameters": sum(p.numel() for p in UNet(config).parameters()),
            "dice": best["dice"],
            "dice_clicked": best["dice_clicked"],
            "step": best["step"],
            "cpu_s": time.process_time() - started,
        }
        if on_variant is not None:
            on_variant(name, row)
        yield name, row
