"""The doctor says what is broken, in one line each, with the cure."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from spinekit import doctor
from spinekit.cli import app


def test_a_sound_installation_has_no_bad_line():
    findings = list(doctor.examine())

    assert len(findings) > 10
    assert [f.line() for f in findings if f.state == "bad"] == []


def test_every_finding_that_is_not_ok_names_its_cure():
    assert [f.subject for f in doctor.examine() if f.state != "ok" and not f.cure] == []


def test_the_command_prints_one_line_per_finding():
    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 0, result.stdout
    assert all(line.startswith(("ok  ", "note", "BAD ")) for line in result.stdout.splitlines())


def test_a_check_that_breaks_is_a_bad_line_and_status_1(monkeypatch):
    def broken():
        raise ImportError("libfoo.so:\n cannot open")

    monkeypatch.setattr(doctor, "CHECKS", (("thing", broken),))

    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 1
    assert "BAD   thing: ImportError: libfoo.so: cannot open" in result.stdout


@pytest.mark.parametrize(("asked", "bad"), [("numpy>=2", False), ("numpy<1", True), ("no-such-package", True)])
def test_packages_are_held_against_what_was_asked_for(monkeypatch, asked, bad):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: [asked])

    finding = next(iter(doctor._requirements()))

    assert (finding.state == "bad") is bad


def test_an_extension_that_is_switched_off_is_bad_and_named(monkeypatch, tmp_path):
    import jupyter_core.paths as paths

    (tmp_path / "labconfig").mkdir()
    (tmp_path / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"anywidget": true, "x": false}}')
    monkeypatch.setattr(paths, "jupyter_config_path", lambda: [str(tmp_path)])

    off = doctor._labextension("anywidget", "canvas", "anywidget")()
    on = doctor._labextension("@jupyter-widgets/jupyterlab-manager", "widgets", "jupyterlab_widgets")()

    assert (off.state, on.state) == ("bad", "ok")
    assert "jupyter labextension enable anywidget" in off.cure


def test_an_absent_extension_is_bad_and_named():
    found = doctor._labextension("no-such-extension", "thing", "a-package")()

    assert (found.state, "a-package" in found.cure) == ("bad", True)
