"""Static twins of the plots that answer to the mouse: a map with its curve and histogram, a ROC at one threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from spinekit.case import DynamicSeries, ParameterMaps, Roi
from spinekit.geometry import require_same_grid
from spinekit.kinetics import roi_curve
from spinekit.kinetics.descriptive import relative_enhancement
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.maps import colours_of, display_name, value_limits
from spinekit.plotting.orientation import view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, inert, new_figure, stamp, window_of

__all__ = ["map_question", "roc_at_threshold"]

BLUE, ROSE = "#2f7fd6", "#d6457f"
BINS = 40


def map_question(
    maps: ParameterMaps,
    series: DynamicSeries,
    roi: Roi,
    *,
    name: str,
    n_baseline: int = 1,
    threshold: float | None = None,
) -> Figure:
    """Show a map in the region, the curves of its highest and lowest tenth, and its histogram with a threshold.

    Parameters
    ----------
    maps, series, roi
        On one grid.
    name : str
        Which map.
    n_baseline : int
        Phases before the contrast agent.
    threshold : float, optional
        Voxels below it are faint; the upper tenth of the region if not given.
    """
    require_same_grid(roi.geometry, maps.geometry, names=("ROI", "maps"))
    values = maps[name].within(roi).astype(np.float64)
    defined = np.isfinite(values)
    low, high = value_limits(name, values)
    line = float(np.quantile(values[defined], 0.9)) if threshold is None and defined.any() else threshold
    figure = new_figure(3.6)
    grid = figure.add_gridspec(1, 3, width_ratios=(1.1, 1.25, 1.1))
    _lit_map(figure, grid, maps, series, roi, name, line, (low, high))
    curves = figure.add_subplot(grid[0, 1])
    _curves(curves, series, roi, values, n_baseline, line)
    axes = figure.add_subplot(grid[0, 2])
    counts, edges = np.histogram(values[defined], bins=BINS, range=(low, high if high > low else low + 1.0))
    lit = np.array([line is None or e >= line for e in edges[:-1]])
    axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=[OUTLINE if x else "0.82" for x in lit])
    if line is not None:
        axes.axvline(line, color=ROSE, linewidth=1.8)
        above = int(np.count_nonzero(values[defined] >= line))
        axes.set_title(f"{above} of {int(defined.sum())} voxels at or above {line:.3g}", fontsize=9, color=INK)
    unit = maps[name].unit
    axes.set_xlabel("" if unit == "1" else unit, fontsize=8)
    axes.set_yticks([])
    for plain in (curves, axes):
        plain.tick_params(labelsize=8)
        plain.spines[["top", "right"]].set_visible(False)
    return stamp(figure, bool(series.record.get("simulated", False)))


def _lit_map(
    figure: Figure, grid: GridSpec, maps: ParameterMaps, series: DynamicSeries, roi: Roi, name: str, line: float | None,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    from matplotlib.colors import ListedColormap

    view = view_of(maps.geometry)
    index = fullest_slice(roi.mask, view.axis)
    outline = view.pixels(roi.mask, index)
    box = crop_around(outline, view) if outline.any() else (slice(None), slice(None))
    axes = figure.add_subplot(grid[0, 0])
    under = series.signal[-1]
    draw_slice(axes, view.pixels(under, index)[box], view, limits=window_of(under), title=display_name(name))
    shown = np.asarray(view.pixels(maps[name].values, index)[box], dtype=np.float64)
    shown = np.where(outline[box], shown, np.nan)
    share = np.where(shown >= line, 0.95, 0.25) if line is not None else 0.95
    image = axes.imshow(
        shown, cmap=ListedColormap(colours_of(name) / 255.0), vmin=limits[0], vmax=limits[1], alpha=share,
        extent=view.extent_mm(shown.shape), interpolation="nearest",
    )  # fmt: skip
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=7)
    if bar.solids is not None:
        bar.solids.set_alpha(1.0)
    draw_outline(axes, outline[box], view, width=1.0)


def _curves(axes: Any, series: DynamicSeries, roi: Roi, values: Any, n_baseline: int, line: float | None) -> None:
    region = roi_curve(series, roi, n_baseline=n_baseline)
    axes.fill_between(
        region.times_s, region.lower_quartile, region.upper_quartile, color=OUTLINE, alpha=0.28, linewidth=0
    )
    axes.plot(region.times_s, region.median, "o-", color=INK, markersize=3, label="region, median")
    signal = np.asarray(series.signal[:, roi.mask], dtype=np.float64)
    each = relative_enhancement(signal, n_baseline=n_baseline)
    if line is not None:
        for chosen, colour, words in ((values >= line, ROSE, "at or above"), (values < line, BLUE, "below")):
            if chosen.any():
                axes.plot(region.times_s, np.nanmedian(each[:, chosen], axis=1), "-", color=colour, linewidth=1.6,
                          label=f"{words} the threshold")  # fmt: skip
    axes.axvspan(float(region.times_s[0]), float(region.times_s[n_baseline - 1]), color="0.9", zorder=0)
    axes.set_xlabel("time after the first phase, s", fontsize=8)
    axes.set_ylabel("relative enhancement", fontsize=8)
    axes.legend(frameon=False, fontsize=8)


def roc_at_threshold(
    curve: Any,
    labels: Any,
    scores: Any,
    *,
    threshold: float,
    classes: tuple[str, str] = ("negative", "positive"),
    simulated: bool = False,
) -> Figure:
    """Show the ROC with the point of one threshold, and where the scores of both classes lie about it.

    Parameters
    ----------
    curve : spinekit.evaluation.roc.RocCurve
        Of the same labels and scores.
    labels, scores : array of shape (n,)
        False or True; the score of class 1.
    threshold : float
        Cases at or above it are called class 1.
    classes : (str, str)
        Names of class 0 and 1.
    simulated : bool
        Stamp the figure as simulated.
    """
    truth, score = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    called = score >= threshold
    sensitivity, specificity = float(called[truth].mean()), float((~called[~truth]).mean())
    figure = new_figure(3.8)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    left.plot([0, 1], [0, 1], color="0.8", linestyle=":")
    left.plot(curve.false_positive, curve.true_positive, color=BLUE, linewidth=1.8)
    left.plot(1 - specificity, sensitivity, "o", color=ROSE, markersize=9)
    left.set_aspect("equal")
    left.set_xlabel("1 − specificity", fontsize=9)
    left.set_ylabel("sensitivity", fontsize=9)
    left.set_title(f"AUC {curve.auc:.3f}", fontsize=10, color=INK)
    places = (np.arange(score.size) * 0.618034) % 1 - 0.5  # spreads without chance
    for k, colour in ((0, BLUE), (1, ROSE)):
        own, wrong = truth == bool(k), called != truth
        for chosen, face in ((own & ~wrong, colour), (own & wrong, "none")):
            style = {"s": 26, "facecolor": face, "edgecolor": colour, "linewidth": 1.3}
            right.scatter(score[chosen], k + 0.5 * places[chosen], **style)
    right.axvline(threshold, color=INK, linewidth=1.4)
    right.set_yticks([0, 1], [inert(c) for c in classes], fontsize=9)
    right.set_xlabel("score; hollow: called wrongly", fontsize=9)
    told = f"sensitivity {100 * sensitivity:.1f} %, specificity {100 * specificity:.1f} %"
    right.set_title(f"at {threshold:.3g}: {told}", fontsize=10, color=INK)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return stamp(figure, simulated)
