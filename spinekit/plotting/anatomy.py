"""Pictures of what was acquired: the phases side by side, and a volume in three planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.plotting.orientation import PLANES, View, view_of
from spinekit.plotting.style import (
    BACKGROUND_SEED,
    SEED,
    draw_outline,
    draw_slice,
    new_figure,
    stamp,
    window_of,
)  # fmt: skip

__all__ = ["montage", "three_planes"]

MOST_PHASES = 12
COLUMNS = 4
MARGIN_MM = 25.0
SMALLEST_CROP_MM = 70.0


def _chosen_phases(n_phases: int) -> list[int]:
    if n_phases <= MOST_PHASES:
        return list(range(n_phases))
    return sorted({round(t) for t in np.linspace(0, n_phases - 1, MOST_PHASES)})


def fullest_slice(mask: Any, axis: int) -> int:
    others = tuple(a for a in range(3) if a != axis)
    return int(mask.sum(axis=others).argmax())


def crop_around(shown_mask: Any, view: View) -> tuple[slice, slice]:
    """Return the part of a shown slice around a region: a margin in mm, never smaller than a stated size."""
    parts = []
    for axis in range(2):
        inside = np.flatnonzero(shown_mask.any(axis=1 - axis))
        margin = MARGIN_MM / view.spacing_mm[axis]
        low, high = inside[0] - margin, inside[-1] + 1 + margin
        lacking = SMALLEST_CROP_MM / view.spacing_mm[axis] - (high - low)
        if lacking > 0:
            low, high = low - lacking / 2, high + lacking / 2
        parts.append(slice(max(0, int(low)), min(shown_mask.shape[axis], int(np.ceil(high)))))
    return parts[0], parts[1]


def montage(series: DynamicSeries, roi: Roi | None = None, *, n_baseline: int = 1, plane: str | None = None) -> Figure:
    """Show the phases of a series in one slice, at one window.

    Parameters
    ----------
    series : DynamicSeries
        More than 12 phases are thinned out evenly; the titles keep the true numbers and times.
    roi : Roi, optional
        Outlined; the slice is the one in which it is largest, and the phases are cropped around it. A
        first panel shows where that lies in the whole slice.
    n_baseline : int
        Phases before the contrast agent; named in the titles.
    plane : {"axial", "sagittal", "coronal"}, optional
        The acquired plane if not given.

    Returns
    -------
    matplotlib.figure.Figure
    """
    view = view_of(series.geometry, plane)
    if roi is not None:
        require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    marked = roi is not None and roi.mask.any()
    index = (
        fullest_slice(roi.mask, view.axis) if roi is not None and marked else series.signal.shape[1 + view.axis] // 2
    )
    phases = _chosen_phases(series.n_phases)
    pixels = {t: view.pixels(series.signal[t], index) for t in phases}
    limits = window_of(np.stack(list(pixels.values())))
    outline = view.pixels(roi.mask, index) if roi is not None and marked else None
    whole = pixels[phases[-1]].shape
    box = crop_around(outline, view) if outline is not None else (slice(0, whole[0]), slice(0, whole[1]))
    n_panels = len(phases) + (outline is not None)
    rows = -(-n_panels // COLUMNS)
    shape = tuple(b.stop - b.start for b in box)
    aspect = shape[0] * view.spacing_mm[0] / (shape[1] * view.spacing_mm[1])
    figure = new_figure(rows * (2.4 * min(aspect, 1.8) + 0.32) + 0.35)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    if outline is not None:
        draw_slice(panels[0], pixels[phases[-1]], view, limits=limits, title=f"{view.plane}, slice {index}")
        draw_outline(panels[0], outline, view, width=0.9)
        corner = (box[1].start * view.spacing_mm[1], box[0].start * view.spacing_mm[0])
        panels[0].add_patch(
            Rectangle(
                corner, shape[1] * view.spacing_mm[1], shape[0] * view.spacing_mm[0], fill=False, color="white", lw=0.8
            )
        )
    for n, t in enumerate(phases):
        axes = panels[n + (outline is not None)]
        name = f"phase {t}, {series.times_s[t]:.0f} s" + (", baseline" if t < n_baseline else "")
        draw_slice(axes, pixels[t][box], view, limits=limits, title=name, letters=n == 0, bar=n == 0)
        if outline is not None:
            draw_outline(axes, outline[box], view)
    for axes in panels[n_panels:]:
        axes.set_axis_off()
    text = f"{view.plane} slice {index}" + (", oblique grid" if view.oblique else "") + ", one window for all phases"
    figure.suptitle(text, fontsize=10, color="0.35")
    return stamp(figure, bool(series.record.get("simulated", False)))


def three_planes(
    volume: Volume,
    point_ijk: Sequence[float],
    roi: Roi | None = None,
    *,
    seeds: Sequence[Sequence[int]] = (),
    background: Sequence[Sequence[int]] = (),
    simulated: bool = False,
    title: str = "",
) -> Figure:
    """Show a volume in the axial, sagittal and coronal plane through a point, with a cross there.

    Parameters
    ----------
    volume : Volume
        What is shown.
    point_ijk : (i, j, k)
        Voxel the planes meet in.
    roi : Roi, optional
        Outlined; on the same grid.
    seeds, background : sequences of (i, j, k)
        Marked where they lie in a plane shown, within half a slice.
    simulated : bool
        Stamp the figure as simulated.
    title : str
        What the picture shows.
    """
    if roi is not None:
        require_same_grid(roi.geometry, volume.geometry, names=("ROI", f"volume '{volume.name}'"))
    zyx = [round(float(c)) for c in point_ijk][::-1]
    limits = window_of(volume.values)
    shape = volume.geometry.shape_zyx
    views = [view_of(volume.geometry, plane) for plane in PLANES]
    widths = [view.pixels(volume.values, zyx[view.axis]).shape[1] * view.spacing_mm[1] for view in views]
    heights = [view.pixels(volume.values, zyx[view.axis]).shape[0] * view.spacing_mm[0] for view in views]
    figure = new_figure(min(6.0, max(2.6, 9.4 * max(heights) / sum(widths) + 0.7)))
    for axes, view in zip(figure.subplots(1, 3, width_ratios=widths), views, strict=True):
        pixels = view.pixels(volume.values, zyx[view.axis])
        draw_slice(axes, pixels, view, limits=limits, title=f"{view.plane}, {'kji'[view.axis]} = {zyx[view.axis]}")
        row, column = view.place(zyx, shape)
        style = {"color": SEED, "linewidth": 0.6, "alpha": 0.6}
        axes.axhline((row + 0.5) * view.spacing_mm[0], **style)
        axes.axvline((column + 0.5) * view.spacing_mm[1], **style)
        if roi is not None:
            draw_outline(axes, view.pixels(roi.mask, zyx[view.axis]), view)
        for points, colour in ((seeds, SEED), (background, BACKGROUND_SEED)):
            _mark(axes, points, colour, view, zyx, shape)
    if title:
        figure.suptitle(title.replace("$", r"\$"), fontsize=10, color="0.35")
    return stamp(figure, simulated)


def _mark(axes: Any, points: Sequence[Sequence[int]], colour: str, view: View, zyx: Sequence[int], shape: Any) -> None:
    for point in points:
        place = [int(c) for c in point][::-1]
        if place[view.axis] == zyx[view.axis]:
            row, column = view.place(place, shape)
            axes.plot((column + 0.5) * view.spacing_mm[1], (row + 0.5) * view.spacing_mm[0], "o", markersize=7,
                      markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.8)  # fmt: skip
