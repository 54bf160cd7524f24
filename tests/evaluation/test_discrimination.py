"""Areas, curves and their comparison: closed forms, invariants, then scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sk_metrics

from spinekit.errors import InputRefusedError
from spinekit.evaluation import (
    area_under_curve,
    at_threshold,
    bootstrap_interval,
    delong_auc,
    delong_test,
    paired_bootstrap,
    reclassification,
    roc_band,
    roc_curve,
    youden_threshold,
)

FIXTURE_Y = [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]  # METHOD.md, section 4
FIXTURE_S = [0.1, 0.4, 0.35, 0.8, 0.9, 0.7, 0.65, 0.3, 0.95, 0.2]


def drawn(seed: int, *, n: int = 120, gain: float = 1.0, decimals: int = 1):
    """Labels and scores with many ties."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n // 3, n - n // 3]))
    return y, np.round(rng.normal(size=n) + gain * y, decimals)


def delong_by_pairs(y, *scores):
    """Mann-Whitney kernels pair by pair, as the paper of 1988 writes them."""
    y = np.asarray(y, dtype=bool)
    kernels = []
    for score in scores:
        s = np.asarray(score, dtype=float)
        kernels.append((s[y][:, None] > s[~y][None, :]) + 0.5 * (s[y][:, None] == s[~y][None, :]))
    v10 = np.array([k.mean(axis=1) for k in kernels])
    v01 = np.array([k.mean(axis=0) for k in kernels])
    covariance = np.atleast_2d(np.cov(v10)) / v10.shape[1] + np.atleast_2d(np.cov(v01)) / v01.shape[1]
    return [k.mean() for k in kernels], covariance


def test_the_fixture_of_the_method_is_reproduced():
    estimate = delong_auc(FIXTURE_Y, FIXTURE_S)

    assert_allclose([estimate.auc, estimate.se], [0.8, 0.154919], atol=5e-7)
    assert_allclose([estimate.low, estimate.high], [0.8 - 1.959964 * 0.154919, 1.0], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_delong_equals_the_kernels_written_out_pair_by_pair(seed):
    y, first = drawn(seed)
    second = np.round(first + np.random.default_rng(seed + 99).normal(size=y.size), 1)
    areas, covariance = delong_by_pairs(y, first, second)

    estimate, test = delong_auc(y, first), delong_test(y, first, second)

    assert_allclose([estimate.auc, estimate.se], [areas[0], np.sqrt(covariance[0, 0])], rtol=1e-12)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert_allclose([test.difference, test.se], [areas[0] - areas[1], np.sqrt(variance)], rtol=1e-10)


def test_the_paired_test_is_antisymmetric_and_needs_no_scale():
    y, first = drawn(1)
    _, second = drawn(1, gain=0.2)

    one, other = delong_test(y, first, second), delong_test(y, np.exp(second), 5 * first)

    assert_allclose([one.difference, one.z], [-other.difference, -other.z], rtol=1e-12)
    assert_allclose(one.p, other.p, rtol=1e-12)


def test_a_model_against_itself_has_no_p_value():
    y, s = drawn(2)

    test = delong_test(y, s, 3 * s + 1)

    assert test.difference == 0.0
    assert np.isnan(test.z)
    assert np.isnan(test.p)


def test_p_values_of_equal_models_are_uniform_and_of_unequal_ones_small():
    equal, unequal = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 40)
        equal.append(delong_test(y, y + rng.normal(size=80), y + rng.normal(size=80)).p)
        unequal.append(delong_test(y, 3 * y + rng.normal(size=80), rng.normal(size=80)).p)

    assert 0.01 <= np.mean(np.array(equal) < 0.05) <= 0.10  # 5 % expected; binomial 99.9 % limits of 200 draws
    assert max(unequal) < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_and_its_area_are_those_of_scikit_learn(seed):
    y, s = drawn(seed)
    fpr, tpr, thresholds = sk_metrics.roc_curve(y, s, drop_intermediate=False)

    curve = roc_curve(y, s)

    assert_allclose(curve.false_positive, fpr)
    assert_allclose(curve.true_positive, tpr)
    assert_allclose(curve.threshold, thresholds)
    assert_allclose(area_under_curve(y, s), sk_metrics.roc_auc_score(y, s), rtol=1e-12)


def test_the_band_holds_the_curve_and_is_narrower_with_more_patients():
    few, many = drawn(1, n=30), drawn(1, n=600)

    bands = [roc_band(*data, seed=3, n=200) for data in (few, many)]

    for band in bands:
        inside = (band["low"] <= band["true_positive"] + 1e-9) & (band["true_positive"] <= band["high"] + 1e-9)
        assert inside.mean() > 0.95
    widths = [(band["high"] - band["low"]).mean() for band in bands]
    assert widths[1] < 0.5 * widths[0]


def test_rates_at_a_threshold_are_those_of_scikit_learn():
    y, s = drawn(4)
    called = (s >= 0.7).astype(int)

    rates = at_threshold(y, s, threshold=0.7)

    assert_allclose(rates["accuracy"], sk_metrics.accuracy_score(y, called))
    assert_allclose(rates["balanced_accuracy"], sk_metrics.balanced_accuracy_score(y, called))
    assert_allclose(rates["sensitivity"], sk_metrics.recall_score(y, called))
    assert_allclose(rates["specificity"], sk_metrics.recall_score(y, called, pos_label=0))
    assert_allclose(rates["ppv"], sk_metrics.precision_score(y, called))
    assert_allclose(rates["npv"], sk_metrics.precision_score(y, called, pos_label=0))


def test_nobody_called_has_no_predictive_value_rather_than_zero():
    rates = at_threshold([0, 1], [0.1, 0.2], threshold=0.9)

    assert np.isnan(rates["ppv"])
    assert rates["npv"] == 0.5


def test_youden_separates_what_can_be_separated():
    assert youden_threshold([0, 0, 1, 1], [1, 2, 3, 4]) == 3


def test_bootstrap_limits_hold_the_true_area_about_as_often_as_they_say():
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 40)
        interval = bootstrap_interval(y, y + rng.normal(size=80), area_under_curve, seed=seed, n=100)
        hits += interval.low <= 0.7602 <= interval.high  # Phi(1 / sqrt 2)

    assert hits >= 33  # 38 expected; binomial 99.5 % limit


def test_bootstrap_repeats_with_its_seed_and_draws_both_models_on_the_same_patients():
    y, s = drawn(5)

    first = bootstrap_interval(y, s, area_under_curve, seed=1, n=100)

    assert first == bootstrap_interval(y, s, area_under_curve, seed=1, n=100)
    assert first != bootstrap_interval(y, s, area_under_curve, seed=2, n=100)
    same = paired_bootstrap(y, s, s, area_under_curve, seed=1, n=100)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_bootstrap_and_delong_agree_on_the_spread():
    y, s = drawn(6, n=300)
    interval, estimate = bootstrap_interval(y, s, area_under_curve, seed=1, n=1000), delong_auc(y, s)

    assert_allclose(interval.high - interval.low, 2 * 1.96 * estimate.se, rtol=0.12)


def test_reclassification_counts_moves_in_the_right_direction_and_back():
    y, old, new = [1, 1, 1, 1, 0, 0], [0.4, 0.4, 0.6, 0.6, 0.6, 0.2], [0.6, 0.4, 0.4, 0.6, 0.4, 0.3]

    moved = reclassification(y, old, new, threshold=0.5)
    back = reclassification(y, new, old, threshold=0.5)

    assert_allclose([moved["nri_events"], moved["nri_nonevents"], moved["nri"]], [0.0, 0.5, 0.5])
    assert_allclose(moved["idi"], (np.mean([0.2, 0, -0.2, 0]) - np.mean([-0.2, 0.1])))
    assert_allclose([back[k] for k in moved], [-v for v in moved.values()])


@pytest.mark.parametrize(
    ("labels", "scores", "code", "word"),
    [
        ([0, 1, 1], [0.1, 0.2], "shape-mismatch", "shape"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "value-out-of-range", "one class"),
        ([0, 2, 1], [0.1, 0.2, 0.3], "value-out-of-range", "0 and 1"),
        ([0, 1, 1], [0.1, np.nan, 0.3], "value-out-of-range", "NaN"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(labels, scores, code, word):
    for function in (delong_auc, roc_curve):
        with pytest.raises(InputRefusedError, match=word) as refused:
            function(labels, scores)
        assert refused.value.code == code


def test_a_variance_needs_two_of_each_class():
    with pytest.raises(InputRefusedError, match="1 patients of class 1"):
        delong_auc([0, 0, 1], [1, 2, 3])
