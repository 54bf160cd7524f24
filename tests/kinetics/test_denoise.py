"""Noise between phases is reduced, and nothing else: no noise, no change; edges, means and other voxels stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import spinekit as sk
from spinekit.case import DynamicSeries
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.settings import Kinetics

TIMES_S = np.array([0.0, 12, 24, 36, 48, 67, 92, 122, 160, 205])
GRID = Geometry((40, 36, 3), (1.0, 1.0, 4.0))
SIGMA = 5.0


def two_tissues():
    """Signal (T, Z, Y, X): a disc that washes out, of an amplitude that varies, in tissue that rises slowly."""
    rising = 100.0 * (1.0 + 0.6 * (1.0 - np.exp(-TIMES_S / 60.0)))
    washing = 100.0 * (1.0 + 1.2 * (TIMES_S > 0) * np.exp(-TIMES_S / 150.0))
    _, y, x = np.indices(GRID.shape_zyx)
    disc = (y - 18) ** 2 + (x - 20) ** 2 < 81
    amplitude = 1.0 + 0.2 * np.sin(x / 3.0) * np.cos(y / 4.0)
    return np.where(disc, washing[:, None, None, None], rising[:, None, None, None]) * amplitude, disc


def series_of(signal):
    return DynamicSeries(signal.astype(np.float32), TIMES_S, GRID, "simulated", record={"simulated": True})


@pytest.fixture(scope="module")
def noisy():
    clean, _ = two_tissues()
    return series_of(clean + SIGMA * np.random.default_rng(3).standard_normal(clean.shape))


def test_a_series_without_noise_comes_back():
    clean, _ = two_tissues()

    assert_allclose(sk.denoised(series_of(clean)).signal, clean, rtol=1e-5)


def test_noise_falls_to_about_the_share_of_directions_that_are_kept(noisy):
    clean, disc = two_tissues()

    quiet = sk.denoised(noisy)

    left = quiet.signal - clean
    rank = 2  # the two tissues' curves
    assert left[:, disc].std() < SIGMA * np.sqrt((rank + 0.6) / TIMES_S.size)
    assert quiet.record["denoised"]["noise_sd"] == pytest.approx(SIGMA, rel=0.06)


def test_nothing_is_smoothed_in_space_and_no_mean_is_shifted(noisy):
    clean, disc = two_tissues()

    quiet = sk.denoised(noisy)

    left = quiet.signal - clean
    border = disc & ~(np.roll(disc, 1, -1) & np.roll(disc, -1, -1) & np.roll(disc, 1, -2) & np.roll(disc, -1, -2))
    assert np.abs(left[:, border].mean(axis=1)).max() < 4 * SIGMA / np.sqrt(border.sum())
    assert np.abs(left[:, disc].mean(axis=1)).max() < 4 * SIGMA / np.sqrt(disc.sum())


def test_noise_alone_is_taken_out_but_for_its_mean_curve():
    rng = np.random.default_rng(5)
    signal = 100.0 + SIGMA * rng.standard_normal((TIMES_S.size, *GRID.shape_zyx))

    quiet = sk.denoised(series_of(signal))

    assert (quiet.signal - 100.0).std() < SIGMA * np.sqrt(
        1.8 / TIMES_S.size
    )  # one direction, and now and then one more


def test_only_the_region_changes_and_voxels_that_are_not_finite_stay(noisy):
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[1, 10:20, 12:30] = True
    signal = noisy.signal.copy()
    signal[4, 1, 15, 15] = np.nan
    series = replace(noisy, signal=signal)

    quiet = sk.denoised(series, sk.Roi(mask, GRID))

    assert_array_equal(quiet.signal[:, ~mask], series.signal[:, ~mask])
    assert_array_equal(quiet.signal[:, 1, 15, 15], series.signal[:, 1, 15, 15])
    assert np.isfinite(quiet.signal[:, 1, 15, 16]).all()
    whole = sk.denoised(series)
    assert_allclose(quiet.signal[:, mask], whole.signal[:, mask], rtol=1e-5)


def test_the_square_grows_with_the_number_of_phases(noisy):
    many = DynamicSeries(
        np.tile(noisy.signal, (3, 1, 1, 1)), np.arange(30.0), GRID, "simulated"
    )  # fmt: skip
    small = sk.Roi(np.indices(GRID.shape_zyx)[2] == 20, GRID)

    assert sk.denoised(many, small).record["denoised"]["side"] == 9
    assert sk.denoised(noisy, small, side=7).record["denoised"]["side"] == 7


def test_maps_of_a_denoised_series_are_asked_for_in_the_settings_and_told_in_the_record(noisy):
    region = sk.Roi(two_tissues()[1], GRID)

    asked = sk.parameter_maps(noisy, 1, region, names=["wash_in_slope"], settings=Kinetics(denoise=True))
    by_hand = sk.parameter_maps(sk.denoised(noisy, region), 1, region, names=["wash_in_slope"])

    assert_array_equal(asked["wash_in_slope"].values, by_hand["wash_in_slope"].values)
    assert asked.record["denoised"]["side"] == 5
    assert sk.parameter_maps(noisy, 1, region, names=["wash_in_slope"]).record["denoised"] is None


def test_an_even_side_and_a_region_elsewhere_are_refused(noisy):
    with pytest.raises(InputRefusedError, match="side of 4") as refused:
        sk.denoised(noisy, side=4)
    assert refused.value.code == "value-out-of-range"
    other = Geometry((40, 36, 3), (1.0, 1.0, 5.0))
    with pytest.raises(GridMismatchError):
        sk.denoised(noisy, sk.Roi(np.ones(other.shape_zyx, dtype=bool), other))
