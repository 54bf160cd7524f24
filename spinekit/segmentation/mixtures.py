"""Tissues as mixtures of normal distributions of curves, and compiled: which of two mixtures a curve is likelier in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["Mixture", "Variation", "basis_of", "block_means", "block_means_at", "log_odds", "mixture_of"]

SIGNAL = types.Array(types.float32, 4, "C", readonly=True)
FAST = {"contract", "nsz", "arcp"}
ENOUGH = 30  # curves per component
ITERATIONS = 8  # of k-means; more do not change a region
TIGHT = 20.0  # curves below which the spread of the whole mixture stands in for a component's own


@dataclass(frozen=True)
class Variation:
    """By how much curves of one tissue differ beyond what a few of them show, as shares of the mean curve.

    ``level`` of the whole curve (coil, density), ``uptake`` of its rise, ``single`` of each phase by itself.
    """

    level: float
    uptake: float
    single: float


@dataclass(frozen=True)
class Mixture:
    """Components in the space of a basis: constants (K,), means (K, D), whitening (K, D, D), lower triangular."""

    constants: Any
    means: Any
    whitening: Any


def basis_of(curves: Any, n_dimensions: int) -> tuple[Any, Any]:
    """Return the directions in which curves (N, T) vary most, (D, T), and the spread along each, (D,); float64."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(np.asarray(curves, dtype=np.float64).T)))
    kept = np.argsort(values)[::-1][:n_dimensions]
    spread = np.sqrt(np.maximum(values[kept], 0.0))
    return vectors[:, kept].T, np.maximum(spread, 0.1 * max(float(spread[0]), 1e-9))


def mixture_of(curves: Any, basis: Any, spread: Any, n_baseline: int, *, at_most: int, variation: Variation) -> Mixture:
    """Learn a mixture from curves (N, T), by k-means in the basis; the same curves give the same bits."""
    curves = np.ascontiguousarray(curves, dtype=np.float64)
    basis = np.ascontiguousarray(basis, dtype=np.float64)
    points = np.ascontiguousarray(curves @ basis.T)
    n, size = max(1, min(at_most, len(curves) // ENOUGH)), len(basis)
    member = np.zeros(len(curves), dtype=np.int64)
    if n > 1:
        _k_means(np.ascontiguousarray(points / spread), n, member)
    constants, means, whitening = np.empty(n), np.empty((n, size)), np.zeros((n, size, size))
    shares = np.array([variation.level, variation.uptake, variation.single])
    _components(curves, points, member, basis, n_baseline, shares, constants, means, whitening)
    used = np.isfinite(constants)
    return Mixture(constants[used], means[used], whitening[used])


@numba.njit(
    types.void(
        types.float64[:, ::1], types.float64[:, ::1], types.int64[::1], types.float64[:, ::1], types.int64,
        types.float64[::1], types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1],
    ),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def _components(
    curves: Any, points: Any, member: Any, basis: Any, n_baseline: int, shares: Any, constants: Any, means: Any,
    whitening: Any,
) -> None:  # fmt: skip
    """Write constant, mean and whitening of each component in the basis; a constant of -inf where it is empty.

    The covariance is that of the points, drawn towards the pooled one where they are few, and what curves
    of a tissue vary by beyond what is seen.
    """
    n_curves, n_phases = curves.shape
    n, size = means.shape
    average = np.zeros((n, n_phases))
    count = np.zeros(n)
    for p in range(n_curves):
        count[member[p]] += 1.0
        for t in range(n_phases):
            average[member[p], t] += curves[p, t]
    scale = 0.0
    for t in range(n_phases):
        scale = max(scale, abs(average[:, t].sum()) / n_curves)
    for k in range(n):
        for t in range(n_phases):
            average[k, t] /= max(count[k], 1.0)
        for d in range(size):
            means[k, d] = (basis[d] * average[k]).sum()
    products = np.zeros((n, size, size))
    for p in range(n_curves):
        k = member[p]
        for a in range(size):
            for b in range(a + 1):
                products[k, a, b] += (points[p, a] - means[k, a]) * (points[p, b] - means[k, b])
    pooled = products.sum(axis=0) / max(n_curves - n, 1)
    covariance, root = np.zeros((size, size)), np.zeros((size, size))
    for k in range(n):
        if count[k] == 0.0:
            constants[k] = -np.inf
            continue
        trust = count[k] / (count[k] + TIGHT)
        base = average[k, :n_baseline].sum() / n_baseline
        for a in range(size):
            rise_a = shares[1] * (means[k, a] - base * basis[a].sum())
            for b in range(a + 1):
                rise_b = shares[1] * (means[k, b] - base * basis[b].sum())
                beyond = shares[0] ** 2 * means[k, a] * means[k, b] + rise_a * rise_b
                for t in range(n_phases):
                    single = (shares[2] * average[k, t]) ** 2 + (0.01 * scale) ** 2 + 1e-12
                    beyond += basis[a, t] * basis[b, t] * single
                own = products[k, a, b] / max(count[k] - 1.0, 1.0)
                covariance[a, b] = trust * own + (1.0 - trust) * pooled[a, b] + beyond
        constants[k] = np.log(count[k] / n_curves)
        for a in range(size):  # Cholesky's root
            for b in range(a + 1):
                total = covariance[a, b]
                for c in range(b):
                    total -= root[a, c] * root[b, c]
                root[a, b] = np.sqrt(total) if a == b else total / root[b, b]
            constants[k] -= np.log(root[a, a])
        for b in range(size):  # and its inverse
            for a in range(b, size):
                total = 1.0 if a == b else 0.0
                for c in range(b, a):
                    total -= root[a, c] * whitening[k, c, b]
                whitening[k, a, b] = total / root[a, a]


@numba.njit(
    types.void(types.float64[:, ::1], types.int64, types.int64[::1]), nogil=True, cache=True, error_model="numpy"
)
def _k_means(points: Any, n: int, member: Any) -> None:
    """Write the cluster of each point (N, D); starts are drawn as k-means++ does, from a fixed sequence of numbers."""
    n_points, size = points.shape
    middle = np.zeros((n, size))
    nearest = np.full(n_points, np.inf)
    for d in range(size):
        for p in range(n_points):
            middle[0, d] += points[p, d] / n_points
    for k in range(1, n + 1):
        total = 0.0
        for p in range(n_points):
            away = 0.0
            for d in range(size):
                away += (points[p, d] - middle[k - 1, d]) ** 2
            if away < nearest[p]:
                nearest[p] = away
                member[p] = k - 1
            total += nearest[p]
        if k == n:
            break
        wanted = (0.6180339887498949 * k) % 1.0 * total
        p = 0
        while p < n_points - 1 and wanted > nearest[p]:
            wanted -= nearest[p]
            p += 1
        for d in range(size):
            middle[k, d] = points[p, d]
    count = np.zeros(n)
    for _ in range(ITERATIONS):
        middle[:] = 0.0
        count[:] = 0.0
        for p in range(n_points):
            count[member[p]] += 1.0
            for d in range(size):
                middle[member[p], d] += points[p, d]
        for k in range(n):
            for d in range(size):
                middle[k, d] = middle[k, d] / count[k] if count[k] > 0.0 else np.inf
        for p in range(n_points):
            best = np.inf
            for k in range(n):
                away = 0.0
                for d in range(size):
                    away += (points[p, d] - middle[k, d]) ** 2
                if away < best:
                    best = away
                    member[p] = k


def log_odds(signal: Any, corner: Any, shape: tuple[int, ...], basis: Any, inside: Mixture, outside: Mixture) -> Any:
    """Return the log of how much likelier each voxel of a box is in the first mixture than in the second.

    Parameters
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32
    corner, shape : (z, y, x)
        Where the box lies in it.
    basis : ndarray of shape (D, T)
    inside, outside : Mixture
        The likeliest component of each counts.

    Returns
    -------
    ndarray of shape (Z', Y', X'), float32
        NaN where the signal is not finite.
    """
    out = np.empty(shape, dtype=np.float32)
    constants, means, whitening = (
        np.ascontiguousarray(np.concatenate([getattr(inside, name), getattr(outside, name)]), dtype=np.float32)
        for name in ("constants", "means", "whitening")
    )
    _odds_in_box(
        signal, np.asarray(corner, dtype=np.int64), np.ascontiguousarray(basis, dtype=np.float32),
        constants, means, whitening, len(inside.constants), out,
    )  # fmt: skip
    return out


@numba.njit(
    types.void(
        SIGNAL, types.int64[::1], types.float32[:, ::1], types.float32[::1], types.float32[:, ::1],
        types.float32[:, :, ::1], types.int64, types.float32[:, :, ::1],
    ),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def _odds_in_box(
    signal: Any, corner: Any, basis: Any, constants: Any, means: Any, whitening: Any, n_inside: int, out: Any
) -> None:
    """Write slice by slice, row by row, since the phases of one voxel lie megabytes apart."""
    n_phases, n_dimensions = signal.shape[0], basis.shape[0]
    n_y, n_x = out.shape[1], out.shape[2]
    n = n_y * n_x
    place = np.empty((n_dimensions, n), np.float32)
    line, total = np.empty(n, np.float32), np.empty(n, np.float32)
    best = np.empty((2, n), np.float32)
    for z in range(out.shape[0]):
        place[:] = 0.0
        for t in range(n_phases):
            for y in range(n_y):
                row = signal[t, z + corner[0], y + corner[1], corner[2] : corner[2] + n_x]
                for d in range(n_dimensions):
                    share, target = basis[d, t], place[d, y * n_x : (y + 1) * n_x]
                    for x in range(n_x):
                        target[x] += share * row[x]
        best[:] = -1e30
        for k in range(constants.size):
            for x in range(n):
                total[x] = constants[k]
            for a in range(n_dimensions):
                shift = np.float32(0.0)
                for b in range(a + 1):
                    shift += whitening[k, a, b] * means[k, b]
                for x in range(n):
                    line[x] = -shift
                for b in range(a + 1):
                    w, one = whitening[k, a, b], place[b]
                    for x in range(n):
                        line[x] += w * one[x]
                for x in range(n):
                    total[x] -= np.float32(0.5) * line[x] * line[x]
            top = best[0] if k < n_inside else best[1]
            for x in range(n):
                top[x] = max(top[x], total[x])
        flat = out[z].reshape(n)
        for x in range(n):
            finite = place[0, x] - place[0, x] == 0.0
            flat[x] = best[0, x] - best[1, x] if finite else np.float32(np.nan)


def block_means(signal: Any, corner: Any, shape: tuple[int, ...], steps: tuple[int, ...], rows: Any) -> Any:
    """Return the mean of each block of `steps` (z, y, x) voxels, float32 (T, *shape), from a corner of the signal on.

    `rows` (Z, Y, 2) tells of each row the first block that is wanted and the one after the last; others are NaN.

    Examples
    --------
    >>> signal = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6)
    >>> block_means(signal, (0, 0, 0), (1, 1, 3), (1, 1, 2), [[[1, 3]]]).ravel()
    array([nan, 2.5, 4.5], dtype=float32)
    """
    out = np.full((signal.shape[0], *shape), np.nan, dtype=np.float32)
    corner, steps_, rows = (np.ascontiguousarray(v, dtype=np.int64) for v in (corner, steps, rows))
    _means_of_blocks(signal, corner, steps_, rows, out)
    return out


@numba.njit(
    types.void(SIGNAL, types.int64[::1], types.int64[::1], types.int64[:, :, ::1], types.float32[:, :, :, ::1]),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def _means_of_blocks(signal: Any, corner: Any, steps: Any, rows: Any, out: Any) -> None:
    share = np.float32(1.0 / (steps[0] * steps[1] * steps[2]))
    step = steps[2]
    line = np.empty(out.shape[3] * step, np.float32)
    for t in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                first, n = rows[z, y, 0], rows[z, y, 1] - rows[z, y, 0]
                if n <= 0:
                    continue
                for x in range(n * step):
                    line[x] = 0.0
                left = corner[2] + first * step
                for a in range(steps[0]):
                    for b in range(steps[1]):
                        row = signal[t, corner[0] + z * steps[0] + a, corner[1] + y * steps[1] + b, left:]
                        for x in range(n * step):
                            line[x] += row[x]
                total = out[t, z, y, first:]
                for x in range(n):
                    total[x] = line[x * step]
                for c in range(1, step):
                    for x in range(n):
                        total[x] += line[x * step + c]
                for x in range(n):
                    total[x] *= share


def block_means_at(signal: Any, corners: Any, steps: tuple[int, ...]) -> Any:
    """Return the mean curve of the block of `steps` voxels at each corner (N, 3), float64 (N, T).

    Examples
    --------
    >>> block_means_at(np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6), [[0, 0, 2]], (1, 1, 3))
    array([[3.]])
    """
    corners = np.ascontiguousarray(corners, dtype=np.int64)
    out = np.empty((len(corners), signal.shape[0]))
    _means_of_blocks_at(signal, corners, np.asarray(steps, dtype=np.int64), out)
    return out


@numba.njit(
    types.void(SIGNAL, types.int64[:, ::1], types.int64[::1], types.float64[:, ::1]),
    nogil=True, cache=True, error_model="numpy",
)  # fmt: skip
def _means_of_blocks_at(signal: Any, corners: Any, steps: Any, out: Any) -> None:
    n = steps[0] * steps[1] * steps[2]
    for t in range(out.shape[1]):
        for p in range(out.shape[0]):
            total = 0.0
            for a in range(steps[0]):
                for b in range(steps[1]):
                    for c in range(steps[2]):
                        total += signal[t, corners[p, 0] + a, corners[p, 1] + b, corners[p, 2] + c]
            out[p, t] = total / n
