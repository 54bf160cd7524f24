"""Result plots: what the browser is given is what Python computed, and every plot has its static twin."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

import spinekit as sk
from spinekit.case import Diagnosis, Roi
from spinekit.errors import InputRefusedError
from spinekit.evaluation.roc import at_threshold
from spinekit.kinetics.descriptive import relative_enhancement
from spinekit.segmentation.film import growth_film
from spinekit.widgets import results
from spinekit.widgets.results.plot import plain


@pytest.fixture(scope="module")
def case():
    simulated = sk.simulate_case(3, size=(64, 64, 10))
    n = simulated.n_baseline
    roi = sk.grow_region(simulated.series, [simulated.seed_ijk], n_baseline=n)
    return simulated.series, roi, sk.parameter_maps(simulated.series, n_baseline=n), n


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 40)
    return [f"case-{n:02d}" for n in range(40)], truth, truth * 0.8 + rng.normal(size=40)


FEATURES = pd.DataFrame(
    {"phase": [0, 1, 0, 1], "time_s": [0.0, 9.0, 0.0, 9.0], "feature": ["a_Mean", "a_Mean", "b_Idn", "b_Idn"],
     "value": [1.0, 2.0, math.nan, 4.0]}
)  # fmt: skip
SAID = Diagnosis(
    {"metastasis": 0.3, "primary": 0.7}, None, "the model abstains", ("metastasis", "primary"), 0.9, (0.6, 0.8),
    record={"reference": {"metastasis": [0.1, 0.4], "primary": [0.6, 0.9]}},
)  # fmt: skip


def unpacked(array):
    return np.frombuffer(array["data"], dtype=array["dtype"]).reshape(array["shape"])


def every_plot(case, scores):
    series, roi, maps, n = case
    names, truth, score = scores
    yield results.map_explorer(maps, series, roi, n_baseline=n)
    yield results.growing_film(series, roi, n_baseline=n, steps=4)
    yield results.region_pair(series.phase(-1), roi, roi, simulated=True)
    yield results.roc_explorer(names, truth, score, simulated=True)
    yield results.feature_explorer(FEATURES, simulated=True)
    yield results.probability_explorer(SAID, simulated=True)


def test_an_unattended_run_gets_a_figure_of_each_plot_stamped_as_simulated(monkeypatch, case, scores):
    monkeypatch.setenv("SPINEKIT_UNATTENDED", "1")

    for shown in every_plot(case, scores):
        assert isinstance(shown, Figure)
        assert "SIMULATED" in shown.get_supxlabel()


def test_where_the_twin_stands_beside_the_plot_an_unattended_run_gets_nothing(monkeypatch, scores):
    monkeypatch.setenv("SPINEKIT_UNATTENDED", "1")

    assert results.feature_explorer(FEATURES, twin=False) is None
    assert results.probability_explorer(SAID, twin=False) is None
    assert results.roc_explorer(*scores, twin=False) is None


def test_a_reader_gets_a_plot_of_each_kind_stamped_as_simulated(monkeypatch, case, scores):
    monkeypatch.delenv("SPINEKIT_UNATTENDED", raising=False)
    shown = [getattr(made, "plot", made) for made in every_plot(case, scores)]

    assert [p.kind for p in shown] == ["map", "film", "pair", "roc", "features", "probability"]
    assert all(p.data["simulated"] for p in shown)


def test_the_curves_and_values_behind_a_map_are_those_of_the_voxels(case):
    series, roi, maps, n = case
    shown = results.map_explorer(maps, series, roi, n_baseline=n)
    ijk = unpacked(shown.arrays["ijk"])
    curves = unpacked(shown.arrays["curves"]) * shown.data["curveStep"] + shown.data["curveLow"]
    chosen = int(np.argmax(unpacked(shown.arrays["maps"])[0]))
    i, j, k = ijk[chosen]

    expected = relative_enhancement(series.signal[:, k, j, i].astype(float), n_baseline=n)
    assert_allclose(curves[:, chosen], expected, atol=shown.data["curveStep"])
    for number, described in enumerate(shown.data["maps"]):
        assert_array_equal(unpacked(shown.arrays["maps"])[number, chosen], maps[described["name"]].values[k, j, i])


def test_every_voxel_of_the_region_is_found_at_its_place_in_the_slices(case):
    series, roi, maps, n = case
    shown = results.map_explorer(maps, series, roi, n_baseline=n)
    number = unpacked(shown.arrays["number"])

    assert sorted(number[number >= 0]) == list(range(roi.n_voxels))
    slices, rows, columns = number.shape
    place = np.argwhere(number == 0)[0]
    k = unpacked(shown.arrays["ijk"])[0, 2]
    assert place[0] + shown.data["first"] == k
    assert unpacked(shown.arrays["grey"]).shape == (slices, rows, columns)


def test_an_undefined_point_of_a_curve_travels_as_undefined():
    from spinekit.widgets.results.maps import _as_steps, _steps

    curves = np.array([[0.0, np.nan], [2.0, 1.0]])
    low, step = _steps(curves, None)

    assert_array_equal(_as_steps(curves, low, step) == 65535, np.isnan(curves))


def test_the_film_passes_through_the_region_itself(case):
    series, grown, _, n = case
    roi = sk.grow_region(series, grown.record["seeds"], n_baseline=n, tolerance=1.3)
    film = growth_film(series, roi, n_baseline=n, steps=5)

    assert (film.exact, film.tolerances[film.used]) == (True, 1.3)
    assert_allclose(film.volumes_ml[film.used], roi.volume_ml)
    assert not (roi.mask & (film.born > film.used)).any()
    assert (np.diff(film.tolerances) > 0).all()


def test_a_region_without_a_tolerance_is_placed_by_its_volume(case):
    series, grown, _, n = case
    roi = Roi(grown.mask, grown.geometry, record={"seeds": grown.record["seeds"], "method": "curve"})
    film = growth_film(series, roi, n_baseline=n, steps=6)

    assert not film.exact
    assert film.used == np.argmin(np.abs(film.volumes_ml - roi.volume_ml))


def test_a_region_that_was_drawn_has_no_film(case):
    series, roi, _, n = case

    with pytest.raises(InputRefusedError, match="without seeds"):
        growth_film(series, Roi(roi.mask, roi.geometry), n_baseline=n)


def test_an_empty_region_is_refused(case):
    series, roi, maps, n = case

    with pytest.raises(InputRefusedError) as refused:
        results.map_explorer(maps, series, Roi(np.zeros_like(roi.mask), roi.geometry), n_baseline=n)
    assert refused.value.code == "roi-empty"


def test_the_codes_of_a_pair_hold_both_regions(case):
    series, roi, _, _ = case
    other = Roi(np.roll(roi.mask, 1, axis=2), roi.geometry)
    codes = unpacked(results.region_pair(series.phase(0), roi, other).arrays["codes"])

    assert (codes & 1).sum() == roi.n_voxels
    assert (codes >> 1).sum() == other.n_voxels


def test_the_roc_begins_at_a_threshold_whose_rates_lie_on_the_curve(scores):
    names, truth, score = scores
    shown = results.roc_explorer(names, truth, score).plot
    rates = at_threshold(truth, score, threshold=shown.data["threshold"])

    corners = shown.data["corners"]
    on_curve = zip(corners["falsePositive"], corners["truePositive"], strict=True)
    assert any(math.isclose(1 - rates["specificity"], x) and math.isclose(rates["sensitivity"], y) for x, y in on_curve)
    assert shown.data["cases"] == names


def test_a_click_on_a_case_shows_it_under_the_plot(scores):
    shown = results.roc_explorer(*scores, show=lambda name: Figure())

    shown.plot._answered(shown.plot, {"open": "case-07"}, [])
    shown.plot._answered(shown.plot, {"something": "else"}, [])

    assert shown.plot.opened == ["case-07"]
    assert "case-07" in shown.title.value
    assert "image/png" in shown.picture.outputs[0]["data"]


def test_a_case_that_cannot_be_shown_is_told_in_words(scores, tmp_path):
    shown = results.roc_explorer(*scores, show=tmp_path)

    shown.show_case("case-07")

    assert "holds no case" in shown.title.value
    assert shown.picture.outputs == ()


def test_the_roc_of_a_study_is_that_of_its_internal_cases_and_a_click_shows_the_patient():
    from spinekit.study.table import StudyCase

    cases = tuple(StudyCase(f"c{n}", f"p{n}", "A", n % 2, f"simulated:{n}@48x48x8", 0) for n in (0, 1, 3, 4))
    scores = np.array([0.2, 0.7, 0.4, 0.6])
    study = SimpleNamespace(
        results={"radiomics · logistic regression": SimpleNamespace(internal=scores)}, internal=cases
    )

    shown = results.study_roc(study)
    shown.show_case("c3")

    assert shown.plot.data["cases"] == ["c0", "c1", "c3", "c4"]
    assert shown.plot.data["classes"] == ["primary", "metastasis"]
    assert "image/png" in shown.picture.outputs[0]["data"]
    with pytest.raises(InputRefusedError, match="combined"):
        results.study_roc(study, arm="combined")


def test_names_that_do_not_fit_the_cases_are_refused(scores):
    names, truth, score = scores

    with pytest.raises(InputRefusedError, match="39 names for 40 cases"):
        results.roc_explorer(names[1:], truth, score)


def test_features_keep_their_order_and_an_undefined_value_stays_undefined():
    shown = results.feature_explorer(FEATURES)

    assert [f["name"] for f in shown.data["features"]] == ["a_Mean", "b_Idn"]
    assert shown.data["features"][1]["values"] == [None, 4.0]


def test_what_json_has_no_word_for_becomes_none():
    assert plain({"a": np.array([1.0, np.nan, np.inf]), "b": (np.int64(3),)}) == {"a": [1.0, None, None], "b": [3]}
