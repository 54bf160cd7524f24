"""The stability filter of the study's radiomics arms: fitted in the fold, on training cases alone."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.diagnosis import PipelineChoices
from spinekit.evaluation import nested_splits
from spinekit.study.arms import Arm, arm_repeats, arm_table, fitted_on_internal, run_arm
from spinekit.study.feature_stability import stability_of_study, stability_sentence
from spinekit.study.table import StudyCase

N = 40
FIRM, LOOSE = "map_original_glcm_Id", "map_original_glcm_MCC"
ARM = Arm("radiomics", ("radiomics",), PipelineChoices(selection="none"))
LABELS = np.arange(N) % 2
CASES = tuple(StudyCase(f"c{k}", f"c{k}", "A", int(LABELS[k]), "x", 1) for k in range(N))
INTERNAL = np.arange(N) < 30
SPLITS = nested_splits(LABELS[:30], [c.patient for c in CASES[:30]], outer=3, inner=2, seed=1)


@pytest.fixture
def records():
    rng = np.random.default_rng(1)
    firm = LABELS + rng.normal(size=N)
    loose = LABELS + 0.5 * rng.normal(size=N)  # tells more, until another reader marks the lesion
    noise = rng.normal(size=(N, 2))
    made = {}
    for k, case in enumerate(CASES):
        near = firm[k] + 0.1 * noise[k]
        ways = {"another reader": (near[0], rng.normal()), "another border": (near[1], loose[k])}
        repeats = {way: {FIRM: first, LOOSE: second} for way, (first, second) in ways.items()}
        made[case.name] = {"radiomics": {FIRM: firm[k], LOOSE: loose[k]}, "repeats": repeats}
    return made


def run(records, folder):
    table = arm_table(ARM, CASES, records, {})
    repeats = arm_repeats(ARM, CASES, records, internal=INTERNAL, splits=SPLITS)
    given = {"internal": INTERNAL, "splits": SPLITS}
    return run_arm(ARM, table, LABELS, [c.patient for c in CASES], folder=folder, seed=1, repeats=repeats, **given)


def test_a_feature_that_another_reader_changes_is_left_out(records, tmp_path):
    assert run(records, tmp_path).columns == (FIRM,)


def test_no_fold_looks_at_repeats_of_the_cases_it_is_tested_on(records, tmp_path):
    before = run(records, tmp_path / "before")
    test = SPLITS[0].test
    for row in (*test, *range(30, N)):  # tested rows of one fold, and all external ones
        for sign, way in zip((1, -1), records[f"c{row}"]["repeats"].values(), strict=True):
            way[FIRM] = sign * 1e6
    after = run(records, tmp_path / "after")

    np.testing.assert_array_equal(after.internal[test], before.internal[test])
    others = np.setdiff1d(np.arange(30), test)
    assert (after.internal[others] != before.internal[others]).any()  # there these cases are trained on


def test_kept_predictions_are_not_taken_for_other_repeats(records, tmp_path):
    run(records, tmp_path)
    for record in records.values():
        record["repeats"]["another reader"] = record["radiomics"]

    assert len(run(records, tmp_path).columns) == 2


def test_without_enough_repeats_or_radiomics_there_is_no_filter(records):
    few = {name: record if k % 6 else {**record, "repeats": {}} for k, (name, record) in enumerate(records.items())}
    given = {"internal": INTERNAL, "splits": SPLITS}

    assert arm_repeats(ARM, CASES, few, **given) is not None
    assert arm_repeats(Arm("clinical", ("clinical",), ARM.choices), CASES, records, **given) is None
    none = {name: {**record, "repeats": {}} for name, record in records.items()}
    assert arm_repeats(ARM, CASES, none, **given) is None
    rare = {name: record if k < 6 else {**record, "repeats": {}} for k, (name, record) in enumerate(records.items())}
    assert arm_repeats(ARM, CASES, rare, **given) is None


def test_the_share_that_survives_is_told_by_family_and_in_words(records):
    table = arm_table(ARM, CASES, records, {}).iloc[:30]
    repeats = arm_repeats(ARM, CASES, records, internal=INTERNAL, splits=SPLITS)

    shares = stability_of_study(table, repeats, minimum=0.75)

    assert shares.loc["all", ["another reader", "another border", "all ways"]].tolist() == [0.5, 1.0, 0.5]
    assert shares.loc["glcm", ["features", "cases"]].tolist() == [2, 30]
    assert "50.0 % of 2 features" in stability_sentence(shares, minimum=0.75)
    assert "76.4 % of 1702" in stability_sentence(shares, minimum=0.75)


def test_the_fitted_pipeline_holds_the_filter_as_a_step(records):
    table = arm_table(ARM, CASES, records, {})
    repeats = arm_repeats(ARM, CASES, records, internal=INTERNAL, splits=SPLITS)

    fitted = fitted_on_internal(ARM, table, LABELS, INTERNAL, SPLITS, repeats=repeats)

    assert fitted.pipeline.named_steps["stable"].columns_ == (FIRM,)
