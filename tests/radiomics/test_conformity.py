"""The doctor's table of conformity: what is run now, what needs files, and what differs."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.radiomics import conformity
from spinekit.radiomics.conformity import conformity_table


@pytest.fixture(scope="module")
def without_files():
    return conformity_table(None)


def test_pyradiomics_itself_is_run_beside_ours(without_files):
    live = without_files[without_files.index.str.contains("run now")]
    assert live["state"].tolist() == ["ok", "ok"]
    assert live["compared"].tolist() == [107, 107 + 9 * 93]
    assert live["worst"].max() < 1e-9


def test_references_whose_files_are_absent_say_so(without_files):
    others = without_files[~without_files.index.str.contains("run now")]
    assert set(others["state"]) == {"not here"}
    assert len(others) == 3


def test_the_command_prints_a_line_per_reference_and_fails_where_one_differs(monkeypatch, without_files):
    monkeypatch.setattr(conformity, "conformity_table", lambda data: without_files)
    monkeypatch.setattr(conformity, "reference_data", lambda named: None)
    sound = CliRunner().invoke(app, ["doctor", "--radiomics"])
    assert sound.exit_code == 0, sound.stdout
    assert sound.stdout.count("agree within") == 2
    assert sound.stdout.count("--data or SPINEKIT_DATA") == 3
    broken = without_files.copy()
    broken.loc[broken.index[0], ["agree", "state"]] = [106, "differs"]
    monkeypatch.setattr(conformity, "conformity_table", lambda data: broken)
    failed = CliRunner().invoke(app, ["doctor", "--radiomics"])
    assert failed.exit_code == 1
    assert "BAD " in failed.stdout


def test_the_reference_folder_is_the_one_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINEKIT_DATA", str(tmp_path))
    assert conformity.reference_data() == tmp_path
    assert conformity.reference_data(tmp_path / "absent") == tmp_path
