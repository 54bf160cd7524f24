"""The model's curve laid over the measured one: the same where the data follow the model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit.case import Acquisition, DynamicSeries, Roi
from spinekit.geometry import Geometry
from spinekit.kinetics.aif import biexponential_aif
from spinekit.kinetics.fitted import fitted_enhancement
from spinekit.kinetics.signal import spgr_signal
from spinekit.kinetics.tofts import extended_tofts

GRID = Geometry((3, 2, 1), (1.0, 1.0, 1.0))
TIMES_S = np.array([0.0, 12.0, 24.0, 36.0, 48.0, 66.0, 90.0, 120.0, 160.0, 210.0])
KTRANS = np.array([0.05, 0.11, 0.15, 0.08, 0.2, 0.07]).reshape(1, 2, 3)


@pytest.fixture
def series():
    fine = np.arange(14.0, 211.0, 0.25)
    plasma = biexponential_aif(fine, kind="fast", delay_s=14.0)
    content = extended_tofts(plasma, fine, ktrans_per_min=KTRANS, kep_per_min=0.6, vp=0.03)
    at = np.stack([np.interp(TIMES_S, fine, content[:, 0, y, x], left=0.0) for y in range(2) for x in range(3)], axis=1)
    signal = spgr_signal(at.reshape(10, 1, 2, 3), t1_s=1.1, repetition_time_s=0.005, flip_angle_deg=12.0, s0=1000.0)
    acquisition = Acquisition(repetition_time_ms=5.0, flip_angle_deg=12.0)
    return DynamicSeries(signal, TIMES_S, GRID, "given", acquisition=acquisition)


def test_data_that_follow_the_model_are_met_by_its_curve(series):
    roi = Roi(np.ones(GRID.shape_zyx, dtype=bool), GRID)
    found = fitted_enhancement(series, roi, n_baseline=2, t1=1.1, arterial="fast")

    measured = series.signal / series.signal[:2].mean(axis=0) - 1.0
    assert_allclose(found, measured, atol=0.02 * measured.max())


def test_outside_the_region_nothing_is_claimed(series):
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[0, 0, 0] = True
    found = fitted_enhancement(series, Roi(mask, GRID), n_baseline=2, t1=1.1)

    assert np.isfinite(found[:, 0, 0, 0]).all()
    assert np.isnan(found[:, 0, 1]).all()
