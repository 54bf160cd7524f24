"""The crop that the classifier sees: fixed in millimetres, free of gain, orientation and what lies far away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.models.crop import CROP_SIZE, CROP_SPACING_MM, around, lesion_crop
from spinekit.phantom.scanners import simulate_dynamic

IMAGES = slice(0, 14)


@pytest.fixture(scope="module")
def case():
    made = simulate_dynamic(3, size=(64, 64, 12), motion="none")
    return made, Roi(made.lesions.values == 1, made.series.geometry)


@pytest.fixture(scope="module")
def crop(case):
    made, roi = case
    return lesion_crop(made.series, roi, made.n_baseline)


def test_its_centre_is_the_centre_of_the_region_and_its_size_is_fixed(case, crop):
    _, roi = case
    middle = crop.geometry.index_to_mm((np.asarray(CROP_SIZE) - 1) / 2)

    np.testing.assert_allclose(middle, roi.geometry.index_to_mm(roi.centre_ijk), atol=1e-9)
    assert crop.geometry.spacing_mm == CROP_SPACING_MM
    assert crop.channels.shape == (25, *CROP_SIZE[::-1])
    assert np.isfinite(crop.channels).all()


def test_the_region_keeps_its_volume(case, crop):
    _, roi = case
    ml = float(crop.channels[-1].sum()) * crop.geometry.voxel_volume_mm3 / 1000.0

    assert ml == pytest.approx(roi.volume_ml, rel=0.03)
    assert crop.region_inside == pytest.approx(1.0, abs=0.03)


def test_the_lesion_before_contrast_is_the_unit_of_the_phases(crop):
    before = crop.channels[crop.names.index("phase:-10")]

    assert np.average(before, weights=crop.channels[-1]) == pytest.approx(1.0, abs=1e-5)


def test_a_gain_of_the_receiver_changes_nothing(case, crop):
    made, roi = case
    louder = replace(made.series, signal=made.series.signal * np.float32(3.7))

    np.testing.assert_allclose(lesion_crop(louder, roi, made.n_baseline).channels, crop.channels, atol=2e-3)


def test_what_lies_beyond_the_neighbourhood_changes_nothing(case, crop):
    made, roi = case
    near, mask = around(made.series, roi, crop.geometry)

    again = lesion_crop(near, Roi(mask > 0.5, near.geometry), made.n_baseline)

    assert np.prod(near.signal.shape) < np.prod(made.series.signal.shape)
    np.testing.assert_allclose(again.channels, crop.channels, atol=1e-4)


def test_another_orientation_of_the_axes_changes_nothing(case, crop):
    made, roi = case
    grid = made.series.geometry
    turned = Geometry(
        (grid.size[2], grid.size[0], grid.size[1]),
        (grid.spacing_mm[2], grid.spacing_mm[0], grid.spacing_mm[1]),
        grid.origin_mm,
        tuple((row[2], row[0], row[1]) for row in grid.direction),
    )
    series = DynamicSeries(made.series.signal.transpose(0, 2, 3, 1), made.series.times_s, turned, "test")

    again = lesion_crop(series, Roi(roi.mask.transpose(1, 2, 0), turned), made.n_baseline)

    assert again.geometry.same_grid(crop.geometry)
    np.testing.assert_allclose(again.channels, crop.channels, atol=1e-3)


def test_noise_of_an_image_finer_than_the_box_is_averaged_and_not_picked_out():
    grid = Geometry((120, 120, 24), (0.7, 0.7, 3.0))
    noise = np.random.default_rng(1).normal(100.0, 10.0, (4, *grid.shape_zyx)).astype(np.float32)
    noise[2:] += 50.0
    roi = Roi(np.zeros(grid.shape_zyx, dtype=bool), grid)
    mask = roi.mask.copy()
    mask[9:15, 50:70, 50:70] = True

    crop = lesion_crop(DynamicSeries(noise, [0.0, 15.0, 30.0, 60.0], grid, "test"), Roi(mask, grid), 2)

    inside = crop.channels[crop.names.index("phase:-10")][crop.channels[-1] > 0.99]
    assert inside.std() < 0.35 * 0.1 / np.sqrt(2)


def test_a_box_that_leaves_the_slab_is_empty_there_and_says_so(case):
    made, roi = case
    above = Roi(np.concatenate([roi.mask[-3:]]), replace_geometry(made.series.geometry, 3, roi.mask.shape[0] - 3))
    thin = DynamicSeries(made.series.signal[:, -3:], made.series.times_s, above.geometry, "test")
    if not above.mask.any():
        above = Roi(np.ones_like(above.mask), above.geometry)

    crop = lesion_crop(thin, above, made.n_baseline)

    assert crop.covered < 0.6
    assert not crop.channels[IMAGES, 0].any() or not crop.channels[IMAGES, -1].any()


def replace_geometry(grid, n_slices, first):
    return replace(grid, size=(*grid.size[:2], n_slices), origin_mm=tuple(grid.index_to_mm((0, 0, first)).tolist()))


def test_an_empty_region_and_one_on_another_grid_are_refused(case):
    made, roi = case
    with pytest.raises(InputRefusedError) as empty:
        lesion_crop(made.series, Roi(np.zeros_like(roi.mask), roi.geometry), made.n_baseline)
    shifted = replace(roi.geometry, origin_mm=(1.0, 2.0, 3.0))
    with pytest.raises(GridMismatchError):
        lesion_crop(made.series, Roi(roi.mask, shifted), made.n_baseline)

    assert empty.value.code == "roi-empty"


def test_a_region_without_signal_before_contrast_is_refused(case):
    made, roi = case
    signal = made.series.signal.copy()
    signal[:, binary_dilation(roi.mask, iterations=4)] = 0.0

    with pytest.raises(InputRefusedError) as dark:
        lesion_crop(replace(made.series, signal=signal), roi, made.n_baseline)

    assert dark.value.code == "protocol-insufficient"


def test_a_single_slice_is_refused_for_what_it_is_and_not_for_its_signal():
    grid = Geometry((32, 32, 1), (2.0, 2.0, 4.0))
    series = DynamicSeries(np.full((4, 1, 32, 32), 100.0, np.float32), [0, 20, 40, 60], grid, "test")
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[:, 10:20, 10:20] = True

    with pytest.raises(InputRefusedError, match="has 1 slice") as refused:
        lesion_crop(series, Roi(mask, grid), 1)

    assert refused.value.code == "slab-too-thin"
