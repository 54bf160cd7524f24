"""What the curves around a seed look like: mean and spread, robust against voxels of another tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry

__all__ = ["CurveModel", "core_curves", "learn", "model_of", "models_of"]

NEIGHBOURHOOD_MM = 5.0
CLOSE_MM = 3.0
KEPT = 0.7  # share of the neighbourhood that is nearest to its median
SHRINKAGE = 0.2  # of the covariance towards its diagonal: there are few voxels for many phases
ENOUGH = 3000  # curves: more do not change a model
FLOOR = 0.08  # of the mean: lesions vary more than five millimetres of them show


@dataclass(frozen=True)
class CurveModel:
    """Mean curve (T,) and whitening matrix (T, T), lower triangular, of one seed's neighbourhood."""

    mean: Any
    whitening: Any
    n_voxels: int


def model_of(signal: Any, geometry: Geometry, seed: Seed) -> CurveModel:
    """Return the model of the curves around one seed.

    Parameters
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32
    geometry : Geometry
    seed : Seed

    Raises
    ------
    InputRefusedError
        ``seed-outside``, or ``seed-undefined`` where the signal is not finite or zero throughout.
    """
    if not geometry.contains(seed.ijk):
        raise InputRefusedError(
            "seed-outside",
            found=f"The seed {seed.ijk} lies outside the series of {' × '.join(map(str, geometry.size))} voxels.",
            expected="Indices i, j, k from 0, inside the image.",
            cause="The seed may belong to another series, or i, j, k are in another order.",
            cure="Give the seed as i,j,k: column, row, slice.",
        )
    own = signal[(slice(None), *seed.zyx)]
    if not np.isfinite(own).all() or not (own != 0).any():
        raise InputRefusedError(
            "seed-undefined",
            found=f"At the seed {seed.ijk} the signal is {np.array2string(own[:4], precision=3)}.",
            expected="A finite signal that is not zero throughout.",
            cause="The seed lies in masked or empty background.",
            cure="Click inside the lesion.",
        )
    return learn(_neighbourhood(signal, geometry, seed, NEIGHBOURHOOD_MM))


def learn(curves: Any) -> CurveModel:
    """Return the model of curves (T, n), without the `1 - KEPT` of them that are farthest from their median.

    Of more than `ENOUGH` curves an even sample is taken.
    """
    some = np.asarray(curves[:, :: 1 + curves.shape[1] // ENOUGH], dtype=np.float64)
    middle = np.median(some, axis=1)
    distance = ((some - middle[:, None]) ** 2).sum(axis=0)
    kept = some[:, distance <= np.quantile(distance, KEPT)]
    mean = kept.mean(axis=1)
    spread = np.atleast_2d(np.cov(kept)) if kept.shape[1] > 1 else np.zeros((mean.size, mean.size))
    spread = (1 - SHRINKAGE) * spread + SHRINKAGE * np.diag(np.diag(spread))
    scale = max(float(np.abs(mean).max()), 1e-6)
    spread += np.diag((FLOOR * np.maximum(np.abs(mean), 0.05 * scale)) ** 2)
    whitening = np.linalg.inv(np.linalg.cholesky(spread))
    return CurveModel(mean.astype(np.float32), whitening.astype(np.float32), int(kept.shape[1]))


def _neighbourhood(signal: Any, geometry: Geometry, seed: Seed, radius_mm: float) -> Any:
    """Return the finite curves within a radius of the seed, at least its neighbours in the plane; (T, n)."""
    reach = [max(1 if axis else 0, int(radius_mm / s)) for axis, s in enumerate(geometry.spacing_zyx_mm)]
    box = tuple(slice(max(0, c - r), c + r + 1) for c, r in zip(seed.zyx, reach, strict=True))
    places = np.ogrid[tuple(slice(b.start, min(b.stop, n)) for b, n in zip(box, geometry.shape_zyx, strict=True))]
    steps = [(p - c) * s for p, c, s in zip(places, seed.zyx, geometry.spacing_zyx_mm, strict=True)]
    nearest = max(radius_mm, *(geometry.spacing_mm[:2]))
    inside = steps[0] ** 2 + steps[1] ** 2 + steps[2] ** 2 <= nearest**2 * 1.0001
    curves = signal[(slice(None), *box)][:, inside].astype(np.float64)
    return curves[:, np.isfinite(curves).all(axis=0)]


def core_curves(signal: Any, geometry: Geometry, seed: Seed) -> Any:
    """Return the curves close to a seed that are nearest to their median, float64 (T, n)."""
    curves = _neighbourhood(signal, geometry, seed, CLOSE_MM)
    distance = ((curves - np.median(curves, axis=1)[:, None]) ** 2).sum(axis=0)
    return curves[:, distance <= np.quantile(distance, KEPT)]


def models_of(signal: Any, geometry: Geometry, seeds: list[Seed]) -> tuple[Any, Any, int]:
    """Return means (M, T), whitening matrices (M, T, T) and the number of foreground models, which come first."""
    ordered = [s for s in seeds if not s.background] + [s for s in seeds if s.background]
    models = [model_of(signal, geometry, seed) for seed in ordered]
    means = np.ascontiguousarray([m.mean for m in models], dtype=np.float32)
    whitening = np.ascontiguousarray([m.whitening for m in models], dtype=np.float32)
    return means, whitening, sum(not s.background for s in ordered)
