"""A look at a feature table: the shape of the region, and features that need no scale, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from spinekit.plotting.style import INK, inert, new_figure, stamp

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["feature_overview"]

SHAPE = (
    ("MeshVolume", "volume, mm³"), ("SurfaceArea", "surface, mm²"), ("Maximum3DDiameter", "largest diameter, mm"),
    ("Sphericity", "sphericity"), ("Elongation", "elongation"), ("Flatness", "flatness"),
)  # fmt: skip
SCALE_FREE = (
    "firstorder_Entropy", "firstorder_Uniformity", "firstorder_Skewness", "firstorder_Kurtosis",
    "glcm_Correlation", "glcm_JointEntropy", "glcm_Idn", "glrlm_RunPercentage", "glszm_ZonePercentage",
    "gldm_DependenceNonUniformityNormalized", "ngtdm_Coarseness",
)  # fmt: skip


def feature_overview(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Show shape features of the region and scale-free features of every image as a coloured table.

    Colours compare the images within one feature, from the smallest (pale) to the largest (dark).
    """
    figure = new_figure(0.42 * len(SCALE_FREE) + 1.4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.6))
    left.set_axis_off()
    left.set_title("shape of the region", fontsize=10, color=INK, loc="left")
    first = table.iloc[0]
    for n, (name, words) in enumerate(SHAPE):
        column = f"original_shape_{name}"
        value = f"{float(first[column]):.4g}" if column in table.columns and np.isfinite(first[column]) else "undefined"
        left.text(0.0, 0.9 - 0.1 * n, words, fontsize=10, color="0.35", transform=left.transAxes)
        left.text(1.0, 0.9 - 0.1 * n, value, fontsize=10, color=INK, ha="right", transform=left.transAxes)
    present = [name for name in SCALE_FREE if f"original_{name}" in table.columns]
    values = table[[f"original_{name}" for name in present]].to_numpy(dtype=np.float64).T
    low, high = np.nanmin(values, axis=1, keepdims=True), np.nanmax(values, axis=1, keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    right.imshow(
        np.where(np.isfinite(values), 0.65 * (values - low) / span, np.nan),
        cmap="YlGnBu",
        vmin=0,
        vmax=1,
        aspect="auto",
    )
    for row, column in np.ndindex(values.shape):
        text = f"{values[row, column]:.3g}" if np.isfinite(values[row, column]) else "undefined"
        right.text(column, row, text, ha="center", va="center", fontsize=9, color=INK)
    right.set_yticks(range(len(present)), [name.replace("_", " · ") for name in present], fontsize=8)
    right.set_xticks(range(len(table)), [inert(n).replace("_", " ") for n in table.index], fontsize=8)
    right.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    right.spines[:].set_visible(False)
    return stamp(figure, simulated)
