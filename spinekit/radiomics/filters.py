"""Filtered images: Laplacian of Gaussian and wavelets, by pyradiomics' own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, to_sitk
from spinekit.radiomics.feature_classes import silence
from spinekit.radiomics.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["filtered"]


def filtered(values: NDArray[Any], grid: Geometry, recipe: Recipe) -> list[tuple[str, NDArray[Any]]]:
    """Return the filtered images a recipe asks for, with pyradiomics' names.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X)
        Finite intensities around the region.
    grid : Geometry
        Their grid.
    recipe : Recipe
        ``log_sigma_mm``: one image each, ``log-sigma-2-0-mm-3D``. ``wavelet``: eight, ``wavelet-LLH`` ...,
        or four within slices if all aggregations are slice-wise.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if the image is too small for a Laplacian of Gaussian.
    """
    import SimpleITK as sitk
    from radiomics import imageoperations

    image = to_sitk(values, grid)
    found: list[tuple[str, NDArray[Any]]] = []
    for sigma in recipe.log_sigma_mm:
        with silence():
            results = list(imageoperations.getLoGImage(image, None, sigma=[sigma]))
        if not results:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"A Laplacian of Gaussian of {sigma:g} mm was asked for on an image of {grid.describe()}.",
                expected="At least 4 voxels along each axis, and an image larger than the filter.",
                cause="The series has few slices, or the filter is meant for a larger organ.",
                cure="Leave log_sigma_mm out or use a smaller width.",
            )
        found += [(prefix, sitk.GetArrayFromImage(result)) for result, prefix, _ in results]
    if recipe.wavelet:
        options = {"wavelet": recipe.wavelet, "force2D": recipe.slice_wise, "force2Ddimension": 0}
        with silence():
            bands = list(imageoperations.getWaveletImage(image, None, **options))
        found += [(prefix, sitk.GetArrayFromImage(result)) for result, prefix, _ in bands]
    return found
