"""How patches are varied: geometry, contrast, noise, phases and maps that are missing or come from other protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinekit.models.examples import N_VALUES
from spinekit.models.inputs import MAPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["foreign_tissue", "varied", "without_first_pass"]

N_MAPS, MAP_NAMES = len(MAPS), list(MAPS)
LEAST_SIGNAL = 0.05  # of the body's brightest before contrast: what is darker is air, and has no relative enhancement


def foreign_tissue(rng: np.random.Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every map and phase a strength of its own, leave most phases out, at times everything but the click."""
    strength = np.exp(rng.normal(0.0, 0.8, N_VALUES)) * np.where(rng.random(N_VALUES) < 0.25, 0.0, 1.0)
    x[:N_VALUES] *= strength.astype(np.float32)[:, None, None, None]
    before = x[N_MAPS].copy()
    x[N_MAPS] = np.float32(rng.uniform(0.2, 1.2)) * np.abs(before - np.float32(rng.uniform(0.0, 1.0)))
    if rng.random() < 0.6:
        absent = np.ones(10, bool) if rng.random() < 0.6 else rng.random(10) < 0.6
        absent[0] = False
        x[N_VALUES : N_VALUES + 10][absent] = 0.0
        x[N_MAPS:N_VALUES][absent] = 0.0
    if rng.random() < 0.15:
        x[:N_VALUES] = 0.0
    return x


def without_first_pass(rng: np.random.Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the first pass away, or alter the maps as a protocol of other phases would, or leave all maps out.

    Of the first two, the peak enhancement becomes that of the phases that are left; a slope of wash-in across the gap
    is undefined, and so is the area of the first minute where three phases or more are lost.
    """
    kind = rng.random()
    if kind < 0.15:
        x[:N_MAPS] = 0.0
        return x
    if kind < 0.4:
        left = rng.random(9) < 0.6
        x[1:N_MAPS] *= np.exp(rng.normal(0.0, 0.6, (N_MAPS - 1, 1, 1, 1))).astype(np.float32)
    else:
        lost = int(rng.integers(2, 6))  # of those after arrival
        left = np.arange(9) >= lost
        x[N_MAPS + 1 : N_MAPS + 1 + lost] = 0.0
        x[N_VALUES + 1 : N_VALUES + 1 + lost] = 0.0
        blank = [MAP_NAMES.index("wash_in_slope")]
        blank += [MAP_NAMES.index("auc60")] if lost >= 3 else []
        blank += [MAP_NAMES.index("wash_out_slope")] if rng.random() < 0.5 else []
        x[blank] = 0.0
    left = left & (x[N_VALUES + 1 : N_VALUES + 10, 0, 0, 0] > 0)
    if left.any():
        before = x[N_MAPS]
        highest = x[N_MAPS + 1 : N_VALUES][left].max(axis=0)
        x[0] = np.clip(np.divide(highest, before, out=np.zeros_like(before), where=before > LEAST_SIGNAL), -6.0, 6.0)
    return x


def varied(
    rng: np.random.Generator, x: NDArray[np.float32], y: NDArray[np.float32], dropout: float, *, nearer: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn, scale and mirror; change gain, contrast and noise; leave phases and maps out."""
    x, y = _moved(rng, x, y, nearer)
    phases = x[N_MAPS:N_VALUES]
    gain = np.float32(np.exp(rng.normal(0.0, 0.15)))
    enhancement = np.float32(np.exp(rng.normal(0.0, 0.2)))
    phases[0] *= gain
    phases[1:] *= gain * enhancement * np.exp(rng.normal(0.0, 0.05, (9, 1, 1, 1))).astype(np.float32)
    x[:N_MAPS] *= enhancement * np.exp(rng.normal(0.0, 0.1, (N_MAPS, 1, 1, 1))).astype(np.float32)
    if rng.random() < 0.5:
        noise = np.random.default_rng(rng.integers(2**63)).standard_normal(x[:N_VALUES].shape, dtype=np.float32)
        x[:N_VALUES] += np.float32(rng.uniform(0.0, 0.08)) * noise
    flags = x[N_VALUES : N_VALUES + 10]
    if rng.random() < dropout:
        absent = np.ones(10, bool) if rng.random() < 0.25 else rng.random(10) < rng.uniform(0.1, 0.7)
        absent[0] = False
        flags[absent] = 0.0
    phases *= (flags[:, :1, :1, :1] > 0).astype(np.float32)
    if rng.random() < 0.15:
        x[:N_MAPS][rng.random(N_MAPS) < 0.4] = 0.0
    return x, y


def _moved(
    rng: np.random.Generator, x: NDArray[np.float32], y: NDArray[np.float32], nearer: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mirror, turn and scale (at most by e^`nearer` larger) by MONAI, channels and lesions alike."""
    import torch
    from monai.transforms import Affine, Flip

    both = torch.from_numpy(np.concatenate([x, y]))
    for axis, chance in ((2, 0.5), (0, 0.3)):
        if rng.random() < chance:
            both = Flip(axis)(both)
    if nearer > 0.5 or rng.random() < 0.35:
        angles = rng.uniform(-0.3, 0.3), *rng.uniform(-0.05, 0.05, 2)
        scale = np.exp(rng.uniform(-nearer, 0.25)) * np.exp(rng.uniform(-0.08, 0.08, 3))
        turn = Affine(
            rotate_params=tuple(map(float, angles)), scale_params=tuple(map(float, scale)),
            padding_mode="border", mode="bilinear", image_only=True,
        )  # fmt: skip
        both = turn(both)
    moved = np.ascontiguousarray(np.asarray(both.as_tensor() if hasattr(both, "as_tensor") else both))
    return moved[:-1], moved[-1:]
