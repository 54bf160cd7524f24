"""The U-Net: shapes, switches, what each level sees; and the blocks it is made of."""

from __future__ import annotations

import pytest
import torch

from spinekit.errors import InputRefusedError
from spinekit.models.blocks import AttentionGate, InceptionResidualBlock, PlainBlock, ResidualBlock
from spinekit.models.fusing import fused
from spinekit.models.unet import BLOCKS, UNet, UNetConfig, build_unet

SMALL = {"channels": 3, "widths": (4, 8, 8)}


def net_of(**options):
    torch.manual_seed(0)
    return UNet(UNetConfig(**{**SMALL, **options})).eval()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("instance_norm", [False, True])
def test_one_logit_per_voxel_whatever_the_switches(block, attention, instance_norm):
    net = net_of(block=block, attention=attention, instance_norm=instance_norm)

    assert net(torch.zeros(2, 3, 4, 16, 20)).shape == (2, 1, 4, 16, 20)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 7, 9), (5, 17, 31), (6, 16, 16)])
@pytest.mark.parametrize("flat_levels", [0, 1, 3])
def test_any_size_goes_in_and_comes_out(size, flat_levels):
    assert net_of(flat_levels=flat_levels)(torch.zeros(1, 3, *size)).shape == (1, 1, *size)


def test_the_flat_network_reads_slice_by_slice():
    net = net_of(flat_levels=3)
    x = torch.randn(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(1))
    other = x.clone()
    other[:, :, 3] += 5.0

    first, second = net(x), net(other)

    kept = [0, 1, 2, 4]
    torch.testing.assert_close(second[:, :, kept], first[:, :, kept], rtol=0, atol=0)
    assert not torch.equal(second[:, :, 3], first[:, :, 3])


def test_the_network_for_thick_slices_mixes_them():
    net = net_of(flat_levels=1)
    x = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    other = x.clone()
    other[:, :, 3] += 5.0

    assert not torch.equal(net(other)[:, :, 0], net(x)[:, :, 0])


def test_supervision_adds_outputs_of_the_coarser_levels_while_training_only():
    net = net_of(widths=(4, 8, 8, 8), supervision=True)
    x = torch.zeros(1, 3, 4, 32, 32)

    assert net(x).shape == (1, 1, 4, 32, 32)
    shapes = [tuple(out.shape[2:]) for out in net.train()(x)]
    assert shapes == [(4, 32, 32), (4, 16, 16), (2, 8, 8)]
    assert isinstance(net_of(supervision=False).train()(x), torch.Tensor)


def test_switches_change_the_number_of_parameters():
    def count(**options):
        return sum(p.numel() for p in net_of(**options).parameters())

    plain = count(block="plain", attention=False, supervision=False)
    assert count(block="residual", attention=False, supervision=False) > plain
    assert count(block="inception", attention=False, supervision=False) < plain
    assert count(block="plain", attention=True, supervision=False) > plain
    assert count(block="plain", attention=False, supervision=True) > plain


@pytest.mark.parametrize("block", [ResidualBlock, InceptionResidualBlock])
def test_a_residual_block_whose_branch_is_silent_passes_on_what_went_in(block):
    part = block(6, 6, (3, 3, 3)).eval()
    silent = part.body[-1][1] if isinstance(part, ResidualBlock) else part.join
    torch.nn.init.zeros_(silent.weight)
    if silent.bias is not None:
        torch.nn.init.zeros_(silent.bias)
    x = torch.rand(1, 6, 3, 5, 5)

    torch.testing.assert_close(part(x), x, rtol=1e-4, atol=1e-4)


def test_the_scale_of_an_inception_block_weighs_its_branches():
    torch.manual_seed(0)
    part = InceptionResidualBlock(4, 4, (1, 3, 3), scale=0.0).eval()
    x = torch.rand(1, 4, 2, 5, 5)

    torch.testing.assert_close(part(x), x, rtol=1e-4, atol=1e-4)


def test_an_attention_gate_only_ever_weakens_the_skip():
    torch.manual_seed(0)
    skip, gate = torch.randn(1, 4, 2, 6, 6), torch.randn(1, 3, 2, 6, 6)

    weighed = AttentionGate(4, 3)(skip, gate)

    share = weighed / skip
    assert bool(((share > 0) & (share < 1)).all())
    torch.testing.assert_close(share[:, 0], share[:, 3])


def test_a_plain_block_is_two_convolutions():
    assert sum(isinstance(m, torch.nn.Conv3d) for m in PlainBlock(3, 5, (1, 3, 3)).modules()) == 2


@pytest.mark.parametrize(
    "wrong", [{"block": "dense"}, {"widths": (8,)}, {"flat_levels": 4}, {"flat_levels": -1}, {"channels": 0}]
)
def test_a_network_that_cannot_be_built_is_refused(wrong):
    with pytest.raises(InputRefusedError, match="U-Net") as refused:
        UNetConfig(**{**SMALL, **wrong})

    assert refused.value.code == "value-out-of-range"


def test_the_card_builds_the_same_network():
    net = net_of(block="residual", flat_levels=2)

    again = build_unet(net.config.as_dict())

    assert again.config == net.config
    assert [p.shape for p in again.parameters()] == [p.shape for p in net.parameters()]


def test_a_card_that_names_no_normalisation_is_that_of_a_network_without_the_choice():
    card = net_of(instance_norm=False).config.as_dict()
    del card["instance_norm"]

    assert not build_unet(card).config.instance_norm


def test_normalised_by_the_volume_the_stem_does_not_see_its_contrast():
    x = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    stem, plain = net_of(instance_norm=True).stem, net_of(instance_norm=False).stem

    torch.testing.assert_close(stem(3.0 * x), stem(x), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(plain(3.0 * x), plain(x), rtol=1e-3, atol=1e-3)


@pytest.fixture
def worn():
    """Return a function that gives a network whose normalisations have seen something."""

    def build(**switches):
        net = net_of(**switches)
        for part in net.modules():
            if isinstance(part, torch.nn.BatchNorm3d):
                torch.nn.init.uniform_(part.running_mean, -1, 1)
                torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
            if isinstance(part, torch.nn.BatchNorm3d | torch.nn.InstanceNorm3d):
                torch.nn.init.uniform_(part.bias, -1, 1)
                torch.nn.init.uniform_(part.weight, 0.5, 2.0)
        return net

    return build


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("instance_norm", [False, True])
def test_the_network_that_is_ready_gives_the_same_answer(worn, block, attention, instance_norm):
    net = worn(block=block, attention=attention, instance_norm=instance_norm)
    x = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))

    torch.testing.assert_close(fused(net)(x), net(x), rtol=1e-4, atol=1e-4)


def test_the_network_that_is_ready_answers_in_mixed_precision_and_without_onednn(worn, monkeypatch):
    net = worn(attention=True)
    x = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    ready = fused(net)

    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(ready(x).float(), net(x).float(), rtol=0.1, atol=0.1)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(ready(x), net(x), rtol=1e-4, atol=1e-4)
