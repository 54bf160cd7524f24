"""The slice viewer of the bench: its page draws and takes the mouse; this side sends images and answers.

Slices are drawn by a page of our own on plain canvases (`front/`), which scroll, window and draw without a word
to Python and without WebGL. Images go over as binary messages when the page asks for them, never as synchronised
state: a saved notebook holds none of them, and what is closed leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.viewmodels.model import ViewModel
from spinekit.viewmodels.probe import Probe
from spinekit.widgets.curve_svg import curve_svg
from spinekit.widgets.shown import Shown

__all__ = ["SliceBench", "replacing_earlier"]

FRONT = Path(__file__).with_name("front")
SCRIPTS = ("parts.js", "images.js", "pane.js", "tools.js", "bar.js", "panels.js", "store.js", "bench.js")
REGION_COLOUR, VOXEL_COLOUR, NEAR_COLOUR = "#d18f00", "#0087a0", "#7a8896"

# by cell: the execution that showed a bench, and the bench
_OPEN: dict[str, list[tuple[str, weakref.ref[SliceBench]]]] = {}


@cache
def _source() -> str:
    """Return the source of the bench's page, one module."""
    return "\n".join((FRONT / name).read_text(encoding="utf-8") for name in SCRIPTS)


def _door() -> str:
    """Return the few lines that every widget carries, which ask for the source."""
    version = hashlib.sha256(_source().encode()).hexdigest()[:16]
    return (FRONT / "door.js").read_text(encoding="utf-8").replace("{{version}}", version)


def _running_cell() -> tuple[str, str]:
    """Return the identity of the notebook cell that runs, and of this run of it; empty where there is none."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    parent = kernel.get_parent("shell") if kernel is not None else {}
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))


def replacing_earlier(bench: SliceBench) -> SliceBench:
    """Close what the same cell showed when it ran before, whose picture is gone; return the bench."""
    cell, run = _running_cell()
    if cell:
        shown = _OPEN.setdefault(cell, [])
        for _, earlier in [one for one in shown if one[0] != run]:
            before = earlier()
            if before is not None:
                before.close()
        shown[:] = [one for one in shown if one[0] == run]
        shown.append((run, weakref.ref(bench)))
    return bench


class SliceBench(anywidget.AnyWidget):
    """A page with panes, tools and a panel on one view-model. Subclasses answer its messages.

    Parameters
    ----------
    model : ViewModel
        What the reader changes.
    images : mapping of str to Shown
        The series first, then the sagittal T2 if there is one.
    series : DynamicSeries
        Where the curve under the crosshair comes from.
    n_baseline : int
        Phases before the contrast agent.
    """

    _esm = _door()
    _css = (FRONT / "bench.css").read_text(encoding="utf-8")

    def __init__(
        self, model: ViewModel, images: Mapping[str, Shown], *, series: DynamicSeries, n_baseline: int
    ) -> None:
        super().__init__()
        self.model, self.images, self.series = model, dict(images), series
        self.probe = Probe(series, n_baseline=n_baseline)
        self.python_ms: list[tuple[str, float]] = []  # what each answer took, for the benchmark
        self._cause, self._answering = 0, False
        self._shown_runs: dict[str, bytes] = {}
        self.answers: dict[str, Callable[..., None]] = {}
        self.on_msg(self._hear)
        model.listen(self._changed_elsewhere)

    # what a subclass says

    def panel(self) -> dict[str, Any]:
        """Return what the panel shows, as JSON values."""
        raise NotImplementedError

    def labels(self) -> Mapping[str, Any]:
        """Return what is laid over each image: labels (Z, Y, X) by the name of the image; 1 is the region."""
        raise NotImplementedError

    def region_curve(self) -> Any:
        """Return the relative enhancement (T,) of the region, or None."""
        return None

    # messages

    def _hear(self, _: Any, message: Mapping[str, Any], buffers: Any) -> None:
        kind = message["type"]
        if kind == "source":
            self.send({"type": "source", "text": _source()})
        elif kind == "ready":
            self._begin()
        elif kind == "frame":
            self._send_frame(str(message["image"]), int(message["frame"]))
        elif kind == "again":
            self._shown_runs.clear()
            self._push()
        elif kind == "cross":
            self.probe.move(message["ijk"])
            self._push_curve()
        else:
            self._answer(kind, message, buffers)

    def _send_frame(self, name: str, frame: int) -> None:
        self.send({"type": "frame", "image": name, "frame": frame}, [self.images[name].frame(frame)])

    def _answer(self, kind: str, message: Mapping[str, Any], buffers: Any) -> None:
        """Let the view-model change; whatever goes wrong is kept in it, shown, and raised at its gate."""
        started = time.perf_counter()
        self._cause = int(message.get("cause", self._cause))
        values = {k: v for k, v in message.items() if k not in ("type", "cause")}
        self._answering = True
        try:
            with self.model.keeping_failures():
                if kind == "failed":
                    raise RuntimeError(f"The page failed: {values['text']}")
                if kind not in self.answers:
                    raise KeyError(f"The page sent '{kind}', which nobody answers.")
                self.answers[kind](**values, **({"buffers": buffers} if buffers else {}))
                self.settle()
        finally:
            self._answering = False
        self._push(started)
        self.python_ms.append((kind, 1000 * (time.perf_counter() - started)))
        del self.python_ms[:-500]

    def settle(self) -> None:
        """Compute what an action leads to, so that what is refused there is kept as well."""

    def _changed_elsewhere(self) -> None:
        if not self._answering:  # by a cell or a test
            self._push()

    def _begin(self) -> None:
        order = [(name, frame) for name, image in self.images.items() for frame in image.frames_by_need()]
        order.sort(key=lambda one: one[1] != self.images[one[0]].first_frame)
        self.send({"type": "images", "images": [image.about(name) for name, image in self.images.items()],
                   "order": order})  # fmt: skip
        self._shown_runs.clear()
        self._push()

    def _push(self, started: float | None = None) -> None:
        """Send labels that have changed, the panel and the curve."""
        try:
            for name, labels in self.labels().items():
                runs = self.images[name].canvas.runs(labels).tobytes()
                if runs != self._shown_runs.get(name) or self._cause:
                    self._shown_runs[name] = runs
                    self.send({"type": "labels", "image": name, "sent": self._cause}, [runs])
            self._push_curve()
            said = self.panel()
        except Exception as reason:  # shown, kept, and raised at the gate
            self.model.failure = self.model.failure or reason
            said = self.panel()
        said["python_ms"] = 0.0 if started is None else 1000 * (time.perf_counter() - started)
        self.send({"type": "panel", "panel": {**said, "cause": self._cause}})

    def _push_curve(self) -> None:
        curves = {}
        region = self.region_curve()
        if region is not None:
            curves["region"] = (region, REGION_COLOUR)
        under = self.probe.under()
        if under is not None:
            curves["neighbours"] = (under.neighbours, NEAR_COLOUR)
            curves[f"voxel {', '.join(map(str, under.ijk))}"] = (under.voxel, VOXEL_COLOUR)
        svg = curve_svg(self.series.times_s, curves, n_baseline=self.probe.n_baseline)
        self.send({"type": "curve", "svg": svg})

    def mask_after(self, name: str, mask: Any, buffers: Any) -> Any:
        """Return a mask (Z, Y, X) after a stroke on an image: runs that were added, runs that were taken away."""
        canvas = self.images[name].canvas
        flat = np.array(canvas.to_viewer(np.asarray(mask, dtype=bool)), order="C").ravel()  # ours to change
        for runs, value in zip(buffers, (True, False), strict=True):
            for start, length in np.frombuffer(runs, dtype=np.uint32).reshape(-1, 2):
                if int(start) + int(length) > flat.size:
                    raise InputRefusedError(
                        "shape-mismatch",
                        found=f"A stroke reaches voxel {int(start) + int(length)} of an image of {flat.size}.",
                        expected="A stroke within the image.",
                        cause="The page shows another image.",
                        cure="Run the cell again.",
                    )
                flat[start : start + length] = value
        return canvas.from_viewer(flat.reshape(canvas.shape))

    def close(self) -> None:
        """Free the page, and let go of the images and the view-model."""
        self.model.unlisten(self._changed_elsewhere)
        self.images, self.answers = {}, {}
        layout = self.layout
        super().close()
        layout.close()  # a widget of its own, which would stay
