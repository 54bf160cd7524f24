"""What the classifier sees: a box of fixed millimetres about a lesion, on a fixed grid, the region as a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, require_same_grid, resample_array
from spinekit.models.grid import LIMIT, network_grid
from spinekit.models.inputs import NetworkInput, network_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import Roi

__all__ = ["CROP_SIZE", "CROP_SPACING_MM", "LesionCrop", "around", "lesion_crop"]

CROP_SIZE = (32, 32, 14)  # voxels along x, y, z: 64 x 64 x 56 mm, a lesion of 4 cm with a centimetre about it
CROP_SPACING_MM = (2.0, 2.0, 4.0)
MARGIN_MM = 8.0  # seen by the maps and by smoothing, beyond the box


@dataclass(frozen=True)
class LesionCrop:
    """A lesion as the classifier sees it.

    Attributes
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        The channels of `network_input`, its phases divided by the region's mean before contrast, and at the end the
        share of each voxel that lies in the region. Finite; 0 beyond the series.
    names : tuple of str
        One per channel; the last is ``"region"``.
    geometry : Geometry
        Of the box; its axes lie nearest to L, P, S and its centre is the region's centre of mass.
    present : int
        How many of the ten phases the protocol covers.
    covered : float
        Share of the box that the series covers, 0 to 1.
    region_ml : float
        Volume of the whole region.
    region_inside : float
        Share of the region that lies in the box, 0 to 1.
    """

    channels: NDArray[np.float32]
    names: tuple[str, ...]
    geometry: Geometry
    present: int
    covered: float
    region_ml: float
    region_inside: float


def lesion_crop(series: DynamicSeries, roi: Roi, n_baseline: int = 1) -> LesionCrop:
    """Cut a box about a region out of a series and turn it into the classifier's channels.

    Only the neighbourhood is looked at, so that a series that was cut beforehand gives the same channels.

    Parameters
    ----------
    series : DynamicSeries
        3 phases or more; any spacing and orientation.
    roi : Roi
        The lesion, on the grid of the series.
    n_baseline : int
        Leading phases before contrast.

    Returns
    -------
    LesionCrop
        An image finer than the box's grid is smoothed first, so that its noise is averaged and not picked out.

    Raises
    ------
    InputRefusedError
        ``roi-empty``; ``slab-too-thin`` with fewer than three slices; ``protocol-insufficient`` if the region has no
        signal before contrast; what `network_input` refuses.
    GridMismatchError
        If the region lies on another grid.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> crop = lesion_crop(case.series, case.lesion, case.n_baseline)
    >>> crop.channels.shape, crop.names[-1]
    ((25, 14, 32, 32), 'region')
    """
    require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
    _require_voxels(roi)
    _require_slices(series.geometry)
    box = _box_about(roi)
    near, mask = around(series, roi, box)
    seen = network_input(near, n_baseline)
    moving = [i for i, name in enumerate(seen.names) if not name.startswith("present:")]
    source = seen.geometry
    region = _onto(resample_array(mask, near.geometry, source, interpolation="linear", outside=0.0), source, box)
    channels = np.empty((len(seen.names) + 1, *box.shape_zyx), dtype=np.float32)
    for i, values in enumerate(seen.channels):
        channels[i] = _onto(values, source, box) if i in moving else values.flat[0]
    channels[-1] = np.clip(region, 0.0, 1.0)
    _divide_phases(channels, seen)
    cover = resample_array(np.ones(source.shape_zyx, np.float32), source, box, interpolation="nearest", outside=0.0)
    inside = float(region.sum()) * box.voxel_volume_mm3 / (roi.n_voxels * roi.geometry.voxel_volume_mm3)
    present = sum(bool(seen.channels[i].flat[0]) for i, n in enumerate(seen.names) if n.startswith("present:"))
    return LesionCrop(
        channels, (*seen.names, "region"), box, present, float(cover.mean()), roi.volume_ml, min(inside, 1.0)
    )


def _require_voxels(roi: Roi) -> None:
    if not roi.mask.any():
        raise InputRefusedError(
            "roi-empty",
            found="The region holds no voxel.",
            expected="A region that marks the lesion.",
            cause="It may have been emptied in review, or belong to another series.",
            cure="Mark the lesion again.",
        )


def _require_slices(grid: Geometry) -> None:
    if min(grid.size) < 3:
        raise InputRefusedError(
            "slab-too-thin",
            found=f"The series has {min(grid.size)} slice{'' if min(grid.size) == 1 else 's'}.",
            expected="At least 3: the classifier looks at a lesion in three dimensions.",
            cause="A single slice was exported.",
            cure="Export the whole series.",
        )


def _box_about(roi: Roi) -> Geometry:
    direction = network_grid(roi.geometry).direction
    centre = roi.geometry.index_to_mm(roi.centre_ijk)
    half = 0.5 * (np.asarray(CROP_SIZE) - 1) * np.asarray(CROP_SPACING_MM)
    return Geometry(CROP_SIZE, CROP_SPACING_MM, tuple((centre - np.asarray(direction) @ half).tolist()), direction)


def around(series: DynamicSeries, roi: Roi, box: Geometry) -> tuple[DynamicSeries, NDArray[np.float32]]:
    """Return the part of a series that a box touches, with a margin, and the region in it as 0 and 1."""
    grid = series.geometry
    corners = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in box.size))).reshape(3, -1).T
    index = np.asarray(grid.mm_to_index(box.index_to_mm(corners)))
    margin = MARGIN_MM / np.asarray(grid.spacing_mm)
    start = np.clip(np.floor(index.min(axis=0) - margin), 0, None).astype(int)
    stop = np.clip(np.ceil(index.max(axis=0) + margin) + 1, None, grid.size).astype(int)
    cut = tuple(slice(int(a), int(b)) for a, b in zip(start[::-1], stop[::-1], strict=True))
    size = tuple(int(n) for n in stop - start)
    local = Geometry(size, grid.spacing_mm, tuple(grid.index_to_mm(start).tolist()), grid.direction)  # type: ignore[arg-type]
    near = DynamicSeries(
        np.ascontiguousarray(series.signal[(slice(None), *cut)]),
        series.times_s, local, series.time_source,
        acquisition=series.acquisition, name=series.name, record=series.record,
    )  # fmt: skip
    return near, roi.mask[cut].astype(np.float32)


def _onto(values: NDArray[np.float32], source: Geometry, box: Geometry) -> NDArray[np.float32]:
    """Return values on the grid of the box, smoothed first along the axes where the source is finer."""
    from scipy.ndimage import gaussian_filter

    ratio = np.asarray(box.spacing_zyx_mm) / np.asarray(source.spacing_zyx_mm)
    sigma = 0.4 * np.sqrt(np.clip(ratio**2 - 1.0, 0.0, None))  # turns a voxel of the source into one of the box
    smooth = gaussian_filter(values, sigma, mode="nearest", truncate=3.0) if (sigma > 0.1).any() else values
    return resample_array(smooth, source, box, interpolation="linear", outside=0.0)


def _divide_phases(channels: NDArray[np.float32], seen: NetworkInput) -> None:
    """Divide the phases by the region's mean before contrast, in place: coil and gain cancel there."""
    phases = [i for i, name in enumerate(seen.names) if name.startswith("phase:")]
    weight = channels[-1]
    total = float(weight.sum())
    before = float((channels[phases[0]] * weight).sum()) / total if total > 0 else 0.0
    if not before > 1e-3:
        raise InputRefusedError(
            "protocol-insufficient",
            found=f"The region's mean signal before contrast is {before:.3g} of the body's.",
            expected="A lesion that shows before contrast.",
            cause="The series may be a subtraction, or the region may lie in air.",
            cure="Give the original series, or look at the region again.",
        )
    channels[phases] = np.clip(channels[phases] / np.float32(before), -LIMIT, LIMIT)
