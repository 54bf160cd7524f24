"""A small enhancement curve as SVG text: drawn in well under a millisecond, so that it follows the mouse."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

__all__ = ["curve_svg"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 190, 38, 8, 10, 48
AXIS, SOFT = "var(--jp-ui-font-color2, #52606d)", "#8a97a333"


def _ticks(low: float, high: float) -> list[float]:
    span = max(high - low, 1e-9)
    step = 10 ** np.floor(np.log10(span))
    step = next(step * part for part in (0.2, 0.5, 1.0, 2.0) if span / (step * part) <= 5)
    return [round(float(v), 9) + 0.0 for v in np.arange(np.ceil(low / step) * step, high + step * 1e-6, step)]


def curve_svg(times_s: Any, curves: dict[str, tuple[Any, str]], *, n_baseline: int) -> str:
    """Return an SVG of curves over time.

    The places of the phases stand in ``data-x``, and a hidden line of class ``sk-now`` waits for the phase on view.

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
    last = float(times_s[-1]) or 1.0
    floor = HEIGHT - BOTTOM

    def x(t: float) -> float:
        return LEFT + 4 + (WIDTH - LEFT - RIGHT - 4) * t / last

    def y(v: float) -> float:
        return floor - (floor - TOP) * (v - low) / (high - low)

    parts = [_baseline(LEFT, x(float(times_s[n_baseline - 1])) + 4, floor)]
    for v in _ticks(low, high):
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="{SOFT}"/>'
            f'<text x="{LEFT - 5}" y="{y(v) + 3.5:.1f}" text-anchor="end">{v:g}</text>'
        )
    for t in _ticks(0, last):
        parts.append(f'<text x="{x(t):.1f}" y="{floor + 13}" text-anchor="middle">{t:g}</text>')
    parts += [f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{floor}" y2="{floor + 3}" stroke="{AXIS}"/>' for t in times_s]
    parts.append(f'<line class="sk-now" visibility="hidden" y1="{TOP}" y2="{floor}" stroke="{AXIS}" '
                 f'stroke-dasharray="3 3"/>')  # fmt: skip
    for name, (curve, colour) in curves.items():
        parts.append(_line(name, [(x(t), y(v)) for t, v in zip(times_s, curve, strict=True) if np.isfinite(v)], colour))
    parts += [
        f'<text x="{WIDTH - RIGHT}" y="{floor + 26}" text-anchor="end">s after the first phase</text>',
        f'<text x="{LEFT + 4}" y="{TOP + 2}" fill="{AXIS}">signal / baseline − 1</text>',
        _legend(curves) if curves else f'<text x="{LEFT}" y="{HEIGHT - 6}">Move the crosshair into the series.</text>',
    ]
    places = ",".join(f"{x(float(t)):.1f}" for t in times_s)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" data-x="{places}" role="img" aria-label="enhancement curve" '
        f'font-size="10.5" font-family="system-ui, sans-serif" fill="{AXIS}">{"".join(parts)}</svg>'
    )


def _baseline(left: float, right: float, floor: float) -> str:
    box = f'<rect x="{left}" y="{TOP}" width="{right - left:.1f}" height="{floor - TOP}" fill="{SOFT}"/>'
    return f"{box}<title>shaded: before the contrast agent</title>"


def _line(name: str, points: list[tuple[float, float]], colour: str) -> str:
    """Return a line with a dot at every phase; that of the neighbours is thin and dashed."""
    aside = name == "neighbours"
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    style = 'stroke-width="1.3" stroke-dasharray="4 2"' if aside else 'stroke-width="1.8"'
    dots = "" if aside else "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.2" fill="{colour}"/>' for a, b in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" {style}/>{dots}'


def _legend(curves: dict[str, tuple[Any, str]]) -> str:
    """Names below the axis, each after a piece of its line."""
    parts, left = [], 6
    for name, (_, colour) in curves.items():
        dashed = ' stroke-dasharray="4 2"' if name == "neighbours" else ""
        parts.append(
            f'<line x1="{left}" x2="{left + 14}" y1="{HEIGHT - 10}" y2="{HEIGHT - 10}" stroke="{colour}" '
            f'stroke-width="2"{dashed}/><text x="{left + 18}" y="{HEIGHT - 6}">{html.escape(name)}</text>'
        )
        left += 34 + round(5.4 * len(name))
    return "".join(parts)
