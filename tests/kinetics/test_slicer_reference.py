"""Concentration, Tofts, area and slope against the maps of 3D Slicer's PkModeling on its digital reference object.

Slicer convolves by summing samples (each weighs the whole step that follows it) and moves each curve by whole
phases onto the arterial input; with both done here its own maps must come out. Ours, exact and with a free delay,
are held to the parameters that the object was made from.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose

import spinekit as sk
from spinekit.kinetics import descriptive
from spinekit.kinetics.fit import fit_tofts
from spinekit.kinetics.signal import concentration_from_signal

STEP_S, N_PHASES = 5.0, 60
RELAXIVITY, HEMATOCRIT = 3.7, 0.45  # with which the reference maps were made
AIF_PHASE = 8  # in which Slicer found the bolus in the artery


@pytest.fixture(scope="module")
def slicer(shared_data):
    folder = shared_data / "dce_4d_nrrd_multivolume_pkmodeling" / "DROs" / "Reference"

    def array(name):
        values = sitk.GetArrayFromImage(sitk.ReadImage(folder / f"DRO5min5secinf_AllOutputsExceptFpv-{name}.nrrd"))[0]
        return np.moveaxis(values, -1, 0).astype(float) if values.ndim == 3 else values.astype(float)

    return array


@pytest.fixture(scope="module")
def inputs(shared_data):
    return shared_data / "dce_4d_nrrd_multivolume_pkmodeling" / "DROs" / "Input"


def concentration(inputs, name, n_baseline):
    series = sk.read_series(inputs / f"{name}.nrrd")
    t1_s = sk.read_volume(inputs / "DRO-T1Map.nrrd").values[0] / 1000.0
    seconds, angle = series.acquisition.repetition_time_ms / 1000, series.acquisition.flip_angle_deg
    found = concentration_from_signal(
        series.signal[:, 0], n_baseline=n_baseline, t1_s=t1_s, repetition_time_s=seconds, flip_angle_deg=angle,
        relaxivity_per_mM_s=RELAXIVITY,
    )  # fmt: skip
    return found, series.times_s


@pytest.fixture(scope="module")
def content(inputs):
    return concentration(inputs, "DRO5min5secinf", 4)[0]


@pytest.fixture(scope="module")
def artery(inputs):
    return sk.read_volume(inputs / "DRO-AIF.nrrd").values[0] > 0


def test_concentration_is_slicer_s(slicer, content):
    tissue = slicer("ktrans") > 0
    assert tissue.sum() == 180

    # Slicer's baseline ends a phase or two later, where 1 % of the contrast agent is there already
    assert_allclose(content[:, tissue], slicer("conc")[:, tissue], rtol=0.01, atol=0.002)


def test_tofts_with_slicer_s_sum_and_shift_gives_slicer_s_maps_in_every_voxel(slicer, content, artery):
    ktrans, ve, arrival = (slicer(name) for name in ("ktrans", "ve", "bat"))
    tissue = ktrans > 0
    plasma = content[:, artery].mean(axis=1) / (1 - HEMATOCRIT)
    width_s = 1e-3  # each sample as a narrow triangle of the area of a whole step, just before its time
    knots = np.add.outer(np.arange(N_PHASES) * STEP_S, [-2 * width_s, -width_s, -1e-9]).ravel()
    heights = np.outer(plasma * STEP_S / width_s, [0.0, 1.0, 0.0]).ravel()
    moved = np.zeros((N_PHASES, int(tissue.sum())))
    for n, (shift, curve) in enumerate(
        zip((arrival[tissue] - AIF_PHASE).astype(int), content[:, tissue].T, strict=True)
    ):
        moved[: N_PHASES - shift, n] = curve[shift:]

    fit = fit_tofts(moved, np.arange(N_PHASES) * STEP_S, heights, plasma_times_s=knots, model="tofts")

    assert_allclose(fit.ktrans_per_min, ktrans[tissue], rtol=0.006)
    assert_allclose(fit.ve, ve[tissue], rtol=0.006)


def test_exact_convolution_and_a_free_delay_give_the_object_s_parameters_where_slicer_is_off_by_half(
    inputs, artery, slicer
):
    content, times_s = concentration(inputs, "DRO5min1secinf", 20)
    plasma = content[:, artery].mean(axis=1) / (1 - HEMATOCRIT)
    tissue = slicer("ktrans") > 0
    rows, columns = np.nonzero(tissue)
    ktrans = np.array([0.05, 0.1, 0.2, 0.3, 0.4])[(columns - 1) // 3]
    ve = np.array([0.15, 0.25, 0.35])[(rows - 1) // 4]
    vp = np.array([0.0, 0.01, 0.02, 0.03])[(rows - 1) % 4]
    delay_s = np.array([0.0, 2.0, 4.0])[(columns - 1) % 3]

    fit = fit_tofts(content[:, tissue], times_s, plasma, delay_range_s=(-5.0, 10.0))

    assert np.abs(slicer("ktrans")[tissue] / ktrans - 1).max() > 0.5
    assert_allclose(fit.ktrans_per_min, ktrans, rtol=0.07)
    assert_allclose(fit.ve, ve, rtol=0.05)
    assert_allclose(fit.vp, vp, atol=0.003)
    assert_allclose(fit.delay_s, delay_s, atol=0.3)


def test_area_under_slicer_s_fitted_curves_is_slicer_s(slicer):
    fitted, blood = slicer("fit"), slicer("conc")[:, 0, 0]
    times_s = np.arange(N_PHASES) * STEP_S

    def area(curves, phase):  # over 90 s, as Slicer does; one is added since ours is of an enhancement
        return descriptive.area_under_curve(
            1.0 + curves, times_s, n_baseline=1, bat_s=STEP_S * phase, length_s=90.0
        )  # fmt: skip

    for phase in (8, 9):
        here = (slicer("ktrans") > 0) & (slicer("bat") == phase)
        found = area(fitted[:, here], phase) / area(blood, AIF_PHASE)
        assert_allclose(found, slicer("auc")[here], rtol=1e-5)


def test_slope_is_slicer_s(slicer):
    curves = slicer("conc")
    tissue = slicer("maxslope") > 0
    middles = 0.5 * (curves[1:] + curves[:-1])  # steps between these are Slicer's central differences

    found = descriptive.steepest_wash_in(1.0 + middles, n_baseline=1)

    assert_allclose(found[tissue], slicer("maxslope")[tissue], rtol=1e-5)


def test_arrival_lies_about_a_phase_from_slicer_s_at_most(slicer, content):
    tissue = slicer("ktrans") > 0

    onset = descriptive.onset_time(1.0 + content, np.arange(N_PHASES) * STEP_S, n_baseline=4)

    assert np.abs(onset[tissue] - STEP_S * slicer("bat")[tissue]).max() <= 1.1 * STEP_S
