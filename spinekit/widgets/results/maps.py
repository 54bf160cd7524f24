"""A map with the curve of every voxel behind it, and its histogram with a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi
from spinekit.geometry import require_same_grid
from spinekit.kinetics import roi_curve
from spinekit.kinetics.descriptive import relative_enhancement
from spinekit.plotting.maps import colours_of, display_name, value_limits
from spinekit.plotting.style import window_of
from spinekit.widgets.results.plot import ResultPlot, require_region, slices_around
from spinekit.widgets.viewer import unattended

__all__ = ["map_explorer"]

STEPS = 65534  # curves travel as 16-bit numbers, finer than any screen; the number after the last is 'undefined'


def map_explorer(
    maps: ParameterMaps,
    series: DynamicSeries,
    roi: Roi,
    *,
    n_baseline: int = 1,
    names: Sequence[str] | None = None,
    fitted: Any = None,
) -> Any:
    """Show maps in the region; the voxel under the mouse shows its curve, a threshold lights up voxels.

    Parameters
    ----------
    maps : ParameterMaps
    series : DynamicSeries
        On the grid of the maps; its last phase is the picture under them.
    roi : Roi
    n_baseline : int
        Phases before the contrast agent.
    names : sequence of str, optional
        Maps to choose from; all but the curve type if not given.
    fitted : ndarray of shape (T, Z, Y, X), optional
        Relative enhancement of the fitted model, drawn beside the measured curve.

    Returns
    -------
    ResultPlot or matplotlib.figure.Figure
        A figure in an unattended run.
    """
    require_region(roi)
    require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    wanted = [name for name in names or maps if name != "curve_type"]
    if unattended():
        from spinekit.plotting import map_question

        return map_question(maps, series, roi, n_baseline=n_baseline, name=wanted[0])
    data, arrays = _prepared(maps, series, roi, n_baseline, wanted, fitted)
    return ResultPlot("map", data, arrays)


def _prepared(
    maps: ParameterMaps, series: DynamicSeries, roi: Roi, n_baseline: int, names: Sequence[str], fitted: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    slices = slices_around(roi.mask, roi.geometry)
    places = np.argwhere(roi.mask)
    number = np.full(roi.mask.shape, -1, dtype=np.int32)
    number[roi.mask] = np.arange(len(places), dtype=np.int32)
    signal = np.asarray(series.signal[:, roi.mask], dtype=np.float64)
    curves = relative_enhancement(signal, n_baseline=n_baseline)
    model = None if fitted is None else np.asarray(fitted)[:, roi.mask]
    low, step = _steps(curves, model)
    region = roi_curve(series, roi, n_baseline=n_baseline)
    last = series.signal[-1]
    arrays = {
        "grey": slices.grey(last, window_of(last)),
        "number": slices.of(number),
        "maps": np.stack([maps[name].within(roi).astype(np.float32) for name in names]),
        "ijk": places[:, ::-1].astype(np.int32),
        "curves": _as_steps(curves, low, step),
    }
    if model is not None:
        arrays["fitted"] = _as_steps(model, low, step)
    data = slices.words() | {
        "simulated": bool(series.record.get("simulated", False)),
        "times": series.times_s,
        "nBaseline": n_baseline,
        "regionCurve": region.median,
        "regionLow": region.lower_quartile,
        "regionHigh": region.upper_quartile,
        "curveLow": low,
        "curveStep": step,
        "voxelMl": roi.geometry.voxel_volume_mm3 / 1000.0,
        "maps": [_described(maps, name, roi) for name in names],
    }
    return data, arrays


def _described(maps: ParameterMaps, name: str, roi: Roi) -> dict[str, Any]:
    low, high = value_limits(name, maps[name].within(roi))
    unit = maps[name].unit
    return {
        "name": name,
        "title": display_name(name),
        "unit": "" if unit == "1" else unit,
        "low": low,
        "high": high,
        "lut": colours_of(name).ravel(),
    }


def _steps(curves: Any, fitted: Any) -> tuple[float, float]:
    both = curves if fitted is None else np.concatenate([curves, fitted], axis=1)
    finite = both[np.isfinite(both)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return low, (high - low) / STEPS or 1.0


def _as_steps(curves: Any, low: float, step: float) -> Any:
    finite = np.isfinite(curves)
    return np.where(finite, np.rint((np.where(finite, curves, low) - low) / step), STEPS + 1).astype(np.uint16)
