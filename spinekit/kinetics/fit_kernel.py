"""The compiled fit of the Tofts models: variable projection over a grid of kep and delay, then refinement.

For a given kep and delay the model is linear in Ktrans and vp, so that only those two are searched. The
grid tells which valleys are deep; damped Gauss-Newton steps on the projected problem, with exact derivatives,
go to their bottoms, first on a coarser plasma curve that is the same to half a thousandth of its peak, at last
with every sample of it. Times are minutes in here.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from spinekit.kinetics.fit_basis import FAST, basis, dot, invert, project

__all__ = ["OUTPUTS", "REASONS", "fit_voxels", "tabulate"]

OUTPUTS = (
    "ktrans", "kep", "vp", "delay", "rss", "ktrans_error", "kep_error", "vp_error", "delay_error", "ve_error",
)  # fmt: skip
REASONS = (
    "",
    "the concentration is not finite",
    "no uptake that the model explains: Ktrans is not positive",
    "kep is at the lower edge of the range that was searched",
    "kep is at the upper edge of the range that was searched",
)
QUICK, ITERATIONS, LAST = 6, 40, 25  # steps: in each valley, in the deepest, and there with every sample of Cp
POLL_MIN = 0.4 / 60.0
VALLEYS = 3  # along the delay; the deepest of the grid is not always the deepest


@numba.njit(error_model="numpy", fastmath=FAST)
def _step(state: Any, damping: float, free_q: bool, free_d: bool) -> tuple[float, float]:
    """Return the damped step in log kep and delay; a variable held at its bound does not move."""
    a00, a11, a01 = state[5] * (1.0 + damping), state[7] * (1.0 + damping), state[6]
    if free_q and free_d:
        det = a00 * a11 - a01 * a01
        if det > 1e-14 * a00 * a11:
            return (a11 * state[3] - a01 * state[4]) / det, (a00 * state[4] - a01 * state[3]) / det
    if free_q and a00 > 0.0:
        return state[3] / a00, 0.0
    if free_d and a11 > 0.0:
        return 0.0, state[4] / a11
    return 0.0, 0.0


@numba.njit(error_model="numpy", fastmath=FAST)
def _refine(
    c: Any, t: Any, ta: Any, ca: Any, limits: Any, extended: bool, bounded: bool, q: float, d: float,
    rows: Any, trial: Any, state: Any, tried: Any, iterations: int, enough: float, polls: int,
) -> tuple[float, float]:  # fmt: skip
    """Go from a start to the bottom; leaves the basis in `rows` and the solution in `state`.

    A step that gains less than `enough` of the cost is the last one; then `polls` steps look beyond the nearest kinks.
    """
    low_q, high_q, low_d, high_d = limits
    basis(t, ta, ca, d, np.exp(q), rows)
    project(c, rows, np.exp(q), extended, bounded, state)
    damping, poll = 1e-3, 0
    for _ in range(iterations):
        free_q = (state[3] > 0.0 or q > low_q) and (state[3] < 0.0 or q < high_q)
        free_d = high_d > low_d and (state[4] > 0.0 or d > low_d) and (state[4] < 0.0 or d < high_d)
        if poll == 0:
            dq, dd = _step(state, damping, free_q, free_d)
        else:  # the model has a kink in the delay at each sample of Cp: look beyond it, on both sides
            dd = POLL_MIN if poll == 1 else -POLL_MIN
            dq = (state[3] - state[6] * dd) / state[5] if free_q and state[5] > 0.0 else 0.0
        next_q = min(max(q + min(max(dq, -2.0), 2.0), low_q), high_q)
        next_d = min(max(d + dd, low_d), high_d)
        still = abs(next_q - q) < 1e-7 and abs(next_d - d) < 1e-8
        if not still:
            k = np.exp(next_q)
            basis(t, ta, ca, next_d, k, trial)
            project(c, trial, k, extended, bounded, tried)
        if not still and tried[2] < state[2]:
            done = state[2] - tried[2] < enough * state[2]
            q, d = next_q, next_d
            rows[:], state[:] = trial, tried
            damping = max(damping * 0.2, 1e-9)
            poll = 0 if poll > 0 else poll
        else:
            damping = max(damping, 1e-6) * 8.0
            done = still or poll > 0 or damping > 1e3
        if done:
            poll += 1
            damping = 1e-3
            if poll > polls or high_d == low_d:
                break
    return q, d


@numba.njit(error_model="numpy", fastmath=FAST)
def _errors(rows: Any, state: Any, k: float, free_d: bool, out: Any, v: int) -> None:
    """Write the standard errors of one voxel: RSS / (T - p) times the inverse of J'J at the optimum.

    What is held at a bound (vp at 0, the delay at an end) counts as known and has no error.
    """
    ktrans, vp = state[0], state[1]
    columns = np.empty((4, rows.shape[1]))
    n, at_vp, at_d = 2, -1, -1
    for i in range(rows.shape[1]):
        columns[0, i], columns[1, i] = rows[2, i], ktrans * rows[3, i]
    if vp != 0.0:
        at_vp, n = n, n + 1
        columns[at_vp] = rows[0]
    if free_d:
        at_d, n = n, n + 1
        for i in range(rows.shape[1]):
            columns[at_d, i] = -ktrans * (rows[0, i] - k * rows[2, i]) - vp * rows[1, i]
    if rows.shape[1] <= n:
        return
    m = np.empty((4, 4))
    for a in range(n):
        for b in range(a + 1):
            m[a, b] = dot(columns[a], columns[b])
            m[b, a] = m[a, b]
    if not invert(m, n):
        return
    variance = state[2] / (rows.shape[1] - n)
    out[5, v], out[6, v] = np.sqrt(variance * m[0, 0]), np.sqrt(variance * m[1, 1])
    if at_vp >= 0:
        out[7, v] = np.sqrt(variance * m[at_vp, at_vp])
    if at_d >= 0:
        out[8, v] = np.sqrt(variance * m[at_d, at_d])
    ratio = ktrans / k  # ve, to first order in the two
    out[9, v] = np.sqrt(max(variance * (m[0, 0] - 2 * ratio * m[0, 1] + ratio * ratio * m[1, 1]), 0.0)) / k


@numba.njit(error_model="numpy", fastmath=FAST)
def _gains(
    c: Any, vessels: Any, vv: float, leaked: Any, bb: Any, vb: Any, inverse: Any, extended: bool, bounded: bool,
    gains: Any,
) -> None:  # fmt: skip
    """Write the sum of squares that each kep of the grid explains, for one delay; as `_linear`, without branches.

    In single precision: it only has to tell the valleys, and takes half the time.
    """
    n_t, n_k = leaked.shape
    zero = np.float32(0.0)
    for q in range(n_k):
        gains[q] = zero
    for i in range(n_t):
        row, value = leaked[i], np.float32(c[i])
        for q in range(n_k):
            gains[q] += value * row[q]
    exact = dot(c, vessels)
    vessels_only = np.float32(max(exact, 0.0) ** 2 / vv if (extended and vv > 0.0) else 0.0)
    cv, ww = np.float32(exact), np.float32(vv)
    for q in range(n_k):
        cb = gains[q]
        ktrans, vp = (ww * cb - vb[q] * cv) * inverse[q], (bb[q] * cv - vb[q] * cb) * inverse[q]
        both = ktrans * cb + vp * cv
        alone = cb * cb / bb[q]
        alone = alone if (cb > zero) | (not bounded) else zero
        edge = alone if alone > vessels_only else vessels_only
        inside = (inverse[q] > zero) & ((not bounded) | ((ktrans >= zero) & (vp >= zero)))
        gains[q] = both if inside else (edge if extended else alone)


@numba.njit(error_model="numpy", fastmath=FAST)
def _valleys(
    c: Any, vessels: Any, leaked: Any, grams: Any, extended: bool, bounded: bool, found: Any, work: Any
) -> int:
    """Find the deepest valleys of the cost along the delay; return how many, their grid points in `found`."""
    n_d = leaked.shape[0]
    gains, best, at = np.empty(leaked.shape[2], np.float32), work[1], work[2]
    for m in range(n_d):
        vv = dot(vessels[m], vessels[m])
        _gains(c, vessels[m], vv, leaked[m], grams[0, m], grams[1, m], grams[2, m], extended, bounded, gains)
        best[m], at[m] = 0.0, -1.0
        for q in range(gains.size):
            if gains[q] > best[m]:
                best[m], at[m] = gains[q], q
    n = 0
    for _ in range(found.shape[0]):
        top, where = 0.0, -1
        for m in range(n_d):
            ridge = (m == 0 or best[m] >= best[m - 1]) and (m == n_d - 1 or best[m] > best[m + 1])
            new = True
            for old in range(n):
                new = new and found[old, 0] != m
            if ridge and new and best[m] > top:
                top, where = best[m], m
        if where < 0:
            break
        found[n, 0], found[n, 1] = where, int(at[where])
        n += 1
    return n


LINE, ROWS = types.Array(types.float64, 1, "C", readonly=True), types.Array(types.float64, 2, "C", readonly=True)
BOX, OUT = types.Array(types.float32, 3, "C", readonly=True), types.float64[:, ::1]
INT, BOOL = types.int64, types.boolean


@numba.njit(
    types.void(LINE, LINE, LINE, LINE, LINE, OUT, types.float32[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def tabulate(t: Any, ta: Any, ca: Any, delays: Any, keps: Any, vessels: Any, leaked: Any) -> None:
    """Write Cp(t - delay), (D, T), and its convolution with exp(-kep t), (D, T, K), for every delay and kep."""
    rows = np.empty((4, t.size))
    for m in range(delays.size):
        for q in range(keps.size):
            basis(t, ta, ca, delays[m], keps[q], rows)
            for i in range(t.size):
                leaked[m, i, q] = rows[2, i]
        vessels[m] = rows[0]


@numba.njit(error_model="numpy", fastmath=FAST)
def _grams(vessels: Any, leaked: Any, extended: bool) -> Any:
    """Return the products of the grid's curves, (3, D, K): b b, v b, and 1 over the determinant, 0 if singular."""
    n_d, n_t, n_k = leaked.shape
    grams = np.zeros((3, n_d, n_k))
    for m in range(n_d):
        for i in range(n_t):
            for q in range(n_k):
                value = np.float64(leaked[m, i, q])
                grams[0, m, q] += value * value
                grams[1, m, q] += vessels[m, i] * value
        vv = dot(vessels[m], vessels[m])
        for q in range(n_k):
            det = vv * grams[0, m, q] - grams[1, m, q] ** 2
            usable = extended and det > 1e-6 * vv * grams[0, m, q]
            grams[2, m, q] = 1.0 / det if usable else 0.0
            grams[0, m, q] = max(grams[0, m, q], 1e-30)
    return grams.astype(np.float32)


@numba.njit(
    types.void(ROWS, LINE, LINE, LINE, LINE, LINE, LINE, LINE, ROWS, BOX, BOOL, BOOL, INT, INT, OUT, types.int8[::1]),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def fit_voxels(
    curves: Any,  # (N, T), mM
    t: Any,  # (T,), min
    ta: Any,  # (A,), min
    ca: Any,  # (A,), mM
    tb: Any,  # (B,), min: the samples of Cp that a coarser curve needs
    cb: Any,  # (B,), mM
    delays: Any,  # (D,), min
    keps: Any,  # (K,), 1/min
    vessels: Any,  # (D, T)
    leaked: Any,  # (D, T, K)
    extended: bool,
    bounded: bool,  # whether Ktrans and vp are kept from being negative
    first: int,
    end: int,
    out: Any,  # (10, N), rows as in OUTPUTS
    code: Any,  # (N,), index into REASONS
) -> None:
    """Fit the voxels first..end; NaN stays where nothing is written."""
    n_t, n_d, n_k = t.size, delays.size, keps.size
    grams = _grams(vessels, leaked, extended)
    found, work = np.empty((VALLEYS, 2), np.int64), np.empty((3, max(n_d, n_k)))
    rows, trial, state, tried = np.empty((4, n_t)), np.empty((4, n_t)), np.empty(8), np.empty(8)
    kept_rows, kept = np.empty((4, n_t)), np.empty(8)
    limits = (np.log(keps[0]), np.log(keps[n_k - 1]), delays[0], delays[n_d - 1])
    for v in range(first, end):
        c = curves[v]
        total = dot(c, c)
        if not np.isfinite(total):
            code[v] = 1
            continue
        n = _valleys(c, vessels, leaked, grams, extended, bounded, found, work)
        if n == 0:
            code[v], out[4, v] = 2, total
            continue
        kept[2], at, delay = np.inf, 0.0, 0.0
        for valley in range(n):
            m, q = found[valley]
            where, d = _refine(
                c, t, tb, cb, limits, extended, bounded, np.log(keps[q]), delays[m], rows, trial, state, tried,
                QUICK, 1e-3, 0,
            )  # fmt: skip
            if state[2] < kept[2]:
                kept[:] = state
                at, delay = where, d
        at, delay = _refine(
            c, t, tb, cb, limits, extended, bounded, at, delay, kept_rows, trial, kept, tried, ITERATIONS, 1e-5, 2
        )
        at, delay = _refine(
            c, t, ta, ca, limits, extended, bounded, at, delay, kept_rows, trial, kept, tried, LAST, 1e-5, 0
        )
        k = np.exp(at)
        out[0, v], out[1, v], out[2, v], out[3, v], out[4, v] = kept[0], k, kept[1], delay, kept[2]
        if not kept[0] > 0.0:
            code[v] = 2
        elif at < limits[0] + 1e-3:
            code[v] = 3
        elif at > limits[1] - 1e-3:
            code[v] = 4
        _errors(kept_rows, kept, k, limits[2] < delay < limits[3], out, v)
