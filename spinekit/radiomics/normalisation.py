"""MR signal has no unit: bring images of different scanners to one scale before features, by name.

``none``; ``z_score``: less the mean of a reference region, over its standard deviation; ``n4``: the slow drift of
the coil's sensitivity is estimated and divided out; ``n4+z_score``: both, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid, to_sitk
from spinekit.radiomics.recipe import one_of
from spinekit.radiomics.regions import filled_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NORMALISATIONS", "bias_field", "normalised"]

NORMALISATIONS = ("none", "z_score", "n4", "n4+z_score")
FEWEST_REFERENCE_VOXELS = 8
COARSE_MM = 4.0  # the field is slow: it is fitted on voxels of about this size
N4_ITERATIONS = (40, 40, 30)


def normalised(
    images: Mapping[str, Volume], method: str | Mapping[str, str], *, reference: Roi | None = None
) -> tuple[dict[str, Volume], dict[str, str]]:
    """Normalise images, and say of each how.

    Parameters
    ----------
    images : mapping of str to Volume
        Images by name, on one grid.
    method : str or mapping of str to str
        One of `NORMALISATIONS` for all images, or by name; images that are not named stay as they are. Maps
        with a unit (slopes, ratios) need none.
    reference : Roi, optional
        Region of a tissue that should look the same in every patient, such as muscle; needed for ``z_score``.

    Returns
    -------
    images : dict of str to Volume
        In the order given; values float32 where something was done.
    how : dict of str to str
        In words for the feature table, such as ``"z-score in muscle"``.

    Raises
    ------
    InputRefusedError
        ``choice-unknown``; ``roi-empty``, ``roi-too-small``, ``roi-constant`` or ``roi-not-finite`` if the
        reference cannot be used.

    Notes
    -----
    N4's field is estimated once, on the first image that asks for it, and divided out of all that do: phases of
    one series share the coil, and a field of each phase would be taken for a change over time.

    References
    ----------
    .. [1] Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 2010;29:1310-1320.

    Examples
    --------
    >>> from spinekit import Geometry
    >>> grid = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    >>> image = Volume(np.arange(64.0).reshape(4, 4, 4), grid)
    >>> muscle = Roi(np.arange(64).reshape(4, 4, 4) < 32, grid, name="muscle")
    >>> result, how = normalised({"t2": image}, "z_score", reference=muscle)
    >>> how["t2"], round(abs(float(result["t2"].values[muscle.mask].mean())), 6)
    ('z-score in muscle', 0.0)
    """
    field: NDArray[np.float64] | None = None
    result, how = {}, {}
    for name, volume in images.items():
        wanted = method if isinstance(method, str) else method.get(name, "none")
        one_of(wanted, NORMALISATIONS, what="The normalisation")
        values, words = np.asarray(volume.values), []
        if wanted.startswith("n4"):
            field = bias_field(volume) if field is None else field
            values = (values.astype(np.float64) / field).astype(np.float32)
            words.append("N4")
        if wanted.endswith("z_score"):
            values = _z_scored(replace(volume, values=values), reference, name=name)
            words.append(f"z-score in {reference.name if reference else ''}")
        result[name] = replace(volume, values=values) if words else volume
        how[name] = ", ".join(words) or "none"
    return result, how


def _z_scored(volume: Volume, reference: Roi | None, *, name: str) -> NDArray[np.float32]:
    if reference is None:
        raise InputRefusedError(
            "roi-empty",
            found=f"A z-score of '{name}' was asked for without a reference region.",
            expected="The region of a tissue that should look the same in every patient.",
            cause="The reference may have been forgotten in the settings.",
            cure="Give reference=, for example a region drawn in muscle, or choose another normalisation.",
        )
    require_same_grid(reference.geometry, volume.geometry, names=("reference region", f"image '{name}'"))
    inside = volume.values[reference.mask].astype(np.float64)
    code, found = "", ""
    if inside.size < FEWEST_REFERENCE_VOXELS:
        code = "roi-empty" if inside.size == 0 else "roi-too-small"
        found = f"The reference region '{reference.name}' holds {inside.size} voxels"
    elif not np.isfinite(inside).all():
        code, found = "roi-not-finite", f"'{name}' has no finite value in a part of the reference '{reference.name}'"
    elif inside.std() == 0:
        code, found = "roi-constant", f"All voxels of the reference '{reference.name}' have one value on '{name}'"
    if code:
        raise InputRefusedError(
            code,
            found=f"{found}.",
            expected=f"At least {FEWEST_REFERENCE_VOXELS} voxels with finite, differing values.",
            cause="The reference may lie outside the body, or be a single click.",
            cure="Draw it in a homogeneous tissue such as muscle, away from vessels.",
        )
    return ((volume.values - inside.mean()) / inside.std()).astype(np.float32)


def bias_field(volume: Volume) -> NDArray[np.float64]:
    """Return the slow multiplicative drift of an image, shape (Z, Y, X), with a mean of 1 in the body.

    Fitted by N4 on coarse voxels above Otsu's threshold, in one thread so that it is the same from run to run.
    """
    import SimpleITK as sitk

    image = sitk.Cast(to_sitk(filled_values(np.asarray(volume.values)), volume.geometry), sitk.sitkFloat32)
    low = float(sitk.GetArrayViewFromImage(image).min())
    positive = image - low + 1.0 if low <= 0 else image
    size = zip(volume.geometry.spacing_mm, volume.geometry.size, strict=True)
    shrink = [max(1, min(round(COARSE_MM / spacing), n // 4)) for spacing, n in size]
    coarse = sitk.Shrink(positive, shrink)
    body = sitk.OtsuThreshold(coarse, 0, 1, 64)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetNumberOfThreads(1)
    corrector.SetMaximumNumberOfIterations(list(N4_ITERATIONS))
    corrector.Execute(coarse, body)
    log_field = np.asarray(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)), dtype=np.float64)
    inside = np.asarray(sitk.GetArrayFromImage(sitk.Resample(body, image, sitk.Transform(), sitk.sitkNearestNeighbor)))
    field: Any = np.exp(log_field)
    return np.asarray(field / (field[inside > 0].mean() if (inside > 0).any() else 1.0))
