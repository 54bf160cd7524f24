"""Kinetic maps over the anatomy, with units; and how their values are spread in the region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from spinekit.case import ParameterMaps, Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, new_figure, stamp, window_of
from spinekit.quantities import CURVE_TYPES, QUANTITIES

__all__ = ["colours_of", "display_name", "map_histograms", "map_panels", "value_limits"]

COLUMNS = 4
SIGNED = ("wash_out_slope", "wash_out_ratio")
CURVE_COLOURS = ("#3b7dd8", "#f2c14e", "#d1495b")  # persistent, plateau, wash-out


def _label(name: str, unit: str) -> str:
    symbol = QUANTITIES[name].symbol if name in QUANTITIES else name
    return f"{symbol}" if unit in ("1", "") else f"{symbol}, {unit}"


def display_name(name: str) -> str:
    """Return the title of a map."""
    return QUANTITIES[name].title if name in QUANTITIES else name


def colours_of(name: str) -> Any:
    """Return the colours of a map from its smallest to its largest value, uint8 of shape (256, 3)."""
    cmap = colormaps["RdBu_r" if name in SIGNED else "viridis"]
    return np.rint(255 * cmap(np.arange(256))[:, :3]).astype(np.uint8)


def value_limits(name: str, values: Any) -> tuple[float, float]:
    """Return the values at both ends of a map's colours: symmetric about zero where the sign matters."""
    return _limits(values, name in SIGNED)


def _panel_title(name: str, maps: ParameterMaps) -> str:
    """Return the title over a map; a quantity that the protocol cannot support says so."""
    if name in QUANTITIES and QUANTITIES[name].quantitative:
        doubtful = bool(maps.record.get("quantitative", {}).get("exploratory"))
        return QUANTITIES[name].symbol + (", exploratory" if doubtful else "")
    return display_name(name)


def _limits(values: Any, signed: bool) -> tuple[float, float]:
    low, high = window_of(values, 2, 98)
    if signed:
        reach = max(abs(low), abs(high))
        return -reach, reach
    return min(low, 0.0) if low > 0 and low < 0.3 * high else low, high


def map_panels(
    maps: ParameterMaps,
    roi: Roi | None = None,
    anatomy: Volume | None = None,
    *,
    names: Sequence[str] | None = None,
    everywhere: bool = False,
) -> Figure:
    """Show the maps through the region, each with its colour bar and unit.

    Parameters
    ----------
    maps : ParameterMaps
        What is shown; NaN is transparent.
    roi : Roi, optional
        The slice is the one in which it is largest; the maps are cropped around it and outlined. Colour
        limits come from its values.
    anatomy : Volume, optional
        Grey image under the maps.
    names : sequence of str, optional
        Which maps; all if not given.
    everywhere : bool
        Colour the surroundings too instead of the region alone.
    """
    wanted = list(names or maps)
    view = view_of(maps.geometry)
    if roi is not None:
        require_same_grid(roi.geometry, maps.geometry, names=("ROI", "maps"))
    marked = roi is not None and roi.mask.any()
    index = (
        fullest_slice(roi.mask, view.axis) if roi is not None and marked else maps.geometry.shape_zyx[view.axis] // 2
    )
    outline = view.pixels(roi.mask, index) if roi is not None and marked else None
    full = view.pixels(next(iter(maps.values())).values, index).shape
    box = crop_around(outline, view) if outline is not None else (slice(0, full[0]), slice(0, full[1]))
    shape = [b.stop - b.start for b in box]
    aspect = shape[0] * view.spacing_mm[0] / (shape[1] * view.spacing_mm[1])
    rows = -(-len(wanted) // COLUMNS)
    figure = new_figure(rows * (1.7 * min(aspect, 1.8) + 0.4) + 0.5)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, name in zip(panels, wanted, strict=False):
        under = np.zeros(shape) if anatomy is None else view.pixels(anatomy.values, index)[box]
        draw_slice(axes, under, view, title=_panel_title(name, maps), title_size=8.5,
                   letters=name == wanted[0], bar=name == wanted[0])  # fmt: skip
        values = np.asarray(view.pixels(maps[name].values, index)[box], dtype=np.float64)
        inside = maps[name].values[roi.mask] if roi is not None and marked else maps[name].values
        if outline is not None and not everywhere:
            values = np.where(outline[box], values, np.nan)
        _colour(figure, axes, values, inside, name, maps[name].unit, view)
        if outline is not None:
            draw_outline(axes, outline[box], view, width=1.0)
    for axes in panels[len(wanted) :]:
        axes.set_axis_off()
    figure.suptitle(
        f"{view.plane} slice {index}; transparent where the quantity is undefined", fontsize=10, color="0.35"
    )
    return stamp(figure, bool(maps.record.get("simulated", False)))


def _colour(figure: Figure, axes: Any, values: Any, inside: Any, name: str, unit: str, view: Any) -> None:
    cmap: Any
    bar: Any
    extent = view.extent_mm(values.shape)
    if name == "curve_type":
        cmap = ListedColormap(list(CURVE_COLOURS))
        norm = BoundaryNorm([0.5, 1.5, 2.5, 3.5], 3)
        image = axes.imshow(values, cmap=cmap, norm=norm, extent=extent, interpolation="nearest")
        bar = figure.colorbar(image, ax=axes, shrink=0.85, ticks=list(CURVE_TYPES))
        bar.ax.set_yticklabels(list(CURVE_TYPES.values()))
    else:
        signed = name in SIGNED
        low, high = _limits(inside, signed)
        cmap = colormaps["RdBu_r" if signed else "viridis"]
        image = axes.imshow(values, cmap=cmap, vmin=low, vmax=high, extent=extent, interpolation="nearest")
        bar = figure.colorbar(image, ax=axes, shrink=0.85)
        bar.set_label(_label(name, unit), fontsize=8)
        bar.formatter.set_powerlimits((-3, 4))
    bar.ax.tick_params(labelsize=7)


def map_histograms(maps: ParameterMaps, roi: Roi, *, names: Sequence[str] | None = None) -> Figure:
    """Show how the values of each map are spread over the voxels of the region; the line is the median."""
    wanted = [name for name in names or maps if name != "curve_type"]
    rows = -(-len(wanted) // COLUMNS)
    figure = new_figure(rows * 1.7 + 0.4)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, name in zip(panels, wanted, strict=False):
        values = maps[name].within(roi).astype(np.float64)
        defined = values[np.isfinite(values)]
        axes.set_title(QUANTITIES[name].title if name in QUANTITIES else name, fontsize=9, color=INK)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        axes.set_xlabel(f"{_label(name, maps[name].unit)}; {defined.size} of {values.size} defined", fontsize=7)
        if defined.size:
            low, high = np.percentile(defined, [1, 99])
            high = high if high > low else low + 1e-6 + abs(low) * 1e-3
            axes.hist(defined, bins=32, range=(low, high), color=OUTLINE)
            axes.axvline(np.median(defined), color=INK, linewidth=1.2)
        else:
            axes.text(0.5, 0.5, "undefined", transform=axes.transAxes, ha="center", color="0.5")
    for axes in panels[len(wanted) :]:
        axes.set_axis_off()
    return stamp(figure, bool(maps.record.get("simulated", False)))
