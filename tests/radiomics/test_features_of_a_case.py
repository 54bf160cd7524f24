"""The radiomics steps of a case: what the settings reach, what is written, what is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spinekit import workflow
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.radiomics import feature_curves
from spinekit.reporting import tables
from spinekit.settings import Radiomics, Study, settings_from
from spinekit.workflow.computing import feature_choices

CHOSEN = Radiomics(bin_count=16, normalisation="n4", images=("wash_in_slope", "phase_peak"))


@pytest.fixture(scope="module")
def case_dir(tmp_path_factory):
    """A simulated case up to its maps."""
    folder = CaseFolder.for_writing(tmp_path_factory.mktemp("case") / "a")
    workflow.load_case("simulated:4@72x72x10", folder.root, settings=Study(radiomics=CHOSEN))
    marked = workflow.begin_marking(folder.root, use_suggested_seed=True)
    workflow.save_roi(folder.root, marked.confirm(), marked.journal)
    review = workflow.begin_review(folder.root, accept=True, reader="X", reason="test")
    workflow.save_roi(folder.root, review.confirm(), review.journal)
    workflow.compute_maps(folder.root)
    return folder.root


def test_phases_are_normalised_and_maps_keep_their_units(case_dir):
    table = workflow.compute_features(case_dir)
    phase = next(name for name in table.index if name.startswith("phase_"))
    assert table["normalisation"].to_dict() == {"wash_in_slope": "none", phase: "N4"}
    seen = workflow.check_features(case_dir)
    assert seen.index.tolist() == table.index.tolist()
    shown = tables.preflight_table(seen)
    assert shown.loc["wash_in_slope", "voxels"] == table.loc["wash_in_slope", "n_voxels"]
    assert "levels of it" in shown.loc["wash_in_slope", "why"]


def test_the_curves_of_a_case_are_written_and_forgotten_with_other_settings(case_dir):
    table = workflow.compute_feature_curves(case_dir)
    file = CaseFolder.at(case_dir).feature_curves
    pd.testing.assert_frame_equal(pd.read_csv(file), table, check_exact=False, rtol=1e-12, check_dtype=False)
    assert set(table["phase"]) == set(range(10))
    shown = tables.curve_table(feature_curves(table, n_baseline=2), rows=5)
    assert len(shown) == 5
    workflow.load_case("simulated:4@72x72x10", case_dir, settings=Study(radiomics=replace(CHOSEN, bin_count=8)))
    assert not file.exists()
    assert CaseFolder.at(case_dir).roi.is_file()


def test_the_spread_of_the_case_names_what_moves_a_feature_most(case_dir):
    spread = workflow.check_stability(case_dir, n_seeds=1)
    assert np.isfinite(spread["cv"]).mean() > 0.9
    shown = tables.spread_table(spread, rows=4)
    assert shown["by"].str.contains(":").all()


def test_every_column_is_explained():
    shown = tables.column_table(["n_voxels", "original_glcm_Contrast"])
    assert shown.loc["original_glcm_Contrast", "IBSI tag"] == "cm_contrast"


def test_the_settings_of_ibsi_reach_the_extraction():
    record = {"radiomics": {"path": "ibsi", "resegment_range": [-1000, 400], "resegment_sigma": 3, "resample_mm": 2,
                            "interpolation": "cubic", "round_intensities": True}}  # fmt: skip
    choices = feature_choices(settings_from(record).radiomics)
    assert choices["resegment_range"] == (-1000.0, 400.0)
    assert choices["resegment_sigma"] == 3.0
    assert choices["interpolation"] == "cubic"
    with pytest.raises(InputRefusedError, match="holds 1 numbers"):
        feature_choices(Radiomics(resegment_range=(5.0,)))
