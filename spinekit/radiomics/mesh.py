"""Surface, volume and diameters of a region's mesh: pyradiomics' numbers without its n² pairs.

pyradiomics measures the distance of every pair of mesh vertices, which takes most of the time of an
extraction. Only vertices on the convex hull can be far apart, so that a few hundred of them suffice.
Area and volume are sums over cubes of 2 × 2 × 2 voxels; each of the 256 kinds of cube is measured
once by pyradiomics' own compiled function, and then only counted.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["area_and_volume", "diameters"]

CORNERS = tuple((z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1))
PAIRS_AT_ONCE = 2000  # points; more go through their convex hull first


def _measured(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> tuple[float, float]:
    from radiomics import cShape

    area, volume, _ = cShape.calculate_coefficients(np.ascontiguousarray(mask), np.asarray(spacing, dtype=np.float64))
    return float(area), float(volume)


def _cube(kind: int) -> NDArray[np.bool_]:
    cube = np.zeros((2, 2, 2), dtype=bool)
    for bit, corner in enumerate(CORNERS):
        cube[corner] = bool(kind >> bit & 1)
    return cube


@cache
def _volumes_of_cubes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each kind of cube adds to the volume at the origin, and per step along (z, y, x).

    The volume of a mesh is a sum of tetrahedra from the origin, so that a cube's share is linear in
    its position; the slope is measured with a second cube beside it. Voxels of 1 × 1 × 1.
    """
    unit = (1.0, 1.0, 1.0)
    at_origin = np.array([_measured(_cube(kind), unit)[1] for kind in range(256)])
    slopes = np.zeros((256, 3))
    for axis in range(3):
        for kind in range(256):
            cube = _cube(kind)
            first = np.take(cube, [0], axis=axis)
            beside = np.concatenate([first, first], axis=axis)  # the cube between the origin and this one
            total = _measured(np.concatenate([first, cube], axis=axis), unit)[1]
            slopes[kind, axis] = total - at_origin[_kinds(beside)[0, 0, 0]] - at_origin[kind]
    return at_origin, slopes


def _kinds(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the kind (0 to 255) of every cube of 2 × 2 × 2 voxels."""
    z, y, x = (n - 1 for n in mask.shape)
    bits = mask.astype(np.uint8)
    kinds = np.zeros((z, y, x), dtype=np.uint8)
    for bit, (dz, dy, dx) in enumerate(CORNERS):
        kinds |= bits[dz : dz + z, dy : dy + y, dx : dx + x] << np.uint8(bit)
    return kinds


def area_and_volume(mask: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return surface (mm²) and volume (mm³) of the mesh of a mask whose outermost voxels are all outside.

    Parameters
    ----------
    mask : ndarray of bool, shape (Z, Y, X)
        With an empty layer on every side.
    spacing_zyx_mm : tuple of float
        Voxel size along (z, y, x).

    Examples
    --------
    >>> mask = np.zeros((3, 3, 3), dtype=bool)
    >>> mask[1, 1, 1] = True  # an octahedron of half diagonals 1/2
    >>> area, volume = area_and_volume(mask, (1.0, 1.0, 1.0))
    >>> round(area, 12), round(volume, 12)
    (1.732050807569, 0.166666666667)
    """
    kinds = _kinds(mask)
    where = np.nonzero((kinds > 0) & (kinds < 255))
    found = kinds[where]
    at_origin, slopes = _volumes_of_cubes()
    positions = np.stack(where, axis=-1).astype(np.float64)
    volume = at_origin[found].sum() + (positions * slopes[found]).sum()
    counts = np.bincount(found, minlength=256)
    area = sum(
        int(counts[kind]) * _measured(_cube(int(kind)), spacing_zyx_mm)[0] for kind in np.flatnonzero(counts).tolist()
    )
    return float(area), float(volume * np.prod(spacing_zyx_mm))


def _vertices(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return twice the index (z, y, x) of every mesh vertex: halfway between a voxel inside and one outside."""
    found = []
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        points = 2 * np.argwhere(mask[low] != mask[high])
        points[:, axis] += 1
        found.append(points)
    return np.concatenate(found)


def _outermost(points: NDArray[Any]) -> NDArray[Any]:
    """Return a subset of points that holds both ends of the longest distance."""
    if len(points) <= PAIRS_AT_ONCE:
        return points
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:  # all points in one plane or line: no hull, but none is needed for so few
        return points


def _longest_squared(points: NDArray[np.float64]) -> float:
    points = _outermost(points)
    longest = 0.0
    for start in range(0, len(points), PAIRS_AT_ONCE):
        part = points[start : start + PAIRS_AT_ONCE]
        squared = sum((part[:, None, a] - points[None, :, a]) ** 2 for a in range(points.shape[1]))
        longest = max(longest, float(np.max(squared)))
    return longest


def diameters(mask: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return the largest distances (mm) of two mesh vertices: within z, y and x planes, and in space.

    Parameters
    ----------
    mask : ndarray of bool, shape (Z, Y, X)
        With an empty layer on every side and at least one voxel inside.
    spacing_zyx_mm : tuple of float
        Voxel size along (z, y, x).

    Examples
    --------
    >>> mask = np.zeros((3, 3, 4), dtype=bool)
    >>> mask[1, 1, 1:3] = True
    >>> diameters(mask, (1.0, 1.0, 2.0))[3]
    4.0
    """
    vertices = _vertices(mask)
    spacing = np.asarray(spacing_zyx_mm, dtype=np.float64)
    found = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        order = np.argsort(vertices[:, axis], kind="stable")
        planes = np.split(vertices[order], np.flatnonzero(np.diff(vertices[order, axis])) + 1)
        longest = 0.0
        for plane in planes:
            if (((plane.max(axis=0) - plane.min(axis=0)) / 2 * spacing) ** 2).sum() > longest:
                longest = max(longest, _longest_squared(_ends(plane[:, others]) / 2 * spacing[others]))
        found.append(longest)
    in_space = _longest_squared(_ends(vertices) / 2 * spacing)
    return (*(float(np.sqrt(v)) for v in found), float(np.sqrt(in_space)))  # type: ignore[return-value]


def _ends(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, of all points that differ in the last coordinate only, the first and the last."""
    order = np.lexsort(points.T[::-1])
    sorted_points = points[order]
    change = (np.diff(sorted_points[:, :-1], axis=0) != 0).any(axis=1)
    first = np.concatenate([[True], change])
    last = np.concatenate([change, [True]])
    return np.asarray(sorted_points[first | last])
