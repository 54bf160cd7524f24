"""The files of the 3-D viewer: complete, licensed, laid down whole, and told when they are not."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from jupyter_core import paths

from spinekit import doctor, labextension
from spinekit.labextension import build


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(labextension.shipped_folder(), tmp_path / "spinekit-offline")


def finding(monkeypatch, folder):
    """What the doctor says where JupyterLab would serve from a folder."""
    monkeypatch.setattr(labextension, "_folders", lambda: [folder.parent])
    return doctor._itkwidgets()


def test_every_shipped_file_is_the_one_that_was_listed():
    assert labextension.faults(labextension.shipped_folder()) == ()


def test_no_file_is_shipped_that_is_not_listed():
    folder = labextension.shipped_folder()
    there = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}

    assert there - set(labextension.listed_files(folder)) == {"assets.json", ".gitattributes"}


@pytest.mark.parametrize("package", build.PACKAGES, ids=lambda p: p.name)
def test_each_package_lies_there_with_its_licence(package):
    folder = labextension.shipped_folder() / "licences"

    texts = [f.read_text(encoding="utf-8") for f in folder.glob(f"{package.name}-{package.version}-*")]
    words = {
        "BSD-3-Clause": "Redistribution and use",
        "MIT": "Permission is hereby granted",
        "Apache-2.0": "Apache License",
    }
    assert any(words[package.licence] in text for text in texts)


def test_the_viewers_page_names_no_place_outside_but_the_key_of_its_import_map():
    page = (labextension.shipped_folder() / "static" / "viewer" / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert [a for a in loaded if a.startswith(("http", "/"))] == []
    assert json.loads(re.search(r'type="importmap">(.*?)</script>', page)[1])["imports"] == {
        build.UI_ADDRESS: "./bootstrapUIMachineOptions.js.es.js"
    }


def test_a_page_of_another_version_is_not_edited_blindly():
    with pytest.raises(ValueError, match="0 times"):
        build.edited_page("<html></html>")


def test_the_doctor_says_that_a_complete_copy_needs_no_network(copy, monkeypatch):
    assert finding(monkeypatch, copy).state == "ok"


def test_the_doctor_names_an_absent_file_and_the_cure(copy, monkeypatch):
    (copy / "static" / "viewer" / "itk" / "pipeline" / "BloscZarr.wasm").unlink()

    line = finding(monkeypatch, copy).line()

    assert line.startswith("BAD")
    assert "BloscZarr.wasm is absent" in line
    assert "python -m spinekit.labextension" in line


def test_the_doctor_tells_a_file_that_was_cut_short_by_its_hash(copy, monkeypatch):
    file = copy / "static" / "viewer" / "itkVtkViewer.js"
    file.write_bytes(file.read_bytes()[:-1])

    assert "itkVtkViewer.js is not the file that was shipped" in finding(monkeypatch, copy).text


def test_the_doctor_tells_where_nothing_is_installed(tmp_path, monkeypatch):
    found = finding(monkeypatch, tmp_path / "nowhere" / "spinekit-offline")

    assert (found.state, "not installed" in found.text) == ("bad", True)


def test_installing_lays_down_a_complete_copy_and_mends_a_broken_one(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ENV_JUPYTER_PATH", [str(tmp_path)])
    target = labextension.install()
    assert target == tmp_path / "labextensions" / "spinekit-offline"
    assert labextension.faults(target) == ()

    (target / "package.json").write_text("{}")
    assert labextension.faults(target) != ()
    assert labextension.faults(labextension.install()) == ()
    assert [p.name for p in target.parent.iterdir()] == ["spinekit-offline"]
