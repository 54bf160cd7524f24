"""A patient who moves between phases: rigid displacements drawn, applied, and kept as truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.phantom.randomness import stream

__all__ = ["MOTIONS", "motion_of", "moved", "padded", "rigid"]

MOTIONS: dict[str, tuple[float, float]] = {  # SD of the creep per phase and of a jerk, mm; degrees are 0.4 of it
    "none": (0.0, 0.0),
    "usual": (0.12, 0.9),
    "strong": (0.3, 3.0),
}


def motion_of(motion: Any, seed: int, n_phases: int) -> Any:
    """Return the displacement of each phase, float64 of shape (T, 6).

    Parameters
    ----------
    motion : {"none", "usual", "strong"} or array of shape (T, 6)
        A named amount, drawn from the seed (a slow creep and, in half of the patients, one jerk), or the
        displacements themselves: shift along x, y, z in LPS mm, then turn about x, y, z in degrees.
    seed : int
        The case's seed.
    n_phases : int
        T.

    Examples
    --------
    >>> motion_of("none", 1, 3).tolist()[2]
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if isinstance(motion, str):
        if motion not in MOTIONS:
            raise InputRefusedError(
                "choice-unknown",
                found=f"motion='{motion}' was asked for.",
                expected=f"One of {', '.join(MOTIONS)}, or six numbers for each phase.",
                cause="The name may be misspelt.",
                cure="Choose one of the names.",
            )
        creep, jerk = MOTIONS[motion]
        rng = stream(seed, "motion")
        scale = np.array([1.0, 0.8, 1.0, 0.4, 0.4, 0.4])
        steps = rng.normal(0.0, 1.0, (n_phases, 6)) * scale * creep
        when = int(rng.integers(1, n_phases))
        if rng.random() < 0.5:
            steps[when] += rng.normal(0.0, 1.0, 6) * scale * jerk
        steps[0] = 0.0
        return np.cumsum(steps, axis=0)
    given = np.array(motion, dtype=np.float64)
    if given.shape != (n_phases, 6) or not np.isfinite(given).all():
        raise InputRefusedError(
            "value-out-of-range",
            found=f"motion has shape {given.shape} for {n_phases} phases.",
            expected=f"Six finite numbers for each phase, shape ({n_phases}, 6): mm along x, y, z, degrees about them.",
            cause="A row may be missing, or the axes swapped.",
            cure="Give one row per phase.",
        )
    return given


def rigid(six: Any) -> tuple[Any, Any]:
    """Return the rotation (3, 3) and shift (3,) in mm of six numbers; a point p goes to R (p - c) + c + t.

    Turns are about x, then y, then z.
    """
    a, b, c = np.deg2rad(six[3:])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x, np.asarray(six[:3], dtype=np.float64)


def padded(geometry: Geometry, motion: Any) -> tuple[Geometry, tuple[slice, slice, slice]]:
    """Return a grid with a margin that the motion cannot cross, and where the first lies in it (Z, Y, X)."""
    if not np.any(motion):
        return geometry, (slice(None), slice(None), slice(None))
    spacing, size = np.asarray(geometry.spacing_mm), np.asarray(geometry.size)
    lever = np.deg2rad(np.abs(motion[:, 3:]).max()) * 0.5 * np.linalg.norm(spacing * size)
    margin = np.ceil((np.abs(motion[:, :3]).max() + lever) / spacing).astype(int) + 2
    start = geometry.index_to_mm(-margin)
    inner = tuple(slice(int(m), int(m + n)) for m, n in zip(margin[::-1], size[::-1], strict=True))
    grown = tuple(int(n) for n in size + 2 * margin)
    return Geometry(grown, geometry.spacing_mm, tuple(start), geometry.direction), inner  # type: ignore[arg-type,return-value]


def moved(image: Any, source: Geometry, target: Geometry, six: Any) -> Any:
    """Return an image of the patient displaced about the centre of the target grid, float32 on that grid.

    Cubic spline interpolation in `source`, which reaches beyond `target`.
    """
    from scipy.ndimage import spline_filter

    from spinekit.phantom.compiled import spline_image

    turn, shift = rigid(six)
    centre = target.index_to_mm(0.5 * (np.asarray(target.size) - 1))
    # a voxel of the target at p shows the tissue that was at R' (p - c - t) + c
    to_source = np.linalg.inv(source.matrix[:3, :3])
    matrix = to_source @ turn.T @ target.matrix[:3, :3]
    first = turn.T @ (np.asarray(target.origin_mm) - centre - shift) + centre
    offset = to_source @ (first - np.asarray(source.origin_mm))
    smooth = spline_filter(image, order=3, output=np.float32, mode="nearest")
    result = np.empty(target.shape_zyx, dtype=np.float32)
    spline_image(smooth, np.ascontiguousarray(matrix[::-1, ::-1]), np.ascontiguousarray(offset[::-1]), result)
    return result
