"""One case of a study: from files or simulated, its regions, its features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.phantom.cohort import write_cohort
from spinekit.study.case_work import case_key, each_case, measure_case
from spinekit.study.measured import layer_features, maps_of, relative_phases
from spinekit.study.regions import marked_again, one_phase, regions_of
from spinekit.study.sources import open_case
from spinekit.study.table import StudyCase, read_study_table

CASE = StudyCase("a", "a", "A", 1, "simulated:3@48x48x6", 0)


@pytest.fixture(scope="module")
def opened():
    return open_case(CASE)


def test_files_that_spinekit_phantom_writes_are_a_table_of_a_study(tmp_path):
    table = write_cohort(1, tmp_path, size=(48, 48, 6), first_seed=3)
    case = read_study_table(table)[0]

    record, masks = measure_case(replace(case, truth=case.roi, roi=""))

    assert not case.simulated
    assert record["segmentation"]["area"]["Dice"] > 0.5
    assert masks["area"].any()
    assert set(case.clinical) == {"age_years", "sex", "alkaline_phosphatase_u_per_l", "history_of_cancer"}


def test_the_key_of_a_case_changes_with_what_its_numbers_depend_on():
    assert case_key(CASE) == case_key(CASE)
    for other in (replace(CASE, series="simulated:4@48x48x6"), replace(CASE, centre="B"), replace(CASE, n_baseline=2)):
        assert case_key(other) != case_key(CASE)
    assert case_key(replace(CASE, clinical={"age_years": 3.0})) == case_key(CASE)


def test_phases_in_units_of_the_region_do_not_depend_on_the_gain(opened):
    series, n = opened.series, opened.n_baseline
    louder = DynamicSeries(3 * series.signal, series.times_s, series.geometry, "simulated")

    for name, image in relative_phases(series, n, opened.truth).items():
        other = relative_phases(louder, n, opened.truth)[name]
        assert_allclose(other.values[opened.truth.mask], image.values[opened.truth.mask], rtol=1e-4)


def test_one_phase_keeps_the_baseline_and_a_single_enhanced_phase(opened):
    alone = one_phase(opened.series, opened.n_baseline)

    assert alone.n_phases == opened.n_baseline + 1
    assert (alone.signal[: opened.n_baseline] == opened.series.signal[: opened.n_baseline]).all()


def test_ten_layers_are_ten_phases_or_ten_slices(opened):
    phases = layer_features(opened.series, opened.n_baseline, opened.truth, layers="phases")
    slices = layer_features(opened.series, opened.n_baseline, opened.truth, layers="slices")

    assert len(slices) == 50
    assert len(phases) in (40, 45, 50)  # a protocol may lack the latest times
    with pytest.raises(InputRefusedError, match="'rows'"):
        layer_features(opened.series, opened.n_baseline, opened.truth, layers="rows")


def test_the_two_conventions_of_wash_out_differ_in_their_reference(opened):
    first = maps_of(opened.series, opened.n_baseline)["wash_out_ratio"].values
    second = maps_of(opened.series, opened.n_baseline, wash_out="lang2017")["wash_out_ratio"].values

    assert (np.abs(first - second)[opened.truth.mask] > 1e-6).any()


def test_a_row_without_a_mark_and_an_odd_simulated_source_are_refused(tmp_path):
    table = write_cohort(1, tmp_path, size=(48, 48, 6), first_seed=3)
    bare = replace(read_study_table(table)[0], outline="", roi="", seed_ijk=())

    with pytest.raises(InputRefusedError) as refused:
        open_case(bare)
    assert refused.value.code == "seed-missing"
    with pytest.raises(InputRefusedError, match="simulated:x"):
        open_case(replace(CASE, series="simulated:x"))


def test_workers_give_the_same_records_in_the_order_of_the_table():
    cases = [StudyCase(f"c{k}", f"c{k}", "A", k % 2, f"simulated:{k}@48x48x6", 0) for k in range(5)]

    alone, together = (list(each_case(case_key, cases, workers)) for workers in (1, 2))

    assert together == alone
    assert [case.name for case, _ in together] == ["c0", "c1", "c2", "c3", "c4"]


def test_a_lesion_is_marked_again_as_the_same_object_and_the_same_way_each_time(opened):
    regions = regions_of(opened)

    again, twice = (marked_again(opened, regions, reader=7) for _ in "ab")

    assert set(again) <= {"another reader", "another border"}
    assert again
    own = regions.by_name["area"].mask
    for name, roi in again.items():
        assert (roi.mask == twice[name].mask).all()
        assert (roi.mask & own).sum() >= 0.25 * own.sum()
    drawn = replace(opened, outline=None, roi=regions.by_name["area"])
    assert set(marked_again(drawn, regions_of(drawn), reader=7)) <= {"another reader", "another border"}
