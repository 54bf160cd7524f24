"""`--auto`: the U-Net proposes the region, the journal keeps it, and the step that segments is verified."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinekit import workflow
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import hash_file
from spinekit.reporting.case_run import CaseRequest, check_request, notebook_parameters
from spinekit.reporting.verify_numbers import segmentation as compare_segmentation

SOURCE = "simulated:7@96x96x8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = CaseFolder(tmp_path_factory.mktemp("cases") / "auto")
    workflow.load_case(SOURCE, place.root)
    marked = workflow.begin_marking(place.root, auto=True, reader="test")
    workflow.save_roi(place.root, marked.confirm(), marked.journal)
    review = workflow.begin_review(place.root, reader="test", accept=True, reason="a test")
    workflow.save_roi(place.root, review.confirm(), review.journal)
    workflow.segment_case(place.root)
    return place


def test_the_proposal_is_the_largest_lesion_and_is_named_after_the_network(folder):
    found, roi = workflow.open_segmentation(folder.root), workflow.open_roi(folder.root)

    np.testing.assert_array_equal(roi.mask, found.lesions.values == 1)
    assert roi.record["method"] == f"unet {found.record['sha256'][:16]}"


def test_a_journal_gives_the_same_region_without_the_network(folder, tmp_path, monkeypatch):
    def never(*arguments):
        raise AssertionError("the network was asked")

    workflow.load_case(SOURCE, tmp_path / "again")
    monkeypatch.setattr("spinekit.workflow.segmenting.propose_region", never)

    again = workflow.begin_marking(tmp_path / "again", journal_file=folder.journal)

    np.testing.assert_array_equal(again.confirm().mask, workflow.open_roi(folder.root).mask)


def test_what_was_segmented_comes_back_as_it_was_written(folder):
    before = hash_file(folder.segmentation), hash_file(folder.segmentation_record)

    found = workflow.segment_case(folder.root)

    assert (hash_file(folder.segmentation), hash_file(folder.segmentation_record)) == before
    again = workflow.open_segmentation(folder.root)
    np.testing.assert_array_equal(again.probability.values, found.probability.values)
    assert again.warnings == found.warnings
    assert again.model_card == json.loads(json.dumps(dict(found.model_card)))


def test_verification_finds_nothing_in_a_sound_case_and_names_a_changed_voxel(folder, tmp_path):
    from dataclasses import replace

    from spinekit.io import read_volume, write_volume

    def differences():
        again = CaseFolder(tmp_path / "again")
        if not again.marker.is_file():
            workflow.load_case(SOURCE, again.root)
            marked = workflow.begin_marking(again.root, journal_file=folder.journal)
            workflow.save_roi(again.root, marked.confirm(), marked.journal)
        return [str(d) for d in compare_segmentation(folder, again, [])]

    assert differences() == []
    kept = folder.segmentation.read_bytes()
    volume = read_volume(folder.segmentation)
    values = np.array(volume.values)
    values[0, 0, 0] = 1
    write_volume(replace(volume, values=values), folder.segmentation)
    try:
        assert any("segmentation.nii.gz" in text for text in differences())
    finally:
        folder.segmentation.write_bytes(kept)


def test_a_seed_of_the_reader_is_the_click(tmp_path):
    workflow.load_case(SOURCE, tmp_path)
    marked = workflow.begin_marking(tmp_path, use_suggested_seed=True)
    workflow.save_roi(tmp_path, marked.confirm(), marked.journal)

    found = workflow.segment_case(tmp_path)

    assert found.record["click"] == list(marked.seeds[0].ijk)


def test_auto_is_one_of_the_ways_and_excludes_the_others(tmp_path):
    alone = CaseRequest(source="simulated:1", case_dir=tmp_path, auto=True)
    both = CaseRequest(source="simulated:1", case_dir=tmp_path, auto=True, seeds=((1, 2, 3),))

    check_request(alone)
    told = notebook_parameters(alone)["02_mark_lesion"]
    assert told["auto"] is True
    assert told["use_suggested_seed"] is False
    with pytest.raises(InputRefusedError, match="2 ways") as refused:
        check_request(both)
    assert refused.value.code == "choice-unknown"


def test_clinical_facts_reach_the_classifier_and_wrong_ones_are_refused_before_anything_runs(tmp_path):
    request = CaseRequest(source="simulated:1", case_dir=tmp_path, clinical="age_years=61,sex=F")
    wrong = replace(request, clinical="age_yaers=61")

    check_request(request)
    assert notebook_parameters(request)["07_diagnose"]["clinical"] == "age_years=61,sex=F"
    with pytest.raises(InputRefusedError, match="age_yaers") as refused:
        check_request(wrong)
    assert refused.value.code == "choice-unknown"


def test_weights_that_the_settings_name_and_that_are_not_there_are_refused_before_anything_runs(tmp_path):
    (tmp_path / "study.toml").write_text('[diagnosis]\nmodel = "net.safetensors"\n')
    request = CaseRequest(source="simulated:1", case_dir=tmp_path / "out", settings_file=tmp_path / "study.toml")

    with pytest.raises(InputRefusedError) as refused:
        check_request(request)

    assert refused.value.code == "path-missing"


def test_a_series_without_any_way_names_auto_as_one(tmp_path):
    (tmp_path / "series").mkdir()

    with pytest.raises(InputRefusedError, match="--auto") as refused:
        check_request(CaseRequest(source=str(tmp_path / "series"), case_dir=Path(tmp_path / "out")))

    assert refused.value.code == "seed-missing"


def test_where_the_network_finds_nothing_it_says_so(tmp_path):
    from spinekit.case import DynamicSeries
    from spinekit.geometry import Geometry
    from spinekit.settings import Study
    from spinekit.workflow.segmenting import propose_region

    signal = np.full((4, 8, 40, 40), 100.0, np.float32)
    series = DynamicSeries(signal, [0.0, 20.0, 40.0, 60.0], Geometry((40, 40, 8), (1.9, 1.9, 4.0)), "test")

    with pytest.raises(InputRefusedError, match="no lesion") as refused:
        propose_region(series, Study())

    assert refused.value.code == "lesion-not-found"
