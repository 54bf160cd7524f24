"""Compiled: Cp and its convolution at given times, and the linear part of the Tofts fit. Times are minutes."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["FAST", "basis", "dot", "invert", "project"]

FAST = {"contract", "nsz", "arcp", "reassoc"}  # NaN and infinity keep their meaning
SMALL = 0.05  # below it the closed forms lose digits by cancellation; their series are exact to 1e-13 there


@numba.njit(error_model="numpy", fastmath=FAST)
def _weights(u: float) -> tuple[float, float, float, float, float]:
    """Return exp(-u), what start and end of a linear segment weigh in it, and the derivatives of the two by u."""
    e = np.exp(-u)
    if u > SMALL:
        whole = (1.0 - e) / u
        whole_du = (e - whole) / u
        late = (1.0 - whole) / u
        late_du = -(whole_du + late) / u
        return e, whole - late, late, whole_du - late_du, late_du
    whole = 1 - u * (1 / 2 - u * (1 / 6 - u * (1 / 24 - u * (1 / 120 - u * (1 / 720 - u / 5040)))))
    late = 1 / 2 - u * (1 / 6 - u * (1 / 24 - u * (1 / 120 - u * (1 / 720 - u * (1 / 5040 - u / 40320)))))
    whole_du = -1 / 2 + u * (1 / 3 - u * (1 / 8 - u * (1 / 30 - u * (1 / 144 - u / 840))))
    late_du = -1 / 6 + u * (1 / 12 - u * (1 / 40 - u * (1 / 180 - u * (1 / 1008 - u / 6720))))
    return e, whole - late, late, whole_du - late_du, late_du


@numba.njit(error_model="numpy", fastmath=FAST)
def basis(t: Any, ta: Any, ca: Any, delay: float, k: float, rows: Any) -> None:
    """Write Cp(t - delay), its slope, its convolution with exp(-k t) and the derivative of that by k.

    Cp is linear between its samples, 0 before the first and constant after the last.
    """
    n, j = ta.size, 0
    s, cp, x, y = ta[0], ca[0], 0.0, 0.0
    last_h = -1.0
    e, he, x0, x1, y0, y1 = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(t.size):
        target = t[i] - delay
        if target < ta[0]:
            rows[0, i], rows[1, i], rows[2, i], rows[3, i] = 0.0, 0.0, 0.0, 0.0
            continue
        while True:
            knot = j + 1 < n and ta[j + 1] <= target
            end = ta[j + 1] if knot else target
            h = end - s
            if knot:
                following = ca[j + 1]
            elif j + 1 < n:
                following = ca[j] + (ca[j + 1] - ca[j]) * (end - ta[j]) / (ta[j + 1] - ta[j])
            else:
                following = ca[j]
            if h > 0.0:
                if abs(h - last_h) > 1e-10 * h:  # even steps share their weights
                    e, early, late, early_du, late_du = _weights(k * h)
                    he, x0, x1, y0, y1 = h * e, h * early, h * late, h * h * early_du, h * h * late_du
                    last_h = h
                y = e * y - he * x + (y0 * cp + y1 * following)
                x = e * x + (x0 * cp + x1 * following)
            s, cp = end, following
            if not knot:
                break
            j += 1
        rows[0, i], rows[2, i], rows[3, i] = cp, x, y
        rows[1, i] = (ca[j + 1] - ca[j]) / (ta[j + 1] - ta[j]) if j + 1 < n else 0.0


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
        j0 = ktrans * k * rows[3, i]
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
