"""What the classifier says of a lesion: its probability among those of the calibration cases, and where it looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.case import Diagnosis
from spinekit.plotting.anatomy import fullest_slice
from spinekit.plotting.orientation import PLANES, view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, new_figure, stamp

if TYPE_CHECKING:
    from spinekit.models.crop import LesionCrop
    from spinekit.models.explain_tests import Explanation

__all__ = ["diagnosis_overview", "explanation_panels"]

COLOURS = ("#3b7dd8", "#d1495b")  # of the two classes, told apart also without colour by their place
NOTICE = "SIMULATED TRAINING DATA – not a diagnosis, not a clinical result"
BACKGROUND = "phase:60"
FAINTEST = 0.15  # evidence below it is not painted


def diagnosis_overview(diagnosis: Diagnosis, *, simulated: bool = False) -> Figure:
    """Show the probability with its limits over the probabilities of the calibration cases, class by class.

    Parameters
    ----------
    diagnosis : Diagnosis
        Its record holds the calibration cases under ``reference``.
    simulated : bool
        Whether the case itself is simulated.
    """
    classes = tuple(diagnosis.probabilities)
    figure = new_figure(3.7, width_in=9.0)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.1))
    _this_case(top, diagnosis, classes)
    bins = np.linspace(0, 1, 21)
    reference = diagnosis.record.get("reference", {})
    for n, name in enumerate(classes):
        values = np.asarray(reference.get(name, ()), dtype=np.float64)
        heights, _ = np.histogram(values, bins)
        sign = 1 if n else -1
        below.bar(bins[:-1], sign * heights, width=0.05, align="edge", color=COLOURS[n], alpha=0.75, edgecolor="white",
                  linewidth=0.5, label=f"{name}, {values.size} simulated cases")  # fmt: skip
    probability = diagnosis.probabilities[classes[1]]
    if np.isfinite(probability):
        below.axvline(probability, color=INK, linewidth=1.4)
    below.axhline(0, color="0.4", linewidth=0.8)
    reach = max(abs(v) for v in below.get_ylim())
    below.set_ylim(-reach, reach)
    below.set_yticks([])
    below.set_xlim(0, 1)
    below.set_xlabel(f"probability of {classes[1]}")
    below.set_ylabel("calibration cases", fontsize=9)
    below.legend(frameon=False, fontsize=8.5, loc="upper center", ncols=2)
    for axes in (top, below):
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(_headline(diagnosis), fontsize=10.5, color=INK)
    return _noted(figure, simulated)


def _this_case(axes: Any, diagnosis: Diagnosis, classes: Sequence[str]) -> None:
    probability = diagnosis.probabilities[classes[1]]
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    axes.tick_params(labelbottom=False, length=0)
    if not np.isfinite(probability):
        axes.text(0.5, 0.5, "not put to the model", ha="center", va="center", fontsize=11, color="#b00020")
        return
    low, high = diagnosis.interval
    axes.plot([low, high], [0.4, 0.4], color=INK, linewidth=5, solid_capstyle="butt", alpha=0.35)
    axes.plot([probability], [0.4], "D", color=INK, markersize=9)
    text = f"{probability:.2f}   (views {low:.2f} to {high:.2f})"
    side = "left" if probability < 0.7 else "right"
    axes.text(probability + (0.02 if side == "left" else -0.02), 0.78, text, ha=side, va="center", fontsize=10,
              color=INK)  # fmt: skip


def _headline(diagnosis: Diagnosis) -> str:
    if diagnosis.label is not None:
        return f"{diagnosis.label}: the only class that {100 * diagnosis.coverage:.0f} % coverage leaves"
    if diagnosis.unlike and not any(np.isfinite(p) for p in diagnosis.probabilities.values()):
        return "no statement: the case is unlike the training cases"
    return f"no statement: {100 * diagnosis.coverage:.0f} % coverage leaves " + (
        "both classes" if diagnosis.label_set else "no class"
    )


def explanation_panels(crop: LesionCrop, explanations: Sequence[Explanation], *, simulated: bool = False) -> Figure:
    """Show where the evidence lies, in three planes through the region; a map that failed a test is stamped.

    Parameters
    ----------
    crop : LesionCrop
        The lesion; the grey image is the phase a minute after bolus arrival, relative to the region before contrast.
    explanations : sequence of Explanation
        One row each.
    simulated : bool
        Whether the case itself is simulated.
    """
    rows = len(explanations)
    figure = new_figure(2.75 * rows + 0.5, width_in=8.6)
    panels = figure.subplots(rows, len(PLANES), squeeze=False)
    grey = crop.channels[crop.names.index(BACKGROUND)]
    region = crop.channels[-1] >= 0.5
    limits = (0.0, float(np.percentile(grey, 97.0)) or 1.0)
    for line, told in zip(panels, explanations, strict=True):
        for axes, plane in zip(line, PLANES, strict=True):
            view = view_of(crop.geometry, plane)
            index = fullest_slice(region, view.axis)
            title = f"{told.method}, {plane}" if plane == PLANES[0] else plane
            draw_slice(axes, view.pixels(grey, index), view, limits=limits, title=title, title_size=9)
            heat = view.pixels(told.values, index).astype(np.float64)
            painted = axes.imshow(
                np.where(heat >= FAINTEST, heat, np.nan), cmap="inferno", vmin=0, vmax=1, alpha=0.55,
                extent=view.extent_mm(heat.shape), interpolation="nearest",
            )  # fmt: skip
            draw_outline(axes, view.pixels(region, index), view, color=OUTLINE, width=1.2)
            if told.stamp:
                _across(axes, told.stamp.upper())
        figure.colorbar(painted, ax=list(line), shrink=0.8, label="evidence, 0 to 1")
    return _noted(figure, simulated)


def _across(axes: Any, text: str) -> None:
    box = {"facecolor": "#b00020", "alpha": 0.65, "edgecolor": "none"}
    place = {"ha": "center", "va": "center", "transform": axes.transAxes, "rotation": 28}
    axes.text(0.5, 0.5, text, fontsize=15, color="white", fontweight="bold", alpha=0.9, bbox=box, **place)


def _noted(figure: Figure, simulated: bool) -> Figure:
    """Write at the foot that the model knows simulated cases only; for a simulated case that it is one."""
    if simulated:
        return stamp(figure, True)
    figure.supxlabel(NOTICE, fontsize=9, color="#b00020", fontweight="bold")
    return figure
