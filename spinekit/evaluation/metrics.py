"""Overlap of a predicted mask with the truth, never without the trivial answers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.segmentation.agreement import dice, hd95_mm

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["lesion_wise", "overlap_table"]

TOUCHING = ndimage.generate_binary_structure(3, 3)


def lesion_wise(predicted: Any, truth: Any, *, overlap: float) -> dict[str, float]:
    """Count lesions that were found: connected parts of the truth, corners included.

    Parameters
    ----------
    predicted, truth : array of shape (Z, Y, X)
        Masks on one grid.
    overlap : float
        Share of a part's voxels that has to be covered for it to count, above 0 to 1. No default.

    Returns
    -------
    dict
        ``lesions``, ``found``, ``false_parts`` (predicted parts that are not covered so by the truth),
        ``recall`` (NaN without a lesion), ``precision`` (NaN without a predicted part).

    Examples
    --------
    >>> truth = np.zeros((1, 1, 7), dtype=bool)
    >>> truth[..., [1, 5]] = True
    >>> lesion_wise(truth & (np.arange(7) < 3), truth, overlap=0.5)["recall"]
    0.5
    """
    a, b = _masks(predicted, truth)
    if not 0 < overlap <= 1:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"overlap={overlap} was given.",
            expected="A share above 0 and up to 1.",
            cause="It may have been meant in percent.",
            cure="Give 0.5 for half of the voxels.",
        )
    lesions, found = _covered(b, a, overlap)
    parts, right = _covered(a, b, overlap)
    return {
        "lesions": float(lesions),
        "found": float(found),
        "false_parts": float(parts - right),
        "recall": found / lesions if lesions else float("nan"),
        "precision": right / parts if parts else float("nan"),
    }


def overlap_table(
    predicted: Any, truth: Any, *, spacing_zyx_mm: Sequence[float], image: Any = None, threshold: float | None = None
) -> pd.DataFrame:
    """Compare a mask with the truth, and with what costs nothing: all background, and a threshold.

    Parameters
    ----------
    predicted, truth : array of shape (Z, Y, X)
        Masks on one grid.
    spacing_zyx_mm : sequence of three floats
        Voxel size along the array's axes, mm.
    image, threshold : array of shape (Z, Y, X) and float, optional
        Both or neither: the baseline that calls every voxel at or above `threshold` lesion. NaN is background.

    Returns
    -------
    pandas.DataFrame
        Rows ``predicted``, ``all background`` and, if asked, ``threshold``; columns ``PA`` (pixel
        accuracy), ``MPA`` (mean of the two classes' recall), ``MIoU`` (mean of the two classes'
        intersection over union), ``Dice``, ``HD95_mm``. NaN where a class is absent.

    Examples
    --------
    >>> truth = np.zeros((1, 5, 10), dtype=bool)
    >>> truth[0, 0, 0] = True
    >>> table = overlap_table(truth, truth, spacing_zyx_mm=(1, 1, 1))
    >>> table.loc["all background", ["PA", "MPA", "Dice"]].tolist()
    [0.98, 0.5, 0.0]
    """
    import pandas as pd

    a, b = _masks(predicted, truth)
    masks = {"predicted": a, "all background": np.zeros_like(a)}
    if (image is None) != (threshold is None):
        raise InputRefusedError(
            "value-out-of-range",
            found="Only one of image and threshold was given.",
            expected="Both, for the threshold baseline, or neither.",
            cause="The baseline needs an image and a level.",
            cure="Give the enhancement image and the level chosen on training cases.",
        )
    if image is not None:
        masks["threshold"] = _masks(np.asarray(image) >= threshold, truth)[0]
    return pd.DataFrame({name: _scores(mask, b, spacing_zyx_mm) for name, mask in masks.items()}).T


def _scores(a: Any, b: Any, spacing_zyx_mm: Sequence[float]) -> dict[str, float]:
    recalls, unions = [], []
    for one, other in ((a, b), (~a, ~b)):
        both = int((one & other).sum())
        recalls.append(both / int(other.sum()) if other.any() else float("nan"))
        unions.append(both / int((one | other).sum()) if (one | other).any() else float("nan"))
    return {
        "PA": float((a == b).mean()),
        "MPA": float(np.mean(recalls)),
        "MIoU": float(np.mean(unions)),
        "Dice": dice(a, b),
        "HD95_mm": hd95_mm(a, b, spacing_zyx_mm),
    }


def _masks(first: Any, second: Any) -> tuple[Any, Any]:
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.shape != b.shape or a.ndim != 3:
        raise ShapeMismatchError(
            found=f"The masks have shapes {a.shape} and {b.shape}.",
            expected="Two masks (Z, Y, X) on one grid.",
            cause="They may come from different series, or be single slices.",
            cure="Resample one with spinekit.resample_to(); give a slice the shape (1, Y, X).",
        )
    return a, b


def _covered(parts_of: Any, by: Any, overlap: float) -> tuple[int, int]:
    labels, n = ndimage.label(parts_of, structure=TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    hits = np.bincount(labels[by].ravel(), minlength=n + 1)[1:]
    return int(n), int((hits >= overlap * sizes).sum())
