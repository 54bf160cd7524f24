"""Look at a series: linked planes, phases, enhancement, the curve under the crosshair. Nothing is chosen here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as w

from spinekit.case import DynamicSeries, Volume
from spinekit.viewmodels import ViewModel
from spinekit.widgets.shown import Shown
from spinekit.widgets.slice_bench import SliceBench, replacing_earlier
from spinekit.widgets.viewer import unattended

__all__ = ["series_view"]


def series_view(series: DynamicSeries, *, t2: Volume | None = None, n_baseline: int = 1) -> w.Widget:
    """Return a bench to look at a series and its T2."""
    if unattended():
        return w.HTML("Unattended run: the pictures below show the series.")
    return replacing_earlier(_LookBench(series, t2, n_baseline))


class _LookBench(SliceBench):
    def __init__(self, series: DynamicSeries, t2: Volume | None, n_baseline: int) -> None:
        images = {"series": Shown(series, "CE", n_baseline=n_baseline)}
        if t2 is not None:
            images["t2"] = Shown(t2, "T2", native_only=True)
        super().__init__(ViewModel(), images, series=series, n_baseline=n_baseline)

    def labels(self) -> Mapping[str, Any]:
        return {}

    def panel(self) -> dict[str, Any]:
        series, size = self.series, " × ".join(map(str, self.series.geometry.size))
        return {
            "kind": "look",
            "tools": ["look"],
            "first_tool": "look",
            "simulated": bool(series.record.get("simulated")),
            "failure": None if self.model.failure is None else str(self.model.failure),
            "has_region": True,
            "headline": f"{series.n_phases} phases",
            "detail": f"{size} voxels, {series.times_s[-1]:.0f} s, {self.probe.n_baseline} before the contrast agent",
            "doubts": [text.split("] ", 1)[-1] for text in series.warnings],
            "seeds": [],
            "marks": [],
        }
