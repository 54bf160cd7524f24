"""The auditor finds every leak that is planted, says which, and is silent on set-ups without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedGroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from spinekit.diagnosis.audit_finding import LEAKS
from spinekit.diagnosis.auditor import audit
from spinekit.diagnosis.combat import ComBat
from spinekit.diagnosis.pipelines import PipelineChoices, build_pipeline
from spinekit.errors import InputRefusedError
from spinekit.evaluation import nested_splits, youden_threshold


def cohort(seed: int = 1, *, n: int = 80, p: int = 12, per_patient: int = 1, sites: bool = True, signal: float = 0.6):
    """A clean table: features, label, patient, site, date."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n // per_patient), per_patient)
    label = rng.permutation(np.arange(n // per_patient) % 2)[patients]
    values = rng.normal(size=(n, p)) * rng.uniform(0.5, 40, p) + rng.uniform(-50, 50, p)
    values[:, : p // 4] += signal * values[:, : p // 4].std(axis=0) * label[:, None]
    table = pd.DataFrame(values, columns=[f"glcm_{k}" for k in range(p)])
    table["age_years"] = np.round(rng.normal(60, 12, n))
    table["history_of_cancer"] = (rng.random(n) < 0.3 + 0.4 * label).astype(float)
    if sites:
        table["centre"] = np.where(rng.random(n // per_patient) < 0.5, "A", "B")[patients]
        table.loc[table["centre"] == "B", "glcm_1"] += 0.5 * table["glcm_1"].std()
    table["patient"] = [f"p{k:03d}" for k in patients]
    table["label"] = label
    return table


def folds_of(table, seed: int = 0, n: int = 4):
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return list(splitter.split(table, table["label"], table["patient"]))


FEATURES = [f"glcm_{k}" for k in range(12)]
CHOICES = {"target": "label", "patient": "patient", "site": "centre"}


def patient_in_two_folds():
    table = cohort(per_patient=2)
    return audit(None, table, **CHOICES, folds=list(KFold(4, shuffle=True, random_state=1).split(table)))


def scaler_outside():
    table = cohort()
    table[FEATURES] = StandardScaler().fit_transform(table[FEATURES])
    return audit(LogisticRegression(), table, **CHOICES, folds=folds_of(table))


def selection_outside():
    table = cohort(p=600, signal=0.0)
    wide = table[[c for c in table.columns if c.startswith("glcm_")]]
    kept = wide.columns[SelectKBest(k=10).fit(wide, table["label"]).get_support()]
    small = table[[*kept, "patient", "centre", "label"]]
    return audit(make_pipeline(StandardScaler(), LogisticRegression()), small, **CHOICES, folds=folds_of(table))


def harmonisation_outside():
    rng = np.random.default_rng(3)
    table = cohort()
    shift = rng.normal(size=12) * table[FEATURES].std().to_numpy()
    table.loc[table["centre"] == "B", FEATURES] += shift
    table[FEATURES] = ComBat(site="centre").fit_transform(table[[*FEATURES, "centre"]])
    return audit(LogisticRegression(), table, **CHOICES, folds=folds_of(table))


def oversampling_outside():
    table = cohort()
    table = table[(table["label"] == 0) | (table.index % 3 == 0)].reset_index(drop=True)
    need = int((table["label"] == 0).sum() - (table["label"] == 1).sum())
    extra = table[table["label"] == 1].sample(need, replace=True, random_state=1)
    extra["patient"] = [f"more{k}" for k in range(need)]
    both = pd.concat([table, extra], ignore_index=True)
    return audit(None, both, **CHOICES, folds=folds_of(both))


def target_in_a_column():
    table = cohort()
    table["texture_score"] = table["label"] * 3.0 + np.random.default_rng(1).normal(0, 0.1, len(table))
    return audit(None, table, **CHOICES, folds=folds_of(table))


def duplicates_across_folds():
    table = cohort()
    copies = table.iloc[:6].assign(patient=[f"again{k}" for k in range(6)])
    both = pd.concat([table, copies], ignore_index=True)
    return audit(None, both, **CHOICES, folds=list(KFold(4, shuffle=True, random_state=1).split(both)))


def training_after_test():
    table = cohort()
    return audit(None, table, **CHOICES, time=np.arange(80), folds=folds_of(table))


def site_as_proxy():
    table = cohort()
    table["centre"] = np.where(np.random.default_rng(1).random(80) < 0.05, "C", np.where(table["label"] == 1, "A", "B"))
    return audit(None, table, **CHOICES, folds=folds_of(table))


def threshold_on_test():
    table = cohort()
    scores = 0.3 * table["label"] + np.random.default_rng(1).random(80)
    return audit(
        None, table, **CHOICES, folds=folds_of(table), scores=scores, threshold=youden_threshold(table["label"], scores)
    )


def imputation_outside():
    table = cohort()
    hidden = table[FEATURES].mask(np.random.default_rng(1).random((80, 12)) < 0.1)
    table[FEATURES] = SimpleImputer(strategy="mean").fit_transform(hidden)
    return audit(None, table, **CHOICES, folds=folds_of(table))


def tuned_on_test():
    table = cohort()
    folds = folds_of(table)
    inner = [[(np.arange(40), np.arange(40, 80))] for _ in folds]
    return audit(None, table, **CHOICES, folds=folds, inner=inner)


def identifier_as_feature():
    table = cohort().sort_values("label", ignore_index=True)
    table["image_number"] = np.arange(80) + 1000.0
    return audit(None, table, **CHOICES, folds=folds_of(table))


def known_only_afterwards():
    table = cohort()
    table["days_of_follow_up"] = np.random.default_rng(1).normal(300, 90, 80)
    return audit(None, table, **CHOICES, folds=folds_of(table))


def missing_by_class():
    table = cohort()
    table.loc[table["label"] == 1, "glcm_3"] = np.nan
    return audit(None, table, **CHOICES, folds=folds_of(table))


def a_row_on_both_sides():
    table = cohort()
    return audit(None, table, **CHOICES, folds=[(np.arange(60), np.arange(55, 80))])


def a_fitted_selector():
    table = cohort()
    pipeline = make_pipeline(SelectKBest(k=3), LogisticRegression())
    pipeline.fit(table[FEATURES], table["label"])
    return audit(pipeline, table, **CHOICES, folds=folds_of(table))


def a_fitted_harmoniser():
    table = cohort()
    pipeline = build_pipeline(PipelineChoices(site="centre"))
    pipeline.named_steps["harmonise"].fit(table[[*FEATURES, "centre"]])
    return audit(pipeline, table, **CHOICES, folds=folds_of(table))


def told_that_smote_saw_all_rows():
    table = cohort()
    return audit(None, table, **CHOICES, folds=folds_of(table), fitted={"SMOTE": "all"})


def interpolated_rows():
    rng = np.random.default_rng(1)
    table = cohort()
    rare = table[table["label"] == 1]
    pairs = [rng.choice(len(rare), 2, replace=False) for _ in range(10)]
    made = rare.iloc[[a for a, _ in pairs]].reset_index(drop=True)
    share = rng.random((10, 1))
    columns = [*FEATURES, "age_years", "history_of_cancer"]
    first, second = (rare.iloc[[p[k] for p in pairs]][columns].to_numpy() for k in (0, 1))
    made[columns] = first + share * (second - first)
    made["patient"] = [f"made{k}" for k in range(10)]
    both = pd.concat([table, made], ignore_index=True)
    return audit(None, both, **CHOICES, folds=folds_of(both))


def augmented_copies():
    table = cohort()
    copies = table.iloc[:8].assign(patient=[f"turned{k}" for k in range(8)])
    copies[FEATURES] += 0.02 * table[FEATURES].std().to_numpy() * np.random.default_rng(1).normal(size=(8, 12))
    both = pd.concat([table, copies], ignore_index=True)
    return audit(None, both, **CHOICES, folds=list(KFold(4, shuffle=True, random_state=1).split(both)))


def a_few_scaled_columns_among_others():
    table = cohort()
    table[FEATURES[:4]] = StandardScaler().fit_transform(table[FEATURES[:4]])
    return audit(None, table, **CHOICES, folds=folds_of(table))


def chosen_before_a_pipeline_that_chooses_again():
    table = cohort(p=600, signal=0.0)
    wide = table[[c for c in table.columns if c.startswith("glcm_")]]
    kept = wide.columns[SelectKBest(k=8).fit(wide, table["label"]).get_support()]
    return audit(build_pipeline(), table[[*kept, "patient", "label"]], target="label", patient="patient")


def chosen_from_more_columns():
    table = cohort(p=60, signal=0.3)
    wide = table[[c for c in table.columns if c.startswith("glcm_")]]
    kept = wide.columns[SelectKBest(k=8).fit(wide, table["label"]).get_support()]
    return audit(None, table[kept], target=table["label"], folds=folds_of(table), candidates=wide)


def a_script_that_scales_everything():
    table = cohort()

    def procedure(rows, labels, train, test):
        values = StandardScaler().fit_transform(rows[FEATURES])
        return LogisticRegression().fit(values[train], labels[train]).predict_proba(values[test])[:, 1]

    return audit(None, table, **CHOICES, folds=folds_of(table), procedure=procedure)


def a_script_that_selects_with_all_labels():
    table = cohort(p=40)
    names = [c for c in table.columns if c.startswith("glcm_")]

    def procedure(rows, labels, train, test):
        values = SelectKBest(k=3).fit_transform(rows[names], labels)
        return LogisticRegression(max_iter=5000).fit(values[train], labels[train]).predict_proba(values[test])[:, 1]

    return audit(None, table, **CHOICES, folds=folds_of(table), procedure=procedure)


PLANTED = [  # the twelve classical ones first
    (patient_in_two_folds, "patient-in-two-folds"),
    (scaler_outside, "scaler-outside-fold"),
    (selection_outside, "selection-outside-fold"),
    (harmonisation_outside, "harmonisation-outside-fold"),
    (oversampling_outside, "oversampling-outside-fold"),
    (target_in_a_column, "target-in-column"),
    (duplicates_across_folds, "duplicate-across-folds"),
    (training_after_test, "training-after-test"),
    (site_as_proxy, "site-as-proxy"),
    (threshold_on_test, "threshold-on-test"),
    (imputation_outside, "imputation-outside-fold"),
    (tuned_on_test, "tuned-on-test"),
    (identifier_as_feature, "identifier-as-feature"),
    (known_only_afterwards, "known-only-afterwards"),
    (missing_by_class, "missingness-tells-target"),
    (a_row_on_both_sides, "row-in-train-and-test"),
    (a_fitted_selector, "selection-outside-fold"),
    (a_fitted_harmoniser, "harmonisation-outside-fold"),
    (told_that_smote_saw_all_rows, "oversampling-outside-fold"),
    (interpolated_rows, "oversampling-outside-fold"),
    (augmented_copies, "duplicate-across-folds"),
    (a_few_scaled_columns_among_others, "scaler-outside-fold"),
    (chosen_before_a_pipeline_that_chooses_again, "selection-outside-fold"),
    (chosen_from_more_columns, "selection-outside-fold"),
    (a_script_that_scales_everything, "test-rows-used"),
    (a_script_that_selects_with_all_labels, "test-labels-used"),
]


@pytest.mark.parametrize(("plant", "code"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_leak_is_found(plant, code):
    report = plant()

    assert code in report.codes
    assert not report.clean
    finding = next(f for f in report if f.code == code)
    assert finding.seen.endswith(".")
    assert finding.cure.endswith(".")


@pytest.mark.parametrize(
    "plant", [plant for plant, _ in PLANTED[:12]], ids=[plant.__name__ for plant, _ in PLANTED[:12]]
)
def test_a_single_leak_is_not_taken_for_several(plant):
    assert len(plant().codes) == 1


@pytest.mark.parametrize("scaler", [MinMaxScaler(), RobustScaler(), MinMaxScaler((-1, 1))])
def test_any_scaler_outside_the_folds_is_found(scaler):
    table = cohort()
    table[FEATURES] = scaler.fit_transform(table[FEATURES])

    assert audit(None, table, **CHOICES).codes == ("scaler-outside-fold",)


def procedure_in_order(rows, labels, train, test):
    pipeline = make_pipeline(StandardScaler(), SelectKBest(k=5), LogisticRegression())
    return pipeline.fit(rows[FEATURES].iloc[train], labels[train]).predict_proba(rows[FEATURES].iloc[test])[:, 1]


def clean_setups():
    """Twenty set-ups without a leak, each different in kind."""
    plain = cohort()
    yield "plain", (None, plain), {**CHOICES, "folds": folds_of(plain)}
    repeated = cohort(2, per_patient=2)
    yield "several rows of a patient", (None, repeated), {**CHOICES, "folds": folds_of(repeated)}
    yield "our pipeline", (build_pipeline(), cohort(3)), {**CHOICES, "folds": folds_of(cohort(3))}
    for n, classifier in enumerate(("svm", "random_forest", "gradient_boosting")):
        pipeline = build_pipeline(PipelineChoices(classifier=classifier, selection="lasso"))
        yield classifier, (pipeline, cohort(4 + n)), {**CHOICES, "folds": folds_of(cohort(4 + n))}
    harmonised = build_pipeline(PipelineChoices(site="centre", keep=("age_years", "history_of_cancer")))
    yield "ComBat inside", (harmonised, cohort(7)), {**CHOICES, "folds": folds_of(cohort(7))}
    nested = cohort(8)
    splits = nested_splits(nested["label"], nested["patient"], centres=nested["centre"], outer=4, inner=3, seed=1)
    yield "nested splits", (build_pipeline(), nested), {**CHOICES, "folds": splits}
    early = cohort(9)
    yield (
        "forward in time",
        (None, early),
        {**CHOICES, "time": np.arange(80), "folds": list(TimeSeriesSplit(3).split(early))},
    )
    gaps = cohort(10)
    gaps[FEATURES] = gaps[FEATURES].mask(np.random.default_rng(1).random((80, 12)) < 0.15)
    inside = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    yield "gaps, filled inside", (inside, gaps), {**CHOICES, "folds": folds_of(gaps)}
    wide = cohort(11, p=300)
    yield "wide, chosen inside", (build_pipeline(), wide), {**CHOICES, "folds": folds_of(wide)}
    strong = cohort(12, signal=2.5)
    yield "a strong feature", (None, strong), {**CHOICES, "folds": folds_of(strong)}
    null = cohort(13, signal=0.0)
    yield "no signal at all", (None, null), {**CHOICES, "folds": folds_of(null)}
    uneven = cohort(14, n=120)
    uneven = uneven[(uneven["label"] == 0) | (uneven.index % 4 == 0)].reset_index(drop=True)
    yield (
        "uneven classes",
        (RandomForestClassifier(class_weight="balanced"), uneven),
        {**CHOICES, "folds": folds_of(uneven)},
    )
    shares = cohort(15)
    shares[FEATURES] = 1 / (1 + np.exp(-(shares[FEATURES] - shares[FEATURES].median()) / shares[FEATURES].std()))
    yield "features from 0 to 1", (None, shares), {**CHOICES, "folds": folds_of(shares)}
    lean = cohort(16, sites=False).rename(columns={"label": "primary"})
    yield "no site", (None, lean), {"target": "primary", "patient": "patient"}
    arrays = cohort(17)
    yield (
        "arrays",
        (None, arrays[FEATURES]),
        {"target": arrays["label"].to_numpy(), "patient": arrays["patient"], "folds": np.arange(80) % 4},
    )
    scored = cohort(18)
    yield (
        "a threshold chosen before",
        (None, scored),
        {**CHOICES, "folds": folds_of(scored), "scores": np.random.default_rng(1).random(80), "threshold": 0.5},
    )
    script = cohort(19)
    yield "a script in order", (None, script), {**CHOICES, "folds": folds_of(script), "procedure": procedure_in_order}
    words = cohort(20).assign(level=np.random.default_rng(1).choice(["T12", "L1", "L2"], 80))
    columns = make_column_transformer((StandardScaler(), FEATURES), remainder="drop")
    yield (
        "words and a column transformer",
        (make_pipeline(columns, LogisticRegression()), words),
        {**CHOICES, "folds": folds_of(words)},
    )
    few = cohort(21, n=32, p=6)
    yield "few patients", (None, few), {**CHOICES, "folds": folds_of(few, n=3)}
    told = cohort(22)
    one = folds_of(told)[:1]
    yield (
        "a scaler fitted on training rows",
        (None, told),
        {**CHOICES, "folds": one, "fitted": {"StandardScaler": one[0][0]}},
    )
    pairs = cohort(23)[FEATURES].assign(label=cohort(23)["label"])
    yield "all from a wide table", (None, pairs), {"target": "label", "candidates": pairs[FEATURES]}


CLEAN = list(clean_setups())


def test_there_are_at_least_twenty_clean_set_ups():
    assert len(CLEAN) >= 20


@pytest.mark.parametrize(("given", "options"), [(g, o) for _, g, o in CLEAN], ids=[name for name, _, _ in CLEAN])
def test_a_clean_set_up_raises_no_alarm(given, options):
    assert audit(*given, **options).codes == ()


def test_alarms_on_clean_tables_of_chance_are_rare():
    alarms = [
        seed
        for seed in range(40)
        if not audit(None, cohort(seed + 500, n=60), **CHOICES, folds=folds_of(cohort(seed + 500, n=60))).clean
    ]

    assert len(alarms) <= 1


def test_the_report_names_what_was_looked_for_and_what_was_not():
    table = cohort()

    few, more = audit(None, table, target="label"), audit(None, table, **CHOICES, folds=folds_of(table))

    assert "patient-in-two-folds" not in few.checked
    assert "patient-in-two-folds" in more.checked
    assert set(more.checked) <= set(LEAKS)
    assert (more.as_table()["seen"] == "nothing").all()


def test_a_column_or_class_that_is_not_there_is_refused():
    table = cohort()
    with pytest.raises(InputRefusedError, match="no column 'diagnosis'"):
        audit(None, table, target="diagnosis")
    with pytest.raises(InputRefusedError, match="3 classes"):
        audit(None, table, target=np.arange(80) % 3)
    with pytest.raises(InputRefusedError, match="shape"):
        audit(None, table, target=np.arange(3) % 2)
