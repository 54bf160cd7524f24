"""Where growing against the surroundings takes place: a coarse grid around the seeds, then the series' own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinekit.case import Seed
from spinekit.geometry import Geometry
from spinekit.segmentation.cleanup import box_around
from spinekit.segmentation.flood import box_distances
from spinekit.segmentation.likeness import models_of
from spinekit.segmentation.mixtures import basis_of, block_means, block_means_at

__all__ = ["Field", "Samples", "coarse_field", "fine_field"]

COARSE_MM = 2.0  # of the coarse grid
DIMENSIONS = 4  # of the space in which curves are told apart
N_SAMPLES = 1800  # of what is around


@dataclass(frozen=True)
class Samples:
    """Curves (N, T), evenly spread around the seeds, the voxels (N, 3) and places (N, 3) in mm they are of; z, y, x."""

    curves: Any
    index: Any
    places_mm: Any

    def radius(self, centres_mm: Any) -> Any:
        """Return how far each sample lies from the nearest of the centres, mm."""
        nearest = [((self.places_mm - np.asarray(c)) ** 2).sum(axis=1) for c in centres_mm]
        return np.sqrt(np.min(nearest, axis=0))


@dataclass(frozen=True)
class Field:
    """A grid to grow on, in the order z, y, x.

    Attributes
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32
        Of which the box of `allowed` begins at `corner`.
    origin, steps : (z, y, x)
        The series' voxel at the box's beginning, and its voxels per cell.
    spacing : (z, y, x)
        Edges of a cell, mm.
    allowed : ndarray of bool
        Where growing is allowed.
    seeds : list of (z, y, x)
        In the box.
    basis, spread : ndarray of shape (D, T), (D,)
        The directions in which curves vary most here.
    """

    signal: Any
    corner: tuple[int, ...]
    origin: Any
    steps: Any
    spacing: tuple[float, ...]
    allowed: Any
    seeds: list[tuple[int, ...]]
    basis: Any
    spread: Any
    n_baseline: int

    def cut(self, box: tuple[slice, ...]) -> Field:
        """Return the part of the field in a box that holds the seeds."""
        first = np.array([b.start for b in box])
        return replace(
            self,
            corner=tuple(int(c + f) for c, f in zip(self.corner, first, strict=True)),
            origin=self.origin + first * self.steps,
            allowed=self.allowed[box],
            seeds=[tuple(int(v) for v in np.asarray(s) - first) for s in self.seeds],
        )

    def curves(self, where: Any, at_most: int) -> Any:
        """Return finite curves (N, T) of the box where asked for, an even sample of about `at_most` of them."""
        places = np.flatnonzero(where)
        places = places[:: 1 + len(places) // at_most]
        z, y, x = (p + c for p, c in zip(np.unravel_index(places, where.shape), self.corner, strict=True))
        found = self.signal[:, z, y, x].T
        return found[np.isfinite(found).all(axis=1)]

    def radius(self, centres: Any) -> Any:
        """Return how far each cell lies from the nearest of the centres (z, y, x), mm, float32."""
        places = [np.arange(n, dtype=np.float32) for n in self.allowed.shape]
        nearest: Any = None
        for centre in centres:
            z, y, x = (((p - np.float32(c)) * np.float32(s)) ** 2 for p, c, s in zip(places, centre, self.spacing))  # noqa: B905 - three of each
            here = z[:, None, None] + (y[:, None] + x)
            nearest = here if nearest is None else np.minimum(nearest, here)
        return np.sqrt(nearest)

    def to_mm(self, centres: Any) -> list[Any]:
        """Return centres (z, y, x) of the box as places of `Samples`."""
        own = np.asarray(self.spacing) / self.steps
        return [(self.origin + (np.asarray(c) + 0.5) * self.steps - 0.5) * own for c in centres]

    @property
    def seeds_mm(self) -> list[Any]:
        """The seeds as places of `Samples`."""
        return self.to_mm(self.seeds)

    def at(self, mask: Any, index: Any) -> Any:
        """Return what a mask of the box holds at voxels (N, 3) of the series; False outside the box."""
        cells = (index - self.origin) // self.steps
        within = ((cells >= 0) & (cells < mask.shape)).all(axis=1)
        found = np.zeros(len(index), dtype=bool)
        found[within] = mask[tuple(cells[within].T)]
        return found

    def box_of(self, region: Any, margin_mm: float, geometry: Geometry) -> tuple[slice, ...]:
        """Return the box of the series that holds a region of the field and a margin around it."""
        inner = box_around(region, self.spacing, 0.0)
        margin = np.ceil(margin_mm / np.asarray(geometry.spacing_zyx_mm)).astype(int)
        return tuple(
            slice(int(max(0, o + b.start * s - m)), int(min(n, o + b.stop * s + m)))
            for o, b, s, m, n in zip(self.origin, inner, self.steps, margin, geometry.shape_zyx, strict=True)
        )

    def taken_from(self, other: Field, region: Any) -> Any:
        """Return a region of another field on this one: the middle voxel of a cell decides, seeds are inside."""
        places, inside = [], []
        for axis, n in enumerate(self.allowed.shape):
            middle = self.origin[axis] + self.steps[axis] * np.arange(n) + self.steps[axis] // 2
            cell = (middle - other.origin[axis]) // other.steps[axis]
            inside.append((cell >= 0) & (cell < region.shape[axis]))
            places.append(np.clip(cell, 0, region.shape[axis] - 1))
        found = region[np.ix_(*places)] & inside[0][:, None, None] & inside[1][:, None] & inside[2]
        for seed in self.seeds:
            found[seed] = True
        return found


def coarse_field(
    signal: Any,
    geometry: Geometry,
    front: list[Seed],
    back: list[Seed],
    reach_mm: float,
    n_baseline: int,
    ring_mm: float,
) -> tuple[Field, Samples]:
    """Return a coarse field as far as `reach_mm` from the seeds, and samples as far as `ring_mm` beyond it."""
    spacing, shape = np.asarray(geometry.spacing_zyx_mm), np.asarray(geometry.shape_zyx)
    points = np.array([s.zyx for s in front])
    steps = np.minimum(np.maximum(1, np.round(COARSE_MM / spacing)).astype(int), np.maximum(1, shape // 3))
    samples = _samples(signal, spacing, points, steps, reach_mm + ring_mm)
    basis, spread = basis_of(samples.curves, DIMENSIONS)
    low, n_cells = _cells(points, shape, spacing, steps, reach_mm)
    blocks = block_means(
        signal, low, tuple(n_cells), tuple(steps), _rows(points, spacing, low, steps, n_cells, reach_mm)
    )
    seeds = [tuple(int(v) for v in np.minimum((p - low) // steps, n_cells - 1)) for p in points]
    field = Field(
        blocks, (0, 0, 0), low, steps, tuple(float(v) for v in spacing * steps), np.ones(tuple(n_cells), dtype=bool),
        seeds, basis, spread, n_baseline,
    )  # fmt: skip
    return _limited(field, geometry, signal, front, back, reach_mm), samples


def fine_field(
    coarse: Field, signal: Any, geometry: Geometry, box: tuple[slice, ...], front: list[Seed], back: list[Seed],
    reach_mm: float,
) -> Field:  # fmt: skip
    """Return a box of the series as a field; curves are told apart as on the coarse one."""
    corner = tuple(b.start for b in box)
    field = replace(
        coarse, signal=signal, corner=corner, origin=np.array(corner), steps=np.ones(3, dtype=int),
        spacing=geometry.spacing_zyx_mm, allowed=np.ones(tuple(b.stop - b.start for b in box), dtype=bool),
        seeds=[tuple(a - c for a, c in zip(s.zyx, corner, strict=True)) for s in front],
    )  # fmt: skip
    return _limited(field, geometry, signal, front, back, reach_mm)


def _limited(
    field: Field, geometry: Geometry, signal: Any, front: list[Seed], back: list[Seed], reach_mm: float
) -> Field:
    """Return the field with growing allowed only within reach of the seeds and where no background seed is nearer."""
    allowed = field.radius(field.seeds) <= reach_mm
    if back:
        distance = np.empty(allowed.shape, dtype=np.float32)
        models = models_of(signal, geometry, [*front, *back])
        box_distances(field.signal, np.asarray(field.corner, dtype=np.int64), *models, distance)
        allowed &= np.isfinite(distance)
    return replace(field, allowed=allowed)


def _cells(points: Any, shape: Any, spacing: Any, steps: Any, reach_mm: float) -> tuple[Any, Any]:
    """Return the first voxel of the box around the points, and its number of cells."""
    away = np.ceil(reach_mm / spacing).astype(int)
    low = np.maximum(points.min(axis=0) - away, 0)
    high = np.minimum(points.max(axis=0) + away + 1, shape)
    low = np.minimum(low, np.maximum(high - steps, 0))
    return low, np.maximum((high - low) // steps, 1)


def _rows(points: Any, spacing: Any, low: Any, steps: Any, n_cells: Any, reach_mm: float) -> Any:
    """Return the first cell of each row (z, y) that is within reach of a point, and the one after the last; int64."""
    z, y = ((low[a] + steps[a] * (np.arange(n_cells[a]) + 0.5)) * spacing[a] for a in (0, 1))
    first, last = np.full((2, n_cells[0], n_cells[1]), (n_cells[2],), dtype=np.int64)
    last[:] = 0
    for point in points:
        rest = reach_mm**2 - ((z - point[0] * spacing[0]) ** 2)[:, None] - (y - point[1] * spacing[1]) ** 2
        half = np.sqrt(np.maximum(rest, 0.0)) / spacing[2]
        from_, to = (point[2] - half - low[2]) // steps[2] - 1, (point[2] + half - low[2]) // steps[2] + 2
        near = rest > 0
        first[near] = np.minimum(first, np.clip(from_, 0, n_cells[2]))[near]
        last[near] = np.maximum(last, np.clip(to, 0, n_cells[2]))[near]
    return np.stack([np.minimum(first, last), last], axis=-1)


def _samples(signal: Any, spacing: Any, points: Any, steps: Any, reach_mm: float) -> Samples:
    low, n_cells = _cells(points, np.array(signal.shape[1:]), spacing, steps, reach_mm)
    total = int(np.prod(n_cells))
    flat = np.arange(0, total, 1 + total // (2 * N_SAMPLES))  # a ball fills half of its box
    first = low + np.stack(np.unravel_index(flat, tuple(n_cells)), axis=1) * steps
    places = (first + 0.5 * (steps - 1)) * spacing
    near = np.min([((places - p * spacing) ** 2).sum(axis=1) for p in points], axis=0) <= reach_mm**2
    curves = block_means_at(signal, first[near], tuple(steps))
    finite = np.isfinite(curves).all(axis=1)
    return Samples(curves[finite], (first + steps // 2)[near][finite], places[near][finite])
