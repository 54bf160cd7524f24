"""The study on a handful of simulated cases: what it writes, that it resumes, what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from spinekit.cli.study import FIRST_SEED
from spinekit.errors import InputRefusedError
from spinekit.study.arms import ARMS
from spinekit.study.checklists import checklist_table
from spinekit.study.diagnosis_training import CALIBRATED, CALIBRATION_SEED, TEST_SEED, TRAIN_SEED
from spinekit.study.run import StudyOptions, run_study
from spinekit.study.table import CLINICAL, read_study_table, simulated_table
from spinekit.study.taught import require_untaught, taught_seeds

SOME = tuple(arm for arm in ARMS if arm.name not in ("radiomics · LASSO", "radiomics + clinical"))
OPTIONS = StudyOptions(outer=2, inner=2, seed=1, draws=30, permutations=2, networks="no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def table(folder):
    return simulated_table(folder / "table.csv", n_internal=12, n_external=6, size=(48, 48, 6), first_seed=50003)


@pytest.fixture(scope="module")
def study(folder, table):
    return run_study(table, folder / "out", OPTIONS, arms=SOME, command="spinekit study TABLE.csv")


def test_every_arm_that_can_be_run_is_tested_inside_and_outside(study):
    diagnosis = study.tables["diagnosis"]

    assert {"radiomics · logistic regression", "radiomics · SVM", "radiomics · random forest", "clinical only"} <= set(
        diagnosis["arm"]
    )
    assert set(diagnosis["tested on"]) == {"internal, nested", "external"}
    for column in ("AUC", "AUC low", "AUC high", "accuracy", "sensitivity", "specificity", "Brier", "ECE"):
        assert diagnosis[column].between(0, 1).all(), column
    assert (diagnosis["AUC low"] <= diagnosis["AUC high"]).all()


def test_a_case_that_is_refused_is_named_and_the_predictions_keep_their_cases(study, folder, table):
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows.loc[1, "n_baseline"] = "99"
    rows.to_csv(folder / "poisoned.csv", index=False)
    shutil.copytree(folder / "out", folder / "without")  # what was measured stands

    found = run_study(folder / "poisoned.csv", folder / "without", OPTIONS, arms=SOME[:1])

    assert any(rows.loc[1, "case"] in reason for reason in found.left_out)
    assert [case.name for case in found.internal] == [c.name for n, c in enumerate(study.internal) if n != 1]
    for arm in found.results.values():
        assert len(arm.internal) == len(found.internal) == len(study.internal) - 1


def test_network_arms_are_named_as_left_out_with_the_reason(study):
    text = "\n".join(study.left_out)

    for arm in ("U-Net-derived", "Inception-ResNet", "combined"):
        assert f"{arm}: the networks were left out by choice." in text


def test_pixel_accuracy_stands_beside_the_trivial_baselines(study):
    table = study.tables["segmentation"]

    inside = table.loc["internal"]
    background = inside.loc["baseline: all background (outlined lesion)"]
    route = inside.loc["route from the outline, five times = area"]
    assert background["PA"] > 0.95
    assert background["Dice"] == 0.0
    assert background["MPA"] == 0.5
    assert route["Dice"] > inside.loc["baseline: threshold inside the expanded outline", "Dice"]
    assert {"PA", "MPA", "MIoU", "Dice", "HD95 median, mm", "NSD", "recall", "false parts per case"} <= set(
        table.columns
    )


def test_every_reading_of_the_method_is_compared_with_ours(study):
    table = study.tables["readings"]

    assert table["left open"].value_counts().to_dict() == {"five times": 3, "ten layers": 2, "wash-out": 2}
    moved = table[[c for c in table.columns if c.endswith("moved by")]]
    first = table.groupby("left open", sort=False).head(1).index
    assert (moved.loc[first].fillna(0) == 0).all().all()
    assert table.loc[table["left open"] == "wash-out", "Dice, internal"].isna().all()
    assert table["AUC, internal"].between(0, 1).all()


def test_each_arm_has_a_sentence_on_its_gain(study):
    compared = study.tables["comparisons"]

    assert compared["in words"].str.contains(r"^(?:No significant gain|Significant (?:gain|loss)) of ").all()
    for row in compared.to_dict("records"):
        significant = row["in words"].startswith("Significant")
        assert significant == (row["DeLong p"] < 0.05 and (row["low"] > 0 or row["high"] < 0))


def test_published_figures_stand_beside_with_the_warning(study):
    page = study.readme.read_text(encoding="utf-8")

    assert "98.001 %" in page
    assert "cannot be compared as accuracies" in page
    assert page.index("Simulated cohort: no patients") < page.index("## ")
    assert study.tables["published"].loc[1, "simulated cohort"] > 0.95  # all background, as the warning says


def test_the_pages_need_nothing_from_outside_and_hold_no_script(study):
    class Parser(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags = []
            self.sources = []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            self.sources += [v for k, v in attrs if k in ("src", "href")]
            assert not any(k.startswith("on") for k, _ in attrs)

    parser = Parser()
    parser.feed(study.report.read_text(encoding="utf-8"))
    assert "script" not in parser.tags
    assert parser.sources
    assert all(source.startswith("data:image/png") for source in parser.sources)
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", study.readme.read_text(encoding="utf-8")):
        assert (study.readme.parent / picture).is_file()


def test_the_auditor_was_asked_and_found_nothing(study):
    assert (study.tables["audit"]["seen"] == "nothing").all()
    assert {"patient-in-two-folds", "tuned-on-test"} <= set(study.tables["audit"]["leak"])


def test_shuffled_labels_went_through_the_whole_procedure(study):
    record = json.loads((study.readme.parent / "permutation.json").read_text())

    assert len(record["areas"]) == 2
    assert 0 <= record["mean"] <= 1


def test_answers_of_the_checklists_point_to_files_that_are_there(study):
    checks = study.tables["checklists"]
    root = study.readme.parent

    assert checks.groupby("checklist").size().to_dict() == {"CLAIM": 44, "CLEAR": 58, "METRICS": 30, "TRIPOD+AI": 27}
    answered = checks[checks["state"] == "answered by this run"]
    assert len(answered) > 70
    for where in answered["evidence"]:
        path = where.split(",")[0]
        assert path.startswith("docs/") or list(root.glob(path)), where
    asked = checks[checks["state"] == "question to the author"]
    assert asked["answer"].str.startswith("Please write").all()
    assert not checks.loc[checks["about"].str.contains("ethic"), "state"].eq("answered by this run").any()


def test_without_evidence_every_item_is_a_question():
    assert (checklist_table({})["state"] == "question to the author").all()


def test_the_methods_are_those_that_were_used(study):
    page = study.readme.read_text(encoding="utf-8")

    assert "2 outer and 2 inner folds" in page
    assert "seed 1." in page
    assert "30 bootstrap draws" in page


def test_the_reference_model_is_stored_as_a_formula(study):
    from spinekit.diagnosis import read_linear_model

    model = read_linear_model(study.readme.parent / "model.json")

    assert model.classes == ("primary", "metastasis")
    assert model.about["simulated"] is True


def test_a_second_run_measures_and_fits_nothing_anew(study, folder, table):
    kept = {path: path.stat().st_mtime_ns for part in ("cases", "arms") for path in (folder / "out" / part).iterdir()}
    tables = {path: path.read_bytes() for path in (folder / "out" / "tables").iterdir()}
    pictures = {path: path.read_bytes() for path in (folder / "out" / "figures").iterdir()}

    again = run_study(table, folder / "out", OPTIONS, arms=SOME, command="spinekit study TABLE.csv")

    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert {path: path.read_bytes() for path in tables} == tables
    assert {path: path.read_bytes() for path in pictures} == pictures
    assert again.sentences == study.sentences


def test_a_case_that_is_missing_is_measured_again_to_the_same_numbers(study, folder, table):
    record = folder / "out" / "cases" / "simulated-A-50004.json"
    before = json.loads(record.read_text())
    record.unlink()

    run_study(table, folder / "out", OPTIONS, arms=SOME, command="spinekit study TABLE.csv")

    after = json.loads(record.read_text())
    assert {k: v for k, v in after.items() if k != "seconds"} == {k: v for k, v in before.items() if k != "seconds"}


def test_a_folder_of_something_else_is_left_alone(tmp_path, table):
    (tmp_path / "letters.txt").write_text("mine")

    with pytest.raises(InputRefusedError) as refused:
        run_study(table, tmp_path, OPTIONS)
    assert refused.value.code == "output-exists"
    assert [p.name for p in tmp_path.iterdir()] == ["letters.txt"]


def test_an_external_centre_that_is_not_there_is_refused(study, folder, table):
    with pytest.raises(InputRefusedError, match="'C'"):
        run_study(table, folder / "out", StudyOptions(external="C", outer=2, inner=2, networks="no"))


def test_a_patient_in_both_hospitals_is_refused(study, folder, table):
    rows = pd.read_csv(table, dtype=str)
    rows.loc[rows.index[-1], "patient"] = rows.loc[0, "patient"]
    rows.to_csv(folder / "shared.csv", index=False)

    with pytest.raises(InputRefusedError, match="external centre and in others"):
        run_study(folder / "shared.csv", folder / "out", OPTIONS)


def test_a_simulated_table_is_read_as_it_was_written(table):
    cases = read_study_table(table)

    assert [case.centre for case in cases] == ["A"] * 12 + ["B"] * 6
    assert np.mean([case.label for case in cases]) == 0.5
    assert set(cases[0].clinical) == set(CLINICAL)
    assert all(case.simulated for case in cases)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("case,series\na,b\n", "lacks label"),
        ("case,series,label\na,b,benign\n", "'benign'"),
        ("case,series,label\n../x,b,primary\n", "pseudonym"),
        ("case,series,label\na,b,primary\na,c,primary\n", "2 times"),
        ("case,series,label,age_years\na,b,primary,old\n", "'old'"),
        ("case,series,label,n_baseline\na,b,primary,two\n", "number that is none"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_row(tmp_path, text, word):
    path = tmp_path / "cases.csv"
    path.write_text(text)

    with pytest.raises(InputRefusedError, match=word) as refused:
        read_study_table(path)
    assert refused.value.code == "table-invalid"


def test_notebook_10_runs_unattended_on_the_same_cases(study, folder, table):
    import papermill

    from spinekit.reporting.notebooks import notebook_folder

    out = folder / "executed.ipynb"
    parameters = {
        "study_dir": str(folder / "out"), "table_file": str(table), "outer": 2, "inner": 2, "seed": 1, "draws": 30,
        "networks": False,
    }  # fmt: skip

    done = papermill.execute_notebook(
        notebook_folder() / "10_cohort_study.ipynb", out, parameters=parameters, progress_bar=False
    )

    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 6
    text = "".join(o.get("text", "") for o in outputs if o.output_type == "stream")
    assert "No significant gain" in text or "Significant" in text


@pytest.mark.parametrize(
    ("seed", "kind"), [(10_003, "unet"), (200_100, "inception_resnet"), (210_000, "inception_resnet")]
)
def test_a_patient_whom_a_network_has_learned_from_cannot_be_a_case(tmp_path, seed, kind):
    table = simulated_table(tmp_path / "t.csv", n_internal=2, n_external=2, size=(48, 48, 6), first_seed=seed)

    with pytest.raises(InputRefusedError, match=kind) as refused:
        require_untaught(read_study_table(table), ("unet", "inception_resnet"))

    assert refused.value.code == "table-invalid"


def test_the_seeds_of_the_simulated_study_are_none_that_a_network_has_learned_from(table):
    require_untaught(read_study_table(table), ("unet", "inception_resnet"))

    cases = range(FIRST_SEED, FIRST_SEED + 1000)
    assert not taught_seeds("unet") & set(cases)
    assert not taught_seeds("inception_resnet") & set(cases)


def test_the_seeds_that_are_set_aside_hold_all_that_the_training_takes():
    most = (TEST_SEED - CALIBRATION_SEED) / CALIBRATED  # patients to train with at which calibration would spill over

    assert TRAIN_SEED + most <= CALIBRATION_SEED
    assert {TRAIN_SEED, CALIBRATION_SEED, TEST_SEED - 1} <= taught_seeds("inception_resnet")
