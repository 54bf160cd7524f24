"""The combined model: a sum that can be checked by hand, folds that do not leak, facts that are read as meant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinekit.diagnosis.combined import Linear, clinical_numbers, fit_linear
from spinekit.errors import InputRefusedError

MODEL = Linear(("a", "b"), (1.0, 10.0), (2.0, 5.0), (0.5, -1.0), 0.25, 0.1)


def test_the_logit_is_the_sum_of_standardised_numbers():
    assert MODEL.logit({"a": 5.0, "b": 0.0}) == pytest.approx(0.25 + 0.5 * 2.0 + -1.0 * -2.0)


def test_a_number_that_is_not_known_counts_as_the_mean():
    assert MODEL.logit({"a": math.nan, "b": 0.0}) == MODEL.logit({"a": 1.0, "b": 0.0})


def test_a_name_that_is_absent_is_refused():
    with pytest.raises(InputRefusedError) as refused:
        MODEL.logit({"a": 1.0})

    assert refused.value.code == "shape-mismatch"


def test_it_survives_the_way_through_json():
    assert Linear.from_dict(MODEL.as_dict()) == MODEL


def rows_of(table):
    return [dict(zip((f"x{i}" for i in range(table.shape[1])), row, strict=True)) for row in table]


def test_many_numbers_without_meaning_are_no_better_than_chance_outside():
    rng = np.random.default_rng(2)
    labels = np.arange(80) % 2

    model, outside = fit_linear(rows_of(rng.normal(size=(80, 30))), labels, seed=1)

    inside = np.array([model.logit(row) for row in rows_of(rng.normal(size=(40, 30)))])
    above = (outside[labels == 1][:, None] > outside[labels == 0][None]).mean()
    assert 0.3 < above < 0.7
    assert np.isfinite(inside).all()


def test_one_number_with_meaning_among_many_is_found():
    rng = np.random.default_rng(4)
    labels = np.arange(120) % 2
    table = rng.normal(size=(120, 12))
    table[:, 3] += 2.0 * labels
    table[::7, 5] = np.nan

    model, outside = fit_linear(rows_of(table), labels, seed=1)

    assert int(np.argmax(np.abs(model.coefficients))) == 3
    assert (outside[labels == 1][:, None] > outside[labels == 0][None]).mean() > 0.85


def test_facts_are_read_as_numbers_and_missing_ones_are_not_a_number():
    numbers = clinical_numbers({"age_years": "61", "sex": "f", "history_of_cancer": "yes"})

    assert numbers["clinical:age_years"] == 61.0
    assert (numbers["clinical:sex"], numbers["clinical:history_of_cancer"]) == (1.0, 1.0)
    assert math.isnan(numbers["clinical:alkaline_phosphatase_u_per_l"])


@pytest.mark.parametrize("facts", [{"age": 61}, {"age_years": "61 years"}])
def test_an_unknown_fact_or_one_with_a_unit_is_refused(facts):
    with pytest.raises(InputRefusedError):
        clinical_numbers(facts)


@pytest.mark.parametrize(
    "facts",
    [{"age_years": "61 y"}, {"age_years": "yes"}, {"age_years": -1}, {"sex": "2"}, {"sex": 0.5},
     {"alkaline_phosphatase_u_per_l": 0}, {"history_of_cancer": "F"}, {"age_years": float("inf")}],
)  # fmt: skip
def test_a_fact_that_cannot_be_meant_is_refused_by_its_name(facts):
    with pytest.raises(InputRefusedError) as refused:
        clinical_numbers(facts)

    assert refused.value.code == "value-out-of-range"
    assert next(iter(facts)) in refused.value.message
