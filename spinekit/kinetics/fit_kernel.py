"""The compiled fit of the Tofts models: variable projection over a grid of kep and delay, then refinement.

For a given kep and delay the model is linear in Ktrans and vp, so that only those two are searched. The
grid tells which valleys are deep; damped Gauss-Newton steps on the projected problem go to their bottoms, and
look beyond the bends that the samples of Cp make in the cost. Times are minutes in here.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from spinekit.kinetics.fit_basis import BLOOD, FAST, LINE, ROWS, basis, dot, invert, project

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
ITERATIONS = 40  # steps in a valley, at most
ENOUGH = 2e-4  # of the cost: a step that gains less is the last one
BEYOND_MIN = (0.25 / 60, -0.25 / 60)  # along the delay: then steps beyond the nearest bends
VALLEYS = 4  # along the delay; the deepest of the grid is not always the deepest
CLOSE = 1.2  # a valley whose cost on the grid exceeds the lowest found by more is left out
UNTOLD = 2e-4  # of the curve's sum of squares: what steps and precision of the grid leave untold
CLEAN = 3e-5  # of it: where less is left there is hardly any noise, and the grid cannot tell which valley is deepest
EXACT = 1e-16  # of it: nothing is left
EVERY = 5  # delays of the grid: the starts in a curve with hardly any noise


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
def _copy(rows: Any, state: Any, to_rows: Any, to_state: Any) -> None:
    """Copy a basis and its solution; loops, since assignment to slices costs more than an evaluation does."""
    for n in range(4):
        for i in range(rows.shape[1]):
            to_rows[n, i] = rows[n, i]
    for n in range(state.size):
        to_state[n] = state[n]


@numba.njit(error_model="numpy", fastmath=FAST)
def _refine(
    c: Any, t: Any, blood: Any, limits: Any, extended: bool, bounded: bool, q: float, d: float,
    rows: Any, trial: Any, state: Any, tried: Any,
) -> tuple[float, float]:  # fmt: skip
    """Go from a start to the bottom; leaves the basis in `rows` and the solution in `state`.

    A step that gains less than `ENOUGH` of the cost is the last one; then steps of `BEYOND_MIN` look past the bends.
    """
    low_q, high_q, low_d, high_d = limits
    basis(t, blood, d, q, rows)
    project(c, rows, np.exp(q), extended, bounded, state)
    damping, poll = 1e-3, 0
    for _ in range(ITERATIONS):
        free_q = (state[3] > 0.0 or q > low_q) and (state[3] < 0.0 or q < high_q)
        free_d = high_d > low_d and (state[4] > 0.0 or d > low_d) and (state[4] < 0.0 or d < high_d)
        if poll == 0:
            dq, dd = _step(state, damping, free_q, free_d)
        else:  # the model has a bend in the delay at each sample of Cp: look beyond it, on both sides
            dd = BEYOND_MIN[poll - 1]
            dq = (state[3] - state[6] * dd) / state[5] if free_q and state[5] > 0.0 else 0.0
        next_q = min(max(q + min(max(dq, -2.0), 2.0), low_q), high_q)
        next_d = min(max(d + dd, low_d), high_d)
        still = abs(next_q - q) < 1e-7 and abs(next_d - d) < 1e-8
        if not still:
            basis(t, blood, next_d, next_q, trial)
            project(c, trial, np.exp(next_q), extended, bounded, tried)
        if not still and tried[2] < state[2]:
            done = state[2] - tried[2] < ENOUGH * state[2]
            q, d = next_q, next_d
            _copy(trial, tried, rows, state)
            damping = max(damping * 0.2, 1e-9)
            poll = 0 if poll > 0 else poll
        else:
            damping = max(damping, 1e-6) * 8.0
            done = still or poll > 0 or damping > 1e3
        if done:
            poll += 1
            damping = 1e-3
            if poll > len(BEYOND_MIN) or high_d == low_d:
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
        columns[0, i], columns[1, i] = rows[2, i], ktrans * rows[3, i]  # by log kep
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
    out[5, v], out[6, v] = np.sqrt(variance * m[0, 0]), k * np.sqrt(variance * m[1, 1])
    if at_vp >= 0:
        out[7, v] = np.sqrt(variance * m[at_vp, at_vp])
    if at_d >= 0:
        out[8, v] = np.sqrt(variance * m[at_d, at_d])
    spread = m[0, 0] - 2 * ktrans * m[0, 1] + ktrans * ktrans * m[1, 1]  # of ve = Ktrans / kep, to first order
    out[9, v] = np.sqrt(max(variance * spread, 0.0)) / k


@numba.njit(error_model="numpy", fastmath=FAST)
def _profile(c: Any, grid: Any, bounded: bool, work: Any, at: Any) -> None:
    """Write, for each delay, the largest sum of squares that any kep explains, and where on the grid of kep that is.

    The same as `project`, without branches, in the few coordinates that the curves of the grid span, in single
    precision: it only has to tell the valleys. The top lies on the parabola through the best kep and its neighbours.
    """
    vessels, leaked, cosine, sine = grid
    n_k, n_r, n_d = leaked.shape
    best, along = work[0], work[1]
    zero = np.float32(0.0)
    for m in range(n_d):
        along[m], best[m], at[m] = zero, zero, np.float32(-1.0)
    for i in range(n_r):
        for m in range(n_d):
            along[m] += c[i] * vessels[i, m]
    for q in range(n_k):
        beside, gains, here = work[2], work[3 + q], np.float32(q)
        for m in range(n_d):
            beside[m] = zero
        for i in range(0, n_r, 4):
            c0, c1, c2, c3 = c[i], c[i + 1], c[i + 2], c[i + 3]
            for m in range(n_d):
                beside[m] += (
                    c0 * leaked[q, i, m] + c1 * leaked[q, i + 1, m]
                    + c2 * leaked[q, i + 2, m] + c3 * leaked[q, i + 3, m]
                )  # fmt: skip
        for m in range(n_d):
            v, b = along[m], beside[m]
            alone = max(cosine[q, m] * v + sine[q, m] * b, zero)
            inside = (b >= zero) & (v * sine[q, m] >= cosine[q, m] * b)
            gains[m] = v * v + b * b if inside or not bounded else alone * alone
        for m in range(n_d):  # a loop of its own: more arrays in one would not be vectorised
            deeper = gains[m] > best[m]
            at[m] = here if deeper else at[m]
            best[m] = gains[m] if deeper else best[m]
    for m in range(n_d):
        q = int(at[m])
        if 0 < q < n_k - 1:
            left, right = work[2 + q, m], work[4 + q, m]
            bend, lean = np.float32(2.0) * best[m] - left - right, right - left
            if bend > zero:
                at[m] += np.float32(0.5) * lean / bend
                best[m] += np.float32(0.125) * lean * lean / bend
        v = along[m] if along[m] > zero else zero
        best[m] = v * v if v * v > best[m] else best[m]


@numba.njit(error_model="numpy", fastmath=FAST)
def _between(values: Any, at: float) -> float:
    """Return the value at a place between whole numbers."""
    n = min(int(at), values.size - 2)
    return values[n] + (at - n) * (values[n + 1] - values[n])


@numba.njit(error_model="numpy", fastmath=FAST)
def _valleys(best: Any, at: Any, n_d: int, found: Any) -> int:
    """Find the deepest valleys of the cost along the delay; return how many, their delays' numbers in `found`."""
    n = 0
    for _ in range(found.size):
        top, where = np.float32(0.0), -1
        for m in range(n_d):
            ridge = (m == 0 or best[m] >= best[m - 1]) and (m == n_d - 1 or best[m] > best[m + 1])
            new = at[m] >= np.float32(0.0)
            for old in range(n):
                new = new and found[old] != m
            if ridge and new and best[m] > top:
                top, where = best[m], m
        if where < 0:
            break
        found[n] = where
        n += 1
    return n


OUT, INT, BOOL = types.float64[:, ::1], types.int64, types.boolean
TABLE = types.Array(types.float64, 2, "C", readonly=True)
FLAT, BOX = (types.Array(types.float32, 2, "C", readonly=True), types.Array(types.float32, 3, "C", readonly=True))


@numba.njit(
    types.void(LINE, BLOOD, LINE, LINE, types.float64[:, :, ::1], types.float64[:, ::1]),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def tabulate(t: Any, blood: Any, delays: Any, log_keps: Any, leaked: Any, vessels: Any) -> None:
    """Write Cp(t - delay), (D, T), and its convolution with exp(-kep t), (K, D, T), for every delay and kep."""
    rows = np.empty((ROWS, t.size))
    for m in range(delays.size):
        for q in range(log_keps.size):
            basis(t, blood, delays[m], log_keps[q], rows)
            leaked[q, m] = rows[2]
        vessels[m] = rows[0]


@numba.njit(
    types.void(
        TABLE, TABLE, LINE, BLOOD, LINE, LINE, types.Tuple((FLAT, BOX, FLAT, FLAT)), BOOL, BOOL, INT, INT, OUT,
        types.int8[::1],
    ),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def fit_voxels(
    curves: Any,  # (N, T), mM
    span: Any,  # (R, T): the space that the grid's curves span
    t: Any,  # (T,), min
    blood: Any,  # of `blood_table`
    delays: Any,  # (D,), min
    log_keps: Any,  # (K,), kep in 1/min
    grid: Any,  # of `spinekit.kinetics.fit._grid_curves`
    extended: bool,
    bounded: bool,  # whether Ktrans and vp are kept from being negative
    first: int,
    end: int,
    out: Any,  # (10, N), rows as in OUTPUTS
    code: Any,  # (N,), index into REASONS
) -> None:
    """Fit the voxels first..end; NaN stays where nothing is written."""
    n_t, n_d, n_k = t.size, grid[0].shape[1], log_keps.size
    few = np.empty(span.shape[0], np.float32)
    found, work, at_kep = (np.empty(VALLEYS, np.int64), np.empty((3 + n_k, n_d), np.float32), np.empty(n_d, np.float32))
    rows, trial, state, tried = (np.empty((ROWS, n_t)), np.empty((ROWS, n_t)), np.empty(8), np.empty(8))
    kept_rows, kept = np.empty((ROWS, n_t)), np.empty(8)
    limits = (log_keps[0], log_keps[n_k - 1], delays[0], delays[delays.size - 1])
    for v in range(first, end):
        c = curves[v]
        total = dot(c, c)
        if not np.isfinite(total):
            code[v] = 1
            continue
        for r in range(few.size):
            few[r] = dot(c, span[r])
        _profile(few, grid, bounded, work, at_kep)
        n = _valleys(work[0], at_kep, delays.size, found)
        if n == 0:
            code[v], out[4, v] = 2, total
            continue
        kept[2], at, delay = np.inf, 0.0, 0.0
        for attempt in range(n + delays.size):
            if attempt < n:
                m, likely = found[attempt], total - work[0, found[attempt]] <= CLOSE * kept[2] + UNTOLD * total
            else:
                m, likely = attempt - n, (attempt - n) % EVERY == 0 and at_kep[attempt - n] >= 0.0
                if not EXACT * total < kept[2] < CLEAN * total:
                    break
            if not likely:
                continue
            where, d = _refine(
                c, t, blood, limits, extended, bounded, _between(log_keps, at_kep[m]), delays[m], rows, trial,
                state, tried,
            )  # fmt: skip
            if state[2] < kept[2]:
                _copy(rows, state, kept_rows, kept)
                at, delay = where, d
        k = np.exp(at)
        out[0, v], out[1, v], out[2, v], out[3, v], out[4, v] = (kept[0], k, kept[1], delay, kept[2])
        if not kept[0] > 0.0:
            code[v] = 2
        elif at < limits[0] + 1e-3:
            code[v] = 3
        elif at > limits[1] - 1e-3:
            code[v] = 4
        _errors(kept_rows, kept, k, limits[2] < delay < limits[3], out, v)
