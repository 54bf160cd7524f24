"""Set the border of a grown region where a voxel is half lesion: partial volume would leave such voxels outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.segmentation.nearness import distances_up_to

__all__ = ["REACH_OUT", "settle_border"]

REACH = 2.0  # how far the border may move outwards, in units of the smallest voxel edge
REACH_OUT = 6.0  # farthest place that is looked at, in the same unit
OUTSIDE = (1.9, REACH_OUT)  # where the outside is looked at, in the same unit
SMOOTHING = 4.0  # standard deviation of the local average of the outside, in the same unit
FAR = 20.0  # distances of a wholly different tissue count as this
HALF = 0.5


def settle_border(mask: Any, distance: Any, spacing_zyx_mm: Any) -> Any:
    """Return the region with the voxels at its border that are at least half lesion.

    The distance of a curve from the lesion's mean grows in proportion to the share of the other tissue in
    the voxel, so a voxel that is half lesion lies at half the distance of what is beyond it. The outside
    is averaged nearby, since a lesion borders on several tissues.

    Parameters
    ----------
    mask : ndarray of bool, shape (Z, Y, X)
        The region; changed at its border only.
    distance : ndarray of float32, shape (Z, Y, X)
        Distance of each voxel's curve from the lesion, standard deviations; NaN stays outside.
    spacing_zyx_mm : (z, y, x)
        Voxel edges, mm.

    Returns
    -------
    ndarray of bool, shape (Z, Y, X)
    """
    step = float(min(spacing_zyx_mm))
    away = distances_up_to(mask, REACH_OUT * step, spacing_zyx_mm)
    shell = (away > OUTSIDE[0] * step) & (away <= OUTSIDE[1] * step) & np.isfinite(distance)
    near = (away > 0) & (away <= REACH * step)
    if not near.any() or not shell.any():
        return mask
    sigma = [SMOOTHING * step / s for s in spacing_zyx_mm]
    weight = ndimage.gaussian_filter(shell.astype(np.float32), sigma, truncate=2.0)
    total = ndimage.gaussian_filter(
        np.where(shell, np.minimum(distance, FAR), 0).astype(np.float32), sigma, truncate=2.0
    )
    beyond = total[near] / np.maximum(weight[near], 1e-6)
    inside = float(np.median(distance[mask]))
    half = np.zeros_like(mask)
    half[near] = (distance[near] <= np.sqrt(inside**2 + (HALF * beyond) ** 2)) & (weight[near] > 1e-4)
    return mask | half
