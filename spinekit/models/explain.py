"""Where a classifier looks: Grad-CAM and occlusion in three dimensions, on the box of the crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.models.inception_resnet_use import Classifier
from spinekit.models.threads import fixed_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop

__all__ = ["BLOCK", "blocks_near", "grad_cam", "logit_of", "occlusion", "without"]

BLOCK = (2, 4, 4)  # voxels along z, y, x that are hidden at a time: 8 mm a side
NEAR_MM = 10.0  # blocks farther than this from the region are not hidden; they count as 0
BATCH = 16


def logit_of(classifier: Classifier, stack: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits (N,) of class 1 of crops (N, C, Z, Y, X), a few at a time."""
    import torch

    parts = [np.ascontiguousarray(stack[i : i + BATCH]) for i in range(0, len(stack), BATCH)]
    with fixed_threads(1), torch.inference_mode():
        return np.concatenate([classifier.net(torch.from_numpy(p)).logit.numpy().astype(np.float64) for p in parts])


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
    hidden = np.stack([without(crop, [block]) for block in blocks])
    fall = (whole - logit_of(classifier, hidden)) * (1.0 if target == 1 else -1.0)
    result = np.zeros(crop.channels.shape[1:], dtype=np.float32)
    for block, value in zip(blocks, fall, strict=True):
        result[block] = max(float(value), 0.0)
    return _to_one(result)


def blocks_near(crop: LesionCrop) -> Iterator[tuple[slice, slice, slice]]:
    """Yield the blocks of the box, as slices along (z, y, x), that come within a centimetre of the region."""
    from scipy.ndimage import distance_transform_edt

    region = crop.channels[-1] >= min(0.5, float(crop.channels[-1].max()))
    near = distance_transform_edt(~region, sampling=crop.geometry.spacing_zyx_mm) <= NEAR_MM
    shape = near.shape
    for z, y, x in np.ndindex(*(-(-n // b) for n, b in zip(shape, BLOCK, strict=True))):
        block = tuple(slice(i * b, min((i + 1) * b, n)) for i, b, n in zip((z, y, x), BLOCK, shape, strict=True))
        if near[block].any():
            yield block  # type: ignore[misc]


def without(crop: LesionCrop, blocks: Sequence[Any]) -> NDArray[np.float32]:
    """Return the channels with some blocks replaced by each channel's mean outside the region; the region stays."""
    outside = crop.channels[-1] < 0.5
    result = crop.channels.copy()
    means = crop.channels[:-1][:, outside].mean(axis=1, dtype=np.float64).astype(np.float32)
    for block in blocks:
        result[(slice(0, -1), *block)] = means[:, None, None, None]
    return result


def _to_one(values: NDArray[np.float32]) -> NDArray[np.float32]:
    top = float(values.max())
    return (values / top).astype(np.float32) if top > 0 else np.zeros_like(values, dtype=np.float32)
