"""Growing by curves against the surroundings: what is around the lesion is learned too, and competes for each voxel.

A first guess takes what is like the curves around the seed. From then on inside and surroundings teach each
other: each is a mixture of tissues, a voxel belongs to the likelier side, with a weak prior that lesions are
compact; what hangs together with the seed, thin bridges left out, teaches anew. The last round is at full
resolution. No tolerance is needed, and where in the lesion one clicks matters little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.case import Seed
from spinekit.geometry import Geometry
from spinekit.segmentation.cleanup import box_around
from spinekit.segmentation.fields import Field, Samples, coarse_field, fine_field
from spinekit.segmentation.grown import Grown, Limits
from spinekit.segmentation.likeness import core_curves
from spinekit.segmentation.mixtures import Mixture, Variation, log_odds, mixture_of
from spinekit.segmentation.nearness import distances_up_to

__all__ = ["ENOUGH_PHASES", "against_surroundings"]

ENOUGH_PHASES = 6  # with fewer, curves say too little of what is around; the sharpest border does better there
REACH_MM = 46.0  # how far around the seeds is looked at first
WIDER, FILLED = 1.8, 0.9  # a region that goes farther than this share of the reach makes it wider
ROUNDS, LARGE_ROUNDS = 4, 8  # usually, and at most where the region is large; fewer once it has settled
LARGE_MM = 20.2  # radius of a sphere as large as the region: 34.5 ml
SETTLED, LATE = 0.05, 0.15  # change of volume in a round; late in a large region, where a slow creep is a leak's
ROUND_MM, FIRST_ROUND_MM = 8.0, 24.0  # by how much a region grows in a round, and the first from the seeds
FIRST, USUAL = Variation(0.15, 0.25, 0.05), Variation(0.05, 0.10, 0.04)
N_INSIDE, N_OUTSIDE = 3, 6  # tissues
N_CURVES = 1500  # that teach a side; more do not change it
BEYOND_MM = 10.0  # from the seed: first surroundings, where unlike the seed
UNLIKE = 1.6  # standard deviations
GUARD_MM = 3.0  # what lies nearer to the border teaches neither side
RING_MM = 15.0  # beyond the region: surroundings
PHASES = 2.0  # that count as independent evidence: neighbouring ones are not
MOST = 8.0  # evidence of one voxel, log odds
PRIOR, PRIOR_LIMIT = 2.0, 4.0  # log odds at the centre, and at most
FIRST_MM, COMPACT_MM = 8.0, 15.0  # from the centre, where the prior is even: in the first round, and later
LARGE_SHARE = 1.0  # of the radius of a sphere as large as the region, where that is farther: from 14 ml
SMOOTH_MM = 0.8
THIN_MM = 2.0  # bridges of less than twice this are not crossed
MARGIN_MM = 5.0  # around the region, in the last round
JUMP_ODDS = 0.5  # a leak is looked for where this much less evidence is asked for


@dataclass(frozen=True)
class Search:
    """What is known of a lesion while it is looked for: where, from which curves around it, and what was found."""

    field: Field
    samples: Samples
    region: Any
    odds: Any

    @property
    def jump(self) -> float:
        """By how much the volume grows when a little less evidence is asked for."""
        return float(_connected(self.field, self.odds + np.float32(JUMP_ODDS)).sum() / self.region.sum())

    @property
    def contrast(self) -> float:
        """By how much the odds fall from just inside to just outside the border; inf where there is no outside."""
        inner = self.region & ~ndimage.binary_erosion(self.region, border_value=1)
        outer = ndimage.binary_dilation(self.region) & ~self.region & np.isfinite(self.odds)
        if not outer.any() or not inner.any():
            return float("inf")
        values = np.where(np.isfinite(self.odds), self.odds, 0.0)
        return float(values[inner].mean() - values[outer].mean())


def against_surroundings(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], limits: Limits, n_baseline: int
) -> Grown:
    """Grow from seeds to where the surroundings become likelier.

    Parameters
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32
    geometry : Geometry
    front, back : list of Seed
        Voxels nearer in curve to a background seed than to every other stay outside.
    limits : Limits
        The radius holds; the volume is for `spinekit.segmentation.grown.bounded`.
    n_baseline : int
        Phases before the contrast agent.

    Returns
    -------
    Grown
        ``tolerance`` is None: there is none.
    """
    signal = np.ascontiguousarray(signal)
    curves = np.concatenate([core_curves(signal, geometry, seed) for seed in front], axis=1).T
    rough = _searched(signal, geometry, front, back, limits, n_baseline, curves)
    box = rough.field.box_of(rough.region, MARGIN_MM, geometry)
    field = fine_field(rough.field, signal, geometry, box, front, back, limits.max_radius_mm)
    found = _round(replace(rough, field=field, region=field.taken_from(rough.field, rough.region)), curves)
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[box] = found.region
    return Grown(mask, None, False, rough.jump, found.contrast, {}, box)


def _searched(
    signal: Any, geometry: Geometry, front: list[Seed], back: list[Seed], limits: Limits, n_baseline: int, curves: Any
) -> Search:
    """Return what the coarse rounds found; a region that fills its reach is looked for farther out."""
    reach = min(REACH_MM, limits.max_radius_mm)
    field, samples = coarse_field(signal, geometry, front, back, reach, n_baseline, RING_MM)
    search = _settled(Search(field, samples, None, None), curves)
    while reach < limits.max_radius_mm:
        farthest = float(search.field.radius(search.field.seeds)[search.region].max())
        if farthest <= FILLED * reach:
            break
        reach = min(WIDER * reach, limits.max_radius_mm)
        field, samples = coarse_field(signal, geometry, front, back, reach, n_baseline, RING_MM)
        region = field.taken_from(search.field, search.region)
        search = _settled(replace(search, field=field, samples=samples, region=region), curves)
    return search


def _settled(search: Search, clicked: Any) -> Search:
    """Do rounds until the region changes no more."""
    before = 0 if search.region is None else int(search.region.sum())
    for n in range(LARGE_ROUNDS):
        search = _round_nearby(search, clicked)
        now = int(search.region.sum())
        late = n + 1 >= ROUNDS
        if late and _mean_radius(search.field, search.region, len(search.field.seeds)) <= LARGE_MM:
            break
        if abs(now - before) <= (LATE if late else SETTLED) * now:
            break
        before = now
    return search


def _round_nearby(search: Search, clicked: Any) -> Search:
    """Do a round in the part of the field that a region can reach in it."""
    field = search.field
    if search.region is None:
        around, margin = np.zeros(field.allowed.shape, dtype=bool), FIRST_ROUND_MM
        for seed in field.seeds:
            around[seed] = True
    else:
        around, margin = search.region, ROUND_MM
    box = box_around(around, field.spacing, margin)
    part = None if search.region is None else search.region[box]
    found = _round(replace(search, field=field.cut(box), region=part), clicked)
    region = np.zeros(field.allowed.shape, dtype=bool)
    odds = np.full(field.allowed.shape, -np.inf, dtype=np.float32)
    region[box], odds[box] = found.region, found.odds
    return replace(search, region=region, odds=odds)


def _round(search: Search, clicked: Any) -> Search:
    """Learn both sides, from the curves at the seeds if there is no region yet, and decide for each voxel anew."""
    field, samples, region = search.field, search.samples, search.region
    if region is None:
        inside = _mixture(field, clicked, 1, FIRST)
        beyond = samples.radius(field.seeds_mm) > BEYOND_MM
        unlike = beyond & (_distance(field, samples.curves, inside) > UNLIKE)
        around = unlike if unlike.sum() >= len(field.signal) else beyond
        centres, even = field.seeds, FIRST_MM
    else:
        inside, around, centres = _taught(field, samples, region)
        even = max(COMPACT_MM, LARGE_SHARE * _mean_radius(field, region, len(centres)))
    examples = samples.curves[around if around.sum() >= 2 else slice(None)]
    outside = _mixture(field, examples[:: 1 + len(examples) // N_CURVES], N_OUTSIDE, USUAL)
    evidence = log_odds(field.signal, field.corner, field.allowed.shape, field.basis, inside, outside)
    evidence *= np.float32(min(1.0, PHASES / len(field.signal)))
    np.clip(evidence, -MOST, MOST, out=evidence)
    evidence += np.clip(PRIOR * (1 - field.radius(centres) / np.float32(even)), -PRIOR_LIMIT, PRIOR_LIMIT)
    odds = np.where(field.allowed & np.isfinite(evidence), evidence, np.float32(-np.inf))
    return replace(search, region=_connected(field, odds), odds=odds)


def _taught(field: Field, samples: Samples, region: Any) -> tuple[Mixture, Any, Any]:
    """Return the mixture inside a region, which samples are its surroundings, and the centres of its parts."""
    near = distances_up_to(region, GUARD_MM, field.spacing) < np.inf
    core = region & (_depth(region, GUARD_MM, field.spacing) == np.inf)
    centres = _centres(region, len(field.seeds))
    farthest = float(field.radius(centres)[region].max())
    around = ~field.at(near, samples.index) & (samples.radius(field.to_mm(centres)) < farthest + RING_MM)
    curves = field.curves(core if core.sum() >= 3 * len(field.signal) else region, N_CURVES)
    return _mixture(field, curves, N_INSIDE, USUAL), around, centres


def _mean_radius(field: Field, region: Any, n_parts: int) -> float:
    """Return the radius of a sphere that is as large as a part of the region, mm."""
    volume = float(region.sum() * np.prod(field.spacing)) / n_parts
    return float(np.cbrt(0.75 * volume / np.pi))


def _depth(mask: Any, limit_mm: float, spacing: Any) -> Any:
    """Return how deep each voxel lies in the mask, mm, inf where deeper than the limit; beyond the box is outside."""
    return distances_up_to(np.pad(~mask, 1, constant_values=True), limit_mm, spacing)[1:-1, 1:-1, 1:-1]


def _centres(region: Any, n_seeds: int) -> list[tuple[float, ...]]:
    """Return the centre of each part; with one seed there is one part."""
    if n_seeds == 1:
        return [tuple(float(p.mean()) for p in np.nonzero(region))]
    labels, n = ndimage.label(region)
    return [tuple(float(p.mean()) for p in np.nonzero(labels == k)) for k in range(1, n + 1)]


def _mixture(field: Field, curves: Any, at_most: int, variation: Variation) -> Mixture:
    return mixture_of(curves, field.basis, field.spread, field.n_baseline, at_most=at_most, variation=variation)


def _distance(field: Field, curves: Any, inside: Mixture) -> Any:
    """Return the distance of curves (N, T) from a mixture of one component, standard deviations."""
    white = (curves @ field.basis.T - inside.means[0]) @ inside.whitening[0].T
    return np.sqrt((white**2).mean(axis=1))


def _connected(field: Field, odds: Any) -> Any:
    """Return what is inside and hangs together with the seeds by more than thin bridges."""
    chance = ndimage.gaussian_filter(
        1 / (1 + np.exp(-np.clip(odds, -30, 30))), [SMOOTH_MM / s for s in field.spacing], truncate=2.0
    )
    inside = np.ascontiguousarray((chance > 0.5) & np.isfinite(odds))
    for seed in field.seeds:
        inside[seed] = True
    core = _with_seeds(_depth(inside, THIN_MM, field.spacing) == np.inf, field.seeds)
    grown = inside & (distances_up_to(core, 1.3 * THIN_MM, field.spacing) < np.inf)
    return _with_seeds(grown, field.seeds)


def _with_seeds(mask: Any, seeds: list[tuple[int, ...]]) -> Any:
    """Return the parts, connected over faces, that hold a seed; seeds count as inside."""
    mask = mask.copy()
    for seed in seeds:
        mask[seed] = True
    labels, _ = ndimage.label(mask)
    if len(seeds) == 1:
        return labels == labels[seeds[0]]
    return np.isin(labels, sorted({int(labels[s]) for s in seeds}))
