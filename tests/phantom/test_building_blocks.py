"""Frames, samples, painting, random fields: the pieces the patient is built of."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit.geometry import Geometry
from spinekit.phantom.anatomy import Anatomy
from spinekit.phantom.benign import draw_benign
from spinekit.phantom.randomness import SmoothField, stream, truncated_normal
from spinekit.phantom.sampling import PATIENT, Frame, Samples, rotated
from spinekit.phantom.shapes import capsule_depth, ellipsoid_depth
from spinekit.phantom.spine import LEVELS, Spine
from spinekit.phantom.tissue import TISSUES, tissue_index

OBLIQUE = Geometry((20, 16, 6), (2.0, 2.5, 4.0), (5.0, -7.0, 30.0), tuple(map(tuple, rotated(pitch_deg=12.0).T)))


def test_samples_lie_around_their_voxel_s_centre() -> None:
    samples = Samples(OBLIQUE, 3, sub=(2, 2, 3))
    x, y, z = (np.broadcast_to(v, samples.shape) for v in samples.local(PATIENT))
    means = [v.reshape(3, 16, 2, 20, 2).mean(axis=(0, 2, 4)) for v in (x, y, z)]
    j, i = np.indices((16, 20))

    expected = OBLIQUE.index_to_mm(np.stack([i, j, np.full_like(i, 3)], axis=-1))

    assert_allclose(np.stack(means, axis=-1), expected, atol=1e-4)


def test_a_box_holds_every_point_that_lies_in_it() -> None:
    frame = Frame(np.array([10.0, 5.0, 40.0]), rotated(pitch_deg=20.0, yaw_deg=10.0, roll_deg=30.0))
    low, high = np.array([-6.0, -4.0, -5.0]), np.array([7.0, 5.0, 6.0])
    for k in range(OBLIQUE.size[2]):
        samples = Samples(OBLIQUE, k, sub=(2, 2, 2))
        point = [np.broadcast_to(v, samples.shape) for v in samples.local(frame)]
        inside = np.all([(v >= a) & (v <= b) for v, a, b in zip(point, low, high, strict=True)], axis=0)
        box = samples.box(frame, low, high)
        covered = np.zeros(samples.shape, dtype=bool)
        if box is not None:
            covered[box] = True

        assert not (inside & ~covered).any()


def test_shares_of_tissue_add_up_to_one_and_count_points() -> None:
    samples = Samples(OBLIQUE, 0, sub=(2, 2, 1))
    labels = np.zeros(samples.shape, dtype=np.uint8)
    labels[0, 0, :3] = 4  # three points in the first row: one voxel gets two, the next one

    parts = samples.fractions(labels, 6)

    assert_allclose(parts.sum(axis=-1), 1.0)
    assert parts[0, 0, 4] == 0.5
    assert parts[0, 1, 4] == 0.25


def test_a_volume_by_partial_voxels_is_that_of_the_shape() -> None:
    grid = Geometry((20, 20, 12), (3.0, 3.0, 4.0), (-28.5, -28.5, -22.0))
    total = 0.0
    for k in range(12):
        samples = Samples(grid, k, sub=(3, 3, 4))
        inside = ellipsoid_depth(samples.local(PATIENT), (0.5, -0.3, 0.2), (14.0, 11.0, 9.0)) > 0
        total += samples.fractions(inside.astype(np.uint8), 2)[..., 1].sum() * grid.voxel_volume_mm3

    assert total == pytest.approx(4 / 3 * np.pi * 14 * 11 * 9, rel=0.005)


def test_a_capsule_is_as_deep_as_its_radius_along_its_axis() -> None:
    depth = capsule_depth((np.float32(1.0), np.float32(2.0), np.float32(0.0)), (0, 2, 0), (4, 2, 0), 1.5)

    assert float(depth) == pytest.approx(1.5)


def test_axes_of_a_turned_frame_stay_at_right_angles() -> None:
    axes = rotated(pitch_deg=33.0, yaw_deg=-12.0, roll_deg=71.0)

    assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)


def test_a_smooth_field_has_unit_variance_and_its_length() -> None:
    values, near = [], []
    for seed in range(40):
        field = SmoothField.draw(stream(seed, "field"), length_mm=8.0)
        points = stream(seed, "points").uniform(-100, 100, (3, 200))
        values.append(field(*points))
        near.append(field(points[0] + 8.0, points[1], points[2]))
    first, second = np.ravel(values), np.ravel(near)

    assert first.var() == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(np.exp(-0.5), abs=0.08)


def test_a_truncated_normal_stays_in_its_bounds() -> None:
    drawn = [truncated_normal(stream(n, "bounds"), 0.0, 5.0, low=-1.0, high=2.0) for n in range(300)]

    assert min(drawn) >= -1.0
    assert max(drawn) <= 2.0


@pytest.mark.parametrize("seed", range(6))
def test_vertebrae_follow_each_other_downwards_without_overlap(seed: int) -> None:
    spine = Spine.draw(seed, target="L2", age=60.0, centre_mm=np.zeros(3))

    assert_allclose(spine.level("L2").frame.centre, 0.0, atol=1e-9)
    for above, below in zip(spine.vertebrae, spine.vertebrae[1:], strict=False):
        gap = np.linalg.norm(above.frame.centre - below.frame.centre) - above.half_height - below.half_height
        assert above.frame.centre[2] > below.frame.centre[2]
        assert 0.0 < gap < 20.0


def test_the_lumbar_spine_is_lordotic() -> None:
    spine = Spine.draw(1, target="L3", age=50.0, centre_mm=np.zeros(3))

    assert spine.level("L1").frame.axes[2][1] > 0.0  # leans backwards: its upper end lies behind
    assert spine.level("S1").frame.axes[2][1] < -0.2  # and the sacrum forwards


def test_every_tissue_of_the_list_occurs() -> None:
    seen: set[int] = set()
    grid = Geometry((160, 150, 60), (2.0, 2.0, 5.0), (-160.0, -190.0, -150.0))
    for seed in range(3):
        anatomy = Anatomy.draw(seed, target="L2", age=70.0)
        for k in range(0, 60, 2):
            seen.update(np.unique(anatomy.labels(Samples(grid, k, sub=(1, 1, 1)))).tolist())
    mixed_in = {tissue_index("yellow_marrow"), tissue_index("degenerate_nucleus")}
    confounders = {tissue_index("haemangioma"), tissue_index("oedema")}

    assert seen | mixed_in | confounders == set(range(len(TISSUES)))


def test_confounders_are_common_in_the_old_and_spare_the_target() -> None:
    found = []
    for seed in range(80):
        spine = Spine.draw(seed, target="L3", age=75.0, centre_mm=np.zeros(3))
        found.extend(draw_benign(seed, spine, target="L3"))
    kinds = [change.kind for change in found]

    assert {"haemangioma", "Modic 1", "Modic 2"} <= set(kinds)
    assert not any(change.kind == "haemangioma" and change.level == "L3" for change in found)
    assert 0.04 < kinds.count("haemangioma") / (80 * (len(LEVELS) - 5)) < 0.10


def test_streams_of_different_parts_do_not_depend_on_each_other() -> None:
    first = stream(5, "a").normal(size=4)
    stream(5, "b").normal(size=100)

    assert_allclose(stream(5, "a").normal(size=4), first, rtol=0)
