"""Building blocks of the networks. Shapes in comments are (B, C, Z, Y, X): batch, channels, and the axes of a volume.

A kernel of (1, 3, 3) does not mix slices: right where slices are thick, and all there is in a 2-D network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

__all__ = [
    "AttentionGate", "ConvNorm", "InceptionResidualBlock", "PlainBlock", "ResidualBlock", "SliceNorm", "instance_norm",
]  # fmt: skip

Kernel = tuple[int, int, int]
Halving = tuple[int, int, int]
Norm = Callable[[int], nn.Module]


class ConvNorm(nn.Sequential):
    """Convolution, normalisation and, if `active`, a leaky ReLU; the size is divided by `stride`.

    `norm` makes the normalisation from the number of channels: by the batch, or one out of `instance_norm`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: Kernel,
        *,
        stride: Halving = (1, 1, 1),
        active: bool = True,
        norm: Norm = nn.BatchNorm3d,
    ) -> None:
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        layers: list[nn.Module] = [
            nn.Conv3d(c_in, c_out, kernel, stride=stride, padding=padding, bias=False),
            norm(c_out),
        ]
        if active:
            layers.append(nn.LeakyReLU(0.01, inplace=True))
        super().__init__(*layers)


class SliceNorm(nn.InstanceNorm3d):
    """Instance normalisation of each slice by itself, so that a 2-D network stays one."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Z, Y, X) -> the same shape; mean and variance are those over (Y, X)."""
        slices = x.transpose(1, 2).flatten(0, 1).unsqueeze(2)  # (B * Z, C, 1, Y, X)
        return super().forward(slices).squeeze(2).unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


def instance_norm(*, flat: bool) -> Norm:
    """Return what makes the normalisation of a number of channels by the volume itself, or by each slice (`flat`)."""
    return partial(SliceNorm if flat else nn.InstanceNorm3d, affine=True)


class PlainBlock(nn.Sequential):
    """Two convolutions, as in the first U-Net."""

    def __init__(self, c_in: int, c_out: int, kernel: Kernel) -> None:
        super().__init__(ConvNorm(c_in, c_out, kernel), ConvNorm(c_out, c_out, kernel))


class ResidualBlock(nn.Module):
    """Two convolutions added to what went in."""

    def __init__(self, c_in: int, c_out: int, kernel: Kernel) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(c_in, c_out, kernel), ConvNorm(c_out, c_out, kernel, active=False))
        self.match = nn.Identity() if c_in == c_out else ConvNorm(c_in, c_out, (1, 1, 1), active=False)
        self.act = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, Z, Y, X) -> (B, c_out, Z, Y, X)."""
        return self.act(self.body(x) + self.match(x))


class InceptionResidualBlock(nn.Module):
    """Three branches of growing reach, joined by a 1 x 1 x 1 convolution, scaled and added to what went in.

    After Szegedy 2017 (Inception-v4, Inception-ResNet): the scale keeps a deep sum of branches from exploding early on.
    Each branch has half of the channels, so that the block costs less than a residual one.
    """

    def __init__(self, c_in: int, c_out: int, kernel: Kernel, *, scale: float = 0.3) -> None:
        super().__init__()
        half, point = max(c_out // 2, 4), (1, 1, 1)
        self.match = nn.Identity() if c_in == c_out else ConvNorm(c_in, c_out, point, active=False)
        self.near = ConvNorm(c_out, half, point)
        self.middle = nn.Sequential(ConvNorm(c_out, half, point), ConvNorm(half, half, kernel))
        self.far = nn.Sequential(
            ConvNorm(c_out, half, point), ConvNorm(half, half, kernel), ConvNorm(half, half, kernel)
        )
        self.join = nn.Conv3d(3 * half, c_out, point)
        self.norm = nn.BatchNorm3d(c_out)
        self.act = nn.LeakyReLU(0.01, inplace=True)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, Z, Y, X) -> (B, c_out, Z, Y, X)."""
        x = self.match(x)
        branches = torch.cat([self.near(x), self.middle(x), self.far(x)], dim=1)  # (B, 3 * half, Z, Y, X)
        return self.act(self.norm(x + self.scale * self.join(branches)))


class AttentionGate(nn.Module):
    """Weighs the skipped channels, voxel by voxel, by what the coarser level has seen there (Oktay 2018)."""

    def __init__(self, channels: int, gating: int) -> None:
        super().__init__()
        inner = max(channels // 2, 4)
        self.of_skip = nn.Conv3d(channels, inner, 1, bias=False)
        self.of_gate = nn.Conv3d(gating, inner, 1)
        self.weight = nn.Conv3d(inner, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """Skip (B, channels, Z, Y, X) and gate (B, gating, Z, Y, X), already of the same size -> skip, weighed."""
        seen = torch.relu(self.of_skip(skip) + self.of_gate(gate))
        return skip * torch.sigmoid(self.weight(seen))
