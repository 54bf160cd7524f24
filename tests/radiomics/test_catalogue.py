"""Every column of a feature table has a description."""

from __future__ import annotations

import numpy as np
import pytest
from radiomics import getFeatureClasses

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry
from spinekit.radiomics import describe_features, extract_features, parts_of, wide_row

GRID = Geometry((14, 13, 12), (1.0, 1.0, 1.0))


def test_every_feature_of_pyradiomics_has_a_meaning_and_its_formula_exists():
    for family, kind in getFeatureClasses().items():
        names = [name for name, deprecated in kind.getFeatureNames().items() if not deprecated]
        table = describe_features([f"original_{family}_{name}" for name in names])
        assert len(table) == len(names)
        assert (table["meaning"].str.len() > 5).all(), family
        for name, formula in zip(names, table["formula"], strict=True):
            method = formula.split(";")[0].rsplit(".", 1)[1]
            assert callable(getattr(kind, method)), (family, name)


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("original_shape_MeshVolume", ("", "original", "shape", "MeshVolume")),
        ("phase_03_log-sigma-2-0-mm-3D_glszm_ZoneEntropy", ("phase_03", "log-sigma-2-0-mm-3D", "glszm", "ZoneEntropy")),
        ("a_original_b_wavelet-HH_ngtdm_Busyness", ("a_original_b", "wavelet-HH", "ngtdm", "Busyness")),
        ("original_firstorder_10Percentile", ("", "original", "firstorder", "10Percentile")),
    ],
)
def test_a_column_is_taken_apart(column, parts):
    assert parts_of(column) == parts


@pytest.mark.parametrize("column", ["n_voxels", "original", "original_texture_Mean", "age", "path"])
def test_what_is_no_feature_is_not_taken_for_one(column):
    assert parts_of(column) is None
    assert describe_features([column]).empty


def test_a_wide_row_holds_every_number_once_with_the_image_in_front():
    rng = np.random.default_rng(1)
    images = {name: Volume(rng.normal(size=GRID.shape_zyx), GRID) for name in ("wash_in_slope", "phase_02")}
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[3:9, 3:9, 3:9] = True
    table = extract_features(images, Roi(mask, GRID), discretisation={"bin_count": 8}, wavelet="haar")
    row = wide_row(table)
    assert len(row) == 14 + 2 * 93 * 9
    assert row["phase_02_wavelet-HHL_glcm_Contrast"] == table.loc["phase_02", "wavelet-HHL_glcm_Contrast"]
    assert row["original_shape_Sphericity"] == table.loc["phase_02", "original_shape_Sphericity"]
    described = describe_features(row.index)
    assert list(described.index) == list(row.index)
    assert set(described["image"]) == {"", "wash_in_slope", "phase_02"}
    assert (described["meaning"] != "").all()
