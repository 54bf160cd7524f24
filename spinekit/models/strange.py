"""Patches of no anatomy at all, so that a click is understood in tissue the network has never met.

Smooth random fields part the patch into regions, each with a curve, a baseline and maps of its own. One region is
clicked, and the task is to find it: nothing but likeness and nearness helps. After the idea of learning from
synthetic images alone (Billot 2023, SynthSeg), used here for a share of the patches only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.geometry import depth_mm
from spinekit.models.clicks import REACH_MM, TOLERANCE
from spinekit.models.inputs import MAPS
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.models.working import WORKING_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["strange_patch"]

N_MAPS, N_PHASES = len(MAPS), len(PHASE_TIMES_S)
SIZES = (60, 9000)  # voxels of the clicked region
TRIES = 8
SPACING_ZYX = WORKING_MM[::-1]


def strange_patch(
    rng: np.random.Generator, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return channels (27, z, y, x) and the clicked region (1, z, y, x).

    Examples
    --------
    >>> x, y = strange_patch(np.random.default_rng(0), (8, 24, 24))
    >>> x.shape, y.shape, bool(y.any())
    ((27, 8, 24, 24), (1, 8, 24, 24), True)
    """
    labels, region, click = _regions(rng, shape)
    n = int(labels.max()) + 1
    curves, before, maps = _tissues(rng, n)
    texture = 1.0 + rng.uniform(0.02, 0.15) * _smooth(rng, shape, 1.5)
    phases = (curves[:, labels] * texture).astype(np.float32)  # (10, z, y, x); the first is before contrast
    phases[0] = before[labels] * texture
    values = np.concatenate([maps[:, labels] * texture, phases]).astype(np.float32)
    noise = np.float32(rng.uniform(0.0, 0.12))
    values += noise * rng.standard_normal(values.shape, dtype=np.float32)
    present = _present(rng)
    values[N_MAPS:][~present] = 0.0
    if rng.random() < 0.4:
        values[:N_MAPS][rng.random(N_MAPS) < 0.5] = 0.0
    flags = np.broadcast_to(present[:, None, None, None].astype(np.float32), (N_PHASES, *shape))
    guide = _click(rng, phases[1:], labels, click, noise)
    return np.concatenate([values, flags, guide]), region[None].astype(np.float32)


def _regions(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Any, Any, tuple[int, int, int]]:
    """Return labels, the clicked connected region, and the clicked voxel (z, y, x), in its inner part."""
    from scipy.ndimage import label

    for _ in range(TRIES):
        length = rng.uniform(3.0, 12.0)
        fields = np.stack([_smooth(rng, shape, length) for _ in range(int(rng.integers(3, 6)))])
        labels = fields.argmax(axis=0)
        start = tuple(int(rng.integers(n // 4, max(n - n // 4, n // 4 + 1))) for n in shape)
        parts, _ = label(labels == labels[start])
        region = parts == parts[start]
        if SIZES[0] <= np.count_nonzero(region) <= SIZES[1]:
            break
    depth = depth_mm(region, SPACING_ZYX)
    deep = np.argwhere(depth >= 0.5 * depth.max())
    z, y, x = deep[int(rng.integers(len(deep)))]
    return labels, region, (int(z), int(y), int(x))


def _tissues(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Return curves (10, n), baselines (n,) and maps (4, n) of n tissues."""
    times = np.asarray(PHASE_TIMES_S)
    before, height = rng.uniform(0.05, 1.5, n), rng.exponential(0.5, n)
    rise, fall = rng.uniform(5.0, 120.0, n), rng.uniform(60.0, 2000.0, n)
    after = np.maximum(times, 0.0)[:, None]
    curves = height * (1.0 - np.exp(-after / rise)) * np.exp(-after / fall)
    peak = height / np.maximum(before, 0.05)
    odd = np.exp(rng.normal(0.0, 1.0, (3, 1)))  # a protocol of other times gives maps of another order
    maps = np.stack([peak, peak / rise * 20.0, -peak * np.minimum(60.0 / fall, 1.0), peak * 30.0 / (30.0 + rise)])
    maps[1:] *= odd
    return curves, before, np.clip(maps, -6.0, 6.0)


def _present(rng: np.random.Generator) -> NDArray[np.bool_]:
    kind = rng.random()
    present = np.ones(N_PHASES, bool) if kind < 0.3 else rng.random(N_PHASES) < (0.0 if kind < 0.75 else 0.5)
    present[0] = True
    return present


def _click(
    rng: np.random.Generator, rises: Any, labels: Any, click: tuple[int, int, int], noise: np.float32
) -> NDArray[np.float32]:
    """Return the channels of a click as `click_channels` would, from the curves of the patch."""
    from scipy.ndimage import label

    seen = rises + noise * rng.standard_normal(rises.shape, dtype=np.float32)
    z, y, x = click
    here = seen[:, z, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean(axis=(1, 2))
    difference = ((seen - here[:, None, None, None]) ** 2).mean(axis=0)
    width = TOLERANCE * np.sqrt((here**2).mean()) + 0.02
    alike = np.exp(-0.5 * difference / width**2)
    parts, _ = label(alike > rng.uniform(0.2, 0.7))
    grown = parts == parts[click] if parts[click] else np.zeros(labels.shape, bool)
    away = sum(
        ((np.arange(n).reshape([-1 if a == axis else 1 for a in range(3)]) - click[axis]) * SPACING_ZYX[axis]) ** 2
        for axis, n in enumerate(labels.shape)
    )
    near = np.exp(-0.5 * away / REACH_MM**2)
    return np.stack([near, alike, grown.astype(np.float64)]).astype(np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, int, int], length: float) -> Any:
    """Return a smooth random field of mean 0 and SD 1; `length` in voxels of the plane."""
    from scipy.ndimage import gaussian_filter

    flat = length * SPACING_ZYX[1] / SPACING_ZYX[0]
    field = gaussian_filter(rng.standard_normal(shape), (flat, length, length), mode="wrap")
    return (field - field.mean()) / max(float(field.std()), 1e-9)
