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

__all__ = ["lesion_wise", "overlap_scores", "overlap_table", "surface_dice"]

TOUCHING = ndimage.generate_binary_structure(3, 3)


def lesion_wise(predicted: Any, truth: Any, *, overlap: float, lesions: Any = None) -> dict[str, float]:
    """Count lesions that were found: those that are numbered, or else connected parts of the truth, corners included.

    Parameters
    ----------
    predicted, truth : array of shape (Z, Y, X)
        Masks on one grid.
    overlap : float
        Share of a part's voxels that has to be covered for it to count, above 0 to 1. No default.
    lesions : array of int of shape (Z, Y, X), optional
        The number of the lesion in each voxel of the truth, 0 elsewhere. Without it a voxel that partial volume cuts
        off from a lesion is a lesion of its own.

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
    n_lesions, found = _covered(b, a, overlap) if lesions is None else _covered_numbers(lesions, a, overlap)
    parts, right = _covered(a, b, overlap)
    return {
        "lesions": float(n_lesions),
        "found": float(found),
        "false_parts": float(parts - right),
        "recall": found / n_lesions if n_lesions else float("nan"),
        "precision": right / parts if parts else float("nan"),
    }


def surface_dice(first: Any, second: Any, *, spacing_zyx_mm: Sequence[float], tolerance_mm: float) -> float:
    """Return the normalised surface Dice: the share of both borders that lies near the other border.

    Parameters
    ----------
    first, second : array of shape (Z, Y, X)
        Masks on one grid; a mask's border are its voxels with a face outside it.
    spacing_zyx_mm : sequence of three floats
        Voxel size along the array's axes, mm.
    tolerance_mm : float
        What counts as near, 0 or more. No default: it is what readers among themselves are off by.

    Returns
    -------
    float
        0 to 1; 0 if one mask is empty, NaN if both are.

    References
    ----------
    .. [1] Nikolov S et al. J Med Internet Res 2021;23:e26151.

    Examples
    --------
    >>> mask = np.zeros((3, 5, 9), dtype=bool)
    >>> mask[1, 2, 2:5] = True
    >>> surface_dice(mask, np.roll(mask, 1, axis=2), spacing_zyx_mm=(1, 1, 1), tolerance_mm=1.0)
    1.0
    """
    a, b = _masks(first, second)
    if not tolerance_mm >= 0:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"tolerance_mm={tolerance_mm} was given.",
            expected="0 mm or more.",
            cause="A distance cannot be negative.",
            cure="Give what readers are off by, such as 2.0.",
        )
    if not (a.any() and b.any()):
        return 0.0 if a.any() or b.any() else float("nan")
    box = tuple(slice(max(0, int(p.min()) - 1), int(p.max()) + 2) for p in np.nonzero(a | b))
    borders = [mask[box] & ~ndimage.binary_erosion(mask[box]) for mask in (a, b)]
    to = [ndimage.distance_transform_edt(~border, sampling=tuple(spacing_zyx_mm)) for border in borders]
    near = (to[1][borders[0]] <= tolerance_mm).sum() + (to[0][borders[1]] <= tolerance_mm).sum()
    return float(near / (borders[0].sum() + borders[1].sum()))


def overlap_table(
    predicted: Any,
    truth: Any,
    *,
    spacing_zyx_mm: Sequence[float],
    image: Any = None,
    threshold: float | None = None,
    tolerance_mm: float = 2.0,
    overlap: float = 0.5,
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
    tolerance_mm : float
        Of the normalised surface Dice; 2 mm is ours, about what readers of spinal lesions are off by.
    overlap : float
        Share of a lesion that has to be covered for it to count as found; one half is ours.

    Returns
    -------
    pandas.DataFrame
        Rows ``predicted``, ``all background`` and, if asked, ``threshold``; columns as of `overlap_scores`.

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
    options: dict[str, Any] = {"spacing_zyx_mm": spacing_zyx_mm, "tolerance_mm": tolerance_mm, "overlap": overlap}
    return pd.DataFrame({name: overlap_scores(mask, b, **options) for name, mask in masks.items()}).T


def overlap_scores(
    predicted: Any,
    truth: Any,
    *,
    spacing_zyx_mm: Sequence[float],
    tolerance_mm: float = 2.0,
    overlap: float = 0.5,
    lesions: Any = None,
) -> dict[str, float]:
    """Return every overlap measure of one mask; the options are those of `overlap_table` and `lesion_wise`.

    Returns
    -------
    dict
        ``PA`` (pixel accuracy), ``MPA`` (mean of the two classes' recall), ``MIoU`` (mean of the two
        classes' intersection over union), ``Dice``, ``HD95_mm``, ``NSD`` (normalised surface Dice),
        ``recall`` (share of the lesions found) and ``false_parts`` (predicted parts that are no lesion).
        NaN where a class is absent.

    Examples
    --------
    >>> truth = np.zeros((3, 4, 4), dtype=bool)
    >>> truth[1, 1:3, 1:3] = True
    >>> scores = overlap_scores(truth, truth, spacing_zyx_mm=(1, 1, 1))
    >>> scores["Dice"], scores["NSD"], scores["recall"], scores["false_parts"]
    (1.0, 1.0, 1.0, 0.0)
    """
    a, b = _masks(predicted, truth)
    recalls, unions = [], []
    for one, other in ((a, b), (~a, ~b)):
        both = int((one & other).sum())
        recalls.append(both / int(other.sum()) if other.any() else float("nan"))
        unions.append(both / int((one | other).sum()) if (one | other).any() else float("nan"))
    parts = lesion_wise(a, b, overlap=overlap, lesions=lesions)
    return {
        "PA": float((a == b).mean()),
        "MPA": float(np.mean(recalls)),
        "MIoU": float(np.mean(unions)),
        "Dice": dice(a, b),
        "HD95_mm": hd95_mm(a, b, spacing_zyx_mm),
        "NSD": surface_dice(a, b, spacing_zyx_mm=spacing_zyx_mm, tolerance_mm=tolerance_mm),
        "recall": parts["recall"],
        "false_parts": parts["false_parts"],
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


def _covered_numbers(lesions: Any, by: Any, overlap: float) -> tuple[int, int]:
    numbers = np.asarray(lesions)
    if numbers.shape != by.shape:
        _masks(by, numbers)  # refuses
    sizes = np.bincount(numbers.ravel())[1:]
    hits = np.bincount(numbers[by], minlength=len(sizes) + 1)[1:]
    there = sizes > 0
    return int(there.sum()), int((hits >= overlap * sizes)[there].sum())
