"""Growing on one image with SimpleITK: a threshold around the seeds, or a confidence interval that adapts."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.geometry import Geometry, from_sitk, to_sitk

__all__ = ["confidence_mask", "enhancement_image", "threshold_mask"]

NEIGHBOURHOOD_MM = 2.0
ITERATIONS = 2


def enhancement_image(signal: Any, n_baseline: int) -> Any:
    """Return the largest signal after the baseline minus the baseline, (Z, Y, X) float32; one phase as it is."""
    if signal.shape[0] == 1:
        return np.asarray(signal[0], dtype=np.float32)
    base = signal[:n_baseline].mean(axis=0, dtype=np.float32)
    return signal[n_baseline:].max(axis=0) - base


def _around(image: Any, geometry: Geometry, seed: Seed) -> Any:
    reach = [int(NEIGHBOURHOOD_MM / s) for s in geometry.spacing_zyx_mm]
    box = tuple(slice(max(0, c - r), c + r + 1) for c, r in zip(seed.zyx, reach, strict=True))
    values = image[box].astype(np.float64)
    return values[np.isfinite(values)]


def threshold_mask(image: Any, geometry: Geometry, seeds: list[Seed], tolerance: float) -> Any:
    """Return what is connected to the seeds within their median ± `tolerance` of it (a share)."""
    import SimpleITK as sitk

    levels = [float(np.median(_around(image, geometry, seed))) for seed in seeds]
    own = [float(image[seed.zyx]) for seed in seeds]  # a noisy seed may lie outside its surroundings' interval
    half = tolerance * max(abs(level) for level in levels)
    finite = np.nan_to_num(image, nan=-np.inf, posinf=-np.inf).astype(np.float32)
    grown = sitk.ConnectedThreshold(
        to_sitk(finite, geometry),
        [seed.ijk for seed in seeds],
        lower=min(min(levels) - half, *own),
        upper=max(max(levels) + half, *own),
    )
    return from_sitk(grown)[0] > 0


def confidence_mask(image: Any, geometry: Geometry, seeds: list[Seed], tolerance: float) -> Any:
    """Return what is connected to the seeds within mean ± `tolerance` standard deviations, re-estimated twice."""
    import SimpleITK as sitk

    finite = np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
    radius = max(1, int(NEIGHBOURHOOD_MM / geometry.spacing_mm[0]))
    grown = sitk.ConfidenceConnected(
        to_sitk(finite, geometry),
        seedList=[seed.ijk for seed in seeds],
        numberOfIterations=ITERATIONS,
        multiplier=tolerance,
        initialNeighborhoodRadius=radius,
        replaceValue=1,
    )
    return (from_sitk(grown)[0] > 0) & np.isfinite(image)
