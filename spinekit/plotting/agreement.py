"""Two readers: where their regions differ, and how far they agree over many cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spinekit.case import Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import PLANES, native_plane, view_of
from spinekit.plotting.style import INK, OUTLINE, draw_outline, draw_slice, inert, new_figure, stamp, window_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agreement_over_cases", "agreement_panels", "bland_altman"]

FIRST, SECOND, BOTH = "#2f7fd6", "#d6457f", OUTLINE  # blue, rose, amber: told apart without red and green
TINTS = ListedColormap([BOTH, FIRST, SECOND])
LIMITS = 1.96  # standard deviations; 95 % of differences of a normal distribution
ACCEPTED_ICC = 0.75


def agreement_panels(
    image: Volume,
    first: Roi,
    second: Roi,
    *,
    names: tuple[str, str] = ("first", "second"),
    numbers: Mapping[str, Any] | None = None,
    simulated: bool = False,
) -> Figure:
    """Show two regions over the image in three planes, coloured by who marked what, with the figures of agreement.

    Parameters
    ----------
    image : Volume
        On the grid of both regions.
    first, second : Roi
        The planes go through the slices in which the regions differ most.
    names : (str, str)
        The readers.
    numbers : mapping, optional
        Columns of `spinekit.cohort.compare.compare_readings`, printed beside the pictures; computed if not given.
    simulated : bool
        Stamp the figure as simulated.
    """
    for roi, name in ((first, names[0]), (second, names[1])):
        require_same_grid(roi.geometry, image.geometry, names=(f"region of {name}", f"volume '{image.name}'"))
    either, differ = first.mask | second.mask, first.mask ^ second.mask
    figure = new_figure(5.6)
    grid = figure.add_gridspec(2, 4, height_ratios=(1.55, 1.0))
    limits = window_of(image.values)
    for column, plane in enumerate(PLANES):
        axes = figure.add_subplot(grid[0, column])
        view = view_of(image.geometry, plane)
        index = fullest_slice(differ if differ.any() else either, view.axis)
        shown = view.pixels(either, index)
        box = crop_around(shown, view) if shown.any() else (slice(None), slice(None))
        pixels = view.pixels(image.values, index)[box]
        draw_slice(axes, pixels, view, limits=limits, title=f"{plane}, {'kji'[view.axis]} = {index}")
        one, two = (view.pixels(roi.mask, index)[box] for roi in (first, second))
        _tint(axes, one, two, view)
        for mask, colour in ((one, FIRST), (two, SECOND)):
            draw_outline(axes, mask, view, color=colour, width=1.5)
    _legend(figure.add_subplot(grid[0, 3]), names, numbers or _numbers(first, second))
    _areas(figure.add_subplot(grid[1, :]), first, second, names)
    return stamp(figure, simulated)


def _numbers(first: Roi, second: Roi) -> dict[str, Any]:
    import dataclasses

    from spinekit.segmentation.agreement import agreement_of

    return dataclasses.asdict(agreement_of(first, second))


def _tint(axes: Any, first: Any, second: Any, view: Any) -> None:
    kinds = np.full(first.shape, np.nan)
    kinds[first & second], kinds[first & ~second], kinds[second & ~first] = 0, 1, 2
    axes.imshow(
        kinds, cmap=TINTS, vmin=-0.5, vmax=2.5, alpha=np.where(kinds == 0, 0.22, 0.62), interpolation="nearest",
        extent=view.extent_mm(kinds.shape),
    )  # fmt: skip


def _legend(axes: Any, names: tuple[str, str], numbers: Mapping[str, Any]) -> None:
    axes.set_axis_off()
    words = ("both", f"only {names[0]}", f"only {names[1]}")
    patches = [Patch(color=c, label=inert(t)) for c, t in zip((BOTH, FIRST, SECOND), words, strict=True)]
    axes.legend(handles=patches, loc="upper left", frameon=False, fontsize=9, borderpad=0)
    lines = [
        ("Dice", _told(numbers["dice"], ".3f", "")),
        ("HD95", _told(numbers["hd95_mm"], ".1f", " mm")),
        ("mean distance", _told(numbers["mean_distance_mm"], ".2f", " mm")),
        (names[0], _told(numbers["first_ml"], ".2f", " ml")),
        (names[1], _told(numbers["second_ml"], ".2f", " ml")),
        ("difference", _told(numbers["difference_percent"], "+.1f", " %")),
    ]
    for who, name in zip(("first", "second"), names, strict=True):
        if f"{who}_actions" in numbers:
            seconds = _told(numbers[f"{who}_active_s"], ".0f", " s")
            lines.append((f"effort {name}", f"{numbers[f'{who}_actions']} actions, {seconds}"))
    for n, (label, value) in enumerate(lines):
        height = 0.66 - 0.083 * n
        axes.text(0.0, height, inert(label), fontsize=9, color="0.35", transform=axes.transAxes)
        axes.text(1.0, height, value, fontsize=9, color=INK, ha="right", transform=axes.transAxes)


def _told(value: float, form: str, unit: str) -> str:
    return f"{value:{form}}{unit}" if np.isfinite(value) else "undefined"


def _areas(axes: Any, first: Roi, second: Roi, names: tuple[str, str]) -> None:
    """Draw the area of each region slice by slice: shows who began or ended a slice earlier."""
    axis = view_of(first.geometry).axis
    others = tuple(a for a in range(3) if a != axis)
    spacing = first.geometry.spacing_zyx_mm
    area = spacing[others[0]] * spacing[others[1]] / 100.0
    found = np.flatnonzero((first.mask | second.mask).any(axis=others))
    low, high = (max(0, found[0] - 1), found[-1] + 2) if found.size else (0, 1)
    slices = np.arange(low, min(high, first.mask.shape[axis]))
    for roi, name, colour in ((first, names[0], FIRST), (second, names[1], SECOND)):
        areas = roi.mask.sum(axis=others)[slices] * area
        axes.plot(slices, areas, "o-", color=colour, markersize=4, linewidth=1.6, label=inert(name))
    axes.set_xlabel(f"slice ({native_plane(first.geometry)})", fontsize=9)
    axes.set_ylabel("area, cm²", fontsize=9)
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def bland_altman(axes: Any, first: Any, second: Any, *, unit: str, labels: Sequence[str] = ()) -> tuple[float, float]:
    """Draw differences against means with the bias and the limits of agreement; return (bias, half width).

    Parameters
    ----------
    axes : matplotlib axes
    first, second : array of shape (n,)
        Two measurements of each case; cases with a NaN are left out.
    unit : str
        Of both.
    labels : sequence of str
        Names of the cases, written at the points outside the limits.

    Returns
    -------
    tuple of float
        Mean difference and 1.96 sample standard deviations; NaN for the latter with fewer than two cases.

    References
    ----------
    .. [1] Bland JM, Altman DG. Lancet 1986;327:307-310.
    """
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    keep = np.isfinite(one) & np.isfinite(two)
    mean, difference = (one[keep] + two[keep]) / 2, one[keep] - two[keep]
    bias = float(difference.mean()) if difference.size else float("nan")
    half = float(LIMITS * difference.std(ddof=1)) if difference.size > 1 else float("nan")
    axes.scatter(mean, difference, s=22, color=INK, alpha=0.8, linewidth=0)
    axes.axhline(0, color="0.8", linewidth=0.8)
    for level, style in ((bias, "-"), (bias - half, "--"), (bias + half, "--")):
        if np.isfinite(level):
            axes.axhline(level, color=OUTLINE, linestyle=style, linewidth=1.4)
    names = [labels[int(n)] for n in np.flatnonzero(keep)] if len(labels) else []
    for x, y, name in zip(mean, difference, names, strict=False):
        if np.isfinite(half) and abs(y - bias) > half:
            axes.annotate(inert(name), (x, y), fontsize=7, xytext=(4, 3), textcoords="offset points", color="0.3")
    axes.set_xlabel(f"mean of both, {unit}", fontsize=8)
    axes.set_ylabel(f"first − second, {unit}", fontsize=8)
    limits = f"{bias:+.2f} ± {half:.2f} {unit}" if np.isfinite(half) else f"{bias:+.2f} {unit}; one case has no limits"
    axes.set_title(f"volume: {limits}", fontsize=10, color=INK)
    return bias, half


def agreement_over_cases(
    rows: Sequence[Mapping[str, Any]],
    features: pd.DataFrame | None = None,
    *,
    names: tuple[str, str] = ("first", "second"),
    simulated: bool = False,
) -> Figure:
    """Show how two readers agree over cases: overlap, borders, volumes, features, time and clicks.

    Parameters
    ----------
    rows : sequence of mapping
        One per case; columns of `spinekit.cohort.compare.compare_readings` and ``case``.
    features : pandas.DataFrame, optional
        Columns ``image``, ``icc2`` and its limits, one row per feature.
    names : (str, str)
        The readers.
    simulated : bool
        Stamp the figure as simulated.
    """
    figure = new_figure(6.6)
    panels = figure.subplots(2, 3)
    labels = [str(r["case"]) for r in rows]
    column = {key: np.array([r[key] for r in rows], dtype=float) for key in (
        "dice", "hd95_mm", "first_ml", "second_ml", "first_actions", "second_actions", "first_active_s",
        "second_active_s",
    )}  # fmt: skip
    _by_case(panels[0, 0], column["dice"], labels, "Dice", (0, 1))
    _by_case(panels[0, 1], column["hd95_mm"], labels, "HD95, mm", (0, None))
    bland_altman(panels[0, 2], column["first_ml"], column["second_ml"], unit="ml", labels=labels)
    _iccs(panels[1, 0], features)
    _paired(panels[1, 1], column["first_actions"], column["second_actions"], names, "actions per case")
    _paired(panels[1, 2], column["first_active_s"], column["second_active_s"], names, "active time per case, s")
    for axes in panels.ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.suptitle(inert(f"{names[0]} (first) and {names[1]} (second), {len(rows)} cases"), fontsize=11, color=INK)
    return stamp(figure, simulated)


def _by_case(
    axes: Any, values: Any, labels: Sequence[str], title: str, limits: tuple[float | None, float | None]
) -> None:
    order = np.argsort(values)
    axes.plot(values[order], np.arange(order.size), "o", color=INK, markersize=4.5)
    if np.isfinite(values).any():
        axes.axvline(np.nanmedian(values), color=OUTLINE, linewidth=1.4)
        axes.set_title(f"{title}: median {np.nanmedian(values):.3g}", fontsize=10, color=INK)
    axes.set_xlim(*limits)
    if len(labels) <= 20:
        axes.set_yticks(np.arange(order.size), [inert(labels[n]) for n in order], fontsize=7)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(labels)} cases", fontsize=8)


def _iccs(axes: Any, features: pd.DataFrame | None) -> None:
    axes.set_title("features between the readers", fontsize=10, color=INK)
    values = np.array([]) if features is None or not len(features) else features["icc2"].to_numpy(dtype=float)
    defined = np.sort(values[np.isfinite(values)])
    if not defined.size:
        axes.set_axis_off()
        style = {"ha": "center", "va": "center", "color": "0.5", "fontsize": 9, "transform": axes.transAxes}
        axes.text(0.5, 0.5, "needs the feature tables\nof three cases", **style)
        return
    share = 100.0 * float(np.mean(defined > ACCEPTED_ICC))
    axes.plot(defined[::-1], np.linspace(0, 100, defined.size), color=INK, linewidth=1.8)
    axes.axvline(ACCEPTED_ICC, color=OUTLINE, linestyle="--", linewidth=1.4)
    axes.set_xlim(min(0.0, float(defined[0])), 1.02)
    axes.set_xlabel("ICC(2,1)", fontsize=8)
    axes.set_ylabel("% of features at or above", fontsize=8)
    axes.set_title(f"{share:.0f} % of {defined.size} features above {ACCEPTED_ICC}", fontsize=10, color=INK)


def _paired(axes: Any, first: Any, second: Any, names: tuple[str, str], title: str) -> None:
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xticks([0, 1], [inert(n) for n in names], fontsize=9)
    axes.set_xlim(-0.4, 1.4)
    for a, b in zip(first, second, strict=True):
        axes.plot([0, 1], [a, b], "o-", color=INK, alpha=0.35, markersize=4, linewidth=1)
    for x, values in ((0, first), (1, second)):
        if np.isfinite(values).any():
            axes.plot([x - 0.18, x + 0.18], [np.nanmedian(values)] * 2, color=OUTLINE, linewidth=3)
    axes.set_ylim(bottom=0)
