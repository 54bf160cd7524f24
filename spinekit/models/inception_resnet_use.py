"""Use a trained classifier: open it, and ask it about a crop from several views."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.models.checkpoints import fill_network, read_card, shipped
from spinekit.models.threads import fixed_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop
    from spinekit.models.inception_resnet import InceptionResNet

__all__ = ["KIND", "Classifier", "Views", "ask", "open_classifier", "views_of"]

KIND = "inception_resnet"


@dataclass(frozen=True)
class Classifier:
    """A network with its card."""

    net: InceptionResNet
    card: Mapping[str, Any]


@dataclass(frozen=True)
class Views:
    """What the network says of one crop.

    Attributes
    ----------
    logit : float
        Mean over the views, of class 1, not calibrated.
    logits : ndarray of shape (V,), float64
        One per view: the box as it is and mirrored, each with the region as it is, shrunk and grown by a rim.
    embeddings : ndarray of shape (V, E), float64
        One per view.
    """

    logit: float
    logits: NDArray[np.float64]
    embeddings: NDArray[np.float64]

    @property
    def embedding(self) -> NDArray[np.float64]:
        """Mean over the views, shape (E,)."""
        return np.asarray(self.embeddings.mean(axis=0))

    def each(self) -> Iterator[tuple[float, NDArray[np.float64]]]:
        """Yield logit and embedding of each view."""
        yield from zip(self.logits.tolist(), self.embeddings, strict=True)


def open_classifier(model: str | os.PathLike[str] | None = None) -> Classifier:
    """Open a trained classifier; the demonstration weights that come with the package if None.

    Raises
    ------
    InputRefusedError
        ``model-missing``, ``model-unsafe``, ``model-changed``, ``model-other``, ``model-shape``.
    """
    from spinekit.models.inception_resnet import InceptionResNetConfig, build_inception_resnet

    path = shipped(KIND) if model is None else model
    card = read_card(path, kind=KIND)
    net = build_inception_resnet(InceptionResNetConfig.from_dict(card["config"]))
    fill_network(net, path)
    return Classifier(net, card)


def views_of(crop: LesionCrop) -> NDArray[np.float32]:
    """Return the views of a crop, float32 of shape (6, C, Z, Y, X).

    A region that a reader drew a little tighter or wider, and a patient who is the mirror image, should get the same
    answer; how far they do not is shown as the uncertainty of the probability.
    """
    regions = region_variants(crop.channels[-1])
    stack = np.stack([np.concatenate([crop.channels[:-1], region[None]]) for region in regions])
    return np.concatenate([stack, stack[..., ::-1]])


def region_variants(region: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Return a region (Z, Y, X) of 0 to 1 as it is, shrunk and grown by about a millimetre and a half."""
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(region, (0.4, 0.8, 0.8))
    peak = float(soft.max())
    return region, np.clip((soft - 0.55 * peak) / (0.3 * peak), 0, 1), np.clip((soft - 0.1 * peak) / (0.3 * peak), 0, 1)


def ask(classifier: Classifier, crop: LesionCrop) -> Views:
    """Ask a classifier about one crop; the same crop gives the same bits."""
    import torch

    with fixed_threads(1), torch.inference_mode():
        verdict = classifier.net(torch.from_numpy(np.ascontiguousarray(views_of(crop))))
    logits = verdict.logit.numpy().astype(np.float64)
    return Views(float(logits.mean()), logits, verdict.embedding.numpy().astype(np.float64))
