"""The same region a little otherwise: thinner, thicker, moved, turned; the same image with more noise.

All lengths in mm, so that a perturbation means the same on every protocol. What needs the series itself (another
seed, another tolerance) or another outline comes from outside as a region.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError

__all__ = ["dilated", "eroded", "moved", "noisy", "region_perturbations"]


def _signed_distance_mm(roi: Roi) -> NDArray[np.float64]:
    """Return the distance from the border, mm, positive inside; the border lies half a voxel from its voxels."""
    spacing = roi.geometry.spacing_zyx_mm
    padded = np.pad(roi.mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing)
    half = min(spacing) / 2
    return np.asarray(np.where(padded, inside - half, half - outside)[1:-1, 1:-1, 1:-1])


def _length(value: float, what: str) -> float:
    if not 0 < value < np.inf:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{what} of {value!r} mm was asked for.",
            expected="A length above zero, mm.",
            cause="The direction is chosen by the function, not by a sign.",
            cure="Give a length such as 1.0.",
        )
    return float(value)


def eroded(roi: Roi, mm: float) -> Roi:
    """Return a region without its outermost `mm`; empty if nothing is deeper.

    Examples
    --------
    >>> from spinekit import Geometry
    >>> mask = np.zeros((9, 9, 9), dtype=bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> roi = Roi(mask, Geometry((9, 9, 9), (1.0, 1.0, 1.0)))
    >>> eroded(roi, 1.0).n_voxels, dilated(eroded(roi, 1.0), 1.0).n_voxels
    (27, 117)
    """
    return _as(roi, _signed_distance_mm(roi) > _length(mm, "An erosion"), f"eroded by {mm:g} mm")


def dilated(roi: Roi, mm: float) -> Roi:
    """Return a region grown by `mm` on all sides, within the image."""
    return _as(roi, _signed_distance_mm(roi) >= -_length(mm, "A dilation"), f"dilated by {mm:g} mm")


def moved(roi: Roi, *, shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0), turn_deg: float = 0.0) -> Roi:
    """Return a region shifted along the image's axes (x, y, z) and turned within its slices about its centre.

    The border is moved between voxels (the distance map is interpolated), so that a shift by half a voxel changes
    half of the border's voxels.
    """
    geometry = roi.geometry
    if not roi.mask.any():
        return roi
    spacing = np.asarray(geometry.spacing_zyx_mm)
    centre = np.argwhere(roi.mask).mean(axis=0) * spacing
    angle = np.deg2rad(turn_deg)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    back = turn.T  # from a place in the result to where it came from
    matrix = (back * spacing[None, :]) / spacing[:, None]
    offset = (centre - back @ (centre + np.asarray(shift_mm)[::-1])) / spacing
    distance = ndimage.affine_transform(_signed_distance_mm(roi), matrix, offset=offset, order=1, mode="nearest")
    words = f"moved by {', '.join(f'{s:g}' for s in shift_mm)} mm, turned by {turn_deg:g} degrees"
    return _as(roi, distance > 0, words)


def noisy(volume: Volume, *, sd: float, seed: int) -> Volume:
    """Return an image with white Gaussian noise added, in the image's unit; the same seed gives the same noise."""
    rng = np.random.default_rng([seed, 20221])
    noise = rng.normal(scale=sd, size=volume.values.shape)
    return replace(volume, values=(volume.values + noise).astype(np.result_type(volume.values, np.float32)))


def _as(roi: Roi, mask: NDArray[Any], how: str) -> Roi:
    return replace(roi, mask=mask, record={**roi.record, "perturbed": how}, warnings=())


def region_perturbations(
    roi: Roi, *, border_mm: float = 1.0, shift_mm: float = 1.0, turn_deg: float = 5.0
) -> dict[str, Roi]:
    """Return the region eroded and dilated, moved both ways along x and y, and turned both ways.

    Parameters
    ----------
    roi : Roi
        The region.
    border_mm, shift_mm : float
        Lengths, mm. A millimetre is what outlines of one lesion by two readers differ by.
    turn_deg : float
        Angle within the slices.

    Returns
    -------
    dict of str to Roi
        Names such as ``"erosion: 1 mm"``; the kind stands before the colon. One that leaves fewer than two
        voxels is left out.
    """
    found = {
        f"border: eroded by {border_mm:g} mm": eroded(roi, border_mm),
        f"border: dilated by {border_mm:g} mm": dilated(roi, border_mm),
        f"position: {shift_mm:g} mm to the left": moved(roi, shift_mm=(shift_mm, 0.0, 0.0)),
        f"position: {shift_mm:g} mm to the front": moved(roi, shift_mm=(0.0, -shift_mm, 0.0)),
        f"position: turned by {turn_deg:g}°": moved(roi, turn_deg=turn_deg),
        f"position: turned by -{turn_deg:g}°": moved(roi, turn_deg=-turn_deg),
    }
    return {name: region for name, region in found.items() if region.n_voxels >= 2}
