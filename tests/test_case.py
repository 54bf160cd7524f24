"""Values of a case are frozen, checked on entry, and say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Seed, Volume, resample_to
from spinekit.errors import GridMismatchError, InputRefusedError, ShapeMismatchError
from spinekit.geometry import Geometry

GRID = Geometry((4, 3, 2), (1.0, 2.0, 5.0))
SIGNAL = np.arange(72, dtype=np.float32).reshape(3, 2, 3, 4)


def series(**changes):
    return DynamicSeries(
        **{"signal": SIGNAL, "times_s": [0, 10, 25], "geometry": GRID, "time_source": "test", **changes}
    )


def test_times_are_counted_from_the_first_phase():
    assert_array_equal(series(times_s=[100.0, 110.0, 125.0]).times_s, [0.0, 10.0, 25.0])


def test_values_cannot_be_changed_afterwards():
    case = series()

    with pytest.raises(ValueError, match="read-only"):
        case.signal[0, 0, 0, 0] = 1
    with pytest.raises(AttributeError):
        case.name = "other"


def test_building_a_series_does_not_lock_the_callers_array():
    mine = SIGNAL.copy()
    series(signal=mine)

    mine[0, 0, 0, 0] = 5.0

    assert mine[0, 0, 0, 0] == 5.0


@pytest.mark.parametrize(
    ("times", "code"),
    [
        ([0, 10, 10], "times-equal"),
        ([0, 10, 5], "times-invalid"),
        ([0, 10, float("nan")], "times-invalid"),
        ([0, 10], "times-invalid"),
    ],
)
def test_times_that_cannot_be_are_refused(times, code):
    with pytest.raises(InputRefusedError) as caught:
        series(times_s=times)

    assert caught.value.code == code


def test_a_series_without_time_axis_is_refused_in_words():
    with pytest.raises(ShapeMismatchError, match=r"\(T, Z, Y, X\)"):
        series(signal=SIGNAL[0])


def test_an_array_in_the_order_xyz_is_refused():
    with pytest.raises(ShapeMismatchError, match="axes are"):
        Volume(np.zeros((4, 3, 2)), GRID)


def test_phases_count_from_zero_and_from_the_end():
    assert_array_equal(series().phase(-1).values, SIGNAL[2])
    assert series().phase(-1).name == "phase_02"


@pytest.mark.parametrize("t", [3, -4])
def test_a_phase_that_does_not_exist_is_refused(t):
    with pytest.raises(InputRefusedError) as caught:
        series().phase(t)

    assert caught.value.code == "value-out-of-range"


def test_a_warning_is_kept_once():
    case = series(warnings=("[a] x",)).with_warnings("[b] y", "[a] x")

    assert case.warnings == ("[a] x", "[b] y")


def test_volume_of_a_region_is_in_millilitres():
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[0, 1, 1:3] = True

    assert Roi(mask, GRID).volume_ml == pytest.approx(2 * 10.0 / 1000)
    assert Roi(mask, GRID).box_zyx == (slice(0, 1), slice(1, 2), slice(1, 3))


def test_values_within_a_region_on_another_grid_are_refused():
    roi = Roi(np.ones((2, 3, 4), bool), Geometry((4, 3, 2), (1.0, 2.0, 6.0)))

    with pytest.raises(GridMismatchError):
        Volume(np.zeros((2, 3, 4)), GRID).within(roi)


def test_a_missing_map_names_those_that_exist():
    maps = ParameterMaps({"auc60": Volume(np.zeros((2, 3, 4)), GRID)}, GRID)

    with pytest.raises(KeyError, match="auc60"):
        maps["ktrans"]


def test_a_region_is_resampled_by_nearest_neighbour_and_says_so():
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[1, 2, 3] = True
    fine = Geometry((8, 6, 2), (0.5, 1.0, 5.0), (-0.25, -0.5, 0.0))

    moved = resample_to(Roi(mask, GRID), fine)

    assert moved.n_voxels == 4
    assert moved.volume_ml == pytest.approx(Roi(mask, GRID).volume_ml)
    assert moved.record["resampled_from"]["size"] == [4, 3, 2]


def test_a_volume_is_nan_where_its_source_does_not_reach():
    wide = Geometry((6, 3, 2), GRID.spacing_mm, (-2.0, 0.0, 0.0))

    moved = resample_to(Volume(SIGNAL[0], GRID), wide)

    assert np.isnan(moved.values[:, :, :2]).all()
    assert_array_equal(moved.values[:, :, 2:], SIGNAL[0])


def test_a_seed_knows_both_orders_of_its_index():
    assert Seed(1, 2, 3).ijk == (1, 2, 3)
    assert Seed(1, 2, 3).zyx == (3, 2, 1)
