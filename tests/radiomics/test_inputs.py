"""What is refused, what is warned of, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import Roi, Volume
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import FixedBinCount, FixedBinWidth, extract_features

GRID = Geometry((9, 8, 6), (1.0, 1.5, 2.0), (3.0, -4.0, 5.0))
BINS = FixedBinCount(8)
TEXTURE = ("_glcm_", "_glrlm_", "_glszm_", "_gldm_", "_ngtdm_")


def noise(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(100.0, 20.0, GRID.shape_zyx)


def box(z: slice = slice(1, 5), y: slice = slice(2, 7), x: slice = slice(2, 8)) -> Roi:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[z, y, x] = True
    return Roi(mask, GRID)


def one(values: np.ndarray, roi: Roi, **choices):
    return extract_features({"map": Volume(values, GRID, name="map")}, roi, **{"discretisation": BINS, **choices})


def features(table) -> list[str]:
    return [c for c in table.columns if c.startswith("original_")]


def refused(values: np.ndarray, roi: Roi, **choices) -> InputRefusedError:
    with pytest.raises(InputRefusedError) as caught:
        one(values, roi, **choices)
    return caught.value


def test_there_is_no_default_discretisation():
    error = refused(noise(), box(), discretisation=None)
    assert error.code == "discretisation-missing"
    assert "FixedBinCount(32)" in str(error)


@pytest.mark.parametrize("bad", [{"bin_width": 25, "bin_count": 8}, {"binwidth": 25}, 25.0, {}])
def test_a_discretisation_that_cannot_be_understood_is_refused(bad):
    assert refused(noise(), box(), discretisation=bad).code == "discretisation-missing"


@pytest.mark.parametrize("make", [lambda: FixedBinWidth(0.0), lambda: FixedBinWidth(float("nan")),
                                  lambda: FixedBinCount(-3), lambda: FixedBinCount(2.5)])  # fmt: skip
def test_bins_must_be_positive_and_counts_whole(make):
    with pytest.raises(InputRefusedError) as caught:
        make()
    assert caught.value.code == "value-out-of-range"


def test_a_mapping_says_the_same_as_the_value():
    by_value = one(noise(), box(), discretisation=FixedBinWidth(25.0))
    by_name = one(noise(), box(), discretisation={"bin_width": 25.0})
    assert by_value.equals(by_name)


def test_one_row_per_image_states_how_it_was_made():
    images = {"late": Volume(noise(1), GRID), "early": Volume(noise(2), GRID)}
    table = extract_features(images, box(), discretisation=BINS)
    assert table.index.name == "image"
    assert list(table.index) == ["late", "early"]  # the order asked for
    assert table.loc["late", "path"] == "pyradiomics"
    assert table.loc["late", "discretisation"] == "fixed bin count 8"
    assert table.loc["late", "spacing_mm"] == "1 × 1.5 × 2"
    assert table.loc["late", "n_voxels"] == 4 * 5 * 6
    assert len(features(table)) == 107
    assert not table[features(table)].isna().any(axis=None)
    assert table.attrs["warnings"] == ()


def test_an_image_on_another_grid_is_refused_with_both_grids():
    other = Geometry(GRID.size, (1.0, 1.5, 2.1), GRID.origin_mm)
    with pytest.raises(GridMismatchError, match=r"1 × 1\.5 × 2 mm.*1 × 1\.5 × 2\.1 mm"):
        extract_features({"map": Volume(noise(), other)}, box(), discretisation=BINS)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_missing_values_in_the_region_are_refused_with_count_and_image(hole):
    values = noise()
    values[2, 3, 3:5] = hole
    error = refused(values, box())
    assert error.code == "roi-not-finite"
    assert "'map'" in str(error)
    assert "2 of 120 voxels" in str(error)


def test_missing_values_outside_the_region_do_not_matter():
    values = noise()
    holed = values.copy()
    holed[0] = np.nan
    for path in ("pyradiomics", "ibsi"):
        assert one(holed, box(), path=path).equals(one(values, box(), path=path))


def test_missing_values_can_be_left_out_visibly():
    values = noise()
    values[1, 2, 2:4] = np.nan  # a corner of the region
    without = box().mask.copy()
    without[1, 2, 2:4] = False
    left_out = one(values, box(), not_finite="exclude")
    smaller = one(noise(), Roi(without, GRID))
    assert left_out.loc["map", "n_excluded"] == 2
    assert left_out.loc["map", "n_voxels"] == 118
    assert left_out.attrs["warnings"][0].startswith("[roi-not-finite] map: 2 of 120 voxels")
    same = [c for c in features(left_out) if "_shape_" not in c]
    assert_array_equal(left_out[same].to_numpy(), smaller[same].to_numpy())
    assert left_out.loc["map", "original_shape_VoxelVolume"] == 120 * 3.0  # shape describes the whole region


@pytest.mark.parametrize("path", ["pyradiomics", "ibsi"])
def test_left_out_voxels_do_not_leak_into_their_neighbours_when_resampled(path):
    values = np.full(GRID.shape_zyx, 50.0)
    values[:, :, 5:] = 70.0
    values[2, 4, 4] = np.nan
    table = one(values, box(), path=path, not_finite="exclude", resample_mm=1.0, interpolation="linear")
    assert table.loc["map", "n_excluded"] == 1
    assert table.loc["map", "original_firstorder_Minimum"] >= 50.0
    assert table.loc["map", "original_firstorder_Maximum"] <= 70.0


@pytest.mark.parametrize("path", ["pyradiomics", "ibsi"])
def test_an_image_without_any_value_gives_nan_and_says_so(path):
    table = one(np.full(GRID.shape_zyx, np.nan), box(), path=path, not_finite="exclude")
    assert table.loc["map", "n_voxels"] == 0
    assert table.filter(regex="firstorder|gl|ngtdm").isna().all(axis=None)
    assert table.loc["map", "original_shape_VoxelVolume"] == 120 * 3.0
    assert any(w.startswith("[roi-empty] map") for w in table.attrs["warnings"])


@pytest.mark.parametrize("path", ["pyradiomics", "ibsi"])
@pytest.mark.parametrize("bins", [FixedBinCount(8), FixedBinWidth(25.0)])
def test_a_constant_region_is_warned_of_and_its_texture_is_nan(path, bins):
    table = one(np.full(GRID.shape_zyx, 42.0), box(), path=path, discretisation=bins)
    assert table.loc["map", "original_firstorder_Mean"] == 42.0
    for column in features(table):
        undefined = any(t in column for t in TEXTURE) or column.endswith(("Skewness", "Kurtosis"))
        assert np.isnan(table.loc["map", column]) == undefined, column
    assert "[roi-constant] map: all 120 voxels have the value 42; texture is NaN." in table.attrs["warnings"]


def test_a_single_grey_level_is_warned_of():
    wide = FixedBinWidth(1000.0)
    by_convention = one(noise(), box(), discretisation=wide)
    by_ibsi = one(noise(), box(), discretisation=FixedBinWidth(1000.0, start=0.0), path="ibsi")
    assert by_convention.attrs["warnings"][0].startswith("[one-grey-level]")
    assert by_convention.loc["map", "original_ngtdm_Coarseness"] == 1e6  # what pyradiomics sets
    assert np.isnan(by_ibsi.loc["map", "original_ngtdm_Coarseness"])


@pytest.mark.parametrize("path", ["pyradiomics", "ibsi"])
def test_bins_that_are_far_too_narrow_are_refused_with_a_width_that_suits(path):
    error = refused(noise(), box(), path=path, discretisation=FixedBinWidth(0.001))
    assert error.code == "value-out-of-range"
    assert "Use a width near 4," in str(error)


def test_an_empty_region_is_refused():
    assert refused(noise(), Roi(np.zeros(GRID.shape_zyx, dtype=bool), GRID)).code == "roi-empty"


@pytest.mark.parametrize(("roi", "words"), [(box(slice(2, 3), slice(3, 4), slice(4, 5)), "a single voxel"),
                                            (box(slice(2, 3), slice(3, 4)), "a line of 6 voxels"),
                                            (box(slice(1, 5), slice(3, 4), slice(3, 4)), "a line of 4")])  # fmt: skip
def test_a_voxel_or_a_line_is_refused(roi, words):
    error = refused(noise(), roi, aggregation="2_5D_avg")
    assert error.code == "roi-too-small"
    assert words in str(error)


def test_one_slice_is_refused_in_3d_and_taken_slice_wise_on_request():
    roi = box(z=slice(2, 3))
    error = refused(noise(), roi)
    assert error.code == "roi-flat"
    assert "2_5D_avg" in str(error)
    table = one(noise(), roi, aggregation="2_5D_avg")
    assert table.loc["map", "original_shape2D_PixelSurface"] == 30 * 1.5
    assert not any("_shape_" in c for c in features(table))
    assert not table[features(table)].isna().any(axis=None)


def test_a_region_flat_along_another_axis_is_refused_even_slice_wise():
    assert refused(noise(), box(x=slice(4, 5)), aggregation="2_5D_avg").code == "roi-flat"


def test_a_region_that_fills_the_image_works():
    table = one(noise(), Roi(np.ones(GRID.shape_zyx, dtype=bool), GRID))
    assert not table[features(table)].isna().any(axis=None)


def test_a_region_that_vanishes_on_larger_voxels_is_refused():
    error = refused(noise(), box(), path="ibsi", resample_mm=30.0)
    assert error.code in {"roi-empty", "roi-too-small"}
    assert "after resampling" in str(error)


@pytest.mark.parametrize(
    ("choice", "near"),
    [
        ({"path": "pyradiomic"}, "'pyradiomics'"),
        ({"families": ["first_order"]}, "'firstorder'"),
        ({"aggregation": "3D_mean"}, "3D_avg"),
        ({"not_finite": "excluded"}, "'exclude'"),
        ({"interpolation": "cubic"}, "bspline"),
        ({"pyradiomics_settings": {"normalise": True}}, "'normalize'"),
    ],
)
def test_a_misspelt_choice_is_refused_with_the_nearest(choice, near):
    error = refused(noise(), box(), **choice)
    assert error.code == "choice-unknown"
    assert near in str(error)


@pytest.mark.parametrize(
    "choice",
    [
        {"round_intensities": True},
        {"resegment_range": (0.0, 1.0)},
        {"resegment_sigma": 3.0},
        {"path": "ibsi", "pyradiomics_settings": {"normalize": True}},
    ],
)
def test_a_choice_of_the_other_path_is_refused_rather_than_ignored(choice):
    assert refused(noise(), box(), **choice).code == "choice-unknown"


@pytest.mark.parametrize("spacing", [0.0, -1.0, (1.0, 1.0), float("nan")])
def test_a_spacing_must_make_sense(spacing):
    assert refused(noise(), box(), resample_mm=spacing).code == "value-out-of-range"


def test_the_inputs_are_unchanged_and_a_second_call_gives_the_same():
    values = noise()
    before = values.copy()
    first = one(values, box(), resample_mm=1.0)
    assert one(values, box(), resample_mm=1.0).equals(first)
    assert_array_equal(values, before)
