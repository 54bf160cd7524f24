"""Where a classifier looks: Grad-CAM and occlusion in three dimensions, on the box of the crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spinekit.models.inception_resnet_use import Classifier
from spinekit.models.threads import fixed_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop

__all__ = ["BLOCK", "blocks_near", "grad_cam", "logit_of", "logits_without", "occlusion"]

Block = tuple[slice, slice, slice]  # along (z, y, x)

BLOCK = (2, 4, 4)  # voxels along z, y, x that are hidden at a time: 8 mm a side
NEAR_MM = 10.0  # blocks farther than this from the region are not hidden; they count as 0
BATCH = 16


def logit_of(classifier: Classifier, stack: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits (N,) of class 1 of crops (N, C, Z, Y, X), a few at a time."""
    parts = range(0, len(stack), BATCH)
    return np.concatenate([_logits(classifier, np.ascontiguousarray(stack[i : i + BATCH])) for i in parts])


def logits_without(classifier: Classifier, crop: LesionCrop, hidden: Sequence[Sequence[Block]]) -> NDArray[np.float64]:
    """Return the logits (N,) of class 1 of a crop in which blocks are hidden, a list of blocks for each logit.

    A block that is hidden holds each channel's mean outside the region; the region itself stays.
    """
    means = _means_outside(crop)
    found = []
    for start in range(0, len(hidden), BATCH):
        few = hidden[start : start + BATCH]
        stack = np.repeat(crop.channels[None], len(few), axis=0)
        for channels, blocks in zip(stack, few, strict=True):
            _hide(channels, blocks, means)
        found.append(_logits(classifier, stack))
    return np.concatenate(found)


def _logits(classifier: Classifier, stack: NDArray[np.float32]) -> NDArray[np.float64]:
    import torch

    with fixed_threads(1), torch.inference_mode():
        return np.asarray(classifier.net(torch.from_numpy(stack)).logit.numpy(), dtype=np.float64)


def grad_cam(classifier: Classifier, crop: LesionCrop, *, target: int) -> NDArray[np.float32]:
    """Return the Grad-CAM of a class: features of blocks A, weighted by the mean gradient of its logit.

    Parameters
    ----------
    classifier : Classifier
        The network.
    crop : LesionCrop
        The lesion.
    target : {0, 1}
        Class whose evidence is shown.

    Returns
    -------
    ndarray of shape (Z, Y, X) of the crop, float32
        0 to 1, linear between the centres of the features' coarser voxels; all 0 if nothing speaks for the class.

    References
    ----------
    .. [1] Selvaraju RR et al. Int J Comput Vis 2020;128:336-359.
    """
    import torch
    from torch.nn import functional

    crops = torch.from_numpy(np.ascontiguousarray(crop.channels[None]))
    with fixed_threads(1), torch.enable_grad():
        features, logit = classifier.net.last_features(crops.requires_grad_(True))
        (gradient,) = torch.autograd.grad(logit.sum() * (1.0 if target == 1 else -1.0), features)
    weight = gradient.mean(dim=(2, 3, 4), keepdim=True)
    coarse = functional.relu((weight * features).sum(dim=1, keepdim=True)).detach()
    fine = functional.interpolate(coarse, size=crop.channels.shape[1:], mode="trilinear", align_corners=False)
    return _to_one(fine[0, 0].numpy())


def occlusion(classifier: Classifier, crop: LesionCrop, *, target: int) -> NDArray[np.float32]:
    """Return how much the logit of a class falls when a block of 8 mm is replaced by what lies around the region.

    Returns
    -------
    ndarray of shape (Z, Y, X) of the crop, float32
        0 to 1, constant within a block; 0 where hiding a block does not lower the logit, and far from the region.

    References
    ----------
    .. [1] Zeiler MD, Fergus R. ECCV 2014, LNCS 8689:818-833.
    """
    blocks = list(blocks_near(crop))
    whole = logit_of(classifier, crop.channels[None])[0]
    fall = (whole - logits_without(classifier, crop, [[block] for block in blocks])) * (1.0 if target == 1 else -1.0)
    result = np.zeros(crop.channels.shape[1:], dtype=np.float32)
    for block, value in zip(blocks, fall, strict=True):
        result[block] = max(float(value), 0.0)
    return _to_one(result)


def blocks_near(crop: LesionCrop) -> Iterator[Block]:
    """Yield the blocks of the box, as slices along (z, y, x), that come within a centimetre of the region."""
    from scipy.ndimage import distance_transform_edt

    region = crop.channels[-1] >= min(0.5, float(crop.channels[-1].max()))
    near = distance_transform_edt(~region, sampling=crop.geometry.spacing_zyx_mm) <= NEAR_MM
    shape = near.shape
    for z, y, x in np.ndindex(*(-(-n // b) for n, b in zip(shape, BLOCK, strict=True))):
        places = zip((z, y, x), BLOCK, shape, strict=True)
        block: Block = tuple(slice(i * b, min((i + 1) * b, n)) for i, b, n in places)  # type: ignore[assignment]
        if near[block].any():
            yield block


def _means_outside(crop: LesionCrop) -> NDArray[np.float32]:
    """Return the mean of each channel but the region's outside the region."""
    outside = crop.channels[-1] < 0.5
    return crop.channels[:-1][:, outside].mean(axis=1, dtype=np.float64).astype(np.float32)


def _hide(channels: NDArray[np.float32], blocks: Sequence[Block], means: NDArray[np.float32]) -> None:
    for block in blocks:
        channels[(slice(0, -1), *block)] = means[:, None, None, None]


def _to_one(values: NDArray[np.float32]) -> NDArray[np.float32]:
    top = float(values.max())
    return (values / top).astype(np.float32) if top > 0 else np.zeros_like(values, dtype=np.float32)
