"""The notebooks, end to end by papermill: simulated and real series, replay, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.provenance import hash_file
from spinekit.segmentation.agreement import dice

SMALL = "simulated:3@96x96x12"
FILES = ("roi.nii.gz", "features.csv", "journal.json", "provenance.json", "report.html")


def spinekit_run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def results_of(folder: Path) -> dict[str, str]:
    files = [folder / "roi.nii.gz", folder / "features.csv", *sorted((folder / "maps").glob("*.nii.gz"))]
    return {str(file.relative_to(folder)): hash_file(file) for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    status, out, err = spinekit_run("run", SMALL, "--out", str(folder), "--reader", "AB")
    assert status == 0, out + err
    return folder


def test_every_file_of_the_public_surface_is_written(finished):
    for name in FILES:
        assert (finished / name).stat().st_size > 0, name
    names = {p.name for p in (finished / "maps").glob("*.nii.gz")}
    assert {"relative_enhancement_peak.nii.gz", "wash_in_slope.nii.gz", "curve_type.nii.gz"} <= names
    assert len(list((finished / "notebooks").glob("*.ipynb"))) >= 7
    assert not list(finished.rglob("*.tmp-*"))


def test_the_region_covers_the_simulated_lesion(finished):
    from spinekit.phantom import simulate_case

    truth = simulate_case(3, size=(96, 96, 12)).lesion.mask
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(finished / "roi.nii.gz"))) > 0

    assert dice(mask, truth) >= 0.8


def test_replaying_the_journal_gives_the_same_bits(finished, tmp_path):
    status, out, err = spinekit_run(
        "run", SMALL, "--out", str(tmp_path / "again"), "--journal", str(finished / "journal.json")
    )

    assert status == 0, out + err
    assert results_of(tmp_path / "again") == results_of(finished)


def test_an_outline_on_the_t2_leads_to_the_region(tmp_path):
    from spinekit import write_roi
    from spinekit.phantom import simulate_case

    truth = simulate_case(3, size=(96, 96, 12))
    outline = write_roi(truth.t2_outline, tmp_path / "outline.nii.gz")
    folder = tmp_path / "case"
    status, out, err = spinekit_run("run", SMALL, "--outline", str(outline), "--out", str(folder))

    assert status == 0, out + err
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "roi.nii.gz"))) > 0
    assert dice(mask, truth.lesion.mask) >= 0.85
    notebook = nbformat.read(folder / "notebooks" / "03_review_roi.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if "outline_panels" in c.source)
    assert any("image/png" in o.get("data", {}) for o in cell.outputs)


def test_the_report_needs_no_network_no_script_and_shows_no_code(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")

    assert len(text) < 25_000_000
    assert not re.search(r"<script|\son\w+\s*=\s*[\"']", text, flags=re.IGNORECASE)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text, flags=re.IGNORECASE)
    assert text.count("data:image/png;base64,") >= 5


def test_the_report_says_that_the_case_is_simulated(finished):
    assert "simulated" in (finished / "report.html").read_text(encoding="utf-8").lower()


def test_every_interactive_cell_left_a_picture(finished):
    for name in ("02_mark_lesion", "03_review_roi"):
        notebook = nbformat.read(finished / "notebooks" / f"{name}.ipynb", as_version=4)
        pictures = [
            o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "image/png" in o.get("data", {})
        ]
        assert pictures, name
        assert (finished / "notebooks" / f"{name}.ipynb").stat().st_size < 10_000_000


def test_provenance_holds_the_hashes_of_what_was_written(finished):
    record = json.loads((finished / "provenance.json").read_text())

    for name, digest in record["results_sha256"].items():
        assert hash_file(finished / name) == digest
    assert record["settings"]["kinetics"]["n_baseline"] >= 1
    assert set(results_of(finished)) <= set(record["results_sha256"])


def test_features_have_one_row_per_image_and_finite_shape(finished):
    table = pd.read_csv(finished / "features.csv", index_col=0)

    assert len(table) >= 3
    assert np.isfinite(table["original_shape_MeshVolume"]).all()


def test_two_ways_to_the_region_are_refused_before_anything_runs(tmp_path):
    status, _, err = spinekit_run(
        "run", "simulated:1", "--out", str(tmp_path / "x"), "--seed", "1,2,3", "--journal", __file__
    )

    assert status == 2
    assert "Exactly one of" in err
    assert json.loads((tmp_path / "x" / "error.json").read_text())["code"] == "choice-unknown"


def test_a_missing_series_is_refused_with_status_2(tmp_path):
    status, _, err = spinekit_run("run", str(tmp_path / "absent"), "--seed", "1,2,3", "--out", str(tmp_path / "x"))

    assert status == 2
    assert "path-missing" in err


def test_a_failed_step_leaves_a_report_that_says_which_and_why(tmp_path):
    folder = tmp_path / "case"
    status, _, err = spinekit_run("run", SMALL, "--seed", "900,2,3", "--out", str(folder))

    assert status == 2
    assert "seed-outside" in err
    assert json.loads((folder / "error.json").read_text())["code"] == "seed-outside"
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "02_mark_lesion" in report or "Mark the lesion" in report
    assert "seed-outside" in report
    assert not (folder / "roi.nii.gz").exists()


def test_a_journal_of_another_series_is_refused(finished, tmp_path):
    status, _, err = spinekit_run(
        "run", "simulated:4@96x96x12", "--journal", str(finished / "journal.json"), "--out", str(tmp_path / "other")
    )

    assert status == 2
    assert "journal-other-series" in err


@pytest.mark.slow
def test_the_real_breast_series_runs_to_its_report(shared_data, tmp_path):
    source = shared_data / "dce_breast_ucsf_br06"
    before = hash_file(source / "dicom.zip")
    folder = tmp_path / "breast"

    status, out, err = spinekit_run("run", str(source / "dicom.zip"), "--seed", "85,131,38", "--out", str(folder))

    assert status == 0, out + err
    for name in FILES:
        assert (folder / name).stat().st_size > 0, name
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "roi.nii.gz"))) > 0
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(source / "lesion_from_ser_largest_component.nii.gz"))) > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) >= 0.85
    assert hash_file(source / "dicom.zip") == before
    assert "simulated" not in json.loads((folder / "case.json").read_text())["origin"]
