"""Voxel grids: index to millimetre and back, comparison, resampling."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.errors import GridMismatchError, InputRefusedError, ShapeMismatchError
from spinekit.geometry import Geometry, from_sitk, require_same_grid, resample_array, to_sitk

ANGLE = np.deg2rad(20.0)
TILTED = (
    (np.cos(ANGLE), -np.sin(ANGLE), 0.0),
    (np.sin(ANGLE), np.cos(ANGLE), 0.0),
    (0.0, 0.0, 1.0),
)
GRID = Geometry((5, 4, 3), (0.7, 1.1, 4.0), (-12.0, 30.0, 5.5), TILTED)


def test_index_to_mm_agrees_with_simpleitk():
    image = to_sitk(np.zeros(GRID.shape_zyx, dtype=np.float32), GRID)

    for ijk in [(0, 0, 0), (4, 0, 2), (1, 3, 1)]:
        assert_allclose(GRID.index_to_mm(ijk), image.TransformIndexToPhysicalPoint(ijk), atol=1e-10)


def test_millimetres_lead_back_to_the_index():
    points = np.array([[0.0, 0.0, 0.0], [3.5, 1.25, -2.0]])

    assert_allclose(GRID.mm_to_index(GRID.index_to_mm(points)), points, atol=1e-12)


def test_an_array_goes_through_simpleitk_unchanged():
    values = np.arange(60, dtype=np.float32).reshape(GRID.shape_zyx)

    back, grid = from_sitk(to_sitk(values, GRID))

    assert_array_equal(back, values)
    assert grid.same_grid(GRID)


def test_transposed_array_is_refused_with_both_shapes():
    with pytest.raises(ShapeMismatchError, match=r"\(5, 4, 3\).*\(3, 4, 5\)"):
        to_sitk(np.zeros((5, 4, 3)), GRID)


@pytest.mark.parametrize(
    ("shift_mm", "same"), [(2.7e-6, True), (0.7 * 0.9e-3, True), (0.7 * 1.1e-3, False), (4.0, False)]
)
def test_same_grid_forgives_less_than_a_thousandth_of_a_voxel(shift_mm, same):
    along_x = np.asarray(GRID.direction)[:, 0] * shift_mm
    moved = Geometry(GRID.size, GRID.spacing_mm, tuple(np.asarray(GRID.origin_mm) + along_x), GRID.direction)

    assert GRID.same_grid(moved) is same


def test_other_size_is_never_the_same_grid():
    assert not GRID.same_grid(Geometry((5, 4, 4), GRID.spacing_mm, GRID.origin_mm, GRID.direction))


def test_mismatch_message_shows_both_grids():
    other = Geometry((5, 4, 9), (0.7, 1.1, 4.0), (-12.0, 30.0, -30.0))

    with pytest.raises(GridMismatchError) as caught:
        require_same_grid(GRID, other, names=("ROI", "series"))

    assert "5 × 4 × 3" in caught.value.message
    assert "5 × 4 × 9" in caught.value.message
    assert "(-12.00, 30.00, -30.00)" in caught.value.message
    assert "resample_to" in caught.value.message


@pytest.mark.parametrize(
    "broken",
    [
        {"spacing_mm": (1.0, 0.0, 1.0)},
        {"spacing_mm": (1.0, -1.0, 1.0)},
        {"spacing_mm": (1.0, float("nan"), 1.0)},
        {"size": (0, 4, 3)},
        {"origin_mm": (float("inf"), 0.0, 0.0)},
    ],
)
def test_grids_without_extent_or_place_are_refused(broken):
    arguments = {"size": (5, 4, 3), "spacing_mm": (1.0, 1.0, 1.0), "origin_mm": (0.0, 0.0, 0.0), **broken}

    with pytest.raises(InputRefusedError) as caught:
        Geometry(**arguments)

    assert caught.value.code == "geometry-missing"


def test_sheared_axes_are_refused():
    with pytest.raises(InputRefusedError) as caught:
        Geometry((5, 4, 3), (1, 1, 1), (0, 0, 0), ((1.0, 0.05, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))

    assert caught.value.code == "affine-invalid"


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        (((1, 0, 0), (0, 1, 0), (0, 0, 1)), "LPS"),
        (((0, 0, -1), (1, 0, 0), (0, -1, 0)), "PIR"),
        (((-1, 0, 0), (0, -1, 0), (0, 0, 1)), "RAS"),
    ],
)
def test_axis_names_say_where_the_axes_point(direction, letters):
    assert Geometry((2, 2, 2), (1, 1, 1), (0, 0, 0), direction).axis_names() == letters


def test_resampling_onto_a_shifted_grid_moves_values_by_world_coordinates():
    values = np.zeros(GRID.shape_zyx, dtype=np.float32)
    values[1, 2, 3] = 7.0
    target = Geometry((2, 2, 1), GRID.spacing_mm, tuple(GRID.index_to_mm((3, 2, 1))), GRID.direction)

    moved = resample_array(values, GRID, target, interpolation="nearest", outside=-1.0)

    assert_array_equal(moved, [[[7.0, 0.0], [0.0, 0.0]]])


def test_voxels_outside_the_source_get_the_stated_value():
    target = Geometry((2, 1, 1), GRID.spacing_mm, tuple(GRID.index_to_mm((4, 0, 0))), GRID.direction)

    moved = resample_array(np.ones(GRID.shape_zyx, np.float32), GRID, target, interpolation="linear", outside=np.nan)

    assert moved[0, 0, 0] == 1.0
    assert np.isnan(moved[0, 0, 1])


def test_unknown_interpolation_names_the_choices():
    with pytest.raises(InputRefusedError, match="nearest, linear, bspline"):
        resample_array(np.ones(GRID.shape_zyx), GRID, GRID, interpolation="cubic", outside=0.0)


def test_a_grid_survives_the_way_through_json_exactly():
    assert Geometry.from_dict(GRID.as_dict()) == GRID


def test_simpleitk_is_the_oracle_for_a_region_of_a_tilted_image():
    image = sitk.Image([6, 5, 4], sitk.sitkFloat32)
    image.SetDirection([v for row in TILTED for v in row])
    image.SetSpacing((0.5, 0.6, 3.0))
    part = sitk.RegionOfInterest(image, [3, 3, 2], [2, 1, 1])

    _, whole = from_sitk(image)
    _, cut = from_sitk(part)

    assert_allclose(cut.origin_mm, whole.index_to_mm((2, 1, 1)), atol=1e-12)
