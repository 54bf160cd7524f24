"""Notice that a region has run out of the lesion, and cut it at a neck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.errors import coded_warning
from spinekit.segmentation.nearness import distances_up_to, spread

__all__ = ["Neck", "border_share", "cut_at_neck", "find_neck", "leak_warnings", "reaches_radius"]

JUMP_FACTOR = 1.5  # growth of volume over 10 % more tolerance that counts as a jump
WEAK_CONTRAST = 0.35  # of log-likeness across the border: the inside is then hardly told from the outside
LOOSER_FACTOR = 1.3  # growth of volume with a little less evidence, against the surroundings
WEAK_EVIDENCE = 3.5  # fall of the log odds across the border, against the surroundings
NECK_SHARE = 0.15  # of the volume beyond a neck that counts as a leak
BORDER_SHARE = 0.02  # of the region's voxels on the image's edge


@dataclass(frozen=True)
class Neck:
    """A narrow place: `part` is what lies beyond it as seen from the seeds, `width_mm` at most how wide it is."""

    part: Any
    share: float
    width_mm: float


def border_share(mask: Any) -> float:
    """Return the share of the region's voxels that lie on the edge of the image in the plane."""
    total = int(mask.sum())
    edge = int(mask[:, 0].sum() + mask[:, -1].sum() + mask[:, 1:-1, 0].sum() + mask[:, 1:-1, -1].sum())
    return edge / total if total else 0.0


def find_neck(mask: Any, seeds_zyx: list[tuple[int, int, int]], spacing_mm: Any) -> Neck | None:
    """Return the widest narrow place that separates a good part of the region from the seeds; None if there is none.

    The region is shrunk until it falls apart; parts that hold no seed and are large enough lie beyond a
    neck. Seeds are taken to the nearest voxel that is left.
    """
    places = np.nonzero(mask)
    box = tuple(slice(max(0, int(p.min()) - 1), int(p.max()) + 2) for p in places)
    inside = np.ascontiguousarray(mask[box])
    seeds = [tuple(c - b.start for c, b in zip(s, box, strict=True)) for s in seeds_zyx if mask[s]]
    thinnest = max(min(spacing_mm), 1.0)
    radii = np.arange(1, 5) * thinnest
    depth = distances_up_to(np.pad(~inside, 1, constant_values=True), float(radii[-1]), spacing_mm)[1:-1, 1:-1, 1:-1]
    for radius in radii:
        core = depth > radius
        labels, n = ndimage.label(core)
        if n == 0:
            return None
        if n == 1:
            continue
        own = {_nearest_label(labels, seed, spacing_mm) for seed in seeds}
        territory = labels.astype(np.int32)
        spread(inside, territory)
        beyond = inside & ~np.isin(territory, sorted(own))
        share = float(beyond.sum() / inside.sum())
        if share >= NECK_SHARE:
            part = np.zeros_like(mask)
            part[box] = beyond
            return Neck(part, share, 2 * float(radius))
    return None


def _nearest_label(labels: Any, seed: tuple[int, ...], spacing_mm: Any) -> int:
    places = np.argwhere(labels)
    distance = (((places - np.asarray(seed)) * np.asarray(spacing_mm)) ** 2).sum(axis=1)
    return int(labels[tuple(places[distance.argmin()])])


def cut_at_neck(mask: Any, neck: Neck, seeds_zyx: list[tuple[int, int, int]]) -> Any:
    """Return the region without what lies beyond the neck; only what still hangs together with a seed stays."""
    labels, _ = ndimage.label(mask & ~neck.part)
    kept = {int(labels[s]) for s in seeds_zyx} - {0}
    return np.isin(labels, sorted(kept))


def leak_warnings(
    *, capped_at_ml: float | None, reaches_radius_mm: float | None, edge: float, jump: float, contrast: float,
    neck: Neck | None, cut: bool, competing: bool = False,
) -> list[str]:  # fmt: skip
    """Return what is suspicious about a region, in words; `competing` is growing against the surroundings."""
    told = []
    if capped_at_ml is not None:
        text = f"Growing was stopped at the volume cap of {capped_at_ml:.0f} ml: the region has probably leaked."
        told.append(coded_warning("leak-volume-cap", text))
    if reaches_radius_mm is not None:
        text = f"The region reaches the radius of {reaches_radius_mm:.0f} mm around the seeds and was cut off there."
        told.append(coded_warning("leak-radius", text))
    if edge > BORDER_SHARE:
        text = f"{100 * edge:.0f} % of the region's voxels lie on the edge of the image: it may have leaked."
        told.append(coded_warning("leak-border", text))
    if jump > (LOOSER_FACTOR if competing else JUMP_FACTOR):
        how = "a little less evidence" if competing else "10 % more tolerance"
        cure = "Place" if competing else "Lower the tolerance, or place"
        text = (
            f"With {how} the volume becomes {jump:.1f} times as large: the region is about to leak, or "
            f"already has. {cure} a background seed."
        )
        told.append(coded_warning("leak-jump", text))
    usual = WEAK_EVIDENCE if competing else WEAK_CONTRAST
    if contrast < usual:
        text = (
            f"The border is weak (contrast {contrast:.2f}, usually above {usual}): inside and outside look "
            "alike, and the region has probably leaked. Check it slice by slice."
        )
        told.append(coded_warning("leak-weak-border", text))
    if neck is not None:
        done = "and was cut off" if cut else "; cut_leaks=True cuts it off"
        text = f"{100 * neck.share:.0f} % of the region hang on a neck of at most {neck.width_mm:.0f} mm {done}."
        told.append(coded_warning("leak-neck", text.replace(" ;", ";")))
    return told


def reaches_radius(mask: Any, seeds_zyx: list[tuple[int, int, int]], spacing_mm: Any, radius_mm: float) -> bool:
    """Whether some voxel of the region lies within one voxel of the radius limit."""
    places = np.argwhere(mask)
    steps = [((places - np.asarray(s)) * np.asarray(spacing_mm)) for s in seeds_zyx]
    nearest = np.min([np.sqrt((d**2).sum(axis=1)) for d in steps], axis=0)
    return bool(nearest.max() > radius_mm - max(spacing_mm)) if len(nearest) else False
