"""The slice viewer: NiiVue with our orientation, colours and bytes; scrolling happens in the browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Volume
from spinekit.widgets.canvas import Canvas

__all__ = ["BACKGROUND", "LESION", "MARK", "PLANES", "SliceViewer", "unattended"]

LESION, MARK, BACKGROUND = 1, 2, 3  # values of the drawing: region, lesion seed, background seed
RED, GREEN, BLUE = (
    (0, 255, 0, 255),
    (0, 176, 229, 77),
    (0, 0, 255, 109),
)  # amber, cyan, rose: told apart without red/green
PLANES = {"three": "MULTIPLANAR", "axial": "AXIAL", "sagittal": "SAGITTAL", "coronal": "CORONAL"}
UNATTENDED = "SPINEKIT_UNATTENDED"


def unattended() -> bool:
    """Whether the notebook runs with nobody in front of it, so that widgets are left out (set by ``spinekit run``)."""
    return os.environ.get(UNATTENDED) == "1"


class SliceViewer:
    """Axial, coronal and sagittal view of a series or volume, with a drawing over it.

    Parameters
    ----------
    image : DynamicSeries or Volume
        A series is shown phase by phase.
    height_px : int
        Height of the canvas.
    """

    def __init__(self, image: DynamicSeries | Volume, *, height_px: int = 450) -> None:
        from ipyniivue import ColorMap, MultiplanarType, NiiVue, ShowRender, SliceType
        from ipyniivue import Volume as Layer

        self.canvas = Canvas(image.geometry)
        values = image.signal if isinstance(image, DynamicSeries) else image.values
        self.n_phases = values.shape[0] if values.ndim == 4 else 1
        low, high = np.nanpercentile(values[..., ::2, ::4, ::4], [1, 99.7])
        self.limits = float(low), float(high) if high > low else float(low) + 1.0
        self.widget = NiiVue(
            height=height_px,
            is_radiological_convention=True,
            sagittal_nose_left=True,
            is_colorbar=False,
            crosshair_color=(0.0, 0.9, 1.0, 0.7),
            crosshair_width=0.6,
            crosshair_gap=4.0,
            back_color=(0.0, 0.0, 0.0, 1.0),
            is_nearest_interpolation=True,
            multiplanar_pad_pixels=4,
            multiplanar_show_render=ShowRender.NEVER,
            multiplanar_layout=MultiplanarType.GRID,
            show_all_orientation_markers=True,
            font_color=(1.0, 0.85, 0.3, 1.0),
            drag_and_drop_enabled=False,
        )
        self.widget.set_slice_type(SliceType.MULTIPLANAR)
        self._layer = Layer(
            data=self.canvas.nifti(values),
            name="image.nii",
            colormap="gray",
            cal_min=self.limits[0],
            cal_max=self.limits[1],
            colorbar_visible=False,
        )
        self._labels: Any = None  # what the drawing is to show, flat
        self._pen: int | None = None
        self._ready = False  # whether the browser holds a drawing of the right size
        self._sending = False
        self._drawn: Callable[[Any], None] | None = None
        self.widget.on_image_loaded(lambda _: self._begin_drawing())
        self.widget.observe(self._arrived, names="draw_bitmap")
        self.widget.load_volumes([self._layer])
        self.widget.set_draw_colormap(
            ColorMap(
                R=list(RED),
                G=list(GREEN),
                B=list(BLUE),
                A=[0, 255, 255, 255],
                labels=["", "region", "seed", "background"],
            )
        )
        self.widget.draw_opacity = 0.45
        self.place: tuple[int, int, int] | None = None  # voxel under the crosshair

    def show_planes(self, name: str) -> None:
        """Show one plane, or three, by the names of `PLANES`."""
        from ipyniivue import SliceType

        self.widget.set_slice_type(SliceType[PLANES[name]])

    def show_phase(self, t: int) -> None:
        """Show another phase of a series."""
        self._layer.frame_4d = int(t)

    def show_window(self, low: float, high: float) -> None:
        """Set the signal shown black and white."""
        self._layer.cal_min, self._layer.cal_max = float(low), float(high)

    def _begin_drawing(self) -> None:
        """Make the browser lay out an empty drawing, once the image is there; its bitmap comes back as the answer."""
        self._ready = False
        with self._quietly():
            self.widget.draw_bitmap = None
        self.widget.set_drawing_enabled(True)
        self.widget.set_drawing_enabled(False)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self._sending = True
        try:
            yield
        finally:
            self._sending = False

    def _arrived(self, change: dict[str, Any]) -> None:
        bitmap = change["new"]
        if self._sending or bitmap is None or bitmap.size != int(np.prod(self.canvas.shape)):
            return
        self._ready = True
        if self._drawn is not None and self._pen is not None:
            self._labels = np.array(bitmap, dtype=np.uint8)
            self._drawn(self.canvas.mask_from_bitmap(bitmap, LESION))
        elif self._labels is not None and not np.array_equal(bitmap, self._labels):
            self._send_labels()  # nobody draws: what is shown is Python's to say

    def _send_labels(self) -> None:
        if self._ready and self._labels is not None:
            with self._quietly():
                self.widget.draw_bitmap = self._labels

    def show_labels(self, labels: Any) -> None:
        """Lay labels (Z, Y, X) over the image, in the colours of the region and the seeds."""
        self._labels = self.canvas.bitmap_from(labels)
        self._send_labels()

    def on_move(self, callback: Callable[[tuple[int, int, int]], None]) -> None:
        """Call back with the voxel (i, j, k) whenever the crosshair moves to another one inside the image."""

        def moved(location: dict[str, Any]) -> None:
            ijk = self.canvas.index_at(location["mm"])
            if ijk != self.place and self.canvas.geometry.contains(ijk):
                self.place = ijk
                callback(ijk)

        self.widget.on_location_change(moved)

    def on_click(self, callback: Callable[[tuple[int, int, int]], None]) -> None:
        """Call back with the voxel (i, j, k) under the crosshair when the mouse button is let go without a drag."""

        def released(event: dict[str, Any]) -> None:
            if self._pen is None and not event.get("is_dragging") and self.place is not None:
                callback(self.place)

        self.widget.on_mouse_up(released)

    def draw_with(self, pen: int | None, *, filled: bool = False) -> None:
        """Let the mouse draw with a pen value (0 erases); None gives the mouse back to the crosshair."""
        self.widget.set_drawing_enabled(False)
        self._pen = pen
        if pen is not None:
            self.widget.set_pen_value(pen, filled)
            self.widget.set_drawing_enabled(True)

    def on_drawn(self, callback: Callable[[Any], None]) -> None:
        """Call back with the mask (Z, Y, X) after every stroke."""
        self._drawn = callback

        def stroke_ended(_: dict[str, Any]) -> None:
            if self._pen is not None:  # the browser hands the bitmap over when drawing ends
                self.widget.set_drawing_enabled(False)
                self.widget.set_drawing_enabled(True)

        self.widget.on_mouse_up(stroke_ended)

    def close(self) -> None:
        """Free the viewer in Python and in the browser."""
        self.widget.close()
