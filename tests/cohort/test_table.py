"""The table of cases: a bad row is a refused case, a bad table is refused."""

from __future__ import annotations

import csv

import pytest

from spinekit.cohort.table import read_table
from spinekit.errors import InputRefusedError


def table(tmp_path, *rows, header=("case", "series", "seed_ijk")):
    path = tmp_path / "cases.csv"
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def test_paths_are_relative_to_the_table(tmp_path):
    case = read_table(table(tmp_path, ("one", "data/one", "1,2,3;4,5,6")))[0]

    assert case.asked["source"] == str(tmp_path / "data" / "one")
    assert case.asked["seeds"] == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "name", ["../one", "/etc/passwd", "", "Müller^Anna", "a b", "x" * 65, "con", ".hidden", "=1+1"]
)
def test_a_name_that_is_no_plain_pseudonym_is_a_refused_case(tmp_path, name):
    cases = read_table(table(tmp_path, ("good", "a", ""), (name, "b", "")))

    assert cases[0].refused is None
    assert cases[1].refused.code == "case-name-unsafe"
    assert cases[1].name == "row.0002"
    assert not name or name not in cases[1].refused.message


def test_two_cases_of_one_name_are_both_refused(tmp_path):
    cases = read_table(table(tmp_path, ("one", "a", ""), ("ONE", "b", ""), ("two", "c", "")))

    assert [case.refused is not None for case in cases] == [True, True, False]


@pytest.mark.parametrize("cell", ["1,2", "1;2;3", "a,b,c", "1.5,2,3"])
def test_a_seed_that_is_no_voxel_is_a_refused_case(tmp_path, cell):
    case = read_table(table(tmp_path, ("one", "a", cell)))[0]

    assert case.refused.code == "value-out-of-range"
    assert "'seeds'" in case.refused.message
    assert ("'1,2'" in case.refused.message) == (cell == "1,2")  # words may be a name that slipped in


def test_of_several_ways_to_the_region_the_readers_journal_comes_first_then_seeds(tmp_path):
    header = ("case", "series", "roi", "seed_ijk", "journal")
    path = table(tmp_path, ("one", "a", "r.nii", "1,2,3", "j.json"), ("two", "a", "r.nii", "1,2,3", ""), header=header)
    first, second = read_table(path)
    by_mask = read_table(path, mark_by="roi")[1]

    assert (bool(first.asked["journal_file"]), first.asked["seeds"], first.asked["roi_file"]) == (True, [], None)
    assert (second.asked["seeds"], second.asked["roi_file"]) == ([[1, 2, 3]], None)
    assert (by_mask.asked["seeds"], by_mask.asked["roi_file"]) == ([], str(tmp_path / "r.nii"))


@pytest.mark.parametrize(
    "text", ["", "case,series\n", "name of patient;series\n1;2\n", "case\none\n", b"\xff\xfe\x00c".decode("latin-1")]
)
def test_what_is_no_such_table_is_refused(tmp_path, text):
    (tmp_path / "cases.csv").write_text(text, encoding="latin-1")
    with pytest.raises(InputRefusedError) as refused:
        read_table(tmp_path / "cases.csv")

    assert refused.value.code == "table-invalid"


def test_an_absent_table_is_refused(tmp_path):
    with pytest.raises(InputRefusedError) as refused:
        read_table(tmp_path / "cases.csv")

    assert refused.value.code == "path-missing"


def test_the_clinical_columns_are_what_the_classifier_is_told_and_empty_cells_are_not(tmp_path):
    header = ("case", "series", "auto", "sex", "age_years", "label")
    first, second = read_table(
        table(
            tmp_path,
            ("one", "a", "yes", "F", "61", "metastasis"),
            ("two", "b", "yes", "", "", "primary"),
            header=header,
        )
    )

    assert first.asked["clinical"] == "age_years=61,sex=F"
    assert second.asked["clinical"] == ""


def test_the_region_in_a_file_of_several_is_named_in_a_column_of_its_own(tmp_path):
    path = table(
        tmp_path, ("one", "a", "r.nii", "L3"), ("two", "a", "", "L3"), header=("case", "series", "roi", "roi_label")
    )
    one, two = read_table(path)
    assert (one.asked["roi_label"], two.asked["roi_label"]) == ("L3", "")
