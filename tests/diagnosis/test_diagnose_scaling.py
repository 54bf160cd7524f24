"""Calibration of logits: the maximum of the likelihood, as another implementation finds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from spinekit.diagnosis.diagnose_scaling import Scaling, fit_scaling
from spinekit.errors import InputRefusedError


def test_logits_three_times_too_large_are_brought_back():
    rng = np.random.default_rng(1)
    true = rng.normal(0.0, 1.5, 20000)
    labels = (rng.random(true.size) < expit(true)).astype(int)

    scaling = fit_scaling(labels, 3.0 * true)

    assert scaling.slope == pytest.approx(1.0 / 3.0, rel=0.05)
    assert scaling.intercept == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_agrees_with_scikit_learn_on_platts_targets(seed):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    logits = rng.normal(0.4, 2.0, 120)
    labels = (rng.random(120) < expit(0.5 * logits - 0.3)).astype(int)
    positive, negative = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    scaling = fit_scaling(labels, logits)

    twice = np.concatenate([logits, logits])[:, None]  # a soft target is two weighted hard ones
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=5000).fit(
        twice, np.repeat([1, 0], 120), sample_weight=np.concatenate([target, 1 - target])
    )
    assert scaling.slope == pytest.approx(float(oracle.coef_[0, 0]), rel=1e-4)
    assert scaling.intercept == pytest.approx(float(oracle.intercept_[0]), abs=1e-4)


def test_classes_without_overlap_still_get_a_finite_slope():
    scaling = fit_scaling([0] * 10 + [1] * 10, [-3.0] * 10 + [3.0] * 10)

    assert 0 < scaling.slope < 5
    assert 0.8 < scaling.probability(3.0) < 1.0


def test_the_order_of_cases_is_kept():
    scaling = fit_scaling([0, 1, 0, 1, 1], [-2.0, 1.0, 0.5, 0.2, 3.0])

    assert (np.diff(scaling.probability(np.linspace(-5, 5, 30))) > 0).all()


def test_a_network_that_says_the_opposite_is_refused():
    with pytest.raises(InputRefusedError) as refused:
        fit_scaling([0, 0, 0, 1, 1, 1], [3.0, 2.0, 1.0, -1.0, -2.0, -3.0])

    assert refused.value.code == "fit-failed"


@pytest.mark.parametrize(("labels", "logits"), [([1, 1], [0.1, 0.2]), ([0, 1], [0.1, np.nan])])
def test_one_class_or_a_missing_logit_is_refused(labels, logits):
    with pytest.raises(InputRefusedError) as refused:
        fit_scaling(labels, logits)

    assert refused.value.code == "value-out-of-range"


def test_it_survives_the_way_through_json():
    assert Scaling.from_dict(Scaling(0.4, -0.1).as_dict()) == Scaling(0.4, -0.1)
