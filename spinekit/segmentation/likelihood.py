"""Growing by a likelihood that an outline has taught: curves inside against curves around, with a prior in mm."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from scipy.special import expit, logsumexp

from spinekit.geometry import Geometry

__all__ = ["likelihood_mask"]

N_TISSUES = 4  # on either side: lesions and surroundings are mixtures
GUARD_MM = 2.0  # what lies nearer to the outline teaches neither side
PRIOR_MM = 2.5  # by how much a reader's border is off: one unit of log odds
PRIOR_LIMIT = 4.0
TEMPER = 0.25  # neighbouring phases are not independent evidence
SHRINKAGE = 0.1
FLOOR = 0.03  # of the mean curve: no tissue is known better
SMOOTH_MM = 0.8


def likelihood_mask(signal: Any, inside: Any, allowed: Any, seed_zyx: tuple[int, ...], geometry: Geometry) -> Any:
    """Return what hangs together with the seed and is more likely inside than outside.

    Parameters
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32
    inside : ndarray of bool, shape (Z, Y, X)
        What is taken as lesion to begin with.
    allowed : ndarray of bool, shape (Z, Y, X)
        Where the region may grow; what of it lies outside teaches the surroundings.
    seed_zyx : (z, y, x)
    geometry : Geometry

    Returns
    -------
    ndarray of bool, shape (Z, Y, X)
    """
    spacing = geometry.spacing_zyx_mm
    depth = ndimage.distance_transform_edt(inside, sampling=spacing)
    away = ndimage.distance_transform_edt(~inside, sampling=spacing)
    core = inside & (depth > min(GUARD_MM, 0.5 * float(depth.max())))
    ring = allowed & (away > GUARD_MM)
    finite = np.isfinite(signal).all(axis=0)
    odds = np.full(inside.shape, -np.inf)
    places = allowed & finite
    odds[places] = np.clip((depth - away)[places] / PRIOR_MM, -PRIOR_LIMIT, PRIOR_LIMIT)
    if (core & finite).sum() >= 2 and (ring & finite).sum() >= 2:
        curves = signal[:, places].T.astype(np.float64)
        evidence = _log_density(curves, signal[:, core & finite].T) - _log_density(curves, signal[:, ring & finite].T)
        odds[places] += TEMPER * evidence
    chance = ndimage.gaussian_filter(expit(odds), [SMOOTH_MM / s for s in spacing], truncate=2.0)
    grown = (chance > 0.5) & places
    grown[seed_zyx] = True
    labels, _ = ndimage.label(grown)
    return labels == labels[seed_zyx]


def _log_density(curves: Any, examples: Any) -> Any:
    """Return the log density of curves (N, T) under a mixture of normals that the examples (M, T) teach."""
    examples = np.asarray(examples, dtype=np.float64)
    n = min(N_TISSUES, len(examples))
    scale = np.maximum(examples.std(axis=0), 1e-9)
    _, member = kmeans2(examples / scale, n, minit="++", seed=0, iter=20)
    floor = np.diag((FLOOR * np.maximum(np.abs(examples.mean(axis=0)), 1e-9)) ** 2)
    pooled = np.atleast_2d(np.cov(examples.T)) + floor
    parts = []
    for m in range(n):
        own = examples[member == m]
        if not len(own):
            continue
        mean = own.mean(axis=0)
        share = len(own) / (len(own) + 2.0 * curves.shape[1])  # few voxels: the covariance of all stands in
        spread = np.atleast_2d(np.cov(own.T)) if len(own) > 1 else pooled
        spread = share * spread + (1 - share) * pooled
        spread = (1 - SHRINKAGE) * spread + SHRINKAGE * np.diag(np.diag(spread)) + floor
        root = np.linalg.cholesky(spread)
        white = np.linalg.solve(root, (curves - mean).T)
        parts.append(np.log(len(own) / len(examples)) - 0.5 * (white**2).sum(axis=0) - np.log(np.diag(root)).sum())
    return logsumexp(parts, axis=0)
