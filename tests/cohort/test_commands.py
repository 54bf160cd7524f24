"""The commands `phantom` and `cohort`, one handing its table to the other."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.phantom import simulate_case
from spinekit.phantom.files import write_nifti_series


def test_the_table_of_simulated_cases_is_what_cohort_takes(tmp_path):
    made = CliRunner().invoke(app, ["phantom", "--n", "2", "--out", str(tmp_path / "in"), "--size", "48,48,8"])
    assert made.exit_code == 0, made.output
    assert "[2/2]" in made.stdout

    arguments = [str(tmp_path / "in" / "cases.csv"), "--out", str(tmp_path / "out"), "--no-reports", "--workers", "2"]
    ended = CliRunner().invoke(app, ["cohort", *arguments])

    assert ended.exit_code == 0, ended.output
    assert "2 of 2 cases are done." in ended.stdout
    assert "1 left, about" in ended.stdout


def test_another_format_is_refused(tmp_path):
    made = CliRunner().invoke(app, ["phantom", "--n", "1", "--out", str(tmp_path), "--format", "jpeg"])

    assert made.exit_code == 2
    assert "choice-unknown" in made.stderr


def test_a_table_that_is_none_is_refused_with_its_code_in_the_folder(tmp_path):
    (tmp_path / "cases.csv").write_text("patient;file\n")
    ended = CliRunner().invoke(app, ["cohort", str(tmp_path / "cases.csv"), "--out", str(tmp_path / "out")])

    assert ended.exit_code == 2
    assert json.loads((tmp_path / "out" / "error.json").read_text())["code"] == "table-invalid"


def test_where_the_sources_lie_is_told_in_no_file_of_the_cohort(tmp_path):
    """A path can name a patient. The second case is one that cannot be read."""
    case = simulate_case(3, size=(48, 48, 8))
    folder = tmp_path / "PLANTED_NAME"
    write_nifti_series(case.series, folder / "PLANTED_SERIES.nii.gz")
    seed = ",".join(str(n) for n in case.seed_ijk)
    rows = f'case,series,seed_ijk\none,PLANTED_SERIES.nii.gz,"{seed}"\ntwo,PLANTED_FOLDER/absent.nii,"{seed}"\n'
    (folder / "cases.csv").write_text(rows)

    ended = CliRunner().invoke(
        app, ["cohort", str(folder / "cases.csv"), "--out", str(tmp_path / "out"), "--no-reports"]
    )

    assert ended.exit_code == 2
    assert "1 of 2 cases are done." in ended.stdout
    for file in (tmp_path / "out").rglob("*"):
        assert not file.is_file() or b"PLANTED" not in file.read_bytes(), file.name
