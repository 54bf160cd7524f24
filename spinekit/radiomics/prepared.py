"""An image and a region, ready for feature classes: cropped, masked and in grey levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Prepared", "itk_image"]


def itk_image(array: NDArray[Any], spacing_mm: tuple[float, float, float]) -> Any:
    """Return an array of shape (Z, Y, X) as pyradiomics takes it; a mask becomes 0 and 1."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == np.bool_ else array)
    image.SetSpacing(spacing_mm)
    return image


@dataclass(frozen=True)
class Prepared:
    """What the feature classes look at.

    Attributes
    ----------
    values : ndarray of shape (Z, Y, X)
        Intensities, cropped to the intensity mask.
    mask : ndarray of bool, shape (Z, Y, X)
        Intensity mask: region less excluded and re-segmented voxels. May be empty.
    levels : ndarray of int, shape (Z, Y, X)
        Grey levels from 1 inside `mask`, 0 outside.
    shape_mask : ndarray of bool, shape (Z', Y', X')
        Morphological mask on the same voxel size, cropped to itself.
    spacing_mm : tuple of float
        Voxel size along (x, y, z).
    warnings : tuple of str
        ``"[code] text"``.
    """

    values: NDArray[Any]
    mask: NDArray[Any]
    levels: NDArray[Any]
    shape_mask: NDArray[Any]
    spacing_mm: tuple[float, float, float]
    warnings: tuple[str, ...] = ()

    @cached_property
    def in_itk(self) -> tuple[Any, Any]:
        """Intensities and mask as pyradiomics takes them, converted once for all families."""
        return itk_image(self.values, self.spacing_mm), itk_image(self.mask, self.spacing_mm)

    @cached_property
    def grey_levels(self) -> NDArray[Any]:
        """The levels that occur inside the mask, rising."""
        return np.unique(self.levels[self.mask])

    @cached_property
    def constant(self) -> bool:
        """Whether all intensities inside the mask are one."""
        inside = self.values[self.mask]
        return bool(inside.size and inside.min() == inside.max())
