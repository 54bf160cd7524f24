"""Teaching a tiny U-Net: cases, examples, batches, loss, weights."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import spinekit as sk
from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import shipped
from spinekit.models.examples import CHANNELS, N_VALUES, TaughtCase, fewer_phases, open_example, write_example
from spinekit.models.segmentation_task import ANY, SegmentationTask, Teaching, _harder, _lesion_weights
from spinekit.models.segmenting import segment
from spinekit.models.strange import strange_patch
from spinekit.models.teaching import norm_of, prepare_examples, teach_segmentation
from spinekit.models.training import Plan
from spinekit.models.unet import UNetConfig
from spinekit.models.variation import without_first_pass
from spinekit.phantom.scanners import harder_case
from spinekit.phantom.teaching import write_teaching_cases

TINY = UNetConfig(CHANNELS, widths=(4, 8, 8), instance_norm=False)  # one that is judged in one piece: far sooner here
PLAN = Plan(steps=3, seed=2, judge_every=1, learning_rate=1e-2)
PATCHES = Teaching(patch_zyx=(8, 48, 48))


@pytest.fixture(scope="module")
def case():
    return sk.simulate_case(21, size=(96, 96, 8))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_teaching_cases(tmp_path_factory.mktemp("cases"), whole=1, near=1, validation=1, size=(64, 64, 8))


@pytest.fixture(scope="module")
def taught(table, tmp_path_factory):
    return teach_segmentation(table, tmp_path_factory.mktemp("taught"), plan=PLAN, teaching=PATCHES, network=TINY)


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

    assert first["x"].shape == (2, CHANNELS, *PATCHES.patch_zyx)
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


def test_a_training_goes_on_with_the_normalisation_it_began_with(taught):
    assert norm_of(None) is UNetConfig(CHANNELS).instance_norm is True
    assert norm_of(shipped("unet")) is False
    assert norm_of(taught.weights) is TINY.instance_norm


def test_what_is_taught_is_the_share_of_each_voxel_and_not_whether_it_is_more_than_half(taught):
    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples, replace(PATCHES, vary=False, around_lesion=1.0), data={})

    y = torch.cat([task.batch(step, seed=0, rank=0)["y"] for step in range(8)]).numpy()

    assert 0.0 <= y.min() < y.max() <= 1.0
    assert ((y > 0.1) & (y < 0.9)).sum() > 20


def test_the_loss_is_least_at_the_share_itself():
    share = torch.tensor([0.0, 0.2, 0.4, 0.8, 1.0]).repeat(40).reshape(1, 1, 2, 10, 10)
    task = SegmentationTask([], [], PATCHES, data={})
    answers = {"share": share, "cut": (share >= 0.5).float(), "more": (share + 0.1).clamp(max=1.0)}
    logits = {name: torch.logit(p.clamp(1e-4, 1 - 1e-4)) for name, p in answers.items()}

    loss = {name: float(task.loss(lambda _, x=x: x, {"x": share, "y": share})) for name, x in logits.items()}

    assert loss["share"] < min(loss["cut"], loss["more"])


def test_the_share_of_a_fine_mask_is_its_mean_and_belongs_to_the_nearest_lesion(tmp_path):
    case = sk.simulate_case(21, size=(256, 256, 24), n_phases=4)
    mask = case.lesions.values.astype(np.uint8)

    example = open_example(write_example(TaughtCase("one", case.series, mask, case.n_baseline), tmp_path))

    blocks = (mask > 0).reshape(24, 128, 2, 128, 2).mean(axis=(2, 4))
    np.testing.assert_array_equal(example.share, np.rint(255 * blocks))
    inside = (np.asarray(example.lesions) > 0) & (np.asarray(example.share) > 0)
    np.testing.assert_array_equal(example.owner[inside], example.lesions[inside])
    border = (example.share > 0) & ~inside
    assert border.any()
    assert set(np.unique(example.owner[border])) <= set(np.unique(example.lesions)) - {0}


def test_an_example_of_an_older_format_is_computed_anew(tmp_path):
    case = sk.simulate_case(21, size=(32, 32, 4))
    one = TaughtCase("one", case.series, case.lesions.values.astype(np.uint8), case.n_baseline)
    place = write_example(one, tmp_path)
    before = (place / "example.json").read_bytes()
    (place / "example.json").write_text(json.dumps({"clicked": []}))
    (place / "share.npy").unlink()

    write_example(one, tmp_path)

    assert (place / "example.json").read_bytes() == before
    assert open_example(place).share.any()


def test_harder_cases_have_slices_of_any_number_and_every_other_is_blastic():
    cases = [harder_case(seed, size=(16, 16, 10)) for seed in range(40)]

    assert len({c.series.geometry.size[2] for c in cases}) > 4
    assert 12 <= sum(c.entity == "blastic_metastasis" for c in cases) <= 28
    assert [c.series.record["hospital"] for c in cases[:5]] == ["A", "drawn", "drawn", "drawn", "A"]


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


def test_a_network_that_normalises_by_the_volume_is_judged_in_patches(taught):
    class Watching(torch.nn.Module):
        """Finds nothing, and keeps the sizes that it is shown."""

        def __init__(self, norm):
            super().__init__()
            self.norm, self.shown = norm, set()

        def forward(self, x):
            self.shown.add(tuple(x.shape[2:]))
            return self.norm(x[:, :1]) - 9.0

    examples = [open_example(p) for p in sorted((taught.weights.parent / "examples").iterdir())]
    task = SegmentationTask(examples, examples[:1], PATCHES, data={})
    patches, pieces = Watching(torch.nn.InstanceNorm3d(1, affine=True)).eval(), Watching(torch.nn.BatchNorm3d(1)).eval()

    with torch.inference_mode():
        task.judge(patches)
        task.judge(pieces)

    assert patches.shown == {PATCHES.patch_zyx}
    assert pieces.shown == {examples[0].lesions.shape}


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
        ("case,series,lesions,split\na,b,c,tset\n", "table-invalid"),
    ],
)
def test_a_table_that_cannot_teach_is_refused(tmp_path, text, code):
    (tmp_path / "cases.csv").write_text(text)

    with pytest.raises(InputRefusedError) as refused:
        teach_segmentation(tmp_path / "cases.csv", tmp_path / "out", plan=PLAN)

    assert refused.value.code == code


def test_cases_of_the_test_split_are_not_even_read(table, taught, tmp_path):
    rows = list(csv.DictReader(table.read_text().splitlines()))
    for row in rows:
        row["series"] = str(table.parent / row["series"])
    kept = tmp_path / "kept.csv"
    with open(kept, "w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows([*rows, rows[0] | {"case": "held-out", "series": "absent.npz", "split": "test"}])

    prepared = prepare_examples(kept, taught.weights.parent / "examples")

    assert [(example.name, split) for example, split in prepared] == [(row["case"], row["split"]) for row in rows]


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


@pytest.mark.parametrize(
    "number", [{"whole": 401}, {"near": 301}, {"drawn": 151}, {"harder": 2001}, {"validation": 1001}]
)
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
