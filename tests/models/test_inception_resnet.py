"""The classifier: its blocks, that it learns the same thing twice, and that its variations keep what they must."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.models.crop import LesionCrop
from spinekit.models.inception_resnet import InceptionResNetConfig, Residual, _mean_in, _plain, build_inception_resnet
from spinekit.models.inception_resnet_training import ClassifierTask, Variation, varied
from spinekit.models.inception_resnet_use import region_variants
from spinekit.models.inputs import MAPS
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.models.training import Plan, train_network

MARKS = [f"{t:g}" for t in PHASE_TIMES_S]
NAMES = (*(f"map:{n}" for n in MAPS), *(f"phase:{m}" for m in MARKS), *(f"present:{m}" for m in MARKS), "region")
TINY = InceptionResNetConfig(width=4, blocks=(1, 1, 1), embedding=8)
GRID = Geometry((24, 24, 8), (2.0, 2.0, 4.0))


def made_crop(seed, *, brighter=0.0, absent=()):
    rng = np.random.default_rng(seed)
    channels = rng.normal(0.0, 0.1, (25, *GRID.shape_zyx)).astype(np.float32)
    channels[-1] = 0.0
    channels[-1, 2:6, 8:16, 8:16] = 1.0
    channels[5:14] += np.float32(brighter) * channels[-1]
    channels[14:24] = 1.0
    for mark in absent:
        channels[NAMES.index(f"phase:{mark}")] = 0.0
        channels[NAMES.index(f"present:{mark}")] = 0.0
    return LesionCrop(channels, NAMES, GRID, 10 - len(absent), 1.0, 4.6, 1.0)


@pytest.fixture(scope="module")
def cases():
    return [(made_crop(n, brighter=0.5 * (n % 2)), n % 2) for n in range(12)]


def weights(tmp_path, cases, name, **stop):
    torch.set_num_threads(1)
    task = ClassifierTask(cases, cases, batch_size=4)
    plan = Plan(steps=4, seed=3, judge_every=2)
    return train_network(lambda: build_inception_resnet(TINY), task, plan, out=tmp_path / name, **stop)


def test_a_residual_block_of_scale_zero_is_its_rectified_input():
    block = Residual(6, [torch.nn.Conv3d(6, 3, 1)], 3, scale=0.0)
    x = torch.randn(2, 6, 4, 5, 6)

    torch.testing.assert_close(block(x), torch.relu(x))


def test_the_mean_over_a_region_of_one_coarse_voxel_is_that_voxel():
    features = torch.arange(2 * 3 * 2 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2, 2)
    region = torch.zeros(2, 1, 4, 4, 4)
    region[:, :, 2:, :2, 2:] = 1.0

    torch.testing.assert_close(_mean_in(features, region), features[:, :, 1, 0, 1])


def test_what_goes_past_the_blocks_is_mean_spread_and_size_of_the_region():
    crops = torch.randn(2, 4, 6, 6, 6)
    crops[:, -1] = 0.0
    crops[:, -1, 2:5, 2:5, 2:5] = 1.0
    inside = crops[:, :-1, 2:5, 2:5, 2:5].flatten(2)

    mean, spread, size = _plain(crops)

    torch.testing.assert_close(mean, inside.mean(dim=2))
    torch.testing.assert_close(spread, inside.std(dim=2, correction=0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(size, torch.full((2, 1), float(np.log(27 / 216)) / 2 + 1.5))


def test_a_case_gives_the_same_numbers_whatever_else_is_in_its_batch():
    torch.manual_seed(1)
    net = build_inception_resnet(TINY).eval()
    batch = torch.randn(3, 25, 14, 32, 32)

    with torch.no_grad():
        together, alone = net(batch), net(batch[1:2])

    torch.testing.assert_close(together.embedding[1:2], alone.embedding, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.logit[1:2], alone.logit, atol=1e-5, rtol=1e-4)


def test_a_configuration_survives_the_way_through_json():
    assert InceptionResNetConfig.from_dict(TINY.as_dict()) == TINY


def test_the_same_seed_gives_bit_identical_weights_and_a_resumed_training_the_same(tmp_path, cases):
    first, second = (weights(tmp_path, cases, name) for name in ("a", "b"))
    weights(tmp_path, cases, "c", until=2)
    resumed = weights(tmp_path, cases, "c")

    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[name]), name
        assert torch.equal(tensor, resumed.tensors[name]), name


def test_batches_hold_half_of_each_class_and_depend_on_their_number_alone(cases):
    task = ClassifierTask(cases, cases, batch_size=6)

    seen = task.batch(5, seed=1, rank=0)
    task.batch(9, seed=1, rank=0)
    again, other = task.batch(5, seed=1, rank=0), task.batch(5, seed=2, rank=0)

    assert seen["labels"].sum() == 3
    assert torch.equal(seen["crops"], again["crops"])
    assert not torch.equal(seen["crops"], other["crops"])


def test_the_judgement_of_a_perfect_and_of_a_blind_network(cases):
    class Knows(torch.nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.sign = torch.nn.Parameter(torch.tensor(float(sign)))

        def forward(self, crops):
            from spinekit.models.inception_resnet import Verdict

            inside = (crops[:, 8] * crops[:, -1]).sum(dim=(1, 2, 3)) / crops[:, -1].sum(dim=(1, 2, 3))
            return Verdict(inside[:, None], self.sign * inside)

    task = ClassifierTask(cases, cases, batch_size=4)

    assert task.judge(Knows(1))["auc"] == 1.0
    assert task.judge(Knows(0))["auc"] == 0.5
    assert task.judge(Knows(0))["score"] == pytest.approx(-np.log(2))


def test_one_class_alone_cannot_be_learned(cases):
    with pytest.raises(InputRefusedError) as refused:
        ClassifierTask([c for c in cases if c[1]], cases)

    assert refused.value.code == "value-out-of-range"


@pytest.mark.parametrize("seed", range(6))
def test_a_variation_keeps_absent_phases_absent_and_the_region_a_share(seed):
    crop = made_crop(7, absent=("180", "240"))

    result = varied(crop.channels, NAMES, Variation(absent=1.0), seed=seed)

    assert result.shape == crop.channels.shape
    assert np.isfinite(result).all()
    assert result[-1].min() >= 0.0
    assert result[-1].max() <= 1.0
    gone = [m for m in MARKS if result[NAMES.index(f"present:{m}")].flat[0] == 0.0]
    assert {"180", "240"} < set(gone)
    for mark in gone:
        assert not result[NAMES.index(f"phase:{mark}")].any()


def test_a_tighter_and_a_wider_region_lie_about_the_one_that_was_drawn():
    region, tighter, wider = region_variants(made_crop(1).channels[-1])

    assert tighter.sum() < region.sum() < wider.sum()
    assert (tighter >= 0.5)[region >= 0.5].any()
    assert ((wider >= 0.5) | (region < 0.5)).all()
