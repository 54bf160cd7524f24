"""Conformal sets cover what they promise, exactly as theory says, whatever the classifier."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.diagnosis.conformal import Conformal, fit_conformal
from spinekit.errors import InputRefusedError

CLASSES = ("primary", "metastasis")


def drawn(rng, n, *, shift=1.0):
    """Labels and probabilities of a weak classifier: exchangeable by construction."""
    labels = np.arange(n) % 2
    return labels, 1.0 / (1.0 + np.exp(-(rng.normal(0.0, 1.0, n) + shift * (2 * labels - 1))))


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_each_class_is_covered_as_often_as_the_rank_says(coverage, shift):
    rng, n_each, hits = np.random.default_rng(3), 30, []
    for _ in range(400):
        judge = fit_conformal(*drawn(rng, 2 * n_each, shift=shift), classes=CLASSES)
        labels, p = drawn(rng, 20, shift=shift)
        sets = [judge.prediction_set((1 - q, q), coverage=coverage) for q in p]
        hits.append([CLASSES[k] in s for k, s in zip(labels, sets, strict=True)])

    expected = np.ceil((n_each + 1) * coverage) / (n_each + 1)  # exact for scores without ties

    for k in (0, 1):
        own = np.array(hits)[:, k::2]
        assert own.mean() == pytest.approx(expected, abs=4 * own.mean(axis=1).std() / np.sqrt(len(own)))
        assert own.mean() > coverage - 0.01


def test_a_monotone_change_of_the_probability_changes_no_set():
    rng = np.random.default_rng(5)
    labels, p = drawn(rng, 60)
    new = drawn(rng, 40)[1]

    plain = fit_conformal(labels, p, classes=CLASSES)
    bent = fit_conformal(labels, p**3, classes=CLASSES)

    for q in new:
        assert plain.prediction_set((1 - q, q), coverage=0.9) == bent.prediction_set((1 - q**3, q**3), coverage=0.9)


def test_a_wider_promise_never_rules_out_more():
    rng = np.random.default_rng(7)
    judge = fit_conformal(*drawn(rng, 80), classes=CLASSES)

    for q in np.linspace(0.0, 1.0, 21):
        narrow, wide = (set(judge.prediction_set((1 - q, q), coverage=c)) for c in (0.7, 0.95))
        assert narrow <= wide


def test_too_few_cases_for_the_promise_rule_nothing_out():
    judge = fit_conformal([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], classes=CLASSES)

    assert judge.prediction_set((0.999, 0.001), coverage=0.9) == CLASSES


def test_a_classifier_that_tells_all_apart_leaves_one_class_or_none():
    judge = fit_conformal([0] * 20 + [1] * 20, [0.01] * 20 + [0.99] * 20, classes=CLASSES)

    assert judge.prediction_set((0.01, 0.99), coverage=0.9) == ("metastasis",)
    assert judge.prediction_set((0.99, 0.01), coverage=0.9) == ("primary",)
    assert judge.prediction_set((0.5, 0.5), coverage=0.9) == ()


def test_it_survives_the_way_through_json():
    judge = fit_conformal([0, 1, 0, 1], [0.2, 0.7, 0.4, 0.6], classes=CLASSES)

    assert Conformal.from_dict(judge.as_dict()) == judge


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_one_class_alone_is_refused(labels):
    with pytest.raises(InputRefusedError) as refused:
        fit_conformal(labels, [0.1, 0.2, 0.3], classes=CLASSES)

    assert refused.value.code == "value-out-of-range"


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    judge = fit_conformal([0, 1], [0.2, 0.7], classes=CLASSES)

    with pytest.raises(InputRefusedError, match="percent"):
        judge.prediction_set((0.5, 0.5), coverage=coverage)


def test_logits_in_the_place_of_probabilities_are_refused():
    with pytest.raises(InputRefusedError):
        fit_conformal([0, 1], [-3.0, 2.0], classes=CLASSES)
