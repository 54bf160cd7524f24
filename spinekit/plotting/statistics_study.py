"""Figures of a study: what each method reaches, and how far the readings of the method move it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from spinekit.plotting.statistics import COLOURS, stamp_cohort
from spinekit.plotting.style import INK, inert, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["area_plot", "overlap_plot", "permutation_plot"]


def area_plot(table: pd.DataFrame, *, title: str = "Area under the curve", simulated: bool = False) -> Figure:
    """Show the area of each arm with its interval, one colour per test set.

    Parameters
    ----------
    table : DataFrame
        Columns ``arm``, ``tested on``, ``AUC``, ``AUC low``, ``AUC high``.
    """
    arms = list(dict.fromkeys(table["arm"]))
    sets = list(dict.fromkeys(table["tested on"]))
    figure = new_figure(0.42 * len(arms) + 1.6, width_in=7.5)
    axes = figure.subplots()
    for n, name in enumerate(sets):
        rows = table[table["tested on"] == name]
        y = np.array([arms.index(a) for a in rows["arm"]]) + 0.18 * (n - (len(sets) - 1) / 2)
        axes.errorbar(
            rows["AUC"], y, xerr=[rows["AUC"] - rows["AUC low"], rows["AUC high"] - rows["AUC"]], fmt="o",
            color=COLOURS[n], markersize=5, capsize=2, linewidth=1.4, label=inert(name),
        )  # fmt: skip
    axes.axvline(0.5, color="0.6", linewidth=0.8)
    axes.set_yticks(range(len(arms)), [inert(a) for a in arms], fontsize=8.5)
    axes.invert_yaxis()
    axes.set(xlabel="AUC with 95 % bootstrap interval", xlim=(min(0.4, float(table["AUC low"].min()) - 0.02), 1.01))
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=len(sets))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(inert(title), fontsize=10, color=INK, loc="left")
    return stamp_cohort(figure, simulated)


def overlap_plot(table: pd.DataFrame, *, title: str = "Dice with the reference", simulated: bool = False) -> Figure:
    """Show the Dice of every case for each method as a box with its points.

    Parameters
    ----------
    table : DataFrame
        Columns ``method``, ``Dice``; one row per case and method.
    """
    methods = list(dict.fromkeys(table["method"]))
    values = [table.loc[table["method"] == m, "Dice"].dropna().to_numpy() for m in methods]
    figure = new_figure(0.42 * len(methods) + 1.4, width_in=7.5)
    axes = figure.subplots()
    axes.boxplot(values, orientation="horizontal", widths=0.55, showfliers=False, medianprops={"color": COLOURS[1]})
    rng = np.random.default_rng(0)
    for n, points in enumerate(values, start=1):
        axes.plot(points, n + rng.uniform(-0.18, 0.18, points.size), ".", color=COLOURS[0], markersize=3, alpha=0.6)
    axes.set_yticks(range(1, len(methods) + 1), [inert(m) for m in methods], fontsize=8.5)
    axes.invert_yaxis()
    axes.set(xlabel="Dice", xlim=(-0.03, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(inert(title), fontsize=10, color=INK, loc="left")
    return stamp_cohort(figure, simulated)


def permutation_plot(
    areas: Sequence[float], observed: float, *, title: str = "Labels shuffled", simulated: bool = False
) -> Figure:
    """Show the areas with shuffled labels as a histogram, and the area with the true ones as a line."""
    figure = new_figure(3.4, width_in=6.2)
    axes = figure.subplots()
    axes.hist(areas, bins=np.linspace(0.2, 0.8, 25).tolist(), color="0.75", edgecolor="white")
    mean = float(np.mean(areas))
    axes.axvline(mean, color=INK, linestyle="--", linewidth=1.2, label=f"mean of {len(areas)} shuffles {mean:.3f}")
    axes.axvline(observed, color=COLOURS[1], linewidth=1.8, label=f"true labels {observed:.3f}")
    axes.set(xlabel="AUC of the whole nested procedure", ylabel="shuffles", xlim=(0.2, 1.0))
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(inert(title), fontsize=10, color=INK, loc="left")
    return stamp_cohort(figure, simulated)
