"""Operations on masks: closed forms, millimetres, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from spinekit.segmentation import agreement, cleanup

SPACING = (3.0, 1.0, 0.5)
MASKS = st_np.arrays(bool, (4, 6, 7))


def point():
    mask = np.zeros((9, 21, 41), dtype=bool)
    mask[4, 10, 20] = True
    return mask


def test_growing_a_point_gives_every_voxel_within_the_length():
    grown = cleanup.grow_mm(point(), 3.0, SPACING)
    steps = (np.argwhere(np.ones_like(grown)) - (4, 10, 20)) * SPACING
    expected = (np.sqrt((steps**2).sum(axis=1)) <= 3.0).reshape(grown.shape)

    assert np.array_equal(grown, expected)


@settings(max_examples=40, deadline=None)
@given(MASKS, st.sampled_from([0.5, 1.0, 3.0]))
def test_open_shrinks_and_close_grows(mask, mm):
    assert not (cleanup.open_mm(mask, mm, SPACING) & ~mask).any()
    assert not (mask & ~cleanup.close_mm(mask, mm, SPACING)).any()
    assert not (mask & ~cleanup.without_holes(mask)).any()


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_the_largest_part_is_one_part_and_no_part_is_larger(mask):
    largest = cleanup.keep_largest(mask)
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))

    assert largest.sum() == (np.bincount(parts.ravel())[1:].max() if mask.any() else 0)


def test_a_hole_with_a_background_seed_stays_open():
    ring = np.pad(np.zeros((3, 3, 3), bool), 2, constant_values=True)

    assert cleanup.without_holes(ring).all()
    assert np.array_equal(cleanup.without_holes(ring, [(3, 3, 3)]), ring)


def test_slices_between_two_discs_of_unlike_size_lie_between():
    mask = np.zeros((5, 41, 41), dtype=bool)
    y, x = np.indices((41, 41)) - 20
    mask[0], mask[4] = x**2 + y**2 <= 6**2, x**2 + y**2 <= 14**2

    whole = cleanup.interpolate_slices(mask)
    radii = np.sqrt(whole.sum(axis=(1, 2)) / np.pi)

    assert np.array_equal(whole[[0, 4]], mask[[0, 4]])
    assert radii == pytest.approx([6, 8, 10, 12, 14], abs=0.5)


def test_smoothing_keeps_volume_and_takes_off_a_spike():
    block = np.zeros((9, 20, 20), dtype=bool)
    block[2:7, 5:15, 5:15] = True
    spiked = block.copy()
    spiked[4, 10, 15:20] = True

    smooth = cleanup.smooth_mm(spiked, 1.0, (1.0, 1.0, 1.0))

    assert not smooth[4, 10, 17:].any()
    assert smooth.sum() == pytest.approx(spiked.sum(), rel=0.02)


def test_the_distance_of_two_boxes_is_their_offset():
    first, second = np.zeros((9, 9, 30), bool), np.zeros((9, 9, 30), bool)
    first[2:7, 2:7, 5:15], second[2:7, 2:7, 9:19] = True, True

    assert agreement.hd95_mm(first, second, (1.0, 1.0, 0.5)) == pytest.approx(2.0)
    assert agreement.jaccard(first, second) == pytest.approx(6 / 14)
    assert np.isnan(agreement.hd95_mm(first, np.zeros_like(first), SPACING))
