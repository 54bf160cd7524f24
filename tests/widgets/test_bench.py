"""The benches without a browser: what the page would send goes in, what it would be shown comes out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spinekit.case import Roi
from spinekit.errors import InputRefusedError, NothingSelectedError
from spinekit.phantom import simulate_case
from spinekit.viewmodels import RoiReview, SeedSelection
from spinekit.widgets import niivue_view, roi_review, seed_picker, series_view

CASE = simulate_case(3, size=(96, 96, 12))
SERIES, SEED, T2 = CASE.series, CASE.seed_ijk, CASE.t2


class Page:
    """Takes the place of the browser: keeps what it is sent, and what that makes of each image's labels."""

    def __init__(self, bench):
        self.bench, self.said, self.panel, self.curve, self.labels = bench, [], {}, "", {}
        bench.send = self.hear
        bench._hear(None, {"type": "ready"}, [])

    def hear(self, message, buffers=()):
        self.said.append(message["type"])
        if message["type"] == "panel":
            self.panel = json.loads(json.dumps(message["panel"]))  # has to be JSON
        elif message["type"] == "curve":
            self.curve = message["svg"]
        elif message["type"] == "labels":
            canvas = self.bench.images[message["image"]].canvas
            flat = np.zeros(int(np.prod(canvas.shape)), dtype=np.uint8)
            for start, length, value in np.frombuffer(buffers[0], dtype=np.uint32).reshape(-1, 3):
                flat[start : start + length] = value
            self.labels[message["image"]] = canvas.from_viewer(flat.reshape(canvas.shape))

    def act(self, kind, buffers=(), **values):
        self.bench._hear(None, {"type": kind, "cause": 1, **values}, list(buffers))

    def stroke(self, image, added=None, removed=None):
        canvas = self.bench.images[image].canvas
        runs = [canvas.runs(m)[:, :2].tobytes() if m is not None else b"" for m in (added, removed)]
        self.act("stroke", runs, image=image)


@pytest.fixture
def selection():
    return SeedSelection(SERIES, n_baseline=CASE.n_baseline, reader="AB")


@pytest.fixture
def page(selection):
    page = Page(seed_picker(selection, t2=T2))
    yield page
    page.bench.close()


@pytest.fixture
def review():
    marked = SeedSelection(SERIES, n_baseline=CASE.n_baseline, reader="AB")
    marked.add(*SEED)
    return RoiReview(SERIES, marked.confirm(), marked.journal)


@pytest.fixture
def review_page(review):
    page = Page(roi_review(review, t2=T2, reader="CD"))
    yield page
    page.bench.close()


def test_before_the_first_click_the_panel_says_what_to_do(page):
    assert page.panel["headline"] == "Click the middle of the lesion"
    assert not page.labels["series"].any()
    assert page.panel["simulated"]
    assert page.panel["failure"] is None


def test_a_click_grows_the_region_that_is_shown(page, selection):
    page.act("seed", ijk=list(SEED), background=False)

    assert np.array_equal(page.labels["series"], selection.confirm().mask)
    assert page.panel["headline"] == f"{selection.roi.volume_ml:.2f} ml"
    assert page.panel["seeds"][0]["ijk"] == list(SEED)
    assert "region" in page.curve
    np.testing.assert_allclose(page.panel["seeds"][0]["mm"], SERIES.geometry.index_to_mm(SEED))


def test_settings_undo_redo_remove_and_clear_are_shown_as_they_are(page, selection):
    page.act("seed", ijk=list(SEED), background=False)
    page.act("set", values={"tolerance": 1.0})
    tight = selection.roi.mask
    assert page.panel["growing"]["tolerance"] == 1.0
    page.act("undo")
    assert page.panel["growing"]["tolerance"] == 0.0
    page.act("redo")

    assert np.array_equal(page.labels["series"], tight)
    page.act("remove", ijk=list(SEED), background=False)
    assert page.panel["seeds"] == []
    assert not page.labels["series"].any()
    page.act("undo")
    page.act("clear")
    assert not page.labels["series"].any()


def test_a_background_seed_is_shown_as_one_and_repels(page, selection):
    page.act("seed", ijk=list(SEED), background=False)
    page.act("seed", ijk=[48, 30, 5], background=True)

    assert [mark["background"] for mark in page.panel["marks"]] == [False, True]
    assert not page.labels["series"][5, 30, 48]


def test_a_page_that_lags_behind_removes_the_seed_that_was_meant(page, selection):
    page.act("seed", ijk=list(SEED), background=False)
    page.act("seed", ijk=[48, 30, 5], background=True)
    page.act("remove")  # Delete, while the page may still show one seed
    assert [list(s.ijk) for s in selection.seeds] == [list(SEED)]

    page.act("undo")
    page.act("remove", ijk=list(SEED), background=False)
    page.act("remove", ijk=list(SEED), background=False)  # pressed twice
    assert [list(s.ijk) for s in selection.seeds] == [[48, 30, 5]]

    page.act("remove")
    page.act("remove")  # nothing is left
    assert selection.seeds == ()
    assert selection.failure is None


def test_what_goes_wrong_in_a_click_is_shown_kept_and_raised_at_the_gate(page, selection):
    page.act("seed", ijk=[900, 0, 0], background=False)

    assert "900" in page.panel["failure"]
    with pytest.raises(InputRefusedError, match="900"):
        selection.confirm()
    page.act("seed", ijk=list(SEED), background=False)
    assert page.panel["failure"] is None
    assert selection.confirm().n_voxels > 0


@pytest.mark.parametrize(
    ("message", "words"), [({"type": "failed", "text": "TypeError: x"}, "TypeError: x"), ({"type": "jump"}, "jump")]
)
def test_what_goes_wrong_in_the_page_is_not_lost_either(page, selection, message, words):
    page.bench._hear(None, message, [])

    assert words in page.panel["failure"]
    with pytest.raises(Exception, match=words):
        selection.confirm()


def test_what_growing_refuses_is_shown_and_the_region_is_not(page, selection):
    page.act("seed", ijk=list(SEED), background=False)
    page.act("set", values={"max_volume_ml": 0.0})

    assert "max_volume_ml is 0" in page.panel["failure"]
    assert not page.labels["series"].any()


def test_a_change_made_in_a_cell_reaches_the_page(page, selection):
    selection.add(*SEED)

    assert np.array_equal(page.labels["series"], selection.confirm().mask)


def test_the_curve_follows_the_crosshair_and_says_when_it_is_outside(page):
    page.bench._hear(None, {"type": "cross", "ijk": [40, 41, 5]}, [])
    assert "voxel 40, 41, 5" in page.curve
    assert "neighbours" in page.curve
    page.bench._hear(None, {"type": "cross", "ijk": None}, [])

    assert "voxel" not in page.curve


def test_an_outline_drawn_on_the_t2_is_the_outline_in_python_and_leads_through_the_panels(page, selection):
    page.stroke("t2", added=CASE.t2_outline.mask)

    assert np.array_equal(selection.outlined[0].mask, CASE.t2_outline.mask)
    assert np.array_equal(page.labels["t2"], CASE.t2_outline.mask)
    assert [step["letter"] for step in page.panel["outline"]["steps"]] == list("ABCDEFG")
    assert np.array_equal(page.labels["series"], selection.confirm().mask)
    steps = selection.outline_steps
    for number, mask in ((1, steps.carried.mask), (3, steps.expanded.mask), (5, steps.fused.mask), (6, steps.roi.mask)):
        page.act("step", step=number)
        assert np.array_equal(page.labels["series"] == 1, mask)
    page.act("step", step=4)
    assert np.array_equal(page.labels["series"] == 1, steps.kept.mask)
    assert np.array_equal(page.labels["series"] > 0, (steps.partitions.values > 0) | steps.kept.mask)


def test_an_outline_that_is_taken_away_again_leaves_nothing(page, selection):
    page.stroke("t2", added=CASE.t2_outline.mask)
    page.act("expand", expand="dilate")
    assert selection.outlined[1] == "dilate"
    page.stroke("t2", removed=CASE.t2_outline.mask)

    assert selection.outlined is None
    with pytest.raises(NothingSelectedError):
        selection.confirm()


def test_initials_are_put_on_the_journal(page, selection):
    page.act("sign", reader=" XY ")

    assert selection.journal.reader == "XY"
    assert page.panel["reader"] == "XY"


def test_a_stroke_makes_the_same_mask_in_python_and_on_the_page(review_page, review):
    before, added, removed = review.mask.copy(), np.zeros_like(review.mask), np.zeros_like(review.mask)
    added[2, 10:14, 20:29] = True
    added[2:5, 13, 20] = True
    removed[5, :, :48] = True
    review_page.stroke("series", added=added)
    review_page.stroke("series", removed=removed)

    assert np.array_equal(review.mask, (before | added) & ~removed)
    assert np.array_equal(review_page.labels["series"], review.mask)
    review_page.act("undo")
    assert np.array_equal(review_page.labels["series"], before | added)


@pytest.mark.parametrize(
    "operation", ["grow", "shrink", "smooth", "close", "open", "fill", "keep_largest", "interpolate"]
)
def test_every_operation_is_shown_as_it_is_and_can_be_undone(review_page, review, operation):
    before = review.mask.copy()
    review_page.act("apply", operation=operation, mm=1.0)
    assert review_page.panel["failure"] is None
    assert np.array_equal(review_page.labels["series"], review.mask)
    review_page.act("undo")

    assert np.array_equal(review.mask, before)


def test_the_verdict_is_shown_and_a_change_takes_it_back(review_page, review):
    review_page.act("reject", reader="CD", reason="")
    assert "reason" in review_page.panel["failure"]
    review_page.act("accept", reader="CD", reason="")
    assert review_page.panel["verdict"]["state"] == "accepted"
    assert review.confirm().record["accepted_by"] == "CD"
    review_page.act("apply", operation="grow", mm=2.0)

    assert review_page.panel["verdict"]["state"] == "open"
    assert review_page.panel["past"] == ["accepted by CD", "grow by 2 mm"]


def test_a_stroke_that_reaches_beyond_the_image_is_refused_and_changes_nothing(review_page, review):
    before = review.mask
    runs = np.array([[review.mask.size - 1, 5]], dtype=np.uint32).tobytes()
    review_page.act("stroke", [runs, b""], image="series")

    assert "within the image" in review_page.panel["failure"]
    assert review.mask is before


def test_an_emptied_region_is_said_to_be_empty(review_page, review):
    review_page.stroke("series", removed=review.mask)

    assert review_page.panel["headline"] == "The region is empty"


def test_looking_needs_no_seed_and_shows_the_phases():
    page = Page(series_view(SERIES, t2=T2, n_baseline=CASE.n_baseline))

    assert page.panel["tools"] == ["look"]
    assert f"{SERIES.n_phases} phases" in page.panel["headline"]
    page.bench.close()


def test_no_image_and_no_viewer_is_kept_in_the_state_that_a_notebook_saves(page):
    state = page.bench.get_state()

    assert sum(len(str(value)) for value in state.values()) < 150_000
    page.bench._hear(None, {"type": "frame", "image": "series", "frame": 0}, [])
    assert sum(len(str(value)) for value in page.bench.get_state().values()) < 150_000


def test_what_is_closed_hears_nothing_more_and_holds_no_image(selection):
    page = Page(seed_picker(selection))
    page.bench.close()
    heard = len(page.said)
    selection.add(*SEED)

    assert len(page.said) == heard
    assert page.bench.images == {}


def test_an_unattended_run_gets_a_sentence_instead_of_a_widget(monkeypatch, selection, review):
    monkeypatch.setenv("SPINEKIT_UNATTENDED", "1")

    for view in (seed_picker(selection), roi_review(review), series_view(SERIES)):
        assert "Unattended run" in view.value


def test_a_region_of_another_origin_is_named(selection):
    selection.take(Roi(CASE.lesion.mask, SERIES.geometry), source="file")
    page = Page(seed_picker(selection))

    assert "from file" in page.panel["detail"]
    assert np.array_equal(page.labels["series"], CASE.lesion.mask)
    page.bench.close()


def test_niivue_gets_the_image_and_the_region_on_one_grid():
    view = niivue_view(SERIES, roi=CASE.lesion)

    assert [layer.name for layer in view.volumes] == ["image.nii", "region.nii"]
    other = Roi(T2.values > 0, T2.geometry)
    with pytest.raises(InputRefusedError, match="grids"):
        niivue_view(SERIES, roi=other)
    view.close()
