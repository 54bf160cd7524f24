"""What the U-Net found, beside the reader's region; where it is in doubt; and how it learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.case import DynamicSeries, Roi, Segmentation
from spinekit.geometry import require_same_grid
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import view_of
from spinekit.plotting.style import INK, OUTLINE, SEED, draw_outline, draw_slice, new_figure, stamp, window_of

__all__ = ["learning_curve", "segmentation_panels"]

PLANES = ("axial", "sagittal")
FAINTEST = 0.05  # a probability below it is not painted


def segmentation_panels(series: DynamicSeries, found: Segmentation, roi: Roi | None = None) -> Figure:
    """Show the network's outline, its probability and its uncertainty in two planes.

    Parameters
    ----------
    series : DynamicSeries
        Its last phase is the grey image.
    found : Segmentation
        Of this series; outlined in yellow.
    roi : Roi, optional
        The accepted region; outlined in blue, dashed. The planes go through where it is largest.

    Returns
    -------
    matplotlib.figure.Figure
    """
    require_same_grid(found.roi.geometry, series.geometry, names=("segmentation", "series"))
    mask = found.roi.mask
    centre = mask if roi is None or not roi.mask.any() else roi.mask
    anatomy, limits = series.signal[-1], window_of(series.signal[-1])
    figure = new_figure(6.4)
    panels = figure.subplots(2, 3, squeeze=False)
    for row, plane in zip(panels, PLANES, strict=True):
        view = view_of(series.geometry, plane)
        index = fullest_slice(centre, view.axis) if centre.any() else anatomy.shape[view.axis] // 2
        around = view.pixels(mask | centre, index)
        whole = around.shape
        box = crop_around(around, view) if around.any() else (slice(0, whole[0]), slice(0, whole[1]))
        titles = (f"{plane}, slice {index}", "probability of lesion", "uncertainty, bits")
        values = (None, found.probability.values, found.uncertainty.values)
        for axes, title, value in zip(row, titles, values, strict=True):
            first = value is None
            draw_slice(
                axes, view.pixels(anatomy, index)[box], view, limits=limits, title=title, letters=first, bar=first
            )
            if value is not None:
                _paint(figure, axes, view.pixels(value, index)[box], view)
            draw_outline(axes, view.pixels(mask, index)[box], view)
            if roi is not None and first:
                draw_outline(axes, view.pixels(roi.mask, index)[box], view, color=SEED, width=1.2, style="--")
    figure.suptitle(_headline(found, roi), fontsize=10, color=INK)
    return stamp(figure, bool(series.record.get("simulated")))


def learning_curve(curve: Sequence[Mapping[str, float]]) -> Figure:
    """Show how the Dice on the validation cases rose while the network learned.

    Parameters
    ----------
    curve : sequence of mapping
        Rows with ``step``, ``dice`` and ``dice_clicked``, as a model card holds them; simulated cases.
    """
    figure = new_figure(2.8, width_in=7.0)
    axes = figure.subplots()
    steps = [row["step"] for row in curve]
    for name, colour, label in (("dice", OUTLINE, "without a click"), ("dice_clicked", SEED, "with a click")):
        values = [row.get(name, float("nan")) for row in curve]
        axes.plot(steps, values, "o-", color=colour, markersize=4, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("mean Dice, validation")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    figure.suptitle("Simulated cases: no clinical accuracy", fontsize=10, color="#b00020")
    return figure


def _paint(figure: Figure, axes: Any, values: Any, view: Any) -> None:
    shown = np.ma.masked_less(values, FAINTEST)
    image = axes.imshow(
        shown, cmap="viridis", vmin=0, vmax=1, alpha=0.65, extent=view.extent_mm(values.shape), interpolation="nearest"
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.75)
    bar.ax.tick_params(labelsize=7)


def _headline(found: Segmentation, roi: Roi | None) -> str:
    n = int(found.lesions.values.max())
    told = "with a click" if found.record.get("click") else "without a click"
    text = f"U-Net, {told}: {n} lesion{'s' if n != 1 else ''}, {found.roi.volume_ml:.1f} ml (yellow)"
    return text if roi is None else f"{text}; accepted region {roi.volume_ml:.1f} ml (blue, dashed)"
