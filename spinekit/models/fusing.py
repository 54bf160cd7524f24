"""A trained U-Net made ready to answer: the same function with fewer passes over memory.

On a processor these networks wait for memory more than for arithmetic, so what can be drawn together is: each batch
normalisation into the convolution before it, the three narrow convolutions that open an inception block into one, its
scale and last normalisation into the one that joins it. And a single volume is small enough for torch to leave
oneDNN for a slower path of its own (its rule counts the batch, channels, slices and rows, not the columns); here
oneDNN is called by name, except for 1 x 1 x 1 convolutions, where torch's own path is the faster one.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinekit.models.blocks import AttentionGate, ConvNorm, InceptionResidualBlock
from spinekit.models.unet import UNet

__all__ = ["fused"]

SLOPE = 0.01  # of the leaky ReLU of all blocks


def fused(net: UNet) -> UNet:
    """Return a network that gives the same answer sooner.

    For evaluation only: what is returned cannot be trained. Logits differ by rounding.

    Examples
    --------
    >>> from spinekit.models.unet import UNetConfig
    >>> net = UNet(UNetConfig(channels=5, widths=(4, 8, 8))).eval()
    >>> x = torch.rand(1, 5, 3, 18, 20)
    >>> with torch.inference_mode():
    ...     bool(torch.allclose(net(x), fused(net)(x), atol=1e-4))
    True
    """
    ready = copy.deepcopy(net).eval()
    with torch.no_grad():
        _fuse_norms(ready)
        _replace(ready)
    return ready


def _fuse_norms(net: nn.Module) -> None:
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for part in net.modules():
        if isinstance(part, ConvNorm) and isinstance(part[1], nn.BatchNorm3d):
            part[0], part[1] = fuse_conv_bn_eval(part[0], part[1]), nn.Identity()  # type: ignore[type-var]


def _replace(net: nn.Module) -> None:
    for name, part in net.named_children():
        if isinstance(part, InceptionResidualBlock):
            setattr(net, name, _Inception(part))
        elif isinstance(part, AttentionGate):
            setattr(net, name, _Gate(part))
        elif type(part) is nn.Conv3d:
            setattr(net, name, _Convolution(part))
        else:
            _replace(part)


class _Convolution(nn.Module):
    """A convolution of float32 volumes by oneDNN whatever their size; by torch's choice where that is faster."""

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.padding = [int(n) for n in conv.padding]
        self.stride, self.dilation = list(conv.stride), list(conv.dilation)
        self.groups, self.wide = conv.groups, max(conv.kernel_size) > 1

    def forward(self, x: Tensor) -> Tensor:
        plain = x.device.type == "cpu" and x.dtype is torch.float32 and not torch.is_autocast_enabled("cpu")
        if self.wide and plain and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled:
            result: Tensor = torch.ops.aten.mkldnn_convolution(
                x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
            )
            return result
        return functional.conv3d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class _Inception(nn.Module):
    """`InceptionResidualBlock` after `_fuse_norms`, its narrow convolutions in one."""

    def __init__(self, block: InceptionResidualBlock) -> None:
        super().__init__()
        self.match = nn.Identity() if isinstance(block.match, nn.Identity) else _Convolution(_conv(block.match))
        narrow = [_conv(block.near), _conv(block.middle[0]), _conv(block.far[0])]
        self.each = narrow[0].out_channels
        self.narrow = _Convolution(_convolution([c.weight for c in narrow], [_bias(c) for c in narrow]))
        self.middle = _Convolution(_conv(block.middle[1]))
        self.far = nn.ModuleList(_Convolution(_conv(part)) for part in (block.far[1], block.far[2]))
        gain, shift = _as_line(block.norm)
        across = gain[:, None, None, None, None]
        weight = block.scale * across * block.join.weight
        self.join = _Convolution(_convolution([weight], [block.scale * gain * _bias(block.join) + shift]))
        self.register_buffer("gain", gain[None, :, None, None, None].clone())
        self.gain: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x, each = self.match(x), self.each
        narrow = functional.leaky_relu_(self.narrow(x), SLOPE)  # (B, 3 * each, Z, Y, X)
        middle = functional.leaky_relu_(self.middle(narrow[:, each : 2 * each]), SLOPE)
        far = narrow[:, 2 * each :]
        for convolution in self.far:
            far = functional.leaky_relu_(convolution(far), SLOPE)
        joined = self.join(torch.cat([narrow[:, :each], middle, far], dim=1))
        return functional.leaky_relu_(joined + self.gain * x, SLOPE)


class _Gate(nn.Module):
    """`AttentionGate`, its sums made in place."""

    def __init__(self, gate: AttentionGate) -> None:
        super().__init__()
        self.of_skip, self.of_gate = _Convolution(gate.of_skip), _Convolution(gate.of_gate)
        self.weight = _Convolution(gate.weight)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        seen = self.of_gate(gate).add_(self.of_skip(skip)).relu_()
        weighed: Tensor = skip * self.weight(seen).sigmoid_()
        return weighed


def _conv(part: nn.Module) -> nn.Conv3d:
    """Return the convolution of a `ConvNorm`."""
    found = part[0]  # type: ignore[index]
    assert isinstance(found, nn.Conv3d)
    return found


def _bias(conv: nn.Conv3d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _convolution(weights: list[Tensor], biases: list[Tensor]) -> nn.Conv3d:
    """Return one 1 x 1 x 1 convolution that gives the channels of several."""
    weight = torch.cat(weights)
    whole = nn.Conv3d(weight.shape[1], weight.shape[0], 1)
    whole.weight, whole.bias = nn.Parameter(weight), nn.Parameter(torch.cat(biases))
    return whole


def _as_line(norm: nn.BatchNorm3d) -> tuple[Tensor, Tensor]:
    """Return by what a batch normalisation in evaluation mode multiplies each channel, and what it adds."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return gain, norm.bias - norm.running_mean * gain
