"""A reader who outlines as readers do: a border off by a millimetre or two, end slices missed or added."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.case import Roi
from spinekit.phantom.randomness import stream

__all__ = ["outlined_by_reader"]


def outlined_by_reader(
    outline: Roi, reader: int, *, sd_mm: float = 1.5, smooth_mm: float = 6.0, miss_ends: float = 0.5
) -> Roi:
    """Return an outline as another reader would draw it; the same number draws the same.

    Parameters
    ----------
    outline : Roi
        The true outline.
    reader : int
        Seed of the reader's errors.
    sd_mm : float
        Standard deviation of the border's displacement, mm. 1.5 mm is our assumption; readers of spinal
        lesions agree with Dice of 0.8 to 0.9, which this gives on lesions of 2 to 4 cm.
    smooth_mm : float
        Length over which a displacement stays alike, mm.
    miss_ends : float
        Chance of leaving out the first and, drawn anew, the last slice, where three or more are outlined.

    Returns
    -------
    Roi
    """
    rng = stream(reader, "reader")
    spacing = outline.geometry.spacing_zyx_mm
    axis = int(np.argmax(spacing))
    mask = np.moveaxis(outline.mask, axis, 0)
    plane = [s for n, s in enumerate(spacing) if n != axis]
    drawn = np.zeros_like(mask)
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    for k in slices:
        drawn[k] = _displaced(mask[k], plane, rng, sd_mm, smooth_mm)
    if slices.size >= 3:
        for end in (slices[0], slices[-1]):
            if rng.random() < miss_ends:
                drawn[end] = False
    if not drawn.any():  # a lesion smaller than the error: the reader saw it all the same
        drawn = mask
    return Roi(
        np.moveaxis(drawn, 0, axis).copy(), outline.geometry, outline.name, outline.warnings,
        {**outline.record, "reader": reader, "sd_mm": sd_mm},
    )  # fmt: skip


def _displaced(flat: Any, spacing_mm: Any, rng: Any, sd_mm: float, smooth_mm: float) -> Any:
    inside = ndimage.distance_transform_edt(flat, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~flat, sampling=spacing_mm)
    field = ndimage.gaussian_filter(rng.standard_normal(flat.shape), [smooth_mm / s for s in spacing_mm])
    field *= sd_mm / max(float(field.std()), 1e-9)
    return np.where(flat, inside, -outside) + field > 0
