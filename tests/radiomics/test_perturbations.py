"""Perturbed regions: closed forms on balls and boxes, in mm whatever the voxels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import dilated, eroded, moved, noisy, region_perturbations


def ball(radius_mm: float, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), size: int = 44) -> Roi:
    n = [int(size / s) for s in spacing]
    geometry = Geometry((n[0], n[1], n[2]), spacing)
    z, y, x = np.indices(geometry.shape_zyx)
    centre = [(m - 1) / 2 for m in geometry.shape_zyx]
    steps = zip((z, y, x), centre, geometry.spacing_zyx_mm, strict=True)
    return Roi(sum(((a - c) * s) ** 2 for a, c, s in steps) < radius_mm**2, geometry)


def volume_mm3(roi: Roi) -> float:
    return roi.n_voxels * roi.geometry.voxel_volume_mm3


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 1.0)])
@pytest.mark.parametrize("mm", [1.0, 3.0])
def test_a_ball_loses_and_gains_a_shell_of_that_thickness(spacing, mm):
    roi = ball(14.0, spacing)
    for changed, radius in ((eroded(roi, mm), 14.0 - mm), (dilated(roi, mm), 14.0 + mm)):
        assert_allclose(np.cbrt(volume_mm3(changed) * 3 / 4 / np.pi), radius, atol=0.35)  # a third of a voxel
    assert not (eroded(roi, mm).mask & ~roi.mask).any()
    assert not (roi.mask & ~dilated(roi, mm).mask).any()


def test_slices_thicker_than_the_erosion_stay():
    geometry = Geometry((20, 20, 6), (1.0, 1.0, 5.0))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[1:5, 5:15, 5:15] = True
    thinner = eroded(Roi(mask, geometry), 1.0)
    assert_array_equal(np.flatnonzero(thinner.mask.any(axis=(1, 2))), [1, 2, 3, 4])
    assert thinner.mask[2].sum() == 64


def test_more_than_is_there_leaves_nothing_and_a_sign_is_refused():
    assert eroded(ball(3.0), 5.0).n_voxels == 0
    with pytest.raises(InputRefusedError, match="not by a sign"):
        dilated(ball(3.0), -1.0)


@pytest.mark.parametrize("shift", [(3.0, 0.0, 0.0), (0.0, -2.0, 0.0), (1.0, 2.0, -4.0)])
def test_a_shift_by_whole_voxels_moves_the_mask(shift):
    roi = ball(9.0)
    steps = tuple(round(s) for s in shift[::-1])
    assert_array_equal(moved(roi, shift_mm=shift).mask, np.roll(roi.mask, steps, axis=(0, 1, 2)))


def test_a_quarter_turn_is_a_quarter_turn_and_a_full_one_changes_nothing():
    geometry = Geometry((31, 31, 5), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[1:4, 13:18, 6:25] = True
    roi = Roi(mask, geometry)
    assert_array_equal(moved(roi, turn_deg=90.0).mask, np.rot90(mask, axes=(1, 2)))
    assert_array_equal(moved(roi, turn_deg=360.0).mask, mask)


def test_a_turn_in_millimetres_keeps_the_volume_on_uneven_pixels():
    geometry = Geometry((40, 60, 5), (1.5, 1.0, 3.0))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[1:4, 20:40, 10:30] = True
    turned = moved(Roi(mask, geometry), turn_deg=30.0)
    assert_allclose(turned.n_voxels, mask.sum(), rtol=0.05)


def test_noise_has_its_standard_deviation_and_the_same_seed_the_same_noise():
    volume = Volume(np.zeros((20, 20, 20), dtype=np.int16), Geometry((20, 20, 20), (1.0, 1.0, 1.0)))
    first = noisy(volume, sd=5.0, seed=1)
    assert_allclose(first.values.std(), 5.0, rtol=0.05)
    assert_array_equal(first.values, noisy(volume, sd=5.0, seed=1).values)
    assert (first.values != noisy(volume, sd=5.0, seed=2).values).any()


def test_the_set_names_what_it_does_and_leaves_out_what_left_nothing():
    names = list(region_perturbations(ball(9.0)))
    assert len(names) == 6
    assert {name.split(":")[0] for name in names} == {"border", "position"}
    assert not any("eroded" in name for name in region_perturbations(ball(1.2)))
