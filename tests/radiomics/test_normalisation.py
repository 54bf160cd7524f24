"""Normalisation of MR signal: named in the table, the same from run to run, refused without a usable reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.radiomics import extract_features
from spinekit.radiomics.normalisation import bias_field, normalised

GRID = Geometry((48, 40, 12), (2.0, 2.0, 4.0))
BINS = {"bin_count": 8}


def body(seed: int = 0) -> np.ndarray:
    """Return an ellipse of tissue in air, with two textured organs."""
    rng = np.random.default_rng(seed)
    _, y, x = np.indices(GRID.shape_zyx)
    inside = ((y - 20) / 17) ** 2 + ((x - 24) / 21) ** 2 < 1
    tissue = np.where((x - 24) ** 2 + (y - 20) ** 2 < 60, 420.0, 250.0)
    return np.where(inside, tissue, 12.0) + rng.normal(scale=6.0, size=GRID.shape_zyx)


def block(z: slice, y: slice, x: slice, name: str) -> Roi:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[z, y, x] = True
    return Roi(mask, GRID, name=name)


LESION = block(slice(3, 9), slice(15, 25), slice(18, 30), "lesion")
MUSCLE = block(slice(3, 9), slice(17, 23), slice(6, 12), "muscle")


def test_a_scale_and_an_offset_of_the_scanner_vanish_in_a_z_score():
    image = body()
    first = extract_features({"p": Volume(image, GRID)}, LESION, discretisation={"bin_width": 1.0},
                             normalisation="z_score", reference=MUSCLE)  # fmt: skip
    other = extract_features({"p": Volume(3.0 * image + 100.0, GRID)}, LESION, discretisation={"bin_width": 1.0},
                             normalisation="z_score", reference=MUSCLE)  # fmt: skip
    assert first.loc["p", "normalisation"] == "z-score in muscle"
    names = [c for c in first.columns if "firstorder" in c]
    assert_allclose(first[names].to_numpy(float), other[names].to_numpy(float), rtol=1e-4)
    raw = extract_features({"p": Volume(3.0 * image, GRID)}, LESION, discretisation=BINS)
    assert raw.loc["p", "normalisation"] == "none"
    assert raw.loc["p", "original_firstorder_Mean"] > 1000.0


def test_images_are_normalised_by_name_and_others_stay():
    images = {"phase": Volume(body(), GRID), "slope": Volume(body(1), GRID)}
    result, how = normalised(images, {"phase": "z_score"}, reference=MUSCLE)
    assert how == {"phase": "z-score in muscle", "slope": "none"}
    assert result["slope"] is images["slope"]
    assert list(result) == list(images)


def test_n4_finds_a_slow_drift_and_shares_it_between_phases():
    _, y, x = np.indices(GRID.shape_zyx)
    drift = 1.0 + 0.35 * (x - 24) / 24
    early, late = body(2) * drift, 1.5 * body(2) * drift
    field = bias_field(Volume(early, GRID))
    inside = (y - 20) ** 2 + (x - 24) ** 2 < 200
    assert np.corrcoef(field[inside], drift[inside])[0, 1] > 0.95
    result, how = normalised({"early": Volume(early, GRID), "late": Volume(late, GRID)}, "n4")
    assert how["late"] == "N4"
    ratio = result["late"].values / result["early"].values
    assert_allclose(ratio[inside], 1.5, rtol=1e-5)  # one field, so that the change over time is untouched
    again, _ = normalised({"early": Volume(early, GRID)}, "n4")
    assert_array_equal(again["early"].values, result["early"].values)


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (None, "roi-empty"),
        (block(slice(0, 0), slice(0, 0), slice(0, 0), "muscle"), "roi-empty"),
        (block(slice(3, 4), slice(17, 19), slice(6, 8), "muscle"), "roi-too-small"),
    ],
)
def test_a_z_score_without_a_usable_reference_is_refused(reference, code):
    with pytest.raises(InputRefusedError) as caught:
        normalised({"p": Volume(body(), GRID)}, "z_score", reference=reference)
    assert caught.value.code == code


def test_a_reference_of_one_value_or_with_holes_is_refused():
    flat, holed = np.full(GRID.shape_zyx, 5.0), body()
    holed[4, 18, 7] = np.nan
    for values, code in ((flat, "roi-constant"), (holed, "roi-not-finite")):
        with pytest.raises(InputRefusedError) as caught:
            normalised({"p": Volume(values, GRID)}, "z_score", reference=MUSCLE)
        assert caught.value.code == code


def test_a_misspelt_normalisation_is_refused_with_the_nearest():
    with pytest.raises(InputRefusedError, match="'z_score'"):
        normalised({"p": Volume(body(), GRID)}, "zscore", reference=MUSCLE)
