"""`spinekit verify`: one thing is changed at a time, and each is named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.cohort import CohortOptions, run_cohort
from spinekit.io import write_volume
from spinekit.phantom import simulate_case
from spinekit.phantom.files import write_nifti_series
from spinekit.reporting.case_compute import compute_case
from spinekit.reporting.case_run import CaseRequest
from spinekit.reporting.seal import write_seal
from spinekit.reporting.verify import verify_case

SETTINGS = "[kinetics]\nn_baseline = 1\n[radiomics]\nbin_count = 16\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A finished run on files, with the folder of its sources."""
    root = tmp_path_factory.mktemp("verify")
    case = simulate_case(3, size=(64, 64, 10))
    write_nifti_series(case.series, root / "in" / "series.nii.gz")
    write_volume(case.t2, root / "in" / "t2.nii.gz")
    (root / "in" / "study.toml").write_text(SETTINGS)
    rows = f'case,series,t2,seed_ijk\none,series.nii.gz,t2.nii.gz,"{",".join(map(str, case.seed_ijk))}"\n'
    (root / "in" / "cases.csv").write_text(rows)
    options = CohortOptions(settings_file=root / "in" / "study.toml", reader="AB")
    ended = run_cohort(root / "in" / "cases.csv", root / "cohort", options)
    assert not ended.failures, ended.failures
    shutil.copytree(root / "cohort" / "cases" / "one", root / "out")
    return root


@pytest.fixture
def finished(original, tmp_path, monkeypatch):
    """A copy of the run and of its sources, which a test may change; spinekit finds the copied sources."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("SPINEKIT_STATE", str(tmp_path / "state"))
    from spinekit.io.whereabouts import remember_sources
    from spinekit.reporting.seal import remember_choices

    remember_sources(
        tmp_path / "out", source=[str(tmp_path / "in" / "series.nii.gz")], t2=str(tmp_path / "in" / "t2.nii.gz"),
        times_s=None, choose_series="",
    )  # fmt: skip
    remember_choices(tmp_path / "out", n_baseline=None, settings=tmp_path / "in" / "study.toml")
    return tmp_path


def names(folder: Path, **options) -> str:
    """Return every difference as one text."""
    return "\n".join(str(d) for d in verify_case(folder / "out", **options).differences)


def change_json(path: Path, change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record, indent=2))


def change_voxel(path: Path, index: tuple[int, ...], by: float) -> None:
    image = sitk.ReadImage(str(path))
    values = sitk.GetArrayFromImage(image)
    values[index] += values.dtype.type(by)
    if values.ndim == 4:
        changed = sitk.JoinSeries([sitk.GetImageFromArray(phase) for phase in values])
    else:
        changed = sitk.GetImageFromArray(values)
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path), useCompression=True)


def test_an_unchanged_case_is_called_unchanged_and_the_status_is_0(finished):
    result = CliRunner().invoke(app, ["verify", str(finished / "out")])

    assert result.exit_code == 0, result.output
    assert "Unchanged" in result.stdout


def test_the_report_of_a_cohort_links_the_report_of_its_case(original):
    assert 'href="cases/one/report.html"' in (original / "cohort" / "report.html").read_text()
    assert (original / "cohort" / "cases" / "one" / "report.html").is_file()


def test_without_notebooks_the_same_steps_give_the_same_bytes(original, tmp_path):
    seed = next(
        a for a in json.loads((original / "out" / "journal.json").read_text())["actions"] if a["action"] == "seed"
    )
    request = CaseRequest(
        source=str(original / "in" / "series.nii.gz"),
        case_dir=tmp_path / "again",
        seeds=(tuple(seed["ijk"]),),
        t2=original / "in" / "t2.nii.gz",
        reader="AB",
        settings_file=original / "in" / "study.toml",
    )
    compute_case(request)

    for name in ("roi.nii.gz", "roi.json", "features.csv", "maps/maps.json", "maps/auc60.nii.gz", "series/signal.npy"):
        assert (tmp_path / "again" / name).read_bytes() == (original / "out" / name).read_bytes(), name


def test_nothing_in_the_case_is_touched(finished):
    before = {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("*")}
    verify_case(finished / "out")

    assert {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("*")} == before


def test_one_changed_voxel_of_the_source_is_named_with_its_place(finished):
    change_voxel(finished / "in" / "series.nii.gz", (4, 5, 20, 30), 1)

    found = names(finished)

    assert "source file-00001" in found
    assert "voxels of the series: 1 value differs; phase 4, voxel i,j,k = 30,20,5" in found
    assert "map " not in found  # region and maps still follow from the series that was kept


def test_one_changed_voxel_of_the_kept_series_is_named(finished):
    file = finished / "out" / "series" / "signal.npy"
    signal = np.load(file)
    signal[2, 3, 4, 5] += 1
    np.save(file, signal)

    assert "voxels of the series: 1 value differs; phase 2, voxel i,j,k = 5,4,3" in names(finished)


def test_a_changed_phase_time_is_named(finished):
    change_json(finished / "in" / "series.json", lambda r: r["times_s"].__setitem__(3, r["times_s"][3] + 0.5))

    assert "times of the phases" in names(finished)


def test_a_moved_click_is_named(finished):
    def move(record):
        seed = next(a for a in record["actions"] if a["action"] == "seed")
        seed["ijk"][0] += 1

    change_json(finished / "out" / "journal.json", move)
    found = names(finished)

    assert "journal.json" in found
    assert re.search(r"click, seeds\[0\]\[0\]: kept \d+, recomputed \d+", found)


def test_a_changed_setting_of_the_case_is_named(finished):
    change_json(finished / "out" / "settings.json", lambda r: r["radiomics"].__setitem__("bin_count", 24))
    found = names(finished)

    assert "setting radiomics.bin_count: settings.json says 24, the provenance 16" in found
    assert "features.csv" in found


def test_an_edited_settings_file_is_named(finished):
    (finished / "in" / "study.toml").write_text(SETTINGS + "resample_mm = 1.0\n")

    assert "setting radiomics.resample_mm: the case used 0.0, the settings file now says 1.0" in names(finished)


def test_another_library_version_is_named(finished, monkeypatch):
    from spinekit import provenance

    installed = provenance.library_versions()
    monkeypatch.setattr(provenance, "_installed", lambda: installed | {"numba": "9.9.9"})
    found = names(finished)

    assert "version of numba: the case was made with" in found
    assert "version of numpy" not in found


def test_a_changed_voxel_of_a_map_is_named_with_its_place(finished):
    file = finished / "out" / "maps" / "auc60.nii.gz"
    image = nibabel.load(file)  # it keeps the NaN that SimpleITK would read as 0
    values = image.get_fdata(dtype=np.float32)
    values[31, 30, 5] += 0.25
    nibabel.save(nibabel.Nifti1Image(values, None, image.header), file)
    found = names(finished)

    assert "map auc60: 1 value differs; voxel i,j,k = 31,30,5" in found
    assert "maps/auc60.nii.gz: has another SHA-256" in found


def test_a_changed_voxel_of_the_region_is_named(finished):
    change_voxel(finished / "out" / "roi.nii.gz", (0, 0, 0), 1)

    assert "voxels of the region: 1 value differs; voxel i,j,k = 0,0,0: kept 1, recomputed 0" in names(finished)


def test_a_changed_feature_is_named_by_image_and_feature(finished):
    file = finished / "out" / "features.csv"
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    column = lines[0].split(",").index("original_firstorder_Mean")
    cells[column] = repr(float(cells[column]) * 1.0001)
    file.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")

    assert f"features.csv, {cells[0]}.original_firstorder_Mean" in names(finished)


def test_a_changed_number_of_the_report_is_named_even_under_a_new_seal(finished):
    page = finished / "out" / "report.html"
    text = page.read_text()
    volume = re.search(r"\d+\.\d+ ml", text)
    page.write_text(text.replace(volume[0], "99.99 ml"))
    assert "report.html: has another SHA-256" in names(finished)

    write_seal(finished / "out")

    assert f"report, region: the line 'volume | {volume[0]}' is not in report.html" in names(finished)


def test_a_changed_voxel_of_the_t2_image_is_named(finished):
    change_voxel(finished / "in" / "t2.nii.gz", (1, 2, 3), 4)

    assert "voxels of the T2 image: 1 value differs; voxel i,j,k = 3,2,1" in names(finished)


def test_a_missing_file_is_named_and_the_status_is_2(finished):
    (finished / "out" / "maps" / "wash_in_slope.nii.gz").unlink()
    result = CliRunner().invoke(app, ["verify", str(finished / "out")])

    assert result.exit_code == 2
    assert "map wash_in_slope: is missing" in result.stdout


def test_sources_that_cannot_be_found_are_a_difference_and_can_be_named(finished, monkeypatch):
    monkeypatch.setenv("SPINEKIT_STATE", str(finished / "other account"))

    assert "give --source" in names(finished)
    assert not names(finished, source=finished / "in" / "series.nii.gz", t2=finished / "in" / "t2.nii.gz")


def test_a_case_that_was_moved_still_finds_its_sources(finished):
    from spinekit.io.whereabouts import remember_sources

    sealed = json.loads((finished / "out" / "series" / "series.json").read_text())["sha256"]
    remember_sources(finished / "out", series_sha256=sealed)
    (finished / "out").rename(finished / "moved")

    assert verify_case(finished / "moved").unchanged


def test_a_folder_without_a_case_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["verify", str(tmp_path)])

    assert result.exit_code == 2
    assert "case-incomplete" in result.stderr


def test_where_the_sources_lie_is_written_nowhere_in_the_records_of_the_case(finished):
    for file in (finished / "out").rglob("*.json"):
        assert "series.nii.gz" not in file.read_text(), file.name
