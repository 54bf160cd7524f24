"""Files that settings name stand in a case by their hash; where they lie is remembered outside it."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from spinekit import workflow
from spinekit.cohort.manifest import depends_on
from spinekit.errors import InputRefusedError
from spinekit.io.whereabouts import known_file, name_by_hash
from spinekit.models.checkpoints import read_card, shipped
from spinekit.reporting import tables
from spinekit.settings import read_settings
from spinekit.workflow.loading import kept_settings


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINEKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def settings_file(tmp_path):
    (tmp_path / "Meier_Anna.nii.gz").write_bytes(b"a mask")
    path = tmp_path / "study.toml"
    path.write_text('[radiomics]\nreference_file = "Meier_Anna.nii.gz"\n')
    return path


def code_of(act, *arguments) -> str:
    with pytest.raises(InputRefusedError) as caught:
        act(*arguments)
    assert "Meier" not in caught.value.message
    return caught.value.code


def test_a_file_is_found_again_by_its_hash_while_it_is_what_it_was(tmp_path):
    file = tmp_path / "Meier.safetensors"
    file.write_bytes(b"weights")

    name = name_by_hash(str(file))

    assert name.startswith("sha256:")
    assert "Meier" not in name
    assert name_by_hash(name) == name
    assert known_file(name) == os.path.abspath(file)
    assert known_file("") == ""
    file.write_bytes(b"other weights")
    assert code_of(known_file, name) == "path-missing"
    file.unlink()
    assert code_of(known_file, name) == "path-missing"
    assert code_of(name_by_hash, str(file)) == "path-missing"


def test_a_name_that_is_not_known_here_is_refused():
    assert code_of(known_file, "sha256:" + "0" * 64) == "path-missing"


def test_an_account_that_cannot_remember_is_told_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setenv("SPINEKIT_STATE", str(tmp_path / "file" / "below"))
    assert code_of(name_by_hash, str(tmp_path / "file")) == "output-unwritable"
    assert name_by_hash(str(tmp_path / "file"), remember=False).startswith("sha256:")


def test_a_case_keeps_the_hash_and_its_steps_get_the_path(settings_file, tmp_path):
    study = read_settings(settings_file)

    workflow.load_case("simulated:1@32x32x4", tmp_path / "case", settings=study)

    assert kept_settings(tmp_path / "case").radiomics.reference_file.startswith("sha256:")
    assert "Meier" not in (tmp_path / "case" / "settings.json").read_text()
    assert workflow.open_settings(tmp_path / "case") == study


def test_a_file_that_settings_name_and_that_was_replaced_makes_a_case_of_a_cohort_stale(settings_file, tmp_path):
    job = {"asked": {"source": "simulated:1"}, "settings_file": str(settings_file), "reports": False, "reader": ""}
    before = depends_on(job)
    (tmp_path / "Meier_Anna.nii.gz").write_bytes(b"another mask")

    changed = {name for name, digest in depends_on(job).items() if before[name] != digest}

    assert changed == {"settings [radiomics]"}
    assert "Meier" not in json.dumps(before)


def test_the_table_of_settings_shows_the_hash(settings_file):
    shown = tables.settings_table(read_settings(settings_file).as_dict()).to_html()
    assert "Meier" not in shown
    assert "sha256:" in shown


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"\xff"), lambda p: p.with_suffix(".json").write_text("{")])
def test_a_refusal_of_weights_does_not_name_them(spoil, tmp_path):
    weights = tmp_path / "Meier.safetensors"
    for ending in (".safetensors", ".json"):
        shutil.copy(shipped("unet").with_suffix(ending), weights.with_suffix(ending))
    spoil(weights)
    assert code_of(lambda: read_card(weights, kind="unet")) in ("model-changed", "model-unsafe")
    assert code_of(lambda: read_card(tmp_path / "Meier", kind="unet")) == "model-unsafe"
