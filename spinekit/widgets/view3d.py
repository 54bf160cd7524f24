"""Image and region in 3-D with itkwidgets, opened only where a live browser has everything that it needs.

After ``itkwidgets.view()`` the kernel waits with every further cell until a browser has drawn the picture. In a batch
run, without WebGL, or where the viewer's files are absent that would be for ever. So the browser is asked first: a
small widget reports what it finds, and only its answer calls itkwidgets. Where nothing answers nothing is called. And
since no cell of ours asks the viewer anything, the next cells run without waiting for it.
"""

from __future__ import annotations

import html
import os
from typing import Any

import anywidget
import ipywidgets as w
import numpy as np
import traitlets

from spinekit.case import Roi, Volume
from spinekit.labextension import CURE, install, state
from spinekit.widgets.view3d_scene import Scene, scene_of
from spinekit.widgets.viewer import unattended

__all__ = ["View3D", "view_3d"]

HEIGHT = "460px"
BACKGROUND = (0.15, 0.16, 0.18, 1.0)  # dark enough for faint anatomy, light enough for the viewer's black menu
LABEL_SHARE = 0.9  # of the region's colour over the image
EDGES = 0.15  # how far tissue without edges is made transparent: at more the region is hard to see
SOFTWARE_VOXELS = 60_000  # where the processor draws; JupyterLab stands still while a frame is drawn
SLOW = (
    "This browser draws 3-D with the processor, not with a graphics card: the view is coarse, and turning it is slow. "
    "The figure below shows the region from three sides."
)
ASK = """
const pause = ms => new Promise(done => setTimeout(done, ms));
async function render({ model, el }) {
  el.style.display = 'none';
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('webgl2');
  const webgl = context !== null;
  const told = context?.getExtension('WEBGL_debug_renderer_info');
  const renderer = told ? context.getParameter(told.UNMASKED_RENDERER_WEBGL) : '';
  const software = /swiftshader|llvmpipe|software|basic render/i.test(renderer);
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  const offline = window.spinekitOffline !== undefined;
  for (let n = 0; n < 100 && offline && webgl && typeof window.connectPlugin !== 'function'; n++) await pause(200);
  const imjoy = typeof window.connectPlugin === 'function';
  window.spinekitPage ??= String(Math.random());
  model.send({ webgl, software, offline, imjoy, page: window.spinekitPage });
}
export default { render };
"""


class _Question(anywidget.AnyWidget):
    """Asks the browser that shows it what is there."""

    _esm = ASK
    asked = traitlets.Bool(True).tag(sync=True)


def view_3d(image: Volume, roi: Roi | None = None, *, simulated: bool = False) -> Any:
    """Show an image with its region in 3-D; a static figure where nobody sits in front of it.

    Parameters
    ----------
    image : Volume
        What is shown, such as ``series.phase(-1)``.
    roi : Roi, optional
        Shown as a label; the scene is cut to its surroundings.
    simulated : bool
        Stamp the view as simulated.

    Returns
    -------
    ipywidgets.Widget or matplotlib.figure.Figure
        A figure in an unattended run (`spinekit run` sets that). Otherwise a widget that opens the viewer once a
        browser has answered, and says in words why it did not.
    """
    if unattended():
        from spinekit.plotting import region_within_image

        return region_within_image(image, roi, simulated=simulated)
    return View3D(image, roi, simulated=simulated)


class View3D(w.VBox):
    """Asks the browser, opens the viewer, or says why not; holds no choice of the reader.

    Attributes
    ----------
    viewer : itkwidgets viewer or None
        Once it was opened.
    failure : Exception or None
        What opening it raised.
    """

    def __init__(self, image: Volume, roi: Roi | None = None, *, simulated: bool = False) -> None:
        self.scene = scene_of(image, roi)
        self._coarse = lambda: scene_of(image, roi, most_voxels=SOFTWARE_VOXELS)
        self.viewer: Any = None
        self.failure: Exception | None = None
        self._page: str | None = None
        self._stamp = '<b style="color:#b00020">SIMULATED CASE, no patient.</b> ' if simulated else ""
        self.status = w.HTML(f"{self._stamp}Waiting for the browser to open the 3-D view.")
        self.place = w.Output()
        self.button = w.Button(description="open the 3-D view", icon="cube", layout={"display": "none"})
        self.button.on_click(lambda _: self._opened())
        question = _Question()
        question.on_msg(self._answered)
        super().__init__([self.status, self.button, question, self.place])

    def _answered(self, _: Any, answer: dict[str, Any], __: Any) -> None:
        if answer["page"] == self._page:
            return  # the same page shows the widget a second time
        self._page = answer["page"]
        lacks = _what_is_lacking(answer)
        if lacks:
            self.status.value = f'{self._stamp}<span style="color:#b00020">{lacks}</span>'
            return
        if answer.get("software"):
            self.scene = self._coarse()
            self.button.layout.display = ""
            self.status.value = f"{self._stamp}{SLOW}"
            return
        self._opened()

    def _opened(self) -> None:
        self.button.layout.display = "none"
        try:
            self._open()
        except Exception as reason:  # the reader is told, and the notebook goes on
            self.failure = reason
            text = html.escape(f"{type(reason).__name__}: {reason}")
            self.status.value = f'{self._stamp}<span style="color:#b00020">The 3-D viewer failed: {text}</span>'

    def _open(self) -> None:
        os.environ.setdefault("IMJOY_RPC_CONNECTION", "jupyter")  # it would be guessed, and outside a cell wrongly
        from itkwidgets import view

        region = " The coloured part is the region." if self.scene.roi is not None else ""
        self.status.value = (
            f"{self._stamp}Turn with the left button, move with the middle, zoom with the wheel; the menu (top left) "
            f"has planes, opacity and cropping.{region}"
        )
        with self.place:
            self.place.outputs = ()
            self.viewer = view(**_arguments(self.scene))
        _let_cells_run(self.viewer)


def _what_is_lacking(answer: dict[str, Any]) -> str:
    if not answer["webgl"]:
        return (
            "This browser offers no WebGL, which the 3-D viewer needs. The figure below shows the region from three "
            "sides; to turn it, allow hardware acceleration in the browser's settings, or use another browser."
        )
    if not answer["offline"]:
        return _laid_down()
    if not answer["imjoy"]:
        return (
            "The extension 'imjoy-jupyterlab-extension', which comes with itkwidgets, is not active: run "
            "'jupyter labextension list' in the environment of JupyterLab, enable it, and reload the page."
        )
    return ""


def _laid_down() -> str:
    """Lay down the viewer's files, which this JupyterLab does not serve yet, and say what to do next."""
    try:
        if not state().complete:
            install()
            return "The files of the 3-D viewer had not been installed; now they are. Reload the page of JupyterLab."
    except OSError as reason:
        return f"The files of the 3-D viewer are not installed ({html.escape(str(reason.strerror))}): {CURE}."
    return (
        "The files of the 3-D viewer are installed, but this page was opened before, or JupyterLab runs in another "
        "environment than this kernel. Reload the page; if that does not help, run 'python -m spinekit.labextension "
        "--user'."
    )


def _arguments(scene: Scene) -> dict[str, Any]:
    """Return what `itkwidgets.view` is called with."""
    chosen: dict[str, Any] = {
        "image": _ngff(scene.image.values, scene.image),
        "ui_collapsed": True,
        "container_style": {"height": HEIGHT},
        "cmap": "Grayscale",
        "bg_color": list(BACKGROUND),
        "gradient_opacity": EDGES,
    }
    if scene.roi is not None and scene.roi.mask.any():
        chosen["label_image"] = _ngff(scene.roi.mask.astype(np.uint8), scene.image)
        chosen["label_blend"] = LABEL_SHARE
    return chosen


def _ngff(values: Any, like: Volume) -> Any:
    """Return an array (Z, Y, X) as itkwidgets takes it: one resolution, position in LPS mm."""
    from ngff_zarr import to_multiscales, to_ngff_image

    axes = ("z", "y", "x")
    image = to_ngff_image(
        np.ascontiguousarray(values),
        dims=list(axes),
        scale=dict(zip(axes, like.geometry.spacing_mm[::-1], strict=True)),
        translation=dict(zip(axes, like.geometry.origin_mm[::-1], strict=True)),
        axes_units=dict.fromkeys(axes, "millimeter"),
    )
    return to_multiscales(image, scale_factors=[])


def _let_cells_run(viewer: Any) -> None:
    """Let the next cells run at once: none of ours asks the viewer anything, and a page may be closed meanwhile."""
    from itkwidgets import viewer as module

    if module._cell_watcher is not None:  # itkwidgets offers no other way not to wait
        module._cell_watcher.update_viewer_status(viewer.name, True)
