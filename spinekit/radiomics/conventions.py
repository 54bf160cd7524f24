"""The "pyradiomics" path: images prepared exactly as the pyradiomics command line does.

Order: normalise, resample (grid aligned to the corner of the first voxel, mask by nearest
neighbour), re-segment, crop, bins with edges counted from zero. The numbers equal those of
pyradiomics 3.0.1, so that tables can be joined with the work of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry, to_sitk
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, require_few_levels
from spinekit.radiomics.prepared import Prepared
from spinekit.radiomics.recipe import Recipe
from spinekit.radiomics.regions import bounding_box, check_region, filled_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bin_settings", "prepare_as_pyradiomics", "pyradiomics_levels"]

INTERPOLATORS = {"bspline": "sitkBSpline", "linear": "sitkLinear", "nearest": "sitkNearestNeighbor"}


def bin_settings(discretisation: Discretisation) -> dict[str, Any]:
    """Return a discretisation as pyradiomics' settings name it."""
    if isinstance(discretisation, FixedBinCount):
        return {"binCount": discretisation.count}
    return {"binWidth": discretisation.width}


def pyradiomics_levels(
    values: NDArray[Any], mask: NDArray[np.bool_], discretisation: Discretisation, *, name: str = "image"
) -> NDArray[np.int64]:
    """Return grey levels from 1 inside `mask` by pyradiomics' own binning, 0 outside; both of shape (Z, Y, X)."""
    from radiomics import imageoperations

    if not mask.any():
        return np.zeros(mask.shape, dtype=np.int64)
    require_few_levels(values[mask], discretisation, name=name)
    levels, _ = imageoperations.binImage(values, mask, **bin_settings(discretisation))
    return np.asarray(levels)


def _as_image(values: NDArray[Any], geometry: Geometry) -> Any:
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return to_sitk(values, geometry)


def _resampled(image: Any, mask: Any, recipe: Recipe) -> tuple[Any, Any]:
    from radiomics import imageoperations

    return imageoperations.resampleImage(
        image,
        mask,
        resampledPixelSpacing=list(recipe.spacing_mm or ()),
        interpolator=INTERPOLATORS[recipe.interpolation],
        padDistance=recipe.pyradiomics.get("padDistance", 5),
    )


def prepare_as_pyradiomics(volume: Volume, roi: Roi, usable: NDArray[np.bool_], recipe: Recipe) -> Prepared:
    """Prepare one image as pyradiomics does.

    Parameters
    ----------
    volume : Volume
        The image; its dtype is kept, so that integer images stay integer when they are resampled.
    roi : Roi
        The region on the same grid.
    usable : ndarray of bool, shape (Z, Y, X)
        Voxels of the region that have a value on this image.
    recipe : Recipe
        The choices.

    Returns
    -------
    Prepared

    Raises
    ------
    InputRefusedError
        ``roi-empty``, ``roi-too-small`` or ``roi-flat`` if too little is left after resampling.
    """
    import SimpleITK as sitk
    from radiomics import imageoperations

    options = dict(recipe.pyradiomics)
    fill = recipe.spacing_mm is not None or options.get("normalize")
    image = _as_image(filled_values(volume.values) if fill else volume.values, volume.geometry)
    region = to_sitk(roi.mask.astype(np.uint32), volume.geometry)
    kept = to_sitk(usable.astype(np.uint32), volume.geometry)
    if options.get("normalize"):
        image = imageoperations.normalizeImage(image, **options)
    if recipe.spacing_mm is not None:
        image, region = _resampled(image, region, recipe)
        kept = sitk.Resample(kept, region, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    values = sitk.GetArrayFromImage(image)
    shape_mask = sitk.GetArrayFromImage(region) == 1
    check_region(shape_mask, recipe, name=roi.name, when=" after resampling" if recipe.spacing_mm else "")
    mask, shape_mask = _resegmented(values, sitk.GetArrayFromImage(kept) == 1, shape_mask, options)
    spacing = (float(image.GetSpacing()[0]), float(image.GetSpacing()[1]), float(image.GetSpacing()[2]))
    return _cropped(values, mask, shape_mask, spacing, recipe.discretisation, volume.name)


def _resegmented(
    values: NDArray[Any], mask: NDArray[np.bool_], shape_mask: NDArray[np.bool_], options: dict[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    import SimpleITK as sitk
    from radiomics import imageoperations

    if options.get("resegmentRange") is None or not mask.any():
        return mask, shape_mask
    narrowed = imageoperations.resegmentMask(
        sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask.astype(np.uint32)), **options
    )
    kept = np.asarray(sitk.GetArrayFromImage(narrowed)) == 1
    if options.get("resegmentShape"):
        return kept, kept
    if not kept.any():
        return kept, shape_mask
    within = np.zeros_like(shape_mask)  # pyradiomics 3.0.1 crops the shape to the box of the re-segmented region
    within[bounding_box(kept)] = True
    return kept, shape_mask & within


def _cropped(
    values: NDArray[Any],
    mask: NDArray[np.bool_],
    shape_mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    discretisation: Discretisation,
    name: str,
) -> Prepared:
    box = bounding_box(mask) if mask.any() else bounding_box(shape_mask)
    values, mask = np.ascontiguousarray(values[box]), np.ascontiguousarray(mask[box])
    levels = pyradiomics_levels(values, mask, discretisation, name=name)
    return Prepared(values, mask, levels, np.ascontiguousarray(shape_mask[bounding_box(shape_mask)]), spacing_mm)
