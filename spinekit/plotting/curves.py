"""The enhancement curve of a region, with its spread."""

from __future__ import annotations

from matplotlib.figure import Figure

from spinekit.case import DynamicSeries, Roi
from spinekit.kinetics import roi_curve
from spinekit.plotting.style import INK, OUTLINE, new_figure, stamp

__all__ = ["enhancement_curve"]


def enhancement_curve(series: DynamicSeries, roi: Roi, *, n_baseline: int = 1) -> Figure:
    """Show the median relative enhancement of a region over time, with the quartiles over its voxels.

    Dots lie at the true times of the phases; the grey band marks the baseline.
    """
    curve = roi_curve(series, roi, n_baseline=n_baseline)
    figure = new_figure(3.6, width_in=7.5)
    axes = figure.subplots()
    axes.fill_between(curve.times_s, curve.lower_quartile, curve.upper_quartile, color=OUTLINE, alpha=0.28, linewidth=0,
                      label="middle half of the voxels")  # fmt: skip
    axes.plot(curve.times_s, curve.median, "o-", color=INK, markersize=4, linewidth=1.6, label="median of the region")
    axes.axhline(0, color="0.6", linewidth=0.8)
    last = float(curve.times_s[n_baseline - 1])
    axes.axvspan(-0.02 * float(curve.times_s[-1]), last, color="0.9", zorder=0, label="baseline")
    axes.set_xlabel("time after the first phase, s")
    axes.set_ylabel("relative enhancement S/S_BL − 1")
    size = f"{roi.n_voxels} voxels, {roi.volume_ml:.2f} ml"
    axes.set_title(f"{size}; curve type of the mean: {curve.curve_type}", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return stamp(figure, bool(series.record.get("simulated", False)))
