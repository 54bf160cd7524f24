"""Features of a region on any number of images, as one tidy table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.radiomics.conventions import PyradiomicsRegion
from spinekit.radiomics.discretisation import Discretisation, chosen_discretisation
from spinekit.radiomics.feature_classes import TEXTURES, intensity_features, shape_features, silence
from spinekit.radiomics.ibsi_path import IbsiRegion
from spinekit.radiomics.normalisation import normalised
from spinekit.radiomics.prepared import Prepared
from spinekit.radiomics.recipe import FAMILIES, FLAT_FAMILIES, Recipe, families_asked, spacing_asked
from spinekit.radiomics.regions import check_region, extents, usable_mask

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_features"]

AXES_WITH_FEWER_DEGREES = ("MajorAxisLength", "MinorAxisLength", "LeastAxisLength")


def extract_features(
    images: Mapping[str, Volume],
    roi: Roi,
    *,
    discretisation: Discretisation | Mapping[str, Any] | None,
    path: str = "pyradiomics",
    families: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
    aggregation: str | Sequence[str] = "3D_avg",
    resample_mm: float | Sequence[float] | None = None,
    interpolation: str = "",
    round_intensities: bool = False,
    resegment_range: tuple[float, float] | None = None,
    resegment_sigma: float | None = None,
    not_finite: str = "refuse",
    normalisation: str | Mapping[str, str] = "none",
    reference: Roi | None = None,
    log_sigma_mm: Sequence[float] = (),
    wavelet: str = "",
    pyradiomics_settings: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Extract radiomic features of one region on any number of images.

    Parameters
    ----------
    images : mapping of str to Volume
        Maps, phases or other images on the grid of `roi`, by the name that their row will have.
    roi : Roi
        The region.
    discretisation : FixedBinWidth, FixedBinCount or mapping
        The bins of texture features; a mapping is ``{"bin_width": w}`` or ``{"bin_count": n}``. No default.
    path : {"pyradiomics", "ibsi"}
        Whose conventions images are prepared by. ``"pyradiomics"`` gives the numbers of its command
        line; ``"ibsi"`` those of the reference manual, kurtosis less 3 and axis lengths with N - 1.
    families : iterable of str or mapping, optional
        Out of shape, firstorder, glcm, glrlm, glszm, gldm, ngtdm (all of them without a choice) and
        shape2D for a region in one slice; a mapping names the features of each family.
    aggregation : str or sequence of str
        ``3D_avg``, ``3D_comb``, ``2_5D_avg``, ``2_5D_comb``, ``2D_avg`` or ``2D_comb``: directions in
        space or within slices; averaged over directions or merged. Several give one row each.
    resample_mm : float or sequence of three floats, optional
        New voxel size, one or along (x, y, z), mm; zero keeps an axis. None keeps the grid.
    interpolation : str
        ``bspline`` (default), ``linear`` or ``nearest`` on the pyradiomics path; ``linear`` (default),
        ``cubic`` or ``nearest`` on the IBSI path.
    round_intensities : bool
        Round intensities to whole numbers after resampling, as IBSI asks for CT. IBSI path only.
    resegment_range : tuple of two floats, optional
        Intensities that stay in the intensity mask, both ends included. IBSI path only.
    resegment_sigma : float, optional
        Leave out intensities that many standard deviations from the mean. IBSI path only.
    not_finite : {"refuse", "exclude"}
        What to do with voxels of the region where an image is NaN or infinite: refuse, or leave them
        out of that image's intensity mask, counted in ``n_excluded`` and warned of. Shape features
        always describe the whole region.
    normalisation : str or mapping of str to str
        ``none``, ``z_score`` (in `reference`), ``n4`` or ``n4+z_score``, for all images or by name; see
        `spinekit.radiomics.normalisation`. Maps with a unit need none.
    reference : Roi, optional
        Region of a tissue that should look the same in every patient, for ``z_score``.
    log_sigma_mm : sequence of float
        Widths of Laplacian-of-Gaussian filters, mm; features of each filtered image are added. Pyradiomics path only.
    wavelet : str
        Name of a discrete wavelet, such as ``"coif1"``; features of its eight bands (four within slices, if
        all aggregations are slice-wise) are added. Pyradiomics path only.
    pyradiomics_settings : mapping, optional
        Further settings by pyradiomics' names, such as ``normalize`` or ``voxelArrayShift``.

    Returns
    -------
    pandas.DataFrame
        Index ``image``; columns ``path``, ``discretisation``, ``normalisation``, ``aggregation``, ``spacing_mm``,
        ``n_voxels`` (intensity mask), ``n_excluded``, then features by pyradiomics' names, float64,
        NaN where undefined. ``attrs["warnings"]`` holds ``"[code] text"``.

    Raises
    ------
    InputRefusedError
        ``discretisation-missing``; ``grid-mismatch``; ``roi-not-finite``; ``roi-empty``,
        ``roi-too-small``, ``roi-flat``; ``choice-unknown`` or ``value-out-of-range`` for a choice.

    References
    ----------
    .. [1] van Griethuysen JJM et al. Cancer Res 2017;77:e104-e107 (doi 10.1158/0008-5472.CAN-17-0339).
    .. [2] Zwanenburg A et al. Radiology 2020;295:328-338 (doi 10.1148/radiol.2020191145).

    Examples
    --------
    >>> from spinekit import Geometry
    >>> grid = Geometry((6, 6, 4), (1.0, 1.0, 2.0))
    >>> ramp = Volume(np.arange(144.0).reshape(4, 6, 6), grid)
    >>> roi = Roi(np.ones((4, 6, 6), dtype=bool), grid)
    >>> table = extract_features({"ramp": ramp}, roi, discretisation={"bin_width": 25})
    >>> float(table.loc["ramp", "original_firstorder_Mean"]), table.loc["ramp", "spacing_mm"]
    (71.5, '1 × 1 × 2')
    """
    recipe = Recipe(
        discretisation=chosen_discretisation(discretisation),
        path=path,
        families=families_asked(families),
        aggregations=(aggregation,) if isinstance(aggregation, str) else tuple(aggregation),
        spacing_mm=spacing_asked(resample_mm),
        interpolation=interpolation,
        round_intensities=round_intensities,
        resegment_range=resegment_range,
        resegment_sigma=resegment_sigma,
        not_finite=not_finite,
        log_sigma_mm=tuple(log_sigma_mm),
        wavelet=wavelet,
        pyradiomics=pyradiomics_settings or {},
    )
    usable, how = normalised(images, normalisation, reference=reference)
    with silence():
        return _table(usable, roi, recipe, how)


def _table(images: Mapping[str, Volume], roi: Roi, recipe: Recipe, how: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    if not images:
        raise InputRefusedError(
            "no-image",
            found="No image was given to take features from.",
            expected="At least one map or phase.",
            cause="The list of images may be empty in the settings.",
            cure="Name at least one image.",
        )
    check_region(roi.mask, recipe, name=roi.name)
    region = IbsiRegion(roi, recipe) if recipe.path == "ibsi" else PyradiomicsRegion(roi, recipe)
    shapes = _Shapes(recipe)
    rows: list[dict[str, Any]] = []
    warnings: list[str] = list(roi.warnings)
    n_voxels = roi.n_voxels
    for name, volume in images.items():
        mask, found = usable_mask(volume, roi, recipe, name=name)
        prepared = dict(region.prepare(volume, mask, name=name))
        warnings += found
        for prefix, one in prepared.items():
            label = name if prefix == "original" else f"{name}, {prefix}"
            warnings += [*one.warnings, *_doubts(one, recipe, label)]
        excluded = n_voxels - int(np.count_nonzero(mask))
        rows += [_row(name, prepared, recipe, shapes, aggregation, excluded) for aggregation in recipe.aggregations]
    table = pd.DataFrame(rows).set_index("image")
    table.insert(2, "normalisation", [how[str(name)] for name in table.index])
    table.attrs["warnings"] = tuple(dict.fromkeys(warnings))
    return table


class _Shapes:
    """Shape features by mask: most images of a region share one, and it takes longest."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._known: list[tuple[Prepared, str, dict[str, float]]] = []

    def of(self, prepared: Prepared, family: str, asked: tuple[str, ...]) -> dict[str, float]:
        for other, kind, values in self._known:
            if kind == family and np.array_equal(other.shape_mask, prepared.shape_mask):
                return values
        values = shape_features(prepared, family, asked, dict(self._recipe.pyradiomics))
        if self._recipe.path == "ibsi":
            values = _with_sample_covariance(values, prepared)
        self._known.append((prepared, family, values))
        return values


def _doubts(prepared: Prepared, recipe: Recipe, name: str) -> list[str]:
    """Return warnings about an image on which texture is undefined or arbitrary."""
    if not prepared.mask.any():
        return [coded_warning("roi-empty", f"{name}: no voxel of the region has a value; its features are NaN.")]
    inside = prepared.values[prepared.mask]
    if prepared.constant:
        text = f"{name}: all {inside.size} voxels have the value {float(inside[0]):g}; texture is NaN."
        return [coded_warning("roi-constant", text)]
    if prepared.grey_levels.size == 1:
        fate = "NaN" if recipe.path == "ibsi" else "what pyradiomics sets for a flat region"
        text = (
            f"{name}: {recipe.discretisation.describe()} puts all {inside.size} voxels in one bin; texture is {fate}."
        )
        return [coded_warning("one-grey-level", text)]
    return []


def _row(
    name: str, images: dict[str, Prepared], recipe: Recipe, shapes: _Shapes, aggregation: str, n_excluded: int
) -> dict[str, Any]:
    prepared = images["original"]
    row: dict[str, Any] = {
        "image": name,
        "path": recipe.path,
        "discretisation": recipe.describe(),
        "aggregation": aggregation,
        "spacing_mm": " × ".join(f"{s:.6g}" for s in prepared.spacing_mm),
        "n_voxels": int(np.count_nonzero(prepared.mask)),
        "n_excluded": n_excluded,
    }
    flat = extents(prepared.shape_mask)[0] == 1 and not aggregation.startswith("3D")
    families = recipe.families or dict.fromkeys(FLAT_FAMILIES if flat else FAMILIES, ())
    for prefix, image in images.items():
        for family, asked in families.items():
            if family.startswith("shape"):
                found = shapes.of(image, family, asked) if prefix == "original" else {}
            else:
                found = _intensity(image, recipe, family, asked, aggregation)
            row |= {f"{prefix}_{family}_{feature}": value for feature, value in found.items()}
    return row


def _intensity(
    prepared: Prepared, recipe: Recipe, family: str, asked: tuple[str, ...], aggregation: str
) -> dict[str, float]:
    if not prepared.mask.any():
        return dict.fromkeys(_names(family, asked), float("nan"))
    values = intensity_features(prepared, family, asked, dict(recipe.pyradiomics), aggregation=aggregation)
    if family == "firstorder":
        return _first_order(values, recipe, constant=prepared.constant)
    if family in TEXTURES and (prepared.constant or (recipe.path == "ibsi" and prepared.grey_levels.size == 1)):
        return dict.fromkeys(values, float("nan"))
    return values


def _names(family: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    from radiomics import getFeatureClasses

    known = getFeatureClasses()[family].getFeatureNames()
    return asked or tuple(name for name, deprecated in known.items() if not deprecated)


def _first_order(values: dict[str, float], recipe: Recipe, *, constant: bool) -> dict[str, float]:
    if constant:  # a third or fourth moment over a variance of zero
        return {name: float("nan") if name in ("Skewness", "Kurtosis") else value for name, value in values.items()}
    if recipe.path == "ibsi" and "Kurtosis" in values:
        return {**values, "Kurtosis": values["Kurtosis"] - 3.0}  # IBSI's kurtosis is zero for a normal distribution
    return values


def _with_sample_covariance(values: dict[str, float], prepared: Prepared) -> dict[str, float]:
    """Return axis lengths from the covariance with N - 1, as IBSI's consensus has them; pyradiomics divides by N."""
    n = int(np.count_nonzero(prepared.shape_mask))
    factor = float(np.sqrt(n / (n - 1)))
    return {name: value * factor if name in AXES_WITH_FEWER_DEGREES else value for name, value in values.items()}
