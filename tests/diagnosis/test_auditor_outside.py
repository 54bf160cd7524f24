"""Leaks as a stranger makes them: other column names, rounded tables, nested pipelines; and honest strangers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_curve
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from spinekit.diagnosis import audit


class Stranger:
    """A table with the names and scales of somebody else's software."""

    def __init__(self, seed: int = 3, *, n: int = 100, p: int = 20, per: int = 1, signal: float = 0.5, told: int = 5):
        self.rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(n // per), per)
        self.y = self.rng.permutation(np.arange(n // per) % 2)[who]
        values = self.rng.normal(size=(n, p)) + 8.0
        values[:, :told] += signal * self.y[:, None]
        columns = [f"original_firstorder_F{k}" for k in range(p)]
        self.table = pd.DataFrame(values * 10.0 ** self.rng.uniform(-2, 4, p), columns=columns)
        self.patient = np.array([f"SUBJ-{w * 7919 % 9973:04d}" for w in who])

    def folds(self):
        return list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(self.table, self.y, self.patient))

    def audit(self, table=None, pipeline=None, **more):
        given = {"target": self.y, "patient": self.patient, "folds": self.folds()}
        return audit(pipeline, self.table if table is None else table, **(given | more)).codes


def with_column(name, made):
    def plant():
        one = Stranger()
        one.table[name] = made(one)
        return one.audit()

    plant.__name__ = name
    return plant


def scaled_and_rounded(digits):
    def plant():
        one = Stranger()
        return one.audit(((one.table - one.table.mean()) / one.table.std()).round(digits))

    plant.__name__ = f"z scores written with {digits} decimals"
    return plant


def quantiles():
    one = Stranger()
    made = QuantileTransformer(n_quantiles=100, output_distribution="normal").fit_transform(one.table)
    return one.audit(pd.DataFrame(made, columns=one.table.columns))


def a_fitted_scaler_inside(outer):
    def plant():
        one = Stranger()
        return one.audit(pipeline=make_pipeline(outer(StandardScaler().fit(one.table)), LogisticRegression()))

    return plant


def components_of_all_rows():
    one = Stranger(p=40)
    return one.audit(pd.DataFrame(PCA(8).fit_transform(StandardScaler().fit_transform(one.table))))


def chosen(k, *, n, p, by=None):
    def plant():
        one = Stranger(n=n, p=p, signal=0.0)
        kept = one.table.columns[SelectKBest(**({"score_func": by} if by else {}), k=k).fit(one.table, one.y)
                                 .get_support()]  # fmt: skip
        return one.audit(one.table[kept], **({"candidates": one.table} if by else {}))

    return plant


def near_copies_of_few_columns():
    one = Stranger(p=5)
    rows = one.rng.choice(100, 8, replace=False)
    more = one.table.iloc[rows] * (1 + 0.001 * one.rng.normal(size=(8, 5)))
    one.table = pd.concat([one.table, more], ignore_index=True)
    one.y, one.patient = np.r_[one.y, one.y[rows]], np.r_[one.patient, [f"other{k}" for k in range(8)]]
    return one.audit()


def filled(of):
    def plant():
        one = Stranger()
        gaps = one.table.mask(one.rng.random(one.table.shape) < 0.15)
        return one.audit(of(gaps, one.y))

    return plant


def four_digits(table):
    return table.map(lambda v: float(f"{v:.4g}"))


def best_cut(measure):
    def plant():
        one = Stranger(n=80)
        scores = np.clip(0.5 + 0.3 * (one.y - 0.5) + one.rng.normal(0, 0.2, 80), 0, 1)
        return one.audit(scores=scores, threshold=float(measure(one.y, scores)))

    return plant


def nearest_to_the_corner(y, scores):
    false, true, cuts = roc_curve(y, scores)
    return cuts[np.argmin((1 - true) ** 2 + false**2)]


def best_f1(y, scores):
    return max(np.unique(scores), key=lambda cut: f1_score(y, scores >= cut))


def a_search_on_the_outer_folds():
    one = Stranger()
    return one.audit(pipeline=GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1, 10]}, cv=one.folds()))


def a_search_carried_out_before():
    one = Stranger()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1, 10]}, cv=3
    )
    return one.audit(pipeline=search.fit(one.table, one.y))


def a_patient_number():
    one = Stranger(per=2)
    one.table["subject_no"] = pd.factorize(one.patient)[0] + 10
    return one.audit()


def three_sites_in_columns():
    one = Stranger()
    site = one.rng.choice(["A", "B", "C"], 100)
    return one.audit(one.table.join(pd.get_dummies(pd.Series(site), prefix="centre")), site=site)


PLANTED = [
    (scaled_and_rounded(4), "scaler-outside-fold"),
    (scaled_and_rounded(3), "scaler-outside-fold"),
    (quantiles, "scaler-outside-fold"),
    (a_fitted_scaler_inside(lambda scaler: Pipeline([("z", scaler)])), "scaler-outside-fold"),
    (a_fitted_scaler_inside(lambda scaler: ColumnTransformer([("z", scaler, [0, 1])])), "scaler-outside-fold"),
    (components_of_all_rows, "selection-outside-fold"),
    (chosen(10, n=80, p=500), "selection-outside-fold"),
    (chosen(15, n=100, p=150, by=mutual_info_classif), "selection-outside-fold"),
    (near_copies_of_few_columns, "duplicate-across-folds"),
    (filled(lambda gaps, y: four_digits(gaps.fillna(gaps.mean()))), "imputation-outside-fold"),
    (filled(lambda gaps, y: gaps.groupby(y).transform(lambda c: c.fillna(c.mean()))), "imputation-outside-fold"),
    (best_cut(nearest_to_the_corner), "threshold-on-test"),
    (best_cut(best_f1), "threshold-on-test"),
    (a_search_on_the_outer_folds, "tuned-on-test"),
    (a_search_carried_out_before, "tuned-on-test"),
    (a_patient_number, "identifier-as-feature"),
    (with_column("subject", lambda one: one.rng.choice(10**6, 100, replace=False)), "identifier-as-feature"),
    (three_sites_in_columns, "site-as-proxy"),
    (with_column("scanner", lambda one: np.where(one.rng.random(100) < 0.85, one.y, 1 - one.y)), "site-as-proxy"),
    (with_column("noisy", lambda one: one.y + one.rng.normal(0, 0.2, 100)), "target-in-column"),
    (with_column("code", lambda one: np.where(one.y, one.rng.choice([1, 4, 5], 100), one.rng.choice([2, 3, 6], 100))),
     "target-in-column"),
    (with_column("level", lambda one: pd.Series(one.y).groupby(one.rng.integers(0, 12, 100)).transform("mean")),
     "target-in-column"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "code"), PLANTED)
def test_a_leak_in_a_strangers_form_is_found(plant, code):
    assert code in plant()


def honest_columns(seed, *, n, p, signal):
    one = Stranger(seed, n=n, p=p, signal=signal, told=p)
    return one.audit(pipeline=make_pipeline(StandardScaler(), LogisticRegression()))


def ages_and_counts():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 90)
    table = pd.DataFrame({"age": rng.integers(20, 90, 90), "sex": rng.integers(0, 2, 90),
                          "alp": rng.normal(90 + 20 * y, 30).round(), "n_lesions": rng.poisson(3 + y)})  # fmt: skip
    return audit(None, table, target=y, patient=np.arange(90), folds=list(StratifiedKFold(5).split(table, y))).codes


def lesions_of_a_patient_alike():
    one = Stranger(per=2)
    first = one.table.iloc[::2].to_numpy()
    one.table.iloc[1::2] = first * (1 + 0.001 * one.rng.normal(size=first.shape))
    one.table["age"] = np.repeat(one.rng.integers(30, 85, 50), 2)
    return one.audit()


def an_honest_strong_signal():
    return Stranger(signal=2.33, told=1).audit(pipeline=make_pipeline(StandardScaler(), LogisticRegression()))


def few_patients_many_columns():
    one = Stranger(n=24, p=400)
    return one.audit(folds=list(GroupKFold(3).split(one.table, one.y, one.patient)))


def scaled_with_training_rows():
    one = Stranger()
    train, test = np.arange(70), np.arange(70, 100)
    known = one.table.iloc[train]
    return one.audit((one.table - known.mean()) / known.std(), folds=[(train, test)], fitted={"scale": train})


def a_search_with_a_splitter():
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1, 10]}, cv=GroupKFold(3))
    return Stranger().audit(pipeline=search)


def what_was_known_before():
    one = Stranger()
    one.table["prior_therapy"], one.table["previous_biopsy"] = one.rng.integers(0, 2, (2, 100))
    one.table["volume_mm3"] = one.rng.choice(10**5, 100, replace=False)
    return one.audit()


def sites_of_both_classes():
    one = Stranger()
    one.table["hospital"] = one.rng.choice(["A", "B"], 100)
    return one.audit()


def three_digits():
    one = Stranger()
    return one.audit(one.table.map(lambda v: float(f"{v:.3g}")))


def leave_one_out():
    one = Stranger(n=30)
    return one.audit(folds=list(LeaveOneGroupOut().split(one.table, one.y, one.patient)))


def repeated_folds():
    one = Stranger()
    return one.audit(
        folds=list(RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=1).split(one.table, one.y))
    )


CLEAN = [
    lambda: honest_columns(1, n=100, p=10, signal=0.7),
    lambda: honest_columns(2, n=80, p=6, signal=0.8),
    lambda: honest_columns(3, n=120, p=20, signal=0.6),
    ages_and_counts, lesions_of_a_patient_alike, an_honest_strong_signal, few_patients_many_columns,
    scaled_with_training_rows, a_search_with_a_splitter, what_was_known_before, sites_of_both_classes, three_digits,
    leave_one_out, repeated_folds,
]  # fmt: skip


@pytest.mark.parametrize("honest", CLEAN)
def test_an_honest_stranger_is_not_accused(honest):
    assert honest() == ()
