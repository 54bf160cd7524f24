"""How a region grew, as a film strip over tolerances."""

from __future__ import annotations

from typing import Any

from spinekit.case import DynamicSeries, Roi
from spinekit.plotting.film import growth_strip
from spinekit.plotting.style import window_of
from spinekit.segmentation.film import GrowthFilm, growth_film
from spinekit.widgets.results.plot import ResultPlot, slices_around
from spinekit.widgets.viewer import unattended

__all__ = ["growing_film"]


def growing_film(series: DynamicSeries, roi: Roi, *, n_baseline: int = 1, steps: int = 12) -> Any:
    """Show the region growing with the tolerance: strip, slider and volume curve move together.

    Parameters
    ----------
    series : DynamicSeries
    roi : Roi
        Grown by `spinekit.grow_region`; its record holds seeds and method. The film grows it again at
        tolerances around the one that was used, or over a range where there was none.
    n_baseline : int
        Phases before the contrast agent.
    steps : int
        Pictures of the film.

    Returns
    -------
    ResultPlot or matplotlib.figure.Figure
        A figure in an unattended run.

    Raises
    ------
    InputRefusedError
        ``seed-missing`` if the region did not grow from seeds.
    """
    film = growth_film(series, roi, n_baseline=n_baseline, steps=steps)
    if unattended():
        return growth_strip(series, film, n_baseline=n_baseline)
    return _plot(series, film, n_baseline)


def _plot(series: DynamicSeries, film: GrowthFilm, n_baseline: int) -> ResultPlot:
    slices = slices_around(film.born <= film.used, series.geometry)
    enhancement = series.signal[n_baseline:].max(axis=0) - series.signal[:n_baseline].mean(axis=0)
    data = slices.words() | {
        "simulated": bool(series.record.get("simulated", False)),
        "tolerances": film.tolerances,
        "volumes": film.volumes_ml,
        "used": film.used,
        "usedWords": "the tolerance used (dashed)" if film.exact else "nearest in volume to the region (dashed)",
        "toleranceLabel": film.label,
    }
    inside = enhancement[film.born <= film.used]
    limits = (0.0, 1.4 * window_of(inside if inside.size else enhancement)[1])  # vessels may be far brighter
    arrays = {"grey": slices.grey(enhancement, limits), "born": slices.of(film.born)}
    return ResultPlot("film", data, arrays)
