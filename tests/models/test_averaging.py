"""The mean of networks: weights by arithmetic, cases of all of them in the card, strangers refused."""

from __future__ import annotations

import json

import pytest
import torch

from spinekit.errors import InputRefusedError
from spinekit.models.averaging import average_networks
from spinekit.models.checkpoints import fill_network, load_tensors, read_card, save_network
from spinekit.models.unet import UNet, UNetConfig, build_unet

CONFIG = UNetConfig(channels=3, widths=(4, 8))


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes a network of a constant weight and gives its path."""

    def write(name, value, *, config=CONFIG, cases=()):
        net = UNet(config)
        tensors = {
            key: torch.full_like(tensor, value) if tensor.is_floating_point() else tensor
            for key, tensor in net.state_dict().items()
        }
        training = {"command": name, "channels": ["a", "b", "c"], "sees": "both", "data": {"cases": list(cases)}}
        return save_network(
            tmp_path / f"{name}.safetensors", tensors,
            kind="unet", config=config.as_dict(), training=training, metrics={},
        )  # fmt: skip

    return write


def test_each_weight_is_the_mean_and_the_network_can_be_filled_with_it(saved, tmp_path):
    files = [saved("one", 0.25), saved("two", 0.5), saved("three", 3.0)]

    mean = average_networks(files, tmp_path / "mean.safetensors", kind="unet")

    tensors = load_tensors(mean)
    assert all(bool((t == 1.25).all()) for t in tensors.values() if t.is_floating_point())
    fill_network(build_unet(read_card(mean, kind="unet")["config"]), mean)


def test_the_card_names_the_networks_and_the_cases_of_all(saved, tmp_path):
    files = [saved("one", 0.0, cases=["10001", "10002"]), saved("two", 1.0, cases=["10002", "10777"])]

    card = read_card(average_networks(files, tmp_path / "mean.safetensors", kind="unet", command="x"), kind="unet")

    assert card["training"]["data"] == {"cases": ["10001", "10002", "10777"]}
    assert [part["command"] for part in card["training"]["mean_of"]] == ["one", "two"]
    assert card["training"]["channels"] == ["a", "b", "c"]


def test_a_card_from_before_a_switch_fits_one_that_names_it(saved, tmp_path):
    plain = UNetConfig(channels=3, widths=(4, 8), instance_norm=False)
    older, newer = saved("older", 0.0, config=plain), saved("newer", 1.0, config=plain)
    card = json.loads(older.with_suffix(".json").read_text())
    del card["config"]["instance_norm"]
    older.with_suffix(".json").write_text(json.dumps(card))

    mean = average_networks([older, newer], tmp_path / "mean.safetensors", kind="unet")

    assert read_card(mean, kind="unet")["config"]["instance_norm"] is False


def test_a_single_network_and_networks_that_do_not_fit_are_refused(saved, tmp_path):
    one, other = saved("one", 0.0), saved("other", 0.0, config=UNetConfig(channels=3, widths=(4, 16)))

    for files, code in (([one], "value-out-of-range"), ([one, other], "model-other")):
        with pytest.raises(InputRefusedError) as refused:
            average_networks(files, tmp_path / "mean.safetensors", kind="unet")
        assert refused.value.code == code
    assert not (tmp_path / "mean.safetensors").exists()
