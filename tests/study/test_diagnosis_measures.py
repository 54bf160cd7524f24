"""What is said of a classifier's answers: known errors, known chances, exact intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinekit.case import Diagnosis
from spinekit.evaluation import calibration
from spinekit.study.diagnosis_measures import ece_by_chance, measures_of, share_interval

CLASSES = ("primary", "metastasis")


def told(p, label_set):
    label = label_set[0] if len(label_set) == 1 else None
    return Diagnosis(dict(zip(CLASSES, (1 - p, p), strict=True)), label, "", label_set, 0.9, (p, p))


@pytest.mark.parametrize("n", [40, 400])
def test_one_group_of_even_chances_has_the_error_of_a_mean_of_coins(n):
    drawn = ece_by_chance(np.full(n, 0.5), groups=1, seed=3, n=4000)

    assert drawn.mean() == pytest.approx(math.sqrt(2 / math.pi) * 0.5 / math.sqrt(n), rel=0.06)


def test_the_error_by_chance_is_the_one_that_calibration_finds_in_outcomes_drawn_from_the_probabilities():
    rng = np.random.default_rng(5)
    p = rng.beta(0.6, 0.6, size=240)
    found = [calibration(rng.random(240) < p, p, groups=10).ece for _ in range(300)]

    assert ece_by_chance(p, groups=10, seed=7).mean() == pytest.approx(np.mean(found), rel=0.05)


def test_more_groups_have_a_larger_error_by_chance():
    p = np.linspace(0.05, 0.95, 200)

    assert ece_by_chance(p, groups=20, seed=1).mean() > 1.3 * ece_by_chance(p, groups=5, seed=1).mean()


def test_probabilities_that_are_far_off_are_not_put_down_to_chance():
    rng = np.random.default_rng(2)
    true = rng.uniform(0.1, 0.6, size=200)
    labels = (rng.random(200) < true).astype(int)

    fair = measures_of(labels, [told(p, CLASSES) for p in true], seed=1)
    off = measures_of(labels, [told(p, CLASSES) for p in true + 0.35], seed=1)

    assert fair["ece_p"] > 0.01
    assert off["ece_p"] < 0.001
    assert off["ece"] > 0.25 > 0.12 > fair["ece_by_chance"]
    assert fair["ece_groups"] == 10


def test_coverage_and_labels_are_counted_by_hand():
    labels = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    sets = [("primary",)] * 3 + [("metastasis",)] + [("metastasis",)] * 3 + [CLASSES, CLASSES, ()]
    found = measures_of(labels, [told(0.2 + 0.06 * i, s) for i, s in enumerate(sets)], seed=1)

    assert found["coverage"] == pytest.approx(0.8)
    assert found["coverage_by_class"] == {"primary": 0.75, "metastasis": pytest.approx(5 / 6)}
    assert found["labelled"] == pytest.approx(0.7)
    assert found["accuracy_of_labelled"] == pytest.approx(6 / 7)
    assert found["coverage_low"] < 0.8 < found["coverage_high"]


def test_the_interval_of_a_share_is_the_exact_one_also_at_its_ends():
    assert share_interval(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))  # closed form of Clopper and Pearson
    assert share_interval(10, 10) == pytest.approx((0.025**0.1, 1.0))
