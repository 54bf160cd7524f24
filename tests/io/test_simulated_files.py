"""Files of the simulator are known again, whole, copied or de-identified; a measured series never is."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.io import read_series
from spinekit.io.deidentify import Key, deidentify_series
from spinekit.phantom import write_cohort
from spinekit.phantom.dicom_writer import FLAVOURS, write_dicom

NAME = "simulated-A-00003"
TIMES_S = (0.0, 30.0, 60.0)
GRID = Geometry((6, 5, 4), (1.0, 1.0, 3.0))
VALUES = np.arange(3 * 4 * 5 * 6, dtype=np.float32).reshape(3, 4, 5, 6)
MEASURED = DynamicSeries(VALUES, TIMES_S, GRID, "times_s")
SIMULATED = replace(MEASURED, record={"simulated": True})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The series of one case as ``spinekit phantom`` writes it, by format."""
    root = tmp_path_factory.mktemp("phantom")
    for format in ("dicom", "nifti"):
        write_cohort(1, root / format, format=format, first_seed=3, size=(32, 32, 4), n_phases=3)
    return {"dicom": root / "dicom" / NAME / "series", "nifti": root / "nifti" / NAME / "series.nii.gz"}


def says_simulated(source: Path | list[Path], times_s: tuple[float, ...] | None = None) -> bool:
    return bool(read_series(source, times_s).record.get("simulated", False))


def as_nifti(path: Path, **beside: object) -> Path:
    image = nibabel.Nifti1Image(VALUES.transpose(3, 2, 1, 0), np.diag([-1.0, -1.0, 3.0, 1.0]))
    image.set_sform(image.affine, 1)
    nibabel.save(image, path)
    if beside:
        path.with_suffix(".json").write_text(json.dumps(beside), encoding="utf-8")
    return path


@pytest.mark.parametrize("format", ["dicom", "nifti"])
def test_a_series_that_the_simulator_wrote_says_so(files: dict[str, Path], format: str) -> None:
    assert says_simulated(files[format])


def test_a_deidentified_copy_still_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    made = deidentify_series(files["dicom"], tmp_path / "copy", key=Key(b"a key for these tests only"))

    assert says_simulated(made.files[0].parent)
    assert not pydicom.dcmread(made.files[0]).PatientID.startswith("simulated")


def test_an_archive_of_the_files_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "series.zip", "w") as archive:
        for path in files["dicom"].iterdir():
            archive.write(path, path.name)

    assert says_simulated(tmp_path / "series.zip")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_mark_changes_nothing_else_in_any_flavour(tmp_path: Path, flavour: str) -> None:
    times = TIMES_S if flavour == "ge-instance" else None
    found = {}
    for name, series in (("with", SIMULATED), ("without", MEASURED)):
        write_dicom(series, tmp_path / name, flavour=flavour)
        found[name] = read_series(tmp_path / name, times)

    assert found["with"].record == {**found["without"].record, "simulated": True}
    assert "simulated" not in found["without"].record
    assert_array_equal(found["with"].signal, found["without"].signal)
    assert_array_equal(found["with"].times_s, found["without"].times_s)
    assert found["with"].warnings == found["without"].warnings


@pytest.mark.parametrize("description", ["t1_twist_tra_dyn", "simulated dynamic"])
def test_neither_description_nor_pseudonym_makes_a_series_simulated(tmp_path: Path, description: str) -> None:
    write_dicom(MEASURED, tmp_path, patient="simulated-4711", description=description)

    assert not says_simulated(tmp_path)


@pytest.mark.parametrize("lost", ["SyntheticData", "QualityControlSubject"])
def test_one_of_the_two_marks_is_not_enough(tmp_path: Path, lost: str) -> None:
    for path in write_dicom(SIMULATED, tmp_path):
        image = pydicom.dcmread(path)
        del image[lost]
        image.save_as(path)

    assert not says_simulated(tmp_path)


def test_a_deidentified_image_keeps_no_other_word_in_the_place_of_a_mark(tmp_path: Path) -> None:
    for path in write_dicom(SIMULATED, tmp_path / "series"):
        image = pydicom.dcmread(path)
        image.SyntheticData = "MUELLER"
        image.save_as(path)

    made = deidentify_series(tmp_path / "series", tmp_path / "copy", key=Key(b"a key for these tests only"))

    assert all("SyntheticData" not in pydicom.dcmread(path) for path in made.files)


def test_a_nifti_file_that_lost_its_json_still_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    alone = Path(shutil.copy(files["nifti"], tmp_path / "moved.nii.gz"))

    assert says_simulated(alone, TIMES_S)


def test_the_json_beside_a_nifti_file_says_so_too(tmp_path: Path) -> None:
    assert says_simulated(as_nifti(tmp_path / "a.nii", times_s=TIMES_S, simulated=True))
    assert says_simulated(as_nifti(tmp_path / "b.nii", simulated=True), TIMES_S)


@pytest.mark.parametrize("said", [{}, {"simulated": False}, {"simulated": "maybe"}, {"simulated": None}])
def test_any_other_json_does_not(tmp_path: Path, said: dict[str, object]) -> None:
    assert not says_simulated(as_nifti(tmp_path / "a.nii", times_s=TIMES_S, **said))


def test_a_json_that_cannot_be_read_makes_nothing_simulated_where_it_is_not_needed(tmp_path: Path) -> None:
    path = as_nifti(tmp_path / "a.nii")
    (tmp_path / "a.json").write_text("{", encoding="utf-8")

    assert not says_simulated(path, TIMES_S)


def test_phases_in_files_of_their_own_are_simulated_only_if_all_are(files: dict[str, Path], tmp_path: Path) -> None:
    whole = nibabel.load(files["nifti"])
    phases = []
    for n in range(3):
        image = whole.slicer[..., n]
        if n == 2:
            image.header["descrip"] = b""
        phases.append(tmp_path / f"phase-{n}.nii")
        nibabel.save(image, phases[-1])

    assert says_simulated(phases[:2], TIMES_S[:2])
    assert not says_simulated(phases, TIMES_S)
