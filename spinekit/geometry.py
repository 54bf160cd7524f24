"""Voxel grids: index to millimetre and back, comparison, resampling of arrays.

World coordinates are LPS millimetres, as in DICOM and ITK. Arrays are ``(Z, Y, X)``; indices that a
person types are ``(i, j, k)`` along x, y, z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import GridMismatchError, InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Geometry", "depth_mm", "from_sitk", "grid_mismatch", "require_same_grid", "resample_array", "to_sitk",
    "turned_onto",
]  # fmt: skip

SAME_GRID_TOLERANCE_VOXEL = 1e-3  # INPUTS.md 44: files of one scan differ by 1e-6 mm after conversion
ORTHONORMAL_TOLERANCE = 1e-4  # DICOM stores direction cosines with about six digits


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of an image lie in the patient.

    Parameters
    ----------
    size : tuple of int
        Number of voxels along (x, y, z).
    spacing_mm : tuple of float
        Distance between voxel centres along (x, y, z), mm, positive.
    origin_mm : tuple of float
        LPS position of the centre of voxel (0, 0, 0), mm.
    direction : tuple of three rows of three floats
        Columns are the LPS unit vectors of the x, y and z axes of the grid.

    Raises
    ------
    InputRefusedError
        If a size or spacing is not positive, a value is not finite, or the axes are not orthonormal.

    Examples
    --------
    >>> grid = Geometry((4, 4, 2), (1.0, 1.0, 3.0), (-2.0, -2.0, 0.0))
    >>> grid.shape_zyx
    (2, 4, 4)
    >>> grid.index_to_mm((1, 0, 1)).tolist()
    [-1.0, -2.0, 3.0]
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[tuple[float, float, float], ...] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
    )

    def __post_init__(self) -> None:
        size = tuple(int(n) for n in self.size)
        spacing = tuple(float(s) for s in self.spacing_mm)
        origin = tuple(float(o) for o in self.origin_mm)
        matrix = np.asarray(self.direction, dtype=np.float64).reshape(3, 3)
        numbers = np.concatenate([spacing, origin, matrix.ravel()])
        if len(size) != 3 or min(size) < 1 or not np.isfinite(numbers).all() or min(spacing) <= 0:
            raise InputRefusedError(
                "geometry-missing",
                found=f"The grid has size {size}, spacing {spacing} mm and origin {origin} mm.",
                expected="Three positive sizes, three positive spacings and finite positions.",
                cause="A header with missing or zero spacing, or a decimal comma, gives such values.",
                cure="Export the series again, or correct the header before reading it.",
            )
        if np.abs(matrix.T @ matrix - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
            raise InputRefusedError(
                "affine-invalid",
                found=f"The axes of the grid are {matrix.T.round(5).tolist()}, which are not at right angles.",
                expected="Three unit vectors at right angles to each other.",
                cause="The volume was acquired with a tilt, or an affine registration sheared it.",
                cure="Resample it onto a rectangular grid first, for example in 3D Slicer.",
            )
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "spacing_mm", spacing)
        object.__setattr__(self, "origin_mm", origin)
        object.__setattr__(self, "direction", tuple(tuple(float(v) for v in row) for row in matrix))

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Shape of an array on this grid, ``(Z, Y, X)``."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Spacing in the order of array axes, mm."""
        return self.spacing_mm[2], self.spacing_mm[1], self.spacing_mm[0]

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(np.prod(self.spacing_mm))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Affine from index (i, j, k, 1) to LPS mm, shape (4, 4)."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing_mm)
        affine[:3, 3] = self.origin_mm
        return affine

    def index_to_mm(self, ijk: ArrayLike) -> NDArray[np.float64]:
        """Return the LPS position in mm of indices ``(..., 3)`` given as (i, j, k), which may be fractional."""
        points = np.asarray(ijk, dtype=np.float64)
        return points @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def mm_to_index(self, xyz_mm: ArrayLike) -> NDArray[np.float64]:
        """Return fractional indices (i, j, k) of LPS positions ``(..., 3)`` in mm."""
        points = np.asarray(xyz_mm, dtype=np.float64) - np.asarray(self.origin_mm)
        return points @ np.asarray(self.direction) / np.asarray(self.spacing_mm)

    def contains(self, ijk: ArrayLike) -> bool:
        """Whether the index (i, j, k) lies on the grid."""
        index = np.asarray(ijk)
        return bool(np.all(index >= 0) and np.all(index <= np.asarray(self.size) - 1))

    def largest_difference_voxel(self, other: Geometry) -> float:
        """Largest distance, in voxels of this grid, between corners that should coincide; inf if sizes differ."""
        if self.size != other.size:
            return float("inf")
        far = np.asarray(self.size) - 1
        corners = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * far
        return float(np.abs(self.mm_to_index(other.index_to_mm(corners)) - corners).max())

    def same_grid(self, other: Geometry, *, tolerance_voxel: float = SAME_GRID_TOLERANCE_VOXEL) -> bool:
        """Whether every voxel of both grids coincides within `tolerance_voxel` voxels."""
        return self.largest_difference_voxel(other) <= tolerance_voxel

    def describe(self) -> str:
        """Return the grid in words, for messages and reports."""
        size = " × ".join(str(n) for n in self.size)
        spacing = " × ".join(f"{s:.4g}" for s in self.spacing_mm)
        origin = ", ".join(f"{o:.2f}" for o in self.origin_mm)
        return f"{size} voxels of {spacing} mm, origin ({origin}) mm, axes {self.axis_names()}"

    def axis_names(self) -> str:
        """Return where each axis of the grid points, as three letters out of L, R, P, A, S, I."""
        letters = (("L", "R"), ("P", "A"), ("S", "I"))
        columns = np.asarray(self.direction).T
        return "".join(letters[int(np.abs(axis).argmax())][int(axis[np.abs(axis).argmax()] < 0)] for axis in columns)

    def anatomical_axes(self) -> tuple[int, int, int]:
        """Return for voxel axes x, y, z the axis of space each runs along: 0 L, 1 P, 2 S; none is taken twice."""
        strength = np.abs(np.asarray(self.direction))
        taken: dict[int, int] = {}
        for flat in np.argsort(strength, axis=None)[::-1]:
            anatomical, voxel = divmod(int(flat), 3)
            if voxel not in taken and anatomical not in taken.values():
                taken[voxel] = anatomical
        return taken[0], taken[1], taken[2]

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, as written to JSON."""
        return {
            "size": list(self.size),
            "spacing_mm": list(self.spacing_mm),
            "origin_mm": list(self.origin_mm),
            "direction": [list(row) for row in self.direction],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Geometry:
        """Rebuild a grid from `as_dict`."""
        return cls(
            tuple(record["size"]),
            tuple(record["spacing_mm"]),
            tuple(record["origin_mm"]),
            tuple(tuple(row) for row in record["direction"]),
        )


def require_same_grid(first: Geometry, second: Geometry, *, names: tuple[str, str]) -> None:
    """Raise `GridMismatchError` with both grids in words unless the two coincide.

    Parameters
    ----------
    first, second : Geometry
        The grids to compare.
    names : tuple of str
        What lies on them, for the message, such as ``("ROI", "series")``.
    """
    if not first.same_grid(second):
        raise grid_mismatch(first, second, names=names)


def grid_mismatch(first: Geometry, second: Geometry, *, names: tuple[str, str]) -> GridMismatchError:
    """Return the refusal of two images that must share a grid and do not, with both grids in words."""
    return GridMismatchError(
        found=(
            f"The {names[0]} and the {names[1]} are on different grids: "
            f"{first.describe()}, against {second.describe()}."
        ),
        expected="The same grid for both, to within a thousandth of a voxel.",
        cause="The mask was probably drawn on another series, or one of the two was resampled or cropped.",
        cure="Resample one onto the other with spinekit.resample_to(), or check that both come from the same series.",
    )


def turned_onto(values: NDArray[Any], source: Geometry, target: Geometry) -> NDArray[Any] | None:
    """Return an array with its axes in the order and direction of another grid that has the same voxel centres.

    Nothing is interpolated: axes are swapped and run backwards. None where the voxels of the two grids do not
    coincide however they are counted.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X)
        Values on `source`.
    source, target : Geometry
        Grids in LPS mm.

    Examples
    --------
    >>> upwards = Geometry((1, 1, 2), (1.0, 1.0, 3.0))
    >>> downwards = Geometry((1, 1, 2), (1.0, 1.0, 3.0), (0.0, 0.0, 3.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    >>> turned_onto(np.array([[[7]], [[9]]]), downwards, upwards).ravel().tolist()
    [9, 7]
    """
    cosines = np.asarray(target.direction).T @ np.asarray(source.direction)  # [axis of target, axis of source]
    order = np.abs(cosines).argmax(axis=1)
    signs = np.sign(cosines[np.arange(3), order])
    if len(set(order.tolist())) < 3:
        return None
    far = np.array([n - 1 if sign < 0 else 0 for n, sign in zip(np.take(source.size, order), signs, strict=True)])
    first = np.zeros(3)
    first[order] = far
    turned = Geometry.from_dict(
        {
            "size": np.take(source.size, order).tolist(),
            "spacing_mm": np.take(source.spacing_mm, order).tolist(),
            "origin_mm": source.index_to_mm(first).tolist(),
            "direction": (np.asarray(source.direction)[:, order] * signs).tolist(),
        }
    )
    if not turned.same_grid(target):
        return None
    moved = np.transpose(values, [2 - int(axis) for axis in order[::-1]])
    return np.ascontiguousarray(moved[tuple(slice(None, None, -1 if sign < 0 else 1) for sign in signs[::-1])])


def depth_mm(region: NDArray[np.bool_], spacing_zyx_mm: ArrayLike) -> NDArray[np.float64]:
    """Return how far inside a (Z, Y, X) region each voxel lies, mm; 0 outside. The edge of the array is an edge too.

    Examples
    --------
    >>> depth_mm(np.ones((1, 1, 5), dtype=bool), (4.0, 4.0, 1.0)).tolist()
    [[[1.0, 2.0, 3.0, 2.0, 1.0]]]
    """
    from scipy.ndimage import distance_transform_edt

    inside = distance_transform_edt(np.pad(region, 1), sampling=spacing_zyx_mm)
    return np.asarray(inside[1:-1, 1:-1, 1:-1], dtype=np.float64)


def to_sitk(values: NDArray[Any], geometry: Geometry) -> Any:
    """Return a SimpleITK image of an array ``(Z, Y, X)`` on a grid."""
    import SimpleITK as sitk

    if values.shape != geometry.shape_zyx:
        raise ShapeMismatchError(
            found=f"An array of shape {values.shape} was given for a grid of {geometry.describe()}.",
            expected=f"An array of shape {geometry.shape_zyx}, in the order (Z, Y, X).",
            cause="The axes may be in the order (X, Y, Z), or the time axis may still be there.",
            cure="Transpose the array or pick one phase.",
        )
    array = values.astype(np.uint8) if values.dtype == np.bool_ else np.ascontiguousarray(values)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection([v for row in geometry.direction for v in row])
    return image


def from_sitk(image: Any) -> tuple[NDArray[Any], Geometry]:
    """Return the array ``(Z, Y, X)`` and the grid of a 3-D SimpleITK image."""
    import SimpleITK as sitk

    direction = np.asarray(image.GetDirection()).reshape(3, 3)
    geometry = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), tuple(tuple(r) for r in direction))
    return sitk.GetArrayFromImage(image), geometry


def resample_array(
    values: NDArray[Any],
    source: Geometry,
    target: Geometry,
    *,
    interpolation: str,
    outside: float,
) -> NDArray[Any]:
    """Resample an array from one grid onto another by world coordinates.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X)
        Values on `source`.
    source, target : Geometry
        Grids in LPS mm.
    interpolation : {"nearest", "linear", "bspline"}
        Masks need ``"nearest"``.
    outside : float
        Value where `target` reaches beyond `source`.

    Returns
    -------
    ndarray of shape (Z, Y, X) of the target, of the dtype of `values`
    """
    import SimpleITK as sitk

    methods = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}
    if interpolation not in methods:
        raise InputRefusedError(
            "choice-unknown",
            found=f"interpolation='{interpolation}' was asked for.",
            expected=f"One of {', '.join(methods)}.",
            cause="The name may be misspelt.",
            cure="Use 'nearest' for masks and 'linear' or 'bspline' for images.",
        )
    reference = sitk.Image([int(n) for n in target.size], sitk.sitkUInt8)
    reference.SetSpacing(target.spacing_mm)
    reference.SetOrigin(target.origin_mm)
    reference.SetDirection([v for row in target.direction for v in row])
    moved = sitk.Resample(to_sitk(values, source), reference, sitk.Transform(), methods[interpolation], float(outside))
    return sitk.GetArrayFromImage(moved).astype(values.dtype, copy=False)
