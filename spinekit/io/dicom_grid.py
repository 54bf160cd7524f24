"""Positions of slices: groups along the normal, and whether they make one rectangular grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.dicom_headers import Slice

__all__ = ["axes_of", "grid_of", "group_by_position", "heights_of"]

SAME_PLACE_MM = 0.05  # positions of one slice in two phases; tags carry at least two decimals
UNEVEN_SHARE, UNEVEN_MM = 0.01, 0.1  # INPUTS.md 12
LARGEST_TILT_DEG = 0.5  # INPUTS.md 13


def axes_of(first: Slice) -> np.ndarray:
    """Return the directions of columns (x), rows (y) and slices (z) as orthonormal columns of a (3, 3) matrix.

    Slices are counted towards the patient's left, back or head, whichever is nearest: it depends on no
    tag, so that the same images give the same array however they were numbered. For a sagittal stack
    the axes are then left-handed, which world coordinates take care of.
    """
    x = np.asarray(first.orientation[:3]) / np.linalg.norm(first.orientation[:3])
    y = np.asarray(first.orientation[3:])
    y = y - x * (x @ y)
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    z *= np.sign(z[np.abs(z).argmax()])
    return np.stack([x, y, z], axis=1)


def heights_of(slices: Sequence[Slice]) -> np.ndarray:
    """Return the position of each slice along the normal, mm."""
    normal = axes_of(slices[0])[:, 2]
    return np.array([np.dot(s.position, normal) for s in slices])


def group_by_position(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Return the slices grouped by where they lie, in the order of `axes_of`."""
    heights = heights_of(slices)
    groups: list[list[Slice]] = []
    last = -np.inf
    for index in np.argsort(heights, kind="stable"):
        if heights[index] - last > SAME_PLACE_MM:
            groups.append([])
        groups[-1].append(slices[index])
        last = heights[index]
    for group in groups:
        spread = np.ptp(np.array([s.position for s in group]), axis=0).max()
        if spread > 2 * SAME_PLACE_MM:
            raise InputRefusedError(
                "phase-geometry-varies",
                found=f"Images at one slice position are shifted in the plane by {spread:.2f} mm against each other.",
                expected="All phases on one grid.",
                cause="The patient was planned anew between the phases, or two series were joined.",
                cure="Read the phases separately, or resample them onto one grid first.",
            )
    return groups


def grid_of(groups: Sequence[Sequence[Slice]]) -> Geometry:
    """Return the grid of one volume, after holding the positions against a rectangular one.

    Raises
    ------
    InputRefusedError
        ``matrix-varies``, ``slices-sheared``, ``slices-uneven``.
    """
    slices = [s for group in groups for s in group]
    _require_one_matrix(slices)
    first = groups[0][0]
    axes = axes_of(first)
    positions = np.array([group[0].position for group in groups])
    thickness = _spacing(positions, axes) if len(groups) > 1 else 1.0
    return Geometry(
        (first.shape[1], first.shape[0], len(groups)),
        (first.spacing[0], first.spacing[1], thickness),
        tuple(positions[0]),
        tuple(tuple(row) for row in axes),
    )


def _require_one_matrix(slices: Sequence[Slice]) -> None:
    shapes = sorted({s.shape for s in slices})
    spacings = np.array([s.spacing for s in slices])
    if len(shapes) > 1 or (np.ptp(spacings, axis=0) > 1e-4 * spacings.min(axis=0)).any():
        sizes = ", ".join(f"{c} × {r}" for r, c in shapes)
        steps = ", ".join(sorted({f"{a:.4g} × {b:.4g} mm" for a, b in spacings}))
        raise InputRefusedError(
            "matrix-varies",
            found=f"The images have matrices {sizes} and pixels of {steps}.",
            expected="One matrix and one pixel size throughout the series.",
            cause="Two series were joined, or a reconstruction was repeated with another matrix.",
            cure="Choose one of them with the option for the series.",
        )


def _spacing(positions: np.ndarray, axes: np.ndarray) -> float:
    """Return the distance between slices; refuse positions that are tilted or uneven."""
    way = positions[-1] - positions[0]
    along = float(way @ axes[:, 2])
    aside = float(np.hypot(way @ axes[:, 0], way @ axes[:, 1]))
    tilt = float(np.degrees(np.arctan2(aside, abs(along))))
    if tilt > LARGEST_TILT_DEG:
        raise InputRefusedError(
            "slices-sheared",
            found=f"The stack of slices leans by {tilt:.2f}° against the normal of the slices.",
            expected=f"At most {LARGEST_TILT_DEG}°.",
            cause="The gantry was tilted, or the slices belong to several stacks.",
            cure="Resample the series onto a rectangular grid first, for example in 3D Slicer.",
        )
    steps = np.diff(positions @ axes[:, 2])
    usual = float(np.median(steps))
    worst = int(np.abs(steps - usual).argmax())
    off = abs(float(steps[worst]) - usual)
    if off > UNEVEN_SHARE * usual or off > UNEVEN_MM:
        raise InputRefusedError(
            "slices-uneven",
            found=(
                f"Slices are {usual:.3f} mm apart, but {steps[worst]:.3f} mm between positions "
                f"{worst + 1} and {worst + 2} of {len(positions)}."
            ),
            expected=f"Equal distances, to within {100 * UNEVEN_SHARE:.0f} % and {UNEVEN_MM} mm.",
            cause="A slice is missing in every phase, or slices were acquired with gaps that differ.",
            cure="Send the series again from the archive and compare the number of images.",
        )
    return float(steps.mean())
