"""Conversion, arterial input, Tofts and T1 against the curves of the OSIPI task force, with its tolerances."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit.kinetics.aif import parker_aif
from spinekit.kinetics.fit import fit_tofts
from spinekit.kinetics.signal import concentration_from_signal
from spinekit.kinetics.t1 import t1_from_flip_angles


@pytest.fixture(scope="module")
def osipi(shared_data):
    csv.field_size_limit(10**8)

    def table(name):
        with (shared_data / "dce_curves_osipi" / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, skipinitialspace=True))

    return table


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


def test_all_five_signal_curves_give_the_reference_concentration(osipi):
    rows = osipi("si2conc/SI2Conc_data.csv")
    assert len(rows) == 5

    for row in rows:  # OSIPI leaves the first signal out of the baseline, and its concentration out of the comparison
        found = concentration_from_signal(
            numbers(row["s"])[1:],
            n_baseline=int(row["numbaselinepts"]) - 1,
            t1_s=float(row["T1base"]),
            repetition_time_s=float(row["TR"]),
            flip_angle_deg=float(row["FA"]),
            relaxivity_per_mM_s=float(row["r1"]),
        )
        assert_allclose(found, numbers(row["conc"])[1:], rtol=1e-5, atol=1e-5)


def parker_by_the_paper(minutes: np.ndarray) -> np.ndarray:
    """Equation 1 with Table 1 of Parker 2006."""
    first = 0.809 / (0.0563 * np.sqrt(2 * np.pi)) * np.exp(-((minutes - 0.17046) ** 2) / (2 * 0.0563**2))
    second = 0.330 / (0.132 * np.sqrt(2 * np.pi)) * np.exp(-((minutes - 0.365) ** 2) / (2 * 0.132**2))
    return first + second + 1.050 * np.exp(-0.1685 * minutes) / (1 + np.exp(-38.078 * (minutes - 0.483)))


# the grids of OSIPI's reference tables: (step s, length min)
PARKER_GRIDS = [(4.97, 5), *((s, 5) for s in (0.5, 1.0, 2.0, 2.5, 5.0, 7.5)), *((2.5, m) for m in (3, 5, 7, 10))]


@pytest.mark.parametrize(("step_s", "length_min"), PARKER_GRIDS)
def test_parker_s_curve_on_the_eleven_grids(step_s, length_min):
    minutes = np.arange(0, length_min, step_s / 60)

    found = parker_aif(minutes * 60, hematocrit=0.0)

    assert_allclose(found, parker_by_the_paper(minutes), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("delay_s", [0.0, 1.5, 3.0, 7.5, 2.0, 5.0, 10.0, 18.0, 31.0])
def test_parker_s_curve_with_the_nine_delays(delay_s):
    minutes = np.arange(0, 5, 1.5 / 60)
    expected = np.where(minutes < delay_s / 60, 0.0, parker_by_the_paper(minutes - delay_s / 60))

    found = parker_aif(minutes * 60, delay_s=delay_s, hematocrit=0.0)

    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("model", "count", "n_exact"), [("tofts", 25, 5), ("extended_tofts", 15, 3)])
def test_every_reference_object_gives_its_parameters(osipi, model, count, n_exact):
    rows = osipi(f"dce/dce_DRO_data_{model}.csv")
    assert len(rows) == count
    exact = 0

    for row in rows:
        fit = fit_tofts(
            numbers(row["C"]), numbers(row["t"]), numbers(row["ca"]), plasma_times_s=numbers(row["ta"]), model=model
        )
        truth = float(row["Ktrans"]), float(row["ve"]), float(row.get("vp", 0.0))
        high_snr = "highSNR" in row["label"]
        exact += high_snr
        limits = (1e-3,) * 3 if high_snr else (0.005 + 0.1 * truth[0], 0.05, 0.025)
        for found, true, limit in zip((fit.ktrans_per_min, fit.ve, fit.vp), truth, limits, strict=True):
            assert abs(found - true) <= limit, row["label"]
    assert exact == n_exact


@pytest.mark.parametrize(
    ("name", "count", "rate_per_s"),
    [
        ("brain", 76, lambda row: float(row["R1"])),
        ("quiba", 45, lambda row: 1000 * float(row["R1"])),
        ("prostate", 50, lambda row: 1000 / float(row["T1 nonlinear"])),
    ],
)
def test_t1_of_every_voxel_lies_within_the_tolerance(osipi, name, count, rate_per_s):
    rows = osipi(f"t1/t1_{name}_data.csv")
    assert len(rows) == count

    for row in rows:
        fit = t1_from_flip_angles(
            numbers(row["s"]),
            flip_angle_deg=numbers(row["FA"]),
            repetition_time_s=numbers(row["TR"]) / (1000 if name == "prostate" else 1),
        )
        assert abs(1 / fit.t1_s - rate_per_s(row)) <= 0.05 + 0.05 * rate_per_s(row), row["label"]
