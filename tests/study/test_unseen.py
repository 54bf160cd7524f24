"""The cases that a network is judged on: simulated, of a table to teach with, of a study."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from spinekit.case import Volume
from spinekit.cli import app
from spinekit.errors import InputRefusedError
from spinekit.io import write_roi, write_volume
from spinekit.models.checkpoints import shipped
from spinekit.models.teaching import read_taught_case
from spinekit.phantom import simulate_case
from spinekit.phantom.files import write_nifti_series
from spinekit.phantom.teaching import write_teaching_cases
from spinekit.study.table import simulated_table
from spinekit.study.unseen import table_cases


@pytest.fixture(scope="module")
def teaching(tmp_path_factory):
    return write_teaching_cases(tmp_path_factory.mktemp("cases"), whole=1, near=0, validation=1, size=(64, 64, 8))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a series and its mask, and what a row of a study's table says of them."""
    folder = tmp_path_factory.mktemp("own")
    case = simulate_case(3, size=(48, 48, 6))
    write_nifti_series(case.series, folder / "series.nii.gz")
    write_roi(case.lesion, folder / "mask.nii.gz")
    row = {
        "case": "one", "series": "series.nii.gz", "label": "primary", "n_baseline": "1",
        "seed_ijk": ",".join(map(str, case.seed_ijk)),
    }  # fmt: skip
    return folder, case, row


def written(path, *rows):
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_of_a_table_to_teach_with_only_the_test_cases_are_judged(teaching, tmp_path):
    rows = list(csv.DictReader(teaching.read_text().splitlines()))
    for row in rows:
        row["series"] = str(teaching.parent / row["series"])

    with pytest.raises(InputRefusedError, match="'test'") as refused:
        list(table_cases(written(tmp_path / "none.csv", *rows)))
    rows[1]["split"] = "test"
    (case,) = table_cases(written(tmp_path / "some.csv", *rows))

    assert refused.value.code == "table-invalid"
    assert case.name == rows[1]["case"]


def test_lesions_are_numbered_from_the_largest_and_the_click_lies_in_that_one(teaching, tmp_path):
    rows = list(csv.DictReader(teaching.read_text().splitlines()))
    (case,) = table_cases(
        written(tmp_path / "t.csv", rows[0] | {"split": "test", "series": str(teaching.parent / rows[0]["series"])})
    )

    sizes = np.bincount(case.lesions.ravel())[1:]
    i, j, k = case.click
    assert (np.diff(sizes) <= 0).all()
    assert sizes.min() > 0
    assert case.lesions[k, j, i] == 1


def test_of_a_study_the_cases_of_one_centre_are_judged(tmp_path):
    table = simulated_table(tmp_path / "t.csv", n_internal=2, n_external=2, size=(48, 48, 6), first_seed=50003)

    names = [case.name for case in table_cases(table, centre="B")]

    assert len(names) == 2
    assert all("-B-" in name for name in names)
    with pytest.raises(InputRefusedError, match="centre 'C'"):
        list(table_cases(table, centre="C"))


def test_a_patient_whom_the_network_has_learned_from_is_refused(tmp_path):
    table = simulated_table(tmp_path / "t.csv", n_internal=2, n_external=2, size=(48, 48, 6), first_seed=10_003)

    with pytest.raises(InputRefusedError, match="has learned from"):
        list(table_cases(table))


def test_of_files_the_reference_mask_is_the_lesion(own, tmp_path):
    folder, made, row = own
    table = written(folder / "study.csv", row | {"truth": "mask.nii.gz"})

    (case,) = table_cases(table)

    np.testing.assert_array_equal(case.lesions > 0, made.lesion.mask)
    with pytest.raises(InputRefusedError, match="no reference mask") as refused:
        list(table_cases(written(folder / "unmarked.csv", row)))
    assert refused.value.code == "table-invalid"


def test_cases_that_a_network_was_taught_with_are_refused(own, tmp_path):
    folder, _, row = own
    table = written(folder / "again.csv", {k: row[k] for k in ("case", "series")} | {"lesions": "mask.nii.gz"})
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped("unet").with_suffix(suffix), tmp_path / f"own{suffix}")
    card = json.loads((tmp_path / "own.json").read_text())

    (case,) = table_cases(table, model=tmp_path / "own.safetensors")
    card["training"]["data"]["validation"].append("one")
    (tmp_path / "own.json").write_text(json.dumps(card))

    assert case.name == "one"
    with pytest.raises(InputRefusedError, match="taught with, or chosen by") as refused:
        list(table_cases(table, model=tmp_path / "own.safetensors"))
    assert refused.value.code == "table-invalid"


def test_a_centre_of_a_table_to_teach_with_is_refused(teaching):
    with pytest.raises(InputRefusedError, match="Centre 'B'"):
        table_cases(teaching, centre="B")


def test_a_mask_without_a_lesion_is_refused(own):
    folder, made, row = own
    nothing = Volume(np.zeros(made.lesion.mask.shape, np.uint8), made.lesion.geometry, "mask", "1")
    write_volume(nothing, folder / "none.nii.gz")
    table = written(folder / "empty.csv", {k: row[k] for k in ("case", "series")} | {"lesions": "none.nii.gz"})

    with pytest.raises(InputRefusedError) as refused:
        list(table_cases(table))

    assert refused.value.code == "roi-empty"


def test_a_table_that_is_not_there_is_refused_by_the_command_and_nothing_is_written(tmp_path):
    done = CliRunner().invoke(
        app, ["train", "judge", "--table", str(tmp_path / "absent.csv"), "--out", str(tmp_path / "judged.csv")]
    )

    assert done.exit_code != 0
    assert "path-missing" in done.stderr
    assert not (tmp_path / "judged.csv").exists()


@pytest.mark.parametrize("options", [("--hospital", "B", "--table", "own.csv"), ("--centre", "B")])
def test_an_option_that_would_be_ignored_is_refused(tmp_path, options):
    done = CliRunner().invoke(app, ["train", "judge", *options, "--out", str(tmp_path / "judged.csv")])

    assert done.exit_code == 2
    assert options[0] in done.stderr
    assert not (tmp_path / "judged.csv").exists()


def test_the_labels_of_a_mask_become_numbers_that_a_byte_holds(own):
    folder, made, row = own
    labels = np.where(made.lesion.mask, 300, 0).astype(np.uint16)
    k, j, i = np.argwhere(labels == 0)[0]
    labels[k, j, i] = 7
    write_volume(Volume(labels, made.lesion.geometry, "mask", "1"), folder / "labels.nii.gz")

    lesions = read_taught_case(row | {"lesions": "labels.nii.gz"}, folder).lesions

    assert lesions[k, j, i] == 1
    assert np.array_equal(lesions == 2, made.lesion.mask)


def test_a_mask_of_more_labels_than_lesions_is_refused(own):
    folder, made, row = own
    many = np.arange(made.lesion.mask.size, dtype=np.int32).reshape(made.lesion.mask.shape) % 300
    write_volume(Volume(many, made.lesion.geometry, "mask", "1"), folder / "many.nii.gz")

    with pytest.raises(InputRefusedError) as refused:
        read_taught_case(row | {"lesions": "many.nii.gz"}, folder)

    assert refused.value.code == "format-unsupported"


def test_the_command_judges_the_cases_of_a_table(own):
    folder, _, row = own
    table = written(folder / "own.csv", {k: row[k] for k in ("case", "series")} | {"lesions": "mask.nii.gz"})

    done = CliRunner().invoke(app, ["train", "judge", "--table", str(table), "--out", str(folder / "judged.csv")])

    assert done.exit_code == 0, done.output
    assert "Simulated cases: none of these figures is a clinical accuracy." in done.stdout  # the file says so
    judged = pd.read_csv(folder / "judged.csv")
    assert judged["simulated"].all()
    assert set(judged["case"]) == {"one"}
    assert {"all lesions", "each lesion, click", "all background", "threshold"} <= set(judged["asked"])
