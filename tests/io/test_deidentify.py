"""A copy that may leave: no planted identifier is in it, and it reads as the original does."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from typer.testing import CliRunner

from spinekit.case import Acquisition, DynamicSeries
from spinekit.cli import app
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series
from spinekit.io.deidentify import Key, deidentify_series, read_key
from spinekit.phantom.dicom_writer import FLAVOURS, write_dicom

TIMES_S = [0.0, 9.5, 61.125]
KEY = Key(b"a key for these tests only")
TEXT_TAGS = sorted(
    (tag for tag, entry in pydicom.datadict.DicomDictionary.items()
     if entry[0] in ("LO", "SH", "LT", "ST", "UT", "PN", "UC") and not entry[3] and 0x0008 <= tag >> 16 <= 0x0040),
)  # fmt: skip


def original(folder, flavour="siemens", *, burned_in="NO") -> DynamicSeries:
    """Write a series whose every text tag, private tag, nested tag and file name holds an identifier of its own."""
    values = np.random.default_rng(4).integers(0, 3000, (3, 3, 7, 9)).astype(np.float32)
    grid = Geometry((9, 7, 3), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
    series = DynamicSeries(values, TIMES_S, grid, "times_s", (), Acquisition(5.5, 2.25, 12.0, 3.0))
    for number, path in enumerate(write_dicom(series, folder, flavour=flavour)):
        image = pydicom.dcmread(path)
        plant(image, burned_in)
        path.unlink()
        image.save_as(path.with_name(f"CANARY-file-{number:04d}.dcm"))
    return read_series(folder, TIMES_S if flavour == "ge-instance" else None)


def plant(image: Dataset, burned_in: str) -> None:
    image.PatientName, image.PatientID = "CANARY^name", "CANARY-id"
    image.PatientBirthDate, image.PatientAge, image.PatientBirthTime = "19500203", "076Y", "111213"
    image.StudyDate = "20240229"
    if burned_in:
        image.BurnedInAnnotation = burned_in
    for tag in TEXT_TAGS:
        if Tag(tag) not in image:
            image.add_new(tag, pydicom.datadict.dictionary_VR(tag), f"CANARY{tag:08x}")
    for name in ("SeriesDescription", "StudyDescription", "ProtocolName", "Manufacturer", "InstitutionName"):
        setattr(image, name, f"CANARY {name}")
    block = image.private_block(0x0029, "CANARY CREATOR", create=True)
    block.add_new(1, "LO", "CANARY private")
    block.add_new(2, "OB", b"CANARY bytes")
    inner = Dataset()
    inner.PatientName, inner.InstitutionName, inner.CodeMeaning = "CANARY^inner", "CANARY inner", "CANARY code"
    image.ReferencedImageSequence = Sequence([Dataset()])
    image.ReferencedImageSequence[0].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    image.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5.6.7"
    image.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence = Sequence([inner])
    image.RequestAttributesSequence = Sequence([inner])


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_planted_identifier_is_left_and_the_series_reads_the_same(flavour, tmp_path):
    before = original(tmp_path / "in", flavour)

    done = deidentify_series(tmp_path / "in", tmp_path / "out", key=KEY)

    for path in done.files:
        data = path.read_bytes()
        assert b"CANARY" not in data.upper()
        assert "CANARY" not in str(path.relative_to(tmp_path))
        for gone in (b"19500203", b"076Y", b"20240229", b"1.2.3.4.5.6.7\0"):
            assert gone not in data
    after = read_series(tmp_path / "out", TIMES_S if flavour == "ge-instance" else None)
    assert_array_equal(after.signal, before.signal)
    assert_allclose(after.times_s, before.times_s, atol=1e-9)
    assert after.geometry.same_grid(before.geometry)
    assert after.time_source == before.time_source


def test_the_number_of_planted_identifiers_is_no_small_one(tmp_path):
    original(tmp_path / "in")
    image = pydicom.dcmread(next((tmp_path / "in").rglob("*.dcm")))
    assert sum("CANARY" in str(element.value).upper() for element in image.iterall()) > 300


def test_the_copy_says_what_was_done_to_it(tmp_path):
    original(tmp_path / "in")
    image = pydicom.dcmread(deidentify_series(tmp_path / "in", tmp_path / "out", key=KEY).files[0])
    assert image.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in image.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert image.LongitudinalTemporalInformationModified == "MODIFIED"
    assert image.PatientName == image.PatientID
    assert str(image.PatientID).startswith("P-")


def test_a_mosaic_keeps_number_and_direction_of_its_slices_and_says_so(tmp_path):
    original(tmp_path / "in", "siemens-mosaic")
    image = pydicom.dcmread(deidentify_series(tmp_path / "in", tmp_path / "out", key=KEY).files[0])
    assert [item.CodeValue for item in image.DeidentificationMethodCodeSequence] == ["113100", "113107", "113111"]
    private = [int(e.tag) for e in image if e.tag.is_private and not e.tag.is_private_creator]
    assert private == [0x0019100A, 0x00291010]
    assert b"asSlice" not in image[0x0029, 0x1010].value


def test_a_patient_keeps_pseudonym_uids_and_intervals_of_days_under_one_key(tmp_path):
    original(tmp_path / "first")
    image = pydicom.dcmread(next((tmp_path / "first").rglob("*.dcm")))
    image.StudyDate = "20240310"  # ten days after 29 February
    (tmp_path / "second").mkdir()
    image.save_as(tmp_path / "second" / "one.dcm")

    one = pydicom.dcmread(deidentify_series(tmp_path / "first", tmp_path / "a", key=KEY).files[0])
    two = pydicom.dcmread(deidentify_series(tmp_path / "second", tmp_path / "b", key=KEY).files[0])
    other = pydicom.dcmread(
        deidentify_series(tmp_path / "first", tmp_path / "c", key=Key(b"another key, 16+")).files[0]
    )

    assert one.PatientID == two.PatientID != other.PatientID
    assert one.StudyInstanceUID == two.StudyInstanceUID != other.StudyInstanceUID
    days = [pydicom.valuerep.DA(x.StudyDate) for x in (one, two)]
    assert (days[1] - days[0]).days == 10
    assert str(one.StudyDate) < "20240229"


def test_text_in_the_pixels_keeps_the_label_away_until_somebody_has_looked(tmp_path):
    original(tmp_path / "unknown", burned_in="")
    assert not deidentify_series(tmp_path / "unknown", tmp_path / "a", key=KEY).labelled
    assert pydicom.dcmread(next((tmp_path / "a").rglob("*.dcm"))).PatientIdentityRemoved == "NO"
    assert "DeidentificationMethodCodeSequence" not in pydicom.dcmread(next((tmp_path / "a").rglob("*.dcm")))
    assert deidentify_series(tmp_path / "unknown", tmp_path / "b", key=KEY, pixels_checked=True).labelled

    original(tmp_path / "marked", burned_in="YES")
    with pytest.raises(InputRefusedError, match="burned") as caught:
        deidentify_series(tmp_path / "marked", tmp_path / "c", key=KEY)
    assert caught.value.code == "no-image"
    assert not (tmp_path / "c").exists()


def test_two_patients_and_a_folder_in_use_are_refused_and_nothing_is_written(tmp_path):
    original(tmp_path / "in")
    path = next((tmp_path / "in").rglob("*.dcm"))
    image = pydicom.dcmread(path)
    image.PatientID = "CANARY-other"
    image.save_as(path)
    with pytest.raises(InputRefusedError) as caught:
        deidentify_series(tmp_path / "in", tmp_path / "out", key=KEY)
    assert caught.value.code == "patients-mixed"
    assert "CANARY" not in caught.value.message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]

    with pytest.raises(InputRefusedError) as caught:
        deidentify_series(tmp_path / "in", tmp_path / "in", key=KEY)
    assert caught.value.code == "output-exists"


def test_a_key_file_is_made_once_for_its_owner_only_and_serves_again(tmp_path):
    first = read_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert read_key(tmp_path / "key") == first != read_key(None)
    assert repr(first) == "Key()"
    (tmp_path / "short").write_text("x")
    with pytest.raises(InputRefusedError):
        read_key(tmp_path / "short")


def test_the_command_tells_what_it_left_out(tmp_path):
    original(tmp_path / "in", burned_in="")
    (tmp_path / "in" / "CANARY letter.txt").write_text("CANARY")
    result = CliRunner().invoke(app, ["deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "1 × no DICOM image" in result.output
    assert "--pixels-checked" in result.output
    assert not list((tmp_path / "out").rglob("*.txt"))
