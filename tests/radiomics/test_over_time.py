"""Features over time: closed forms of the curve, and each phase's numbers are those of the phase alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import (
    delta_row,
    describe_features,
    extract_features,
    feature_curves,
    features_over_time,
)  # fmt: skip

GRID = Geometry((9, 8, 7), (1.0, 1.0, 2.0))
TIMES_S = [0.0, 10.0, 25.0, 30.0, 70.0]  # uneven on purpose
GAIN = np.array([1.0, 1.0, 1.6, 2.0, 1.2])


@pytest.fixture(scope="module")
def series() -> DynamicSeries:
    texture = np.random.default_rng(0).normal(100.0, 8.0, GRID.shape_zyx)
    return DynamicSeries(texture[None] * GAIN[:, None, None, None], TIMES_S, GRID, "given")


@pytest.fixture(scope="module")
def roi() -> Roi:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[1:6, 1:7, 1:8] = True
    return Roi(mask, GRID)


@pytest.fixture(scope="module")
def table(series, roi) -> pd.DataFrame:
    return features_over_time(series, roi, discretisation={"bin_width": 4.0})


def test_each_value_is_that_of_the_phase_alone(series, roi, table):
    assert len(table) == 5 * 93
    alone = extract_features({"p": series.phase(3)}, roi, discretisation={"bin_width": 4.0})
    of_phase = table[table["phase"] == 3].set_index("feature")["value"]
    assert of_phase["original_glcm_Contrast"] == alone.loc["p", "original_glcm_Contrast"]
    assert set(table.loc[table["phase"] == 3, "time_s"]) == {30.0}


def test_the_curve_of_the_mean_has_its_closed_form(table, series, roi):
    curve = feature_curves(table, n_baseline=2).loc["original_firstorder_Mean"]
    base = float(series.signal[0][roi.mask].mean(dtype=np.float64))
    assert_allclose(curve["baseline"], base, rtol=1e-6)
    assert_allclose(curve["peak"], base, rtol=1e-6)  # doubled in phase 3
    assert curve["time_to_peak"] == 20.0  # from the last baseline phase at 10 s
    assert_allclose(curve["slope"], base / 20.0, rtol=1e-6)
    assert_allclose(curve["wash_out"], -0.8 * base / 40.0, rtol=1e-6)
    assert_allclose(curve["last"], 0.2 * base, rtol=1e-5)
    assert_allclose(curve[[f"phase_{k:02d}" for k in range(5)]].to_numpy(float), base * GAIN, rtol=1e-6)


def test_a_feature_that_falls_has_a_negative_peak_and_one_that_peaks_last_no_wash_out():
    falling = pd.DataFrame({"phase": range(3), "time_s": [0.0, 5.0, 9.0], "feature": "original_glcm_Id",
                            "value": [3.0, 2.0, -1.0]})  # fmt: skip
    curve = feature_curves(falling).loc["original_glcm_Id"]
    assert curve["peak"] == -4.0
    assert np.isnan(curve["wash_out"])


def test_a_value_that_is_undefined_in_one_phase_leaves_the_curve_undefined_not_zero(table):
    holed = table.copy()
    holed.loc[(holed["phase"] == 2) & (holed["feature"] == "original_glcm_Id"), "value"] = np.nan
    curves = feature_curves(holed)
    assert curves.loc["original_glcm_Id", ["peak", "slope", "wash_out", "last"]].isna().all()
    assert curves.loc["original_glcm_Idm", ["peak", "slope", "last"]].notna().all()


def test_the_delta_row_names_what_was_taken_and_every_name_is_described(table):
    row = delta_row(feature_curves(table))
    assert len(row) == 5 * 93
    described = describe_features(row.index)
    assert len(described) == len(row)
    assert set(described["image"]) == {f"delta_{k}" for k in ("peak", "time_to_peak", "slope", "wash_out", "last")}


@pytest.mark.parametrize("n_baseline", [0, 5])
def test_a_baseline_that_leaves_nothing_is_refused(table, n_baseline):
    with pytest.raises(InputRefusedError) as caught:
        feature_curves(table, n_baseline=n_baseline)
    assert caught.value.code == "too-few-phases"


def test_a_phase_that_is_not_there_is_refused(series, roi):
    with pytest.raises(InputRefusedError, match="Phase 5 was asked for"):
        features_over_time(series, roi, discretisation={"bin_count": 8}, phases=[0, 5])
