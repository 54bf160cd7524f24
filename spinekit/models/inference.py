"""From a network to a probability and its uncertainty: sliding windows, mirrored copies, mixed precision."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.models.memory import memory_kept
from spinekit.models.threads import fixed_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["Reading", "binary_entropy", "logits_of", "predict_probability", "reading_of"]

WINDOW_ZYX = (32, 256, 256)  # ours: a series up to 480 mm wide fits into one window, and one window takes below 2 GiB
THREADS = 2  # ours: a result must not depend on how many cores a process was given
MIRRORS = ((), (2,), (0,), (0, 2))  # flips along x and z; y is left, since a patient has a back and a front


@dataclass(frozen=True)
class Reading:
    """In which windows a volume is read: their size (z, y, x), and by which share neighbours overlap."""

    window_zyx: tuple[int, int, int] = WINDOW_ZYX
    overlap: float = 0.25


def reading_of(net: nn.Module, patch_zyx: Sequence[int] | None) -> Reading:
    """Return how a network is to read a volume: one that normalises by the volume, in patches as it was taught with.

    A lesion is a larger part of a patch than of a trunk, so means and variances of the two differ; read in one piece,
    such a network lost lesions in simulated cases that it found in patches, and more so with a quarter of overlap
    than with a half.

    Examples
    --------
    >>> import torch
    >>> reading_of(torch.nn.BatchNorm3d(2), (12, 48, 48))
    Reading(window_zyx=(32, 256, 256), overlap=0.25)
    >>> reading_of(torch.nn.InstanceNorm3d(2), (12, 48, 48))
    Reading(window_zyx=(12, 48, 48), overlap=0.5)
    """
    from torch.nn import InstanceNorm3d

    if patch_zyx is None or not any(isinstance(part, InstanceNorm3d) for part in net.modules()):
        return Reading()
    z, y, x = (int(n) for n in patch_zyx)
    return Reading((z, y, x), 0.5)


def predict_probability(
    net: nn.Module,
    channels: NDArray[np.float32],
    *,
    mirror: bool = False,
    reading: Reading | None = None,
    bf16: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the probability of lesion in each voxel, and how uncertain it is.

    Parameters
    ----------
    net : nn.Module
        Gives one logit per voxel; in evaluation mode.
    channels : ndarray of shape (C, Z, Y, X), float32
        What the network sees.
    mirror : bool
        Average over four mirrored copies; four times the work.
    reading : Reading, optional
        A volume larger than its window is read window by window, weighed towards their centres (`reading_of`).
    bf16 : bool
        Use bfloat16 where torch deems it safe: faster on processors with AMX or AVX-512 BF16, slower on others.

    Returns
    -------
    probability : ndarray of shape (Z, Y, X), float32
        From 0 to 1.
    uncertainty : ndarray of shape (Z, Y, X), float32
        Entropy of the probability in bits, from 0 (certain) to 1 (a half); with `mirror` of the mean over the copies.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Conv3d(2, 1, 1)
    >>> probability, uncertainty = predict_probability(net.eval(), np.zeros((2, 3, 8, 8), np.float32))
    >>> probability.shape, bool(((0 <= uncertainty) & (uncertainty <= 1)).all())
    ((3, 8, 8), True)
    """
    import torch

    device = next(net.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(channels))[None].to(device)
    copies = MIRRORS if mirror else MIRRORS[:1]
    mean: Any = None
    precision = torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()
    with torch.inference_mode(), precision, fixed_threads(THREADS):
        for axes in copies:
            dims = [axis + 2 for axis in axes]
            logits = logits_of(net, x.flip(dims) if dims else x, reading or Reading())
            probability = torch.sigmoid((logits.flip(dims) if dims else logits).float())
            mean = probability if mean is None else mean + probability
    result = np.asarray((mean[0, 0] / len(copies)).cpu())
    return result, binary_entropy(result)


def binary_entropy(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy of a probability in bits.

    Examples
    --------
    >>> binary_entropy(np.array([0.0, 0.5, 1.0], np.float32)).tolist()
    [0.0, 1.0, 0.0]
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-12, 1.0 - 1e-12)
    entropy = -(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p))
    return np.where((probability <= 0.0) | (probability >= 1.0), 0.0, entropy).astype(np.float32)


def logits_of(net: nn.Module, x: Tensor, reading: Reading) -> Tensor:
    """(1, C, Z, Y, X) -> (1, 1, Z, Y, X), in one piece where it fits into one window."""
    if all(n <= w for n, w in zip(x.shape[2:], reading.window_zyx, strict=True)):
        with memory_kept():
            whole: Tensor = net(x)
        return whole
    from monai.inferers.utils import sliding_window_inference

    window = tuple(min(n, w) for n, w in zip(x.shape[2:], reading.window_zyx, strict=True))
    parts: Tensor = sliding_window_inference(x, window, 1, net, overlap=reading.overlap, mode="gaussian")
    return parts
