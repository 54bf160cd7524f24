"""Figures of a prediction: ROC with its band, calibration, net benefit, coefficients, nomogram.

They draw numbers that were computed elsewhere, so that a figure and a table cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.plotting.style import INK, inert, new_figure

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.diagnosis.points import Nomogram

__all__ = [
    "RocDrawing", "calibration_plot", "coefficient_plot", "decision_plot", "nomogram_plot", "roc_plot", "stamp_cohort",
]  # fmt: skip

COLOURS = ("#1f4e79", "#c1440e", "#2e7d32", "#7b3fa0", "#8a6d00", "#00838f", "#ad1457", "#546e7a")
STYLES = ("-", "--", "-.", ":")  # lines stay apart in grey print
GREY = "0.6"


def stamp_cohort(figure: Figure, simulated: bool) -> Figure:
    """Write across the foot of a figure that its cohort is simulated."""
    if simulated:
        words = "SIMULATED COHORT – no patients; no figure is a clinical accuracy"
        figure.supxlabel(words, fontsize=9, color="#b00020", fontweight="bold")
    return figure


@dataclass(frozen=True)
class RocDrawing:
    """One curve: corners from (0, 0) to (1, 1), limits at rates of their own, and words for the legend."""

    false_positive: Any
    true_positive: Any
    band: pd.DataFrame | None
    words: str


def _line(n: int) -> dict[str, Any]:
    return {"color": COLOURS[n % len(COLOURS)], "linestyle": STYLES[n // len(COLOURS) % len(STYLES)], "linewidth": 1.8}


def _tidy(axes: Any, title: str) -> None:
    axes.set_title(inert(title), fontsize=10, color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def roc_plot(curves: Mapping[str, RocDrawing], *, title: str = "ROC", simulated: bool = False) -> Figure:
    """Show one curve per model; the band of the first one alone is filled, those of others would hide it."""
    figure = new_figure(5.0, width_in=5.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for n, (name, curve) in enumerate(curves.items()):
        if n == 0 and curve.band is not None:
            band = curve.band
            axes.fill_between(band.index, band["low"], band["high"], color=COLOURS[0], alpha=0.15, linewidth=0)
        axes.plot(curve.false_positive, curve.true_positive, label=inert(f"{name}: {curve.words}"), **_line(n))
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=7.5, loc="lower right", title="AUC (95 % interval)", title_fontsize=8)
    _tidy(axes, title)
    return stamp_cohort(figure, simulated)


def calibration_plot(
    groups: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[int]]],
    words: Mapping[str, str],
    probabilities: Mapping[str, Any],
    *,
    title: str = "Calibration",
    simulated: bool = False,
) -> Figure:
    """Show observed against predicted shares in groups of patients, with the predictions' histogram below.

    Parameters
    ----------
    groups : mapping of str to (predicted, observed, size)
        Per model, group by group.
    words : mapping of str to str
        For the legend, such as slope and intercept.
    probabilities : mapping of str to array
        Predictions, for the histogram.
    """
    figure = new_figure(5.6, width_in=5.6)
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for n, (name, (predicted, observed, size)) in enumerate(groups.items()):
        style = _line(n)
        axes.plot(predicted, observed, "o", markersize=0, label=inert(f"{name}: {words[name]}"), **style)
        half = 1.96 * np.sqrt(np.maximum(np.multiply(observed, np.subtract(1, observed)), 0.01) / np.asarray(size))
        axes.errorbar(predicted, observed, yerr=half, fmt="none", ecolor=style["color"], alpha=0.35, linewidth=1)
        axes.scatter(predicted, observed, s=6 * np.asarray(size) ** 0.8, color=style["color"], zorder=3)
        axes.plot(predicted, observed, **style)
        below.hist(
            np.asarray(probabilities[name]), bins=np.linspace(0, 1, 21), histtype="step", color=style["color"],
            linestyle=style["linestyle"],
        )  # fmt: skip
    axes.set(ylabel="observed share", ylim=(-0.05, 1.1 + 0.075 * len(groups)))
    below.set(xlabel="predicted probability", ylabel="patients", xlim=(-0.02, 1.02))
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")
    _tidy(axes, title)
    _tidy(below, "")
    return stamp_cohort(figure, simulated)


def decision_plot(
    benefits: Mapping[str, pd.DataFrame], *, title: str = "Decision curve", simulated: bool = False
) -> Figure:
    """Show net benefit over the threshold of each model, of treating everybody and of treating nobody."""
    figure = new_figure(4.2, width_in=6.2)
    axes = figure.subplots()
    first = next(iter(benefits.values()))
    axes.plot(first.index, first["all"], color="0.45", linewidth=1.2, label="everybody")
    axes.axhline(0, color=GREY, linewidth=1.2, label="nobody")
    for n, (name, table) in enumerate(benefits.items()):
        axes.plot(table.index, table["model"], label=inert(name), **_line(n))
    top = max(float(table["model"].max()) for table in benefits.values())
    axes.set(xlabel="threshold probability", ylabel="net benefit", ylim=(-0.15 * top - 0.02, 1.15 * top + 0.02))
    axes.legend(frameon=False, fontsize=8)
    _tidy(axes, title)
    return stamp_cohort(figure, simulated)


def coefficient_plot(
    names: Sequence[str], coefficients: Sequence[float], *, outcome: str, title: str = "", simulated: bool = False
) -> Figure:
    """Show what one standard deviation more of each predictor does to the odds of the outcome, strongest on top."""
    order = np.argsort(np.abs(np.asarray(coefficients)), kind="stable")
    figure = new_figure(max(2.0, 0.34 * len(order) + 1.3), width_in=7.5)
    axes = figure.subplots()
    values = np.asarray(coefficients)[order]
    colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in values]
    axes.barh(range(len(order)), values, color=colours, height=0.6)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(order)), [inert(names[n].replace("_", " ")) for n in order], fontsize=8)
    axes.set_xlabel(f"log odds of {inert(outcome)} per standard deviation")
    _tidy(axes, title or "What the model weighs")
    return stamp_cohort(figure, simulated)


def _ticks(low: float, high: float, n: int = 5) -> Any:
    from matplotlib.ticker import MaxNLocator

    inside = [t for t in MaxNLocator(n, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= t <= high]
    return np.asarray(inside or [low, high])


def nomogram_plot(scale: Nomogram, *, title: str = "Nomogram", simulated: bool = False) -> Figure:
    """Draw a nomogram: read the points of each predictor off the top line, add them, read the risk off the foot."""
    rows = ["points", *(axis.name for axis in scale.axes), "total points", f"risk of {scale.outcome}"]
    figure = new_figure(0.62 * len(rows) + 1.0, width_in=9.0)
    axes = figure.subplots()
    most = max(scale.most, 1.0)
    for n, axis in enumerate(scale.axes, start=1):
        values = _ticks(axis.low, axis.high)
        _ruler(axes, -n, (axis.points_low, axis.points_high), axis.points(values), [f"{v:.4g}" for v in values])
    _ruler(axes, 0, (0, 100), np.arange(0, 101, 10), [str(v) for v in range(0, 101, 10)])
    total = _ticks(0, most, 10)
    foot = len(scale.axes) + 1
    _ruler(axes, -foot, (0, 100), total / most * 100, [f"{v:.0f}" for v in total])
    risks = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
    at = (np.log(risks / (1 - risks)) - scale.offset) / scale.per_point
    shown = (at >= 0) & (at <= most)
    places, labels = at[shown] / most * 100, [f"{r:g}" for r in risks[shown]]
    ends = (float(places.min()), float(places.max())) if shown.any() else (0.0, 100.0)
    _ruler(axes, -foot - 1, ends, places, labels)
    axes.set_yticks([-n for n in range(len(rows))], [inert(name.replace("_", " ")) for name in rows], fontsize=8.5)
    axes.set(xlim=(-3, 103), ylim=(-len(rows) + 0.3, 0.8))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(inert(title), fontsize=10, color=INK, loc="left")
    return stamp_cohort(figure, simulated)


def _ruler(axes: Any, y: float, ends: tuple[float, float], places: Any, labels: Sequence[str]) -> None:
    axes.plot(ends, [y, y], color=INK, linewidth=1.2)
    last = -np.inf
    for place, label in sorted(zip(places, labels, strict=True)):
        axes.plot([place, place], [y, y - 0.13], color=INK, linewidth=0.9)
        if place - last >= 2.4 + 0.55 * len(label):  # labels do not run into one another
            axes.text(place, y - 0.18, label, ha="center", va="top", fontsize=7, color=INK)
            last = place
