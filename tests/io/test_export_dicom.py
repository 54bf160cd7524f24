"""Regions, maps and measurements as DICOM: what is written is read back to the voxel, by other readers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinekit.case import Roi, Volume
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_roi, read_series
from spinekit.io.export_map import write_dicom_map, write_dicom_maps
from spinekit.io.export_rtstruct import write_rtstruct
from spinekit.io.export_seg import write_dicom_seg
from spinekit.io.export_sr import Measured, write_dicom_sr

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
OBLIQUE = ((np.cos(0.3), np.sin(0.3), 0.0), (-np.sin(0.3) * 0.8, np.cos(0.3) * 0.8, 0.6))
N_PHASES, N_SLICES, ROWS, COLUMNS = 3, 5, 14, 18
MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"


def write_series(folder: Path, cosines=AXIAL, *, reverse: bool = False) -> Path:
    """Write a dynamic series of single-frame MR images, numbered at random."""
    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    x, y = np.array(cosines[0]), np.array(cosines[1])
    normal = np.cross(x, y) * (-1 if reverse else 1)
    numbers = np.random.default_rng(1).permutation(N_PHASES * N_SLICES)
    for n, number in enumerate(numbers):
        t, k = divmod(n, N_SLICES)
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MR_CLASS
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Testcase", "T1", "", "O"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
        data.StudyID, data.StudyDate, data.StudyTime, data.AccessionNumber = "1", "20200101", "100000", ""
        data.ReferringPhysicianName, data.PositionReferenceIndicator = "", ""
        data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 4, int(number) + 1
        data.AcquisitionTime, data.AcquisitionDate = f"1000{10 * t:02d}", "20200101"
        data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        data.ImageOrientationPatient = [float(v) for v in (*x, *y)]
        data.ImagePositionPatient = [float(v) for v in np.array([-20.0, 13.0, 40.0]) + 4.0 * k * normal]
        data.PixelSpacing, data.SliceThickness, data.SpacingBetweenSlices = [1.5, 1.25], 4.0, 4.0
        data.Rows, data.Columns, data.SamplesPerPixel = ROWS, COLUMNS, 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.PixelData = np.full((ROWS, COLUMNS), 100 + 50 * t + k, np.uint16).tobytes()
        data.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    return folder


def region_on(geometry: Geometry) -> Roi:
    """Return a region with a hole, two parts and empty slices at both ends."""
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[1:4, 3:10, 4:12] = True
    mask[2, 5:7, 6:9] = False
    mask[1, 12, 16] = True
    return Roi(mask, geometry, "lesion L3", record={"method": "curve"})


@pytest.fixture(params=[(AXIAL, False), (AXIAL, True), (SAGITTAL, False), (OBLIQUE, True)], ids=str)
def case(request, tmp_path):
    """A series in several orientations and orders of slices, and a region on it."""
    cosines, reverse = request.param
    folder = write_series(tmp_path / "series", cosines, reverse=reverse)
    series = read_series(folder)
    return folder, series, region_on(series.geometry)


def assert_same_place(one: Geometry, other: Geometry) -> None:
    assert one.size == other.size
    np.testing.assert_allclose(one.spacing_mm, other.spacing_mm, atol=1e-5)
    np.testing.assert_allclose(one.origin_mm, other.origin_mm, atol=1e-5)
    np.testing.assert_allclose(one.direction, other.direction, atol=1e-5)


def test_a_segmentation_comes_back_voxel_by_voxel_on_its_own_grid(case, tmp_path):
    folder, series, roi = case
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=2)

    alone = read_roi(tmp_path / "seg.dcm")
    on = read_roi(tmp_path / "seg.dcm", on=series.geometry)

    np.testing.assert_array_equal(alone.mask, roi.mask)
    assert_same_place(alone.geometry, roi.geometry)
    np.testing.assert_array_equal(on.mask, roi.mask)
    assert on.record["drawn_on"] == "drawn on phase 3 of 3"


def test_another_reader_finds_the_same_voxels_at_the_same_places(case, tmp_path):
    folder, _, roi = case
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=1)

    seen = hd.seg.segread(tmp_path / "seg.dcm").get_volume(combine_segments=True)
    indices = np.argwhere(seen.array > 0)
    places = seen.map_indices_to_reference(indices)
    k, j, i = np.nonzero(roi.mask)
    expected = roi.geometry.index_to_mm(np.stack([i, j, k], axis=1))

    assert len(places) == roi.n_voxels
    order = lambda points: points[np.lexsort(np.round(points, 3).T)]  # noqa: E731 - one line, used twice
    np.testing.assert_allclose(order(places), order(expected), atol=1e-4)


def test_every_frame_refers_to_its_image_of_the_phase_that_was_drawn_on(case, tmp_path):
    folder, _, roi = case
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=2)
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    images = {d.SOPInstanceUID: d for d in (pydicom.dcmread(f) for f in folder.iterdir())}

    assert int(written.NumberOfFrames) == N_SLICES  # the empty ones too
    for frame in written.PerFrameFunctionalGroupsSequence:
        referred = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert images[referred].AcquisitionTime == "100020"
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(place, images[referred].ImagePositionPatient, atol=1e-5)
    any_image = next(iter(images.values()))
    assert written.FrameOfReferenceUID == any_image.FrameOfReferenceUID
    assert written.StudyInstanceUID == any_image.StudyInstanceUID
    assert written.ContentDescription == "drawn on phase 3 of 3"


def test_a_segmentation_without_its_empty_slices_is_read_onto_the_whole_grid(case, tmp_path):
    folder, series, roi = case
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=0)
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    frames = pydicom.pixels.pixel_array(data)
    kept = [n for n in range(len(frames)) if frames[n].any()]
    data.PerFrameFunctionalGroupsSequence = [data.PerFrameFunctionalGroupsSequence[n] for n in reversed(kept)]
    data.NumberOfFrames = len(kept)
    data.PixelData = pydicom.pixels.pack_bits(frames[kept[::-1]].ravel(), pad=True)
    data.save_as(tmp_path / "sparse.dcm")

    np.testing.assert_array_equal(read_roi(tmp_path / "sparse.dcm", on=series.geometry).mask, roi.mask)
    assert read_roi(tmp_path / "sparse.dcm").mask.shape[0] == 3


def test_a_segmentation_on_another_grid_is_refused_and_resampled_only_when_asked(case, tmp_path):
    from spinekit.case import resample_to

    folder, series, roi = case
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=0)
    grid = series.geometry
    finer = Geometry((2 * grid.size[0], *grid.size[1:]), (grid.spacing_mm[0] / 2, *grid.spacing_mm[1:]),
                     grid.origin_mm, grid.direction)  # fmt: skip

    with pytest.raises(GridMismatchError):
        read_roi(tmp_path / "seg.dcm", on=finer)

    moved = resample_to(read_roi(tmp_path / "seg.dcm"), finer)
    assert moved.volume_ml == pytest.approx(roi.volume_ml, rel=0.05)


def test_a_map_keeps_every_bit_its_nan_unit_and_quantity(case, tmp_path):
    folder, series, _ = case
    values = np.random.default_rng(2).normal(size=series.geometry.shape_zyx).astype(np.float32)
    values[0, :3] = np.nan
    volume = Volume(values, series.geometry, "ktrans", "1/min")
    write_dicom_map(volume, tmp_path / "map.dcm", source=folder)

    data = pydicom.dcmread(tmp_path / "map.dcm")
    frames = np.frombuffer(data.FloatPixelData, "<f4").reshape(N_SLICES, ROWS, COLUMNS)
    for frame, groups in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        i, j, k = np.rint(series.geometry.mm_to_index(groups.PlanePositionSequence[0].ImagePositionPatient)).astype(int)
        assert (i, j) == (0, 0)
        assert frame.tobytes() == values[k].tobytes()
    shared = data.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert shared.MeasurementUnitsCodeSequence[0].CodeValue == "/min"
    quantity = shared.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("126312", "DCM")


def test_every_map_of_a_case_has_a_unit_and_a_quantity(tmp_path):
    from spinekit.quantities import QUANTITIES

    folder = write_series(tmp_path / "series")
    grid = read_series(folder).geometry
    maps = [Volume(np.ones(grid.shape_zyx, np.float32), grid, q.name, q.unit) for q in QUANTITIES.values()]

    written = write_dicom_maps(maps, tmp_path / "maps", on=grid, source=folder)

    assert [path.stem for path in written] == list(QUANTITIES)
    codes = set()
    for path in written:
        mapping = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
        codes.add(mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue)
        assert mapping.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator == "UCUM"
    assert len(codes) == len(QUANTITIES)


def test_measurements_are_a_tid_1500_report_on_the_segment(tmp_path):
    folder = write_series(tmp_path / "series")
    series = read_series(folder)
    roi = region_on(series.geometry)
    seg = write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=1)
    numbers = [Measured("volume", roi.volume_ml, "ml"), Measured("wash_in_slope", 0.0123, "1/s", "median")]
    write_dicom_sr(numbers, tmp_path / "sr.dcm", segmentation=seg, roi=roi, source=folder, phase=1, reader="AB")

    report = hd.sr.srread(tmp_path / "sr.dcm")
    group = report.content.get_volumetric_roi_measurement_groups()[0]
    found = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}

    assert found["Volume"] == (pytest.approx(roi.volume_ml), "ml")
    assert found["Wash-in slope"] == (0.0123, "/s")
    assert group.reference_type.meaning == "Referenced Segment"
    assert pydicom.dcmread(tmp_path / "sr.dcm").ContentTemplateSequence[0].TemplateIdentifier == "1500"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measurement_that_is_undefined_is_refused(tmp_path, value):
    roi = region_on(Geometry((COLUMNS, ROWS, N_SLICES), (1, 1, 1)))
    with pytest.raises(InputRefusedError) as refused:
        write_dicom_sr(
            [Measured("ve", value, "1")], tmp_path / "sr.dcm", segmentation="x", roi=roi, source="x", phase=0
        )

    assert refused.value.code == "value-out-of-range"


def test_an_empty_region_an_absent_phase_and_another_grid_are_refused_and_nothing_is_left(tmp_path):
    folder = write_series(tmp_path / "series")
    roi = region_on(read_series(folder).geometry)
    other = Roi(roi.mask, replace(roi.geometry, origin_mm=(0.0, 0.0, 0.0)))
    for wrong, phase, code in (
        (replace(roi, mask=np.zeros_like(roi.mask)), 0, "roi-empty"),
        (roi, 3, "value-out-of-range"),
        (other, 0, "grid-mismatch"),
    ):
        with pytest.raises(InputRefusedError) as refused:
            write_dicom_seg(wrong, tmp_path / "seg.dcm", source=folder, phase=phase)
        assert refused.value.code == code
    assert sorted(p.name for p in tmp_path.iterdir()) == ["series"]


def test_the_same_export_has_the_same_uid_and_another_region_another(tmp_path):
    folder = write_series(tmp_path / "series")
    roi = region_on(read_series(folder).geometry)
    mask = roi.mask.copy()
    mask[0, 0, 0] = True
    uids = []
    for n, region in enumerate((roi, roi, replace(roi, mask=mask))):
        write_dicom_seg(region, tmp_path / f"{n}.dcm", source=folder, phase=0)
        uids.append(pydicom.dcmread(tmp_path / f"{n}.dcm").SOPInstanceUID)

    assert uids[0] == uids[1] != uids[2]


def test_a_structure_set_encloses_exactly_the_voxels_of_the_region(case, tmp_path):
    folder, series, roi = case
    write_rtstruct(roi, tmp_path / "rt.dcm", source=folder, phase=2)

    back = read_roi(tmp_path / "rt.dcm", on=series.geometry)
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    images = {d.SOPInstanceUID: d for d in (pydicom.dcmread(f) for f in folder.iterdir())}

    np.testing.assert_array_equal(back.mask, roi.mask)
    assert data.StructureSetDescription == "drawn on phase 3 of 3"
    for contour in data.ROIContourSequence[0].ContourSequence:
        image = images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert image.AcquisitionTime == "100020"
        assert data.FrameOfReferenceUID == image.FrameOfReferenceUID
        normal = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
        heights = (np.reshape(contour.ContourData, (-1, 3)).astype(float) - image.ImagePositionPatient) @ normal
        np.testing.assert_allclose(heights, 0, atol=1e-5)


@pytest.mark.skipif(shutil.which("segimage2itkimage") is None, reason="dcmqi is not installed: pip install dcmqi")
@pytest.mark.parametrize(("tool", "file"), [("segimage2itkimage", "seg.dcm"), ("paramap2itkimage", "map.dcm")])
def test_dcmqi_reads_the_same_values_at_the_same_places(case, tmp_path, tool, file):
    folder, series, roi = case
    values = np.random.default_rng(2).normal(size=roi.mask.shape).astype(np.float32)
    write_dicom_seg(roi, tmp_path / "seg.dcm", source=folder, phase=1)
    write_dicom_map(Volume(values, series.geometry, "ktrans", "1/min"), tmp_path / "map.dcm", source=folder)
    (tmp_path / "out").mkdir()
    command = [tool, "--inputDICOM", tmp_path / file, "--outputDirectory", tmp_path / "out", "--outputType", "nrrd"]
    subprocess.run(command, check=True, capture_output=True)
    seen = sitk.ReadImage(str(next((tmp_path / "out").glob("*.nrrd"))))

    found = sitk.GetArrayFromImage(seen)
    k, j, i = np.indices(found.shape).reshape(3, -1)
    index = np.stack([i, j, k], axis=1).tolist()
    places = np.array([seen.TransformIndexToPhysicalPoint(point) for point in index])
    i, j, k = np.rint(series.geometry.mm_to_index(places)).astype(int).T
    expected = (roi.mask if file == "seg.dcm" else values)[k, j, i]

    np.testing.assert_array_equal(found.ravel() > 0 if file == "seg.dcm" else found.ravel(), expected)
