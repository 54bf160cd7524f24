"""Explanations: a network whose evidence is known is explained by it; what learned nothing is stamped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spinekit.geometry import Geometry
from spinekit.models import explain_tests
from spinekit.models.crop import LesionCrop
from spinekit.models.explain import BATCH, blocks_near, grad_cam, logit_of, logits_without, occlusion
from spinekit.models.explain_tests import deletion_test, explain, randomisation_test, randomised
from spinekit.models.inception_resnet import InceptionResNetConfig, Verdict, build_inception_resnet
from spinekit.models.inception_resnet_use import Classifier

GRID = Geometry((24, 24, 8), (2.0, 2.0, 4.0))
SPOT = (slice(2, 4), slice(8, 12), slice(12, 16))  # one block, inside the region
TINY = InceptionResNetConfig(width=4, blocks=(1, 1, 1), embedding=8)
NAMES = (*(f"c{n}" for n in range(24)), "region")


class LooksAtOneSpot(torch.nn.Module):
    """The logit is the mean of channel 5 in one block."""

    def forward(self, crops):
        value = crops[(slice(None), 5, *SPOT)].mean(dim=(1, 2, 3))
        return Verdict(value[:, None], value)


@pytest.fixture(scope="module")
def crop():
    rng = np.random.default_rng(1)
    channels = rng.normal(0.0, 0.05, (25, *GRID.shape_zyx)).astype(np.float32)
    channels[-1] = 0.0
    channels[-1, 1:6, 6:18, 6:18] = 1.0
    channels[(5, *SPOT)] = 2.0
    return LesionCrop(channels, NAMES, GRID, 10, 1.0, 11.5, 1.0)


@pytest.fixture(scope="module")
def spot():
    return Classifier(LooksAtOneSpot(), {"config": TINY.as_dict()})


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Classifier(build_inception_resnet(TINY).eval(), {"config": TINY.as_dict()})


def test_occlusion_marks_the_block_that_the_network_looks_at_and_nothing_else(spot, crop):
    values = occlusion(spot, crop, target=1)

    assert values[SPOT].min() == 1.0
    assert values.sum() == pytest.approx(values[SPOT].size)


def test_evidence_for_one_class_is_none_for_the_other(spot, crop):
    assert not occlusion(spot, crop, target=0)[SPOT].any()


def test_deleting_the_marked_block_costs_more_than_chance_and_deleting_the_others_less(spot, crop):
    marked = occlusion(spot, crop, target=1)

    fall, by_chance = deletion_test(spot, crop, marked, target=1, seed=0)
    wrong, _ = deletion_test(spot, crop, 1.0 - marked, target=1, seed=0)

    assert fall == pytest.approx(2.0, abs=0.1)
    assert fall > by_chance > wrong


def test_what_is_hidden_becomes_the_mean_of_the_surroundings_and_the_region_stays(network, crop):
    hidden = crop.channels.copy()
    outside = crop.channels[-1] < 0.5
    for channel in hidden[:-1]:
        channel[SPOT] = channel[outside].mean(dtype=np.float64)

    found = logits_without(network, crop, [[], [SPOT]] * BATCH)

    np.testing.assert_allclose(found[::2], logit_of(network, crop.channels[None])[0], atol=1e-5)
    np.testing.assert_allclose(found[1::2], logit_of(network, hidden[None])[0], atol=1e-5)
    assert abs(found[0] - found[1]) > 1e-3


def test_blocks_cover_the_region(crop):
    covered = np.zeros(GRID.shape_zyx, dtype=bool)
    for block in blocks_near(crop):
        covered[block] = True

    assert covered[crop.channels[-1] > 0.5].all()


def test_grad_cam_lies_in_the_box_and_is_the_same_twice(network, crop):
    first, second = (grad_cam(network, crop, target=1) for _ in range(2))

    assert first.shape == GRID.shape_zyx
    assert 0.0 <= first.min() <= first.max() <= 1.0
    np.testing.assert_array_equal(first, second)


def test_a_map_that_random_weights_would_give_as_well_is_stamped(network, crop):
    values = grad_cam(network, crop, target=1)

    class Same:
        calls = 0

    def always_the_same(classifier, crop, *, target):
        Same.calls += 1
        return values

    assert randomisation_test(network, crop, always_the_same, values, target=1, seed=0) == pytest.approx(1.0)
    assert Same.calls > 1


def test_a_constant_map_cannot_pass(network, crop):
    flat = np.zeros(GRID.shape_zyx, dtype=np.float32)

    assert np.isnan(randomisation_test(network, crop, grad_cam, flat, target=1, seed=0))


def test_random_weights_are_others_and_leave_the_network_and_the_generator_alone(network, crop):
    before = logit_of(network, crop.channels[None])
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)

    other = randomised(network, seed=3)

    assert torch.equal(torch.rand(1), expected)
    assert not np.allclose(logit_of(other, crop.channels[None]), before)
    np.testing.assert_array_equal(logit_of(network, crop.channels[None]), before)


def test_the_stamp_stands_exactly_where_a_test_was_failed(network, crop):
    for told in explain(network, crop, target=1):
        failed = not told.alike_random_weights <= 0.5 or not told.fall > max(told.fall_random, 0.0)

        assert told.stamp == ("not faithful" if failed else "")
        assert bool(told.reasons) == failed


def test_a_map_whose_deletion_raises_the_logit_is_stamped_also_where_chance_raises_it_more(network, crop, monkeypatch):
    monkeypatch.setattr(explain_tests, "deletion_test", lambda *_, **__: (-0.1, -0.2))

    for told in explain(network, crop, target=1):
        assert "lowers the logit by -0.10" in " ".join(told.reasons)
        assert told.stamp == "not faithful"
