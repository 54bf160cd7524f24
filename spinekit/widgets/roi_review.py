"""Review the region: look at it, draw on it, change it in mm, accept or reject it."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as w
import numpy as np

from spinekit.viewmodels import RoiReview
from spinekit.viewmodels.review import IN_MM, OPERATIONS
from spinekit.widgets.viewer import LESION, PLANES, SliceViewer, unattended

__all__ = ["roi_review"]

LOOK, PAINT, ERASE = "look", "paint", "erase"
PENS = {LOOK: None, PAINT: LESION, ERASE: 0}


def roi_review(review: RoiReview, *, reader: str = "") -> w.Widget:
    """Return the widget in which a reader reviews a region; what is done lives in `review`."""
    if unattended():
        return w.HTML("Unattended run: the verdict comes from the parameters; the picture below shows the region.")
    return _Bench(review, reader).view


class _Bench:
    """Holds the parts of the view together; the state is the review's."""

    def __init__(self, review: RoiReview, reader: str) -> None:
        self.review = review
        self.viewer = SliceViewer(review.series)
        last = review.series.n_phases - 1
        self.phase = w.IntSlider(min=0, max=last, value=min(2, last), description="phase")
        self.mode = w.ToggleButtons(
            options=list(PENS), value=LOOK, description="mouse:", style={"button_width": "80px"}
        )
        self.mm = w.FloatSlider(min=0.5, max=10, step=0.5, value=1, description="mm")
        self.buttons = {
            name: w.Button(description=name.replace("_", " "), layout={"width": "110px"}) for name in OPERATIONS
        }
        self.undo = w.Button(description="undo", icon="undo", layout={"width": "110px"})
        self.redo = w.Button(description="redo", icon="repeat", layout={"width": "110px"})
        self.reader = w.Text(value=reader, description="initials", layout={"width": "220px"})
        self.reason = w.Text(description="reason", layout={"width": "340px"})
        self.accept = w.Button(description="accept", button_style="success", icon="check", layout={"width": "110px"})
        self.reject = w.Button(description="reject", button_style="danger", icon="times", layout={"width": "110px"})
        self.status = w.HTML()
        self.planes = w.ToggleButtons(options=list(PLANES), description="planes", style={"button_width": "68px"})
        self.planes.observe(lambda change: self.viewer.show_planes(change["new"]), names="value")
        self._connect()
        self.view = self._lay_out()
        self.viewer.show_phase(self.phase.value)
        self.refresh()

    def _lay_out(self) -> w.Widget:
        simulated = self.review.series.record.get("simulated")
        stamp = '<b style="color:#b00020">SIMULATED CASE, no patient.</b> ' if simulated else ""
        text = "Choose paint or erase and draw with the mouse. Every stroke and every step can be undone."
        grid = w.GridBox(list(self.buttons.values()), layout={"grid_template_columns": "repeat(3, 114px)"})
        side = w.VBox(
            [
                self.planes,
                self.phase,
                self.mode,
                self.mm,
                grid,
                w.HBox([self.undo, self.redo]),
                self.reader,
                self.reason,
                w.HBox([self.accept, self.reject]),
                self.status,
            ],
            layout={"width": "372px", "overflow": "hidden auto"},
        )
        left = w.VBox([w.HTML(stamp + text), self.viewer.widget], layout={"flex": "1 1 520px", "min_width": "420px"})
        return w.HBox([left, side], layout={"width": "100%"})

    def _connect(self) -> None:
        review = self.review
        self.phase.observe(lambda change: self.viewer.show_phase(change["new"]), names="value")
        self.mode.observe(lambda change: self.viewer.draw_with(PENS[change["new"]]), names="value")
        self.viewer.on_drawn(self._drawn)
        for name, button in self.buttons.items():
            button.on_click(
                lambda _, name=name: self._do(lambda: review.apply(name, self.mm.value if name in IN_MM else 0))
            )
        self.undo.on_click(lambda _: self._do(review.undo))
        self.redo.on_click(lambda _: self._do(review.redo))
        self.accept.on_click(lambda _: self._do(lambda: review.accept(self.reader.value, self.reason.value)))
        self.reject.on_click(lambda _: self._do(lambda: review.reject(self.reader.value, self.reason.value)))
        review.listen(self.refresh)

    def _do(self, action: Any) -> None:
        with self.review.keeping_failures():
            action()

    def _drawn(self, mask: Any) -> None:
        self._do(lambda: self.review.draw(mask))

    def refresh(self) -> None:
        """Show the state of the review."""
        review = self.review
        self.viewer.show_labels(review.mask.astype(np.uint8) * LESION)
        self.undo.disabled, self.redo.disabled = not review.can_undo, not review.can_redo
        self.status.value = self._status()

    def _status(self) -> str:
        review = self.review
        if review.failure is not None:
            return f'<p style="color:#b00020"><b>{html.escape(str(review.failure))}</b></p>'
        volume = review.mask.sum() * review.series.geometry.voxel_volume_mm3 / 1000
        if review.verdict is None:
            verdict = "not decided yet"
        else:
            accepted, reader, reason = review.verdict
            verdict = f"{'accepted' if accepted else 'rejected'} by {reader}" + (f": {reason}" if reason else "")
        doubts = "".join(f'<li style="color:#b00020">{html.escape(text)}</li>' for text in review.original.warnings)
        return f"<p><b>{volume:.2f} ml</b>; {html.escape(verdict)}</p><ul>{doubts}</ul>"
