"""Axis order and sides: what the page holds and what Python holds are the same voxels, on any grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spinekit.case import DynamicSeries, Volume
from spinekit.geometry import Geometry
from spinekit.widgets.canvas import Canvas
from spinekit.widgets.shown import Shown

SIZE = (5, 7, 3)  # all different, so that two axes taken for each other cannot go unseen
AXES = list(itertools.permutations(range(3)))
SIGNS = list(itertools.product((1.0, -1.0), repeat=3))


def grid(axes=(0, 1, 2), signs=(1.0, 1.0, 1.0)) -> Geometry:
    direction = np.zeros((3, 3))
    for column, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        direction[axis, column] = sign
    return Geometry(SIZE, (1.0, 1.5, 4.0), (-10.0, 20.0, 30.0), tuple(map(tuple, direction)))


def tilted(degrees: float) -> Geometry:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Geometry(SIZE, (1.0, 1.5, 4.0), (-10.0, 20.0, 30.0), ((1, 0, 0), (0, c, -s), (0, s, c)))


GRIDS = [grid(a, s) for a in AXES for s in SIGNS] + [tilted(20.0), tilted(-30.0)]


def asymmetric() -> np.ndarray:
    """An L with a foot: no turn and no mirror image of it is the same."""
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[0, 1, 1:4] = True
    mask[0, 1:6, 1] = True
    mask[1, 5, 1:3] = True
    return mask


@pytest.mark.parametrize("geometry", GRIDS)
def test_an_asymmetric_shape_comes_back_as_it_was(geometry):
    canvas = Canvas(geometry)

    assert np.array_equal(canvas.from_viewer(canvas.to_viewer(asymmetric())), asymmetric())
    assert np.array_equal(canvas.mask_from_bitmap(canvas.to_viewer(asymmetric()).ravel()), asymmetric())


@pytest.mark.parametrize("geometry", GRIDS)
def test_every_voxel_of_the_page_lies_where_its_voxel_lies_in_the_world(geometry):
    canvas, mask = Canvas(geometry), asymmetric()
    to_ras, to_ijk = canvas.affine_ras(), canvas.index_matrix()

    for s, a, r in np.argwhere(canvas.to_viewer(mask)):
        i, j, k = (to_ijk @ [r, a, s, 1])[:3].astype(int)
        assert mask[k, j, i]
        x, y, z = geometry.index_to_mm((i, j, k))
        np.testing.assert_allclose((to_ras @ [r, a, s, 1])[:3], [-x, -y, z], atol=1e-9)


@pytest.mark.parametrize("geometry", GRIDS)
def test_the_page_s_axes_rise_to_right_anterior_and_superior(geometry):
    affine = Canvas(geometry).affine_ras()

    assert all(affine[axis, axis] > 0 for axis in range(3))
    assert np.array_equal(np.abs(affine[:3, :3]).argmax(axis=0), [0, 1, 2])


def test_runs_hold_labels_start_and_length():
    canvas, labels = Canvas(grid()), np.zeros(SIZE[::-1], dtype=np.uint8)
    labels[2, 3, 1:4] = 1
    labels[0, 0, 0] = 7
    flat = np.zeros(labels.size, dtype=np.uint8)

    for start, length, value in canvas.runs(labels):
        flat[start : start + length] = value

    assert np.array_equal(flat, canvas.to_viewer(labels).ravel())
    assert len(canvas.runs(labels)) == 2
    assert len(canvas.runs(np.zeros_like(labels))) == 0


def test_a_frame_holds_its_values_to_the_16_bits_of_a_screen_and_marks_what_is_no_number():
    values = np.random.default_rng(1).normal(100.0, 30.0, (4, *SIZE[::-1])).astype(np.float32)
    values[2, 1, 2, 3] = np.nan
    shown = Shown(DynamicSeries(values, [0, 10, 20, 30], grid((1, 0, 2), (-1, 1, -1)), "times_s"), "CE")
    about = shown.about("series")

    stored = np.frombuffer(shown.frame(2), dtype=np.int16).reshape(shown.canvas.shape)
    back = shown.canvas.from_viewer(about["low"] + about["slope"] * (stored.astype(float) + 32767))

    assert stored.min() == -32768
    known = np.isfinite(values[2])
    np.testing.assert_allclose(back[known], values[2][known], atol=about["slope"])
    assert about["n_frames"] == 5
    assert about["groups"][-1] == "enhancement"
    assert about["frame_names"][0] == "0 · 0 s · baseline"


@pytest.mark.parametrize(("axes", "native"), [((0, 1, 2), "axial"), ((1, 2, 0), "sagittal"), ((0, 2, 1), "coronal")])
def test_the_plane_in_which_an_image_was_acquired_comes_first(axes, native):
    image = Volume(np.ones(SIZE[::-1], dtype=np.float32), grid(axes))

    assert Shown(image, "T2", native_only=True).about("t2")["planes"] == [native]
    assert Shown(image, "T2").about("t2")["planes"][0] == native


def test_an_image_of_one_value_or_none_still_has_a_window():
    for value in (0.0, 5.0, np.nan):
        image = Volume(np.full(SIZE[::-1], value, dtype=np.float32), grid())
        about = Shown(image, "flat").about("flat")

        assert about["slope"] > 0
        assert about["windows"]["signal"][0] < about["windows"]["signal"][1]
