"""The pyradiomics path against pyradiomics' own extractor, on images that no baseline covers."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from radiomics import featureextractor
from scipy import ndimage

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry, to_sitk
from spinekit.radiomics import FixedBinCount, FixedBinWidth, extract_features

TURN = np.deg2rad(20)
OBLIQUE = ((np.cos(TURN), -np.sin(TURN), 0.0), (np.sin(TURN), np.cos(TURN), 0.0), (0.0, 0.0, 1.0))
GRIDS = {
    "slices of 3 mm": Geometry((60, 64, 18), (0.9, 0.85, 3.0), (-31.0, 12.0, 400.0)),
    "oblique": Geometry((52, 50, 31), (1.3, 1.2, 1.7), (5.0, -7.0, 3.0), OBLIQUE),
}


def case(grid: Geometry, *, dtype: type, at_edge: bool = False, seed: int = 0) -> tuple[Volume, Roi]:
    rng = np.random.default_rng(seed)
    values = 300 + 120 * ndimage.gaussian_filter(rng.normal(size=grid.shape_zyx), 1) * 4
    z, y, x = np.indices(grid.shape_zyx)
    centre = (0.5 if at_edge else grid.size[2] / 2, grid.size[1] / 2, grid.size[0] / 2)
    radius = np.sqrt(sum(((a - c) * s) ** 2 for a, c, s in zip((z, y, x), centre, grid.spacing_zyx_mm, strict=True)))
    mask = radius < 13 + 25 * ndimage.gaussian_filter(rng.normal(size=grid.shape_zyx), 2)
    return Volume(values.astype(dtype), grid), Roi(mask, grid)


def by_pyradiomics(volume: Volume, roi: Roi, *, images: dict[str, Any], **settings: Any) -> dict[str, float]:
    extractor = featureextractor.RadiomicsFeatureExtractor(additionalInfo=False, **settings)
    extractor.disableAllImageTypes()
    for name, options in images.items():
        extractor.enableImageTypeByName(name, customArgs=options)
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    found = extractor.execute(
        to_sitk(np.asarray(volume.values), volume.geometry), to_sitk(roi.mask.astype(np.uint8), roi.geometry)
    )
    return {name: float(value) for name, value in found.items() if not name.startswith("diagnostics")}


def worst(table, expected: dict[str, float]) -> tuple[float, str]:
    row = table.iloc[0]
    assert {c for c in table.columns if c.count("_") == 2 and c.split("_")[1] in
            {"shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"}} == set(expected)  # fmt: skip
    return max((abs(row[name] - value) / max(abs(value), 1e-9), name) for name, value in expected.items())


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("interpolation", ["bspline", "linear", "nearest"])
def test_resampled_features_are_those_of_pyradiomics(grid, dtype, interpolation):
    volume, roi = case(grid, dtype=dtype)
    name = {"bspline": "sitkBSpline", "linear": "sitkLinear", "nearest": "sitkNearestNeighbor"}[interpolation]
    expected = by_pyradiomics(volume, roi, images={"Original": {}}, binWidth=25, resampledPixelSpacing=[1, 1, 1],
                              interpolator=name)  # fmt: skip
    table = extract_features({"a": volume}, roi, discretisation=FixedBinWidth(25), resample_mm=1.0,
                             interpolation=interpolation)  # fmt: skip
    assert len(expected) == 107
    assert worst(table, expected)[0] < 1e-8


@pytest.mark.parametrize("at_edge", [False, True])
@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (0.7, 0.7, 0.0), (0.9, 0.85, 3.0)])
def test_a_region_at_the_edge_and_uneven_spacings_too(spacing, at_edge):
    volume, roi = case(GRIDS["slices of 3 mm"], dtype=np.float32, at_edge=at_edge)
    expected = by_pyradiomics(volume, roi, images={"Original": {}}, binCount=32, resampledPixelSpacing=list(spacing),
                              interpolator="sitkBSpline")  # fmt: skip
    table = extract_features({"a": volume}, roi, discretisation=FixedBinCount(32), resample_mm=spacing)
    assert worst(table, expected)[0] < 1e-8


@pytest.mark.parametrize("spacing", [None, 1.5])
@pytest.mark.parametrize("at_edge", [False, True])
def test_filtered_images_too(spacing, at_edge):
    volume, roi = case(GRIDS["slices of 3 mm"], dtype=np.float32, at_edge=at_edge)
    resampled = {"resampledPixelSpacing": [spacing] * 3, "interpolator": "sitkBSpline"} if spacing else {}
    images = {"Original": {}, "LoG": {"sigma": [1.5, 3.0]}, "Wavelet": {"wavelet": "coif1"}}
    expected = by_pyradiomics(volume, roi, images=images, binWidth=10, **resampled)
    table = extract_features({"a": volume}, roi, discretisation=FixedBinWidth(10), resample_mm=spacing,
                             log_sigma_mm=[1.5, 3.0], wavelet="coif1")  # fmt: skip
    assert len(expected) == 107 + 10 * 93
    assert worst(table, expected)[0] < 1e-8


def test_slice_wise_wavelets_have_four_bands():
    volume, roi = case(GRIDS["slices of 3 mm"], dtype=np.float32)
    expected = by_pyradiomics(volume, roi, images={"Wavelet": {"wavelet": "coif1"}}, binWidth=10, force2D=True)
    table = extract_features({"a": volume}, roi, discretisation=FixedBinWidth(10), wavelet="coif1",
                             aggregation="2_5D_avg")  # fmt: skip
    bands = {name.split("_")[0] for name in expected if name.startswith("wavelet")}
    assert bands == {"wavelet-LL", "wavelet-LH", "wavelet-HL", "wavelet-HH"}
    kept = table.drop(columns=[c for c in table.columns if c.startswith("original_") and "_shape_" not in c])
    assert worst(kept, expected)[0] < 1e-8
