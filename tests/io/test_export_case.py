"""`spinekit export`: a finished case in the formats of other tools, and only from the files it was made from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from typer.testing import CliRunner

from spinekit.case import DynamicSeries
from spinekit.cli import app
from spinekit.io import read_roi
from spinekit.phantom import simulate_case
from spinekit.reporting.case_compute import compute_case
from spinekit.reporting.case_run import CaseRequest
from spinekit.workflow import open_maps, open_roi
from spinekit.workflow.exporting import export_case

MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"


def write_dicom(series: DynamicSeries, folder: Path) -> Path:
    """Write a series as single-frame MR images with the tags that every scanner writes."""
    folder.mkdir(parents=True)
    study, uid, frame = generate_uid(), generate_uid(), generate_uid()
    grid = series.geometry
    x, y = np.asarray(grid.direction).T[:2]
    for t, phase in enumerate(np.rint(series.signal).astype(np.uint16)):
        for k, pixels in enumerate(phase):
            data = pydicom.Dataset()
            data.file_meta = pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MR_CLASS
            data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
            data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Simulated^A", "A1", "", "O"
            data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, uid, frame
            data.StudyID, data.StudyDate, data.StudyTime, data.AccessionNumber = "1", "20200101", "100000", ""
            data.ReferringPhysicianName, data.PositionReferenceIndicator = "", ""
            data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 4, t * len(phase) + k + 1
            data.AcquisitionDate = "20200101"
            data.AcquisitionTime = f"10{int(series.times_s[t] // 60):02d}{series.times_s[t] % 60:09.6f}"
            data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
            data.ImageOrientationPatient = [float(v) for v in (*x, *y)]
            data.ImagePositionPatient = [round(float(v), 6) for v in grid.index_to_mm((0, 0, k))]
            data.PixelSpacing = [grid.spacing_mm[1], grid.spacing_mm[0]]
            data.SliceThickness = data.SpacingBetweenSlices = grid.spacing_mm[2]
            data.Rows, data.Columns, data.SamplesPerPixel = *pixels.shape, 1
            data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
            data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
            data.PixelData = pixels.tobytes()
            data.save_as(folder / f"{t:02d}-{k:02d}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A case that was made from DICOM files."""
    root = tmp_path_factory.mktemp("export")
    case = simulate_case(3, size=(48, 48, 8))
    source = write_dicom(case.series, root / "in")
    compute_case(CaseRequest(source=str(source), case_dir=root / "case", seeds=(tuple(case.seed_ijk),), reader="AB"))
    return root


def test_every_format_of_a_case_holds_its_region_and_maps(finished, tmp_path):
    done = CliRunner().invoke(app, ["export", str(finished / "case"), "--out", str(tmp_path), "--phase", "4"])
    assert done.exit_code == 0, done.output
    roi, maps = open_roi(finished / "case"), open_maps(finished / "case")

    for name in ("region.seg.nrrd", "region.nii.gz", "dicom/region.dcm", "dicom/region_rtstruct.dcm"):
        np.testing.assert_array_equal(read_roi(tmp_path / name, on=roi.geometry).mask, roi.mask, err_msg=name)
    assert {p.stem for p in (tmp_path / "dicom" / "maps").iterdir()} == set(maps)
    assert json.loads((tmp_path / "region.json").read_text())["drawn_on_phase"] == 4
    assert pydicom.dcmread(tmp_path / "dicom" / "region.dcm").ContentDescription == "drawn on phase 5 of 10"
    with open(tmp_path / "measurements.csv", newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    median = np.nanmedian(maps["wash_in_slope"].within(roi).astype(np.float64))
    assert (float(rows["wash_in_slope"]["value"]), rows["wash_in_slope"]["unit"]) == (median, "1/s")


def test_what_simpleitk_reads_of_the_segmentation_lies_where_the_region_lies(finished, tmp_path):
    export_case(finished / "case", tmp_path)
    roi = open_roi(finished / "case")

    seen = sitk.ReadImage(str(tmp_path / "dicom" / "region.dcm"))
    inside = sitk.GetArrayFromImage(seen) > 0
    k, j, i = np.nonzero(inside)
    places = [seen.TransformIndexToPhysicalPoint((int(a), int(b), int(c))) for a, b, c in zip(i, j, k, strict=True)]
    kk, jj, ii = np.nonzero(roi.mask)
    expected = roi.geometry.index_to_mm(np.stack([ii, jj, kk], axis=1))

    np.testing.assert_allclose(
        sorted(map(tuple, np.round(places, 3))), sorted(map(tuple, np.round(expected, 3))), atol=2e-3
    )


def test_what_leaves_refers_to_the_copy_made_with_the_same_key_and_names_nobody(finished, tmp_path):
    from spinekit.io.deidentify import deidentify_series, read_key

    key = read_key(tmp_path / "key")
    copy = deidentify_series(finished / "in", tmp_path / "copy", key=key, pixels_checked=True)
    done = CliRunner().invoke(
        app, ["export", str(finished / "case"), "--out", str(tmp_path / "out"), "--key-file", str(tmp_path / "key")]
    )
    assert done.exit_code == 0, done.output

    known = {str(pydicom.dcmread(path).SOPInstanceUID) for path in copy.files}
    study = pydicom.dcmread(copy.files[0]).StudyInstanceUID
    written = sorted((tmp_path / "out").rglob("*.dcm"))
    assert len(written) > 5
    for path in written:
        data = pydicom.dcmread(path)
        assert str(data.PatientName).startswith("P-")
        assert data.StudyInstanceUID == study
        assert b"Simulated^A" not in path.read_bytes()
        named = {e.value for e in data.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert named & known or path.parent.name == "maps", path.name
    roi = open_roi(finished / "case")
    np.testing.assert_array_equal(read_roi(tmp_path / "out" / "dicom" / "region.dcm", on=roi.geometry).mask, roi.mask)


def test_files_that_changed_since_are_refused(finished, tmp_path):
    other = tmp_path / "in"
    other.mkdir()
    for file in (finished / "in").iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    file = other / "00-00.dcm"
    data = pydicom.dcmread(file)
    data.PixelData = bytes([data.PixelData[0] ^ 1]) + data.PixelData[1:]
    data.save_as(file)

    done = CliRunner().invoke(app, ["export", str(finished / "case"), "--out", str(tmp_path), "--source", str(other)])

    assert done.exit_code == 2
    assert "source-changed" in done.stderr


def test_a_simulated_case_has_no_dicom_and_says_so(tmp_path):
    compute_case(CaseRequest(source="simulated:3@48x48x8", case_dir=tmp_path / "case"))
    done = CliRunner().invoke(app, ["export", str(tmp_path / "case"), "--out", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    assert "left out: DICOM objects" in done.stderr
    assert not (tmp_path / "out" / "dicom").exists()
    assert (tmp_path / "out" / "region.seg.nrrd").is_file()


def test_of_a_mosaic_everything_is_written_that_needs_no_image_of_a_slice(tmp_path):
    from spinekit.phantom.dicom_writer import write_dicom as as_a_vendor_does

    case = simulate_case(3, size=(48, 48, 8), n_phases=4)
    as_a_vendor_does(case.series, tmp_path / "in", flavour="siemens-mosaic")
    request = CaseRequest(source=str(tmp_path / "in"), case_dir=tmp_path / "case", seeds=(tuple(case.seed_ijk),))
    compute_case(request)

    done = export_case(tmp_path / "case", tmp_path / "out")

    assert {file.name for file in done.files} >= {"region.nii.gz", "region.seg.nrrd"}
    assert "mosaic" in done.left_out[0]
    assert not (tmp_path / "out" / "dicom").exists()
