"""Segmenting with the demonstration weights, and teaching a tiny network: what each promises."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import spinekit as sk
from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import read_card, shipped
from spinekit.models.examples import CHANNELS, N_VALUES, fewer_phases, open_example
from spinekit.models.inference import binary_entropy, predict_probability
from spinekit.models.segmentation_task import ANY, SegmentationTask, Teaching, _harder, _lesion_weights
from spinekit.models.segmenting import segment
from spinekit.models.strange import strange_patch
from spinekit.models.teaching import channel_names, teach_segmentation
from spinekit.models.training import Plan
from spinekit.models.unet import UNetConfig
from spinekit.models.variation import without_first_pass
from spinekit.phantom.teaching import write_teaching_cases
from spinekit.segmentation.agreement import dice

TINY = UNetConfig(CHANNELS, widths=(4, 8, 8))
PLAN = Plan(steps=3, seed=2, judge_every=1, learning_rate=1e-2)
PATCHES = Teaching(patch_zyx=(4, 16, 16))


@pytest.fixture(scope="module")
def case():
    return sk.simulate_case(21, size=(96, 96, 8))


@pytest.fixture(scope="module")
def clicked(case):
    return segment(case.series, case.n_baseline, click=case.seed_ijk)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_teaching_cases(tmp_path_factory.mktemp("cases"), whole=1, near=1, validation=1, size=(64, 64, 8))


@pytest.fixture(scope="module")
def taught(table, tmp_path_factory):
    return teach_segmentation(table, tmp_path_factory.mktemp("taught"), plan=PLAN, teaching=PATCHES, network=TINY)


def test_the_shipped_weights_say_what_they_are_and_are_small():
    card = read_card(shipped("unet"), kind="unet")

    assert card["warning"] == "simulated data: not for clinical use"
    assert card["training"]["channels"] == channel_names()
    assert shipped("unet").stat().st_size < 10e6


def test_a_clicked_lesion_of_a_simulated_case_is_found(case, clicked):
    assert dice(clicked.roi.mask, case.lesion.mask) > 0.7
    assert int(clicked.lesions.values.max()) == 1


def test_lesions_are_found_without_a_click(case):
    free = segment(case.series, case.n_baseline)

    assert dice(free.roi.mask, case.lesions.values > 0) > 0.6
    sizes = np.bincount(free.lesions.values.ravel())[1:]
    assert (np.diff(sizes) <= 0).all()
    np.testing.assert_array_equal(free.roi.mask, free.lesions.values > 0)


def test_the_result_lies_on_the_grid_of_the_series_between_zero_and_one(case, clicked):
    for volume in (clicked.probability, clicked.uncertainty):
        assert volume.geometry.same_grid(case.series.geometry)
        assert volume.values.min() >= 0.0
        assert volume.values.max() <= 1.0
    assert (clicked.probability.values[clicked.roi.mask] >= 0.5).all()


def test_the_same_call_gives_the_same_bits(case, clicked):
    again = segment(case.series, case.n_baseline, click=case.seed_ijk)

    np.testing.assert_array_equal(again.probability.values, clicked.probability.values)


def test_a_click_keeps_a_share_of_what_is_found_without_it(case):
    far = (3, 3, 0)  # in the air: what is near the click does not matter here

    unasked = segment(case.series, case.n_baseline).probability.values
    clicked = segment(case.series, case.n_baseline, click=far).probability.values

    assert unasked.max() > 0.9
    assert bool((clicked >= 0.4 * unasked - 1e-5).all())


def test_a_gain_of_the_receiver_changes_nothing(case, clicked):
    louder = replace(case.series, signal=case.series.signal * np.float32(4.0))

    other = segment(louder, case.n_baseline, click=case.seed_ijk)

    assert dice(other.roi.mask, clicked.roi.mask) > 0.99


def test_every_result_carries_the_warning_and_the_hash(clicked):
    assert clicked.warnings[0].startswith("[model-simulated]")
    assert clicked.record["sha256"] == clicked.model_card["sha256"]
    assert clicked.record["simulated"] is True


def test_a_protocol_unlike_the_learned_one_is_told(case):
    short = replace(case.series, signal=case.series.signal[[0, 4, 9]], times_s=case.series.times_s[[0, 4, 9]])

    found = segment(short, 1, click=case.seed_ijk)

    assert any(w.startswith("[protocol-unlike-training]") for w in found.warnings)
    assert any(w.startswith("[model-anywhere]") for w in found.warnings)
    assert found.record["sha256"] == read_card(shipped("unet_anywhere"), kind="unet")["sha256"]


@pytest.mark.parametrize("click", [(96, 3, 3), (-1, 3, 3)])
def test_a_click_outside_is_refused(case, click):
    with pytest.raises(InputRefusedError) as refused:
        segment(case.series, case.n_baseline, click=click)

    assert refused.value.code == "seed-outside"


def test_weights_for_other_channels_are_refused(case, tmp_path):
    file = shutil.copy(shipped("unet"), tmp_path / "unet.safetensors")
    card = json.loads(shipped("unet").with_suffix(".json").read_text())
    card["training"]["channels"] = card["training"]["channels"][1:]
    (tmp_path / "unet.json").write_text(json.dumps(card))

    with pytest.raises(InputRefusedError) as refused:
        segment(case.series, case.n_baseline, file)

    assert refused.value.code == "model-other"


def test_windows_and_one_pass_agree_where_windows_do_not_meet():
    torch.manual_seed(0)
    net = torch.nn.Conv3d(2, 1, 1).eval()
    channels = np.random.default_rng(0).normal(size=(2, 6, 20, 20)).astype(np.float32)

    whole, _ = predict_probability(net, channels)
    windows, _ = predict_probability(net, channels, window_zyx=(4, 8, 8))

    np.testing.assert_allclose(windows, whole, atol=1e-5)


def test_mirrored_copies_make_the_answer_symmetric():
    torch.manual_seed(0)
    net = torch.nn.Conv3d(1, 1, 3, padding=1).eval()
    channels = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)

    straight, _ = predict_probability(net, channels, mirror=True)
    flipped, _ = predict_probability(net, channels[..., ::-1], mirror=True)

    np.testing.assert_allclose(flipped[..., ::-1], straight, atol=1e-6)


def test_entropy_is_largest_at_a_half_and_falls_to_both_sides():
    entropy = binary_entropy(np.array([0.0, 0.1, 0.5, 0.9, 1.0], np.float32))

    np.testing.assert_allclose(entropy, [0.0, 0.469, 1.0, 0.469, 0.0], atol=1e-3)


def test_fewer_phases_keep_the_baseline_and_the_order(case):
    for seed in range(5):
        for few in (False, True):
            short = fewer_phases(case.series, case.n_baseline, np.random.default_rng(seed), few=few)

            kept = np.searchsorted(case.series.times_s, short.times_s)
            assert kept[: case.n_baseline].tolist() == list(range(case.n_baseline))
            assert (np.diff(kept) > 0).all()
            n_after = case.series.n_phases - case.n_baseline
            assert (
                (short.n_phases - case.n_baseline <= 4) if few else (2 * (short.n_phases - case.n_baseline) >= n_after)
            )
            np.testing.assert_array_equal(short.signal, case.series.signal[kept])


def test_a_batch_depends_on_seed_step_and_rank_alone(taught, table):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, PATCHES, data={})

    first, again = (task.batch(4, seed=1, rank=0) for _ in range(2))
    others = task.batch(5, seed=1, rank=0), task.batch(4, seed=2, rank=0), task.batch(4, seed=1, rank=1)

    assert first["x"].shape == (2, CHANNELS, 4, 16, 16)
    assert torch.equal(first["x"], again["x"])
    assert not any(torch.equal(first["x"], other["x"]) for other in others)


def test_only_every_other_patch_has_a_click(taught):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, PATCHES, data={})

    for step in range(6):
        x = task.batch(step, seed=0, rank=0)["x"]
        assert not x[0, -3:].any()
        assert x[1, -3:].any()


def test_a_small_lesion_is_drawn_more_often_than_a_large_one():
    large, small, sliver = (np.zeros((n, 3), int) for n in (8 * 27, 27, 19))

    lesions, weights = _lesion_weights([{1: large, 2: sliver}, {4: small}])

    assert lesions == [(0, 1, ANY), (1, 4, ANY)]
    np.testing.assert_allclose(weights, [1 / 3, 2 / 3])


def test_a_lesion_is_drawn_more_often_in_the_variant_in_which_it_is_missed():
    teaching = Teaching(hard=4.0, fewer_phases=0.5)
    missed = [{"1": [0.0, 0.0, 0.0]}, {"4": [0.0, 0.5, 1.0]}]

    drawn, often = _harder([(0, 1, ANY), (1, 4, ANY)], np.array([0.5, 0.5]), missed, teaching)

    assert drawn == [(0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 4, 0), (1, 4, 1), (1, 4, 2)]
    np.testing.assert_allclose(often / often[1], [2, 1, 1, 2, 3, 5])
    assert often.sum() == pytest.approx(1.0)


def test_a_training_draws_what_its_beginning_misses_and_keeps_what_that_is(table, taught, tmp_path):
    hard = replace(PATCHES, hard=8.0)
    folder = taught.weights.parent / "examples"
    plan = replace(PLAN, steps=1)

    with pytest.raises(InputRefusedError, match="value-out-of-range"):
        teach_segmentation(table, tmp_path / "none", plan=plan, teaching=hard, network=TINY, examples=folder)
    more = teach_segmentation(
        table, tmp_path / "more", plan=plan, teaching=hard, network=TINY, examples=folder, start=taught.weights
    )

    kept = json.loads((tmp_path / "more" / "misses.json").read_text())
    assert sorted(kept["misses"]) == more.data["cases"]
    for name, lesions in kept["misses"].items():
        numbers = np.unique(open_example(folder / name).lesions)
        assert sorted(lesions) == [str(n) for n in numbers if n]
        assert all(0.0 <= share <= 1.0 and len(shares) == 4 for shares in lesions.values() for share in shares)
    assert more.trained.tensors.keys() == taught.trained.tensors.keys()


def test_the_loss_of_a_batch_is_the_mean_over_its_patches(taught):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, PATCHES, data={})
    torch.manual_seed(0)
    net = torch.nn.Conv3d(CHANNELS, 1, 1)
    batch = task.batch(0, seed=0, rank=0)

    apart = [task.loss(net, {name: part[n : n + 1] for name, part in batch.items()}) for n in range(2)]

    torch.testing.assert_close(task.loss(net, batch), torch.stack(apart).mean())


def test_a_patch_without_a_lesion_loses_less_the_less_is_found_in_it(taught):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, PATCHES, data={})
    empty = torch.zeros(1, 1, 4, 16, 16)

    losses = [float(task.loss(lambda x, level=level: x + level, {"x": empty, "y": empty})) for level in (-6.0, -9.0)]

    assert 0.0 < losses[1] < losses[0] < 0.5


def test_a_first_pass_that_is_taken_away_leaves_no_trace_in_phases_flags_and_slope():
    full = np.zeros((CHANNELS, 2, 4, 4), dtype=np.float32)
    full[:4] = 1.0
    full[4] = 0.5  # before contrast
    full[5:N_VALUES] = np.linspace(0.9, 0.1, 9)[:, None, None, None]
    full[N_VALUES : N_VALUES + 10] = 1.0
    kinds = set()

    for seed in range(40):
        x = without_first_pass(np.random.default_rng(seed), full.copy())
        present = x[N_VALUES : N_VALUES + 10, 0, 0, 0] > 0
        maps_left, gone = bool(x[:4].any()), int((~present).sum())
        kinds.add((maps_left, gone > 0))

        assert present[0]
        np.testing.assert_array_equal(x[4], full[4])
        assert not x[4:N_VALUES][~present].any()
        if gone:
            assert present.tolist() == [True] + [False] * gone + [True] * (9 - gone)
            assert not x[1].any()
            np.testing.assert_allclose(x[0], full[5 + gone] / 0.5, rtol=1e-5)  # the highest phase that is left

    assert kinds == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize(("sees", "empty"), [("maps", slice(4, CHANNELS - 3)), ("phases", slice(0, 4))])
def test_an_ablation_blanks_what_it_leaves_out(taught, sees, empty):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, replace(PATCHES, sees=sees), data={})

    x = task.batch(0, seed=0, rank=0)["x"]

    assert not x[:, empty].any()
    assert x[:, :N_VALUES].any()


def test_teaching_writes_weights_that_segment(taught, table):
    with np.load(table.parent / "11000.npz", allow_pickle=False) as arrays:
        n_baseline = int(json.loads(str(arrays["facts"]))["n_baseline"])
    case = sk.simulate_case(11000, size=(64, 64, 8))

    found = segment(case.series, n_baseline, taught.weights)

    assert found.model_card["training"]["data"]["validation"] == ["11000"]
    assert [row["step"] for row in found.model_card["training"]["curve"]] == [1.0, 2.0, 3.0]


def test_teaching_resumed_equals_teaching_in_one_go(taught, table, tmp_path):
    options = {"plan": PLAN, "teaching": PATCHES, "network": TINY, "examples": taught.weights.parent / "examples"}
    teach_segmentation(table, tmp_path, until=2, **options)

    resumed = teach_segmentation(table, tmp_path, **options)

    assert resumed.weights.read_bytes() == taught.weights.read_bytes()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("case,series\na,b\n", "table-invalid"),
        ("case,series,lesions\n", "table-invalid"),
        ("case,series,lesions\na,b,c\na,b,c\n", "table-invalid"),
        ("case,series,lesions\n../a,b,c\n", "case-name-unsafe"),
    ],
)
def test_a_table_that_cannot_teach_is_refused(tmp_path, text, code):
    (tmp_path / "cases.csv").write_text(text)

    with pytest.raises(InputRefusedError) as refused:
        teach_segmentation(tmp_path / "cases.csv", tmp_path / "out", plan=PLAN)

    assert refused.value.code == code


def test_the_table_names_every_case_with_its_split(table):
    rows = list(csv.DictReader(table.read_text().splitlines()))

    assert [row["split"] for row in rows] == ["train", "train", "validation"]
    assert all((table.parent / row["series"]).is_file() for row in rows)


def test_drawn_cases_have_odd_seeds_of_their_own_and_no_hospital(tmp_path):
    text = write_teaching_cases(tmp_path, whole=1, near=0, drawn=2, validation=1, size=(24, 24, 4)).read_text()

    rows = list(csv.DictReader(text.splitlines()))
    names = [json.loads(str(np.load(tmp_path / row["series"])["facts"]))["name"] for row in rows]
    assert [row["case"] for row in rows] == ["10000", "10701", "10703", "11000"]
    assert ["drawn" in name for name in names] == [False, True, True, False]


@pytest.mark.parametrize("number", [{"whole": 401}, {"near": 301}, {"drawn": 151}, {"validation": 1001}])
def test_more_cases_than_there_are_seeds_between_the_kinds_are_refused(tmp_path, number):
    with pytest.raises(InputRefusedError) as refused:
        write_teaching_cases(tmp_path, **number)

    assert refused.value.code == "value-out-of-range"
    assert not list(tmp_path.iterdir())


def test_a_judgement_tells_all_phases_from_fewer_and_from_a_click(taught):
    (row, *_) = taught.trained.curve

    assert row["score"] == pytest.approx(np.mean([row[n] for n in ("dice", "dice_fewer_phases", "dice_clicked")]))


def test_a_patch_of_no_anatomy_holds_a_region_that_was_clicked():
    for seed in range(6):
        x, y = strange_patch(np.random.default_rng(seed), (8, 32, 32))

        assert x.shape == (CHANNELS, 8, 32, 32)
        assert np.isfinite(x).all()
        near, alike, grown = x[-3:]
        click = np.unravel_index(int(near.argmax()), near.shape)
        assert y[0][click] == 1.0
        assert 0.0 <= alike.min() <= alike.max() <= 1.0
        assert set(np.unique(grown)) <= {0.0, 1.0}
        absent = x[N_VALUES : CHANNELS - 3, 0, 0, 0] == 0
        assert not x[4:N_VALUES][absent].any()
        assert not absent[0]


def test_one_click_in_a_real_lesion_of_another_organ_is_followed(shared_data):
    folder = shared_data / "dce_breast_ucsf_br06"
    series = sk.read_series(folder / "dicom.zip")
    truth = sk.read_roi(folder / "lesion_from_ser_largest_component.nii.gz", on=series.geometry)

    found = segment(series, 1, click=(85, 131, 38))

    assert dice(found.roi.mask, truth.mask) >= 0.75
