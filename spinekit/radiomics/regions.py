"""Whether a region can carry features, and what is left of it on one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import Geometry, require_same_grid
from spinekit.radiomics.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Box", "bounding_box", "check_region", "extents", "filled_values", "sub_grid", "usable_mask"]

Box = tuple[slice, slice, slice]


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box (slices along z, y, x) that holds a mask with at least one voxel."""
    edges = []
    for axis in range(3):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        edges.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return edges[0], edges[1], edges[2]


def sub_grid(grid: Geometry, box: Box) -> Geometry:
    """Return the grid of a part of an array; slices along z, y, x with whole bounds."""
    size = tuple(b.stop - b.start for b in box)[::-1]
    origin = grid.index_to_mm([b.start for b in box][::-1])
    return Geometry((size[0], size[1], size[2]), grid.spacing_mm, tuple(origin.tolist()), grid.direction)


def extents(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return how many voxels a mask spans along (z, y, x); zeros if it is empty."""
    if not mask.any():
        return 0, 0, 0
    box = bounding_box(mask)
    return box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start


def check_region(mask: NDArray[np.bool_], recipe: Recipe, *, name: str, when: str = "") -> None:
    """Refuse a region that no feature can be taken from.

    Parameters
    ----------
    mask : ndarray of bool, shape (Z, Y, X)
        The region on the grid that features are taken on.
    recipe : Recipe
        Tells whether features are asked for in 3-D.
    name : str
        The region's name.
    when : str
        After which step, for the message, such as ``" after resampling to 2 mm"``.

    Raises
    ------
    InputRefusedError
        ``roi-empty``; ``roi-too-small`` for one voxel or a line; ``roi-flat`` for one slice and 3-D features.
    """
    spans = extents(mask)
    n_voxels = int(np.count_nonzero(mask))
    if n_voxels == 0:
        raise InputRefusedError(
            "roi-empty",
            found=f"The region '{name}' holds no voxel{when}.",
            expected="A region of several slices.",
            cause="The mask may be blank, have another label, or be thinner than the new voxels.",
            cure="Check the mask in notebook 03, or choose smaller voxels.",
        )
    wide = sum(n > 1 for n in spans)
    if wide < 2:
        raise InputRefusedError(
            "roi-too-small",
            found=f"The region '{name}' is {'a single voxel' if wide == 0 else f'a line of {n_voxels} voxels'}{when}.",
            expected="A region that spans at least two axes.",
            cause="The region may have been started but not grown, or resampling left almost nothing of it.",
            cure="Grow or draw the whole lesion, or choose smaller voxels.",
        )
    if wide == 2 and not (spans[0] == 1 and recipe.slice_wise):
        raise InputRefusedError(
            "roi-flat",
            found=f"The region '{name}' spans {spans[2]} × {spans[1]} × {spans[0]} voxels (x × y × z){when}.",
            expected="A region of at least two slices for 3-D features.",
            cause="Only one slice was drawn, or the series has a single slice.",
            cure="Draw the lesion in all slices, or ask for slice-wise features with aggregation='2_5D_avg'"
            if spans[0] == 1
            else "Draw the lesion in all its extent; slice-wise features are taken in the planes of the image's slices",
        )


def usable_mask(volume: Volume, roi: Roi, recipe: Recipe, *, name: str) -> tuple[NDArray[np.bool_], list[str]]:
    """Return the voxels of the region where an image has a value, with a warning if some have none.

    Raises
    ------
    InputRefusedError
        ``grid-mismatch``; ``roi-not-finite`` if values are missing and the recipe refuses that.
    """
    require_same_grid(roi.geometry, volume.geometry, names=("ROI", f"image '{name}'"))
    finite = np.isfinite(volume.values[roi.mask])
    missing = int(np.count_nonzero(~finite))
    if missing == 0:
        return roi.mask, []
    share = f"{missing} of {roi.n_voxels} voxels ({100 * missing / roi.n_voxels:.1f} %)"
    if recipe.not_finite == "refuse":
        raise InputRefusedError(
            "roi-not-finite",
            found=f"The image '{name}' has NaN or infinite values in {share} of the region.",
            expected="A finite value in every voxel of the region.",
            cause="A map is undefined there, for example a wash-out slope where the curve peaks last.",
            cure="Leave those voxels out with not_finite='exclude', change the region, or leave this image out.",
        )
    mask = roi.mask.copy()
    mask[roi.mask] = finite
    return mask, [coded_warning("roi-not-finite", f"{name}: {share} of the region have no value and were left out.")]


def filled_values(values: NDArray[Any]) -> NDArray[Any]:
    """Return an image with each NaN or infinite voxel given the value of the nearest finite voxel.

    Only for interpolation, which would otherwise spread one NaN over its surroundings; the voxels
    themselves never enter the region. An image without any finite value is returned as zeros.
    """
    if not np.issubdtype(values.dtype, np.inexact):
        return values
    finite = np.isfinite(values)
    if finite.all():
        return values
    if not finite.any():
        return np.zeros_like(values)
    nearest = ndimage.distance_transform_edt(~finite, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])
