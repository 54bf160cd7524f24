"""Choices of a reader: undo, gates, and a journal that replays to the same bits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError, NothingSelectedError
from spinekit.phantom import simulate_case
from spinekit.viewmodels import Journal, RoiReview, SeedSelection
from spinekit.viewmodels.journal import runs_of, voxels_of

CASE = simulate_case(3, size=(96, 96, 12))
SERIES, SEED = CASE.series, CASE.seed_ijk


def marked() -> SeedSelection:
    selection = SeedSelection(SERIES, reader="AB")
    selection.add(*SEED)
    return selection


def outcome(selection: SeedSelection) -> str:
    """The region as text, or the code with which growing is refused."""
    try:
        roi = selection.roi
    except InputRefusedError as reason:
        return reason.code
    return "no region" if roi is None else runs_of(roi.mask)


def code_of(call, *arguments, **named):
    with pytest.raises(InputRefusedError) as refused:
        call(*arguments, **named)
    return refused.value.code


def test_nothing_is_grown_before_a_seed_and_the_gate_is_shut():
    selection = SeedSelection(SERIES)

    assert selection.roi is None
    with pytest.raises(NothingSelectedError):
        selection.confirm()


def test_a_background_seed_alone_opens_no_gate():
    selection = SeedSelection(SERIES)
    selection.add(*SEED, background=True)

    with pytest.raises(NothingSelectedError):
        selection.confirm()


def test_undo_and_redo_go_through_every_state():
    selection = marked()
    first = selection.confirm().mask
    selection.set(tolerance=1.0)
    tight = selection.confirm().mask
    selection.undo()

    assert np.array_equal(selection.confirm().mask, first)
    selection.redo()
    assert np.array_equal(selection.confirm().mask, tight)
    assert not np.array_equal(first, tight)
    selection.undo()
    selection.undo()
    assert selection.roi is None
    assert not selection.can_undo


def test_removing_and_clearing_seeds():
    selection = marked()
    selection.add(SEED[0] + 1, SEED[1], SEED[2])
    selection.remove(0)

    assert [s.ijk for s in selection.seeds] == [(SEED[0] + 1, SEED[1], SEED[2])]
    assert code_of(selection.remove, 5) == "value-out-of-range"
    selection.clear()
    assert selection.seeds == ()


def test_a_seed_outside_is_refused_and_changes_nothing():
    selection = marked()
    before = len(selection.journal.actions)

    assert code_of(selection.add, 900, 0, 0) == "seed-outside"
    assert len(selection.seeds) == 1
    assert len(selection.journal.actions) == before


def test_an_unknown_setting_is_refused():
    assert code_of(marked().set, sharpness=3) == "choice-unknown"


def test_a_failure_in_a_callback_is_kept_and_raised_at_the_gate():
    selection = marked()
    with selection.keeping_failures():
        selection.add(900, 0, 0)

    assert isinstance(selection.failure, InputRefusedError)
    assert code_of(selection.confirm) == "seed-outside"
    with selection.keeping_failures():
        selection.add(*SEED)
    assert selection.confirm().n_voxels > 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(-2, 2), st.booleans()),
        st.tuples(st.just("set"), st.sampled_from([0.0, 1.5, 2.5]), st.booleans()),
        st.sampled_from([("undo",), ("redo",), ("clear",), ("remove",)]),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_journal_replays_to_the_same_bits(steps):
    selection = marked()
    for step in steps:
        if step[0] == "add":
            selection.add(SEED[0] + step[1], SEED[1], SEED[2], background=step[2] and step[1] != 0)
        elif step[0] == "set":
            selection.set(tolerance=step[1], fill_holes=step[2])
        elif step[0] == "remove" and selection.seeds:
            selection.remove(0)
        elif step[0] != "remove":
            getattr(selection, step[0])()
    again = SeedSelection(SERIES)

    again.replay(selection.journal)

    assert again.seeds == selection.seeds
    assert again.growing == selection.growing
    assert outcome(again) == outcome(selection)


def test_a_journal_written_and_read_is_the_same(tmp_path):
    journal = marked().journal
    path = journal.write(tmp_path / "journal.json")

    assert Journal.read(path) == journal
    record = json.loads(path.read_text())
    assert record["reader"] == "AB"
    assert record["versions"]["spinekit"]


def test_a_journal_of_another_series_is_refused():
    other = DynamicSeries(SERIES.signal + np.float32(1), SERIES.times_s, SERIES.geometry, SERIES.time_source)

    assert code_of(SeedSelection(other).replay, marked().journal) == "journal-other-series"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\x00\xff"])
def test_what_is_no_journal_is_refused(tmp_path, text):
    path = tmp_path / "journal.json"
    path.write_bytes(text.encode("latin-1"))

    assert code_of(Journal.read, path) == "journal-invalid"
    assert code_of(Journal.read, tmp_path / "absent.json") == "path-missing"


def test_an_action_nobody_knows_is_refused():
    journal = marked().journal
    journal.add("mark", "teleport")

    assert code_of(SeedSelection(SERIES).replay, journal) == "journal-invalid"


def test_a_region_from_a_file_is_kept_in_the_journal_voxel_by_voxel():
    selection = SeedSelection(SERIES)
    selection.take(CASE.lesion)
    again = SeedSelection(SERIES)
    again.replay(selection.journal)

    assert np.array_equal(again.confirm().mask, CASE.lesion.mask)


@pytest.mark.parametrize("expand", ["area", "dilate"])
def test_an_outline_on_the_t2_replays_from_the_journal_alone(tmp_path, expand):
    selection = SeedSelection(SERIES, n_baseline=CASE.n_baseline)
    selection.outline(CASE.t2_outline, expand=expand)
    again = SeedSelection(SERIES)
    again.replay(Journal.read(selection.journal.write(tmp_path / "journal.json")))

    assert np.array_equal(again.confirm().mask, selection.confirm().mask)
    assert again.outline_steps.roi is again.confirm()
    again.undo()
    assert again.roi is None
    assert again.outline_steps is None
    assert code_of(again.outline, CASE.t2_outline, expand="volume") == "choice-unknown"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=24, max_size=24))
def test_runs_hold_every_voxel(bits):
    mask = np.array(bits).reshape(2, 3, 4)

    assert np.array_equal(voxels_of(runs_of(mask), mask.shape), mask)


@pytest.mark.parametrize("runs", ["1+", "x+2", "20+9", "5", "-1+2"])
def test_runs_that_do_not_fit_are_refused(runs):
    assert code_of(voxels_of, runs, (2, 3, 4)) == "journal-invalid"


def reviewed() -> RoiReview:
    selection = marked()
    return RoiReview(SERIES, selection.confirm(), selection.journal)


def test_only_an_accepted_region_passes_the_gate():
    review = reviewed()

    assert code_of(review.confirm) == "roi-not-accepted"
    review.reject("AB", "motion")
    assert code_of(review.confirm) == "roi-not-accepted"
    review.accept("AB")
    assert review.confirm().record["accepted_by"] == "AB"
    review.apply("grow", 2.0)
    assert code_of(review.confirm) == "roi-not-accepted"


def test_a_verdict_needs_initials_and_a_rejection_its_reason():
    review = reviewed()

    assert code_of(review.accept, " ") == "nothing-selected"
    assert code_of(review.reject, "AB", "") == "nothing-selected"


def test_an_empty_region_cannot_be_accepted():
    review = reviewed()
    review.draw(np.zeros_like(review.mask))

    assert code_of(review.accept, "AB") == "roi-empty"


def test_a_review_replays_to_the_same_bits():
    review = reviewed()
    stroke = review.mask.copy()
    stroke[5, 10:14, 10:20] = True
    stroke[:, :, 48] = False
    review.draw(stroke)
    review.apply("smooth", 1.5)
    review.apply("grow", 1.0)
    review.undo()
    review.apply("keep_largest")
    review.accept("AB", "looks right")

    again = RoiReview(SERIES, marked().confirm(), marked().journal)
    again.replay(review.journal)

    assert np.array_equal(again.confirm().mask, review.confirm().mask)
    assert again.verdict == review.verdict


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("apply", "melt"), "choice-unknown"),
        (("apply", "grow", 0.0), "value-out-of-range"),
        (("draw", np.zeros((2, 2, 2), bool)), "shape-mismatch"),
    ],
)
def test_what_a_review_cannot_do_is_refused(call, code):
    assert code_of(getattr(reviewed(), call[0]), *call[1:]) == code


def test_a_region_on_another_grid_cannot_be_reviewed():
    other = simulate_case(4, size=(64, 64, 12)).lesion

    assert code_of(RoiReview, SERIES, Roi(other.mask, other.geometry, "other"), marked().journal) == "grid-mismatch"
