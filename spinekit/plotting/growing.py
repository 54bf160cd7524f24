"""How a region grew: where its border would lie at other tolerances, and how its volume rises with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LightSource
from matplotlib.figure import Figure

from spinekit.case import DynamicSeries, Roi
from spinekit.geometry import require_same_grid
from spinekit.plotting.anatomy import crop_around
from spinekit.plotting.orientation import PLANES, view_of
from spinekit.plotting.style import (
    BACKGROUND_SEED,
    INK,
    OUTLINE,
    SEED,
    draw_outline,
    draw_slice,
    inert,
    new_figure,
    stamp,
    window_of,
)  # fmt: skip
from spinekit.segmentation.nearness import distances_up_to

__all__ = ["growing_panels", "region_in_3d"]

AROUND_MM = (2.0, 8.0)  # what counts as around a region
AXES = ("R → L, mm", "A → P, mm", "I → S, mm")
# name, elevation, azimuth, axis that is not seen; from below is how an axial slice is shown
SIDES = (("from in front", 0, -90, 1), ("from the left", 0, 0, 0), ("from below", -90, -90, 2))
LIGHT = LightSource(azdeg=225, altdeg=45)


def growing_panels(series: DynamicSeries, roi: Roi, *, n_baseline: int = 1) -> Figure:
    """Show the region in three planes through its seed, and what set its border.

    The picture under it is the largest signal after the baseline minus the baseline. The last panel shows the
    volume at every tolerance, where one was used (dashed; a steep rise just beyond it is what a leak looks
    like), and otherwise the enhancement inside against that around the region.
    """
    require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    enhancement = series.signal[n_baseline:].max(axis=0) - series.signal[:n_baseline].mean(axis=0)
    seeds = [tuple(s) for s in roi.record.get("seeds", [])]
    behind = [tuple(s) for s in roi.record.get("background_seeds", [])]
    centre = np.argwhere(roi.mask).mean(axis=0).round().astype(int) if roi.mask.any() else np.array(roi.mask.shape) // 2
    zyx = np.array(seeds[0][::-1]) if seeds else centre
    history = roi.record.get("volume_by_tolerance", [])
    figure = new_figure(3.4)
    panels = figure.subplots(1, 4)
    inside = enhancement[roi.mask] if roi.mask.any() else enhancement
    limits = 0.0, 1.4 * window_of(inside)[1]  # of the region: vessels may be far brighter
    for axes, plane in zip(panels, PLANES, strict=False):
        view = view_of(series.geometry, plane)
        index = int(zyx[view.axis])
        pixels, mask = view.pixels(enhancement, index), view.pixels(roi.mask, index)
        box = crop_around(mask, view) if mask.any() else (slice(None), slice(None))
        corner = [0 if b.start is None else b.start for b in box]
        draw_slice(axes, pixels[box], view, limits=limits, title=f"{plane}, {'kji'[view.axis]} = {index}")
        draw_outline(axes, mask[box], view)
        for points, colour in ((seeds, SEED), (behind, BACKGROUND_SEED)):
            for point in points:
                if point[2 - view.axis] != index:
                    continue
                row, column = view.place(point[::-1], roi.mask.shape)
                place = [(column - corner[1] + 0.5) * view.spacing_mm[1], (row - corner[0] + 0.5) * view.spacing_mm[0]]
                axes.plot(*place, "+", color=colour, markersize=9, markeredgewidth=1.8)
    if history:
        _volume_curve(panels[3], history, roi)
    else:
        _inside_and_around(panels[3], series, roi, n_baseline)
    doubts = f"; {len(roi.warnings)} doubts, see the warnings" if roi.warnings else "; no doubt was recorded"
    figure.suptitle(inert(f"{roi.name}: {roi.volume_ml:.2f} ml by '{roi.record.get('method', 'drawing')}'{doubts}"),
                    fontsize=10, color=INK)  # fmt: skip
    return stamp(figure, bool(series.record.get("simulated", False)))


def _volume_curve(axes: Any, history: Any, roi: Roi) -> None:
    tolerances, volumes = np.array(history, dtype=np.float64).T
    axes.plot(tolerances, volumes, color=INK, linewidth=1.6)
    axes.axvline(float(roi.record["tolerance"]), color=OUTLINE, linestyle="--", linewidth=1.6)
    axes.set_xlabel("tolerance, standard deviations", fontsize=8)
    axes.set_ylabel("volume, ml", fontsize=8)
    axes.set_yscale("log")
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("volume by tolerance", fontsize=10, color=INK)
    axes.set_box_aspect(1)


def _inside_and_around(axes: Any, series: DynamicSeries, roi: Roi, n_baseline: int) -> None:
    away = distances_up_to(roi.mask, AROUND_MM[1], series.geometry.spacing_zyx_mm)
    shell = (away > AROUND_MM[0]) & np.isfinite(away)
    around = f"{AROUND_MM[0]:.0f} to {AROUND_MM[1]:.0f} mm around"
    for where, name, colour in ((roi.mask, "inside", OUTLINE), (shell, around, INK)):
        if not where.any():
            continue
        curves = series.signal[:, where].astype(np.float64)
        base = np.maximum(curves[:n_baseline].mean(axis=0), 1e-6)
        low, middle, high = np.nanquantile(curves / base - 1, [0.25, 0.5, 0.75], axis=1)
        axes.fill_between(series.times_s, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(series.times_s, middle, color=colour, linewidth=1.6, label=name)
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylabel("S/S_BL − 1, median and quartiles", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
    axes.set_title("enhancement", fontsize=10, color=INK)
    axes.set_box_aspect(1)


def region_in_3d(roi: Roi, *, simulated: bool = False) -> Figure:
    """Show the surface of the region from in front, from the left and from below, in mm.

    Surface by marching cubes at half way between inside and outside; lengths of all axes are equal.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection
    from skimage.measure import marching_cubes

    figure = new_figure(3.6)
    if not roi.mask.any():
        figure.suptitle("The region is empty.", fontsize=10)
        return stamp(figure, simulated)
    part = np.pad(roi.mask[roi.box_zyx], 1).astype(np.float32)
    step = max(1, round((part.size / 400_000) ** (1 / 3)))
    points, faces, _, _ = marching_cubes(part, 0.5, step_size=step)
    corner = np.array([b.start for b in roi.box_zyx]) - 1
    world = np.array([roi.geometry.index_to_mm(p) for p in (points + corner)[:, ::-1]])
    middle, reach = (world.max(axis=0) + world.min(axis=0)) / 2, np.ptp(world, axis=0).max() / 2 + 1
    for n, (name, elevation, azimuth, across) in enumerate(SIDES):
        axes = figure.add_subplot(1, 3, n + 1, projection="3d")
        surface = Poly3DCollection(world[faces], facecolors=OUTLINE, shade=True, lightsource=LIGHT, linewidth=0)
        axes.add_collection3d(surface)
        for set_limits, centre in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), middle, strict=True):
            set_limits(centre - reach, centre + reach)
        axes.set_box_aspect((1, 1, 1))
        axes.view_init(elevation, azimuth)
        axes.set_title(name, fontsize=10, color=INK)
        axes.set_proj_type("ortho")
        for k, (axis, words) in enumerate(zip((axes.xaxis, axes.yaxis, axes.zaxis), AXES, strict=True)):
            axis.set_label_text(words if k != across else "", fontsize=7)
            if k == across:
                axis.set_ticklabels([])
        axes.tick_params(labelsize=6)
    return stamp(figure, simulated)
