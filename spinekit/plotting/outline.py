"""The study's figure: from the outline on the sagittal T2 to the region on the series, panel by panel."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.case import DynamicSeries, Volume
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import View, native_plane, view_of
from spinekit.plotting.style import SEED, draw_outline, draw_slice, new_figure, stamp, window_of
from spinekit.segmentation.one_image import enhancement_image
from spinekit.segmentation.outline import OutlineGrowth

__all__ = ["outline_panels"]

PARTITION_EDGES = "#56b4e9"


def outline_panels(
    series: DynamicSeries, steps: OutlineGrowth, t2: Volume | None = None, *, n_baseline: int = 1
) -> Figure:
    """Show the study's panels A to G: outline, carried outline, expansion, partitions, fused region, seed and region.

    Parameters
    ----------
    series : DynamicSeries
    steps : OutlineGrowth
        From `spinekit.segmentation.grow_along_outline`.
    t2 : Volume, optional
        The image that was outlined; where it is absent or has another grid, panel A shows the outline alone.
    n_baseline : int
        Phases before the contrast agent; panels B to G show the largest enhancement.

    Returns
    -------
    Figure
    """
    figure = new_figure(6.2)
    rows = figure.subplots(2, 4)
    _panel_a(rows[0, 0], steps, t2)
    view = view_of(series.geometry, native_plane(series.geometry))
    index = int(steps.seed.zyx[view.axis])
    enhancement = enhancement_image(series.signal, n_baseline)
    picture = view.pixels(enhancement, index)
    wide = crop_around(view.pixels(steps.expanded.mask, index), view)
    limits = 0.0, 1.4 * window_of(enhancement[steps.roi.mask])[1]  # of the region: vessels may be far brighter

    def panel(axes: Any, title: str, *masks: Any) -> None:
        draw_slice(axes, picture[wide], view, limits=limits, title=title)
        for mask in masks:
            draw_outline(axes, view.pixels(mask, index)[wide], view)

    whole = rows[0, 1]
    draw_slice(whole, picture, view, limits=limits, title="B  carried to the series")
    draw_outline(whole, view.pixels(steps.carried.mask, index), view)
    panel(rows[0, 2], "C  initial region", steps.carried.mask)
    panel(rows[0, 3], f"D  {steps.expanded.name}", steps.expanded.mask)
    panel(rows[1, 0], "E  partitions, kept ones outlined")
    _partition_edges(rows[1, 0], view.pixels(steps.partitions.values, index)[wide], view)
    draw_outline(rows[1, 0], view.pixels(steps.kept.mask, index)[wide], view)
    panel(rows[1, 1], "F  fused in 3-D", steps.fused.mask)
    panel(rows[1, 2], "G  hottest voxel", steps.fused.mask)
    _mark(rows[1, 2], steps, view, wide)
    panel(rows[1, 3], f"G  region, {steps.roi.volume_ml:.1f} ml", steps.roi.mask)
    return stamp(figure, bool(series.record.get("simulated")))


def _panel_a(axes: Any, steps: OutlineGrowth, t2: Volume | None) -> None:
    grid = steps.outline.geometry
    view = view_of(grid, native_plane(grid))
    index = fullest_slice(steps.outline.mask, view.axis)
    mask = view.pixels(steps.outline.mask, index)
    pixels = (
        view.pixels(t2.values, index) if t2 is not None and t2.geometry.same_grid(grid) else mask.astype(np.float32)
    )
    draw_slice(axes, pixels, view, limits=window_of(pixels), title="A  outlined on T2")
    draw_outline(axes, mask, view)


def _partition_edges(axes: Any, numbers: Any, view: View) -> None:
    for n in np.unique(numbers[numbers > 0]):
        draw_outline(axes, numbers == n, view, color=PARTITION_EDGES, width=0.5)


def _mark(axes: Any, steps: OutlineGrowth, view: View, box: tuple[slice, slice]) -> None:
    row, column = view.place(steps.seed.zyx, steps.fused.mask.shape)
    down, across = row - (box[0].start or 0) + 0.5, column - (box[1].start or 0) + 0.5
    place = [across * view.spacing_mm[1]], [down * view.spacing_mm[0]]
    axes.plot(*place, "+", color=SEED, markersize=9, markeredgewidth=1.6)
