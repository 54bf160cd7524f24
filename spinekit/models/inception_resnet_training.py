"""What the classifier is taught: crops with their class, varied so that no single scanner or reader is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.models.grid import LIMIT
from spinekit.models.inception_resnet_use import region_variants
from spinekit.provenance import hash_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from spinekit.models.crop import LesionCrop

__all__ = ["ClassifierTask", "Variation", "varied"]


@dataclass(frozen=True)
class Variation:
    """How training crops are varied; standard deviations unless said otherwise.

    Attributes
    ----------
    gain, curve : float
        Of the logarithm of a factor on all enhancement, and of an exponent on it, as another flip angle or field
        strength would change it.
    noise : float
        Largest SD of noise that is added to every image channel.
    absent : float
        Probability that one to four of the phases after contrast are left out.
    turn_deg, shift_mm : float
        Largest turn about each axis and largest shift along it.
    """

    gain: float = 0.10
    curve: float = 0.08
    noise: float = 0.05
    absent: float = 0.3
    turn_deg: float = 12.0
    shift_mm: float = 4.0


def varied(channels: NDArray[np.float32], names: Sequence[str], how: Variation, *, seed: int) -> NDArray[np.float32]:
    """Return one variation of a crop's channels; the same seed gives the same.

    Parameters
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        As `lesion_crop` gives them.
    names : sequence of str
        One per channel.
    how : Variation
        How much.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of shape (C, Z, Y, X), float32
    """
    import torch

    rng = np.random.default_rng(seed)
    images = [i for i, n in enumerate(names) if n.startswith(("map:", "phase:"))]
    moving = [*images, len(names) - 1]
    result = channels.copy()
    turned = _placing(how, channels.shape[1:])
    turned.set_random_state(seed=int(rng.integers(2**31)))
    result[moving] = np.asarray(turned(torch.from_numpy(channels[moving])))
    if rng.random() < 0.5:
        result = result[..., ::-1]
    result[-1] = region_variants(result[-1])[int(rng.integers(3))]
    later = [i for i in images if names[i] != "phase:-10"]
    gain, power = np.exp(rng.normal(0.0, how.gain)), np.exp(rng.normal(0.0, how.curve))
    result[later] = np.float32(gain) * np.sign(result[later]) * np.abs(result[later]) ** np.float32(power)
    spread = np.float32(rng.uniform(0.0, how.noise))
    noisy = [i for i in images if channels[i].any()]  # an absent phase stays 0
    result[noisy] += spread * rng.standard_normal((len(noisy), *channels.shape[1:]), dtype=np.float32)
    _leave_out_phases(result, names, how, rng)
    return np.clip(result, -LIMIT, LIMIT)


def _placing(how: Variation, shape: tuple[int, ...]) -> Any:
    """Return MONAI's random turn and shift of a box; what comes in from outside is 0."""
    from monai.transforms.spatial.array import RandAffine

    turn = np.deg2rad(how.turn_deg)
    shift = (how.shift_mm / 4.0, how.shift_mm / 2.0, how.shift_mm / 2.0)  # in voxels of the box
    return RandAffine(
        prob=1.0, rotate_range=(turn / 3, turn / 3, turn), translate_range=shift,
        padding_mode="zeros", mode="bilinear", spatial_size=shape,
    )  # fmt: skip


def _leave_out_phases(channels: Any, names: Sequence[str], how: Variation, rng: np.random.Generator) -> None:
    """Set some phases after contrast to absent, in place, as a protocol with other times would leave them."""
    there = [n[len("present:") :] for i, n in enumerate(names) if n.startswith("present:") and channels[i].flat[0] > 0]
    after = [mark for mark in there if mark != "-10"]
    if rng.random() >= how.absent or len(after) < 6:
        return
    for mark in rng.choice(after, size=int(rng.integers(1, 5)), replace=False):
        channels[list(names).index(f"phase:{mark}")] = 0.0
        channels[list(names).index(f"present:{mark}")] = 0.0


class ClassifierTask:
    """Crops and classes as the training loop wants them; half of each batch is of either class.

    Parameters
    ----------
    training, validation : sequence of (LesionCrop, int)
        Crops with class 0 or 1, at least one of each in both.
    batch_size : int
        Even.
    how : Variation
        How training crops are varied.
    """

    def __init__(
        self,
        training: Sequence[tuple[LesionCrop, int]],
        validation: Sequence[tuple[LesionCrop, int]],
        *,
        batch_size: int = 16,
        how: Variation | None = None,
    ) -> None:
        for cases in (training, validation):
            _require_both(cases)
        self.how = how or Variation()
        self.names = training[0][0].names
        self.crops = [crop.channels for crop, _ in training]
        self.of_class = [[i for i, (_, label) in enumerate(training) if label == k] for k in (0, 1)]
        self.validation = validation
        self.batch_size = batch_size
        self.record: dict[str, Any] = {
            "task": "diagnosis",
            "training": [[hash_array(crop.channels), label] for crop, label in training],
            "validation": [[hash_array(crop.channels), label] for crop, label in validation],
            "batch_size": batch_size,
            "variation": vars(self.how),
        }

    def batch(self, step: int, *, seed: int, rank: int) -> dict[str, Tensor]:
        """Return ``crops`` (N, C, Z, Y, X) and ``labels`` (N,) of one step."""
        import torch

        rng = np.random.default_rng([seed, step, rank])
        labels = np.arange(self.batch_size) % 2
        chosen = [int(rng.choice(self.of_class[k])) for k in labels]
        seeds = rng.integers(2**31, size=self.batch_size)
        crops = [varied(self.crops[i], self.names, self.how, seed=int(s)) for i, s in zip(chosen, seeds, strict=True)]
        return {"crops": torch.from_numpy(np.stack(crops)), "labels": torch.from_numpy(labels.astype(np.float32))}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the cross entropy with targets of 0.05 and 0.95, which keeps logits from running away."""
        from torch.nn import functional

        target = 0.05 + 0.9 * batch["labels"]
        return functional.binary_cross_entropy_with_logits(net(batch["crops"]).logit, target)

    def judge(self, net: nn.Module) -> dict[str, float]:
        """Return the area under the curve on the validation cases, and their cross entropy, which is the score."""
        import torch
        from torch.nn import functional

        device = next(net.parameters()).device
        with torch.no_grad():
            found = [net(torch.from_numpy(crop.channels[None]).to(device)).logit.cpu() for crop, _ in self.validation]
        logits = torch.cat(found)
        labels = torch.tensor([float(label) for _, label in self.validation])
        entropy = float(functional.binary_cross_entropy_with_logits(logits, labels))
        pairs = logits[labels == 1][:, None] - logits[labels == 0][None]
        area = float((pairs > 0).float().mean() + 0.5 * (pairs == 0).float().mean())
        return {"score": -entropy, "auc": area}


def _require_both(cases: Sequence[tuple[LesionCrop, int]]) -> None:
    counts = [sum(label == k for _, label in cases) for k in (0, 1)]
    if min(counts) == 0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The classes have {counts[0]} and {counts[1]} cases.",
            expected="At least one case of each class for training and for validation.",
            cause="The table may hold one class only, or be too small to be divided.",
            cure="Add cases.",
        )
