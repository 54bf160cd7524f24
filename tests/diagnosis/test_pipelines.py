"""Every step learns from the rows it is given; harmonisation, selection and stability against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from spinekit.diagnosis import CLASSIFIERS, ComBat, PipelineChoices, build_pipeline
from spinekit.diagnosis.combat import SiteConfoundedWarning, site_and_class
from spinekit.diagnosis.pipelines import SELECTIONS, parameter_grid
from spinekit.diagnosis.steps import (
    LassoColumns,
    MrmrColumns,
    StableColumns,
    UncorrelatedColumns,
    UsableColumns,
)
from spinekit.errors import InputRefusedError


def features(seed: int = 1, *, n: int = 60, p: int = 20, signal: float = 1.2):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    table = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"f{k}" for k in range(p)])
    table["f0"] += signal * y
    table["f1"] -= signal * y
    table["f2"] = table["f0"] + 0.01 * rng.normal(size=n)
    return table * 7 + 3, y


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_every_classifier_learns_what_is_there_and_gives_probabilities(classifier):
    table, y = features(n=120)
    pipeline = build_pipeline(PipelineChoices(classifier=classifier, n_columns=(5,)))

    p = pipeline.fit(table[:80], y[:80]).predict_proba(table[80:])[:, 1]

    assert ((p >= 0) & (p <= 1)).all()
    assert p[y[80:] == 1].mean() > p[y[80:] == 0].mean() + 0.1


def test_there_are_seven_classifiers_or_more_and_the_reference_is_the_logistic_regression():
    assert len(CLASSIFIERS) >= 7
    assert PipelineChoices().classifier == CLASSIFIERS[0] == "logistic_regression"


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_can_be_cloned_and_tuned(selection):
    choices = PipelineChoices(selection=selection)
    pipeline = clone(build_pipeline(choices))

    assert isinstance(pipeline, Pipeline)
    assert set(parameter_grid(choices)) <= set(pipeline.get_params())


def test_a_fitted_pipeline_does_not_look_at_the_other_rows_it_predicts():
    table, y = features()
    pipeline = build_pipeline().fit(table[:40], y[:40])

    alone = pipeline.predict_proba(table[40:41])
    among_others = pipeline.predict_proba(pd.concat([table[40:41], 100 * table[41:]]))[:1]

    assert_allclose(alone, among_others, rtol=1e-12)


def test_of_two_columns_that_tell_the_same_one_is_left():
    table, _ = features()

    assert UncorrelatedColumns(0.9).fit(table).columns_.count("f0") == 1
    assert "f2" not in UncorrelatedColumns(0.9).fit(table).columns_
    assert "f2" in UncorrelatedColumns(1.0).fit(table).columns_


def test_selections_find_the_columns_that_tell_the_class():
    table, y = features(n=200)
    for step in (MrmrColumns(2), LassoColumns(2)):
        chosen = set(step.fit((table - table.mean()) / table.std(), y).columns_)
        assert chosen in ({"f0", "f1"}, {"f2", "f1"})


def test_lasso_keeps_no_more_columns_than_asked_for():
    table, y = features(p=200)
    for n in (1, 3, 10):
        assert 1 <= len(LassoColumns(n).fit(table, y).columns_) <= n


def test_gaps_are_filled_with_the_median_of_the_training_rows():
    table = pd.DataFrame({"a": [1.0, 3.0, 9.0, np.nan], "b": [1.0, 2.0, np.inf, 4.0]})
    step = UsableColumns(missing=0.5).fit(table)

    filled = step.transform(pd.DataFrame({"a": [np.nan, 100.0], "b": [np.nan, 100.0]}))

    assert filled["a"].tolist() == [3.0, 100.0]
    assert filled["b"].tolist() == [2.0, 100.0]


def test_constant_and_mostly_missing_columns_are_left_out_and_none_at_all_is_refused():
    table = pd.DataFrame({"flat": [1.0] * 4, "gone": [np.nan] * 3 + [1.0], "good": [1.0, 2.0, 3.0, 4.0]})

    assert UsableColumns().fit(table).columns_ == ("good",)
    with pytest.raises(InputRefusedError, match="None of 1 columns"):
        UsableColumns().fit(table[["flat"]])


def test_a_table_that_lacks_a_column_of_the_training_is_refused():
    table, y = features()
    pipeline = build_pipeline().fit(table, y)

    with pytest.raises(InputRefusedError, match="lacks 1 columns"):
        pipeline.predict_proba(table.drop(columns="f5"))


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin's own call of pandas
@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0])
@pytest.mark.parametrize(("agreement", "theirs"), [("icc2", ("ICC2", "ICC(A,1)")), ("icc3", ("ICC3", "ICC(C,1)"))])
def test_the_icc_of_the_filter_is_that_of_pingouin(noise, agreement, theirs):
    rng = np.random.default_rng(1)
    ways = [rng.normal(size=30)]
    ways += [ways[0] + offset + noise * rng.normal(size=30) for offset in (0.5, -1.0)]
    long = pd.DataFrame(
        {"who": np.tile(np.arange(30), 3), "rater": np.repeat([0, 1, 2], 30), "x": np.concatenate(ways)}
    )
    table = pingouin.intraclass_corr(long, targets="who", raters="rater", ratings="x").set_index("Type")
    row = next(name for name in table.index if name.replace(" ", "") in theirs)
    first, *again = (pd.DataFrame({"x": way}) for way in ways)

    fitted = StableColumns(dict(zip("ab", again, strict=True)), agreement=agreement).fit(first)

    assert_allclose(fitted.icc_[0], table.loc[row, "ICC"], atol=1e-6)


def test_a_column_has_to_survive_every_way_of_measuring():
    table, _ = features(n=40)
    same, shuffled = table.copy(), table.copy()
    shuffled["f0"] = np.random.default_rng(1).permutation(shuffled["f0"])

    assert "f0" in StableColumns({"reader": same}).fit(table).columns_
    assert "f0" not in StableColumns({"reader": same, "border": shuffled}).fit(table).columns_
    assert "f1" in StableColumns({"reader": same, "border": shuffled}).fit(table).columns_


def test_an_offset_between_readers_counts_unless_it_is_forgiven():
    table, _ = features(n=40)

    assert StableColumns(table + 20.0, agreement="icc3").fit(table).columns_ == tuple(table.columns)
    assert np.nanmax(StableColumns(table + 20.0).fit(table).icc_) < 0.75


def test_the_stability_filter_judges_by_training_rows_alone():
    table, _ = features(n=40)
    again = table.copy()
    again.loc[20:, "f0"] = np.random.default_rng(1).permutation(again.loc[20:, "f0"])  # unstable in later rows only
    again["f3"] = np.random.default_rng(2).permutation(again["f3"])

    early = StableColumns(again).fit(table[:20]).columns_
    late = StableColumns(again).fit(table[20:]).columns_

    assert "f0" in early
    assert "f0" not in late
    assert "f3" not in early


def test_a_clinical_column_is_not_asked_to_be_stable():
    table, _ = features()

    kept = StableColumns(table[["f0"]] + 1e9 * np.random.default_rng(1).normal(size=(60, 1))).fit(
        table.assign(age_years=60.0)
    )

    assert "age_years" in kept.columns_


def site_table(seed: int = 1, *, n: int = 200, p: int = 8):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"f{k}" for k in range(p)])
    shift, scale = rng.normal(0, 2, p), rng.uniform(0.5, 2, p)
    site = np.where(np.arange(n) % 2 == 0, "A", "B")
    table[site == "B"] = table[site == "B"] * scale + shift
    return table.assign(site=site), site


def test_combat_removes_shift_and_scale_of_a_site():
    table, site = site_table()

    even = ComBat(site="site").fit_transform(table)

    before = table.drop(columns="site")
    assert abs(before[site == "A"].mean() - before[site == "B"].mean()).mean() > 1.0
    assert abs(even[site == "A"].mean() - even[site == "B"].mean()).max() < 0.1
    assert_allclose(even[site == "A"].std() / even[site == "B"].std(), 1.0, atol=0.2)
    assert "site" not in even.columns


def test_combat_shifts_are_the_posterior_means_of_their_equations():
    """At the fixed point both conditional expectations of Johnson 2007 hold."""
    table, site = site_table()
    step = ComBat(site="site").fit(table)
    scaled = (table[list(step.columns_)].to_numpy() - step.grand_) / step.spread_
    for name in ("A", "B"):
        z = scaled[site == name]
        mean, variance, n = z.mean(axis=0), z.var(axis=0, ddof=1), len(z)
        centre, tau2 = mean.mean(), mean.var(ddof=1)
        m, s2 = variance.mean(), variance.var(ddof=1)
        a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
        gamma, delta = step.shift_[name], step.scale_[name]
        assert_allclose(gamma, (n * tau2 * mean + delta * centre) / (n * tau2 + delta), atol=1e-5)
        assert_allclose(delta, (b + 0.5 * ((z - gamma) ** 2).sum(axis=0)) / (n / 2 + a - 1), atol=1e-5)


def test_combat_with_one_site_changes_little_and_keeps_what_it_is_told_to():
    table, _ = site_table()
    table["age_years"] = 60.0
    one = table.assign(site="A")

    even = ComBat(site="site", keep=("age_years",)).fit_transform(one)

    assert (even["age_years"] == 60.0).all()
    columns = [f"f{k}" for k in range(8)]
    assert_allclose(even[columns].mean(), one[columns].mean(), atol=0.05)


def test_an_unseen_site_is_refused_and_a_seen_one_is_not():
    table, _ = site_table()
    step = ComBat(site="site").fit(table)

    with pytest.raises(InputRefusedError, match="site 'C'") as refused:
        step.transform(table[:3].assign(site="C"))
    assert refused.value.code == "site-unseen"
    assert len(step.transform(table[:3])) == 3


def test_confounded_sites_are_warned_of_and_balanced_ones_are_not():
    table, site = site_table()
    by_site = (site == "B").astype(int)

    with pytest.warns(SiteConfoundedWarning, match="site-confounded"):
        confounded = ComBat(site="site").fit(table, by_site)
    balanced = ComBat(site="site").fit(table, np.arange(200) // 2 % 2)

    assert "[site-confounded]" in confounded.warnings_[0]
    assert balanced.warnings_ == ()


def test_the_strength_of_confounding_is_that_of_scipy():
    from scipy.stats.contingency import association

    rng = np.random.default_rng(1)
    sites, y = rng.choice(["A", "B", "C"], 90), rng.integers(0, 2, 90)
    counts = pd.crosstab(sites, y).to_numpy()

    assert_allclose(site_and_class(sites, y), association(counts, method="cramer"))


def test_too_small_a_site_and_a_table_without_sites_are_refused():
    table, _ = site_table()
    with pytest.raises(InputRefusedError, match="has 1 training rows"):
        ComBat(site="site").fit(table.assign(site=["C"] + ["A"] * 199))
    with pytest.raises(InputRefusedError, match="no column 'centre'"):
        ComBat(site="centre").fit(table)


@pytest.mark.parametrize(("field", "value"), [("classifier", "forest"), ("selection", "boruta")])
def test_a_name_that_is_none_is_refused(field, value):
    with pytest.raises(InputRefusedError, match=value):
        PipelineChoices(**{field: value})
