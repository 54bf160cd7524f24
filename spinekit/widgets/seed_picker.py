"""Mark the lesion: click seeds, watch the region grow, see the curve under the crosshair."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as w
import numpy as np

from spinekit.kinetics import roi_curve
from spinekit.kinetics.descriptive import relative_enhancement
from spinekit.viewmodels import SeedSelection
from spinekit.widgets.curve_svg import curve_svg
from spinekit.widgets.viewer import BACKGROUND, LESION, MARK, PLANES, SliceViewer, unattended

__all__ = ["seed_picker"]

AMBER, CYAN = "#c98a00", "#0097a7"
LOOK, PLACE, REPEL = "look", "lesion seed", "background seed"


def seed_picker(selection: SeedSelection) -> w.Widget:
    """Return the widget in which a reader marks the lesion; what is chosen lives in `selection`."""
    if unattended():
        return w.HTML("Unattended run: the choices come from the parameters; the picture below shows them.")
    return _Picker(selection).view


class _Picker:
    """Holds the parts of the view together; the state is the selection's."""

    def __init__(self, selection: SeedSelection) -> None:
        self.selection = selection
        series = selection.series
        self.viewer = SliceViewer(series)
        self.mode = w.ToggleButtons(
            options=[LOOK, PLACE, REPEL],
            value=PLACE,
            description="a click:",
            tooltips=["only moves the crosshair", "places a seed in the lesion", "places a seed that repels"],
            style={"button_width": "104px"},
        )
        self.phase = w.IntSlider(
            min=0,
            max=series.n_phases - 1,
            value=min(selection.n_baseline + 1, series.n_phases - 1),
            description="phase",
            continuous_update=True,
        )
        low, high = self.viewer.limits
        self.window = w.FloatRangeSlider(
            min=min(0.0, low),
            max=1.6 * high,
            value=(low, high),
            step=max(high / 200, 1e-6),
            description="window",
            readout_format=".3g",
        )
        growing = selection.growing
        self.method = w.Dropdown(
            options=["curve", "confidence", "threshold"], value=growing.method, description="method"
        )
        self.tolerance = w.FloatSlider(
            min=0,
            max=6,
            step=0.05,
            value=growing.tolerance,
            description="tolerance",
            readout_format=".2f",
            tooltip="0 finds the sharpest border",
            continuous_update=False,
        )
        self.volume = w.FloatSlider(
            min=1, max=500, step=1, value=growing.max_volume_ml, description="cap, ml", continuous_update=False
        )
        self.radius = w.FloatSlider(
            min=5, max=150, step=1, value=growing.max_radius_mm, description="radius, mm", continuous_update=False
        )
        self.cut = w.Checkbox(value=growing.cut_leaks, description="cut at a thin neck", indent=False)
        self.options = {
            "method": self.method,
            "tolerance": self.tolerance,
            "max_volume_ml": self.volume,
            "max_radius_mm": self.radius,
            "cut_leaks": self.cut,
        }
        self._following = False  # while controls are moved to where the selection stands
        self.undo = w.Button(description="undo", icon="undo", layout={"width": "84px"})
        self.redo = w.Button(description="redo", icon="repeat", layout={"width": "84px"})
        self.clear = w.Button(description="clear", icon="trash", layout={"width": "84px"})
        self.status, self.curve, self.seeds = w.HTML(), w.HTML(), w.HTML()
        self._under: tuple[int, int, int] | None = None
        self.planes = w.ToggleButtons(options=list(PLANES), description="planes", style={"button_width": "68px"})
        self.planes.observe(lambda change: self.viewer.show_planes(change["new"]), names="value")
        self._connect()
        self.view = self._lay_out()
        self.viewer.show_phase(self.phase.value)
        self.refresh()

    def _lay_out(self) -> w.Widget:
        simulated = self.selection.series.record.get("simulated")
        stamp = '<b style="color:#b00020">SIMULATED CASE, no patient.</b> ' if simulated else ""
        text = (
            "Scroll through the slices with the wheel, move the crosshair with a click, change the window with the "
            "right button. Amber is the region, cyan the seed."
        )
        buttons = w.HBox([self.undo, self.redo, self.clear])
        side = w.VBox(
            [
                self.mode,
                self.planes,
                self.phase,
                self.window,
                self.method,
                self.tolerance,
                self.volume,
                self.radius,
                self.cut,
                buttons,
                self.status,
                self.curve,
                self.seeds,
            ],
            layout={"width": "372px", "overflow": "hidden auto"},
        )
        left = w.VBox([w.HTML(stamp + text), self.viewer.widget], layout={"flex": "1 1 520px", "min_width": "420px"})
        return w.HBox([left, side], layout={"width": "100%"})

    def _connect(self) -> None:
        selection = self.selection
        self.viewer.on_click(self._clicked)
        self.viewer.on_move(self._moved)
        self.phase.observe(lambda change: self.viewer.show_phase(change["new"]), names="value")
        self.window.observe(lambda change: self.viewer.show_window(*change["new"]), names="value")
        for name, control in self.options.items():
            control.observe(lambda change, name=name: self._set(name, change["new"]), names="value")
        self.undo.on_click(lambda _: self._do(selection.undo))
        self.redo.on_click(lambda _: self._do(selection.redo))
        self.clear.on_click(lambda _: self._do(selection.clear))
        selection.listen(self.refresh)

    def _do(self, action: Any) -> None:
        with self.selection.keeping_failures():
            action()
            _ = self.selection.roi  # what growing refuses is kept as well

    def _set(self, name: str, value: Any) -> None:
        if not self._following:
            self._do(lambda: self.selection.set(**{name: value}))

    def _clicked(self, ijk: tuple[int, int, int]) -> None:
        if self.mode.value != LOOK:
            self._do(lambda: self.selection.add(*ijk, background=self.mode.value == REPEL))

    def _moved(self, ijk: tuple[int, int, int]) -> None:
        self._under = ijk
        self._show_curve()

    def refresh(self) -> None:
        """Show the state of the selection."""
        selection = self.selection
        labels = np.zeros(selection.series.geometry.shape_zyx, dtype=np.uint8)
        failure = selection.failure
        roi = None if failure is not None else selection.roi
        if roi is not None:
            labels[roi.mask] = LESION
        for seed in selection.seeds:
            z, y, x = seed.zyx
            value = BACKGROUND if seed.background else MARK
            labels[z, max(0, y - 1) : y + 2, x] = value
            labels[z, y, max(0, x - 1) : x + 2] = value
        self.viewer.show_labels(labels)
        self._following = True
        for name, control in self.options.items():
            control.value = getattr(selection.growing, name)
        self._following = False
        self.undo.disabled, self.redo.disabled = not selection.can_undo, not selection.can_redo
        self.status.value = self._status(roi)
        self.seeds.value = self._seed_table()
        self._show_curve()

    def _status(self, roi: Any) -> str:
        if self.selection.failure is not None:
            return f'<p style="color:#b00020"><b>{html.escape(str(self.selection.failure))}</b></p>'
        if roi is None:
            return "<p>No seed yet: click the middle of the lesion.</p>"
        doubts = "".join(f'<li style="color:#b00020">{html.escape(text)}</li>' for text in roi.warnings)
        return f"<p><b>{roi.volume_ml:.2f} ml</b>, {roi.n_voxels} voxels</p><ul>{doubts}</ul>"

    def _seed_table(self) -> str:
        rows = "".join(
            f"<tr><td>{'background' if s.background else 'lesion'}</td><td>{s.i}, {s.j}, {s.k}</td>"
            f"<td>{', '.join(f'{v:.1f}' for v in self.selection.series.geometry.index_to_mm(s.ijk))}</td></tr>"
            for s in self.selection.seeds
        )
        return f"<table><tr><th>seed</th><th>i, j, k</th><th>L, P, S mm</th></tr>{rows}</table>" if rows else ""

    def _show_curve(self) -> None:
        series, n_baseline = self.selection.series, self.selection.n_baseline
        curves: dict[str, tuple[Any, str]] = {}
        roi = None if self.selection.failure is not None else self.selection.roi
        if roi is not None and roi.mask.any():
            curves["region"] = (roi_curve(series, roi, n_baseline=n_baseline).median, AMBER)
        if self._under is not None:
            i, j, k = self._under
            near = series.signal[:, k, max(0, j - 1) : j + 2, max(0, i - 1) : i + 2].reshape(series.n_phases, -1)
            mean = near.mean(axis=1, dtype=np.float64)
            curves[f"{i}, {j}, {k}"] = (relative_enhancement(mean, n_baseline=n_baseline), CYAN)
        self.curve.value = curve_svg(series.times_s, curves, n_baseline=n_baseline) if curves else ""
