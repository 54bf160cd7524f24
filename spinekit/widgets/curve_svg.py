"""A small enhancement curve as SVG text: drawn in well under a millisecond, so that it follows the mouse."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["curve_svg"]

WIDTH, HEIGHT, LEFT, BOTTOM = 340, 190, 46, 30


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** np.floor(np.log10(max(high - low, 1e-9)))
    step = step / 2 if (high - low) / step < 2.5 else step
    first = np.ceil(low / step) * step
    return [float(v) for v in np.arange(first, high + step * 1e-6, step)]


def curve_svg(times_s: Any, curves: dict[str, tuple[Any, str]], *, n_baseline: int) -> str:
    """Return an SVG of curves over time.

    Parameters
    ----------
    times_s : ndarray of shape (T,)
    curves : mapping of str to (ndarray of shape (T,), colour)
        By name; relative enhancement. NaN points are left out.
    n_baseline : int
        Phases before the contrast agent, shaded.
    """
    values = np.concatenate([np.asarray(c, dtype=float)[np.isfinite(c)] for c, _ in curves.values()] or [np.zeros(1)])
    low, high = min(0.0, float(values.min(initial=0.0))), max(0.1, float(values.max(initial=0.1)))
    high += 0.06 * (high - low)
    last = float(times_s[-1])

    def x(t: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * t / last

    def y(v: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 8) * (v - low) / (high - low)

    parts = [
        f'<rect x="{x(0) - 4:.1f}" y="8" width="{x(float(times_s[n_baseline - 1])) - x(0) + 4:.1f}" '
        f'height="{HEIGHT - BOTTOM - 8}" fill="#8883"/>'
    ]
    for v in _ticks(low, high):
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#8884"/>'
            f'<text x="{LEFT - 5}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>'
        )
    for t in _ticks(0, last):
        parts.append(f'<text x="{x(t):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{t:g}</text>')
    for name, (curve, colour) in curves.items():
        points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(times_s, curve, strict=True) if np.isfinite(v))
        dots = "".join(
            f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2.4" fill="{colour}"/>' for p in points.split()
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>{dots}')
        parts.append(f"<title>{name}</title>")
    legend = "".join(f'<tspan fill="{colour}" dx="6">● {name}</tspan>' for name, (_, colour) in curves.items())
    legend += '<tspan dx="10">s after the first phase</tspan>'
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 4}" font-weight="bold">{legend}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-size="10.5" '
        f'font-family="sans-serif" fill="currentColor">{"".join(parts)}</svg>'
    )
