"""Weights as safetensors with a card; everything that could run code, or is not what its card says, is refused."""

from __future__ import annotations

import json
import pickle

import pytest
import torch

from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import WARNING, fill_network, load_tensors, read_card, save_network


def net_of(width=3):
    torch.manual_seed(width)
    return torch.nn.Sequential(torch.nn.Conv3d(2, width, 1), torch.nn.BatchNorm3d(width))


@pytest.fixture
def saved(tmp_path):
    return save_network(
        tmp_path / "net.safetensors",
        net_of().state_dict(),
        kind="unet",
        config={"width": 3},
        training={"seed": 5},
        metrics={"dice": 0.5},
    )


def code_of(call):
    with pytest.raises(InputRefusedError) as refused:
        call()
    return refused.value.code


def test_weights_come_back_to_the_bit(saved):
    net = fill_network(net_of(), saved)

    assert not net.training
    for name, tensor in net_of().state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor)


def test_a_training_may_begin_with_weights_of_another_normalisation_and_nothing_else_may(saved):
    other = torch.nn.Sequential(torch.nn.Conv3d(2, 3, 1), torch.nn.InstanceNorm3d(3, affine=True))
    wider = torch.nn.Sequential(torch.nn.Conv3d(2, 4, 1), torch.nn.InstanceNorm3d(4, affine=True))

    assert code_of(lambda: fill_network(other, saved)) == "model-shape"
    assert code_of(lambda: fill_network(wider, saved, to_begin=True)) == "model-shape"
    fill_network(other, saved, to_begin=True)
    assert torch.equal(other[0].weight, net_of()[0].weight)


def test_the_card_says_what_the_network_is_and_warns(saved):
    card = read_card(saved, kind="unet")

    assert card["config"] == {"width": 3}
    assert card["training"] == {"seed": 5}
    assert card["metrics"] == {"dice": 0.5}
    assert card["warning"] == WARNING == "simulated data: not for clinical use"
    assert card["tensors"]["0.weight"] == [3, 2, 1, 1, 1]


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pkl", "net.ckpt", "net.bin", "net"])
def test_a_pickle_is_refused_by_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({"weights": 1}))

    assert code_of(lambda: read_card(tmp_path / name, kind="unet")) == "model-unsafe"


def test_a_pickle_under_the_name_of_safetensors_is_never_run(saved):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('the pickle was run')",))

    saved.write_bytes(pickle.dumps(Trap()))

    assert code_of(lambda: read_card(saved, kind="unet")) == "model-changed"
    assert code_of(lambda: load_tensors(saved)) == "model-unsafe"


def test_weights_that_are_not_those_of_the_card_are_refused(saved):
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(bytes(content))

    assert code_of(lambda: read_card(saved, kind="unet")) == "model-changed"


@pytest.mark.parametrize("card", [None, "not json", "[]", "{}", json.dumps({"kind": "unet"})])
def test_weights_without_a_whole_card_are_refused(saved, card):
    file = saved.with_suffix(".json")
    file.unlink()
    if card is not None:
        file.write_text(card)

    assert code_of(lambda: read_card(saved, kind="unet")) == "model-unsafe"


def test_a_network_for_another_job_is_refused(saved):
    assert code_of(lambda: read_card(saved, kind="inception_resnet")) == "model-other"


def test_weights_of_another_shape_are_refused_and_named(saved):
    with pytest.raises(InputRefusedError, match=r"'0\.bias' is \(3,\)") as refused:
        fill_network(net_of(width=4), saved)

    assert refused.value.code == "model-shape"


def test_an_absent_file_is_told_apart_from_an_unsafe_one(tmp_path):
    assert code_of(lambda: read_card(tmp_path / "net.safetensors", kind="unet")) == "model-missing"
