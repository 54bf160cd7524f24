"""Simulated cases written as DICOM: what is written is what our reader and two independent ones read."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal
from typer.testing import CliRunner

from spinekit.case import resample_to
from spinekit.cli import app
from spinekit.io import read_roi, read_series, read_volume
from spinekit.phantom import SimulatedCase, simulate_case, write_cohort

SIZE = (48, 48, 6)
HOSPITALS = ("A", "B")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    written = {}
    for hospital in HOSPITALS:
        out = tmp_path_factory.mktemp(hospital)
        written[hospital] = write_cohort(1, out, format="dicom", hospital=hospital, size=SIZE, first_seed=3).parent
    return written


@pytest.fixture(scope="module")
def cases() -> dict[str, SimulatedCase]:
    return {h: simulate_case(3, size=SIZE, hospital=h, motion="usual") for h in HOSPITALS}


def row_of(folder: Path) -> dict[str, str]:
    with open(folder / "cases.csv", newline="", encoding="utf-8") as stream:
        return next(csv.DictReader(stream))


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_our_reader_gets_back_signal_times_grid_t2_and_truth(
    folders: dict[str, Path], cases: dict[str, SimulatedCase], hospital: str
) -> None:
    folder, case = folders[hospital], cases[hospital]
    row = row_of(folder)
    series, t2 = read_series(folder / row["series"]), read_volume(folder / row["t2"])

    assert_array_equal(series.signal, np.rint(case.series.signal))
    assert_allclose(series.times_s, case.series.times_s, atol=1e-4)
    assert series.geometry.same_grid(case.series.geometry)
    assert_array_equal(read_roi(folder / row["roi"], on=series.geometry).mask, case.lesion.mask)
    # our reader counts slices of any stack from right to left; hospital A's T2 runs from left to right
    assert_array_equal(t2.values[:: 1 if hospital == "B" else -1], np.rint(case.t2.values))
    drawn = resample_to(read_roi(folder / row["outline"]), t2.geometry)
    assert drawn.volume_ml == pytest.approx(case.t2_outline.volume_ml)
    assert t2.within(drawn).mean() == pytest.approx(np.rint(case.t2.within(case.t2_outline)).mean())


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_dcm2niix_sees_ten_phases_and_a_sagittal_t2(
    folders: dict[str, Path], cases: dict[str, SimulatedCase], hospital: str, tmp_path: Path
) -> None:
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed: Debian's package dcm2niix has it.")
    case = cases[hospital]
    folder = folders[hospital] / row_of(folders[hospital])["case"]
    subprocess.run(["dcm2niix", "-z", "n", "-f", "%s", "-o", tmp_path, folder], check=True, capture_output=True)
    dynamic, t2 = (nib.load(tmp_path / f"{n}.nii") for n in (4, 5))

    assert dynamic.shape == (*SIZE, 10)
    assert t2.shape == case.t2.geometry.size
    lps = case.series.geometry.index_to_mm((0, 0, 0)) * [-1, -1, 1]
    index = np.linalg.solve(dynamic.affine, [*lps, 1.0])[:3]
    i, j, k = np.round(index).astype(int)
    assert_allclose(index, (i, j, k), atol=0.01)
    assert_allclose(dynamic.get_fdata()[i, j, k], np.rint(case.series.signal[:, 0, 0, 0]))


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_simpleitk_reads_the_t2_and_each_phase(
    folders: dict[str, Path], cases: dict[str, SimulatedCase], hospital: str
) -> None:
    folder, case, row = folders[hospital], cases[hospital], row_of(folders[hospital])
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / row["t2"]))
    t2 = sitk.ReadImage(names)
    phase = [str(p) for p in sorted((folder / row["series"]).iterdir())[: SIZE[2]]]
    first = sitk.ReadImage(phase)

    for image, grid in ((t2, case.t2.geometry), (first, case.series.geometry)):
        assert image.GetSize() == grid.size
        assert_allclose(image.GetSpacing(), grid.spacing_mm, rtol=1e-4)
    assert_array_equal(sitk.GetArrayFromImage(first), np.rint(case.series.signal[0]))


def test_both_series_belong_to_one_patient_study_and_frame(folders: dict[str, Path]) -> None:
    heads = {}
    for hospital, folder in folders.items():
        row = row_of(folder)
        heads[hospital] = [pydicom.dcmread(next((folder / row[n]).iterdir())) for n in ("series", "t2")]

    for dynamic, t2 in heads.values():
        for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Manufacturer"):
            assert dynamic[keyword].value == t2[keyword].value
        assert dynamic.SeriesInstanceUID != t2.SeriesInstanceUID
    assert heads["A"][0].PatientID == "simulated-A-00003"
    assert heads["A"][0].StudyInstanceUID != heads["B"][0].StudyInstanceUID


def test_a_case_written_again_in_another_size_leaves_no_file_of_the_first(tmp_path: Path) -> None:
    for n_slices in (6, 4):
        write_cohort(1, tmp_path, format="dicom", size=(48, 48, n_slices), first_seed=3, n_phases=3)

    assert len(list((tmp_path / "simulated-A-00003" / "series").iterdir())) == 3 * 4
    assert {p.name for p in (tmp_path / "simulated-A-00003").iterdir()} == {"series", "t2", "truth"}


def test_the_command_writes_cases_and_tells_its_progress(tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["phantom", "--n", "2", "--out", str(tmp_path), "--format", "dicom", "--size", "48,48,4"]
    )

    assert told.exit_code == 0, told.output
    assert "[1/2] simulated-A-00000" in told.output
    assert "[2/2] simulated-A-00001" in told.output
    assert f"Table: {tmp_path / 'cases.csv'}" in told.output.replace("\n", "")
    with open(tmp_path / "cases.csv", newline="", encoding="utf-8") as stream:
        assert [row["series"] for row in csv.DictReader(stream)] == [
            "simulated-A-00000/series",
            "simulated-A-00001/series",
        ]


def test_the_command_refuses_an_unknown_hospital(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["phantom", "--n", "1", "--out", str(tmp_path), "--hospital", "C"])

    assert told.exit_code == 2
    assert "choice-unknown" in told.output
