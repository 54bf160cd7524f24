"""The study's route from an outline on the sagittal T2 to the region on the contrast-enhanced series.

Letters are the panels of the study's figure: the outline (A) is carried to the grid of the series by world
coordinates (B, C), expanded (D), the enhancement there divided into partitions of which those that overlap
the outline are kept (E) and fused in three dimensions (F); the voxel of it that enhances most seeds region
growing (G), which stays within the expanded region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from spinekit.case import DynamicSeries, Roi, Seed, Volume, require_baseline
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import Geometry, resample_array
from spinekit.segmentation.cleanup import box_around, interpolate_slices, without_holes
from spinekit.segmentation.likelihood import likelihood_mask
from spinekit.segmentation.one_image import enhancement_image
from spinekit.segmentation.region_growing import grow_region

__all__ = ["EXPANSIONS", "OutlineGrowth", "grow_along_outline", "grow_from_outline"]

EXPANSIONS = ("area", "linear", "dilate")
TIMES = 5  # the study's "expanded five times"
PARTITION_MM2 = 25.0  # about as large as the smallest thing a reader would outline by itself
COMPACTNESS = 0.1  # of SLIC, on curves scaled to unit spread: follows enhancement rather than a grid
OVERLAP = 0.5  # share of a partition inside the carried outline with which it is kept
EDGE_SHARE = 0.05  # of the region on the edge of where it may grow, that counts as a leak
HOT_MM = 2.0  # the hottest voxel is looked for in a median of this width, so that noise does not choose it


@dataclass(frozen=True)
class OutlineGrowth:
    """Every step of the study's figure.

    Attributes
    ----------
    outline : Roi
        A, on the grid of the T2.
    carried, expanded, kept, fused, roi : Roi
        C to G, on the grid of the series. `kept` are the partitions that overlap the outline, slice by
        slice; `fused` what of them hangs together in three dimensions.
    partitions : Volume
        Numbers of the partitions from 1, 0 outside the expanded region; int32.
    seed : Seed
        The voxel of the fused region that enhances most.
    """

    outline: Roi
    carried: Roi
    expanded: Roi
    partitions: Volume
    kept: Roi
    fused: Roi
    seed: Seed
    roi: Roi


def grow_from_outline(
    series: DynamicSeries, outline: Roi, *, expand: str = "area", n_baseline: int = 1, **options: Any
) -> Roi:
    """Return the region that grows from an outline on another image; see `grow_along_outline`, which gives every step.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(96, 96, 12))
    >>> roi = grow_from_outline(case.series, case.t2_outline, n_baseline=case.n_baseline)
    >>> roi.record["route"], roi.record["expand"]
    ('outline', 'area')
    """
    return grow_along_outline(series, outline, expand=expand, n_baseline=n_baseline, **options).roi


def grow_along_outline(
    series: DynamicSeries, outline: Roi, *, expand: str = "area", n_baseline: int = 1, method: str = "likelihood",
    **options: Any,
) -> OutlineGrowth:  # fmt: skip
    """Carry an outline to the series, expand, divide, keep, fuse, and grow from the voxel that enhances most.

    Parameters
    ----------
    series : DynamicSeries
    outline : Roi
        On its own grid, such as the sagittal T2; empty slices between drawn ones are interpolated.
    expand : {"area", "linear", "dilate"}
        What "five times" means in each slice: five times the area (nearest voxels first), five times the
        width (so twenty-five times the area), or five dilations by a voxel.
    n_baseline : int
        Phases before the contrast agent.
    method : {"likelihood", "curve", "confidence", "threshold"}
        How the hottest voxel grows. ``"likelihood"``: through voxels whose curves are more like those of the
        fused region than like those around it, the outline counting as a prior in mm. The others grow from
        that one voxel as `grow_region` does.
    **options
        For `grow_region`.

    Returns
    -------
    OutlineGrowth

    Raises
    ------
    InputRefusedError
        ``outline-outside`` if the outline does not meet the series, ``roi-empty``, ``choice-unknown``
        (expand), ``value-out-of-range`` (n_baseline), and what `grow_region` refuses.

    References
    ----------
    .. [1] Wang et al. 2023, J Bone Oncol 42:100498, the figure of the segmentation. Partitions by SLIC
       (Achanta 2012, as in scikit-image) and the reading of "five times" are our choices.
    """
    _check(outline, expand)
    if series.n_phases > 1:
        require_baseline(n_baseline, series.n_phases)
    geometry = series.geometry
    carried = _carried(outline, geometry)
    expanded = _expanded(carried, expand)
    image = enhancement_image(series.signal, n_baseline)
    numbers = _partitions(series.signal, expanded, geometry, n_baseline)
    kept = _overlapping(numbers, carried)
    fused = _fused(kept, carried)
    seed = _hottest(image, fused, geometry)
    grown = _grown(series, fused, expanded, seed, n_baseline, method, options)
    record = {"simulated": bool(series.record.get("simulated", False))}
    steps = {
        "route": "outline",
        "expand": expand,
        "outline_ml": outline.volume_ml,
        "carried_ml": _ml(carried, geometry),
        "expanded_ml": _ml(expanded, geometry),
        "n_partitions": int(numbers.max()),
        "fused_ml": _ml(fused, geometry),
        "hottest_ijk": list(seed.ijk),
    }
    return OutlineGrowth(
        outline=outline,
        carried=Roi(carried, geometry, "carried outline", record=record),
        expanded=Roi(expanded, geometry, f"expanded ({expand})", record=record),
        partitions=Volume(numbers, geometry, name="partitions", unit="1"),
        kept=Roi(kept, geometry, "kept partitions", record=record),
        fused=Roi(fused, geometry, "fused partitions", record=record),
        seed=seed,
        roi=Roi(grown.mask, geometry, grown.name, grown.warnings, {**grown.record, **steps}),
    )


def _ml(mask: Any, geometry: Geometry) -> float:
    return float(mask.sum() * geometry.voxel_volume_mm3 / 1000)


def _check(outline: Roi, expand: str) -> None:
    if expand not in EXPANSIONS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"expand='{expand}' was asked for.",
            expected=f"One of {', '.join(EXPANSIONS)}.",
            cause="The name may be misspelt.",
            cure="Use 'area', the default.",
        )
    if not outline.mask.any():
        raise InputRefusedError(
            "roi-empty",
            found="The outline holds no voxel.",
            expected="The lesion outlined on one slice or more.",
            cause="Nothing was drawn, or the file is of another image.",
            cure="Draw the outline on the T2.",
        )


def _carried(outline: Roi, geometry: Geometry) -> Any:
    """Return the outline on the grid of the series, (Z, Y, X): by world coordinates, linear, at one half."""
    axis = int(np.argmax(outline.geometry.spacing_zyx_mm))  # slices lie farthest apart
    whole = interpolate_slices(outline.mask, axis).astype(np.float32)
    mask = resample_array(whole, outline.geometry, geometry, interpolation="linear", outside=0.0) >= 0.5
    if not mask.any():
        raise InputRefusedError(
            "outline-outside",
            found=f"No voxel of the series lies inside the outline '{outline.name}'.",
            expected="An outline that meets the series in space.",
            cause="The two were acquired in other positions, or the outline belongs to another patient or level.",
            cure="Check with the crosshair that T2 and series show the same vertebra; draw the outline there.",
        )
    return mask


def _expanded(carried: Any, expand: str) -> Any:
    """Return the carried region expanded within each slice."""
    out = carried.copy()
    for k in np.flatnonzero(carried.any(axis=(1, 2))):
        flat = carried[k]
        if expand == "dilate":
            out[k] = ndimage.binary_dilation(flat, iterations=TIMES)
            continue
        factor = TIMES if expand == "area" else TIMES**2
        wanted = min(factor * int(flat.sum()), flat.size)
        distance = ndimage.distance_transform_edt(~flat)
        out[k] = distance <= np.partition(distance.ravel(), wanted - 1)[wanted - 1]
    return out


def _partitions(signal: Any, expanded: Any, geometry: Geometry, n_baseline: int) -> Any:
    """Return the over-segmentation of the enhancement curves, slice by slice; numbers from 1, int32."""
    from skimage.segmentation import slic

    numbers = np.zeros(expanded.shape, dtype=np.int32)
    first = n_baseline if signal.shape[0] > 1 else 0
    base: Any = signal[:first].mean(axis=0, dtype=np.float32) if first else np.zeros(expanded.shape, np.float32)
    area = geometry.spacing_mm[0] * geometry.spacing_mm[1]
    spread = max(float(np.nan_to_num(signal[first:, expanded] - base[expanded]).std()), 1e-6)
    for k in np.flatnonzero(expanded.any(axis=(1, 2))):
        box = (slice(int(k), int(k) + 1), *box_around(expanded[k : k + 1], (1.0, 1.0, 1.0), 1.0)[1:])
        mask = expanded[box][0]
        here = signal[(slice(first, None), *box)][:, 0] - base[box][0]
        curves = np.moveaxis(np.nan_to_num(here) / spread, 0, -1).astype(np.float64)
        n = max(1, round(mask.sum() * area / PARTITION_MM2))
        found = slic(
            curves, n_segments=n, compactness=COMPACTNESS, mask=mask, channel_axis=-1, start_label=1,
            enforce_connectivity=True,
        )  # fmt: skip
        numbers[box][0][mask] = np.where(found[mask] > 0, found[mask] + numbers.max(), 0)
    return numbers


def _overlapping(numbers: Any, carried: Any) -> Any:
    """Return the partitions of which at least `OVERLAP` lies inside the carried outline."""
    n = int(numbers.max()) + 1
    whole = np.bincount(numbers.ravel(), minlength=n)
    inside = np.bincount(numbers[carried], minlength=n)
    keep = inside >= OVERLAP * np.maximum(whole, 1)
    keep[0] = False
    return keep[numbers] if keep.any() else carried.copy()


def _fused(kept: Any, carried: Any) -> Any:
    """Return the part of the kept partitions, connected over faces, that shares most with the outline."""
    labels, n = ndimage.label(kept)
    if n <= 1:
        return kept
    shared = np.bincount(labels[carried], minlength=n + 1)
    shared[0] = 0
    best = int(shared.argmax()) if shared.any() else int(np.bincount(labels.ravel())[1:].argmax()) + 1
    return labels == best


def _hottest(image: Any, fused: Any, geometry: Geometry) -> Seed:
    """Return the voxel of the fused region with the largest enhancement, looked for in a median within the slice."""
    width = [1, *(2 * max(1, round(HOT_MM / 2 / s)) + 1 for s in geometry.spacing_zyx_mm[1:])]
    box = box_around(fused, geometry.spacing_zyx_mm, 2 * HOT_MM)
    smooth = ndimage.median_filter(np.nan_to_num(image[box], nan=-np.inf), size=width)
    core = ndimage.binary_erosion(fused[box], np.ones((1, 3, 3), bool))
    inside = core if core.any() else fused[box]
    z, y, x = np.unravel_index(int(np.where(inside, smooth, -np.inf).argmax()), smooth.shape)
    return Seed(int(x) + box[2].start, int(y) + box[1].start, int(z) + box[0].start)


def _grown(
    series: DynamicSeries, fused: Any, expanded: Any, seed: Seed, n_baseline: int, method: str, options: dict[str, Any]
) -> Roi:
    """Grow from the seed within the expanded region."""
    if method == "likelihood":
        return _by_likelihood(series, fused, expanded, seed)
    whole = np.where(expanded[None], series.signal, np.float32(np.nan))
    bounded = DynamicSeries(
        whole, series.times_s, series.geometry, series.time_source, record={"simulated": series.record.get("simulated")}
    )
    return grow_region(bounded, [seed], method, n_baseline, **options)


def _by_likelihood(series: DynamicSeries, fused: Any, expanded: Any, seed: Seed) -> Roi:
    geometry = series.geometry
    box = box_around(expanded, geometry.spacing_zyx_mm, 0.0)
    place = (seed.k - box[0].start, seed.j - box[1].start, seed.i - box[2].start)
    part = likelihood_mask(series.signal[(slice(None), *box)], fused[box], expanded[box], place, geometry)
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[box] = without_holes(part)
    edge = expanded & ~ndimage.binary_erosion(expanded, np.ones((1, 3, 3), bool))
    touching = float((mask & edge).sum() / mask.sum())
    warnings = []
    if touching > EDGE_SHARE:
        share = f"{100 * touching:.0f} %"
        text = f"{share} of the region's voxels lie on the edge of the expanded outline: it may have leaked."
        warnings.append(coded_warning("leak-border", text))
    record = {
        "method": "likelihood",
        "seeds": [list(seed.ijk)],
        "background_seeds": [],
        "simulated": bool(series.record.get("simulated", False)),
    }
    return Roi(mask, geometry, "lesion", tuple(warnings), record)
