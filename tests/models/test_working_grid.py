"""The coarse grid the U-Net works on: means over blocks, the way back, and what a click tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.models.clicks import CLICK_CHANNELS, click_channels
from spinekit.models.working import WORKING_MM, block_mean, coarse_series, onto_series, onto_working, working_input
from spinekit.phantom import simulate_case
from spinekit.segmentation.agreement import dice

SAGITTAL = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))


@pytest.fixture(scope="module")
def case():
    return simulate_case(3, size=(96, 96, 12))


def series_on(grid, n_phases=3):
    z, y, x = np.indices(grid.shape_zyx).astype(np.float32)
    still = 100.0 + x + 2.0 * y + 3.0 * z
    signal = np.stack([still * (1.0 + 0.2 * t) for t in range(n_phases)])
    return DynamicSeries(signal, 20.0 * np.arange(n_phases), grid, time_source="test")


def test_blocks_are_averaged_and_a_constant_stays():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

    np.testing.assert_allclose(block_mean(values, (2, 3, 4)), values.mean().reshape(1, 1, 1))
    np.testing.assert_array_equal(block_mean(np.full((5, 7, 3), 4.0), (2, 2, 2)), np.full((3, 4, 2), 4.0))
    np.testing.assert_array_equal(block_mean(values, (1, 1, 1)), values)


@pytest.mark.parametrize("direction", [((1, 0, 0), (0, 1, 0), (0, 0, 1)), SAGITTAL])
def test_a_voxel_of_the_coarse_series_lies_where_the_mean_of_its_block_does(direction):
    fine = series_on(Geometry((24, 18, 12), (0.9, 0.6, 0.9), (3.0, -2.0, 7.0), direction))

    coarse = coarse_series(fine)

    factors = np.array(fine.geometry.size) / np.array(coarse.geometry.size)
    assert (factors > 1).any()
    where = coarse.geometry.index_to_mm((1, 1, 1))
    expected = fine.geometry.index_to_mm(factors * 1.5 - 0.5)
    np.testing.assert_allclose(where, expected, atol=1e-9)
    i, j, k = fine.geometry.mm_to_index(where)
    np.testing.assert_allclose(coarse.signal[0, 1, 1, 1], 100.0 + i + 2.0 * j + 3.0 * k, rtol=1e-5)


def test_a_coarse_series_is_left_as_it_is():
    series = series_on(Geometry((8, 8, 4), (1.9, 1.9, 4.0)))

    assert coarse_series(series) is series


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 3.0), (0.94, 0.94, 4.0), (1.3, 1.3, 2.0), (2.6, 2.6, 8.0)])
@pytest.mark.parametrize("direction", [((1, 0, 0), (0, 1, 0), (0, 0, 1)), SAGITTAL])
def test_the_working_grid_is_near_its_spacing_whatever_the_series(spacing, direction):
    size = tuple(max(4, round(60 / s)) for s in spacing)

    seen = working_input(series_on(Geometry(size, spacing, direction=direction)))

    assert seen.geometry.axis_names() == "LPS"
    ratios = np.array(seen.geometry.spacing_mm) / WORKING_MM
    assert (ratios > 1 / 1.16).all()
    assert (ratios < 1.16).all()


@pytest.mark.parametrize("spacing", [(0.47, 0.47, 4.0), (0.94, 0.94, 4.0)])
def test_a_share_of_lesion_comes_back_within_two_percent_of_dice_and_a_mask_cut_at_half_does_not(spacing):
    grid = Geometry(tuple(round(60 / s) for s in spacing), spacing)
    z, y, x = (np.indices(grid.shape_zyx).T * grid.spacing_zyx_mm - 30.0).T
    ball = x**2 + y**2 + z**2 <= 10.0**2
    seen = working_input(series_on(grid))
    share = onto_working(ball, grid, seen.geometry)

    back = dice(onto_series(share, seen) >= 0.5, ball)
    cut = dice(onto_series((share >= 0.5).astype(np.float32), seen) >= 0.5, ball)

    assert cut < 0.98 < back


def test_a_constant_probability_comes_back_to_the_very_edge(case):
    seen = working_input(case.series, case.n_baseline)

    back = onto_series(np.full(seen.geometry.shape_zyx, 0.75, np.float32), seen)

    np.testing.assert_allclose(back, 0.75, atol=1e-6)


def test_a_click_gives_three_channels_with_their_highest_value_at_the_click(case):
    seen = working_input(case.series, case.n_baseline)

    channels, warnings = click_channels(case.series, case.n_baseline, case.seed_ijk, seen)

    assert channels.shape == (len(CLICK_CHANNELS), *seen.geometry.shape_zyx)
    assert warnings == ()
    assert channels.min() >= 0.0
    place = np.rint(seen.geometry.mm_to_index(case.series.geometry.index_to_mm(case.seed_ijk))).astype(int)
    near, alike, grown = (float(c[tuple(place[::-1])]) for c in channels)
    assert near == channels[0].max() > 0.9
    assert alike > 0.6
    assert grown > 0.9


def test_distance_falls_as_a_bell_of_eight_millimetres():
    series = series_on(Geometry((30, 30, 12), (2.0, 2.0, 4.0)))
    seen = working_input(series)

    near = click_channels(series, 1, (10, 10, 5), seen)[0][0]

    assert near[5, 10, 10] == pytest.approx(1.0)
    assert near[5, 10, 14] == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert near[7, 10, 10] == pytest.approx(np.exp(-0.5), rel=1e-5)


def test_a_gain_of_the_receiver_does_not_move_the_channels_of_a_click(case):
    seen = working_input(case.series, case.n_baseline)
    louder = replace(case.series, signal=case.series.signal * np.float32(3.0))

    first, _ = click_channels(case.series, case.n_baseline, case.seed_ijk, seen)
    second, _ = click_channels(louder, case.n_baseline, case.seed_ijk, seen)

    np.testing.assert_allclose(second[:2], first[:2], atol=1e-3)


def test_a_click_outside_the_series_is_refused(case):
    seen = working_input(case.series, case.n_baseline)

    with pytest.raises(InputRefusedError, match="lies outside") as refused:
        click_channels(case.series, case.n_baseline, (96, 5, 5), seen)

    assert refused.value.code == "seed-outside"


def test_where_nothing_grows_the_channel_is_empty_and_a_warning_says_why():
    flat = series_on(Geometry((30, 30, 2), (2.0, 2.0, 4.0)))

    channels, warnings = click_channels(flat, 1, (10, 10, 1), working_input(flat))

    assert not channels[2].any()
    assert warnings[0].startswith("[click-not-grown]")


def without(case, *numbers):
    """The series without these phases, counted from the first after contrast."""
    kept = np.setdiff1d(np.arange(case.series.n_phases), case.n_baseline + np.array(numbers))
    return replace(case.series, signal=case.series.signal[kept], times_s=case.series.times_s[kept])


def channel(seen, name):
    return seen.channels[seen.names.index(name)]


def test_maps_of_the_first_pass_are_undefined_where_it_was_not_imaged(case):
    usual = working_input(case.series, case.n_baseline)
    later = working_input(without(case, 4), case.n_baseline)
    gone = working_input(without(case, 0, 1, 2), case.n_baseline)

    for seen in (usual, later):
        assert channel(seen, "map:wash_in_slope").any()
        assert channel(seen, "map:auc60").any()
    assert not channel(gone, "map:wash_in_slope").any()
    assert not channel(gone, "map:auc60").any()
    assert channel(gone, "map:relative_enhancement_peak").any()
