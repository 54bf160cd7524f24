"""Nested cross-validation: nothing of a test row reaches what predicts it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from spinekit.diagnosis import PipelineChoices
from spinekit.errors import InputRefusedError
from spinekit.evaluation import area_under_curve, nested_splits
from spinekit.evaluation.nested import fit_pipeline, nested_cross_validation, permuted_areas

QUICK = PipelineChoices(n_columns=(4,))


def cohort(seed: int = 1, *, n: int = 60, p: int = 30, signal: float = 1.5):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    table = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"f{k}" for k in range(p)])
    table["f0"] += signal * y
    return table, y


def test_a_signal_is_found_and_each_row_is_predicted_once():
    table, y = cohort()

    result = nested_cross_validation(table, y, np.arange(60), choices=QUICK, outer=4, inner=3, seed=1)

    assert np.isfinite(result.probabilities).all()
    assert set(result.fold) == {0, 1, 2, 3}
    assert area_under_curve(y, result.probabilities) > 0.75
    assert all("f0" in columns for columns in result.columns)


def test_changing_a_test_row_and_its_label_changes_no_other_prediction_of_its_fold():
    table, y = cohort()
    splits = nested_splits(y, np.arange(60), outer=4, inner=3, seed=1)
    before = nested_cross_validation(table, y, np.arange(60), choices=QUICK, seed=1, splits=splits)
    row = int(splits[0].test[0])
    other, label = table.copy(), y.copy()
    other.iloc[row] = 1e3
    label[row] = 1 - label[row]

    after = nested_cross_validation(other, label, np.arange(60), choices=QUICK, seed=1, splits=splits)

    same_fold = [r for r in splits[0].test if r != row]
    assert_allclose(after.probabilities[same_fold], before.probabilities[same_fold], rtol=1e-12)
    assert after.thresholds[0] == before.thresholds[0]


def test_the_same_seed_gives_the_same_numbers():
    table, y = cohort(2)
    choices = PipelineChoices(classifier="gradient_boosting", n_columns=(4,))

    runs = [nested_cross_validation(table, y, np.arange(60), choices=choices, outer=3, inner=2, seed=5) for _ in "ab"]

    assert (runs[0].probabilities == runs[1].probabilities).all()


def test_inner_folds_choose_what_predicts_best():
    table, y = cohort(3, n=120, signal=2.0)
    folds = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]

    fitted = fit_pipeline(table, y, PipelineChoices(n_columns=(1, 20)), folds)

    assert fitted.parameters["select__n"] == 1
    assert fitted.columns == ("f0",)
    assert 0 < fitted.threshold < 1


@pytest.mark.parametrize("per_patient", [1, 2])
def test_shuffled_labels_give_an_area_of_one_half(per_patient):
    table, y = cohort(4, n=48, p=12, signal=3.0)
    y = np.repeat(y[: 48 // per_patient], per_patient)
    patients = np.repeat(np.arange(48 // per_patient), per_patient)

    areas = permuted_areas(table, y, patients, n=8, seed=1, choices=QUICK, outer=3, inner=2)

    # 8 shuffles of 48 rows have a standard error of about 0.03; docs/statistics.md has 100 shuffles
    assert abs(areas.mean() - 0.5) < 0.1
    assert areas.std() > 0


def two_sites(n: int = 60):
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(n) % 2)
    site = rng.choice(["A", "B"], n)
    table = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"f{k}" for k in range(8)])
    table["f0"] += 2.0 * y
    table.loc[site == "B"] *= 3.0
    return table, y, site


@pytest.mark.parametrize("filtered", [False, True])
def test_sites_are_harmonised_inside_the_folds_and_repeats_are_compared_before(filtered):
    table, y, site = two_sites()
    again = table + 0.01
    again["f1"] = again["f1"].to_numpy()[::-1]
    options = {"choices": PipelineChoices(site="centre", n_columns=(3,)), "repeats": again if filtered else None}

    result = nested_cross_validation(
        table.assign(centre=site), y, range(60), centres=site, outer=3, inner=2, seed=1, **options
    )

    assert area_under_curve(y, result.probabilities) > 0.8
    assert not {"centre", *(["f1"] if filtered else [])} & {name for fold in result.columns for name in fold}


def test_classes_and_features_in_words_are_refused_with_their_names():
    table, y, site = two_sites()
    words = np.where(y == 1, "metastasis", "primary")
    with pytest.raises(InputRefusedError, match="The classes are metastasis, primary"):
        nested_cross_validation(table, words, range(60), seed=1)
    with pytest.raises(InputRefusedError, match="The classes are 1, 2"):
        nested_cross_validation(table, y + 1, range(60), seed=1)
    with pytest.raises(InputRefusedError, match="The columns hospital hold words"):
        nested_cross_validation(table.assign(hospital=site), y, range(60), seed=1, outer=2, inner=2)
