"""A model as a formula, its nomogram, and how many patients it needs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy.stats import norm

from spinekit.diagnosis import (
    PipelineChoices,
    build_pipeline,
    linear_model,
    nomogram,
    read_linear_model,
    sample_size,
    write_linear_model,
)
from spinekit.diagnosis.required_sample import cox_snell_from_auc
from spinekit.errors import InputRefusedError

CLASSES = ("primary", "metastasis")


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(1)
    y = np.arange(90) % 2
    table = pd.DataFrame(rng.normal(size=(90, 6)) * [1, 5, 9, 2, 0.1, 3] + [0, 50, 3, 1, 9, 2], columns=list("abcdef"))
    table["a"] += 1.0 * y
    table["b"] -= 4.0 * y
    table.loc[3, "c"] = np.nan
    return build_pipeline(PipelineChoices(n_columns=(3,))).fit(table, y), table


def test_the_formula_gives_what_the_pipeline_gives(fitted):
    pipeline, table = fitted

    model = linear_model(pipeline, classes=CLASSES)

    assert len(model.columns) == 3
    assert_allclose(model.predict(table), pipeline.predict_proba(table)[:, 1], rtol=1e-10)


def test_it_is_read_back_as_it_was_written_and_holds_no_code(fitted, tmp_path):
    model = linear_model(fitted[0], classes=CLASSES, about={"simulated": True})

    path = write_linear_model(model, tmp_path / "model.json")

    assert read_linear_model(path) == model
    assert json.loads(path.read_text())["about"] == {"simulated": True}


@pytest.mark.parametrize(
    "text", ["no json", "{}", '{"format": "other"}', '{"format": "spinekit linear model 1", "columns": ["a"]}', "[1]"]
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)

    with pytest.raises(InputRefusedError, match="no model of spinekit"):
        read_linear_model(path)


def test_a_pickle_is_not_read(tmp_path):
    import pickle

    path = tmp_path / "model.json"
    path.write_bytes(pickle.dumps({"columns": ["a"]}))

    with pytest.raises(InputRefusedError, match="never read"):
        read_linear_model(path)


def test_a_forest_has_no_formula(fitted):
    _, table = fitted
    forest = build_pipeline(PipelineChoices(classifier="random_forest")).fit(table, np.arange(90) % 2)

    with pytest.raises(InputRefusedError) as refused:
        linear_model(forest, classes=CLASSES)
    assert refused.value.code == "model-not-linear"


def test_words_name_the_direction_the_strongest_first(fitted):
    model = linear_model(fitted[0], classes=CLASSES)

    words = model.in_words()

    factors = [float(w.rsplit(" ", 1)[1].rstrip(".")) for w in words]
    assert all("odds of metastasis" in w for w in words)
    assert abs(np.log(factors[0])) == max(abs(np.log(factors)))
    assert next(f for w, f in zip(words, factors, strict=True) if w.startswith("a:")) > 1
    assert next(f for w, f in zip(words, factors, strict=True) if w.startswith("b:")) < 1


def test_the_nomogram_reads_off_the_risk_of_the_model(fitted):
    pipeline, table = fitted
    model = linear_model(pipeline, classes=CLASSES)
    table = table.fillna(table.median())

    scale = nomogram(model, table)

    assert_allclose(scale.risk(scale.total(table)), model.predict(table), rtol=1e-9)
    assert max(max(axis.points_low, axis.points_high) for axis in scale.axes) == pytest.approx(100.0)
    assert min(min(axis.points_low, axis.points_high) for axis in scale.axes) == pytest.approx(0.0)


def test_criteria_of_riley_give_the_published_example():
    """The example of the R package pmsampsize (type b, R² 0.288, 24 parameters, prevalence 0.174): 623, 662, 221."""
    result = sample_size(1000, 174, 24, cox_snell=0.288)

    assert (result.for_shrinkage, result.for_optimism, result.for_risk, result.needed) == (623, 662, 221, 662)
    assert result.enough
    assert not sample_size(500, 87, 24, cox_snell=0.288).enough


@pytest.mark.parametrize(("auc", "prevalence"), [(0.7, 0.5), (0.81, 0.77), (0.89, 0.2)])
def test_r2_of_an_auc_is_that_of_a_logistic_regression_on_drawn_patients(auc, prevalence):
    rng = np.random.default_rng(1)
    y = (rng.random(100_000) < prevalence).astype(int)
    x = rng.normal(size=y.size) + np.sqrt(2) * norm.ppf(auc) * y
    fit = sm.Logit(y, sm.add_constant(x)).fit(disp=0)

    assert_allclose(cox_snell_from_auc(auc, prevalence), 1 - np.exp(-2 * (fit.llf - fit.llnull) / y.size), atol=0.006)


def test_many_features_for_few_patients_are_called_exploratory():
    result = sample_size(60, 30, 1000, auc=0.85)

    assert not result.enough
    assert result.events_per_parameter == 0.03
    assert "exploratory" in result.sentence


def test_the_rarer_class_counts_as_events():
    assert sample_size(100, 90, 2, auc=0.8).events == 10


@pytest.mark.parametrize("options", [{"auc": 0.8, "cox_snell": 0.2}, {}, {"auc": 80.0}, {"cox_snell": 0.99}])
def test_expectations_that_cannot_be_are_refused(options):
    with pytest.raises(InputRefusedError):
        sample_size(100, 50, 5, **options)
