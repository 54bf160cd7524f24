"""One row per case: sagittal T2, the series at its peak, a map, and the enhancement curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.kinetics import parameter_maps, roi_curve
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import native_plane, view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, inert, new_figure, stamp, window_of

__all__ = ["SheetCase", "case_sheet"]

REFERENCE = "#56b4e9"
COLUMN_TITLES = ("sagittal T2", "largest enhancement", "wash-in slope", "enhancement")


@dataclass(frozen=True)
class SheetCase:
    """What a row shows: its title, the series with the region, the T2 with the region, and another tissue's region."""

    title: str
    series: DynamicSeries
    roi: Roi
    n_baseline: int
    t2: Volume
    t2_roi: Roi
    reference: Roi | None = None


def case_sheet(cases: Sequence[SheetCase]) -> Figure:
    """Show several cases, one per row.

    Parameters
    ----------
    cases : sequence of SheetCase

    Returns
    -------
    Figure
        The curve of the region is drawn with its quartiles; that of the reference region, if there is one,
        as a thin line.
    """
    figure = new_figure(2.15 * len(cases) + 0.5)
    rows = figure.subplots(len(cases), 4, squeeze=False, width_ratios=(1, 1, 1.15, 1.5))
    for row, case in zip(rows, cases, strict=True):
        _t2_panel(row[0], case)
        _enhancement_panels(figure, row[1], row[2], case)
        _curve_panel(row[3], case)
    for axes, title in zip(rows[0], COLUMN_TITLES, strict=True):
        axes.set_title(title, fontsize=10, color=INK)
    return stamp(figure, any(case.series.record.get("simulated") for case in cases))


def _t2_panel(axes: Any, case: SheetCase) -> None:
    view = view_of(case.t2.geometry, native_plane(case.t2.geometry))
    index = fullest_slice(case.t2_roi.mask, view.axis)
    pixels, mask = view.pixels(case.t2.values, index), view.pixels(case.t2_roi.mask, index)
    draw_slice(axes, pixels, view, limits=window_of(pixels))
    draw_outline(axes, mask, view, width=1.0)
    axes.set_ylabel(inert(case.title), fontsize=9, color=INK)


def _enhancement_panels(figure: Figure, peak_axes: Any, map_axes: Any, case: SheetCase) -> None:
    series = case.series
    view = view_of(series.geometry, native_plane(series.geometry))
    index = fullest_slice(case.roi.mask, view.axis)
    mask = view.pixels(case.roi.mask, index)
    box = crop_around(mask, view)
    base = series.signal[: case.n_baseline].mean(axis=0)
    enhancement = view.pixels(series.signal[case.n_baseline :].max(axis=0) - base, index)
    limits = 0.0, 1.6 * window_of(enhancement[mask])[1]  # vessels are far brighter
    draw_slice(peak_axes, enhancement, view, limits=limits)
    draw_outline(peak_axes, mask, view, width=1.0)
    slope = parameter_maps(series, case.n_baseline, within=case.roi)["wash_in_slope"]
    values = np.where(mask, view.pixels(slope.values, index), np.nan)[box]
    draw_slice(map_axes, enhancement[box], view, limits=limits)
    inside = slope.values[case.roi.mask]
    image = map_axes.imshow(
        values, cmap="viridis", vmin=0.0, vmax=window_of(inside, 2, 98)[1], extent=view.extent_mm(values.shape),
        interpolation="nearest",
    )  # fmt: skip
    bar = figure.colorbar(image, ax=map_axes, shrink=0.8)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(slope.unit, fontsize=7)


def _curve_panel(axes: Any, case: SheetCase) -> None:
    curve = roi_curve(case.series, case.roi, n_baseline=case.n_baseline)
    axes.fill_between(curve.times_s, curve.lower_quartile, curve.upper_quartile, color=OUTLINE, alpha=0.3, linewidth=0)
    axes.plot(curve.times_s, curve.median, "o-", color=INK, markersize=3, linewidth=1.4, label="lesion, quartiles")
    if case.reference is not None:
        other = roi_curve(case.series, case.reference, n_baseline=case.n_baseline)
        axes.plot(other.times_s, other.median, color=REFERENCE, linewidth=1.2, label=case.reference.name)
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylabel("S/S_BL − 1", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(frameon=False, fontsize=7)
    axes.spines[["top", "right"]].set_visible(False)
