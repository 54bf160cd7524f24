"""Exports that refer to an enhanced multi-frame image name the frames of the phase, not of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinekit.case import Roi, Volume
from spinekit.io import read_roi, read_series
from spinekit.io.export import write_dicom_map, write_dicom_seg, write_rtstruct

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
N_PHASES, N_SLICES, ROWS, COLUMNS = 3, 4, 10, 12


def item(**elements) -> pydicom.Dataset:
    data = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


@pytest.fixture
def enhanced(tmp_path) -> Path:
    """One enhanced MR file; its frames run through the phases at every slice, from the top down."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = ENHANCED_MR
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Test", "T1", "", "O"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    data.StudyID, data.StudyDate, data.StudyTime, data.AccessionNumber = "1", "20200101", "100000", ""
    data.ReferringPhysicianName, data.PositionReferenceIndicator = "", ""
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 4, 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    data.Rows, data.Columns, data.SamplesPerPixel = ROWS, COLUMNS, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])],
        PixelMeasuresSequence=[item(PixelSpacing=[1.5, 1.25], SliceThickness=4.0, SpacingBetweenSlices=4.0)],
        PixelValueTransformationSequence=[item(RescaleSlope=1.0, RescaleIntercept=0.0, RescaleType="US")],
    )
    data.SharedFunctionalGroupsSequence = [shared]
    frames, groups = [], []
    for place in reversed(range(N_SLICES)):
        for t in range(N_PHASES):
            frames.append(np.full((ROWS, COLUMNS), 100 + 50 * t + place, np.uint16))
            content = item(TemporalPositionIndex=t + 1)
            moment = item(TemporalPositionTimeOffset=10.0 * t)
            where = item(ImagePositionPatient=[-7.5, 3.0, 4.0 * place])
            groups.append(
                item(
                    FrameContentSequence=[content],
                    PlanePositionSequence=[where],
                    TemporalPositionSequence=[moment],
                )
            )
    data.PerFrameFunctionalGroupsSequence, data.NumberOfFrames = groups, len(frames)
    data.PixelData = np.stack(frames).tobytes()
    path = tmp_path / "enhanced.dcm"
    data.save_as(path, enforce_file_format=True)
    return path


def frames_of(path: Path) -> list[int]:
    data = pydicom.dcmread(path)
    return [int(e.value) for e in data.iterall() if e.keyword == "ReferencedFrameNumber"]


def test_region_map_and_structure_set_refer_to_the_frames_of_their_phase(enhanced, tmp_path):
    series = read_series(enhanced)
    mask = np.zeros(series.geometry.shape_zyx, dtype=bool)
    mask[1:3, 2:7, 3:9] = True
    roi = Roi(mask, series.geometry)
    values = np.random.default_rng(1).normal(size=mask.shape).astype(np.float32)
    files = [tmp_path / name for name in ("seg.dcm", "map.dcm", "rt.dcm")]
    write_dicom_seg(roi, files[0], source=enhanced, phase=1)
    write_dicom_map(Volume(values, series.geometry, "ktrans", "1/min"), files[1], source=enhanced, phase=1)
    write_rtstruct(roi, files[2], source=enhanced, phase=1)

    np.testing.assert_array_equal(read_roi(files[0], on=series.geometry).mask, mask)
    np.testing.assert_array_equal(read_roi(files[2], on=series.geometry).mask, mask)
    of_the_phase = {2, 5, 8, 11}  # from 1, in the file: three phases at each of four slices
    for path in files:
        assert set(frames_of(path)) <= of_the_phase, path.name
    assert set(frames_of(files[0])) == of_the_phase
    source = pydicom.dcmread(enhanced)
    for path in files[:2]:
        for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence:
            number = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
            there = source.PerFrameFunctionalGroupsSequence[int(number) - 1].PlanePositionSequence[0]
            assert there.ImagePositionPatient == frame.PlanePositionSequence[0].ImagePositionPatient
