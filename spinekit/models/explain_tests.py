"""Whether an explanation can be believed: it must depend on what was learned, and point at what matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinekit.models.explain import blocks_near, grad_cam, logit_of, logits_without, occlusion
from spinekit.models.inception_resnet_use import Classifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop

__all__ = ["METHODS", "Explanation", "deletion_test", "explain", "randomisation_test", "randomised"]

Method = Callable[..., "NDArray[np.float32]"]
METHODS: dict[str, Method] = {"Grad-CAM": grad_cam, "occlusion": occlusion}
MOST_ALIKE = 0.5  # rank correlation with the map of random weights at which a map no longer shows what was learned
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4)  # of the blocks that are deleted
ORDERS = 8  # random orders that a map's order is held against
NETWORKS = 3  # sets of random weights


@dataclass(frozen=True)
class Explanation:
    """A map of evidence with the tests that it went through.

    Attributes
    ----------
    method : str
        A key of `METHODS`.
    values : ndarray of shape (Z, Y, X) of the crop, float32
        0 to 1.
    alike_random_weights : float
        Rank correlation with the maps of randomised weights, their mean, over the blocks near the region; NaN if
        the map is constant.
    fall : float
        Mean fall of the class's logit while the blocks are deleted in the map's order.
    fall_random : float
        The same for random orders, their mean.
    reasons : tuple of str
        Why it is not faithful; empty if it is.
    """

    method: str
    values: NDArray[np.float32]
    alike_random_weights: float
    fall: float
    fall_random: float
    reasons: tuple[str, ...]

    @property
    def faithful(self) -> bool:
        """Whether both tests were passed."""
        return not self.reasons

    @property
    def stamp(self) -> str:
        """``"not faithful"`` if a test was failed, else empty."""
        return "" if self.faithful else "not faithful"


def explain(classifier: Classifier, crop: LesionCrop, *, target: int, seed: int = 0) -> tuple[Explanation, ...]:
    """Return Grad-CAM and occlusion of a class, each with its two tests.

    Parameters
    ----------
    classifier : Classifier
        The network.
    crop : LesionCrop
        The lesion.
    target : {0, 1}
        Class whose evidence is shown.
    seed : int
        Of random weights and random orders.
    """
    found = []
    for name, method in METHODS.items():
        values = method(classifier, crop, target=target)
        alike = randomisation_test(classifier, crop, method, values, target=target, seed=seed)
        fall, by_chance = deletion_test(classifier, crop, values, target=target, seed=seed)
        reasons = []
        if not alike <= MOST_ALIKE:  # also where it is NaN
            reasons.append(f"random weights give a like map (rank correlation {alike:.2f})")
        if not fall > max(by_chance, 0.0):  # a map whose deletion raises the logit marks nothing that speaks for it
            reasons.append(f"deleting what it marks lowers the logit by {fall:.2f}, chance by {by_chance:.2f}")
        found.append(Explanation(name, values, alike, fall, by_chance, tuple(reasons)))
    return tuple(found)


def randomisation_test(
    classifier: Classifier, crop: LesionCrop, method: Method, values: NDArray[np.float32], *, target: int, seed: int
) -> float:
    """Return the mean rank correlation of a map with those of networks whose weights are random; NaN if it is constant.

    References
    ----------
    .. [1] Adebayo J et al. Sanity checks for saliency maps. NeurIPS 2018.
    """
    from scipy.stats import spearmanr

    own = _by_block(values, crop)
    if np.ptp(own) == 0:
        return float("nan")
    found = []
    for number in range(NETWORKS):
        other = _by_block(method(randomised(classifier, seed=seed + number), crop, target=target), crop)
        found.append(0.0 if np.ptp(other) == 0 else float(spearmanr(own, other).statistic))
    return float(np.mean(found))


def randomised(classifier: Classifier, *, seed: int) -> Classifier:
    """Return the classifier with fresh weights in the place of those it has learned."""
    import torch

    from spinekit.models.inception_resnet import InceptionResNetConfig, build_inception_resnet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build_inception_resnet(InceptionResNetConfig.from_dict(classifier.card["config"])).eval()
    return replace(classifier, net=net)


def deletion_test(
    classifier: Classifier, crop: LesionCrop, values: NDArray[np.float32], *, target: int, seed: int
) -> tuple[float, float]:
    """Return how far the class's logit falls while blocks are deleted: in the map's order, and in random orders.

    The fall is the mean over the shares of blocks deleted. The map passes if its fall is the larger one and above 0.

    References
    ----------
    .. [1] Petsiuk V, Das A, Saenko K. RISE. BMVC 2018.
    """
    blocks = list(blocks_near(crop))
    rng = np.random.default_rng(seed)
    orders = [np.argsort(-_by_block(values, crop), kind="stable")]
    orders += [rng.permutation(len(blocks)) for _ in range(ORDERS)]
    counts = [max(1, round(share * len(blocks))) for share in SHARES]
    deleted = [[blocks[i] for i in order[:n]] for order in orders for n in counts]
    sign = 1.0 if target == 1 else -1.0
    whole = logit_of(classifier, crop.channels[None])[0]
    fall = sign * (whole - logits_without(classifier, crop, deleted)).reshape(len(orders), len(counts)).mean(axis=1)
    return float(fall[0]), float(fall[1:].mean())


def _by_block(values: NDArray[np.float32], crop: LesionCrop) -> NDArray[np.float64]:
    """Return the mean of a map in each block near the region, shape (n,)."""
    return np.array([values[block].mean(dtype=np.float64) for block in blocks_near(crop)])
