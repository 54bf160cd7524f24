"""Motion between phases: what is planted is what the images show."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import affine_transform

from spinekit.geometry import Geometry, to_sitk
from spinekit.phantom import simulate_case
from spinekit.phantom.compiled import count_labels, spline_image
from spinekit.phantom.motion import motion_of, moved, padded, rigid

GRID = Geometry(
    (48, 40, 12), (2.0, 2.0, 3.0), (-50.0, -30.0, 10.0), ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
)


def blob(geometry: Geometry, centre_mm: np.ndarray) -> np.ndarray:
    k, j, i = np.indices(geometry.shape_zyx)
    points = geometry.index_to_mm(np.stack([i, j, k], axis=-1))
    widths = np.array([5.0, 9.0, 7.0])
    return np.exp(-0.5 * (((points - centre_mm) / widths) ** 2).sum(axis=-1)).astype(np.float32)


def centre_of_mass_mm(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    k, j, i = (np.average(axis, weights=image) for axis in np.indices(image.shape))
    return geometry.index_to_mm((i, j, k))


def test_no_motion_is_the_default_and_leaves_the_bits_alone() -> None:
    still = simulate_case(2, size=(48, 48, 6))
    named = simulate_case(2, size=(48, 48, 6), motion="none")

    assert not still.motion.any()
    assert_array_equal(still.series.signal, named.series.signal)


@pytest.mark.parametrize("shift", [(3.0, 0.0, 0.0), (0.0, -4.0, 0.0), (0.0, 0.0, 5.0)])
def test_a_shift_moves_the_patient_by_that_much_in_lps(shift: tuple[float, float, float]) -> None:
    six = np.array([[*shift, 0.0, 0.0, 0.0]])
    wide, inner = padded(GRID, six)
    middle = GRID.index_to_mm(0.5 * (np.array(GRID.size) - 1))
    image = blob(wide, middle)

    displaced = moved(image, wide, GRID, six[0])

    assert_allclose(
        centre_of_mass_mm(displaced**2, GRID) - centre_of_mass_mm(image[inner] ** 2, GRID), shift, atol=0.05
    )


def test_a_turn_is_that_of_simpleitk() -> None:
    six = np.array([[2.0, -1.0, 1.5, 4.0, -3.0, 6.0]])
    wide, _ = padded(GRID, six)
    middle = GRID.index_to_mm(0.5 * (np.array(GRID.size) - 1))
    image = blob(wide, middle + np.array([8.0, -6.0, 4.0]))
    transform = sitk.Euler3DTransform(middle.tolist())
    transform.SetComputeZYX(True)
    transform.SetRotation(*np.deg2rad(six[0, 3:]))
    transform.SetTranslation(six[0, :3].tolist())
    reference = to_sitk(np.zeros(GRID.shape_zyx, np.float32), GRID)

    expected = sitk.Resample(to_sitk(image, wide), reference, transform.GetInverse(), sitk.sitkBSpline)

    assert_allclose(moved(image, wide, GRID, six[0]), sitk.GetArrayFromImage(expected), atol=0.003)


def test_a_rotation_keeps_lengths_and_handedness() -> None:
    turn, shift = rigid([1.0, 2.0, 3.0, 20.0, -10.0, 5.0])

    assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert shift.tolist() == [1.0, 2.0, 3.0]


def test_planted_motion_is_found_again_by_registration() -> None:
    motion = np.zeros((4, 6))
    motion[3] = [2.0, -3.0, 4.0, 0.0, 0.0, 4.0]
    case = simulate_case(4, size=(80, 80, 12), n_phases=4, snr=np.inf, motion=motion)
    still = simulate_case(4, size=(80, 80, 12), n_phases=4, snr=np.inf)
    fixed = to_sitk(still.series.signal[3], still.series.geometry)
    moving = to_sitk(case.series.signal[3], case.series.geometry)
    middle = case.series.geometry.index_to_mm(0.5 * (np.array(case.series.geometry.size) - 1))
    first = sitk.Euler3DTransform(middle.tolist())
    first.SetComputeZYX(True)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(first)

    found = sitk.Euler3DTransform(method.Execute(fixed, moving))

    corner = middle + np.array([30.0, 30.0, 20.0])
    turn, shift = rigid(motion[3])
    expected = turn @ (corner - middle) + middle + shift
    assert np.linalg.norm(np.array(found.TransformPoint(corner.tolist())) - expected) < 0.7


def test_the_first_phase_never_moves_and_strong_is_stronger_than_usual() -> None:
    size = {}
    for name in ("usual", "strong"):
        drawn = np.array([motion_of(name, seed, 10) for seed in range(200)])
        assert not drawn[:, 0].any()
        size[name] = np.abs(drawn[:, -1, :3]).mean()

    assert size["strong"] > 2 * size["usual"]
    assert 0.2 < size["usual"] < 1.5


def test_the_truth_is_that_of_no_displacement() -> None:
    still = simulate_case(3, size=(48, 48, 6), snr=np.inf)
    shaken = simulate_case(3, size=(48, 48, 6), snr=np.inf, motion="strong")

    assert_array_equal(shaken.lesion.mask, still.lesion.mask)
    assert_array_equal(shaken.t2.values, still.t2.values)
    assert not np.allclose(shaken.series.signal[-1], still.series.signal[-1], atol=1.0)


def test_the_compiled_spline_is_scipy_s() -> None:
    rng = np.random.default_rng(5)
    coefficients = rng.normal(size=(7, 12, 15)).astype(np.float32)
    matrix = np.eye(3) + 0.05 * rng.normal(size=(3, 3))
    offset = np.array([0.3, 1.7, -0.8])  # part of the result lies beyond the edge
    out = np.empty((6, 11, 13), dtype=np.float32)

    spline_image(coefficients, matrix, offset, out)

    kept = {"order": 3, "mode": "nearest", "prefilter": False}
    expected = affine_transform(coefficients, matrix, offset, out.shape, **kept)
    assert_allclose(out[1:-1, 2:-2, 2:-2], expected[1:-1, 2:-2, 2:-2], atol=1e-6)


def test_shares_of_labels_are_counted_in_blocks() -> None:
    labels = np.random.default_rng(6).integers(0, 4, (2, 6, 9)).astype(np.uint8)
    shares = np.empty((3, 3, 5), dtype=np.float32)

    count_labels(labels, 3, 2, shares)

    blocks = labels.reshape(2, 3, 2, 3, 3)  # z, y and what is in it, x and what is in it
    expected = np.stack([(blocks == label).mean(axis=(0, 2, 4)) for label in range(5)], axis=-1)
    assert_allclose(shares, expected, rtol=1e-6)
