"""Cases measured under perturbation, from the simulated patient to the tables and the figure."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.errors import InputRefusedError
from spinekit.phantom import simulate_case
from spinekit.radiomics import parts_of
from spinekit.segmentation import grow_region
from spinekit.segmentation.agreement import dice
from spinekit.settings import Growing
from spinekit.study.stability import StabilityPlan, run_stability
from spinekit.workflow import simulated_measurements
from spinekit.workflow.perturbing import Perturbed, noise_of, perturbed
from spinekit.workflow.stability import _measured_or_none

QUICK = {"discretisation": {"bin_count": 16}, "families": ("shape", "firstorder"), "images": ("phase_peak",)}


@pytest.fixture(scope="module")
def case():
    return simulate_case(4, size=(72, 72, 10))


@pytest.fixture(scope="module")
def ways(case):
    roi = grow_region(case.series, [case.seed_ijk], n_baseline=case.n_baseline)
    return list(perturbed(case.series, roi, seeds=[case.seed_ijk], n_baseline=case.n_baseline))


def test_every_kind_of_perturbation_is_there_once_named(ways):
    kinds = [way.name.split(":")[0] for way in ways]
    assert kinds[0] == "reference"
    assert {"seed", "border", "position", "reader", "noise"} <= set(kinds)
    assert len({way.name for way in ways}) == len(ways)
    for way in ways:
        assert way.roi.geometry == ways[0].roi.geometry


def test_a_region_grown_anew_is_still_the_same_lesion(ways):
    for way in ways:
        if way.name.startswith(("seed", "tolerance")):
            assert dice(way.roi.mask, ways[0].roi.mask) >= 0.5


def test_a_region_grown_with_a_tolerance_is_grown_with_ten_per_cent_more_and_less():
    case = simulate_case(7, size=(72, 72, 10))
    roi = grow_region(case.series, [case.seed_ijk], n_baseline=case.n_baseline, tolerance=2.0)
    growing = Growing(tolerance=2.0)
    found = {way.name: way.roi for way in perturbed(case.series, roi, seeds=[case.seed_ijk], growing=growing,
                                                    n_baseline=case.n_baseline, noise=False)}  # fmt: skip
    less, more = found["tolerance: - 10 %"], found["tolerance: + 10 %"]
    assert less.n_voxels <= roi.n_voxels <= more.n_voxels
    assert (less.record["tolerance"], more.record["tolerance"]) == (1.8, 2.2)


def test_a_drawn_region_is_not_grown_again_and_the_same_call_gives_the_same(case, ways):
    drawn = [list(perturbed(case.series, case.lesion, seeds=[], n_baseline=1, seed=3)) for _ in range(2)]
    assert not any(way.name.startswith(("seed", "tolerance")) for way in drawn[0])
    for first, second in zip(*drawn, strict=True):
        assert_array_equal(first.roi.mask, second.roi.mask)
        assert_array_equal(first.series.signal[1], second.series.signal[1])


@pytest.mark.parametrize("snr", [10.0, 40.0])
def test_the_noise_is_estimated_from_the_image(snr):
    noisy, clean = (simulate_case(4, size=(72, 72, 10), snr=value) for value in (snr, float("inf")))
    lesion = noisy.lesion.mask
    spread = float((noisy.series.signal[0] - clean.series.signal[0])[lesion].std())
    assert 0.75 * spread < noise_of(noisy.series) < 1.35 * spread


def test_the_command_writes_tables_a_figure_and_what_they_rest_on(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    names = ["original_shape_MeshVolume", "phase_peak_original_glcm_Id", "phase_peak_original_ngtdm_Busyness"]
    truth = rng.normal(size=(5, 3))

    def measured(n, *, progress=None, keep=None, **choices):
        assert choices["wavelet"] == "coif1"
        tables = {}
        for name, noise in (("reference", 0.0), ("seed: 1", 0.1), ("protocol: hospital B", 0.4)):
            tables[name] = pd.DataFrame(truth + noise * rng.normal(size=(5, 3)), [f"c{k}" for k in range(5)], names)
        return tables

    monkeypatch.setattr("spinekit.workflow.simulated_measurements", measured)
    result = CliRunner().invoke(app, ["stability", "--out", str(tmp_path / "s"), "--n", "5"])
    assert result.exit_code == 0, result.output
    assert "76.4 % of 1702" in result.stdout
    assert "SIMULATED" in result.stdout
    table = pd.read_csv(tmp_path / "s" / "stability.csv", index_col="column")
    assert list(table.index) == names
    kept = pd.read_csv(tmp_path / "s" / "measurements.csv", index_col=[0, 1])
    assert kept.index.get_level_values("perturbation").unique().tolist() == [
        "reference", "seed: 1", "protocol: hospital B"]  # fmt: skip
    record = json.loads((tmp_path / "s" / "stability.json").read_text())
    assert record["simulated"] is True
    assert record["perturbations"]["seed: 1"] == 5
    assert (tmp_path / "s" / "stability.png").read_bytes().startswith(b"\x89PNG")


def test_two_cases_are_too_few_for_a_correlation(tmp_path):
    with pytest.raises(InputRefusedError, match="2 cases were given"):
        run_stability(StabilityPlan(cases=(tmp_path / "a", tmp_path / "b")), tmp_path / "out")


def test_simulated_patients_are_scanned_by_both_hospitals():
    tables = simulated_measurements(1, first_seed=4, size=(72, 72, 10), **QUICK)
    assert "protocol: hospital B" in tables
    assert tables["reference"].index.tolist() == ["simulated-4"]
    assert {parts_of(c)[0] for c in tables["reference"].columns} == {"", "phase_peak"}
    assert (tables["noise: twice the variance"].filter(regex="firstorder_Mean$") !=
            tables["reference"].filter(regex="firstorder_Mean$")).all(axis=None)  # fmt: skip


def test_a_lesion_that_cannot_be_measured_does_not_stop_the_others(monkeypatch):
    def measured(seed, **_):
        return {} if seed == 1 else {"reference": pd.Series({"original_shape_Flatness": float(seed)})}

    monkeypatch.setattr("spinekit.workflow.stability._simulated", measured)
    tables = simulated_measurements(3, first_seed=0)
    assert tables["reference"].index.tolist() == ["simulated-0", "simulated-2"]


def test_a_run_that_was_stopped_goes_on_with_the_case_it_was_at(tmp_path, monkeypatch):
    measured = []

    def one(seed, **_):
        measured.append(seed)
        return {"reference": pd.Series({"original_shape_Flatness": seed + 0.1, "original_shape_Elongation": np.nan})}

    monkeypatch.setattr("spinekit.workflow.stability._simulated", one)
    first = simulated_measurements(2, first_seed=5, keep=tmp_path, **QUICK)["reference"]
    more = simulated_measurements(3, first_seed=5, keep=tmp_path, **QUICK)["reference"]
    assert measured == [5, 6, 7]
    pd.testing.assert_frame_equal(more.iloc[:2], first, check_exact=True)
    simulated_measurements(1, first_seed=5, keep=tmp_path, **(QUICK | {"families": ("shape",)}))
    assert measured == [5, 6, 7, 5]


def test_a_flat_region_gives_no_measurement(case):
    flat = np.zeros_like(case.lesion.mask)
    z = int(np.argmax(case.lesion.mask.sum(axis=(1, 2))))
    flat[z] = case.lesion.mask[z]
    ways = iter([Perturbed("reference", replace(case.lesion, mask=flat), case.series)])
    assert _measured_or_none(ways, case.n_baseline, QUICK) == {}
