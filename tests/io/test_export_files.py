"""Regions as .seg.nrrd and structure sets: names, colours, voxels; choices where a file holds several."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import slicerio
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinekit.case import Roi
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_roi
from spinekit.io.export_rtstruct import edge_contours
from spinekit.io.export_seg_nrrd import write_seg_nrrd
from spinekit.io.region_rtstruct import fill_contours

OBLIQUE = ((np.cos(0.3), -np.sin(0.3), 0.0), (np.sin(0.3), np.cos(0.3), 0.0), (0.0, 0.0, 1.0))
GRID = Geometry((20, 16, 6), (1.5, 1.25, 4.0), (-20.123456, 13.0, 40.5), OBLIQUE)


def region() -> Roi:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[1:4, 3:10, 4:12] = True
    mask[2, 5:7, 6:9] = False
    return Roi(mask, GRID, "lesion L3")


def test_slicers_own_reader_finds_name_colour_and_voxels(tmp_path):
    write_seg_nrrd(region(), tmp_path / "roi.seg.nrrd", colour=(1.0, 0.5, 0.25), phase=2)

    seen = slicerio.read_segmentation(str(tmp_path / "roi.seg.nrrd"))
    segment = seen["segments"][0]

    assert segment["name"] == "lesion L3"
    assert segment["color"] == [1.0, 0.5, 0.25]
    assert segment["labelValue"] == 1
    assert segment["terminology"]["type"] == ["SCT", "52988006", "Lesion"]
    np.testing.assert_array_equal(seen["voxels"].transpose(2, 1, 0) == 1, region().mask)
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.matrix  # slicerio tells RAS unless asked
    found = np.asarray(seen["ijkToLPS"]) if "ijkToLPS" in seen else np.asarray(seen["ijkToRAS"])
    expected = GRID.matrix if "ijkToLPS" in seen else matrix
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_segmentation_file_comes_back_voxel_by_voxel(tmp_path):
    write_seg_nrrd(region(), tmp_path / "roi.seg.nrrd")

    back = read_roi(tmp_path / "roi.seg.nrrd", on=GRID)
    plain = sitk.ReadImage(str(tmp_path / "roi.seg.nrrd"))

    np.testing.assert_array_equal(back.mask, region().mask)
    np.testing.assert_allclose(plain.GetOrigin(), GRID.origin_mm, atol=1e-5)
    np.testing.assert_allclose(plain.GetSpacing(), GRID.spacing_mm, atol=1e-5)
    np.testing.assert_allclose(plain.GetDirection(), np.ravel(GRID.direction), atol=1e-5)


def test_a_name_cannot_break_out_of_its_line(tmp_path):
    roi = Roi(region().mask, GRID, "L3\nSegment0_Color:=0 0 0|x")
    write_seg_nrrd(roi, tmp_path / "roi.seg.nrrd")

    segment = slicerio.read_segmentation(str(tmp_path / "roi.seg.nrrd"))["segments"][0]

    assert segment["name"] == "L3 Segment0_Color 0 0 0 x"
    assert segment["color"] != [0, 0, 0]


def test_an_empty_region_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(InputRefusedError) as refused:
        write_seg_nrrd(Roi(np.zeros(GRID.shape_zyx, bool), GRID), tmp_path / "roi.seg.nrrd")

    assert refused.value.code == "roi-empty"
    assert not list(tmp_path.iterdir())


def write_structure_set(path, structures: dict[str, list[np.ndarray]]) -> None:
    """Write a structure set by hand: what any planning system would send."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality = "RTSTRUCT"
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(structures.items(), start=1):
        entry, drawn = pydicom.Dataset(), pydicom.Dataset()
        entry.ROINumber, entry.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for points in contours:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.6f}" for value in np.ravel(points)]
            drawn.ContourSequence.append(contour)
        data.StructureSetROISequence.append(entry)
        data.ROIContourSequence.append(drawn)
    data.save_as(path, enforce_file_format=True)


def circle(centre_ijk, radius: float, *, k: float) -> np.ndarray:
    """Return a circle in voxels of the plane of a slice, as LPS mm."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    i, j = centre_ijk[0] + radius * np.cos(angle), centre_ijk[1] + radius * np.sin(angle)
    return GRID.index_to_mm(np.stack([i, j, np.full_like(i, k)], axis=1))


def disc(centre_ijk, radius: float) -> np.ndarray:
    j, i = np.mgrid[: GRID.size[1], : GRID.size[0]]
    return (i - centre_ijk[0]) ** 2 + (j - centre_ijk[1]) ** 2 < radius**2


def test_contours_enclose_the_voxels_whose_centres_they_enclose_and_a_ring_has_its_hole(tmp_path):
    outer, inner = circle((9.2, 8.1), 5.3, k=2), circle((9.2, 8.1), 2.2, k=2)
    write_structure_set(tmp_path / "rt.dcm", {"ring": [outer, inner, circle((6.1, 7.3), 3.4, k=4)]})

    roi = read_roi(tmp_path / "rt.dcm", on=GRID)

    np.testing.assert_array_equal(roi.mask[2], disc((9.2, 8.1), 5.3) & ~disc((9.2, 8.1), 2.2))
    np.testing.assert_array_equal(roi.mask[4], disc((6.1, 7.3), 3.4))
    assert not roi.mask[[0, 1, 3, 5]].any()


def test_several_structures_ask_for_a_choice_by_number_or_name(tmp_path):
    contours = {"GTV": [circle((9, 8), 4.3, k=2)], "cord": [circle((5, 5), 2.3, k=2)]}
    write_structure_set(tmp_path / "rt.dcm", contours)

    with pytest.raises(InputRefusedError) as refused:
        read_roi(tmp_path / "rt.dcm", on=GRID)

    assert refused.value.code == "roi-label-ambiguous"
    assert "1 'GTV', 2 'cord'" in refused.value.message
    by_name, by_number = (read_roi(tmp_path / "rt.dcm", on=GRID, label=choice) for choice in ("cord", 2))
    np.testing.assert_array_equal(by_name.mask, by_number.mask)
    assert by_name.record["label"] == 2
    with pytest.raises(InputRefusedError) as absent:
        read_roi(tmp_path / "rt.dcm", on=GRID, label="ctv")
    assert absent.value.code == "roi-label-absent"


@pytest.mark.parametrize("k", [2.4, -1.0, 6.0])
def test_contours_between_or_outside_the_slices_are_refused(tmp_path, k):
    write_structure_set(tmp_path / "rt.dcm", {"GTV": [circle((9, 8), 4.3, k=k)]})
    with pytest.raises(GridMismatchError) as refused:
        read_roi(tmp_path / "rt.dcm", on=GRID)

    assert "resample" in refused.value.message


def test_a_structure_set_without_an_image_is_refused(tmp_path):
    write_structure_set(tmp_path / "rt.dcm", {"GTV": [circle((9, 8), 4.3, k=2)]})
    with pytest.raises(InputRefusedError) as refused:
        read_roi(tmp_path / "rt.dcm")

    assert refused.value.code == "grid-mismatch"


def test_a_structure_set_that_holds_no_contour_is_refused(tmp_path):
    write_structure_set(tmp_path / "rt.dcm", {"GTV": []})
    with pytest.raises(InputRefusedError) as refused:
        read_roi(tmp_path / "rt.dcm", on=GRID)

    assert refused.value.code == "roi-empty"


@pytest.mark.parametrize("seed", range(6))
def test_outlines_along_voxel_edges_enclose_any_mask(seed):
    mask = np.random.default_rng(seed).random((1, 12, 15)) < 0.5  # holes, corners that touch, border
    grid = Geometry((15, 12, 1), (1.0, 1.0, 1.0))
    contours = [np.column_stack([c, np.zeros(len(c))]) for c in edge_contours(mask[0])]

    np.testing.assert_array_equal(fill_contours(contours, grid), mask)
