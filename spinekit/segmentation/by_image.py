"""Growing on one image, the enhancement: by threshold or by confidence, with SimpleITK."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.geometry import Geometry
from spinekit.segmentation.cleanup import keep_components_of
from spinekit.segmentation.grown import JUMP_STEP, Grown, Limits, distance_to
from spinekit.segmentation.one_image import confidence_mask, enhancement_image, threshold_mask

__all__ = ["by_image"]

DEFAULT_TOLERANCE = {"confidence": 2.5, "threshold": 0.4}


def by_image(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], method: str, tolerance: float | None,
    limits: Limits, n_baseline: int,
) -> Grown:  # fmt: skip
    """Grow on the enhancement image by `method`; what is nearer in value to a background seed stays outside."""
    image = enhancement_image(signal, n_baseline)
    used = DEFAULT_TOLERANCE[method] if tolerance is None else tolerance
    grow = threshold_mask if method == "threshold" else confidence_mask
    points = [s.zyx for s in front]
    allowed = distance_to(points, image.shape, geometry.spacing_zyx_mm) <= limits.max_radius_mm
    for seed in back:  # a voxel whose value is nearer to a background seed stays outside
        own = np.min([np.abs(image - image[s.zyx]) for s in front], axis=0)
        allowed &= np.abs(image - image[seed.zyx]) > own
    masked = np.where(allowed, image, np.nan)
    mask, more = (_with_seeds(grow(masked, geometry, front, t) & allowed, points) for t in (used, used * JUMP_STEP))
    jump = float(more.sum() / max(mask.sum(), 1))
    volume_ml = mask.sum() * geometry.voxel_volume_mm3 / 1000
    capped = bool(volume_ml > limits.max_volume_ml)
    return Grown(mask, float(used), capped, jump, _contrast(image, mask), {})


def _with_seeds(found: Any, points: list[Any]) -> Any:
    """Return the parts that hold a seed; an interval that adapts may have left a seed itself outside."""
    for point in points:
        found[point] = True
    return keep_components_of(found, points)


def _contrast(image: Any, mask: Any) -> float:
    """Return the step across the border in units of the spread inside; inf where it cannot be had."""
    from scipy import ndimage

    if not mask.any():
        return float("inf")
    outer = ndimage.binary_dilation(mask) & ~mask & np.isfinite(image)
    inside = image[mask & np.isfinite(image)].astype(np.float64)
    spread = float(inside.std())
    if not outer.any() or spread == 0:
        return float("inf")
    return float(abs(np.median(inside) - np.median(image[outer].astype(np.float64))) / spread)
