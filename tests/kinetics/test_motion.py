"""Motion between phases: what is planted is taken out, what is left is told, nothing moves where nothing moved."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.kinetics import correct_motion, parameter_maps
from spinekit.phantom import simulate_case
from spinekit.phantom.motion import moved, padded, rigid

GRID = Geometry((64, 64, 16), (2.0, 2.0, 4.0), (-63.0, -63.0, -30.0))
TIMES_S = np.array([0.0, 30.0, 60.0])


def blobs(grid: Geometry) -> np.ndarray:
    """Forty Gaussian blobs: a body with structure everywhere."""
    rng = np.random.default_rng(6)
    k, j, i = np.indices(grid.shape_zyx)
    points = grid.index_to_mm(np.stack([i, j, k], axis=-1))
    image = np.zeros(grid.shape_zyx, np.float32)
    for _ in range(40):
        centre, width = rng.uniform(-45, 45, 3) * [1, 1, 0.5], rng.uniform(5, 11)
        image += rng.uniform(30, 120) * np.exp(-0.5 * ((points - centre) ** 2).sum(axis=-1) / width**2)
    return image


@pytest.fixture(scope="module")
def shaken():
    """Three phases, the last of which lies 6 mm and 4 degrees off; contrast agent changes all signals."""
    motion = np.zeros((3, 6))
    motion[2] = [4.0, -4.0, 2.0, 0.0, 2.4, 3.2]
    wide, inner = padded(GRID, motion)
    body = blobs(wide)
    rng = np.random.default_rng(1)
    last = moved(body, wide, GRID, motion[2])
    phases = [body[inner], body[inner] ** 1.1, last**1.1 * 0.9]
    signal = np.array(phases) + 20 + 2 * rng.standard_normal((3, *GRID.shape_zyx))
    series = DynamicSeries(signal, TIMES_S, GRID, "times_s", record={"simulated": True})
    return series, motion, *correct_motion(series, n_baseline=1, reference=1)


def test_six_millimetres_and_four_degrees_leave_less_than_half_a_millimetre(shaken):
    _, motion, _, report = shaken
    rng = np.random.default_rng(0)
    points = rng.uniform(-40, 40, (300, 3))
    centre = np.array(GRID.index_to_mm(0.5 * (np.array(GRID.size) - 1)))
    for t in range(3):
        turn, shift = rigid(motion[t])
        found_turn, found_shift = rigid(report.transforms[t])
        rest = (points - centre) @ (turn - found_turn).T + shift - found_shift
        assert np.sqrt((rest**2).sum(axis=1).mean()) <= 0.5

    assert report.displacement_mm[2] > 5.0
    assert report.displacement_mm[1] == 0.0


def test_what_is_left_and_its_effect_on_the_maps_are_told(shaken):
    _, _, corrected, report = shaken

    assert report.residual_mm.max() <= 0.5
    assert corrected.record["motion"]["residual_mm"] == report.residual_mm.tolist()
    assert report.effect["relative_enhancement_peak"] > 0.005
    assert not any("motion-left" in w for w in corrected.warnings)


def test_corrected_phases_resemble_the_reference_more(shaken):
    series, _, corrected, report = shaken
    inner = (slice(2, -2), slice(8, -8), slice(8, -8))
    reference = series.signal[report.reference][inner].ravel()

    def likeness(signal):
        return np.corrcoef(signal[2][inner].ravel(), reference)[0, 1]

    assert likeness(corrected.signal) > 0.97 > likeness(series.signal)
    assert_array_equal(corrected.signal[1], series.signal[1])


def test_the_same_series_gives_the_same_bits(shaken):
    series, _, corrected, report = shaken

    again, told = correct_motion(series, n_baseline=1, reference=1)

    assert again.signal.tobytes() == corrected.signal.tobytes()
    assert_array_equal(told.transforms, report.transforms)


def test_a_patient_who_lay_still_is_hardly_moved():
    case = simulate_case(4, size=(64, 64, 12), n_phases=3, snr=np.inf)

    corrected, report = correct_motion(case.series, n_baseline=1, within=case.lesion)

    assert report.displacement_mm.max() < 0.6
    assert parameter_maps(corrected, 1)["relative_enhancement_peak"].values.shape == case.lesion.mask.shape


def test_a_reference_that_is_no_phase_is_refused(shaken):
    with pytest.raises(InputRefusedError) as refused:
        correct_motion(shaken[0], reference=3)
    assert refused.value.code == "value-out-of-range"
