"""The improved U-Net: residual or Inception-ResNet blocks, attention gates, deep supervision, each a switch.

One code path serves three geometries: `flat_levels` counts the upper levels whose convolutions stay within a slice.
0 is for thin slices, 1 or 2 for thick ones, and all levels make the 2-D network of the study, slice by slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinekit.errors import InputRefusedError
from spinekit.models.blocks import (
    AttentionGate,
    ConvNorm,
    InceptionResidualBlock,
    PlainBlock,
    ResidualBlock,
    instance_norm,
)

__all__ = ["BLOCKS", "UNet", "UNetConfig", "build_unet", "config_of"]

BLOCKS = {"plain": PlainBlock, "residual": ResidualBlock, "inception": InceptionResidualBlock}


@dataclass(frozen=True)
class UNetConfig:
    """What a U-Net is made of.

    Attributes
    ----------
    channels : int
        Channels that go in.
    widths : tuple of int
        Channels of each level, finest first; at least two levels.
    flat_levels : int
        Upper levels that do not mix slices; ``len(widths)`` is the 2-D network.
    block : {"plain", "residual", "inception"}
        Of the levels below the first; the first, at full resolution, has one convolution on each side.
    attention, supervision : bool
        Attention gates on the skips; further outputs at the coarser levels while training.
    instance_norm : bool
        The stem and the steps down normalise by the volume itself, the blocks by what was seen in training (after
        Pan 2018, IBN-Net): contrast and noise of a scanner come in at the one, what tells a lesion goes through the
        other.
    """

    channels: int
    widths: tuple[int, ...] = (12, 24, 48, 96)
    flat_levels: int = 1
    block: str = "inception"
    attention: bool = True
    supervision: bool = True
    instance_norm: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(int(w) for w in self.widths))
        sound = self.channels >= 1 and len(self.widths) >= 2 and min(self.widths) >= 1
        if self.block not in BLOCKS or not sound or not 0 <= self.flat_levels <= len(self.widths):
            raise InputRefusedError(
                "value-out-of-range",
                found=f"A U-Net of {asdict(self)} was asked for.",
                expected=f"Two levels or more, flat_levels up to their number, a block out of {', '.join(BLOCKS)}.",
                cause="A setting may be misspelt, or belong to another network.",
                cure="Change the setting that does not fit.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the card."""
        return asdict(self)

    @property
    def flat(self) -> bool:
        """Whether it is the 2-D network, which does not mix slices at any level."""
        return self.flat_levels == len(self.widths)

    def kernel(self, level: int) -> tuple[int, int, int]:
        """Return the kernel of a level, (1, 3, 3) where slices are not mixed."""
        return (1, 3, 3) if level < self.flat_levels else (3, 3, 3)

    def stride(self, level: int) -> tuple[int, int, int]:
        """Return by what (z, y, x) shrink from `level` to the one below."""
        return (1, 2, 2) if level < self.flat_levels else (2, 2, 2)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """What the size of an input along (z, y, x) is padded to a multiple of."""
        strides = [self.stride(level) for level in range(len(self.widths) - 1)]
        z, y, x = (int(torch.tensor([s[axis] for s in strides]).prod()) for axis in range(3))
        return z, y, x


class UNet(nn.Module):
    """A U-Net that gives one logit per voxel; any size goes in.

    Examples
    --------
    >>> net = UNet(UNetConfig(channels=5, widths=(4, 8, 8))).eval()
    >>> net(torch.zeros(1, 5, 3, 18, 20)).shape
    torch.Size([1, 1, 3, 18, 20])
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, block = config.widths, BLOCKS[config.block]
        below = range(1, len(widths))
        norm = instance_norm(flat=config.flat) if config.instance_norm else nn.BatchNorm3d
        self.stem = ConvNorm(config.channels, widths[0], config.kernel(0), norm=norm)
        self.down = nn.ModuleList(
            ConvNorm(widths[n - 1], widths[n], _kernel_down(stride), stride=stride, norm=norm)
            for n, stride in ((n, config.stride(n - 1)) for n in below)
        )
        self.encode = nn.ModuleList(block(widths[n], widths[n], config.kernel(n)) for n in below)
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[n], widths[n - 1], config.stride(n - 1), stride=config.stride(n - 1))
            for n in below
        )
        self.gates = nn.ModuleList(AttentionGate(widths[n - 1], widths[n - 1]) for n in below if config.attention)
        self.decode = nn.ModuleList(
            ConvNorm(2 * widths[0], widths[0], config.kernel(0))
            if n == 1
            else block(2 * widths[n - 1], widths[n - 1], config.kernel(n - 1))
            for n in below
        )
        self.head = nn.Conv3d(widths[0], 1, 1)
        self.side_heads = nn.ModuleList(
            nn.Conv3d(widths[n], 1, 1) for n in range(1, len(widths) - 1) if config.supervision
        )

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """(B, channels, Z, Y, X) -> logits (B, 1, Z, Y, X).

        While training with deep supervision a list: these, then the logits of the coarser levels, finest first.
        """
        size = x.shape[2:]
        x = _padded(x, self.config.multiple)
        skips = [self.stem(x)]  # (B, w0, Z, Y, X)
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(encode(down(skips[-1])))  # (B, w1, Z, Y / 2, X / 2), (B, w2, Z / 2, Y / 4, X / 4), ...
        sides: list[Tensor] = []
        x = skips.pop()
        supervised = self.training and self.config.supervision
        for n in reversed(range(len(self.up))):
            x, skip = self.up[n](x), skips.pop()
            if self.config.attention:
                skip = self.gates[n](skip, x)
            x = self.decode[n](torch.cat([skip, x], dim=1))  # (B, w_n, ...)
            if n > 0 and supervised:
                sides.insert(0, self.side_heads[n - 1](x))
        logits = self.head(x)[:, :, : size[0], : size[1], : size[2]]
        return [logits, *sides] if supervised else logits


def build_unet(config: Mapping[str, Any]) -> UNet:
    """Return the network that a card's ``config`` describes, with weights not yet filled."""
    return UNet(config_of(config))


def config_of(config: Mapping[str, Any]) -> UNetConfig:
    """Return what a card's ``config`` describes.

    Cards from before there was a choice name no normalisation: it is that of the batch throughout.
    """
    known = {name: value for name, value in config.items() if name in UNetConfig.__dataclass_fields__}
    return UNetConfig(**{"instance_norm": False, **known})


def _kernel_down(stride: tuple[int, int, int]) -> tuple[int, int, int]:
    return tuple(1 if s == 1 else 3 for s in stride)  # type: ignore[return-value]


def _padded(x: Tensor, multiple: tuple[int, int, int]) -> Tensor:
    """Repeat the last slice, row and column until the size fits, and two columns are left at the coarsest level.

    One voxel alone has no variance to normalise by.
    """
    missing = [-n % m for n, m in zip(x.shape[2:], multiple, strict=True)]
    missing[2] = max(missing[2], 2 * multiple[2] - x.shape[4])
    if not any(missing):
        return x
    z, y, x_axis = missing
    return functional.pad(x, (0, x_axis, 0, y, 0, z), mode="replicate")
