"""The film strip of a region's growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from spinekit.case import DynamicSeries
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, new_figure, stamp, window_of

if TYPE_CHECKING:
    from spinekit.segmentation.film import GrowthFilm

__all__ = ["growth_strip"]

COLUMNS = 6
NEWEST = "#d6457f"


def growth_strip(series: DynamicSeries, film: GrowthFilm, *, n_baseline: int = 1) -> Figure:
    """Show a region at rising tolerances in the slice of its seed, and its volume over them.

    Amber is the border at each step, rose the border one step before; the picture with the frame, and the dashed line,
    are the tolerance that was used, or the one that comes nearest in volume where the region grew without one.

    Parameters
    ----------
    series : DynamicSeries
    film : GrowthFilm
        From `spinekit.segmentation.film.growth_film`.
    n_baseline : int
        Phases before the contrast agent.
    """
    enhancement = series.signal[n_baseline:].max(axis=0) - series.signal[:n_baseline].mean(axis=0)
    view = view_of(series.geometry)
    kept = film.born <= film.used
    index = film.seeds[0][2 - view.axis] if film.seeds else fullest_slice(kept, view.axis)
    seen = view.pixels(kept.any(axis=view.axis, keepdims=True), 0)
    box = crop_around(seen, view) if seen.any() else (slice(None), slice(None))
    pixels = view.pixels(enhancement, index)[box]
    limits = window_of(enhancement[kept] if kept.any() else enhancement)
    limits = (0.0, 1.4 * limits[1])
    rows = -(-film.tolerances.size // COLUMNS)
    figure = new_figure(rows * 1.95 + 2.4)
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=(*[1.0] * rows, 1.1))
    born = view.pixels(film.born, index)[box]
    for step, (tolerance, volume) in enumerate(zip(film.tolerances, film.volumes_ml, strict=True)):
        axes = figure.add_subplot(grid[step // COLUMNS, step % COLUMNS])
        title = f"{tolerance:.2f}: {volume:.2f} ml"
        draw_slice(axes, pixels, view, limits=limits, title=title, title_size=8.5, letters=step == 0, bar=step == 0)
        if step:
            draw_outline(axes, born < step, view, color=NEWEST, width=0.9)
        draw_outline(axes, born <= step, view, width=1.2)
        if step == film.used:
            for spine in axes.spines.values():
                spine.set(color=OUTLINE, linewidth=3)
    curve = figure.add_subplot(grid[rows, :])
    curve.plot(film.tolerances, film.volumes_ml, "o-", color=INK, markersize=4, linewidth=1.5)
    curve.axvline(film.tolerances[film.used], color=OUTLINE, linestyle="--", linewidth=1.6)
    words = "dashed: used" if film.exact else "dashed: nearest in volume to the region, which grew without one"
    curve.set_xlabel(f"{film.label}; {words}", fontsize=9)
    curve.set_ylabel("volume, ml", fontsize=9)
    curve.set_yscale("log" if (film.volumes_ml > 0).all() else "linear")
    curve.tick_params(labelsize=8)
    curve.spines[["top", "right"]].set_visible(False)
    return stamp(figure, bool(series.record.get("simulated", False)))
