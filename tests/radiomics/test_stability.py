"""Which features survive perturbation: known variances in, known answers out; the filter sees its fold only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from spinekit.errors import InputRefusedError
from spinekit.radiomics import (
    PUBLISHED_SHARE,
    reliability,
    spread_of_one_case,
    stability_by_kind,
    stability_table,
    stable_features,
    survival,
)  # fmt: skip

NAMES = ["original_shape_MeshVolume", "a_original_glcm_Id", "a_wavelet-LLL_glcm_MCC", "a_original_ngtdm_Busyness"]
NOISE = [0.05, 0.3, 1.5, 0.45]
CASES = [f"case-{n}" for n in range(24)]


def tables(ways: int = 4, seed: int = 0) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(len(CASES), len(NAMES)))
    names = ["reference", "seed: 1", "seed: 2", "border: eroded by 1 mm", "border: dilated by 1 mm"][:ways]
    return {name: pd.DataFrame(truth + rng.normal(size=truth.shape) * NOISE, CASES, NAMES).assign(path="ibsi")
            for name in names}  # fmt: skip


def test_the_table_holds_the_coefficients_of_each_feature_and_where_it_belongs():
    measured = tables()
    table = stability_table(measured)
    assert list(table.index) == NAMES
    stacked = np.stack([measured[n][NAMES[1]].to_numpy() for n in measured], axis=1)
    assert_allclose(table.loc[NAMES[1], "icc2"], reliability(stacked)["icc2"][0])
    assert table["stable"].tolist() == [True, True, False, True]
    assert table.loc[NAMES[2], ["image", "filter", "family"]].tolist() == ["a", "wavelet-LLL", "glcm"]
    assert (table["icc2_low"] <= table["icc2"]).all()


def test_the_filter_depends_on_its_training_cases_alone():
    measured = tables()
    training = CASES[:16]
    before = stable_features(measured, cases=training)
    for table in list(measured.values())[1:]:
        table.loc[CASES[16:], NAMES] = 1e6 * np.random.default_rng(9).normal(size=(8, 4))
    assert stable_features(measured, cases=training) == before
    assert stable_features(measured) != before


def test_the_lower_limit_is_the_stricter_bound():
    measured = tables()
    assert set(stable_features(measured, bound="lower")) < set(stable_features(measured))


def test_a_perturbation_that_hurts_shows_under_its_kind_alone():
    measured = tables(5)
    measured["border: eroded by 1 mm"][NAMES[1]] += 10.0
    kinds = stability_by_kind(measured)
    assert list(kinds.columns) == ["seed", "border"]
    assert kinds.loc[NAMES[1], "seed"] > 0.75 > kinds.loc[NAMES[1], "border"]
    shares = survival(kinds)
    assert shares.loc["glcm", "n_features"] == 2
    assert shares.loc["shape"].tolist() == [1.0, 1.0, 1]
    assert shares.loc["all", "n_features"] == 4
    assert shares.loc["all", "seed"] == 0.75
    assert survival(stability_table(measured), by="filter").index.tolist() == ["original", "wavelet-LLL", "all"]


def test_a_case_that_could_not_be_measured_is_left_out_of_its_features():
    measured = tables()
    measured["seed: 1"] = measured["seed: 1"].drop(index="case-3")
    assert set(stability_table(measured)["n_cases"]) == {23}


def test_what_cannot_be_compared_is_refused():
    measured = tables()
    with pytest.raises(InputRefusedError) as caught:
        stability_table({"reference": measured["reference"]})
    assert caught.value.code == "value-out-of-range"
    for refused in (
        lambda: stability_table(measured, cases=["case-99"]),
        lambda: stability_by_kind({k: v for k, v in measured.items() if k != "reference"}),
    ):
        with pytest.raises(InputRefusedError) as caught:
            refused()
        assert caught.value.code == "table-invalid"


def test_one_case_has_a_spread_with_the_perturbation_that_moves_it_most():
    one = {"reference": pd.Series([10.0, 0.0, np.nan], NAMES[:3]), "seed: 1": pd.Series([11.0, 1.0, np.nan], NAMES[:3]),
           "border: eroded": pd.Series([8.0, 0.5, np.nan], NAMES[:3])}  # fmt: skip
    table = spread_of_one_case(one)
    assert table.loc[NAMES[0], "largest_change"] == 0.2
    assert table["by"].tolist() == ["border: eroded", "seed: 1", ""]
    assert np.isnan(table.loc[NAMES[1], "largest_change"])  # a share of zero
    assert_allclose(table.loc[NAMES[0], "cv"], np.std([10, 11, 8], ddof=1) / (29 / 3))


def test_the_published_share_is_that_of_the_paper():
    assert PUBLISHED_SHARE == 0.764
