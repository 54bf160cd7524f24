"""NiiVue, for who wants it: the same image on ipyniivue's canvas, in three planes or as a volume; needs WebGL."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.widgets.canvas import Canvas

__all__ = ["niivue_view", "unattended"]

UNATTENDED = "SPINEKIT_UNATTENDED"
OVERLAY_OPACITY = 0.45


def unattended() -> bool:
    """Whether the notebook runs with nobody in front of it, so that widgets are left out (set by ``spinekit run``)."""
    return os.environ.get(UNATTENDED) == "1"


def niivue_view(image: DynamicSeries | Volume, *, roi: Roi | None = None, height_px: int = 450) -> Any:
    """Return an image and a region in NiiVue, to look at; the benches mark and review.

    Phases are changed with ``view.volumes[0].frame_4d = k``. The view holds 5 MB of its own source and the image
    in its state: leave "save widget state" off, as JupyterLab does by default.

    Parameters
    ----------
    image : DynamicSeries or Volume
    roi : Roi, optional
        On the grid of the image; shown in amber.
    height_px : int
        Height of the canvas.
    """
    from ipyniivue import MultiplanarType, NiiVue, ShowRender, SliceType
    from ipyniivue import Volume as Layer

    canvas = Canvas(image.geometry)
    values = image.signal if isinstance(image, DynamicSeries) else image.values
    seen = values[..., ::2, ::4, ::4]
    low, high = np.nanpercentile(seen, [1, 99.7]) if np.isfinite(seen).any() else (0.0, 1.0)
    layers = [Layer(data=canvas.nifti(values), name="image.nii", colormap="gray", cal_min=float(low),
                    cal_max=float(max(high, low + 1e-6)), colorbar_visible=False)]  # fmt: skip
    if roi is not None:
        require_same_grid(roi.geometry, image.geometry, names=("ROI", "image"))
        layers.append(Layer(data=canvas.nifti(roi.mask), name="region.nii", colormap="copper", opacity=OVERLAY_OPACITY,
                            cal_min=0.5, cal_max=1.0, colorbar_visible=False))  # fmt: skip
    view = NiiVue(
        height=height_px,
        is_radiological_convention=True,
        sagittal_nose_left=True,
        is_colorbar=False,
        back_color=(0.0, 0.0, 0.0, 1.0),
        multiplanar_pad_pixels=4,
        multiplanar_show_render=ShowRender.NEVER,
        multiplanar_layout=MultiplanarType.GRID,
        show_all_orientation_markers=True,
        drag_and_drop_enabled=False,
    )
    view.set_slice_type(SliceType.MULTIPLANAR)
    view.load_volumes(layers)
    return view
