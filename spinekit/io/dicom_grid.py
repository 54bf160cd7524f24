"""Positions of slices: groups along the normal, and whether they make one rectangular grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.dicom_headers import Slice

__all__ = ["axes_of", "grid_of", "group_by_position", "heights_of", "require_phases_on_one_grid"]

SAME_PLACE_MM = 0.05  # positions of one slice in two phases; tags carry at least two decimals
UNEVEN_SHARE, UNEVEN_MM = 0.01, 0.1
LARGEST_TILT_DEG = 0.5
COUNTING_TAGS = ("TemporalPositionIndex", "TemporalPositionIdentifier", "AcquisitionNumber", "SeriesNumber")
CLOCK_TAGS = ("TemporalPositionTimeOffset", "AcquisitionTime", "TriggerTime", "ContentTime", "SeriesTime")


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


def require_phases_on_one_grid(groups: Sequence[Sequence[Slice]]) -> None:
    """Refuse phases that have as many slices as the others, but elsewhere along the normal.

    Raises
    ------
    InputRefusedError
        ``phase-geometry-varies``.
    """
    regular = len({len(group) for group in groups}) == 1 and _even(groups)
    # a clock may be shared by every other slice only, of an interleaved acquisition: asked only if something is wrong
    for tag in COUNTING_TAGS if regular else (*COUNTING_TAGS, *CLOCK_TAGS):
        places = _places_by(groups, tag)
        sizes = [len(place) for place in places.values()]
        if len(sizes) < 2 or np.median(sizes) < 2:
            continue
        usual = int(np.median(sizes))
        full = {value: place for value, place in places.items() if len(place) == usual}
        apart = [value for value, place in full.items() if place != next(iter(full.values()))]
        if apart:
            order = sorted(places)
            named = ", ".join(str(order.index(value) + 1) for value in apart)
            raise InputRefusedError(
                "phase-geometry-varies",
                found=f"By {tag}, the {usual} slices of phase {named} lie at other positions than those of phase "
                f"{order.index(next(iter(full))) + 1}.",
                expected="All phases on one grid.",
                cause="The stack was planned anew between the phases, or two series were joined.",
                cure="Resample the phases onto one grid first.",
            )
        return


def _places_by(groups: Sequence[Sequence[Slice]], tag: str) -> dict[float, set[int]]:
    """Return for every value of a tag the positions at which it occurs; empty if it is not on every slice."""
    if not all(tag in s.clocks for group in groups for s in group):
        return {}
    places: dict[float, set[int]] = {}
    for z, group in enumerate(groups):
        for s in group:
            places.setdefault(s.clocks[tag], set()).add(z)
    return places


def _even(groups: Sequence[Sequence[Slice]]) -> bool:
    steps = np.diff([heights_of([group[0]])[0] for group in groups])
    return steps.size == 0 or bool(np.ptp(steps) <= UNEVEN_MM)


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
    _require_straight(positions, axes)
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


def _require_straight(positions: np.ndarray, axes: np.ndarray) -> None:
    """Refuse single slices that lie beside the line from the first slice to the last."""
    heights = positions @ axes[:, 2]
    share = (heights - heights[0]) / (heights[-1] - heights[0])
    line = positions[0] + share[:, None] * (positions[-1] - positions[0])
    aside = np.abs((positions - line) @ axes[:, :2]).max(axis=1)
    worst = int(aside.argmax())
    if aside[worst] > UNEVEN_MM:
        raise InputRefusedError(
            "slices-sheared",
            found=f"The slice at position {worst + 1} of {len(positions)} lies {aside[worst]:.2f} mm beside the rest.",
            expected=f"All slices in one line, to within {UNEVEN_MM} mm.",
            cause="The slices were planned one by one, or slices of two stacks were mixed.",
            cure="Resample the series onto a rectangular grid first, for example in 3D Slicer.",
        )
