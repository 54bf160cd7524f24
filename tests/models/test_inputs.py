"""What a network sees of a series: independent of gain, orientation and protocol; and the way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.geometry import Geometry
from spinekit.models.grid import network_grid
from spinekit.models.inputs import back_to_series, mask_channel, network_input
from spinekit.models.phases import (
    PHASE_TIMES_S,
    WIDER_GAP_S,
    bolus_arrival_s,
    covered_phases,
    phases_after_arrival,
)
from spinekit.phantom import simulate_case

SAGITTAL = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))


@pytest.fixture(scope="module")
def case():
    return simulate_case(3, size=(48, 48, 6))


def ramp(times_s, *, arrival_s, slope):
    """Every voxel 100 before `arrival_s`, then a straight rise."""
    times = np.asarray(times_s, dtype=float)
    curve = 100.0 + slope * np.clip(times - arrival_s, 0, None)
    signal = np.broadcast_to(curve[:, None, None, None], (len(times), 3, 4, 5)).astype(np.float32)
    return DynamicSeries(signal, times, Geometry((5, 4, 3), (1.0, 1.0, 3.0)), time_source="test")


def test_the_arrival_of_a_straight_rise_is_found():
    series = ramp([0, 20, 33, 50, 90], arrival_s=27.0, slope=2.0)

    assert bolus_arrival_s(series, 2) == pytest.approx(27.0, abs=1e-4)


def test_phases_of_a_straight_rise_are_the_line_itself():
    series = ramp([0, 20, 33, 50, 90, 150, 200, 260, 300], arrival_s=27.0, slope=2.0)

    phases, present = phases_after_arrival(series, 2, arrival_s=27.0)

    assert present.all()
    for phase, after in zip(phases[1:], PHASE_TIMES_S[1:], strict=True):
        np.testing.assert_allclose(phase, 100.0 + 2.0 * after, rtol=1e-5)


def test_phases_beyond_the_series_or_inside_a_long_gap_are_absent():
    series = ramp([0, 20, 33, 50, 200], arrival_s=27.0, slope=2.0)

    phases, present = phases_after_arrival(series, 2, arrival_s=27.0)

    inside = [True] + [27.0 + after <= 50.0 for after in PHASE_TIMES_S[1:]]
    assert present.tolist() == inside
    assert not phases[~present].any()


def test_a_straight_line_across_the_first_pass_is_no_phase_of_it():
    series = ramp([0, 12, 62, 90, 120], arrival_s=20.0, slope=2.0)

    _, present = phases_after_arrival(series, 2, arrival_s=bolus_arrival_s(series, 2))

    covered = dict(zip(PHASE_TIMES_S, present.tolist(), strict=True))
    assert not any(covered[time] for time in (10.0, 20.0, 30.0))
    assert covered[-10.0]
    assert covered[60.0]
    assert covered[90.0]


def test_wider_gaps_cover_more_phases_but_no_first_pass_that_was_missed():
    times = np.array([0.0, 15.0, 67.0, 90.0, 115.0, 220.0])

    strict = covered_phases(times, arrival_s=8.0)
    wider = covered_phases(times, arrival_s=8.0, max_gap_s=WIDER_GAP_S)

    assert [t for t, there in zip(PHASE_TIMES_S, strict, strict=True) if there] == [-10.0, 60.0, 90.0]
    assert [t for t, there in zip(PHASE_TIMES_S, wider, strict=True) if there] == [
        -10.0,
        30.0,
        45.0,
        60.0,
        90.0,
        120.0,
        180.0,
    ]


def test_the_channels_under_wider_gaps_are_the_lines_themselves():
    series = ramp([0, 20, 33, 50, 200], arrival_s=27.0, slope=2.0)

    strict, wider = (network_input(series, 2, **gaps) for gaps in ({}, {"max_gap_s": WIDER_GAP_S}))

    late = wider.names.index("phase:120")
    assert not strict.channels[late].any()
    np.testing.assert_allclose(wider.channels[late], 2.0 * 120.0 / wider.scale, rtol=1e-5)
    assert wider.channels[wider.names.index("present:120")].all()


def test_a_bolus_whose_first_pass_was_missed_arrives_soon_after_the_last_phase_before_it():
    series = ramp([0, 12, 62, 90, 120], arrival_s=40.0, slope=2.0)
    falling = replace(series, signal=series.signal[[0, 1, 4, 3, 2]])

    assert bolus_arrival_s(series, 2) == bolus_arrival_s(falling, 2) == 22.0


def test_a_gain_of_the_receiver_changes_nothing(case):
    louder = replace(case.series, signal=case.series.signal * np.float32(7.5))

    first, second = network_input(case.series), network_input(louder)

    np.testing.assert_allclose(second.channels, first.channels, rtol=1e-4, atol=1e-4)


def test_turning_the_axes_of_the_series_changes_nothing_that_the_network_sees(case):
    straight = replace(case.series, geometry=Geometry((48, 48, 6), (2.0, 2.0, 4.0)))
    turned = DynamicSeries(
        np.ascontiguousarray(straight.signal.transpose(0, 3, 1, 2)[:, :, ::-1]),
        straight.times_s,
        Geometry((48, 6, 48), (2.0, 4.0, 2.0), (0.0, 0.0, 20.0), ((0, 0, 1), (1, 0, 0), (0, -1, 0))),
        time_source="test",
    )

    first, second = network_input(straight), network_input(turned)

    assert second.geometry.same_grid(first.geometry)
    np.testing.assert_allclose(second.channels, first.channels, atol=1e-4)


@pytest.mark.parametrize("n_phases", [3, 10, 60])
def test_any_number_of_phases_gives_the_same_finite_channels(n_phases):
    seen = network_input(simulate_case(5, size=(32, 32, 4), n_phases=n_phases).series)

    assert seen.channels.shape == (24, 4, 32, 32)
    assert np.isfinite(seen.channels).all()


@pytest.mark.parametrize("spacing_mm", [None, (0.9, 0.9, 2.0), (0.7, 0.8, 1.3), (4.0, 4.0, 4.0)])
@pytest.mark.parametrize("direction", [((1, 0, 0), (0, 1, 0), (0, 0, 1)), SAGITTAL])
def test_a_region_of_one_millilitre_comes_back_within_one_percent(spacing_mm, direction):
    grid = Geometry((40, 36, 14), (1.0, 1.0, 3.0), (5.0, -3.0, 2.0), direction)
    series = DynamicSeries(
        100.0 + np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((1, *grid.shape_zyx), np.float32),
        [0.0, 20.0, 40.0],
        grid,
        time_source="test",
    )
    z, y, x = np.indices(grid.shape_zyx)
    ball = Roi(((x - 19) ** 2 + (y - 17) ** 2 + (3.0 * (z - 7)) ** 2) <= 6.3**2, grid)  # 1.0 ml
    seen = network_input(series, spacing_mm=spacing_mm)

    back = back_to_series(mask_channel(ball, seen), seen) >= 0.5

    dice = 2 * np.count_nonzero(back & ball.mask) / (np.count_nonzero(back) + ball.n_voxels)
    assert dice == 1.0 if spacing_mm is None else dice > 0.99


def test_the_grid_with_another_spacing_covers_the_series_about_the_same_centre():
    grid = Geometry((40, 36, 14), (1.0, 1.0, 3.0), (5.0, -3.0, 2.0), SAGITTAL)

    finer = network_grid(grid, (0.7, 0.7, 2.0))

    assert finer.axis_names() == "LPS"
    centres = [g.index_to_mm((np.asarray(g.size) - 1) / 2) for g in (grid, finer)]
    np.testing.assert_allclose(*centres, atol=1e-9)
    assert np.prod(finer.size) * finer.voxel_volume_mm3 >= np.prod(grid.size) * grid.voxel_volume_mm3


@pytest.mark.parametrize("n_baseline", [0, 10])
def test_a_baseline_that_leaves_no_other_phase_is_refused(case, n_baseline):
    with pytest.raises(InputRefusedError, match="n_baseline") as refused:
        network_input(case.series, n_baseline)

    assert refused.value.code == "value-out-of-range"


def test_a_series_without_signal_before_contrast_is_refused(case):
    signal = case.series.signal.copy()
    signal[0] = 0

    with pytest.raises(InputRefusedError) as refused:
        network_input(replace(case.series, signal=signal))

    assert refused.value.code == "protocol-insufficient"


def test_a_probability_on_another_grid_is_refused(case):
    with pytest.raises(ShapeMismatchError, match="network's grid"):
        back_to_series(np.zeros((2, 2, 2)), network_input(case.series))
