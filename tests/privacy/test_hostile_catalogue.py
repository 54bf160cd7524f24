"""Hostile content and accidents: every line of the last table of docs/inputs.md has the outcome that it promises."""

from __future__ import annotations

import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import CODES, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series
from spinekit.models.checkpoints import fill_network, read_card, save_network
from spinekit.phantom.dicom_writer import write_dicom
from spinekit.settings import read_settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "inputs.md"
GRID = Geometry((9, 7, 4), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
SIGNAL = np.random.default_rng(1).integers(0, 3000, (3, 4, 7, 9)).astype(np.float32)
SERIES = DynamicSeries(SIGNAL, [0.0, 10.0, 22.5], GRID, "times_s", (), Acquisition(5.0, 2.0, 12.0, 1.5))
MPEG2 = "1.2.840.10008.1.2.4.100"  # a syntax for films, which no package here decodes


@dataclass(frozen=True)
class Row:
    number: str
    what: str
    code: str
    act: Callable[[Path], object]


def film(folder: Path):
    for path in write_dicom(SERIES, folder):
        image = pydicom.dcmread(path)
        image.file_meta.TransferSyntaxUID = MPEG2
        image.PixelData = pydicom.encaps.encapsulate([image.PixelData])
        image["PixelData"].VR, image["PixelData"].is_undefined_length = "OB", True
        image.save_as(path)
    return read_series(folder)


def same_uids(folder: Path):
    """Two patients whose images carry the same UIDs, as after a copy that was renamed."""
    for path in write_dicom(SERIES, folder / "a"):
        image = pydicom.dcmread(path)
        image.PatientID, image.PatientName = "ANOTHER", "Another^One"
        (folder / "b").mkdir(exist_ok=True)
        image.save_as(folder / "b" / path.name)
    return read_series(folder)


def archive(folder: Path, name: str, *, mode: int = 0, repeat: int = 0):
    path = folder / "series.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for image in write_dicom(SERIES, folder / "in"):
            packed.write(image, f"series/{image.name}")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        packed.writestr(info, b"/etc/passwd" if mode else b"\0" * (repeat or 8))
    return read_series(path)


def settings_text(text: str) -> Callable[[Path], object]:
    def act(folder: Path):
        (folder / "study.toml").write_text(text)
        return read_settings(folder / "study.toml")

    return act


def model(change: Callable[[Path], None] | None = None, *, name: str = "net.safetensors") -> Callable[[Path], object]:
    """Return what loads a network after its file was changed."""
    import torch

    def act(folder: Path):
        path = folder / name
        if name.endswith(".safetensors"):
            save_network(path, torch.nn.Linear(3, 2).state_dict(), kind="unet", config={}, training={}, metrics={})
        if change is not None:
            change(path)
        read_card(path, kind="unet")
        return fill_network(torch.nn.Linear(3, 5), path)

    return act


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


ROWS = [
    Row("29", "pixels in a coding that no package decodes", "codec-missing", film),
    Row("31", "two patients with the same UIDs", "patients-mixed", same_uids),
    Row("49", "an archive that leads outside by '..'", "archive-unsafe", lambda f: archive(f, "../out.dcm")),
    Row("49", "an archive with an absolute path", "archive-unsafe", lambda f: archive(f, "/tmp/out.dcm")),
    Row("49", "an archive with a symbolic link", "archive-unsafe", lambda f: archive(
        f, "link", mode=stat.S_IFLNK | 0o777)),
    Row("49", "an archive that unpacks to far more than it holds", "archive-unsafe", lambda f: archive(
        f, "zeros.bin", repeat=200 << 20)),
    Row("50", "settings with a key that nobody knows", "settings-unknown-key", settings_text(
        "[kinetics]\nn_baselines = 2\n")),
    Row("50", "settings with a YAML object tag", "settings-invalid", settings_text(
        "!!python/object/apply:os.system ['touch harmed']\n")),
    Row("51", "a pickle as model file", "model-unsafe", model(
        lambda p: p.write_bytes(pickle.dumps(Harm())), name="net.pt")),
    Row("51", "a pickle under the name of a model file", "model-changed", model(
        lambda p: p.write_bytes(pickle.dumps(Harm())))),
    Row("51", "a model file whose hash is another", "model-changed", model(
        lambda p: p.write_bytes(p.read_bytes()[:-1] + b"\x01"))),
    Row("51", "a model of another shape", "model-shape", model()),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_hostile_input_is_refused_in_words_and_does_no_harm(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").mkdir()
    with pytest.raises(InputRefusedError) as caught:
        row.act(tmp_path / "given")

    assert caught.value.code == row.code
    assert caught.value.exit_status == 2
    assert not list(tmp_path.rglob("harmed"))
    assert {p.name for p in tmp_path.iterdir()} == {"given"}


def test_a_misspelt_key_is_answered_with_the_nearest_one(tmp_path):
    with pytest.raises(InputRefusedError, match="Did you mean 'n_baseline'"):
        settings_text("[kinetics]\nn_baselines = 2\n")(tmp_path)


def test_the_document_says_what_the_catalogue_does():
    lines = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("|")]
    told = {tuple(cell.strip().strip("`") for cell in line) for line in lines}
    assert not [row for row in ROWS if (row.number, row.what, "refused", row.code) not in told]
    assert all(row.code in CODES for row in ROWS)
