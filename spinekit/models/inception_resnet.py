"""Inception-ResNet in three dimensions: from the crop of a lesion to an embedding and a probability.

The order of blocks is that of Inception-ResNet v2 (stem, A, reduction, B, reduction, C) at a size that trains on a
CPU. Normalisation is by groups of channels, so that a case gives the same numbers whatever else is in its batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["InceptionResNet", "InceptionResNetConfig", "Verdict", "build_inception_resnet"]


@dataclass(frozen=True)
class InceptionResNetConfig:
    """What builds one network.

    Attributes
    ----------
    in_channels : int
        Channels of the crop; the last is the region.
    width : int
        Channels of the stem; blocks A have 3, B 4 and C 5 times as many.
    blocks : tuple of int
        Number of A, B and C blocks.
    embedding : int
        Numbers that describe a lesion.
    residual_scale : float
        What a block's own output is multiplied by before it is added, as in v2 to keep deep sums stable.
    dropout : float
        Share of the pooled features that is left out in training.
    """

    in_channels: int = 25
    width: int = 16
    blocks: tuple[int, int, int] = (2, 2, 1)
    embedding: int = 32
    residual_scale: float = 0.3
    dropout: float = 0.3

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to the card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> InceptionResNetConfig:
        """Rebuild from `as_dict`."""
        values = {**record, "blocks": tuple(record["blocks"])}
        return cls(**values)


class Verdict(NamedTuple):
    """What the network says of a batch of N crops."""

    embedding: Tensor  # (N, E)
    logit: Tensor  # (N,), of class 1


def _groups(channels: int) -> int:
    return next(g for g in (8, 4, 2, 1) if channels % g == 0)


def _conv(inside: int, outside: int, kernel: Any = 1, *, stride: Any = 1) -> nn.Sequential:
    """Return convolution, normalisation and rectifier; the size stays where the stride is 1."""
    kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
    padding = tuple(k // 2 for k in kernel)
    return nn.Sequential(
        nn.Conv3d(inside, outside, kernel, stride=stride, padding=padding, bias=False),
        nn.GroupNorm(_groups(outside), outside),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """x + scale * up(concat(branches(x))), rectified: the shape (N, C, z, y, x) stays."""

    def __init__(self, channels: int, branches: Sequence[nn.Module], joined: int, scale: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.up = nn.Conv3d(joined, channels, 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        own = self.up(torch.cat([branch(x) for branch in self.branches], dim=1))
        return functional.relu(x + self.scale * own)


class Reduction(nn.Module):
    """Halve each axis: the branches' channels are joined, (N, C, z, y, x) to (N, sum, z/2, y/2, x/2)."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return half the size, rounded up."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _block_a(channels: int, scale: float) -> Residual:
    n = channels // 4
    branches = [
        _conv(channels, n),
        nn.Sequential(_conv(channels, n), _conv(n, n, 3)),
        nn.Sequential(_conv(channels, n), _conv(n, n, 3), _conv(n, n, 3)),
    ]
    return Residual(channels, branches, 3 * n, scale)


def _block_line(channels: int, length: int, scale: float) -> Residual:
    """Return a B (length 5) or C (length 3) block: one axis after the other instead of a full cube."""
    n = channels // 4
    lines = nn.Sequential(
        _conv(channels, n), _conv(n, n, (1, 1, length)), _conv(n, n, (1, length, 1)), _conv(n, n, (3, 1, 1))
    )
    return Residual(channels, [_conv(channels, n), lines], 2 * n, scale)


def _reduction(inside: int, outside: int) -> Reduction:
    """Return a reduction of three branches: the pooled input, one convolution, three in a row."""
    more = outside - inside
    first, second = more - more // 2, more // 2
    long = nn.Sequential(_conv(inside, second), _conv(second, second, 3), _conv(second, second, 3, stride=2))
    return Reduction([nn.MaxPool3d(3, stride=2, padding=1), _conv(inside, first, 3, stride=2), long])


class InceptionResNet(nn.Module):
    """Classifier of lesion crops.

    Shapes for the crop of 14 x 32 x 32 voxels and width w: stem (w, 14, 16, 16) and (2w, 7, 8, 8),
    A (3w, 7, 8, 8), B (4w, 4, 4, 4), C (5w, 2, 2, 2).

    Examples
    --------
    >>> net = build_inception_resnet(InceptionResNetConfig(width=8, blocks=(1, 1, 1))).eval()
    >>> verdict = net(torch.zeros(2, 25, 14, 32, 32))
    >>> tuple(verdict.embedding.shape), tuple(verdict.logit.shape)
    ((2, 32), (2,))
    """

    def __init__(self, config: InceptionResNetConfig) -> None:
        super().__init__()
        w, scale = config.width, config.residual_scale
        self.stem = nn.Sequential(
            _conv(config.in_channels, w, (1, 3, 3), stride=(1, 2, 2)),  # slices are thick: in the plane first
            _conv(w, w, (3, 1, 1)),
            Reduction([nn.MaxPool3d(3, stride=2, padding=1), _conv(w, w, 3, stride=2)]),
            _conv(2 * w, 3 * w),
        )
        self.blocks_a = nn.Sequential(*(_block_a(3 * w, scale) for _ in range(config.blocks[0])))
        self.reduction_a = _reduction(3 * w, 4 * w)
        self.blocks_b = nn.Sequential(*(_block_line(4 * w, 5, scale) for _ in range(config.blocks[1])))
        self.reduction_b = _reduction(4 * w, 5 * w)
        self.blocks_c = nn.Sequential(*(_block_line(5 * w, 3, scale) for _ in range(config.blocks[2])))
        self.dropout = nn.Dropout(config.dropout)
        n_plain = 2 * (config.in_channels - 1) + 1
        self.standard = nn.BatchNorm1d(n_plain, eps=1e-3, affine=False)  # of training batches; fixed in use
        self.embed = nn.Linear(12 * w + n_plain, config.embedding)
        self.head = nn.Linear(config.embedding, 1)

    def forward(self, crops: Tensor) -> Verdict:
        """Return embedding (N, E) and logit (N,) of crops (N, C, Z, Y, X), whose last channel is the region."""
        region = crops[:, -1:]
        first = self.blocks_a(self.stem(crops))  # (N, 3w, Z/2, Y/4, X/4)
        second = self.blocks_b(self.reduction_a(first))  # (N, 4w, Z/4, Y/8, X/8)
        third = self.blocks_c(self.reduction_b(second))  # (N, 5w, Z/8, Y/16, X/16)
        # fine features are averaged over the lesion alone, the coarse ones over the whole box: its context
        deep = [_mean_in(first, region), _mean_in(second, region), third.mean(dim=(2, 3, 4))]
        plain = self.standard(torch.cat(_plain(crops), dim=1)).clamp(-4.0, 4.0)
        pooled = torch.cat([self.dropout(torch.cat(deep, dim=1)), plain], dim=1)
        embedding = torch.tanh(self.embed(pooled))
        return Verdict(embedding, self.head(embedding).squeeze(1))

    def last_features(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of blocks A (N, 3w, Z/2, Y/4, X/4), which Grad-CAM weighs, and the logit (N,)."""
        kept: list[Tensor] = []
        hook = self.blocks_a.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        try:
            logit = self(crops).logit
        finally:
            hook.remove()
        return kept[0], logit


def _plain(crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a simple classifier would be given: means and spreads in the region (N, C - 1), log size (N, 1).

    They go past the blocks, so that the blocks need only learn what such a classifier cannot see.
    """
    images, region = crops[:, :-1], crops[:, -1:]
    mean = _mean_in(images, region)
    spread = (_mean_in(images**2, region) - mean**2).clamp_min(1e-6).sqrt()
    size = torch.log(region.mean(dim=(2, 3, 4)).clamp_min(1e-4)) / 2 + 1.5  # about 0 for 5 ml, in steps of about 1
    return mean, spread, size


def _mean_in(features: Tensor, region: Tensor) -> Tensor:
    """Return the mean of features (N, C, z, y, x) over a region (N, 1, Z, Y, X), shape (N, C)."""
    z, y, x = features.shape[2:]
    weight = functional.adaptive_avg_pool3d(region, (z, y, x))  # (N, 1, z, y, x)
    return (features * weight).sum(dim=(2, 3, 4)) / weight.sum(dim=(2, 3, 4)).clamp_min(1e-4)


def build_inception_resnet(config: InceptionResNetConfig) -> InceptionResNet:
    """Return a network with fresh weights from torch's global seed."""
    return InceptionResNet(config)
