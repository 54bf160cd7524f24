"""Maps of a series: the compiled pass equals the plain definitions, every NaN has its reason, conventions are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import spinekit as sk
from spinekit.case import DynamicSeries, Roi
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.kinetics import descriptive as plain
from spinekit.kinetics.maps import DESCRIPTIVE
from spinekit.quantities import QUANTITIES
from spinekit.settings import Kinetics

TIMES_S = np.array([0.0, 11.0, 23.0, 35.0, 48.0, 67.0, 92.0, 121.0, 160.0, 205.0])
GRID = Geometry((37, 29, 3), (1.0, 1.0, 3.0))  # not a whole number of the kernel's blocks
BASELINE = 2
BAT_S = 11.0


@pytest.fixture(scope="module")
def series() -> DynamicSeries:
    """Every kind of curve: rising, washing out, flat, falling, not finite, without signal."""
    rng = np.random.default_rng(11)
    n = GRID.size[0] * GRID.size[1] * GRID.size[2]
    arrival, rise, fall = rng.uniform(11.0, 40.0, n), rng.uniform(0.0, 3.0, n), rng.uniform(-0.01, 0.004, n)
    since = np.clip(TIMES_S[:, None] - arrival, 0.0, None)
    curves = 100.0 * (1.0 + rise * (1 - np.exp(-since / 20.0)) + fall * since) + rng.normal(0.0, 2.0, (10, n))
    curves[:, :40] = 50.0
    curves[:, 40:80] = 0.0
    curves[3, 80:120] = np.nan
    curves[7, 120:130] = np.inf
    curves[:, 130:150] = np.linspace(100.0, 10.0, 10)[:, None]
    return DynamicSeries(curves.reshape(10, *GRID.shape_zyx), TIMES_S, GRID, "times_s")


def defined(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values)


@pytest.mark.parametrize("wash_out", ["lang2013", "lang2017"])
@pytest.mark.parametrize("arrival", ["baseline", "onset"])
def test_the_compiled_pass_equals_the_definitions(series, wash_out, arrival):
    maps = sk.parameter_maps(series, BASELINE, settings=Kinetics(wash_out=wash_out, arrival=arrival))

    signal = series.signal.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        enhancement = plain.relative_enhancement(signal, n_baseline=BASELINE)
        onset = plain.onset_time(signal, TIMES_S, n_baseline=BASELINE)
        bat = onset if arrival == "onset" else BAT_S
        timed = {"n_baseline": BASELINE, "bat_s": bat}
        fixed = {"n_baseline": BASELINE, "bat_s": BAT_S}
        expected = {
            "relative_enhancement_peak": plain.peak_enhancement(signal, n_baseline=BASELINE),
            "time_to_peak": plain.time_to_peak(signal, TIMES_S, **timed),
            "bolus_arrival_time": onset,
            "wash_in_slope": plain.wash_in_slope(enhancement, TIMES_S, **timed),
            "wash_out_slope": plain.wash_out_slope(enhancement, TIMES_S, n_baseline=BASELINE),
            "steepest_wash_in": plain.steepest_wash_in(signal, n_baseline=BASELINE),
            "wash_out_ratio": plain.wash_out_ratio(signal, TIMES_S, convention=wash_out, **fixed),
            "signal_enhancement_ratio": plain.signal_enhancement_ratio(signal, n_baseline=BASELINE, early=2, late=9),
            "auc60": plain.area_under_curve(signal, TIMES_S, **fixed),
            "curve_type": plain.curve_type(signal, TIMES_S, **fixed),
        }
    assert tuple(maps) == DESCRIPTIVE == tuple(expected)
    for name, values in expected.items():
        found = maps[name].values
        # single precision may decide a knife edge (peak equal to the baseline) the other way
        assert np.mean(defined(found) != defined(values)) < 0.002, name
        both = defined(found) & defined(values)
        scale = np.maximum(np.abs(values[both]), 0.01 * np.median(np.abs(values[both])))
        wrong = np.abs(found[both] - values[both]) > 2e-4 * scale
        assert wrong.mean() < 0.005, name
        assert maps[name].unit == QUANTITIES[name].unit


def test_what_is_undefined_is_nan_and_counted_by_reason(series):
    maps = sk.parameter_maps(series, BASELINE)

    for name, volume in maps.items():
        assert not np.isinf(volume.values).any(), name
        counted = sum(maps.undefined[name].values())
        assert counted == np.isnan(volume.values).sum(), name
    reasons = maps.undefined["wash_out_slope"]
    assert reasons["the signal is not finite"] == 50
    assert reasons["the baseline signal is not positive"] == 40
    assert reasons["no uptake: the signal does not rise above its baseline"] >= 60
    assert reasons["the peak is the last phase, so that no wash-out was seen"] > 0


def test_a_series_without_a_reason_to_be_undefined_has_none():
    curves = np.linspace(1.0, 2.0, 10)[:, None, None, None] * np.ones((1, *GRID.shape_zyx))
    curves[5] = 3.0
    maps = sk.parameter_maps(DynamicSeries(curves, TIMES_S, GRID, "times_s"), 1)

    assert all(not reasons for reasons in maps.undefined.values())


def test_within_a_region_equals_the_whole_there_and_is_nan_outside(series):
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[1, 5:20, 4:30] = True
    roi = Roi(mask, GRID)

    whole, part = sk.parameter_maps(series, BASELINE), sk.parameter_maps(series, BASELINE, roi)

    for name in whole:
        assert_array_equal(part[name].values[mask], whole[name].values[mask])
        assert np.isnan(part[name].values[~mask]).all()
    assert part.record["within_roi"]
    with pytest.raises(GridMismatchError):
        sk.parameter_maps(series, BASELINE, Roi(mask, replace(GRID, origin_mm=(5.0, 0.0, 0.0))))


def test_the_same_series_gives_the_same_bits(series):
    first, second = sk.parameter_maps(series, BASELINE), sk.parameter_maps(series, BASELINE)

    for name in first:
        assert first[name].values.tobytes() == second[name].values.tobytes()


def test_asking_for_some_maps_gives_those_alone_and_the_same(series):
    some = sk.parameter_maps(series, BASELINE, names=["auc60", "curve_type"])

    assert tuple(some) == ("auc60", "curve_type")
    assert_array_equal(some["auc60"].values, sk.parameter_maps(series, BASELINE)["auc60"].values)


def test_scaling_the_signal_changes_no_relative_quantity(series):
    doubled = replace(series, signal=series.signal * np.float32(2.0))

    first, second = sk.parameter_maps(series, BASELINE), sk.parameter_maps(doubled, BASELINE)

    for name in first:
        assert_allclose(second[name].values, first[name].values, rtol=1e-5)


def test_conventions_and_the_phases_used_are_in_the_record(series):
    record = sk.parameter_maps(series, BASELINE, settings=Kinetics(ser_early_s=50.0, wash_out="lang2017")).record

    assert record["ser_early_phase_s"] == 67.0
    assert record["ser_late_phase_s"] == 205.0
    assert record["wash_out_convention"] == "lang2017"
    assert record["auc60_interval_s"] == [11.0, 71.0]
    assert record["baseline_phases_s"] == [0.0, 11.0]


def test_a_short_series_says_so_and_leaves_the_area_undefined(series):
    short = replace(series, signal=series.signal[:5], times_s=TIMES_S[:5])

    maps = sk.parameter_maps(short, BASELINE)

    assert np.isnan(maps["auc60"].values).all()
    assert maps.undefined["auc60"]["the series ends before the interval does"] != 0
    assert any("series-short" in text for text in maps.warnings)


def test_arrival_between_distant_phases_is_told(series):
    sparse = replace(series, signal=series.signal[::3], times_s=TIMES_S[::3])

    told = sk.parameter_maps(sparse, 1).warnings

    assert any("arrival-not-sampled" in text and "35 s" in text for text in told)
    assert not any("arrival-not-sampled" in text for text in sk.parameter_maps(series, BASELINE).warnings)


def test_contrast_agent_in_the_baseline_is_told(series):
    curves = np.array([1.0, 1.6, 2.0, 2.2, 2.2])[:, None, None, None] * np.full((1, *GRID.shape_zyx), 100.0)
    risen = DynamicSeries(curves, TIMES_S[:5], GRID, "times_s")

    assert any("baseline-rises" in text for text in sk.parameter_maps(risen, 2).warnings)
    assert not any("baseline-rises" in text for text in sk.parameter_maps(risen, 1).warnings)


@pytest.mark.parametrize(
    ("settings", "names", "code"),
    [
        (Kinetics(wash_out="lang2018"), None, "choice-unknown"),
        (Kinetics(arrival="guess"), None, "choice-unknown"),
        (Kinetics(), ["wash_in"], "choice-unknown"),
    ],
)
def test_names_that_nobody_knows_are_refused(series, settings, names, code):
    with pytest.raises(InputRefusedError) as refused:
        sk.parameter_maps(series, BASELINE, settings=settings, names=names)
    assert refused.value.code == code


def test_two_phases_give_the_peak_alone(series):
    two = replace(series, signal=series.signal[[0, 5]], times_s=TIMES_S[[0, 5]])

    peak = sk.parameter_maps(two, 1, names=["relative_enhancement_peak"])["relative_enhancement_peak"]

    expected = plain.peak_enhancement(two.signal.astype(np.float64), n_baseline=1)
    assert_allclose(peak.values[2], expected[2], rtol=1e-4)
    with pytest.raises(InputRefusedError) as refused:
        sk.parameter_maps(two, 1)
    assert refused.value.code == "too-few-phases"
