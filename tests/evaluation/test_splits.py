"""Nested folds: no patient on both sides, classes and centres spread evenly."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.errors import InputRefusedError
from spinekit.evaluation import nested_splits


def cohort(seed: int = 1, n: int = 120):
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, n * 2 // 3, n)  # many patients have several rows
    _, patients = np.unique(patients, return_inverse=True)
    centre = np.where(rng.random(patients.max() + 1) < 0.3, "B", "A")[patients]
    label = (rng.random(patients.max() + 1) < 0.4).astype(int)[patients]
    return label, patients, centre


def test_no_patient_stands_on_both_sides_of_any_fold():
    label, patients, centre = cohort()
    for fold in nested_splits(label, patients, centres=centre, outer=5, inner=4, seed=3):
        assert not set(patients[fold.train]) & set(patients[fold.test])
        for train, validation in fold.inner:
            assert not set(patients[train]) & set(patients[validation])
            assert set(train) | set(validation) == set(fold.train)
            assert not set(validation) & set(fold.test)


def test_every_row_is_tested_once():
    label, patients, centre = cohort()

    tested = np.concatenate([f.test for f in nested_splits(label, patients, centres=centre, seed=3)])

    assert sorted(tested) == list(range(label.size))


def test_classes_and_centres_are_spread_over_the_folds():
    label = np.tile([0, 0, 0, 1], 60)
    centre = np.repeat(["A", "B"], 120)
    for fold in nested_splits(label, np.arange(240), centres=centre, outer=5, inner=3, seed=1):
        for part in (fold.train, fold.test, *(v for _, v in fold.inner)):
            assert label[part].mean() == pytest.approx(0.25, abs=0.06)
            assert (centre[part] == "B").mean() == pytest.approx(0.5, abs=0.06)


def test_equal_seeds_give_equal_folds_and_others_do_not():
    label, patients, _ = cohort()
    first, again, other = (nested_splits(label, patients, seed=s) for s in (1, 1, 2))

    assert all((a.test == b.test).all() for a, b in zip(first, again, strict=True))
    assert any(len(a.test) != len(b.test) or (a.test != b.test).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("labels", "patients", "word"),
    [
        ([0, 1, 0], [1, 2], "shapes"),
        ([0] * 20, list(range(20)), "1 classes"),
        ([0] * 20 + [1] * 3, list(range(23)), "smallest has 3 patients"),
    ],
)
def test_what_cannot_be_split_is_refused(labels, patients, word):
    with pytest.raises(InputRefusedError, match=word):
        nested_splits(labels, patients, outer=5, inner=4, seed=1)
