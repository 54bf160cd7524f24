"""A training is the same to the bit from run to run, and when it is interrupted and goes on."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest
import torch

from spinekit.errors import InputRefusedError
from spinekit.models.training import Plan, learning_rate_at, train_network

PLAN = Plan(steps=6, seed=3, judge_every=2, learning_rate=0.05)


class Line:
    """Teaches y = 2 x1 - x2; the score is minus the error on points of its own."""

    def __init__(self, name="line"):
        self.record = {"task": name}

    def batch(self, step, *, seed, rank):
        draw = torch.Generator().manual_seed(1000 * seed + 10 * step + rank)
        x = torch.randn(16, 2, generator=draw)
        return {"x": x, "y": x @ torch.tensor([[2.0], [-1.0]])}

    def loss(self, net, batch):
        return (net(batch["x"]) - batch["y"]).square().mean()

    def judge(self, net):
        return {"score": -float(self.loss(net, self.batch(999, seed=0, rank=0)))}


def build():
    return torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.2), torch.nn.Linear(4, 1)
    )


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train_network(build, Line(), PLAN, out=tmp_path_factory.mktemp("whole"))


def test_the_same_seed_gives_the_same_bits(whole, tmp_path):
    assert same(train_network(build, Line(), PLAN, out=tmp_path).tensors, whole.tensors)


def test_another_seed_gives_other_weights(whole, tmp_path):
    other = train_network(build, Line(), dataclasses.replace(PLAN, seed=4), out=tmp_path)

    assert not same(other.tensors, whole.tensors)


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_a_resumed_training_equals_an_uninterrupted_one(whole, tmp_path, stop):
    train_network(build, Line(), PLAN, out=tmp_path, until=stop)

    resumed = train_network(build, Line(), PLAN, out=tmp_path)

    assert same(resumed.tensors, whole.tensors)
    assert resumed.curve == whole.curve


def test_a_finished_training_is_only_read(whole, tmp_path):
    train_network(build, Line(), PLAN, out=tmp_path)
    steps = []

    again = train_network(build, Line(), PLAN, out=tmp_path, on_step=lambda *told: steps.append(told))

    assert steps == []
    assert same(again.tensors, whole.tensors)


def test_the_curve_is_written_as_a_table(tmp_path):
    train_network(build, Line(), PLAN, out=tmp_path)

    lines = (tmp_path / "curve.csv").read_text().splitlines()

    assert lines[0] == "step,score"
    assert [line.split(",")[0] for line in lines[1:]] == ["2.0", "4.0", "6.0"]


def test_a_score_that_no_longer_rises_ends_the_training_early(tmp_path):
    class Worse(Line):
        judged = 0

        def judge(self, net):
            self.judged += 1
            return {"score": -float(self.judged)}

    ended = train_network(build, Worse(), dataclasses.replace(PLAN, steps=20, patience=2), out=tmp_path)

    assert ended.stopped_early
    assert ended.best_step == 2
    assert [row["step"] for row in ended.curve] == [2.0, 4.0, 6.0]


def test_a_folder_with_another_training_is_refused(tmp_path):
    train_network(build, Line(), PLAN, out=tmp_path)

    with pytest.raises(InputRefusedError, match="other data") as refused:
        train_network(build, Line("another"), PLAN, out=tmp_path)

    assert refused.value.code == "training-stopped"


def test_a_state_that_was_replaced_is_refused(tmp_path):
    train_network(build, Line(), PLAN, out=tmp_path, until=2)
    named = json.loads((tmp_path / "state.json").read_text())["file"]
    (tmp_path / named).write_bytes(b"something else")

    with pytest.raises(InputRefusedError) as refused:
        train_network(build, Line(), PLAN, out=tmp_path)

    assert refused.value.code == "model-changed"


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    class Broken(Line):
        def loss(self, net, batch):
            return super().loss(net, batch) * float("nan")

    with pytest.raises(InputRefusedError, match="finite loss") as refused:
        train_network(build, Broken(), PLAN, out=tmp_path)

    assert refused.value.code == "training-stopped"


def test_the_rate_rises_then_falls_to_a_hundredth():
    plan = Plan(steps=50, learning_rate=1.0, warm_up=0.1)

    rates = [learning_rate_at(step, plan) for step in range(50)]

    assert rates[4] == max(rates) == 1.0
    assert rates[-1] == pytest.approx(0.01)
    assert all(a > b for a, b in itertools.pairwise(rates[4:]))
