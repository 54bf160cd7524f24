"""The "ibsi" path: images prepared as the reference manual of IBSI prescribes.

Grid of ceil(n·s/new) voxels aligned on the image centre, nearest-edge extrapolation, mask
resampled linearly and kept from one half on, rounding, re-segmentation with morphological and
intensity masks kept apart, discretisation of our own.

References
----------
.. [1] Zwanenburg A et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-338
   (doi 10.1148/radiol.2020191145), and its reference manual, section 2 "Image processing".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from spinekit.case import Roi, Volume
from spinekit.errors import coded_warning
from spinekit.geometry import Geometry
from spinekit.radiomics.discretisation import FixedBinWidth, ibsi_levels, require_few_levels
from spinekit.radiomics.prepared import Prepared
from spinekit.radiomics.recipe import Recipe
from spinekit.radiomics.regions import Box, bounding_box, check_region, filled_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IbsiRegion", "ibsi_grid", "interpolate", "resegmented"]

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
MARGIN_VOXEL = 24  # a cubic B-spline's pole is 0.268: what lies 24 voxels away weighs 2e-14
WHOLE_TOLERANCE = 1e-6  # n·s/new that is whole but for rounding must not gain a voxel, nor a mask of one half be lost


def ibsi_grid(geometry: Geometry, spacing_mm: tuple[float, float, float]) -> Geometry:
    """Return the grid of new voxels that is centred on the old one.

    Parameters
    ----------
    geometry : Geometry
        Grid of the image.
    spacing_mm : tuple of float
        New voxel size along (x, y, z), mm; zero keeps an axis.

    Examples
    --------
    >>> grid = ibsi_grid(Geometry((5, 4, 4), (2.0, 2.0, 2.0)), (3.0, 3.0, 2.0))
    >>> grid.size, grid.origin_mm
    ((4, 3, 4), (-0.5, 0.0, 0.0))
    """
    old = np.asarray(geometry.spacing_mm)
    new = np.where(np.asarray(spacing_mm) == 0, old, np.asarray(spacing_mm))
    size = np.asarray(geometry.size)
    count = np.maximum(np.ceil(size * old / new - WHOLE_TOLERANCE), 1).astype(int)
    first = ((size - 1) - (count - 1) * new / old) / 2.0
    origin = geometry.index_to_mm(first)
    return Geometry(tuple(count.tolist()), tuple(new.tolist()), tuple(origin.tolist()), geometry.direction)


def _positions(geometry: Geometry, grid: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return index of the first new voxel and step, both in old voxels along (z, y, x)."""
    step = np.asarray(grid.spacing_zyx_mm) / np.asarray(geometry.spacing_zyx_mm)
    old, new = np.asarray(geometry.shape_zyx), np.asarray(grid.shape_zyx)
    return ((old - 1) - (new - 1) * step) / 2.0, step


def interpolate(
    values: NDArray[Any], geometry: Geometry, grid: Geometry, *, order: int, box: Box
) -> NDArray[np.float64]:
    """Interpolate an image at the voxels of `grid` that lie in `box`; beyond the edge the nearest voxel counts.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X)
        Values on `geometry`; a NaN or infinite voxel counts as its nearest finite neighbour.
    geometry, grid : Geometry
        Old grid, and new grid from `ibsi_grid`.
    order : {0, 1, 3}
        Nearest neighbour, trilinear, tricubic spline.
    box : tuple of three slices
        Part of the new grid that is wanted, along (z, y, x).

    Returns
    -------
    ndarray of float64, of the shape of `box`
    """
    first, step = _positions(geometry, grid)
    starts = first + step * np.array([b.start for b in box])
    counts = [b.stop - b.start for b in box]
    ends = starts + step * (np.array(counts) - 1)
    low = np.clip(np.floor(starts).astype(int) - MARGIN_VOXEL, 0, None)
    high = np.minimum(np.ceil(ends).astype(int) + MARGIN_VOXEL + 1, values.shape)
    crop = filled_values(values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]).astype(np.float64)
    return np.asarray(
        ndimage.affine_transform(crop, step, offset=starts - low, output_shape=counts, order=order, mode="nearest")
    )


def _new_mask(mask: NDArray[np.bool_], geometry: Geometry, grid: Geometry, box: Box) -> NDArray[np.bool_]:
    part = interpolate(mask.astype(np.float64), geometry, grid, order=1, box=box)
    return np.asarray(part >= 0.5 - WHOLE_TOLERANCE)


def _box_on(mask: NDArray[np.bool_], geometry: Geometry, grid: Geometry) -> Box:
    """Return the part of the new grid that can hold the region."""
    first, step = _positions(geometry, grid)
    edges = []
    for axis, part in enumerate(bounding_box(mask)):
        low = int(np.floor((part.start - 1 - first[axis]) / step[axis]))
        high = int(np.ceil((part.stop - first[axis]) / step[axis]))
        edges.append(slice(max(low, 0), min(high + 1, grid.shape_zyx[axis])))
    return edges[0], edges[1], edges[2]


def resegmented(values: NDArray[np.float64], mask: NDArray[np.bool_], recipe: Recipe) -> NDArray[np.bool_]:
    """Return the intensity mask: voxels within the range, and within so many standard deviations of the mean.

    With both, the two ranges are intersected: mean and (population) standard deviation are those of
    the region before anything is left out of it (IBSI reference manual, section 2.6).
    """
    kept = mask.copy()
    if recipe.resegment_range is not None:
        low, high = recipe.resegment_range
        kept &= (values >= low) & (values <= high)
    if recipe.resegment_sigma is not None and mask.any():
        inside = values[mask]
        mean, spread = float(inside.mean()), recipe.resegment_sigma * float(inside.std())
        kept &= (values >= mean - spread) & (values <= mean + spread)
    return kept


class IbsiRegion:
    """A region on the grid that features are taken on; parameters and errors as of `PyradiomicsRegion`."""

    def __init__(self, roi: Roi, recipe: Recipe) -> None:
        self.roi, self.recipe = roi, recipe
        if recipe.spacing_mm is None:
            self.grid, self.box = roi.geometry, bounding_box(roi.mask)
            self.mask = roi.mask[self.box]
        else:
            self.grid = ibsi_grid(roi.geometry, recipe.spacing_mm)
            self.box = _box_on(roi.mask, roi.geometry, self.grid)
            self.mask = _new_mask(roi.mask, roi.geometry, self.grid, self.box)
            check_region(self.mask, recipe, name=roi.name, when=" after resampling")
        self.shape_mask = np.ascontiguousarray(self.mask[bounding_box(self.mask)])

    def prepare(self, volume: Volume, usable: NDArray[np.bool_], *, name: str) -> Iterator[tuple[str, Prepared]]:
        """Yield the image with its prefix, ``original``; as `PyradiomicsRegion.prepare`."""
        recipe, geometry = self.recipe, volume.geometry
        finite = self.mask
        if recipe.spacing_mm is None:
            values = np.asarray(volume.values[self.box], dtype=np.float64)
            finite = usable[self.box]
        else:
            order = ORDERS[recipe.interpolation]
            values = interpolate(np.asarray(volume.values), geometry, self.grid, order=order, box=self.box)
            if usable is not self.roi.mask:
                finite = self.mask & _new_mask(usable, geometry, self.grid, self.box)
        if recipe.round_intensities:
            values = np.round(values)
        mask = resegmented(values, finite, recipe)
        levels = np.zeros(mask.shape, dtype=np.int64)
        lower = None if recipe.resegment_range is None else recipe.resegment_range[0]
        if mask.any():
            require_few_levels(values[mask], recipe.discretisation, name=name)
            levels[mask] = ibsi_levels(values[mask], recipe.discretisation, lower_bound=lower)
        box = bounding_box(mask if mask.any() else self.mask)
        crops = [np.ascontiguousarray(part[box]) for part in (values, mask, levels)]
        yield (
            "original",
            Prepared(
                crops[0], crops[1], crops[2], self.shape_mask, self.grid.spacing_mm, _doubtful_start(recipe, name)
            ),
        )


def _doubtful_start(recipe: Recipe, name: str) -> tuple[str, ...]:
    bins = recipe.discretisation
    if not isinstance(bins, FixedBinWidth) or bins.start is not None or recipe.resegment_range is not None:
        return ()
    text = (
        f"{name}: bins of fixed width start at the region's smallest intensity, which differs from patient to "
        "patient; IBSI advises a start of your own, FixedBinWidth(..., start=...), or a re-segmentation range."
    )
    return (coded_warning("bins-start-at-minimum", text),)
