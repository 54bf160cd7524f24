"""The slice viewer: NiiVue with our orientation, colours and bytes; scrolling happens in the browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Volume
from spinekit.widgets.canvas import Canvas

__all__ = ["BACKGROUND", "LESION", "MARK", "SliceViewer", "unattended"]

LESION, MARK, BACKGROUND = 1, 2, 3  # values of the drawing: region, lesion seed, background seed
RED, GREEN, BLUE = (
    (0, 255, 0, 255),
    (0, 176, 229, 77),
    (0, 0, 255, 109),
)  # amber, cyan, rose: told apart without red/green
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

    def __init__(self, image: DynamicSeries | Volume, *, height_px: int = 460) -> None:
        from ipyniivue import ColorMap, NiiVue, SliceType
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

    def show_phase(self, t: int) -> None:
        """Show another phase of a series."""
        self._layer.frame_4d = int(t)

    def show_window(self, low: float, high: float) -> None:
        """Set the signal shown black and white."""
        self._layer.cal_min, self._layer.cal_max = float(low), float(high)

    def show_labels(self, labels: Any) -> None:
        """Lay labels (Z, Y, X) over the image, in the colours of the region and the seeds."""
        self.widget.draw_bitmap = self.canvas.bitmap_from(labels)

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
            if not event.get("is_dragging") and self.place is not None:
                callback(self.place)

        self.widget.on_mouse_up(released)

    def draw_with(self, pen: int | None, *, filled: bool = False) -> None:
        """Let the mouse draw with a pen value (0 erases); None gives the mouse back to the crosshair."""
        if pen is None:
            self.widget.set_drawing_enabled(False)
            return
        self.widget.set_pen_value(pen, filled)
        self.widget.set_drawing_enabled(True)

    def on_drawn(self, callback: Callable[[Any], None]) -> None:
        """Call back with the mask (Z, Y, X) when a drawing arrives from the browser."""

        def arrived(change: dict[str, Any]) -> None:
            if change["new"] is not None and change["new"].size == int(np.prod(self.canvas.shape)):
                callback(self.canvas.mask_from_bitmap(change["new"], LESION))

        self.widget.observe(arrived, names="draw_bitmap")

    def close(self) -> None:
        """Free the viewer in Python and in the browser."""
        self.widget.close()
