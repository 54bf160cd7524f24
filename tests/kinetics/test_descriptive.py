"""Descriptive quantities against closed forms, at uneven times; the compiled pass against the plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.kinetics import descriptive as plain

TIMES_S = np.array([0.0, 10.0, 20.0, 25.0, 30.0, 60.0])  # uneven on purpose


def ramp(slope: float, *, start_s: float = 10.0, base: float = 2.0) -> np.ndarray:
    return base + slope * np.clip(TIMES_S - start_s, 0.0, None)


@pytest.mark.parametrize("slope", [0.5, 3.0, 40.0])
def test_recovers_the_slope_of_a_straight_rise(slope):
    result = plain.wash_in_slope(ramp(slope), TIMES_S, n_baseline=2, bat_s=10.0)

    assert_allclose(result, slope, rtol=1e-12)


def test_time_to_peak_counts_from_arrival_not_from_the_first_phase():
    curve = [1.0, 1.0, 2.0, 4.0, 3.0, 2.0]

    assert plain.time_to_peak(curve, TIMES_S, n_baseline=2, bat_s=10.0) == 15.0
    assert plain.time_to_peak(curve, TIMES_S, n_baseline=2, bat_s=0.0) == 25.0


@pytest.mark.parametrize("fall", [-0.02, -0.5])
def test_wash_out_slope_is_negative_when_the_signal_washes_out(fall):
    curve = np.array([1.0, 1.0, 20.0, *(20.0 + fall * (TIMES_S[3:] - 20.0))])

    assert_allclose(plain.wash_out_slope(curve, TIMES_S, n_baseline=2), fall, rtol=1e-12)


def test_wash_out_is_undefined_when_the_peak_is_last():
    assert np.isnan(plain.wash_out_slope(ramp(1.0), TIMES_S, n_baseline=2))


@pytest.mark.parametrize("arrival_s", [10.0, 12.5, 17.0])
def test_onset_is_exact_for_a_straight_rise_whatever_the_phases_sample(arrival_s):
    assert_allclose(plain.onset_time(ramp(3.0, start_s=arrival_s), TIMES_S, n_baseline=2), arrival_s, rtol=1e-12)


def test_onset_is_never_before_the_last_baseline_phase():
    assert plain.onset_time([1.0, 1.0, 5.0, 5.1, 5.2, 5.2], TIMES_S, n_baseline=2) == 10.0


def test_steepest_wash_in_is_the_largest_step_over_the_baseline():
    curve = [2.0, 2.0, 3.0, 8.0, 9.0, 4.0]

    assert plain.steepest_wash_in(curve, n_baseline=2) == (8.0 - 3.0) / 2.0


def test_each_wash_out_convention_by_name():
    times = np.array([0.0, 30.0, 90.0, 150.0])
    curve = np.array([2.0, 8.0, 6.0, 5.0])
    at_67s = 8.0 + (6.0 - 8.0) * 37.0 / 60.0

    lang2013 = plain.wash_out_ratio(curve, times, n_baseline=1, convention="lang2013", bat_s=0.0)
    lang2017 = plain.wash_out_ratio(curve, times, n_baseline=1, convention="lang2017", bat_s=0.0)

    assert_allclose(lang2013, (5.0 - 8.0) / 2.0, rtol=1e-12)
    assert_allclose(lang2017, (5.0 - at_67s) / at_67s, rtol=1e-12)
    with pytest.raises(InputRefusedError) as refused:
        plain.wash_out_ratio(curve, times, n_baseline=1, convention="lang2018", bat_s=0.0)
    assert refused.value.code == "choice-unknown"


def test_signal_enhancement_ratio_is_early_over_late():
    curve = [2.0, 2.0, 6.0, 5.0, 4.5, 4.0]

    assert plain.signal_enhancement_ratio(curve, n_baseline=2, early=2, late=5) == 2.0
    assert np.isnan(plain.signal_enhancement_ratio([2.0, 2.0, 6.0, 5.0, 4.0, 2.0], n_baseline=2, early=2, late=5))


def test_area_of_a_straight_rise_is_that_of_the_triangle():
    curve = np.array([1.0, 1.0 + 1.0 / 3.0, 1.0 + 2.0 / 3.0, 1.0 + 25.0 / 30.0, 2.0, 3.0])  # RE = t/30

    area = plain.area_under_curve(curve, TIMES_S, n_baseline=1, bat_s=0.0, length_s=37.0)

    assert_allclose(area, 37.0**2 / 60.0, rtol=1e-12)


def test_area_is_undefined_where_the_series_ends_before_the_interval():
    assert np.isnan(plain.area_under_curve(ramp(1.0), TIMES_S, n_baseline=2, bat_s=10.0, length_s=60.0))


@pytest.mark.parametrize(("last", "kind"), [(11.2, 1.0), (10.5, 2.0), (9.5, 2.0), (8.8, 3.0)])
def test_curve_types_change_at_ten_percent(last, kind):
    assert plain.curve_type([1.0, 10.0, last], [0.0, 60.0, 300.0], n_baseline=1, bat_s=0.0) == kind


@pytest.mark.parametrize(
    "quantity",
    [
        lambda c: plain.peak_enhancement(c, n_baseline=2),
        lambda c: plain.time_of_peak(c, TIMES_S, n_baseline=2),
        lambda c: plain.onset_time(c, TIMES_S, n_baseline=2),
        lambda c: plain.wash_in_slope(c, TIMES_S, n_baseline=2, bat_s=10.0),
        lambda c: plain.wash_out_slope(c, TIMES_S, n_baseline=2),
        lambda c: plain.wash_out_ratio(c, TIMES_S, n_baseline=2, convention="lang2013", bat_s=10.0),
        lambda c: plain.signal_enhancement_ratio(c, n_baseline=2, early=2, late=5),
        lambda c: plain.steepest_wash_in(c, n_baseline=2),
        lambda c: plain.curve_type(c, TIMES_S, n_baseline=2, bat_s=10.0),
    ],
)
def test_a_flat_curve_is_nan_not_zero(quantity):
    flat = np.full(6, 5.0)
    with_nan = np.array([1.0, 1.0, np.nan, 4.0, 3.0, 2.0])

    assert np.isnan(quantity(flat))
    assert np.isnan(quantity(with_nan))


def test_no_uptake_is_nan_not_zero():
    falling = np.array([5.0, 5.0, 4.0, 3.0, 2.0, 1.0])

    assert np.isnan(plain.wash_in_slope(falling, TIMES_S, n_baseline=2, bat_s=10.0))
    assert np.isnan(plain.peak_enhancement(falling, n_baseline=2))


def test_a_baseline_of_zero_is_nan_not_infinite():
    assert np.isnan(plain.relative_enhancement([0.0, 0.0, 4.0], n_baseline=2)).all()


def test_unsigned_signals_do_not_wrap():
    curve = np.array([200, 200, 250, 90, 90, 90], dtype=np.uint8)

    assert_allclose(plain.wash_out_slope(curve, TIMES_S, n_baseline=2), (250 - 90) / (20 - 60), rtol=1e-12)


def test_says_which_axis_is_wrong():
    with pytest.raises(ShapeMismatchError, match="6 times for curves of shape \\(4, 6\\)"):
        plain.wash_in_slope(np.ones((4, 6)), TIMES_S, n_baseline=2, bat_s=10.0)


@pytest.mark.parametrize("n_baseline", [0, 6, 7])
def test_a_baseline_that_leaves_no_enhancement_is_refused(n_baseline):
    with pytest.raises(InputRefusedError) as refused:
        plain.peak_enhancement(np.ones(6), n_baseline=n_baseline)
    assert refused.value.code == "value-out-of-range"


def test_quantities_of_many_curves_are_those_of_each():
    curves = np.random.default_rng(5).uniform(1.0, 9.0, (6, 3, 4))

    together = plain.wash_out_slope(curves, TIMES_S, n_baseline=2)

    each = [[plain.wash_out_slope(curves[:, a, b], TIMES_S, n_baseline=2) for b in range(4)] for a in range(3)]
    assert_array_equal(together, np.array(each))
