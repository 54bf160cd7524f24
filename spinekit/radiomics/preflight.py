"""Before features are taken: whether voxels and grey levels are enough, and which bin width would suit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.radiomics.catalogue import feature_columns
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, chosen_discretisation
from spinekit.radiomics.regions import extents

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["FEWEST_LEVELS", "FEWEST_VOXELS", "MOST_LEVELS", "doubtful_features", "preflight", "suggest_bin_width"]

FEWEST_VOXELS = 64  # 4 × 4 × 4: below, most voxels lie at the border and matrices have few entries
FEWEST_LEVELS, USUAL_LEVELS, MOST_LEVELS = 16, 32, 128
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def suggest_bin_width(ranges: Iterable[float]) -> float:
    """Return a round bin width that gives a region of the median range about 32 grey levels; NaN without a range.

    Parameters
    ----------
    ranges : iterable of float
        Range of the intensities in each region, in the image's unit; of one image, or better of one kind of
        image over all cases of a study, so that one width serves all of them.

    Examples
    --------
    >>> suggest_bin_width([610.0, 900.0, 820.0])
    25.0
    """
    usable = [r for r in ranges if np.isfinite(r) and r > 0]
    if not usable:
        return float("nan")
    exact = float(np.median(usable)) / USUAL_LEVELS
    power = 10.0 ** np.floor(np.log10(exact))
    return float(f"{min(STEPS, key=lambda step: abs(np.log(step * power / exact))) * power:.3g}")


def preflight(
    images: Mapping[str, Volume], roi: Roi, *, discretisation: Discretisation | Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Look at every image in the region before features are taken; nothing is refused here.

    Parameters
    ----------
    images : mapping of str to Volume
        Maps or phases on the grid of `roi`.
    roi : Roi
        The region.
    discretisation : FixedBinWidth, FixedBinCount or mapping, optional
        The bins that are meant; without them only the suggestion is made.

    Returns
    -------
    DataFrame
        Index ``image``; ``n_voxels`` with a value, ``n_slices``, ``minimum``, ``maximum``, ``p1``, ``p99``,
        ``grey_levels`` that occur (0 without bins), ``bin_width`` suggested, ``reason`` of the suggestion,
        ``findings`` (``"[code] text"``, joined by a line break; empty if all is well), ``usable`` (False where
        texture would be NaN or extraction refused).

    Raises
    ------
    InputRefusedError
        ``grid-mismatch``; ``discretisation-missing`` for bins that cannot be understood.

    Examples
    --------
    >>> from spinekit import Geometry
    >>> grid = Geometry((6, 6, 6), (1.0, 1.0, 1.0))
    >>> roi = Roi(np.ones((6, 6, 6), dtype=bool), grid)
    >>> images = {"ramp": Volume(np.arange(216.0).reshape(6, 6, 6), grid), "flat": Volume(np.ones((6, 6, 6)), grid)}
    >>> table = preflight(images, roi, discretisation={"bin_count": 32})
    >>> table["usable"].to_dict(), float(table.loc["ramp", "bin_width"])
    ({'ramp': True, 'flat': False}, 5.0)
    """
    import pandas as pd

    bins = None if discretisation is None else chosen_discretisation(discretisation)
    rows = []
    for name, volume in images.items():
        require_same_grid(roi.geometry, volume.geometry, names=("ROI", f"image '{name}'"))
        usable = roi.mask & np.isfinite(volume.values)
        values = np.asarray(volume.values[usable], dtype=np.float64)
        rows.append({"image": name, **_seen(values, usable, roi, bins)})
    return pd.DataFrame(rows).set_index("image")


def _seen(values: NDArray[np.float64], usable: NDArray[np.bool_], roi: Roi, bins: Discretisation | None) -> Any:
    if values.size == 0:
        nothing = "[roi-empty] no voxel of the region has a value."
        blank = dict.fromkeys(("minimum", "maximum", "p1", "p99", "bin_width"), float("nan"))
        return {"n_voxels": 0, "n_slices": 0, "grey_levels": 0, **blank, "reason": "", "findings": nothing,
                "usable": False}  # fmt: skip
    low, high = float(values.min()), float(values.max())
    p1, p99 = (float(v) for v in np.percentile(values, [1, 99]))
    n_levels = _levels(values, bins)
    width = suggest_bin_width([p99 - p1])
    spans = extents(usable)
    findings = [*_about_voxels(values, spans, roi), *_about_levels(values, n_levels, bins)]
    fatal = ("roi-constant", "one-grey-level", "roi-too-small", "roi-flat", "too-many-levels")
    return {
        "n_voxels": values.size,
        "n_slices": spans[0],
        "grey_levels": n_levels,
        "minimum": low,
        "maximum": high,
        "p1": p1,
        "p99": p99,
        "bin_width": width,
        "reason": _reason(width, p1, p99, high - low),
        "findings": "\n".join(findings),
        "usable": not any(f[1:].startswith(fatal) for f in findings),
    }


def _levels(values: NDArray[np.float64], bins: Discretisation | None) -> int:
    if bins is None:
        return 0
    low, high = float(values.min()), float(values.max())
    if high == low:
        return 1
    width = (high - low) / bins.count if isinstance(bins, FixedBinCount) else bins.width
    return int(np.unique(np.minimum(np.floor((values - low) / width), np.ceil((high - low) / width))).size)


def _about_voxels(values: NDArray[np.float64], spans: tuple[int, int, int], roi: Roi) -> list[str]:
    found = []
    missing = roi.n_voxels - values.size
    if missing:
        found.append(f"[roi-not-finite] {missing} of {roi.n_voxels} voxels have no value; they have to be left out.")
    wide = sum(n > 1 for n in spans)
    if wide < 2:
        found.append(f"[roi-too-small] the region spans {spans[2]} × {spans[1]} × {spans[0]} voxels.")
    elif wide == 2:
        found.append("[roi-flat] the region lies in one plane: slice-wise features only, aggregation='2_5D_avg'.")
    if values.size < FEWEST_VOXELS:
        found.append(
            f"[few-voxels] {values.size} voxels; below {FEWEST_VOXELS} texture hangs on single voxels, use shape and "
            "histogram only or smaller voxels."
        )
    if min(spans) in (2, 3):
        found.append(
            f"[few-slices] the region spans {min(spans)} voxels along one axis; most voxels lie at its border."
        )
    return found


def _about_levels(values: NDArray[np.float64], n_levels: int, bins: Discretisation | None) -> list[str]:
    if values.min() == values.max():
        return [f"[roi-constant] all voxels have the value {values[0]:g}; texture is undefined."]
    if bins is None:
        return []
    if n_levels == 1:
        return [f"[one-grey-level] {bins.describe()} puts all voxels into one bin; texture is undefined."]
    if n_levels > 2048:
        return [f"[too-many-levels] {bins.describe()} gives {n_levels} grey levels; extraction would be refused."]
    if n_levels < FEWEST_LEVELS:
        return [
            f"[few-levels] {bins.describe()} leaves {n_levels} grey levels; {FEWEST_LEVELS} to {MOST_LEVELS} are usual."
        ]
    if n_levels > MOST_LEVELS:
        return [f"[many-levels] {bins.describe()} gives {n_levels} grey levels; matrices become sparse."]
    if values.size < 4 * n_levels:
        return [f"[few-voxels-per-level] {values.size} voxels on {n_levels} grey levels; use wider bins."]
    return []


def _reason(width: float, p1: float, p99: float, whole: float) -> str:
    if not np.isfinite(width):
        return "no suggestion: the central intensities do not differ"
    return (
        f"from the 1st to the 99th percentile the region runs over {p99 - p1:.4g}; {width:g} makes about "
        f"{(p99 - p1) / width:.0f} levels of it ({whole / width:.0f} of the whole range), and outliers do not set it"
    )


def doubtful_features(table: pd.DataFrame, *, most_missing: float = 0.2) -> pd.DataFrame:
    """Flag features that cannot tell cases apart: constant over the rows, or undefined in too many.

    Parameters
    ----------
    table : DataFrame
        One row per case (of one image), features in the columns.
    most_missing : float
        Largest share of rows without a value that is not flagged.

    Returns
    -------
    DataFrame
        Index ``column``, only flagged ones; ``n_missing``, ``n_values`` (different ones), ``finding``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"original_glcm_Id": [0.5, 0.5], "original_glcm_Idm": [0.1, 0.2]})
    >>> doubtful_features(table).index.tolist()
    ['original_glcm_Id']
    """
    import pandas as pd

    rows = []
    for column in feature_columns(table.columns):
        values = table[column].to_numpy(dtype=float)
        defined = values[np.isfinite(values)]
        missing, different = values.size - defined.size, np.unique(defined).size
        if missing > most_missing * values.size:
            finding = f"undefined in {missing} of {values.size} rows"
        elif different == 1 and len(table) > 1:
            finding = f"the same value, {defined[0]:g}, in all rows"
        else:
            continue
        rows.append((column, missing, different, finding))
    return pd.DataFrame(rows, columns=["column", "n_missing", "n_values", "finding"]).set_index("column")
