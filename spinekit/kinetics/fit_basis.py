"""Compiled: Cp and its convolution at given times, and the linear part of the Tofts fit. Times are minutes.

The convolution is tabulated once per fit at the knots of Cp, for rates close enough that a cubic in log kep between
two of them is right to 1e-7, with its derivative as slope; from a knot to the time that is asked for it is exact.
What an evaluation costs then depends on the number of phases, not on how finely Cp is sampled.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["BLOOD", "FAST", "LINE", "ROWS", "basis", "blood_table", "dot", "invert", "project"]

FAST = {"contract", "nsz", "arcp", "reassoc"}  # NaN and infinity keep their meaning
RATES_PER_E_FOLD = 20.0  # of the table: the cubic is off by (1/20)^4 / 384 of the curve
LONGEST = 0.85  # largest kep times step between knots: the series below are right to 1e-9 up to there
ROWS = 5  # of the array that `basis` writes: four for the caller, one for itself
LONGEST_MIN = 0.1  # between knots: their number stays small even for slow rates

# knots, Cp there and its slope after them; (A, K, 2) convolution and its derivative by log kep times the step;
# first knot for each bin of time; log of the first rate, 1 / step, first time, 1 / width of a bin
LINE = types.Array(types.float64, 1, "C", readonly=True)
BLOOD = types.Tuple(
    (LINE, LINE, LINE, types.Array(types.float64, 3, "C", readonly=True),
     types.Array(types.int64, 1, "C", readonly=True), LINE)
)  # fmt: skip


def blood_table(times: Any, plasma: Any, latest: float, rates: tuple[float, float]) -> tuple[Any, ...]:
    """Return what `basis` needs of a plasma curve, up to `latest` min after the first time, for rates in 1/min."""
    slow, quick = rates
    longest = min(LONGEST / quick, LONGEST_MIN)
    ends = times if latest <= times[-1] else np.append(times, latest)
    parts = np.maximum(1, np.ceil(np.diff(ends) / longest - 1e-9).astype(np.int64))
    first = np.concatenate([[0], np.cumsum(parts)])
    knots = np.interp(np.arange(first[-1] + 1), first, ends)
    cp = np.interp(knots, times, plasma)
    slope = np.append(np.diff(cp) / np.diff(knots), 0.0)
    n = 2 + int(np.ceil(np.log(quick / slow) * RATES_PER_E_FOLD))
    step = np.log(quick / slow) / (n - 2)
    table = np.zeros((knots.size, n, 2))
    _fill(knots, cp, slow * np.exp(step * np.arange(n)), step, table)
    n_bins = 2 * knots.size
    edges = np.linspace(knots[0], knots[-1], n_bins + 1)
    bins = np.searchsorted(knots, edges, side="right") - 1
    scale = np.array([np.log(slow), 1.0 / step, knots[0], n_bins / (knots[-1] - knots[0])])
    made = (knots, cp, slope, table, bins.astype(np.int64), scale)
    for values in made:
        values.flags.writeable = False
    return made


@numba.njit(error_model="numpy", fastmath=FAST)
def _weights(u: float) -> tuple[float, float, float, float, float]:
    """Return exp(-u), what start and end of a linear segment weigh in it, and the derivatives of the two by u.

    For u up to 0.85, by series: the closed forms divide by u, and lose digits where it is small.
    """
    late = 1 / 2 - u * (1 / 6 - u * (1 / 24 - u * (1 / 120 - u * (1 / 720 - u * (1 / 5040 - u * (
        1 / 40320 - u * (1 / 362880 - u * (1 / 3628800 - u / 39916800))))))))  # fmt: skip
    late_du = -1 / 6 + u * (2 / 24 - u * (3 / 120 - u * (4 / 720 - u * (5 / 5040 - u * (
        6 / 40320 - u * (7 / 362880 - u * (8 / 3628800 - u * 9 / 39916800)))))))  # fmt: skip
    whole = 1.0 - u * late
    whole_du = -(late + u * late_du)
    return 1.0 - u * whole, whole - late, late, whole_du - late_du, late_du


@numba.njit(
    types.void(LINE, LINE, LINE, types.float64, types.float64[:, :, ::1]),
    nogil=True, cache=True, error_model="numpy", fastmath=FAST,
)  # fmt: skip
def _fill(knots: Any, cp: Any, rates: Any, step: float, table: Any) -> None:
    """Write the convolution with exp(-k t) at the knots, and its derivative by log k times the step of log k."""
    for j in range(1, knots.size):
        h = knots[j] - knots[j - 1]
        for q in range(rates.size):
            k = rates[q]
            e, early, late, early_du, late_du = _weights(k * h)
            x, y = table[j - 1, q, 0], table[j - 1, q, 1]
            table[j, q, 0] = e * x + h * (early * cp[j - 1] + late * cp[j])
            change = h * h * (early_du * cp[j - 1] + late_du * cp[j]) - h * e * x
            table[j, q, 1] = e * y + k * step * change


@numba.njit(error_model="numpy", fastmath=FAST)
def basis(t: Any, blood: Any, delay: float, log_k: float, rows: Any) -> None:
    """Write Cp(t - delay), its slope, its convolution with exp(-k t) and that one's derivative by log k, as rows.

    Cp is linear between its samples, 0 before the first and constant after the last.
    """
    knots, values, slopes, table, bins, scale = blood
    k, at = np.exp(log_k), (log_k - scale[0]) * scale[1]
    q = min(max(int(at), 0), table.shape[1] - 2)
    s = at - q
    r = 1.0 - s
    x0, g0, x1, g1 = (r * r * (1.0 + 2.0 * s), s * r * r, s * s * (3.0 - 2.0 * s), -s * s * r)
    per_step = scale[1]
    y1 = 6.0 * s * r * per_step
    y0, z0, z1 = -y1, r * (1.0 - 3.0 * s) * per_step, s * (3.0 * s - 2.0) * per_step
    for i in range(t.size):
        target = t[i] - delay
        j = bins[min(max(int((target - scale[2]) * scale[3]), 0), bins.size - 1)]
        while j + 1 < knots.size and knots[j + 1] <= target:
            j += 1
        before = target < knots[j]
        a, b, c, d = table[j, q, 0], table[j, q, 1], table[j, q + 1, 0], table[j, q + 1, 1]
        rows[0, i], rows[1, i] = 0.0 if before else values[j], 0.0 if before else slopes[j]
        rows[2, i], rows[3, i] = x0 * a + g0 * b + x1 * c + g1 * d, y0 * a + z0 * b + y1 * c + z1 * d
        rows[4, i] = 0.0 if before else target - knots[j]
    for i in range(t.size):  # two loops: with more arrays written to, the compiler does not vectorise
        x, y, h, cp = rows[2, i], rows[3, i], rows[4, i], rows[0, i]
        e, early, late, early_du, late_du = _weights(k * h)
        here = cp + rows[1, i] * h
        rows[2, i] = e * x + h * (early * cp + late * here)
        rows[3, i] = e * y + k * h * (h * (early_du * cp + late_du * here) - e * x)
    for i in range(t.size):
        rows[0, i] += rows[1, i] * rows[4, i]


@numba.njit(error_model="numpy", fastmath=FAST)
def dot(a: Any, b: Any) -> float:
    """Return the inner product."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@numba.njit(error_model="numpy", fastmath=FAST)
def _linear(
    cv: float, cb: float, vv: float, vb: float, bb: float, extended: bool, bounded: bool
) -> tuple[float, float, float]:
    """Return Ktrans, vp and the sum of squares they explain, for a given kep and delay."""
    alone = cb / bb if bb > 0.0 else 0.0
    if not extended:
        return alone, 0.0, alone * cb if (alone > 0.0 or not bounded) else 0.0
    det = vv * bb - vb * vb
    if det > 1e-12 * vv * bb:
        ktrans, vp = (vv * cb - vb * cv) / det, (bb * cv - vb * cb) / det
        if not bounded or (ktrans >= 0.0 and vp >= 0.0):
            return ktrans, vp, ktrans * cb + vp * cv
    vessels = cv / vv if vv > 0.0 else 0.0
    gain, gain_vessels = max(alone, 0.0) * cb, max(vessels, 0.0) * cv
    if gain >= gain_vessels:
        return alone, 0.0, gain
    return 0.0, vessels, gain_vessels


@numba.njit(error_model="numpy", fastmath=FAST)
def project(c: Any, rows: Any, k: float, extended: bool, bounded: bool, state: Any) -> None:
    """Solve for Ktrans and vp, and write them, the cost, and gradient and curvature by log kep and delay."""
    v, b = rows[0], rows[2]
    vv, vb, bb = dot(v, v), dot(v, b), dot(b, b)
    ktrans, vp, _ = _linear(dot(c, v), dot(c, b), vv, vb, bb, extended, bounded)
    cost, g0, g1, a00, a01, a11 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    b0, b1, v0, v1 = 0.0, 0.0, 0.0, 0.0
    for i in range(c.size):
        r = c[i] - ktrans * b[i] - vp * v[i]
        j0 = ktrans * rows[3, i]
        j1 = -ktrans * (v[i] - k * b[i]) - vp * rows[1, i]
        cost += r * r
        g0 += j0 * r
        g1 += j1 * r
        a00 += j0 * j0
        a01 += j0 * j1
        a11 += j1 * j1
        b0 += b[i] * j0
        b1 += b[i] * j1
        v0 += v[i] * j0
        v1 += v[i] * j1
    det = vv * bb - vb * vb
    if vp != 0.0 and det > 1e-12 * vv * bb:  # take out what Ktrans and vp would follow by themselves
        a00 -= (vv * b0 * b0 - 2.0 * vb * b0 * v0 + bb * v0 * v0) / det
        a01 -= (vv * b0 * b1 - vb * (b0 * v1 + b1 * v0) + bb * v0 * v1) / det
        a11 -= (vv * b1 * b1 - 2.0 * vb * b1 * v1 + bb * v1 * v1) / det
    elif bb > 0.0:
        a00, a01, a11 = a00 - b0 * b0 / bb, a01 - b0 * b1 / bb, a11 - b1 * b1 / bb
    state[0], state[1], state[2], state[3], state[4] = ktrans, vp, cost, g0, g1
    state[5], state[6], state[7] = a00, a01, a11


@numba.njit(error_model="numpy")
def invert(m: Any, n: int) -> bool:
    """Invert the leading n x n block in place (Gauss-Jordan on a scaled symmetric matrix); False if singular."""
    scale = np.empty(n)
    for i in range(n):
        if not m[i, i] > 0.0:
            return False
        scale[i] = 1.0 / np.sqrt(m[i, i])
    for i in range(n):
        for j in range(n):
            m[i, j] *= scale[i] * scale[j]
    for p in range(n):
        pivot = m[p, p]
        if pivot < 1e-13:
            return False
        m[p, p] = 1.0
        for j in range(n):
            m[p, j] /= pivot
        for i in range(n):
            if i != p:
                factor = m[i, p]
                m[i, p] = 0.0
                for j in range(n):
                    m[i, j] -= factor * m[p, j]
    for i in range(n):
        for j in range(n):
            m[i, j] *= scale[i] * scale[j]
    return True
