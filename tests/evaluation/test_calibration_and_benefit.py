"""Calibration and net benefit against scikit-learn, statsmodels, scipy and dcurves."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from spinekit.errors import InputRefusedError
from spinekit.evaluation import calibration, net_benefit


def predicted(seed: int, *, stretch: float = 1.0, shift: float = 0.0, n: int = 400):
    """Outcomes with known risk, and predictions whose logit is stretched and shifted."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    y = (rng.random(n) < expit(odds)).astype(int)
    return y, expit(stretch * odds + shift)


@pytest.mark.parametrize("seed", range(3))
def test_slope_and_intercept_are_those_of_statsmodels(seed):
    y, p = predicted(seed, stretch=1.7, shift=0.4)
    odds = logit(p)
    slope = sm.GLM(y, sm.add_constant(odds), family=sm.families.Binomial()).fit().params[1]
    large = sm.GLM(y, np.ones((y.size, 1)), family=sm.families.Binomial(), offset=odds).fit().params[0]

    result = calibration(y, p)

    assert_allclose([result.slope, result.intercept], [slope, large], rtol=1e-6)


def test_stretched_predictions_have_the_inverse_slope():
    y, p = predicted(1, stretch=2.0, n=20000)

    assert_allclose(calibration(y, p).slope, 0.5, atol=0.03)


def test_predictions_that_are_too_high_have_a_negative_intercept():
    assert calibration(*predicted(1, shift=1.0)).intercept < -0.7
    assert calibration(*predicted(1, shift=-1.0)).intercept > 0.7


def test_brier_is_that_of_scikit_learn():
    y, p = predicted(3)

    assert_allclose(calibration(y, p).brier, brier_score_loss(y, p), rtol=1e-12)


def test_expected_calibration_error_of_a_constant_is_the_distance_to_the_prevalence():
    y = np.array([1] * 30 + [0] * 70)
    y = np.random.default_rng(1).permutation(y)

    result = calibration(y, np.full(100, 0.5), groups=2)

    assert result.ece == pytest.approx(0.2, abs=0.05)
    assert np.isnan(result.slope)  # a constant has none


def test_hosmer_lemeshow_is_the_chi_square_written_out():
    y, p = predicted(4, stretch=1.5)
    order = np.argsort(p, kind="stable")
    groups = np.array_split(order, 10)
    expected = np.array([[p[g].sum(), (1 - p[g]).sum()] for g in groups])
    observed = np.array([[y[g].sum(), (1 - y[g]).sum()] for g in groups])
    # scipy's chi-square over the 20 cells, with its degrees of freedom brought to 8
    statistic, p_value = stats.chisquare(observed.ravel(), expected.ravel(), ddof=11, sum_check=False)

    result = calibration(y, p)

    assert_allclose([result.hosmer_lemeshow, result.p], [statistic, p_value], rtol=1e-9)


def test_hosmer_lemeshow_is_calm_on_true_risks_and_alarmed_on_false_ones():
    calm = [calibration(*predicted(seed)).p for seed in range(40)]
    alarmed = [calibration(*predicted(seed, stretch=3.0, shift=1.0)).p for seed in range(40)]

    # predictions were not fitted on these patients, so 8 degrees of freedom are a little few
    assert np.mean(np.array(calm) < 0.05) < 0.2
    assert max(alarmed) < 0.01


def test_perfect_separation_has_no_slope_rather_than_an_infinite_one():
    result = calibration([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], groups=3)

    assert np.isnan(result.slope)
    assert np.isfinite(result.brier)


def test_groups_need_patients():
    with pytest.raises(InputRefusedError, match="11 groups"):
        calibration([0, 1] * 5, [0.5] * 10, groups=11)


def test_scores_that_are_no_probabilities_are_refused():
    for function in (calibration, lambda y, s: net_benefit(y, s, thresholds=[0.5])):
        with pytest.raises(InputRefusedError, match="Probabilities from 0 to 1"):
            function([0, 1, 0, 1], [-1.0, 2.0, 0.1, 0.3])


def test_net_benefit_is_that_of_dcurves():
    from dcurves import dca

    y, p = predicted(5)
    levels = np.round(np.arange(0.05, 0.95, 0.05), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dcurves' own, about pandas
        theirs = dca(data=pd.DataFrame({"y": y, "model": p}), outcome="y", modelnames=["model"], thresholds=levels)

    ours = net_benefit(y, p, thresholds=levels)

    for name in ("model", "all", "none"):
        rows = theirs[theirs["model"] == name].sort_values("threshold")
        assert_allclose(ours[name], rows["net_benefit"], atol=1e-9)


def test_net_benefit_of_knowing_is_the_prevalence():
    y = np.array([1, 0, 0, 1, 0])

    table = net_benefit(y, y.astype(float), thresholds=[0.1, 0.5, 0.9])

    assert_allclose(table["model"], 0.4)
    assert (table["all"] <= table["model"]).all()


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_thresholds_without_odds_are_refused(level):
    with pytest.raises(InputRefusedError, match="above 0 and below 1"):
        net_benefit([0, 1], [0.2, 0.3], thresholds=[level])
