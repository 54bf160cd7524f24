"""The enhancement curve of a region, with its spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, require_baseline
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid
from spinekit.kinetics.descriptive import curve_type, relative_enhancement
from spinekit.quantities import CURVE_TYPES

__all__ = ["RoiCurve", "roi_curve"]


@dataclass(frozen=True)
class RoiCurve:
    """The curve of a region: arrays of shape (T,), relative enhancement in units of the baseline."""

    times_s: Any
    signal_mean: Any
    median: Any
    lower_quartile: Any
    upper_quartile: Any
    curve_type: str


def roi_curve(series: DynamicSeries, roi: Roi, *, n_baseline: int = 1) -> RoiCurve:
    """Return the median relative enhancement of a region over time, with quartiles over its voxels.

    Voxels without a positive baseline are left out. The curve type is that of the mean signal.

    Raises
    ------
    InputRefusedError
        ``roi-empty``, or ``roi-not-finite`` if no voxel has a positive, finite signal.
    """
    require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    require_baseline(n_baseline, series.n_phases)
    values = series.signal[:, roi.mask].astype(np.float64)
    enhancement = relative_enhancement(values, n_baseline=n_baseline)
    usable = np.isfinite(enhancement).all(axis=0)
    if not usable.any():
        raise InputRefusedError(
            "roi-empty" if not roi.mask.any() else "roi-not-finite",
            found=f"None of the {roi.n_voxels} voxels of the region has a positive, finite baseline signal.",
            expected="Voxels with signal.",
            cause="The region may lie in air, or the series holds NaN there.",
            cure="Move the region.",
        )
    low, middle, high = np.percentile(enhancement[:, usable], [25, 50, 75], axis=1)
    mean = values[:, usable].mean(axis=1)
    kind = curve_type(mean, series.times_s, n_baseline=n_baseline, bat_s=float(series.times_s[n_baseline - 1]))
    word = CURVE_TYPES[int(kind)] if np.isfinite(kind) else "no uptake"
    return RoiCurve(series.times_s, mean, middle, low, high, word)
