"""What the 3-D viewer is given: image and region on one upright grid around the region, small enough to turn smoothly.

The viewer knows spacing and position but no direction. A sagittal or oblique series would therefore lie in it turned
or mirrored; on a grid along L, P and S it lies as in the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from spinekit.case import Roi, Volume, resample_to
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, require_same_grid

__all__ = ["Scene", "scene_of"]

MARGIN_MM = 25.0
MOST_VOXELS = 500_000  # what a browser without a graphics card still turns
SHOWN = (1.0, 99.5)  # percentiles between which the signal is kept; one bright vessel would darken the rest


@dataclass(frozen=True)
class Scene:
    """Image and region on one grid along L, P, S; ``roi`` is None where there is none."""

    image: Volume
    roi: Roi | None


def _corners_mm(geometry: Geometry, low: Any, high: Any) -> Any:
    """Return the smallest and largest LPS position of a box of voxels, edges included."""
    corners = np.array(list(product(*zip(np.asarray(low) - 0.5, np.asarray(high) + 0.5, strict=True))))
    places = np.array([geometry.index_to_mm(corner) for corner in corners])
    return places.min(axis=0), places.max(axis=0)


def _upright_grid(image: Volume, roi: Roi | None, margin_mm: float, most_voxels: int) -> Geometry:
    size = np.array(image.geometry.size)
    bottom, top = _corners_mm(image.geometry, np.zeros(3), size - 1)
    if roi is not None and roi.mask.any():
        box = roi.box_zyx[::-1]
        low, high = _corners_mm(roi.geometry, [b.start for b in box], [b.stop - 1 for b in box])
        bottom, top = np.maximum(bottom, low - margin_mm), np.minimum(top, high + margin_mm)
    extent = top - bottom
    spacing = max(min(image.geometry.spacing_mm), float(np.cbrt(extent.prod() / most_voxels)))
    count = np.maximum(1, np.floor(extent / spacing).astype(int))
    while count.prod() > most_voxels:
        spacing *= 1.01
        count = np.maximum(1, np.floor(extent / spacing).astype(int))
    origin = (bottom + top) / 2 - (count - 1) / 2 * spacing
    return Geometry(
        (int(count[0]), int(count[1]), int(count[2])),
        (spacing, spacing, spacing),
        (float(origin[0]), float(origin[1]), float(origin[2])),
    )


def scene_of(
    image: Volume, roi: Roi | None = None, *, margin_mm: float = MARGIN_MM, most_voxels: int = MOST_VOXELS
) -> Scene:
    """Return image and region resampled onto an isotropic grid along L, P and S.

    Parameters
    ----------
    image : Volume
        Any orientation; values outside percentiles 1 to 99.5 are clipped, NaN becomes the smallest.
    roi : Roi, optional
        On the grid of the image; the scene is cut to it with a margin. The whole image without one.
    margin_mm : float
        Kept around the region on every side, as far as the image reaches.
    most_voxels : int
        Voxels of the scene; its spacing follows from it and is never finer than the image's finest.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for a negative margin; ``grid-mismatch``.

    Examples
    --------
    >>> grid = Geometry((8, 8, 4), (1.0, 1.0, 2.0))
    >>> scene = scene_of(Volume(np.ones(grid.shape_zyx), grid))
    >>> scene.image.geometry.size
    (8, 8, 8)
    """
    if not (margin_mm >= 0 and most_voxels >= 1):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"margin_mm={margin_mm} and most_voxels={most_voxels} were given.",
            expected="A margin of 0 mm or more, and at least one voxel.",
            cause="A sign may be wrong.",
            cure="Leave them out to take the defaults.",
        )
    if roi is not None:
        require_same_grid(roi.geometry, image.geometry, names=("ROI", f"volume '{image.name}'"))
    grid = _upright_grid(image, roi, margin_mm, most_voxels)
    shown = resample_to(image, grid)
    values = np.asarray(shown.values, dtype=np.float32)
    finite = np.isfinite(values)
    low, high = np.percentile(values[finite], SHOWN) if finite.any() else (0.0, 1.0)
    clipped = np.where(finite, np.clip(values, low, high), low).astype(np.float32)
    return Scene(
        Volume(clipped, grid, image.name, image.unit),
        resample_to(roi, grid) if roi is not None else None,
    )
