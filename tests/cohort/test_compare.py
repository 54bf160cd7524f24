"""Two readers compared: agreement, effort, features; readings of different series are refused."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from spinekit import workflow
from spinekit.case import Roi
from spinekit.cli import app
from spinekit.cohort.compare import compare, feature_reliability
from spinekit.cohort.reading import open_pair
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.segmentation.agreement import agreement_of, dice, hd95_mm

SIZE = "48x48x10"


def read_case(folder, seed, reader, *, operation=None, mm=1.0):
    """Make a case folder as notebooks 01 to 03 leave it."""
    workflow.load_case(f"simulated:{seed}@{SIZE}", folder)
    marked = workflow.begin_marking(folder, reader=reader, use_suggested_seed=True)
    workflow.save_roi(folder, marked.confirm(), marked.journal)
    review = workflow.begin_review(folder, reader=reader)
    if operation:
        review.apply(operation, mm)
    review.accept(reader, "for the test")
    workflow.save_roi(folder, review.confirm(), review.journal)
    return folder


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Three cases read by AB and by CD, who sees every lesion 6 mm larger."""
    root = tmp_path_factory.mktemp("readers")
    for seed in (3, 4, 5):
        first = read_case(root / "ab" / f"case-{seed}", seed, "AB")
        second = root / "cd" / f"case-{seed}"
        shutil.copytree(first, second)
        review = workflow.begin_review(second, reader="CD")
        review.journal.reader = "CD"
        review.apply("grow", 6.0)
        review.accept("CD", "larger")
        workflow.save_roi(second, review.confirm(), review.journal)
    return root


def box(low, high, shape=(20, 20, 20), spacing=(1.0, 1.0, 1.0)):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return Roi(mask, Geometry(shape[::-1], spacing))


def test_two_boxes_that_overlap_by_half_have_their_closed_forms():
    found = agreement_of(box((5, 5, 5), (10, 10, 10)), box((5, 5, 5), (10, 10, 15)))

    assert_allclose(found.dice, 2 * 125 / 375)
    assert_allclose(found.jaccard, 0.5)
    assert_allclose((found.first_ml, found.second_ml, found.difference_ml), (0.125, 0.25, -0.125))
    assert_allclose(found.difference_percent, -100 * 0.125 / 0.1875)


def test_the_order_of_the_readers_turns_only_the_sign():
    one, two = box((4, 5, 6), (12, 9, 11)), box((5, 5, 5), (11, 12, 10))
    there, back = agreement_of(one, two), agreement_of(two, one)

    assert (there.dice, there.hd95_mm) == (back.dice, back.hd95_mm)
    assert_allclose(there.mean_distance_mm, back.mean_distance_mm, rtol=1e-12)
    assert there.difference_percent == -back.difference_percent


def test_an_empty_region_gives_nan_and_no_zero():
    found = agreement_of(box((5, 5, 5), (5, 5, 5)), box((5, 5, 5), (5, 5, 5)))

    assert all(math.isnan(v) for v in (found.dice, found.hd95_mm, found.mean_distance_mm, found.difference_percent))


@pytest.mark.filterwarnings("ignore::FutureWarning:monai")  # monai calls itself with an argument it has deprecated
def test_dice_and_hd95_are_those_of_monai():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(1)
    spacing = (3.0, 0.8, 1.1)
    for _ in range(3):
        low = rng.integers(2, 6, size=(2, 3))
        masks = [box(a, a + rng.integers(5, 10, size=3)).mask for a in low]
        one, two = (torch.from_numpy(m[None, None].astype(np.float32)) for m in masks)
        theirs = metrics.compute_hausdorff_distance(one, two, include_background=True, percentile=95, spacing=spacing)

        assert_allclose(hd95_mm(*masks, spacing), float(theirs), rtol=1e-5)
        assert_allclose(dice(*masks), float(metrics.compute_dice(one, two, include_background=True)), rtol=1e-6)


def test_two_readers_of_a_case_are_compared_by_their_folders(readers, tmp_path):
    done = compare(readers / "ab" / "case-3", readers / "cd" / "case-3", tmp_path)
    row = done.table.iloc[0]

    assert (row.first_reader, row.second_reader) == ("AB", "CD")
    assert 0.3 < row.dice < 1
    assert row.second_ml > row.first_ml
    assert row.second_actions == row.first_actions + 2  # grow, accept
    assert 0 < row.hd95_mm < 12
    assert [f.name for f in done.files] == ["compare.csv", "compare.png", "compare.json"]
    assert json.loads((tmp_path / "compare.json").read_text())["simulated"] is True


def test_journals_alone_give_what_the_folders_give(readers, tmp_path):
    one, two = readers / "ab" / "case-3", readers / "cd" / "case-3"
    by_folder = compare(one, two, tmp_path / "a").table
    by_journal = compare(one / "journal.json", two / "journal.json", tmp_path / "b").table

    pd.testing.assert_frame_equal(by_folder, by_journal)


def test_a_journal_without_its_case_is_replayed_on_the_series_of_the_other(readers, tmp_path):
    alone = shutil.copy(readers / "cd" / "case-3" / "journal.json", tmp_path / "journal.json")
    one, two = open_pair(readers / "ab" / "case-3", alone)

    assert two.case_dir is None
    assert two.roi.n_voxels > one.roi.n_voxels


def test_two_journals_without_a_series_are_refused_with_the_cure(readers, tmp_path):
    alone = shutil.copy(readers / "cd" / "case-3" / "journal.json", tmp_path / "journal.json")

    with pytest.raises(InputRefusedError, match="--series") as refused:
        open_pair(alone, alone)
    assert refused.value.code == "case-incomplete"


@pytest.mark.parametrize("name", ["", "journal.json"])
def test_readings_of_different_series_are_refused(readers, tmp_path, name):
    with pytest.raises(InputRefusedError) as refused:
        compare(readers / "ab" / "case-3" / name, readers / "cd" / "case-4" / name, tmp_path)

    assert refused.value.code == "journal-other-series"
    assert not list(tmp_path.iterdir())


def test_two_readers_of_many_cases_are_compared_by_name_past_the_bad_ones(readers, tmp_path):
    for seed in (3, 4, 5):
        for reader, shift in (("ab", 0.0), ("cd", 0.1)):
            table = pd.DataFrame({"original_a_b": [seed + shift], "original_c_d": [seed**2 - shift]}, index=["wash_in"])
            table.to_csv(readers / reader / f"case-{seed}" / "features.csv")
    both = [readers / "ab", readers / "cd"]
    shutil.copytree(readers / "ab" / "case-4", readers / "ab" / "case-9")
    shutil.copytree(readers / "cd" / "case-5", readers / "cd" / "case-9")
    try:
        result = CliRunner().invoke(app, ["compare", *map(str, both), "--out", str(tmp_path)])
    finally:
        shutil.rmtree(readers / "ab" / "case-9")
        shutil.rmtree(readers / "cd" / "case-9")

    assert result.exit_code == 2
    assert "case-9" in result.stderr
    assert "journal-other-series" in result.stderr
    table = pd.read_csv(tmp_path / "compare.csv")
    assert list(table["case"]) == ["case-3", "case-4", "case-5"]
    assert set(pd.read_csv(tmp_path / "features.csv")["feature"]) == {"original_a_b", "original_c_d"}
    assert (tmp_path / "compare.png").stat().st_size > 10_000


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin calls pandas in a way that pandas has deprecated
def test_the_icc_of_features_is_pingouins(tmp_path):
    import pingouin

    rng = np.random.default_rng(0)
    truth = rng.normal(size=8)
    paired, rows = {}, []
    for n, value in enumerate(truth):
        for reader in ("ab", "cd"):
            folder = tmp_path / reader / f"case-{n}"
            folder.mkdir(parents=True)
            seen = value + rng.normal(scale=0.4) + (0.2 if reader == "cd" else 0.0)
            rows.append((f"case-{n}", reader, seen))
            pd.DataFrame({"original_x_y": [seen]}, index=["image"]).to_csv(folder / "features.csv")
        paired[f"case-{n}"] = (tmp_path / "ab" / f"case-{n}", tmp_path / "cd" / f"case-{n}")
    theirs = pingouin.intraclass_corr(
        pd.DataFrame(rows, columns=["case", "reader", "value"]), targets="case", raters="reader", ratings="value"
    )

    ours = feature_reliability(paired)["icc2"].iloc[0]
    assert_allclose(ours, theirs["ICC"].iloc[1], rtol=1e-9)


def test_journals_alone_are_replayed_on_the_series_that_is_named(tmp_path):
    from spinekit.phantom import simulate_case
    from spinekit.phantom.files import write_nifti_series

    case = simulate_case(3, size=(48, 48, 10))
    file = write_nifti_series(case.series, tmp_path / "series.nii.gz")
    journals = []
    for reader, radius_mm in (("AB", None), ("CD", 20.0)):
        workflow.load_case(file, tmp_path / reader)
        marked = workflow.begin_marking(tmp_path / reader, seeds=",".join(map(str, case.seed_ijk)), reader=reader)
        if radius_mm:
            marked.set(max_radius_mm=radius_mm)
        journals.append(marked.journal.write(tmp_path / f"{reader}.json"))

    one, two = open_pair(*journals, series=file)

    assert (one.reader, two.reader, one.case_dir) == ("AB", "CD", None)
    assert one.roi.n_voxels > 0
    assert two.effort.n_actions == one.effort.n_actions + 1
