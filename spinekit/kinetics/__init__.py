"""From signal over time to maps: baseline, arrival, descriptive quantities."""

from __future__ import annotations

from spinekit.kinetics.curves import RoiCurve, roi_curve
from spinekit.kinetics.maps import parameter_maps

__all__ = ["RoiCurve", "parameter_maps", "roi_curve"]
