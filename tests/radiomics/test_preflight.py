"""The look before the extraction: what it flags is what the extraction then warns of or refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spinekit.case import Roi, Volume
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import (
    FixedBinWidth,
    doubtful_features,
    extract_features,
    preflight,
    suggest_bin_width,
)  # fmt: skip

GRID = Geometry((12, 11, 10), (1.0, 1.0, 2.0))


def noise(scale: float = 20.0) -> np.ndarray:
    return np.random.default_rng(4).normal(100.0, scale, GRID.shape_zyx)


def roi(z: slice = slice(2, 8), y: slice = slice(2, 9), x: slice = slice(2, 10)) -> Roi:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[z, y, x] = True
    return Roi(mask, GRID)


def look(values: np.ndarray, region: Roi, **choices) -> pd.Series:
    return preflight({"a": Volume(values, GRID)}, region, **{"discretisation": {"bin_count": 32}, **choices}).loc["a"]


def test_a_good_region_has_no_finding():
    seen = look(noise(), roi())
    assert seen["findings"] == ""
    assert seen["usable"]
    assert seen["n_voxels"] == 6 * 7 * 8
    assert seen["n_slices"] == 6


@pytest.mark.parametrize(
    ("values", "region", "bins", "code", "usable"),
    [
        (np.full(GRID.shape_zyx, 3.0), roi(), {"bin_count": 8}, "roi-constant", False),
        (noise(), roi(), {"bin_width": 1000.0}, "one-grey-level", False),
        (noise(), roi(), {"bin_width": 30.0}, "few-levels", True),
        (noise(), roi(), {"bin_width": 0.3}, "many-levels", True),
        (noise(), roi(slice(2, 5), slice(2, 5), slice(2, 5)), {"bin_count": 8}, "few-voxels", True),
        (noise(), roi(slice(2, 4)), {"bin_count": 16}, "few-slices", True),
        (noise(), roi(slice(2, 3)), {"bin_count": 16}, "roi-flat", False),
        (noise(), roi(slice(2, 3), slice(2, 3)), {"bin_count": 16}, "roi-too-small", False),
        (np.full(GRID.shape_zyx, np.nan), roi(), {"bin_count": 16}, "roi-empty", False),
    ],
)
def test_a_doubt_is_named(values, region, bins, code, usable):
    seen = look(values, region, discretisation=bins)
    assert f"[{code}]" in seen["findings"]
    assert seen["usable"] == usable


def test_voxels_without_a_value_are_counted():
    values = noise()
    values[3, 4, 5:7] = np.nan
    seen = look(values, roi())
    assert "[roi-not-finite] 2 of 336" in seen["findings"]
    assert seen["n_voxels"] == 334


def test_the_levels_counted_are_those_of_the_extraction():
    values = noise()
    seen = look(values, roi(), discretisation=FixedBinWidth(7.0))
    table = extract_features({"a": Volume(values, GRID)}, roi(), discretisation=FixedBinWidth(7.0, start=values[
        roi().mask].min()), path="ibsi", families={"firstorder": ["Maximum", "Minimum"]})  # fmt: skip
    span = table.loc["a", "original_firstorder_Maximum"] - table.loc["a", "original_firstorder_Minimum"]
    assert seen["grey_levels"] <= np.floor(span / 7.0) + 1
    assert seen["grey_levels"] >= 0.7 * span / 7.0


@pytest.mark.parametrize("scale", [0.02, 3.0, 700.0])
def test_the_suggested_width_gives_a_usual_number_of_levels_and_has_a_reason(scale):
    seen = look(noise(scale), roi())
    with_it = look(noise(scale), roi(), discretisation=FixedBinWidth(seen["bin_width"]))
    assert 16 <= with_it["grey_levels"] <= 64
    assert f"{seen['bin_width']:g} makes about" in seen["reason"]


def test_an_outlier_does_not_set_the_width():
    values = noise()
    values[4, 5, 6] = 1e5
    assert look(values, roi())["bin_width"] == look(noise(), roi())["bin_width"]


def test_one_width_is_suggested_for_many_cases():
    assert suggest_bin_width([64.0, 640.0, 6400.0]) == 20.0
    assert np.isnan(suggest_bin_width([0.0, float("nan")]))


def test_features_that_tell_nothing_are_flagged_over_cases():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(10, 3)), columns=[f"original_glcm_{n}" for n in ("Id", "Idm", "MCC")])
    table["original_glcm_Id"] = 1.0
    table.loc[:4, "original_glcm_MCC"] = np.nan
    flagged = doubtful_features(table.assign(age=50))
    assert flagged["finding"].to_dict() == {
        "original_glcm_Id": "the same value, 1, in all rows",
        "original_glcm_MCC": "undefined in 5 of 10 rows",
    }


def test_another_grid_and_bins_that_mean_nothing_are_refused():
    other = Geometry(GRID.size, (1.0, 1.0, 2.5))
    with pytest.raises(GridMismatchError):
        preflight({"a": Volume(noise(), other)}, roi())
    with pytest.raises(InputRefusedError):
        look(noise(), roi(), discretisation={"bins": 3})
