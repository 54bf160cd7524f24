"""What the U-Net is taught: patches around lesions and elsewhere, half of them with a click, contrasts that vary.

Without a click the network is to find every lesion; with one, the lesion that was clicked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.models.examples import CHANNELS, N_VALUES, Example, example_channels
from spinekit.models.inference import logits_of, reading_of
from spinekit.models.inputs import MAPS
from spinekit.models.missed import Misses
from spinekit.models.strange import strange_patch
from spinekit.models.variation import foreign_tissue, varied, without_first_pass

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["SEES", "SegmentationTask", "Teaching"]

N_MAPS = len(MAPS)
SHOWN_BY_CLICK = 0.6  # Dice of the grown region with the lesion
SMALLEST_VOXELS = 20  # 0.3 ml of the working grid: a smaller part of a lesion is in patches, but none is drawn about it
SMOOTH_VOXELS = (
    10.0  # added above and below in the Dice of a patch, so that one without a lesion has a loss with a slope
)
SEES = ("both", "maps", "phases")
ANY = -1  # variant of a case: whichever is drawn
Drawn = tuple[int, int, int]  # case, lesion, variant


@dataclass(frozen=True)
class Teaching:
    """How patches are drawn and varied.

    ``phase_dropout`` is how often phases are left out, ``fewer_phases`` how often a variant of the case with a
    part of its phases is taken where nobody has clicked, ``foreign`` how often a patch with a click is made to look
    like no spine at all (`foreign_tissue`), so that the click is believed where all else is strange.
    ``first_pass`` is how often a patch is made to look as if the first pass of the bolus had not been imaged, or as if
    the maps had been computed from other phases (`without_first_pass`), so that the network does not lean on them.
    ``frozen_norm`` keeps the means and variances of the batch normalisation as they are: strange patches would move
    them away from those of a spine, so they belong into a second training that begins with the weights of a first.
    ``strange`` is the share of the patches with a click that hold no anatomy at all (`strange_patch`).
    ``patch_zyx`` voxels of the working grid; ``batch`` patches per step, every other one with a click;
    ``around_lesion`` the share of the patches without a click that are drawn about a lesion, a small lesion more often
    than a large one (`_lesion_weights`): those are the ones that are missed; ``sees`` what is given: "both",
    "maps" or "phases" (the other is zero, as where a protocol lacks it). ``hard`` is by how much more often a lesion
    is drawn of which the network that the training begins with finds nothing: 1 + `hard` times, in the variant of the
    case in which it is missed.
    """

    patch_zyx: tuple[int, int, int] = (12, 48, 48)
    batch: int = 2
    around_lesion: float = 0.5
    hard: float = 0.0
    phase_dropout: float = 0.3
    fewer_phases: float = 0.5
    first_pass: float = 0.0
    foreign: float = 0.0
    strange: float = 0.0
    frozen_norm: bool = False
    sees: str = "both"
    clicks: bool = True
    vary: bool = True


class SegmentationTask:
    """Batches, loss and judgement for `spinekit.models.training.train_network`."""

    def __init__(
        self,
        taught: Sequence[Example],
        judged: Sequence[Example],
        teaching: Teaching,
        *,
        data: dict[str, Any],
        misses: Misses | None = None,
    ) -> None:
        self.taught, self.judged, self.teaching = list(taught), list(judged), teaching
        self.record: dict[str, Any] = {"task": "segmentation", "teaching": asdict(teaching), "data": data}
        self._voxels = [_lesion_voxels(example) for example in self.taught]
        self._lesions, self._weights = _lesion_weights(self._voxels)
        if misses is not None:
            by_case = [misses[example.name] for example in self.taught]
            self._lesions, self._weights = _harder(self._lesions, self._weights, by_case, teaching)

    def batch(self, step: int, *, seed: int, rank: int) -> dict[str, Tensor]:
        """Return ``x`` (B, 27, z, y, x) and ``y`` (B, 1, z, y, x; 0 to 1), from the seed, step and rank alone."""
        import torch

        rng = np.random.default_rng([seed, step, rank])
        drawn = [self._patch(rng, clicked=self.teaching.clicks and n % 2 == 1) for n in range(self.teaching.batch)]
        x, y = (torch.from_numpy(np.stack([pair[part] for pair in drawn])) for part in range(2))
        return {"x": x, "y": y}

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Dice of each patch and cross-entropy at full resolution, and with halved weights at each coarser level.

        The Dice is that of each patch, not of the batch, so that a small lesion beside a large one counts as much.
        """
        from torch.nn import functional

        if self.teaching.frozen_norm:
            _freeze_norm(net)
        outputs = net(batch["x"])
        outputs = outputs if isinstance(outputs, list) else [outputs]
        total = _dice_and_entropy(outputs[0].float(), batch["y"], SMOOTH_VOXELS)
        for level, output in enumerate(outputs[1:], start=1):
            target = functional.adaptive_avg_pool3d(batch["y"], output.shape[2:])
            smooth = SMOOTH_VOXELS * output.numel() / outputs[0].numel()
            total = total + 0.5**level * _dice_and_entropy(output.float(), target, smooth)
        return total / sum(0.5**level for level in range(len(outputs)))

    def judge(self, net: nn.Module) -> dict[str, float]:
        """Return the mean Dice on the validation cases: all lesions, the same from fewer phases, and with a click."""
        free: list[float] = []
        fewer: list[float] = []
        clicked: list[float] = []
        for example in self.judged:
            for variant, found in ((0, free), (1, fewer)):
                answer = self._predict(net, self._channels(example, variant, None))
                found.append(_dice(answer, np.asarray(example.lesions) > 0))
            if self.teaching.clicks and example.clicked:
                number, variant = example.clicked[0]
                answer = self._predict(net, self._channels(example, variant, example.clicks[0]))
                clicked.append(_dice(answer, np.asarray(example.lesions) == number))
        result = {"dice": float(np.mean(free)), "dice_fewer_phases": float(np.mean(fewer))}
        result["dice_clicked"] = float(np.mean(clicked)) if clicked else float("nan")
        return {"score": float(np.nanmean(list(result.values()))), **result}

    def _predict(self, net: nn.Module, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        import torch

        volume = torch.from_numpy(x)[None].to(next(net.parameters()).device)
        return np.asarray((logits_of(net, volume, reading_of(net, self.teaching.patch_zyx))[0, 0] > 0).cpu())

    def _channels(self, example: Example, variant: int, click: Any) -> NDArray[np.float32]:
        return only(example_channels(example, variant, click), self.teaching.sees)

    def _patch(self, rng: np.random.Generator, *, clicked: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if clicked and self.teaching.strange > 0 and rng.random() < self.teaching.strange:
            x, y = strange_patch(rng, self.teaching.patch_zyx)
            return only(x, self.teaching.sees), y
        number, around, missed_in = int(rng.integers(len(self.taught))), 0, ANY
        if not clicked and self._lesions and rng.random() < self.teaching.around_lesion:
            number, around, missed_in = self._lesions[int(rng.choice(len(self._lesions), p=self._weights))]
        example = self.taught[number]
        shorter = rng.random() < self.teaching.fewer_phases
        variant = int(rng.integers(1, len(example.values))) if shorter else 0
        variant = variant if missed_in == ANY else missed_in
        click, wanted = None, 0
        if clicked and example.clicked:
            click = int(rng.integers(len(example.clicked)))
            wanted, variant = example.clicked[click]
        centre = self._centre(rng, number, wanted or around)
        corner = _corner(centre, example.lesions.shape, self.teaching.patch_zyx)
        part = tuple(slice(c, c + n) for c, n in zip(corner, self.teaching.patch_zyx, strict=True))
        x = np.zeros((CHANNELS, *self.teaching.patch_zyx), dtype=np.float32)
        y = np.zeros((1, *self.teaching.patch_zyx), dtype=np.float32)
        share = np.asarray(example.share[part], dtype=np.float32) / np.float32(255.0)
        inner = tuple(slice(0, n) for n in share.shape)
        x[(slice(0, N_VALUES), *inner)] = example.values[variant][(slice(None), *part)]
        x[N_VALUES : CHANNELS - 3] = example.present[variant][:, None, None, None]
        if click is not None:
            x[(slice(CHANNELS - 3, None), *inner)] = np.asarray(example.clicks[click][(slice(None), *part)]) / 255.0
        y[0][inner] = share if click is None else share * (np.asarray(example.owner[part]) == wanted)
        if self.teaching.vary:
            foreign = self.teaching.foreign > 0 and click is not None and _shown_by_click(x, y)
            foreign = foreign and rng.random() < self.teaching.foreign
            x, y = varied(rng, x, y, self.teaching.phase_dropout, nearer=0.7 if foreign else 0.25)
            if foreign:
                x = foreign_tissue(rng, x)
            elif self.teaching.first_pass > 0 and rng.random() < self.teaching.first_pass:
                x = without_first_pass(rng, x)
        return only(x, self.teaching.sees), y

    def _centre(self, rng: np.random.Generator, number: int, lesion: int) -> Any:
        """Return a voxel near a lesion of a case, or anywhere in it."""
        if not lesion:
            return np.array([rng.uniform(0, n) for n in self.taught[number].lesions.shape])
        choices = self._voxels[number][lesion]
        jitter = rng.uniform(-0.3, 0.3, 3) * self.teaching.patch_zyx
        return choices[int(rng.integers(len(choices)))] + jitter


def _dice_and_entropy(logits: Tensor, target: Tensor, smooth: float) -> Tensor:
    """(B, 1, z, y, x) of both -> 1 - Dice, the mean over the patches, plus the binary cross-entropy.

    The squared form of the Dice (Milletari 2016): where a target lies between 0 and 1, it is lowest at the target, and
    not at whichever of 0 and 1 is nearer.
    """
    from monai.losses import DiceCELoss

    return DiceCELoss(sigmoid=True, squared_pred=True, smooth_nr=smooth, smooth_dr=smooth)(logits, target)


def _freeze_norm(net: nn.Module) -> None:
    from torch.nn import BatchNorm3d

    for part in net.modules():
        if isinstance(part, BatchNorm3d):
            part.eval()


def only(x: NDArray[np.float32], sees: str) -> NDArray[np.float32]:
    """Blank the channels that an ablation leaves out: "maps" sees no phases, "phases" no maps."""
    if sees == "maps":
        x[N_MAPS : CHANNELS - 3] = 0.0
    elif sees == "phases":
        x[:N_MAPS] = 0.0
    return x


def _shown_by_click(x: NDArray[np.float32], y: NDArray[np.float32]) -> bool:
    """Whether the region that grew from the click is near enough to the lesion to be learned from alone."""
    return _dice(x[-1] > 0.5, y[0] > 0.5) >= SHOWN_BY_CLICK


def _lesion_voxels(example: Example) -> dict[int, Any]:
    labels = np.asarray(example.lesions)
    return {int(n): np.argwhere(labels == n) for n in np.unique(labels) if n}


def _lesion_weights(voxels: Sequence[dict[int, Any]]) -> tuple[list[Drawn], NDArray[np.float64]]:
    """Return all lesions that are large enough, and how often each is drawn: as 1 / radius, summing to 1."""
    found = [(n, k, ANY) for n, here in enumerate(voxels) for k in sorted(here) if len(here[k]) >= SMALLEST_VOXELS]
    weights = np.array([len(voxels[n][k]) ** (-1 / 3) for n, k, _ in found])
    return found, weights / weights.sum() if found else weights


def _harder(
    lesions: Sequence[Drawn],
    weights: NDArray[np.float64],
    misses: Sequence[dict[str, list[float]]],
    teaching: Teaching,
) -> tuple[list[Drawn], NDArray[np.float64]]:
    """Return each lesion in each variant of its case, and how often it is drawn: more often where it is missed."""
    drawn, often = [], []
    for (n, k, _), weight in zip(lesions, weights, strict=True):
        shares = misses[n][str(k)]
        for variant, missed in enumerate(shares):
            usual = teaching.fewer_phases / (len(shares) - 1) if variant else 1.0 - teaching.fewer_phases
            drawn.append((n, k, variant))
            often.append(weight * usual * (1.0 + teaching.hard * missed))
    total = np.array(often)
    return drawn, total / total.sum() if drawn else total


def _corner(centre: Any, shape: tuple[int, ...], patch: tuple[int, int, int]) -> list[int]:
    """Return the first voxel of a patch about a centre, kept inside the volume where that is large enough."""
    return [
        int(np.clip(round(float(c) - size / 2), 0, max(n - size, 0)))
        for c, n, size in zip(centre, shape, patch, strict=True)
    ]


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    total = np.count_nonzero(found) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(found & truth) / total if total else 1.0
