"""One call gives figures and numbers, and both agree with the functions they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from spinekit.diagnosis import PipelineChoices, build_pipeline, linear_model
from spinekit.evaluation import area_under_curve, calibration, delong_test, net_benefit
from spinekit.study.model_report import comparison_sentence, model_report

Y = np.tile([0, 1], 40)


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(1)
    return {
        "reference": np.clip(0.25 + 0.3 * Y + 0.15 * rng.normal(size=80), 0.01, 0.99),
        "chance $x$": rng.random(80),
        "twin": np.clip(0.25 + 0.3 * Y + 0.15 * rng.normal(size=80), 0.01, 0.99),
    }


@pytest.fixture(scope="module")
def report(models):
    table = pd.DataFrame({"a": Y + np.random.default_rng(1).normal(size=80), "b": np.arange(80.0)})
    formula = linear_model(
        build_pipeline(PipelineChoices(selection="none")).fit(table, Y), classes=("primary", "metastasis")
    )
    return model_report(
        Y, models, reference="reference", seed=1, n=200, formula=formula, table=table, title="test", simulated=True
    )


def test_numbers_are_those_of_the_functions(report, models):
    for name, p in models.items():
        row, judged = report.numbers.loc[name], calibration(Y, p, groups=10)
        assert_allclose(row["AUC"], area_under_curve(Y, p))
        assert_allclose([row["ECE"], row["Brier"]], [judged.ece, judged.brier])
        assert_allclose(report.benefit[name], net_benefit(Y, p, thresholds=report.benefit[name].index))
        assert row["AUC low"] < row["AUC"] < row["AUC high"]
    test = delong_test(Y, models["twin"], models["reference"])
    assert_allclose(report.comparisons.loc["twin", "DeLong p"], test.p)


def test_the_figure_set_is_complete_and_stamped(report):
    assert set(report.figures) == {"roc", "calibration", "decision_curve", "nomogram", "coefficients"}
    for figure in report.figures.values():
        assert "SIMULATED COHORT" in figure.get_supxlabel()


def test_what_is_drawn_is_what_was_computed(report, models):
    lines = {line.get_label().split(":")[0]: line for line in report.figures["roc"].axes[0].lines}
    area = np.trapezoid(lines["twin"].get_ydata(), lines["twin"].get_xdata())

    assert_allclose(area, area_under_curve(Y, models["twin"]))


def test_it_is_saved_as_tables_and_pictures_bit_by_bit_alike(report, tmp_path):
    first = report.save(tmp_path / "a")
    second = report.save(tmp_path / "b")

    assert {p.name for p in first} >= {"numbers.csv", "comparisons.csv", "roc.png", "nomogram.png"}
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_chance_is_a_significant_loss_and_a_twin_is_not(report):
    assert report.comparisons.loc["chance $x$", "in words"].startswith("Significant loss")
    assert report.comparisons.loc["twin", "in words"].startswith("No significant gain")
    assert (report.comparisons["comparisons"] == 2).all()


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "start"),
    [
        (0.1, 0.02, 0.18, 0.01, "Significant gain"),
        (-0.1, -0.18, -0.02, 0.01, "Significant loss"),
        (0.1, 0.02, 0.18, 0.2, "No significant gain"),  # the two tests have to agree
        (0.1, -0.02, 0.22, 0.01, "No significant gain"),
        (0.0, 0.0, 0.0, float("nan"), "No significant gain"),
    ],
)
def test_a_gain_is_called_significant_only_if_both_tests_say_so(difference, low, high, p, start):
    words = comparison_sentence("U-Net", "radiomics", difference=difference, low=low, high=high, p=p)

    assert words.startswith(start)
