"""The judgement of the U-Net on unseen cases: which rows there are, and what the baselines give."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.models.working import counted_lesions
from spinekit.study.segmentation_figures import judge_segmentation, summary_of
from spinekit.study.unseen import inmost, simulated_cases


def _counted(case):
    counted = counted_lesions(case.lesions, case.series.geometry.voxel_volume_mm3)
    return [int(n) for n in np.unique(counted) if n]


@pytest.fixture(scope="module")
def case():
    (case,) = simulated_cases(1, hospital="A", first_seed=50026, size=(96, 96, 12))
    assert len(_counted(case)) > 1, "this test wants a case with several lesions"
    return case


@pytest.fixture(scope="module")
def table(case):
    return judge_segmentation([case])


def test_each_lesion_that_is_large_enough_is_asked_for_with_and_without_a_click(case, table):
    for asked in ("each lesion", "each lesion, click"):
        assert table[table.asked == asked].lesion.tolist() == _counted(case)
    index, first = table[table.asked == "index lesion, click"], table[table.asked == "each lesion, click"].iloc[:1]
    np.testing.assert_array_equal(index.Dice, first.Dice)


def test_a_click_in_a_lesion_gives_a_region_of_that_lesion(table):
    clicked = table[table.asked == "each lesion, click"]

    assert (clicked.Dice > 0.6).all()


def test_the_baselines_are_what_they_must_be(case, table):
    nothing = table[table.asked == "all background"].iloc[0]

    wanted = np.isin(case.lesions, _counted(case))
    assert nothing.Dice == 0.0
    assert pytest.approx(1.0 - wanted.mean()) == nothing.PA
    assert table[table.asked == "threshold"].iloc[0].Dice < 0.2


def test_the_inmost_voxel_lies_in_the_lesion_and_away_from_its_border(case):
    for number in _counted(case):
        i, j, k = inmost(case.lesions == number, case.series)
        assert (case.lesions[k, j - 1 : j + 2, i - 1 : i + 2] == number).all()


def test_the_summary_counts_lesions_where_they_are_asked_for_one_by_one(case, table):
    summary = summary_of(table)

    assert summary.loc["all lesions", "rows"] == 1
    assert summary.loc["each lesion", "rows"] == len(_counted(case))
