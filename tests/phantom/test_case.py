"""One simulated case: the same from its seed, and true to its own truth."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import resample_to
from spinekit.errors import InputRefusedError
from spinekit.kinetics.signal import spgr_signal
from spinekit.phantom import SimulatedCase, simulate_case
from spinekit.phantom.entities import ENTITIES
from spinekit.provenance import hash_array

SMALL = (64, 64, 8)


@pytest.fixture(scope="module")
def case() -> SimulatedCase:
    return simulate_case(4, size=SMALL)


@pytest.fixture(scope="module")
def clean() -> SimulatedCase:
    return simulate_case(4, size=SMALL, snr=np.inf)


def test_the_same_seed_gives_the_same_bits(case: SimulatedCase) -> None:
    again = simulate_case(4, size=SMALL)

    assert_array_equal(again.series.signal, case.series.signal)
    assert_array_equal(again.t2.values, case.t2.values)
    assert_array_equal(again.lesion.mask, case.lesion.mask)
    assert again.seed_ijk == case.seed_ijk
    assert again.clinical == case.clinical


def test_another_seed_gives_another_case(case: SimulatedCase) -> None:
    assert not np.array_equal(simulate_case(5, size=SMALL).series.signal, case.series.signal)


def test_what_is_simulated_says_so(case: SimulatedCase) -> None:
    assert case.series.record["simulated"] is True
    assert case.series.time_source == "simulated"
    assert case.facts["simulated"] is True


def test_the_protocol_is_complete_and_the_phases_uneven(case: SimulatedCase) -> None:
    protocol = case.series.acquisition

    assert None not in (
        protocol.repetition_time_ms,
        protocol.echo_time_ms,
        protocol.flip_angle_deg,
        protocol.field_strength_t,
    )
    assert case.series.n_phases == 10
    assert np.ptp(np.diff(case.series.times_s)) > 1.0


def test_the_baseline_ends_before_the_bolus_arrives(case: SimulatedCase) -> None:
    arrival, times = case.facts["bolus_arrival_s"], case.series.times_s

    assert times[case.n_baseline - 1] < arrival < times[case.n_baseline]
    assert case.arterial_mm[case.times_s <= arrival].max() == 0.0
    assert case.arterial_mm.max() > 1.0


def test_the_seed_lies_inside_the_lesion(case: SimulatedCase) -> None:
    i, j, k = case.seed_ijk

    assert case.lesion.mask[k, j, i]


def test_the_lesion_enhances_and_the_cord_does_not(clean: SimulatedCase) -> None:
    before = clean.series.signal[: clean.n_baseline].mean(axis=0)
    rise = clean.series.signal.max(axis=0) / np.maximum(before, 1.0) - 1.0
    cord = clean.tissue.values == 17

    assert np.median(rise[clean.lesion.mask]) > 0.4
    assert np.median(rise[cord]) < 0.2


def test_a_voxel_of_pure_lesion_follows_the_closed_form(clean: SimulatedCase) -> None:
    # coil and density cancel in the ratio to the first phase; a deep voxel holds nothing but lesion
    i, j, k = clean.seed_ijk
    truth = {name: float(volume.values[k, j, i]) for name, volume in clean.truth.items()}
    protocol, times = clean.series.acquisition, clean.series.times_s
    fine = np.arange(0.0, times[-1] + 0.05, 0.05)
    blood = np.interp(fine, clean.times_s, clean.arterial_mm)  # known once a second only
    leaked = [
        np.trapezoid(blood[fine <= t] * np.exp(-truth["kep"] * (t - fine[fine <= t]) / 60.0), fine[fine <= t] / 60.0)
        for t in times
    ]
    content = truth["vp"] * np.interp(times, fine, blood) + truth["ktrans"] * np.array(leaked)
    expected = spgr_signal(
        content,
        t1_s=truth["t1"],
        repetition_time_s=protocol.repetition_time_ms / 1000,
        flip_angle_deg=protocol.flip_angle_deg,
    )

    assert_allclose(
        clean.series.signal[:, k, j, i] / clean.series.signal[0, k, j, i], expected / expected[0], rtol=0.01
    )


def test_the_means_over_the_lesion_are_the_rates_that_were_drawn(case: SimulatedCase) -> None:
    assert_allclose(case.ktrans.within(case.lesion).mean(), case.kinetics["ktrans"], rtol=1e-4)
    assert_allclose(case.kep.within(case.lesion).mean(), case.kinetics["kep"], rtol=1e-4)


def test_kep_is_ktrans_over_ve_wherever_something_leaks(case: SimulatedCase) -> None:
    leaky = np.isfinite(case.kep.values)

    assert leaky.any()
    assert_allclose(case.ktrans.values[leaky] / case.ve.values[leaky], case.kep.values[leaky], rtol=1e-5)


def test_air_has_no_truth(case: SimulatedCase) -> None:
    air = case.tissue.values == 0

    assert air.any()
    assert np.isnan(case.t1.values[air]).mean() > 0.9


def test_the_t2_is_sagittal_and_shows_the_same_lesion(case: SimulatedCase) -> None:
    assert set(case.t2.geometry.axis_names()[2]) <= {"L", "R"}
    assert set(case.series.geometry.axis_names()[2]) <= {"S", "I"}

    carried = resample_to(case.t2_outline, case.series.geometry)
    both = np.count_nonzero(carried.mask & case.lesion.mask)

    assert 2 * both / (carried.n_voxels + case.lesion.n_voxels) > 0.7
    assert abs(case.t2_outline.volume_ml / case.lesion.volume_ml - 1.0) < 0.2


@pytest.mark.parametrize("snr", [10.0, 40.0])
def test_the_noise_has_the_stated_ratio(clean: SimulatedCase, snr: float) -> None:
    noisy = simulate_case(4, size=SMALL, snr=snr)
    sigma = clean.series.signal[: clean.n_baseline, clean.lesion.mask].mean() / snr
    air = noisy.series.signal[clean.series.signal == 0.0]

    assert_allclose(noisy.facts["sigma"], sigma, rtol=1e-5)
    assert_allclose((air.astype(np.float64) ** 2).mean(), 2 * sigma**2, rtol=0.05)  # Rayleigh in air


def test_the_two_hospitals_differ(case: SimulatedCase) -> None:
    other = simulate_case(4, size=SMALL, hospital="B")

    assert other.entity == case.entity
    assert other.kinetics == case.kinetics
    assert other.series.acquisition.field_strength_t != case.series.acquisition.field_strength_t
    assert not np.allclose(other.series.times_s, case.series.times_s)


@pytest.mark.parametrize("diagnosis", ["metastasis", "primary"])
def test_the_diagnosis_can_be_fixed(diagnosis: str) -> None:
    assert simulate_case(0, size=(48, 48, 6), diagnosis=diagnosis).label == diagnosis


def test_a_disease_can_be_fixed() -> None:
    case = simulate_case(0, size=(48, 48, 6), entity="chordoma")

    assert (case.entity, case.label) == ("chordoma", "primary")
    assert case.facts["kinetics_published"] is False


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"hospital": "C"}, "choice-unknown"),
        ({"diagnosis": "myeloma"}, "choice-unknown"),
        ({"entity": "gout"}, "choice-unknown"),
        ({"diagnosis": "metastasis", "entity": "myeloma"}, "choice-unknown"),
        ({"motion": "wild"}, "choice-unknown"),
        ({"motion": [[0.0] * 6]}, "value-out-of-range"),
        ({"size": (24, 256, 256)}, "value-out-of-range"),
        ({"n_phases": 2}, "value-out-of-range"),
        ({"snr": 0.0}, "value-out-of-range"),
        ({"snr": float("nan")}, "value-out-of-range"),
    ],
)
def test_what_cannot_be_simulated_is_refused(wrong: dict[str, object], code: str) -> None:
    with pytest.raises(InputRefusedError) as refusal:
        simulate_case(1, **({"size": SMALL} | wrong))

    assert refusal.value.code == code


@pytest.mark.parametrize("n_phases", [3, 5, 25])
def test_other_numbers_of_phases_work(n_phases: int) -> None:
    case = simulate_case(2, size=(48, 48, 6), n_phases=n_phases)

    assert case.series.n_phases == n_phases
    assert 1 <= case.n_baseline < n_phases


def test_another_process_gives_the_same_bits(case: SimulatedCase) -> None:
    code = (
        "from spinekit.phantom import simulate_case; from spinekit.provenance import hash_array;"
        f"c = simulate_case(4, size={SMALL}); print(hash_array(c.series.signal), hash_array(c.t2.values))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout

    assert told.split() == [hash_array(case.series.signal), hash_array(case.t2.values)]


@pytest.mark.parametrize("entity", [entity.name for entity in ENTITIES])
def test_no_disease_leaves_the_physical_range(entity: str) -> None:
    case = simulate_case(6, size=(48, 48, 6), entity=entity)
    ve, vp = case.ve.within(case.lesion), case.vp.within(case.lesion)

    assert 0.0 < ve.min() <= ve.max() < 1.0
    assert 0.0 < vp.min() <= vp.max() < 0.5
    assert_allclose(case.kep.within(case.lesion).mean(), case.kinetics["kep"], rtol=1e-4)
