"""Implicit shapes: each returns the depth of a point below the surface, in mm, negative outside.

Depths are exact on the surface and approximate elsewhere, which is all that thin layers need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spinekit.phantom.spine import Disc, Vertebra

__all__ = ["body_depth", "capsule_depth", "disc_depth", "ellipsoid_depth", "plate_depth"]


def ellipsoid_depth(point: Any, centre: Any, radii: Any) -> Any:
    """Return the depth of points (three arrays, mm) in an ellipsoid.

    Examples
    --------
    >>> float(ellipsoid_depth((0.0, 0.0, 0.0), (0, 0, 0), (2.0, 3.0, 4.0)))
    2.0
    """
    squares = [((v - c) / r) ** 2 for v, c, r in zip(point, centre, radii, strict=True)]
    return (1.0 - np.sqrt(squares[0] + squares[1] + squares[2])) * min(radii)


def capsule_depth(point: Any, start: Any, end: Any, radius: float, *, stretch: float = 1.0) -> Any:
    """Return the depth in a rod with round ends; `stretch` makes it higher (along the third axis) than wide."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = (b - a).astype(np.float32)
    offset = [v - np.float32(c) for v, c in zip(point, a, strict=True)]
    share = offset[0] * axis[0] + offset[1] * axis[1] + offset[2] * axis[2]
    share /= np.float32(axis @ axis)
    share = np.clip(share, 0.0, 1.0)
    total = np.float32(0.0)
    for n in range(3):
        away = share * -axis[n]
        away += offset[n]  # in place: these arrays are large, and many
        if n == 2:
            away /= np.float32(stretch)
        away *= away
        away += total
        total = away
    return radius - np.sqrt(total)


def plate_depth(point: Any, centre: Any, half: Any, *, slope: float = 0.0) -> Any:
    """Return the depth in a box with half sizes `half`, whose third axis falls by `slope` per mm behind."""
    left, behind, above = (v - c for v, c in zip(point, centre, strict=True))
    above = above + np.float32(slope) * behind
    inside = np.minimum(half[0] - np.abs(left), half[1] - np.abs(behind))
    return np.minimum(inside, half[2] - np.abs(above))


def body_depth(point: Any, bone: Vertebra) -> Any:
    """Return the depth in a vertebral body: waisted, hollow behind and at the endplates."""
    left, behind, above = point
    level = np.clip(above / np.float32(bone.half_height), -1.0, 1.0)
    narrow = 1.0 - np.float32(bone.waist) * (1.0 - level**2)
    width = bone.half_width * narrow
    back = bone.half_depth - bone.posterior_hollow_mm * np.exp(-((left / 9.0) ** 2))
    depth = np.where(behind > 0, back, bone.half_depth * narrow)
    radius = ((np.abs(left) / width) ** 2.6 + (np.abs(behind) / depth) ** 2.6) ** np.float32(1 / 2.6)
    side = (1.0 - radius) * min(bone.half_width, bone.half_depth)
    rim = np.clip(radius, 0.0, 1.0) ** 2
    height = bone.half_height - bone.endplate_mm * (1.0 - rim)
    return np.minimum(side, height - np.abs(above))


def disc_depth(point: Any, disc: Disc) -> tuple[Any, Any]:
    """Return the depth below a disc's outer wall, and its distance from the centre (0 inside to 1 at the wall)."""
    left, behind, above = point
    bulge = np.float32(disc.bulge_mm) * np.exp(-((above / 5.0) ** 2)) + np.float32(0.2)
    hollow = np.where(behind > 0, 1.8 * np.exp(-((left / 9.0) ** 2)), 0.0)  # as the bodies behind
    width, depth = disc.half_width + bulge, disc.half_depth + bulge - hollow
    radius = ((np.abs(left) / width) ** 2.5 + (np.abs(behind) / depth) ** 2.5) ** np.float32(1 / 2.5)
    slab = disc.half_height + 0.3 + 6.0 * np.clip(1.0 - radius, 0.0, 1.0) - np.abs(above)  # bodies lie over it
    return np.minimum((1.0 - radius) * disc.half_depth, slab), radius
