"""Regions of other programs: odd but legal contents are read where they say, all else is refused in words."""

from __future__ import annotations

import copy

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinekit.errors import SpinekitError
from spinekit.geometry import Geometry
from spinekit.io import read_roi

AXES = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))  # sagittal
GRID = Geometry((16, 14, 9), (1.5, 1.25, 4.4), (-8.0, 13.0, 40.0), AXES)
SEG, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"


def item(**elements) -> pydicom.Dataset:
    data = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def named(kind: str) -> pydicom.Dataset:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = kind
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["region"])
    return data


def saved(data, folder):
    data.save_as(folder / "region.dcm", enforce_file_format=True)
    return folder / "region.dcm"


def code_of(path, on=GRID, **choices) -> str:
    with pytest.raises(SpinekitError) as caught:
        read_roi(path, on, **choices)
    return caught.value.code


# ---- structure sets


def rtstruct(*polygons, geometric="CLOSED_PLANAR") -> pydicom.Dataset:
    """Return a structure set of polygons, each a slice and its corners as indices (i, j)."""
    data = named("1.2.840.10008.5.1.4.1.1.481.3")
    data.StructureSetROISequence = [item(ROINumber=1, ROIName="lesion")]
    contours = []
    for k, corners in polygons:
        places = GRID.index_to_mm([(i, j, k) for i, j in corners])
        contours.append(
            item(
                ContourGeometricType=geometric,
                NumberOfContourPoints=len(corners),
                ContourData=[f"{v:.4f}" for v in np.ravel(places)],
            )
        )
    data.ROIContourSequence = [item(ReferencedROINumber=1, ContourSequence=contours)]
    return data


def box(low, high):
    return [(low, low), (high, low), (high, high), (low, high)]


OUTER, INNER = box(1.5, 10.5), box(4.5, 7.5)
# along the outer contour, in through a channel of no width, round the hole the other way, and back
KEYHOLE = [(1.5, 1.5), (10.5, 1.5), (10.5, 10.5), (1.5, 10.5), (1.5, 6), (4.5, 6), (4.5, 7.5), (7.5, 7.5), (7.5, 4.5),
           (4.5, 4.5), (4.5, 6), (1.5, 6)]  # fmt: skip


def ring() -> np.ndarray:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[2:5, 2:11, 2:11] = True
    mask[2:5, 5:8, 5:8] = False
    return mask


@pytest.mark.parametrize("hole", ["a contour of its own", "a keyhole"])
def test_a_hole_is_a_hole_however_it_is_drawn(hole, tmp_path):
    drawn = [(k, p) for k in (2, 3, 4) for p in ((OUTER, INNER) if "own" in hole else (KEYHOLE,))]
    found = read_roi(saved(rtstruct(*drawn), tmp_path), GRID)
    assert_array_equal(found.mask, ring())
    assert found.warnings == ()


def test_two_islands_and_the_order_of_contours_make_no_difference(tmp_path):
    drawn = [(3, box(1.5, 3.5)), (3, box(8.5, 11.5)), (2, box(1.5, 3.5)), (2, box(8.5, 11.5))]
    one = read_roi(saved(rtstruct(*drawn), tmp_path), GRID)
    other = read_roi(saved(rtstruct(*drawn[::-1]), tmp_path), GRID)
    assert one.n_voxels == 2 * (4 + 9)
    assert_array_equal(one.mask, other.mask)


def test_slices_without_a_contour_between_others_are_left_empty_and_told(tmp_path):
    found = read_roi(saved(rtstruct((2, OUTER), (4, OUTER), (5, OUTER)), tmp_path), GRID)
    assert not found.mask[3].any()
    assert found.warnings[0].startswith("[roi-gaps]")


def test_contours_of_another_grid_are_refused_and_not_moved(tmp_path):
    path = saved(rtstruct((2, OUTER), (3, OUTER)), tmp_path)
    moved = Geometry(
        GRID.size, GRID.spacing_mm, (-8.0, 13.0, 41.0), AXES
    )  # in the plane: the contours stay where they are
    between = Geometry(GRID.size, GRID.spacing_mm, (-7.0, 13.0, 40.0), AXES)  # across it
    axial = Geometry((20, 20, 20), (1.0, 1.0, 4.0), (-8.0, 10.0, 20.0))

    assert read_roi(path, moved).n_voxels > 0
    assert code_of(path, between) == "grid-mismatch"
    assert code_of(path, axial) == "grid-mismatch"
    assert code_of(path, None) == "grid-mismatch"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda d: d.ROIContourSequence[0].ContourSequence[0].__setattr__("ContourData", ["1", "2", "3", "4"] * 4),
         "file-corrupt"),
        (lambda d: d.ROIContourSequence[0].__delattr__("ReferencedROINumber"), "file-corrupt"),
        (lambda d: d.__delattr__("ROIContourSequence"), "roi-empty"),
        (lambda d: d.__delattr__("StructureSetROISequence"), None),
        (lambda d: [c.__delattr__("ContourData") for c in d.ROIContourSequence[0].ContourSequence], "file-corrupt"),
        (lambda d: [c.__setattr__("ContourGeometricType", "POINT") for c in d.ROIContourSequence[0].ContourSequence],
         "roi-empty"),
    ],
)  # fmt: skip
def test_a_structure_set_that_is_incomplete_is_refused_in_words(edit, code, tmp_path):
    data = rtstruct((2, OUTER), (3, OUTER))
    edit(data)
    path = saved(data, tmp_path)
    if code is None:
        assert read_roi(path, GRID).n_voxels == 2 * 81
    else:
        assert code_of(path) == code


# ---- segmentations


def seg(masks: dict[int, np.ndarray], *, kind="BINARY", spacing=None, numbers=None) -> pydicom.Dataset:
    """Return a segmentation that holds frames only where a segment has voxels."""
    data = named(LABEL_MAP if kind == "LABELMAP" else SEG)
    data.SegmentationType = kind
    data.SegmentSequence = [item(SegmentNumber=n, SegmentLabel=f"segment {n}") for n in numbers or masks]
    cosines = np.asarray(GRID.direction).T
    measures = item(PixelSpacing=[1.25, 1.5], SliceThickness=4.0)
    if spacing:
        measures.SpacingBetweenSlices = spacing
    orientation = [item(ImageOrientationPatient=[*cosines[0], *cosines[1]])]
    data.SharedFunctionalGroupsSequence = [item(PlaneOrientationSequence=orientation, PixelMeasuresSequence=[measures])]
    if kind == "LABELMAP":
        whole = np.max([n * mask for n, mask in masks.items()], axis=0).astype(np.uint8)
        planes = [(0, k, whole[k]) for k in range(len(whole)) if whole[k].any()]
    else:
        planes = [(n, k, mask[k].astype(np.uint8)) for n, mask in masks.items() for k in range(9) if mask[k].any()]
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
    return data


def block(*slices, at=3) -> np.ndarray:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    for k in slices:
        mask[k, at : at + 5, at : at + 6] = True
    return mask


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("slices", [(2, 3, 4), (4,), (1, 5), (0, 3, 8), (8, 7)], ids=str)
def test_frames_of_some_slices_lie_where_they_say_also_with_gaps(slices, kind, tmp_path):
    """The thickness is 4 mm and slices are 4.4 mm apart, which the file does not tell."""
    path = saved(seg({1: block(*slices)}, kind=kind), tmp_path)
    assert_array_equal(read_roi(path, GRID).mask, block(*slices))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_of_many_segments_only_the_chosen_ones_frames_are_put_together(kind, tmp_path):
    masks = {n: block(n % 9, (n + 1) % 9, at=n % 5) for n in (3, 7, 12)}
    masks[7] &= ~masks[12]
    masks[3] &= ~(masks[7] | masks[12])
    path = saved(seg(masks, kind=kind), tmp_path)
    for number, mask in masks.items():
        assert_array_equal(read_roi(path, GRID, label=number).mask, mask)
    assert code_of(path) == "roi-label-ambiguous"
    assert code_of(path, label=5) == "roi-label-absent"


def test_overlapping_segments_are_kept_apart(tmp_path):
    masks = {1: block(2, 3, 4), 2: block(3, 4, at=5)}
    path = saved(seg(masks), tmp_path)
    assert_array_equal(read_roi(path, GRID, label=1).mask, masks[1])
    assert_array_equal(read_roi(path, GRID, label="segment 2").mask, masks[2])


def test_a_segment_without_frames_is_empty(tmp_path):
    path = saved(seg({1: block(2, 3)}, numbers=[1, 2]), tmp_path)
    assert code_of(path, label=2) == "roi-empty"


@pytest.mark.parametrize(
    "grid",
    [
        Geometry((16, 14, 9), (1.5, 1.25, 4.4), (-8.0, 13.0, 40.4), AXES),
        Geometry((16, 14, 9), (1.5, 1.25, 4.4), (-6.0, 13.0, 40.0), AXES),
        Geometry((16, 14, 9), (1.5, 1.3, 4.4), (-8.0, 13.0, 40.0), AXES),
        Geometry((15, 14, 9), (1.5, 1.25, 4.4), (-8.0, 13.0, 40.0), AXES),
        Geometry((16, 14, 3), (1.5, 1.25, 4.4), (-8.0, 13.0, 40.0), AXES),
    ],
    ids=["aside", "between", "other pixels", "fewer columns", "too few slices"],
)
def test_a_segmentation_of_another_grid_is_refused_and_not_moved(grid, tmp_path):
    assert code_of(saved(seg({1: block(2, 3, 4)}, spacing=4.4), tmp_path), grid) == "grid-mismatch"


@pytest.mark.parametrize("kind", ["FRACTIONAL", "", "PROBABILITY"])
def test_fractions_are_no_region_before_a_threshold(kind, tmp_path):
    data = seg({1: block(2, 3)})
    data.SegmentationType = kind
    assert code_of(saved(data, tmp_path)) == "format-unsupported"


def test_mutated_regions_are_refused_in_words_or_read(tmp_path):
    sources = [rtstruct((2, OUTER), (3, OUTER)), seg({1: block(2, 3)}), seg({1: block(2, 3)}, kind="LABELMAP")]
    for seed in range(150):
        rng = np.random.default_rng(seed)
        data = copy.deepcopy(sources[seed % 3])
        where = [(d, e.tag) for d in walked(data) for e in d if e.keyword != "SOPClassUID"]
        holder, tag = where[int(rng.integers(len(where)))]
        if rng.random() < 0.5:
            del holder[tag]
        else:
            holder[tag]._value = rng.choice(np.array(["", "x", "1\\\\2", "nan", "9" * 30], dtype=object))
        try:
            path = saved(data, tmp_path)
        except Exception:  # what cannot be written is no input
            continue
        try:
            read_roi(path, GRID)
        except SpinekitError:
            continue


def walked(data):
    """Return a dataset and all that its sequences hold."""
    found = [data]
    for element in data:
        if element.VR == "SQ":
            found += [inner for dataset in element.value for inner in walked(dataset)]
    return found
