"""The curve under the crosshair."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.phantom import simulate_case
from spinekit.viewmodels import Probe, RoiReview, SeedSelection, ViewModel

TIMES = [0.0, 10.0, 30.0, 90.0]


def series_with(curve, at=(2, 3, 1)) -> DynamicSeries:
    signal = np.full((4, 3, 7, 5), 100.0, dtype=np.float32)
    i, j, k = at
    signal[:, k, j, i] = curve
    return DynamicSeries(signal, TIMES, Geometry((5, 7, 3), (1, 1, 3)), "times_s")


def test_the_voxel_s_own_curve_and_the_mean_of_the_nine_around_it():
    probe = Probe(series_with([100, 100, 300, 200]), n_baseline=2)
    probe.move((2, 3, 1))

    np.testing.assert_allclose(probe.under().voxel, [0, 0, 2, 1])
    np.testing.assert_allclose(probe.under().neighbours, np.array([0, 0, 2, 1]) / 9)


def test_neighbours_are_those_of_the_slice_and_fewer_at_the_edge():
    probe = Probe(series_with([100, 100, 500, 500], at=(0, 0, 1)), n_baseline=2)
    probe.move((0, 0, 1))
    np.testing.assert_allclose(probe.under().neighbours[-1], 4 / 4)
    probe.move((0, 0, 2))

    np.testing.assert_allclose(probe.under().neighbours, 0)


@pytest.mark.parametrize("place", [None, (5, 0, 0), (0, -1, 0)])
def test_outside_there_is_nothing(place):
    probe = Probe(series_with([100, 100, 300, 200]), n_baseline=2)
    probe.move((1, 1, 1))
    probe.move(place)

    assert probe.under() is None


def test_a_voxel_without_baseline_is_nan_and_not_zero():
    probe = Probe(series_with([0, 0, 300, 200]), n_baseline=2)

    assert np.isnan(probe.at((2, 3, 1)).voxel).all()


def test_a_listener_that_was_taken_off_hears_nothing():
    model, heard = ViewModel(), []

    def listener():
        heard.append(1)

    model.listen(listener)
    model.changed()
    model.unlisten(listener)
    model.unlisten(listener)
    model.changed()

    assert heard == [1]


def test_a_review_knows_the_baseline_the_lesion_was_marked_with():
    case = simulate_case(3, size=(48, 48, 8))
    marked = SeedSelection(case.series, n_baseline=2)
    marked.take(case.lesion)
    marked.sign(" AB ")

    review = RoiReview(case.series, marked.confirm(), marked.journal)

    assert review.n_baseline == 2
    assert review.journal.reader == "AB"
