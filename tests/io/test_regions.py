"""Regions from files: one label, one grid, an extent; never moved, never guessed."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import DynamicSeries, Roi, Volume, resample_to
from spinekit.errors import GridMismatchError, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_roi, write_roi, write_volume
from spinekit.radiomics import FixedBinWidth, extract_features
from spinekit.segmentation import grow_region

GRID = Geometry((16, 14, 12), (1.0, 1.0, 2.0), (-8.0, 3.0, 10.0))
BLOCK = np.s_[4:8, 4:10, 5:11]


def roi(box=BLOCK, geometry=GRID) -> Roi:
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[box] = True
    return Roi(mask, geometry)


def shifted(voxels: float) -> Geometry:
    return Geometry(GRID.size, GRID.spacing_mm, (-8.0 + voxels, 3.0, 10.0))


@pytest.mark.parametrize("name", ["roi.nii.gz", "roi.nrrd", "roi.nii"])
def test_a_written_region_comes_back_to_the_voxel_in_any_format(name, tmp_path):
    path = write_roi(roi(), tmp_path / name)

    found = read_roi(path, on=GRID)

    assert_array_equal(found.mask, roi().mask)
    assert found.geometry == GRID


def test_an_empty_region_is_neither_written_nor_read(tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        write_roi(roi(np.s_[0:0]), tmp_path / "roi.nii.gz")
    assert caught.value.code == "roi-empty"
    assert not (tmp_path / "roi.nii.gz").exists()


@pytest.mark.parametrize("voxels", [1e-6, 5e-4])
def test_a_difference_below_a_thousandth_voxel_is_no_mismatch(voxels, tmp_path):
    path = write_roi(roi(geometry=shifted(voxels)), tmp_path / "roi.nrrd")
    assert_array_equal(read_roi(path, on=GRID).mask, roi().mask)


@pytest.mark.parametrize("voxels", [2e-3, 0.5, 3.0])
def test_a_larger_difference_is_refused_with_both_grids_until_it_is_resampled(voxels, tmp_path):
    path = write_roi(roi(geometry=shifted(voxels)), tmp_path / "roi.nrrd")

    with pytest.raises(GridMismatchError) as caught:
        read_roi(path, on=GRID)
    moved = resample_to(read_roi(path), GRID)

    assert caught.value.code == "grid-mismatch"
    assert GRID.describe() in caught.value.message
    assert shifted(voxels).describe() in caught.value.message
    assert moved.geometry == GRID
    assert moved.n_voxels == roi().n_voxels


ORDERS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize(("order", "signs"), ORDERS, ids=str)
def test_a_mask_with_the_same_voxels_counted_otherwise_is_turned_and_told(order, signs, suffix, tmp_path):
    mask = roi(np.s_[2:5, 3:9, 4:6]).mask.copy()
    mask[3, 8, 12] = True  # nothing is symmetric
    first = [0 if sign > 0 else GRID.size[axis] - 1 for axis, sign in enumerate(signs)]
    axes = np.asarray(GRID.direction) * signs
    other = Geometry(
        tuple(GRID.size[axis] for axis in order),
        tuple(GRID.spacing_mm[axis] for axis in order),
        tuple(GRID.index_to_mm(first)),
        tuple(tuple(row) for row in axes[:, list(order)]),
    )
    same = np.zeros(other.shape_zyx, dtype=bool)
    for k, j, i in np.argwhere(mask):
        c, b, a = np.rint(other.mm_to_index(GRID.index_to_mm((i, j, k)))).astype(int)[::-1]
        same[c, b, a] = True
    path = write_roi(Roi(same, other), tmp_path / f"roi{suffix}")

    found = read_roi(path, on=GRID)

    assert_array_equal(found.mask, mask)
    assert found.geometry == GRID
    turned = (order, signs) != ((0, 1, 2), (1, 1, 1))
    assert any(text.startswith("[roi-turned]") for text in found.warnings) == turned
    assert ("turned" in found.record) == turned


@pytest.mark.parametrize("off", [0.01, 0.5])
def test_a_turned_mask_that_is_also_moved_is_refused(off, tmp_path):
    down = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    other = Geometry(GRID.size, GRID.spacing_mm, (-8.0 + off, 3.0, 10.0 + 2.0 * 11), down)
    with pytest.raises(GridMismatchError):
        read_roi(write_roi(roi(geometry=other), tmp_path / "roi.nrrd"), on=GRID)


def test_another_size_is_another_grid(tmp_path):
    small = Geometry((16, 14, 11), GRID.spacing_mm, GRID.origin_mm)
    path = write_roi(roi(geometry=small), tmp_path / "roi.nii.gz")
    with pytest.raises(GridMismatchError, match=r"16 × 14 × 11.*16 × 14 × 12"):
        read_roi(path, on=GRID)


@pytest.mark.parametrize("label", [1, 3])
def test_of_several_labels_the_chosen_one_is_read(label, tmp_path):
    values = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    values[BLOCK] = 1
    values[9:11, 10:13, 12:15] = 3
    image = nib.Nifti1Image(np.transpose(values), np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.matrix)
    nib.save(image, tmp_path / "labels.nii.gz")

    assert_array_equal(read_roi(tmp_path / "labels.nii.gz", on=GRID, label=label).mask, values == label)
    with pytest.raises(InputRefusedError, match=r"labels \[1, 3\]") as caught:
        read_roi(tmp_path / "labels.nii.gz", on=GRID)
    assert caught.value.code == "roi-label-ambiguous"
    with pytest.raises(InputRefusedError, match="no label 2") as caught:
        read_roi(tmp_path / "labels.nii.gz", on=GRID, label=2)
    assert caught.value.code == "roi-label-absent"


def slicer_segmentation(path, layers, segments):
    """Write a .seg.nrrd line by line: layers (Z, Y, X) and, per segment, name, label value and layer."""
    values = np.stack(layers, axis=-1) if len(layers) > 1 else layers[0]
    several = len(layers) > 1
    fields = ["NRRD0004", "type: unsigned char", f"dimension: {values.ndim}", "space: left-posterior-superior"]
    fields += [f"sizes: {f'{len(layers)} ' if several else ''}16 14 12", "space origin: (-8,3,10)", "encoding: raw"]
    fields += [f"space directions: {'none ' if several else ''}(1,0,0) (0,1,0) (0,0,2)"]
    fields += [f"kinds: {'list ' if several else ''}domain domain domain"]
    for n, (name, value, layer) in enumerate(segments):
        fields += [f"Segment{n}_Name:={name}", f"Segment{n}_LabelValue:={value}", f"Segment{n}_Layer:={layer}"]
    path.write_bytes(("\n".join(fields) + "\n\n").encode() + np.ascontiguousarray(values).tobytes())
    return path


def test_segments_of_3d_slicer_are_chosen_by_number_or_name(tmp_path):
    values = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    values[BLOCK], values[9:11, 10:13, 12:15] = 1, 3
    path = slicer_segmentation(tmp_path / "s.seg.nrrd", [values], [("Tumour", 1, 0), ("L3", 3, 0), ("none", 7, 0)])

    for choice, value in (("Tumour", 1), (1, 1), ("L3", 3), (3, 3)):
        assert_array_equal(read_roi(path, on=GRID, label=choice).mask, values == value)
    for choice, code in ((None, "roi-label-ambiguous"), ("L4", "roi-label-absent"), ("none", "roi-empty")):
        with pytest.raises(InputRefusedError) as caught:
            read_roi(path, on=GRID, label=choice)
        assert caught.value.code == code


def test_overlapping_segments_in_layers_are_kept_apart(tmp_path):
    lesion, bone = np.zeros(GRID.shape_zyx, dtype=np.uint8), np.zeros(GRID.shape_zyx, dtype=np.uint8)
    lesion[BLOCK], bone[2:10, 2:12, 3:13] = 1, 1
    path = slicer_segmentation(tmp_path / "s.seg.nrrd", [lesion, bone], [("lesion", 1, 0), ("bone", 1, 1)])

    assert_array_equal(read_roi(path, on=GRID, label="lesion").mask, lesion == 1)
    assert_array_equal(read_roi(path, on=GRID, label="bone").mask, bone == 1)
    assert_array_equal(read_roi(path, on=GRID, label=2).mask, bone == 1)


@pytest.mark.parametrize("off_mm", [0.0, 0.3])
def test_a_segmentation_that_slicer_has_cropped_is_put_back_where_its_voxels_lie(off_mm, tmp_path):
    part = Geometry((6, 6, 4), GRID.spacing_mm, (-8.0 + 5 + off_mm, 3.0 + 4, 10.0 + 2.0 * 4))  # just around the block
    path = slicer_segmentation(tmp_path / "s.seg.nrrd", [np.ones((4, 6, 6), dtype=np.uint8)], [("lesion", 1, 0)])
    header, _, data = path.read_bytes().partition(b"\n\n")
    x, y, z = part.origin_mm
    header = header.replace(b"sizes: 16 14 12", b"sizes: 6 6 4").replace(b"(-8,3,10)", f"({x},{y},{z})".encode())
    path.write_bytes(header + b"\n\n" + data)

    if off_mm:
        with pytest.raises(GridMismatchError):
            read_roi(path, on=GRID)
    else:
        assert_array_equal(read_roi(path, on=GRID).mask, roi().mask)


def test_an_image_that_was_given_for_a_mask_is_not_listed_value_by_value(tmp_path):
    values = np.arange(np.prod(GRID.shape_zyx), dtype=np.float32).reshape(GRID.shape_zyx)
    with pytest.raises(InputRefusedError, match=r"1, 2, 3, 4, 5, 6, 7, 8\] and 2679 more"):
        read_roi(write_volume(Volume(values, GRID), tmp_path / "image.nii.gz"))


@pytest.mark.parametrize(
    ("box", "code"),
    [(np.s_[3, 3, 3], "roi-too-small"), (np.s_[3, 3, 2:9], "roi-too-small"), (np.s_[2:9, 3, 3], "roi-too-small")],
)
def test_a_point_or_a_line_is_no_region(box, code, tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_roi(write_roi(roi(box), tmp_path / "roi.nii.gz"))
    assert caught.value.code == code


def test_a_region_in_one_slice_is_one(tmp_path):
    assert read_roi(write_roi(roi(np.s_[3, 4:9, 4:9]), tmp_path / "roi.nii.gz")).n_voxels == 25


@pytest.mark.parametrize("value", [0.4, -1.0, np.nan])
def test_values_that_are_no_labels_are_refused(value, tmp_path):
    values = np.zeros(GRID.shape_zyx, dtype=np.float32)
    values[BLOCK] = value
    with pytest.raises(InputRefusedError) as caught:
        read_roi(write_volume(Volume(values, GRID), tmp_path / "image.nii.gz"))
    assert caught.value.code == "format-unsupported"


def test_a_constant_region_has_a_warning_and_no_texture():
    values = np.random.default_rng(0).normal(50.0, 9.0, GRID.shape_zyx)
    values[BLOCK] = 7.0

    table = extract_features({"map": Volume(values, GRID)}, roi(), discretisation=FixedBinWidth(1.0))

    assert any("[roi-constant]" in text for text in table.attrs["warnings"])
    texture = [c for c in table.columns if "_glcm_" in c or "_glrlm_" in c or "_glszm_" in c]
    assert texture
    assert table[texture].isna().all(axis=None)
    assert table.loc["map", "original_firstorder_Mean"] == 7.0


def growing_series(inside=BLOCK) -> DynamicSeries:
    rng = np.random.default_rng(3)
    signal = 100.0 + rng.normal(0, 1.0, (5, *GRID.shape_zyx))
    signal[:, *inside] += np.array([0, 60, 100, 95, 90.0])[:, None, None, None]
    return DynamicSeries(signal.astype(np.float32), [0, 20, 40, 60, 80], GRID, "times_s")


@pytest.mark.parametrize("seed", [(16, 0, 0), (0, 14, 0), (0, 0, 12), (-1, 4, 4)])
def test_a_seed_outside_the_image_is_refused_on_every_side(seed):
    with pytest.raises(InputRefusedError) as caught:
        grow_region(growing_series(), [seed])
    assert caught.value.code == "seed-outside"


def test_growth_into_the_cap_or_the_border_is_told():
    capped = grow_region(growing_series(), [(7, 6, 5)], max_volume_ml=0.2, tolerance=8.0)
    at_border = grow_region(growing_series(np.s_[0:8, 0:10, 0:11]), [(5, 5, 4)])

    assert any(w.startswith("[leak-volume-cap]") for w in capped.warnings)
    assert any(w.startswith("[leak-border]") for w in at_border.warnings)
