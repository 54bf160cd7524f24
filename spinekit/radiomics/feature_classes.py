"""pyradiomics' own feature classes, run in silence on grey levels that are already there.

Each class would bin the image again for itself; handing the levels over leaves the numbers as they
are and lets the IBSI path bring levels of its own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.radiomics.matrices import COUNTED, Counting
from spinekit.radiomics.mesh import area_and_volume, diameters
from spinekit.radiomics.prepared import Prepared, itk_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TEXTURES", "intensity_features", "shape_features", "silence"]

TEXTURES = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")


class _GivenLevels:
    """Replaces the binning of a pyradiomics class by levels that were computed before."""

    settings: dict[str, Any]
    coefficients: dict[str, Any]
    maskArray: NDArray[np.bool_]

    def _applyBinning(self, matrix: NDArray[Any]) -> NDArray[Any]:
        levels, occurring = self.settings["levels"]
        self.coefficients["grayLevels"] = occurring
        self.coefficients["Ng"] = int(occurring[-1])
        return np.asarray(levels)


class _FastMesh:
    """Replaces the measuring of the mesh in pyradiomics' class of 3-D shape; the formulas stay its own."""

    inputImage: Any
    inputMask: Any

    def _initSegmentBasedCalculation(self) -> None:
        import SimpleITK as sitk

        spacing = self.inputImage.GetSpacing()[::-1]
        self.pixelSpacing = np.array(spacing)
        self.maskArray = np.pad(sitk.GetArrayFromImage(self.inputMask) == 1, 1)
        self.labelledVoxelCoordinates = np.nonzero(self.maskArray)
        self.SurfaceArea, self.Volume = area_and_volume(self.maskArray, spacing)
        self.diameters = diameters(self.maskArray, spacing)
        points = np.stack(self.labelledVoxelCoordinates, axis=-1) * self.pixelSpacing
        points -= points.mean(axis=0)
        points /= np.sqrt(len(points))
        covariance = np.einsum("ni,nj->ij", points, points)
        self.eigenValues = np.linalg.eigvals(covariance)
        self.eigenValues[(self.eigenValues < 0) & (self.eigenValues > -1e-10)] = 0.0  # a flat region, but for rounding
        self.eigenValues.sort()


@cache
def _class_of(family: str) -> Any:
    from radiomics import getFeatureClasses

    base = getFeatureClasses()[family]
    if family == "shape2D":
        return base
    names = base.getFeatureNames()  # looked up anew for every image otherwise
    members: dict[str, Any] = {"__module__": base.__module__, "getFeatureNames": staticmethod(lambda: dict(names))}
    if family in COUNTED:  # its own method, which finds our counting under the name of its compiled module
        method = base._calculateMatrix
        members["_calculateMatrix"] = FunctionType(
            method.__code__, {**method.__globals__, "cMatrices": Counting}, argdefs=method.__defaults__
        )
    return type(base.__name__, (_FastMesh if family == "shape" else _GivenLevels, base), members)


@contextmanager
def silence() -> Iterator[None]:
    """Keep pyradiomics from printing; its remarks on equal features and empty angles are known."""
    import radiomics  # noqa: F401  its import sets the level of the log that is set here

    log = logging.getLogger("radiomics")
    before = log.level
    if before == logging.CRITICAL:  # silent already
        yield
        return
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # mean of no direction: the feature is NaN, as it should be
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy remarks on pyradiomics' code
            yield
    finally:
        log.setLevel(before)


def _run(family: str, asked: tuple[str, ...], image: Any, mask: Any, settings: Mapping[str, Any]) -> dict[str, float]:
    worker = _class_of(family)(image, mask, **settings)
    for name in asked:
        worker.enableFeatureByName(name)
    if family == "firstorder":
        worker.discretizedImageArray = settings["levels"][0]
    return {name: float(value) for name, value in worker.execute().items()}


def shape_features(
    prepared: Prepared, family: str, asked: tuple[str, ...], settings: Mapping[str, Any]
) -> dict[str, float]:
    """Return the shape features of the morphological mask, family ``shape`` or ``shape2D``, by short name."""
    mask = itk_image(prepared.shape_mask, prepared.spacing_mm)
    flat = {"force2D": True, "force2Ddimension": 0} if family == "shape2D" else {}
    with silence():
        return _run(family, asked, mask, mask, {**settings, **flat})


def intensity_features(
    prepared: Prepared, family: str, asked: tuple[str, ...], settings: Mapping[str, Any], *, aggregation: str
) -> dict[str, float]:
    """Return the first-order or texture features of a prepared image, by short name.

    Parameters
    ----------
    prepared : Prepared
        With at least one voxel in its mask.
    family : str
        ``firstorder`` or one of `TEXTURES`.
    asked : tuple of str
        Feature names; empty for all that are not deprecated.
    settings : mapping
        Further settings of pyradiomics' classes.
    aggregation : str
        ``3D_avg`` mean over directions, ``3D_comb`` one merged matrix, ``2_5D_*`` the same with
        directions within slices only, ``2D_*`` slice by slice with the mean over slices.

    Returns
    -------
    dict of str to float
        NaN where a feature is undefined.
    """
    chosen = dict(settings)
    if not aggregation.startswith("3D"):
        chosen["force2D"] = True
    if aggregation.endswith("comb"):
        chosen["weightingNorm"] = "no_weighting"
    if family in TEXTURES and aggregation.startswith("2D"):
        return _mean_over_slices(prepared, family, asked, chosen)
    image, mask = prepared.in_itk
    with silence():
        return _run(family, asked, image, mask, {**chosen, "levels": (prepared.levels, prepared.grey_levels)})


def _mean_over_slices(
    prepared: Prepared, family: str, asked: tuple[str, ...], settings: Mapping[str, Any]
) -> dict[str, float]:
    rows = []
    with silence():
        for z in np.flatnonzero(prepared.mask.any(axis=(1, 2))):
            part = slice(int(z), int(z) + 1)
            image = itk_image(prepared.values[part], prepared.spacing_mm)
            mask = itk_image(prepared.mask[part], prepared.spacing_mm)
            levels = np.ascontiguousarray(prepared.levels[part])
            given = levels, np.unique(levels[prepared.mask[part]])
            rows.append(_run(family, asked, image, mask, {**settings, "levels": given}))
        return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
