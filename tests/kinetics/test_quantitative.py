"""Ktrans, kep, ve and vp of a series: held to the simulator's truth; refused or called exploratory where due."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import binary_erosion

import spinekit as sk
from spinekit.case import Acquisition, DynamicSeries, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.kinetics import QUANTITATIVE, image_derived_aif, quantitative_maps
from spinekit.kinetics.quantitative import Input
from spinekit.kinetics.signal import spgr_signal
from spinekit.kinetics.tofts import extended_tofts
from spinekit.phantom import simulate_case
from spinekit.phantom.contrast import BloodCurve
from spinekit.settings import Kinetics

SIZE = (96, 96, 12)
ASSUMED = Kinetics(assumed_t1_ms=1500.0)


@pytest.fixture(scope="module")
def cases():
    """The same patients at SNR 20 and without noise."""
    return [(simulate_case(s, size=SIZE, snr=20.0), simulate_case(s, size=SIZE, snr=np.inf)) for s in (1, 4)]


def true_input(case) -> Input:
    return Input(case.times_s, case.arterial_mm, "truth", True)


def inside(case):
    """Voxels that hold the lesion alone: at its edge the truth is the lesion's, the signal that of a mixture."""
    return binary_erosion(case.lesion.mask) & np.isfinite(case.ktrans.values)


def test_ktrans_at_snr_20_with_the_true_input_is_unbiased_to_five_percent(cases):
    shares = []
    for noisy, _ in cases:
        maps = quantitative_maps(
            noisy.series, noisy.n_baseline, noisy.lesion, t1=noisy.t1, arterial=true_input(noisy)
        )  # fmt: skip
        where = inside(noisy) & np.isfinite(maps["ktrans"].values)
        shares.append(np.mean(maps["ktrans"].values[where]) / np.mean(noisy.ktrans.values[where]) - 1)

    assert np.abs(shares).max() <= 0.05


def test_without_noise_the_truth_comes_back(cases):
    for _, clean in cases:
        maps = quantitative_maps(
            clean.series, clean.n_baseline, clean.lesion, t1=clean.t1, arterial=true_input(clean)
        )  # fmt: skip
        for name, limit in (("ktrans", 0.01), ("kep", 0.01)):
            true = getattr(clean, name).values
            where = inside(clean) & np.isfinite(maps[name].values) & (true > 0)
            assert np.median(np.abs(maps[name].values[where] / true[where] - 1)) < limit, name


def test_maps_without_noise_are_those_of_the_model_to_one_percent_and_of_the_lesion_to_eight_at_snr_20(cases):
    errors: dict[str, list[float]] = {}
    for noisy, clean in cases:
        blood = BloodCurve(arrival_s=clean.facts["bolus_arrival_s"])
        where = inside(clean)
        content = blood.tissue(
            clean.series.times_s,
            ktrans_per_min=clean.ktrans.values[where],
            kep_per_min=clean.kep.values[where],
            vp=clean.vp.values[where],
        )
        signal = spgr_signal(
            content.T,
            t1_s=clean.t1.values[where],
            repetition_time_s=clean.series.acquisition.repetition_time_ms / 1000,
            flip_angle_deg=clean.series.acquisition.flip_angle_deg,
        )
        grid = Geometry((int(where.sum()), 1, 1), (1.0, 1.0, 1.0))
        model = DynamicSeries(signal[:, None, None, :], clean.series.times_s, grid, "simulated")
        names = ("relative_enhancement_peak", "steepest_wash_in", "wash_out_ratio")
        truth = sk.parameter_maps(model, clean.n_baseline, names=names)
        exact = sk.parameter_maps(clean.series, clean.n_baseline, names=names)
        measured = sk.parameter_maps(noisy.series, clean.n_baseline, names=names)
        size = np.nanmean(truth["relative_enhancement_peak"].values)  # wash-out passes through 0: in units of the peak
        for name in names:
            true = truth[name].values.ravel()
            scale = size if name == "wash_out_ratio" else np.nanmean(true)
            assert np.nanmax(np.abs(exact[name].values[where] - true)) / scale <= 0.01, name
            shift = np.nanmean(measured[name].values[where]) - np.nanmean(exact[name].values[where])
            errors.setdefault(name, []).append(abs(shift) / scale)

    for name, shares in errors.items():
        assert np.median(shares) <= 0.08, name


def test_quantities_need_a_t1_and_say_what_to_do(cases):
    noisy = cases[0][0]

    with pytest.raises(InputRefusedError, match=r"assumed_t1_ms") as refused:
        sk.parameter_maps(noisy.series, noisy.n_baseline, noisy.lesion, names=["ktrans"])
    assert refused.value.code == "protocol-insufficient"


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (Acquisition(), "repetition time and flip angle"),
        (Acquisition(repetition_time_ms=4.0), "flip angle"),
        (Acquisition(flip_angle_deg=15.0), "repetition time"),
    ],
)
def test_quantities_need_the_protocol(cases, told, missing):
    noisy = cases[0][0]
    series = replace(noisy.series, acquisition=told)

    with pytest.raises(InputRefusedError, match=f"does not tell its {missing}") as refused:
        sk.parameter_maps(series, noisy.n_baseline, noisy.lesion, names=["ve"], settings=ASSUMED)
    assert refused.value.code == "protocol-insufficient"


def test_an_assumed_t1_is_called_an_assumption_and_the_maps_exploratory(cases):
    noisy = cases[0][0]

    maps = sk.parameter_maps(
        noisy.series, noisy.n_baseline, noisy.lesion, names=["wash_in_slope", *QUANTITATIVE], settings=ASSUMED
    )

    record = maps.record["quantitative"]
    assert tuple(maps) == ("wash_in_slope", *QUANTITATIVE)
    assert record["t1"] == "assumed, 1.5 s everywhere"
    assert "T1 is assumed, not measured" in record["exploratory"]
    assert any(w.startswith("[quantities-exploratory]") and "exploratory" in w for w in maps.warnings)
    assert np.isnan(maps["ktrans"].values[~noisy.lesion.mask]).all()
    defined = np.isfinite(maps["ktrans"].values[noisy.lesion.mask]).sum()
    assert defined + sum(maps.undefined["ktrans"].values()) == noisy.lesion.n_voxels
    assert_allclose(maps["ve"].values, maps["ktrans"].values / maps["kep"].values, rtol=1e-5)


def test_descriptive_maps_are_the_same_beside_quantitative_ones(cases):
    noisy = cases[0][0]

    alone = sk.parameter_maps(noisy.series, 2, noisy.lesion, names=["auc60"])
    beside = sk.parameter_maps(noisy.series, 2, noisy.lesion, names=["kep", "auc60"], settings=ASSUMED)

    assert_array_equal(alone["auc60"].values, beside["auc60"].values)


def full_protocol():
    """A series as a quantitative protocol measures it: 60 phases of 4 s, an artery in its first row."""
    times, grid = np.arange(60) * 4.0, Geometry((8, 4, 1), (1.0, 1.0, 3.0))
    fine = np.arange(0.0, 240.0)
    plasma = np.interp(times, fine, BloodCurve(arrival_s=20.0).concentration(fine)) / 0.58
    ktrans = np.full((4, 8), 0.12)
    tissue = extended_tofts(plasma, times, ktrans_per_min=ktrans, kep_per_min=0.6, vp=0.03)
    tissue[:, 0] = 0.58 * plasma[:, None]
    t1 = np.full((4, 8), 1.4)
    t1[0] = 1.6
    told = Acquisition(repetition_time_ms=4.0, flip_angle_deg=20.0)
    signal = 1000 * spgr_signal(tissue, t1_s=t1, repetition_time_s=0.004, flip_angle_deg=20.0)
    series = DynamicSeries(signal[:, None], times, grid, "times_s", acquisition=told)
    artery = np.zeros(grid.shape_zyx, bool)
    artery[0, 0] = True
    return series, sk.Roi(artery, grid, name="aorta"), Volume(t1[None], grid, "t1", "s")


def test_a_measured_input_and_t1_of_a_full_protocol_are_not_exploratory_and_give_the_truth():
    series, artery, t1 = full_protocol()

    blood = image_derived_aif(series, artery, n_baseline=4)
    maps = sk.parameter_maps(series, 4, names=QUANTITATIVE, t1=t1, arterial=blood)

    assert maps.record["quantitative"]["exploratory"] == []
    assert not any("exploratory" in w for w in maps.warnings)
    assert "aorta" in maps.record["quantitative"]["arterial_input"]
    assert_allclose(maps["ktrans"].values[0, 1:], 0.12, rtol=0.01)
    assert_allclose(maps["vp"].values[0, 1:], 0.03, atol=0.001)


def region_of_one_delay(step_s: float):
    """A region of 400 kinds of tissue that the bolus reaches 2 s after the artery, at SNR 20."""
    rng = np.random.default_rng(9)
    times, grid = np.concatenate([[0.0, 12.0], 12.0 + step_s * np.arange(1, 1 + int(180 / step_s))]), Geometry(
        (20, 20, 1), (1.0, 1.0, 3.0)
    )  # fmt: skip
    blood = BloodCurve(arrival_s=14.0)
    ktrans, kep, vp = rng.uniform((0.08, 0.3, 0.0), (0.2, 1.2, 0.03), (400, 3)).T
    content = blood.tissue(times - 2.0, ktrans_per_min=ktrans, kep_per_min=kep, vp=vp).T
    signal = spgr_signal(content, t1_s=1.3, repetition_time_s=0.004, flip_angle_deg=15.0)
    signal = signal / signal[0].mean() * 20.0 + rng.standard_normal(signal.shape)
    told = Acquisition(repetition_time_ms=4.0, flip_angle_deg=15.0)
    series = DynamicSeries(signal.reshape(-1, 1, 20, 20), times, grid, "times_s", acquisition=told)
    fine = np.arange(0.0, times[-1] + 1.0)
    arterial = Input(fine, blood.concentration(fine), "truth", True)
    return series, sk.Roi(np.ones(grid.shape_zyx, bool), grid), arterial, ktrans


def test_phases_far_apart_share_the_region_s_delay_which_brings_voxels_nearer_to_the_truth():
    series, roi, arterial, true = region_of_one_delay(10.0)

    shared = quantitative_maps(series, 2, roi, t1=1.3, arterial=arterial)
    own = quantitative_maps(series, 2, roi, t1=1.3, arterial=arterial, shared_delay=False)

    errors = [np.nanmedian(np.abs(maps["ktrans"].values.ravel() / true - 1)) for maps in (shared, own)]
    assert shared.record["shared_delay_s"] == pytest.approx(2.0, abs=1.0)
    assert own.record["shared_delay_s"] is None
    assert errors[0] < 0.95 * errors[1]
    assert abs(np.nanmean(shared["ktrans"].values) / true.mean() - 1) < 0.03


def test_phases_close_together_and_a_whole_series_keep_each_voxel_s_own_delay():
    series, roi, arterial, _ = region_of_one_delay(4.0)
    apart = region_of_one_delay(14.0)[0]

    for given, within in ((series, roi), (apart, None)):
        maps = quantitative_maps(given, 2, within, t1=1.3, arterial=arterial)
        assert maps.record["shared_delay_s"] is None


def test_the_delay_of_a_region_without_uptake_is_not_told():
    series, roi, arterial, _ = region_of_one_delay(14.0)
    flat = replace(series, signal=np.full_like(series.signal, 100.0))

    maps = quantitative_maps(flat, 2, roi, t1=1.3, arterial=arterial)

    assert maps.record["shared_delay_s"] is None
    assert np.isnan(maps["ktrans"].values).all()


def test_a_t1_in_milliseconds_and_an_unknown_input_are_refused():
    series, _, _ = full_protocol()

    with pytest.raises(InputRefusedError, match="milliseconds"):
        quantitative_maps(series, 4, t1=1400.0)
    with pytest.raises(InputRefusedError) as refused:
        quantitative_maps(series, 4, t1=1.4, arterial="quick")
    assert refused.value.code == "choice-unknown"


def test_mapping_takes_no_more_memory_than_twice_the_series():
    rng = np.random.default_rng(0)
    signal = 100 + 50 * rng.random((10, 16, 160, 160), dtype=np.float32)
    series = DynamicSeries(signal, np.arange(10) * 12.0, Geometry((160, 160, 16), (1.0, 1.0, 3.0)), "times_s")
    sk.parameter_maps(series, 2)
    tracemalloc.start()

    sk.parameter_maps(series, 2)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2 * signal.nbytes  # beside the series itself, which makes three
