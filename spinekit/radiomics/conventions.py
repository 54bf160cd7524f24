"""The "pyradiomics" path: images prepared exactly as the pyradiomics command line does.

Order: normalise, resample (grid aligned to the corner of the first voxel, mask by nearest
neighbour), re-segment, filter, crop, bins with edges counted from zero. The numbers equal those of
pyradiomics 3.0.1, so that tables can be joined with the work of others; what depends on the region
alone is done once for all its images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry, from_sitk, to_sitk
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, require_few_levels
from spinekit.radiomics.filters import filtered
from spinekit.radiomics.prepared import Prepared
from spinekit.radiomics.recipe import Recipe
from spinekit.radiomics.regions import Box, bounding_box, check_region, filled_values, sub_grid
from spinekit.radiomics.sampling import sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PyradiomicsRegion", "pyradiomics_levels"]

INTERPOLATORS = {"bspline": "sitkBSpline", "linear": "sitkLinear", "nearest": "sitkNearestNeighbor"}


def pyradiomics_levels(
    values: NDArray[Any], mask: NDArray[np.bool_], discretisation: Discretisation, *, name: str
) -> NDArray[np.int64]:
    """Return grey levels from 1 inside `mask` by pyradiomics' own bin edges, 0 outside; both of shape (Z, Y, X)."""
    from radiomics import imageoperations

    if not mask.any():
        return np.zeros(mask.shape, dtype=np.int64)
    require_few_levels(values[mask], discretisation, name=name)
    inside = values[mask]
    ends = np.array([inside.min(), inside.max()], dtype=values.dtype)  # all that the edges depend on
    if isinstance(discretisation, FixedBinCount):
        edges = imageoperations.getBinEdges(ends, binCount=discretisation.count)
    else:
        edges = imageoperations.getBinEdges(ends, binWidth=discretisation.width)
    levels = np.zeros(mask.shape, dtype=np.int64)
    levels[mask] = np.digitize(inside, edges)
    return levels


class PyradiomicsRegion:
    """A region on the grid that features are taken on, and the way of images onto it.

    Parameters
    ----------
    roi : Roi
        The region.
    recipe : Recipe
        The choices.

    Raises
    ------
    InputRefusedError
        ``roi-empty``, ``roi-too-small`` or ``roi-flat`` if too little is left after resampling.
    """

    def __init__(self, roi: Roi, recipe: Recipe) -> None:
        self.roi, self.recipe = roi, recipe
        if recipe.spacing_mm is None:
            self.grid, self.mask = roi.geometry, roi.mask
            return
        self.mask, self.grid = self._on_new_grid(roi)
        check_region(self.mask, recipe, name=roi.name, when=" after resampling")

    def _on_new_grid(self, roi: Roi) -> tuple[NDArray[np.bool_], Geometry]:
        """Resample the mask once, from the whole of it: a crop would decide ties of nearest neighbours otherwise."""
        from radiomics import imageoperations

        mask = to_sitk(roi.mask, roi.geometry)
        moved, _ = imageoperations.resampleImage(
            mask,
            mask,
            resampledPixelSpacing=list(self.recipe.spacing_mm or ()),
            interpolator=INTERPOLATORS["nearest"],
            padDistance=self.recipe.pyradiomics.get("padDistance", 5),
        )
        values, grid = from_sitk(moved)
        return values == 1, grid

    def prepare(self, volume: Volume, usable: NDArray[np.bool_], *, name: str) -> Iterator[tuple[str, Prepared]]:
        """Yield the image and each filtered image with its prefix, such as ``original`` or ``wavelet-HLL``.

        Parameters
        ----------
        volume : Volume
            The image; its dtype is kept, so that integer images stay integer when they are resampled.
        usable : ndarray of bool, shape (Z, Y, X)
            Voxels of the region that have a value on this image.
        name : str
            The image's name, for messages.
        """
        recipe = self.recipe
        part = self._part()
        values = self._values(volume, part)
        mask, shape_mask = self._resegmented(values, self._kept(usable)[part], self.mask[part])
        spacing = self.grid.spacing_mm
        images = [("original", values)]
        if recipe.filters:
            images += filtered(filled_values(values), sub_grid(self.grid, part), recipe)
        box = bounding_box(mask if mask.any() else shape_mask)
        shape = np.ascontiguousarray(shape_mask[bounding_box(shape_mask)])
        for prefix, image in images:
            inside, crop = np.ascontiguousarray(mask[box]), np.ascontiguousarray(image[box])
            levels = pyradiomics_levels(crop, inside, recipe.discretisation, name=name)
            yield prefix, Prepared(crop, inside, levels, shape, spacing)

    def _part(self) -> Box:
        """Return the part of the grid that is needed: the region's box, or what filters look at."""
        if not self.recipe.filters:
            return bounding_box(self.mask)
        z, y, x = self.mask.shape
        if self.recipe.spacing_mm is None:
            return self.recipe.filter_window(bounding_box(self.mask), self.mask.shape, self.grid.spacing_zyx_mm)
        return slice(0, z), slice(0, y), slice(0, x)  # pyradiomics filters its padded crop, edges and all

    def _values(self, volume: Volume, part: Box) -> NDArray[Any]:
        geometry, values = volume.geometry, np.asarray(volume.values)
        if values.dtype in (np.float16, np.bool_):
            values = values.astype(np.float32 if values.dtype == np.float16 else np.uint8)
        if self.recipe.pyradiomics.get("normalize"):
            values = self._normalised(values, geometry)
        if self.recipe.spacing_mm is None:
            return values[part]
        target = sub_grid(self.grid, part)
        if np.allclose(geometry.spacing_mm, self.grid.spacing_mm):  # pyradiomics then only crops
            start = np.round(geometry.mm_to_index(target.origin_mm)).astype(int)[::-1]
            return values[tuple(slice(a, a + n) for a, n in zip(start, target.shape_zyx, strict=True))]
        if self.recipe.interpolation == "bspline" and np.issubdtype(values.dtype, np.floating):
            return sample(values, geometry, target)
        # ties of nearest neighbours and the cutting off of integers hang on ITK's last bit: ITK itself, on its own grid
        return self._resampled_by_itk(values, geometry)[part]

    def _normalised(self, values: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        import SimpleITK as sitk
        from radiomics import imageoperations

        image = to_sitk(filled_values(values), geometry)
        return np.asarray(
            sitk.GetArrayFromImage(imageoperations.normalizeImage(image, **dict(self.recipe.pyradiomics)))
        )

    def _resampled_by_itk(self, values: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        import SimpleITK as sitk

        image = to_sitk(filled_values(values), geometry)
        method = getattr(sitk, INTERPOLATORS[self.recipe.interpolation])
        reference = to_sitk(self.mask, self.grid)
        return np.asarray(
            sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), method, 0.0, image.GetPixelID()))
        )

    def _kept(self, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the voxels of the new grid whose nearest old voxel is usable."""
        import SimpleITK as sitk

        if usable is self.roi.mask:
            return self.mask
        if self.recipe.spacing_mm is None:
            return usable
        reference = to_sitk(self.mask, self.grid)
        moved = sitk.Resample(
            to_sitk(usable, self.roi.geometry), reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        return np.asarray(sitk.GetArrayFromImage(moved) == 1)

    def _resegmented(
        self, values: NDArray[Any], mask: NDArray[np.bool_], shape_mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        import SimpleITK as sitk
        from radiomics import imageoperations

        options = dict(self.recipe.pyradiomics)
        if options.get("resegmentRange") is None or not mask.any():
            return mask, shape_mask
        narrowed = imageoperations.resegmentMask(
            sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask.astype(np.uint32)), **options
        )
        kept = np.asarray(sitk.GetArrayFromImage(narrowed)) == 1
        if options.get("resegmentShape") and kept.any():
            return kept, kept
        if not kept.any():
            return kept, shape_mask
        within = np.zeros_like(shape_mask)  # pyradiomics 3.0.1 crops the shape to the box of the re-segmented region
        within[bounding_box(kept)] = True
        return kept, shape_mask & within
