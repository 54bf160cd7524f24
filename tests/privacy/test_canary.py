"""Three hundred identifiers planted in tags, private tags, file names and paths; none may be in any output."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from spinekit.case import Roi
from spinekit.cli.common import command_line
from spinekit.cohort import CohortOptions, run_cohort
from spinekit.io import write_roi, write_volume
from spinekit.models.checkpoints import shipped
from spinekit.phantom import simulate_case
from spinekit.phantom.dicom_writer import write_dicom

SPINEKIT = [sys.executable, "-c", "from spinekit.cli import main; main()"]
TEXT = ("LO", "SH", "LT", "ST", "UT", "PN", "UC")
TAGS = [
    tag for tag, entry in sorted(pydicom.datadict.DicomDictionary.items())
    if entry[0] in TEXT and not entry[3] and 0x0008 <= tag >> 16 <= 0x0040
]  # fmt: skip
HOSTILE = "CANARY<img src=x onerror=alert(1)>^$x_{1}$"


def plant(image: pydicom.Dataset, number: int) -> None:
    for tag in TAGS:
        if pydicom.tag.Tag(tag) not in image:
            image.add_new(tag, pydicom.datadict.dictionary_VR(tag), f"CANARY{tag:08x}")
    image.PatientName, image.PatientID = HOSTILE, "../CANARY/=cmd|' /C calc'!A0"
    image.SeriesDescription, image.StudyDescription, image.InstitutionName = ("CANARY series", "CANARY study", "CANARY")
    image.BurnedInAnnotation = "YES"
    block = image.private_block(0x0029, "CANARY CREATOR", create=True)
    block.add_new(1, "LO", f"CANARY private {number}")


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> tuple[Path, Path, str]:
    """A series and a T2 whose every name holds an identifier, and a seed in the lesion."""
    case = simulate_case(3, size=(48, 48, 6), n_phases=5)
    folder = tmp_path_factory.mktemp("CANARY") / "CANARY^PATH"
    for number, path in enumerate(write_dicom(case.series, folder, flavour="siemens")):
        image = pydicom.dcmread(path)
        plant(image, number)
        path.unlink()
        image.save_as(path.with_name(f"CANARY-{number:03d}.dcm"))
    t2 = folder.parent / "CANARY-t2.nii.gz"
    write_volume(case.t2, t2)
    return folder, t2, ",".join(str(n) for n in case.seed_ijk)


def run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [*SPINEKIT, *arguments], capture_output=True, text=True, env={**os.environ, "SPINEKIT_STATE": str(state)}
    )


def leaks_in(folder: Path) -> list[str]:
    """Return the files, by name, in which or in whose name the planted word stands; packed files are unpacked."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if b"canary" in data.lower() or "canary" in str(path.relative_to(folder)).lower():
            found.append(str(path.relative_to(folder)))
    return found


def test_the_planted_identifiers_are_many(planted):
    image = pydicom.dcmread(next(planted[0].iterdir()))
    assert sum("CANARY" in str(element.value) for element in image.iterall()) > 300


def test_no_output_of_a_run_holds_a_planted_identifier(planted, tmp_path):
    series, t2, seed = planted
    done = run(
        "run", str(series), "--t2", str(t2), "--seed", seed, "--out", str(tmp_path / "out"), state=tmp_path / "s"
    )

    assert done.returncode == 0, done.stderr
    assert "canary" not in (done.stdout + done.stderr).lower()
    assert leaks_in(tmp_path / "out") == []


@pytest.mark.parametrize("name", ["CANARY.nii.gz", "CANARY.nrrd", "CANARY.zip", "CANARY-folder"])
def test_no_refusal_names_what_was_given(name, tmp_path):
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"\x1f\x8b CANARY" if path.suffix == ".gz" else b"NRRD0004\nCANARY\n\n")
    done = run("run", str(path), "--seed", "1,2,3", "--out", str(tmp_path / "out"), state=tmp_path / "s")

    assert done.returncode == 2, done.stderr
    assert "canary" not in (done.stdout + done.stderr).lower()
    assert leaks_in(tmp_path / "out") == []
    assert json.loads((tmp_path / "out" / "error.json").read_text())["code"]


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Path:
    """A table, settings, weights, masks and journals whose names, and one of whose cells, hold an identifier."""
    case = simulate_case(3, size=(48, 48, 6), n_phases=5)
    folder = tmp_path_factory.mktemp("CANARY")
    write_dicom(case.series, folder / "CANARY-series", flavour="canon")
    write_roi(case.lesion, folder / "CANARY-roi.nii.gz")
    muscle = np.zeros(case.series.geometry.shape_zyx, dtype=bool)
    muscle[2:4, 5:15, 5:15] = True
    write_roi(Roi(muscle, case.series.geometry), folder / "CANARY-reference.nii.gz")
    for file in shipped("unet").parent.glob("unet.*"):
        shutil.copy(file, folder / f"CANARY{file.suffix}")
    (folder / "CANARY-study.toml").write_text(
        '[radiomics]\nnormalisation = "z_score"\nreference_file = "CANARY-reference.nii.gz"\n'
        '[segmentation]\nmodel = "CANARY.safetensors"\n'
    )
    (folder / "CANARY-broken.json").write_text("{}")
    (folder / "CANARY-table.csv").write_text(
        "case,series,seed_ijk,roi,journal\n"
        "done,CANARY-series,,CANARY-roi.nii.gz,\n"
        "no-journal,CANARY-series,,,CANARY-broken.json\n"
        "no-mask,CANARY-series,,CANARY-study.toml,\n"
        "no-series,CANARY-nothing,,CANARY-roi.nii.gz,\n"
        "no-seed,CANARY-series,CANARY Anna,,\n"
    )
    return folder


def test_no_table_of_a_cohort_names_a_file_that_was_given(named, tmp_path, monkeypatch):
    monkeypatch.setenv("SPINEKIT_STATE", str(tmp_path / "s"))

    ended = run_cohort(
        named / "CANARY-table.csv", tmp_path / "out",
        CohortOptions(workers=2, reports=False, settings_file=named / "CANARY-study.toml"),
    )  # fmt: skip

    assert [case["status"] for case in ended.cases] == ["done", "refused", "refused", "refused", "refused"]
    assert leaks_in(tmp_path / "out") == []
    kept = json.loads((tmp_path / "out" / "cases" / "done" / "settings.json").read_text())
    assert kept["radiomics"]["reference_file"].startswith("sha256:")
    assert kept["segmentation"]["model"].startswith("sha256:")


@pytest.mark.parametrize("spoilt", ["CANARY-study.toml", "CANARY-table.csv"])
def test_no_refusal_of_settings_or_tables_names_them(spoilt, named, tmp_path):
    copy = tmp_path / "CANARY"
    shutil.copytree(named, copy)
    (copy / spoilt).write_bytes(b"\xff[CANARY")

    done = run(
        "cohort", str(copy / "CANARY-table.csv"), "--no-reports", "--settings", str(copy / "CANARY-study.toml"),
        "--out", str(tmp_path / "out"), state=tmp_path / "s",
    )  # fmt: skip

    assert done.returncode == 2, done.stderr
    assert "canary" not in (done.stdout + done.stderr).replace(str(tmp_path), "").lower()
    assert leaks_in(tmp_path / "out") == []


def test_the_command_in_a_models_card_has_no_paths(tmp_path):
    (tmp_path / "CANARY").mkdir()
    words = ["train", "segmentation", "CANARY.csv", "--start", "CANARY", "--out=runs/CANARY", "--learning-rate", "1e-3"]
    assert command_line([*words, str(tmp_path / "CANARY")]) == (
        "spinekit train segmentation file '….csv' --start PATH --out=PATH --learning-rate 1e-3 PATH"
    )
