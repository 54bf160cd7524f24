"""The region inside its image in 3-D: three slices as walls that meet behind the surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry, require_same_grid
from spinekit.plotting.style import INK, OUTLINE, inert, new_figure, stamp, window_of

__all__ = ["region_within_image"]

MARGIN_MM = 25.0
MOST_TILES = 90  # along the longest side of a wall
ELEVATION, AZIMUTH = 22.0, -62.0
AXES = ("R → L, mm", "A → P, mm", "I → S, mm")


def region_within_image(image: Volume, roi: Roi | None = None, *, simulated: bool = False) -> Figure:
    """Show the surface of a region with the axial, coronal and sagittal slice through its centre as walls behind it.

    Parameters
    ----------
    image : Volume
        Grey values of the walls; each wall is the slice through the centre of the region, drawn at the far side so
        that it does not hide the surface.
    roi : Roi, optional
        On the grid of the image. Without one, or if it is empty, the slices through the middle are shown alone.
    simulated : bool
        Stamp the figure as simulated.

    Returns
    -------
    matplotlib.figure.Figure
        In LPS mm, seen from in front, a little from the left and from above; lengths of all axes are equal.
    """
    if roi is not None:
        require_same_grid(roi.geometry, image.geometry, names=("ROI", f"volume '{image.name}'"))
    marked = roi is not None and bool(roi.mask.any())
    bottom, top = _box_mm(image.geometry, roi if marked else None)
    centre = np.asarray(image.geometry.index_to_mm(roi.centre_ijk)) if roi and marked else (bottom + top) / 2
    figure = new_figure(5.4, width_in=7.0)
    axes = figure.add_subplot(projection="3d", computed_zorder=False)
    limits = window_of(image.values)
    far = (bottom[0], top[1], bottom[2])  # right, posterior, inferior: the sides away from the eye
    for across in range(3):
        _wall(axes, image, across, centre, bottom, top, far[across], limits)
    if roi is not None and marked:
        _surface(axes, roi)
    for set_limits, low, high in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), bottom, top, strict=True):
        set_limits(low, high)
    axes.set_box_aspect(tuple(top - bottom))
    axes.view_init(ELEVATION, AZIMUTH)
    axes.set_proj_type("ortho")
    for axis, words in zip((axes.xaxis, axes.yaxis, axes.zaxis), AXES, strict=True):
        axis.set_label_text(words, fontsize=8)
    axes.tick_params(labelsize=7)
    size = f"{roi.name}: {roi.volume_ml:.2f} ml" if roi is not None and marked else "no region"
    axes.set_title(inert(f"{size}; slices through its centre as walls"), fontsize=10, color=INK)
    return stamp(figure, simulated)


def _box_mm(geometry: Geometry, roi: Roi | None) -> tuple[Any, Any]:
    """Return the corners of what is shown, LPS mm: the region with a margin, within the image."""
    last = np.array(geometry.size) - 1
    ends = np.array([geometry.index_to_mm(last * np.array(bits)) for bits in np.ndindex(2, 2, 2)])
    bottom, top = ends.min(axis=0), ends.max(axis=0)
    if roi is None:
        return bottom, top
    places = np.argwhere(roi.mask)[:, ::-1]
    low, high = places.min(axis=0), places.max(axis=0)
    corners = [geometry.index_to_mm(np.where(bits, high, low)) for bits in np.ndindex(2, 2, 2)]
    inner = np.array(corners)
    return np.maximum(bottom, inner.min(axis=0) - MARGIN_MM), np.minimum(top, inner.max(axis=0) + MARGIN_MM)


def _wall(
    axes: Any, image: Volume, across: int, centre: Any, bottom: Any, top: Any, far: float, limits: tuple[float, float]
) -> None:
    """Draw the slice across one axis of the patient through a point, laid against the far side of the box."""
    from scipy.ndimage import map_coordinates

    u, v = (axis for axis in range(3) if axis != across)
    tile = max((top - bottom).max() / MOST_TILES, min(image.geometry.spacing_mm))
    edges = [np.linspace(bottom[a], top[a], max(2, round((top[a] - bottom[a]) / tile) + 1)) for a in (u, v)]
    middles = [(e[1:] + e[:-1]) / 2 for e in edges]
    grid_u, grid_v = np.meshgrid(*middles, indexing="ij")
    places = np.empty((*grid_u.shape, 3))
    places[..., u], places[..., v], places[..., across] = grid_u, grid_v, centre[across]
    index = image.geometry.mm_to_index(places.reshape(-1, 3))[:, ::-1].T
    values = map_coordinates(np.nan_to_num(np.asarray(image.values, dtype=np.float32)), index, order=1, mode="nearest")
    grey = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1).reshape(grid_u.shape)
    corner_u, corner_v = np.meshgrid(*edges, indexing="ij")
    xyz: list[Any] = [None, None, None]
    xyz[u], xyz[v], xyz[across] = corner_u, corner_v, np.full_like(corner_u, far)
    axes.plot_surface(
        *xyz, facecolors=np.repeat(grey[..., None], 3, axis=2), rstride=1, cstride=1, shade=False, linewidth=0,
        antialiased=False, zorder=0,
    )  # fmt: skip


def _surface(axes: Any, roi: Roi) -> None:
    from matplotlib.colors import LightSource
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection
    from skimage.measure import marching_cubes

    part = np.pad(roi.mask[roi.box_zyx], 1).astype(np.float32)
    step = max(1, round((part.size / 300_000) ** (1 / 3)))
    points, faces, _, _ = marching_cubes(part, 0.5, step_size=step)
    corner = np.array([b.start for b in roi.box_zyx]) - 1
    world = roi.geometry.index_to_mm((points + corner)[:, ::-1])
    light = LightSource(azdeg=225, altdeg=45)
    axes.add_collection3d(
        Poly3DCollection(world[faces], facecolors=OUTLINE, shade=True, lightsource=light, linewidth=0, zorder=1)
    )
