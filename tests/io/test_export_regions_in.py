"""Segmentations that others wrote: several segments, frames in any order, label maps, what is no region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_roi

AXES = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))  # sagittal: x runs back, y down, z to the left
GRID = Geometry((9, 8, 5), (1.5, 1.25, 4.0), (-8.0, 13.0, 40.0), AXES)
SEG, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"


def item(**elements) -> pydicom.Dataset:
    data = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def masks() -> dict[int, np.ndarray]:
    one, two = np.zeros((2, *GRID.shape_zyx), dtype=bool)
    one[1:4, 2:6, 3:7] = True
    two[2:5, 5:8, 1:5] = True
    two &= ~one
    return {1: one, 2: two}


def write_seg(path: Path, *, kind: str = "BINARY", seed: int = 3) -> Path:
    """Write a segmentation by hand, its frames in random order, empty ones left out."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = LABEL_MAP if kind == "LABELMAP" else SEG
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.SegmentationType = "SEG", kind
    data.SegmentSequence = [item(SegmentNumber=n, SegmentLabel=name) for n, name in ((1, "lesion"), (2, "cord"))]
    cosines = np.asarray(GRID.direction).T
    data.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[*cosines[0], *cosines[1]])],
            PixelMeasuresSequence=[item(PixelSpacing=[1.25, 1.5], SliceThickness=3.0, SpacingBetweenSlices=4.0)],
        )
    ]
    if kind == "LABELMAP":
        labels = sum(n * mask for n, mask in masks().items())
        planes = [(0, k, labels[k].astype(np.uint8)) for k in range(GRID.size[2])]
    else:
        planes = [(n, k, mask[k].astype(np.uint8)) for n, mask in masks().items() for k in range(5) if mask[k].any()]
    planes = [planes[n] for n in np.random.default_rng(seed).permutation(len(planes))]
    groups = []
    for number, k, _ in planes:
        place = [round(float(v), 6) for v in GRID.index_to_mm((0, 0, k))]
        group = item(PlanePositionSequence=[item(ImagePositionPatient=place)])
        if number:
            group.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=number)]
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence, data.NumberOfFrames = groups, len(planes)
    data.Rows, data.Columns, data.SamplesPerPixel = GRID.size[1], GRID.size[0], 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    frames = np.stack([plane for _, _, plane in planes])
    data.PixelData = pack_bits(frames.ravel(), pad=True) if bits == 1 else frames.tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize(("choice", "number"), [(1, 1), ("cord", 2)])
def test_each_segment_lies_where_its_frames_say_in_whatever_order_they_come(tmp_path, kind, choice, number):
    roi = read_roi(write_seg(tmp_path / "seg.dcm", kind=kind), on=GRID, label=choice)

    np.testing.assert_array_equal(roi.mask, masks()[number])
    assert roi.record["label"] == number


def test_several_segments_ask_for_a_choice_and_name_what_there_is(tmp_path):
    path = write_seg(tmp_path / "seg.dcm")
    with pytest.raises(InputRefusedError) as refused:
        read_roi(path, on=GRID)
    with pytest.raises(InputRefusedError) as absent:
        read_roi(path, on=GRID, label="tumour")

    assert refused.value.code == "roi-label-ambiguous"
    assert "1 'lesion', 2 'cord'" in refused.value.message
    assert absent.value.code == "roi-label-absent"


def test_by_itself_it_is_on_the_grid_of_its_frames(tmp_path):
    roi = read_roi(write_seg(tmp_path / "seg.dcm"), label=1)

    np.testing.assert_allclose(roi.geometry.origin_mm, GRID.index_to_mm((0, 0, 1)), atol=1e-5)
    np.testing.assert_allclose(roi.geometry.spacing_mm, GRID.spacing_mm, atol=1e-5)
    np.testing.assert_allclose(roi.geometry.direction, GRID.direction, atol=1e-5)
    np.testing.assert_array_equal(roi.mask, masks()[1][1:])


def test_probabilities_are_no_region(tmp_path):
    with pytest.raises(InputRefusedError) as refused:
        read_roi(write_seg(tmp_path / "seg.dcm", kind="FRACTIONAL"), on=GRID, label=1)

    assert refused.value.code == "format-unsupported"


def test_a_frame_without_a_place_is_refused(tmp_path):
    data = pydicom.dcmread(write_seg(tmp_path / "seg.dcm"))
    del data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    data.save_as(tmp_path / "lost.dcm")
    with pytest.raises(InputRefusedError) as refused:
        read_roi(tmp_path / "lost.dcm", on=GRID, label=1)

    assert refused.value.code == "file-corrupt"


def test_a_segment_without_a_voxel_is_refused(tmp_path):
    data = pydicom.dcmread(write_seg(tmp_path / "seg.dcm"))
    data.SegmentSequence.append(item(SegmentNumber=3, SegmentLabel="nothing"))
    data.save_as(tmp_path / "three.dcm")
    with pytest.raises(InputRefusedError) as refused:
        read_roi(tmp_path / "three.dcm", on=GRID, label=3)

    assert refused.value.code == "roi-empty"
