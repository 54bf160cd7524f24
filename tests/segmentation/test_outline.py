"""The study's route from an outline on the T2 to the region on the series."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit import grow_from_outline
from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.phantom import simulate_case
from spinekit.phantom.reader import outlined_by_reader
from spinekit.segmentation import agreement, grow_along_outline


@pytest.fixture(scope="module")
def case():
    return simulate_case(3, size=(128, 128, 16), snr=20.0)


@pytest.fixture(scope="module")
def steps(case):
    return grow_along_outline(case.series, outlined_by_reader(case.t2_outline, 1), n_baseline=case.n_baseline)


def test_the_outline_lands_where_the_lesion_is(case, steps):
    assert agreement.dice(steps.carried.mask, case.lesion.mask) > 0.7
    there, here = (np.argwhere(m.mask).mean(axis=0)[::-1] for m in (case.t2_outline, steps.carried))
    before = case.t2_outline.geometry.index_to_mm(there)
    after = case.series.geometry.index_to_mm(here)
    assert np.linalg.norm(np.subtract(before, after)) < 3.0


def test_every_step_follows_from_the_one_before(steps):
    numbers = steps.partitions.values
    assert not (steps.carried.mask & ~steps.expanded.mask).any()
    assert np.array_equal(numbers > 0, steps.expanded.mask)
    for n in np.unique(numbers[steps.kept.mask]):
        of_partition = numbers == n
        assert steps.kept.mask[of_partition].all()
        assert steps.carried.mask[of_partition].mean() >= 0.5
    assert not (steps.fused.mask & ~steps.kept.mask).any()
    assert steps.fused.mask[steps.seed.zyx]
    assert steps.roi.mask[steps.seed.zyx]
    assert not (steps.roi.mask & ~steps.expanded.mask).any()


def test_the_region_is_nearer_to_the_lesion_than_the_outline_was(case, steps):
    reached = agreement.dice(steps.roi.mask, case.lesion.mask)

    assert reached >= 0.85
    assert reached > agreement.dice(steps.carried.mask, case.lesion.mask)


@pytest.mark.parametrize(("expand", "low", "high"), [("area", 5.0, 6.0), ("linear", 12.0, 26.0), ("dilate", 1.5, 12.0)])
def test_five_times_is_what_its_name_says(case, expand, low, high):
    grown = grow_along_outline(case.series, case.t2_outline, expand=expand, n_baseline=case.n_baseline)
    ratio = grown.expanded.n_voxels / grown.carried.n_voxels

    assert low <= ratio <= high
    assert grown.roi.record["expand"] == expand


@pytest.mark.parametrize("method", ["curve", "confidence", "threshold"])
def test_the_hottest_voxel_may_grow_by_another_method(case, method):
    roi = grow_from_outline(case.series, case.t2_outline, method=method, n_baseline=case.n_baseline)

    assert roi.record["method"] == method
    assert roi.n_voxels > 0


def test_the_same_outline_gives_the_same_bits(case, steps):
    again = grow_from_outline(case.series, outlined_by_reader(case.t2_outline, 1), n_baseline=case.n_baseline)

    assert np.array_equal(again.mask, steps.roi.mask)


def test_slices_that_were_not_outlined_are_interpolated(case):
    axis = int(np.argmax(case.t2_outline.geometry.spacing_zyx_mm))
    sparse = np.moveaxis(case.t2_outline.mask.copy(), axis, 0)
    drawn = np.flatnonzero(sparse.any(axis=(1, 2)))
    sparse[drawn[1:-1:2]] = False
    outline = Roi(np.moveaxis(sparse, 0, axis), case.t2_outline.geometry, "sparse")

    roi = grow_from_outline(case.series, outline, n_baseline=case.n_baseline)

    assert agreement.dice(roi.mask, case.lesion.mask) >= 0.8


def test_an_outline_elsewhere_is_refused(case):
    grid = case.t2_outline.geometry
    far = Geometry(grid.size, grid.spacing_mm, np.add(grid.origin_mm, 1000.0), grid.direction)

    with pytest.raises(InputRefusedError) as refused:
        grow_from_outline(case.series, Roi(case.t2_outline.mask, far, "elsewhere"))

    assert refused.value.code == "outline-outside"


@pytest.mark.parametrize(
    ("expand", "empty", "code"), [("volume", False, "choice-unknown"), ("area", True, "roi-empty")]
)
def test_what_cannot_be_carried_is_refused(case, expand, empty, code):
    mask = np.zeros_like(case.t2_outline.mask) if empty else case.t2_outline.mask

    with pytest.raises(InputRefusedError) as refused:
        grow_from_outline(case.series, Roi(mask, case.t2_outline.geometry, "outline"), expand=expand)

    assert refused.value.code == code


def test_readers_differ_from_the_truth_as_readers_do(case):
    first, second, again = (outlined_by_reader(case.t2_outline, n) for n in (1, 2, 1))

    assert np.array_equal(first.mask, again.mask)
    assert 0.7 < agreement.dice(first.mask, case.t2_outline.mask) < 0.97
    assert not np.array_equal(first.mask, second.mask)


@pytest.mark.parametrize("n_baseline", [-1, 0, 10, 99])
def test_a_baseline_that_leaves_no_enhancement_is_refused(case, n_baseline):
    with pytest.raises(InputRefusedError) as refused:
        grow_from_outline(case.series, case.t2_outline, n_baseline=n_baseline)

    assert refused.value.code == "value-out-of-range"
