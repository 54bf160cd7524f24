"""Intraclass correlations against pingouin, and against their own closed cases."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from spinekit.radiomics.reliability import COVERAGE, reliability


def by_pingouin(values: np.ndarray) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas remarks on pingouin's code
        import pingouin

        n, k = values.shape
        long = pd.DataFrame({"case": np.repeat(np.arange(n), k), "way": np.tile(np.arange(k), n),
                             "value": values.ravel()})  # fmt: skip
        table = pingouin.intraclass_corr(long, targets="case", raters="way", ratings="value")
    return table.iloc[[1, 2]]  # ICC(2,1) or ICC(A,1), ICC(3,1) or ICC(C,1)


SIZES = [(6, 2, 0.3, 0.0), (15, 4, 0.8, 0.5), (30, 9, 3.0, 2.0), (5, 3, 0.01, 0.0)]


@pytest.mark.parametrize(("n", "k", "noise", "offset"), SIZES)
def test_both_coefficients_and_their_limits_are_those_of_pingouin(n, k, noise, offset):
    rng = np.random.default_rng(n * k)
    values = rng.normal(size=(n, 1)) + noise * rng.normal(size=(n, k)) + offset * rng.normal(size=(1, k))
    found = reliability(values)
    expected = by_pingouin(values)
    interval = next(c for c in expected.columns if c.startswith("CI"))
    for name, (_, row) in zip(("icc2", "icc3"), expected.iterrows(), strict=True):
        assert_allclose(found[name][0], row["ICC"], rtol=1e-10)
        limits = found[f"{name}_low"][0], found[f"{name}_high"][0]
        assert_allclose(limits, row[interval], atol=0.0051)  # pingouin rounds its limits to two digits


def test_many_features_at_once_are_the_features_one_by_one():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(9, 4, 7)) * 10.0 ** np.arange(-3, 4)
    values[2, 1, 5] = np.nan
    together = reliability(values)
    for n in range(7):
        alone = reliability(values[:, :, n])
        for name, column in together.items():
            assert_allclose(column[n], alone[name][0], rtol=1e-12, err_msg=name)
    assert together["n_cases"].tolist() == [9, 9, 9, 9, 9, 8, 9]


def test_perfect_agreement_an_offset_and_a_constant():
    truth = np.arange(8.0)[:, None]
    same, shifted = reliability(np.repeat(truth, 3, axis=1)), reliability(truth + np.array([0.0, 2.0]))
    assert same["icc2"][0] == same["icc3"][0] == same["icc2_low"][0] == 1.0
    assert same["repeatability"][0] == 0.0
    assert_allclose(shifted["icc3"][0], 1.0)
    assert shifted["icc2"][0] < 0.9  # absolute agreement does not forgive an offset
    assert_allclose(shifted["reproducibility"][0], COVERAGE * np.sqrt(2.0))  # variance of 0 and 2 over n - 1
    assert np.isnan(reliability(np.ones((8, 3)))["icc2"][0])


def test_the_repeatability_coefficient_covers_95_percent_of_differences():
    rng = np.random.default_rng(11)
    values = rng.normal(scale=5.0, size=(400, 1)) + rng.normal(scale=2.0, size=(400, 2))
    coefficient = reliability(values)["repeatability"][0]
    fresh = rng.normal(scale=2.0, size=(20000, 2))
    assert abs(np.mean(np.abs(fresh[:, 0] - fresh[:, 1]) < coefficient) - 0.95) < 0.02


@pytest.mark.parametrize("shape", [(2, 4), (5, 1)])
def test_too_little_to_compare_is_nan_not_a_number(shape):
    found = reliability(np.random.default_rng(0).normal(size=shape))
    assert np.isnan(found["icc2"][0])
    assert np.isnan(found["repeatability"][0])


def test_the_limits_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    truth = 0.8  # variance 4 between cases, 1 within
    values = 2.0 * rng.normal(size=(20, 1, 1500)) + rng.normal(size=(20, 3, 1500))
    found = reliability(values)
    covered = (found["icc3_low"] <= truth) & (truth <= found["icc3_high"])
    assert abs(covered.mean() - 0.95) < 0.02
