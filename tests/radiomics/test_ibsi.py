"""The IBSI path: the consensus of the digital phantom, and its steps one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import IBSI_CONFIGURATIONS, FixedBinCount, FixedBinWidth, extract_features, ibsi_conformity
from spinekit.radiomics.discretisation import ibsi_levels
from spinekit.radiomics.ibsi_path import ibsi_grid, interpolate, resegmented
from spinekit.radiomics.recipe import Recipe


def all_of(grid: Geometry) -> tuple[slice, slice, slice]:
    z, y, x = grid.shape_zyx
    return slice(0, z), slice(0, y), slice(0, x)


def test_every_tag_of_the_digital_phantom_agrees(shared_data):
    table = ibsi_conformity(shared_data / "ibsi_digital_phantom")
    disagree = table.index[~table["agrees"]].tolist()
    assert disagree == []
    assert len(table) == 384
    in_space = table.index[~table.index.str.contains("_2D")]  # 3-D and 2.5-D, averaged and merged
    deprecated = ("morph_comp_1", "morph_comp_2", "morph_sph_dispr")
    assert len(in_space.difference(deprecated)) == 264


def test_a_folder_without_the_phantom_is_refused(tmp_path):
    with pytest.raises(InputRefusedError, match=r"phantom\.nii\.gz"):
        ibsi_conformity(tmp_path)


@pytest.mark.parametrize(
    ("size", "old", "new", "expected"),
    [
        (5, 2.0, 3.0, 4),
        (4, 2.0, 2.0, 4),
        (204, 0.9765625, 2.0, 100),
        (60, 3.0, 2.0, 90),
        (10, 0.7, 0.1, 70),
        (3, 1, 10, 1),
    ],
)
def test_the_new_grid_has_ceil_of_extent_over_spacing_voxels_about_the_same_centre(size, old, new, expected):
    geometry = Geometry((size, size, size), (old, old, old), (7.0, -3.0, 11.0))
    grid = ibsi_grid(geometry, (new, new, new))
    assert grid.size == (expected, expected, expected)
    centre = geometry.index_to_mm((np.asarray(geometry.size) - 1) / 2)
    assert_allclose(grid.index_to_mm((np.asarray(grid.size) - 1) / 2), centre, atol=1e-9)


def test_the_new_grid_is_centred_on_an_oblique_image_too():
    turn = np.deg2rad(30)
    direction = ((np.cos(turn), -np.sin(turn), 0.0), (np.sin(turn), np.cos(turn), 0.0), (0.0, 0.0, 1.0))
    geometry = Geometry((7, 5, 4), (1.1, 0.9, 3.0), (1.0, 2.0, 3.0), direction)
    grid = ibsi_grid(geometry, (2.0, 0.0, 1.0))
    assert grid.spacing_mm == (2.0, 0.9, 1.0)  # a zero keeps the axis
    centre = geometry.index_to_mm((np.asarray(geometry.size) - 1) / 2)
    assert_allclose(grid.index_to_mm((np.asarray(grid.size) - 1) / 2), centre, atol=1e-9)


@pytest.mark.parametrize("order", [1, 3])
def test_interpolation_reproduces_a_plane_inside_and_the_nearest_value_beyond_the_edge(order):
    geometry = Geometry((40, 30, 20), (1.0, 1.0, 3.0))
    z, y, x = np.indices(geometry.shape_zyx)
    plane = 2.0 * x - 3.0 * y + 5.0 * z
    grid = ibsi_grid(geometry, (0.7, 1.3, 2.0))
    result = interpolate(plane, geometry, grid, order=order, box=all_of(grid))
    inner = result[8:-8, 8:-8, 8:-8]
    kz, ky, kx = np.indices(grid.shape_zyx)[:, 8:-8, 8:-8, 8:-8]
    where = geometry.mm_to_index(grid.index_to_mm(np.stack([kx, ky, kz], axis=-1)))
    assert_allclose(
        inner, 2.0 * where[..., 0] - 3.0 * where[..., 1] + 5.0 * where[..., 2], atol=2e-3 if order == 3 else 1e-9
    )
    constant = interpolate(np.full(geometry.shape_zyx, 4.0), geometry, grid, order=order, box=all_of(grid))
    assert_allclose(constant, 4.0, rtol=1e-12)  # also where the new grid reaches beyond the image


def test_a_cropped_interpolation_equals_the_whole_one():
    geometry = Geometry((80, 70, 60), (0.9, 0.8, 1.7))
    values = np.random.default_rng(1).normal(size=geometry.shape_zyx)
    grid = ibsi_grid(geometry, (1.0, 1.0, 1.0))
    whole = interpolate(values, geometry, grid, order=3, box=all_of(grid))
    part = (slice(40, 50), slice(20, 33), slice(30, 36))
    assert_allclose(interpolate(values, geometry, grid, order=3, box=part), whole[part], atol=1e-10)


def test_the_mask_is_kept_from_one_half_on():
    geometry = Geometry((8, 8, 8), (1.0, 1.0, 1.0))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[2:6, 2:6, 2:6] = True
    values = np.random.default_rng(2).normal(size=geometry.shape_zyx)
    # the new voxels of 2 mm lie between old ones: 2 × 2 × 2 of them are wholly inside
    table = extract_features({"a": Volume(values, geometry)}, Roi(mask, geometry), path="ibsi", resample_mm=2.0,
                             discretisation=FixedBinCount(4), families=["shape"])  # fmt: skip
    assert table.loc["a", "n_voxels"] == 8
    assert table.loc["a", "original_shape_VoxelVolume"] == 64.0
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[2:6, 2:6, 3:6] = True  # the new voxels at the low end of x are half inside: they stay
    table = extract_features({"a": Volume(values, geometry)}, Roi(mask, geometry), path="ibsi", resample_mm=2.0,
                             discretisation=FixedBinCount(4), families=["shape"])  # fmt: skip
    assert table.loc["a", "n_voxels"] == 8


@pytest.mark.parametrize(("start", "expected"), [(-1000.0, [1, 1, 2, 57]), (-1001.0, [1, 2, 2, 57])])
def test_bins_of_fixed_width_start_at_the_lower_bound_of_the_range(start, expected):
    values = np.array([-1000.0, -976.0, -975.0, 400.0])
    assert ibsi_levels(values, FixedBinWidth(25.0), lower_bound=start).tolist() == expected


def test_a_fixed_count_gives_the_maximum_the_last_level_and_no_more():
    levels = ibsi_levels(np.linspace(-3.0, 9.0, 1001), FixedBinCount(32), lower_bound=-100.0)
    assert (levels.min(), levels.max()) == (1, 32)
    counts = np.bincount(levels)[1:]
    assert counts.max() - counts.min() <= 2


def test_bins_that_start_above_the_region_are_refused():
    with pytest.raises(InputRefusedError) as caught:
        ibsi_levels(np.array([1.0, 5.0]), FixedBinWidth(1.0, start=2.0), lower_bound=None)
    assert caught.value.code == "value-out-of-range"


def test_bins_of_fixed_width_without_a_stated_start_are_warned_of():
    geometry = Geometry((5, 5, 5), (1.0, 1.0, 1.0))
    image = {"a": Volume(np.random.default_rng(5).normal(size=(5, 5, 5)), geometry)}
    roi = Roi(np.ones((5, 5, 5), dtype=bool), geometry)
    warned = extract_features(image, roi, path="ibsi", discretisation=FixedBinWidth(0.5))
    stated = extract_features(image, roi, path="ibsi", discretisation=FixedBinWidth(0.5, start=-10.0))
    assert warned.attrs["warnings"][0].startswith("[bins-start-at-minimum]")
    assert stated.attrs["warnings"] == ()


def test_the_range_keeps_both_its_ends_and_the_morphological_mask_stays():
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    values = np.arange(64.0).reshape(4, 4, 4)
    roi = Roi(np.ones((4, 4, 4), dtype=bool), geometry)
    table = extract_features({"a": Volume(values, geometry)}, roi, path="ibsi", discretisation=FixedBinWidth(4.0),
                             resegment_range=(10.0, 50.0), families=["shape", "firstorder"])  # fmt: skip
    assert table.loc["a", "n_voxels"] == 41
    assert table.loc["a", "original_firstorder_Minimum"] == 10.0
    assert table.loc["a", "original_firstorder_Maximum"] == 50.0
    assert table.loc["a", "original_shape_VoxelVolume"] == 64.0


def test_outliers_are_those_beyond_three_standard_deviations():
    values = np.concatenate([np.random.default_rng(6).normal(size=996), [9.0, -9.0, 30.0, 0.0]]).reshape(10, 10, 10)
    mask = np.ones((10, 10, 10), dtype=bool)
    kept = resegmented(values, mask, Recipe(FixedBinCount(8), path="ibsi", resegment_sigma=3.0))
    mean, spread = values.mean(), 3 * values.std()
    assert_array_equal(kept, np.abs(values - mean) <= spread)
    assert not kept.ravel()[[996, 997, 998]].any()
    two = Recipe(FixedBinCount(8), path="ibsi", resegment_sigma=3.0, resegment_range=(-1, 50))
    both = resegmented(values, mask, two)
    assert_array_equal(both, kept & (values >= -1))  # the two ranges are intersected


def test_intensities_are_rounded_after_resampling_on_request():
    geometry = Geometry((6, 6, 6), (1.0, 1.0, 1.0))
    values = np.arange(216.0).reshape(6, 6, 6)
    roi = Roi(np.ones((6, 6, 6), dtype=bool), geometry)
    choices = {"path": "ibsi", "resample_mm": 0.8, "discretisation": FixedBinCount(8), "families": ["firstorder"]}
    rough = extract_features({"a": Volume(values, geometry)}, roi, **choices)
    whole = extract_features({"a": Volume(values, geometry)}, roi, round_intensities=True, **choices)
    assert float(rough.loc["a", "original_firstorder_Median"]) != float(whole.loc["a", "original_firstorder_Median"])
    assert float(whole.loc["a", "original_firstorder_Median"]) % 0.5 == 0


def test_grey_levels_keep_their_number_when_the_lowest_is_not_one():
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    roi = Roi(np.ones((4, 4, 4), dtype=bool), geometry)
    values = np.random.default_rng(9).integers(10, 14, size=(4, 4, 4)).astype(float)
    table = extract_features({"a": Volume(values, geometry)}, roi, path="ibsi", families=["glcm"],
                             discretisation=FixedBinWidth(1.0, start=1.0))  # fmt: skip
    assert 10 <= table.loc["a", "original_glcm_JointAverage"] <= 14


@pytest.mark.parametrize("name", sorted(IBSI_CONFIGURATIONS))
def test_one_call_carries_out_a_configuration(name):
    geometry = Geometry((24, 24, 12), (1.0, 1.0, 3.0))
    rng = np.random.default_rng(11)
    values = np.round(
        rng.normal(5 if name == "digital" else -100.0, 2 if name == "digital" else 150.0, geometry.shape_zyx)
    )
    values = np.clip(values, 1 if name == "digital" else -1024, 3000)
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[2:10, 4:20, 4:20] = True
    table = extract_features({"ct": Volume(values, geometry)}, Roi(mask, geometry), **IBSI_CONFIGURATIONS[name])
    assert len(table) == (6 if name == "digital" else 2)
    assert np.isfinite(table.filter(regex="^original").to_numpy(dtype=float)).all()
