"""Features over time, and which of them survive a little other region, image or protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.plotting.style import INK, inert, new_figure, stamp

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["feature_curves_panels", "stability_figure", "stability_of_one_case"]

SHOWN = (
    ("original_firstorder_Mean", "mean signal"), ("original_firstorder_Entropy", "entropy, bits"),
    ("original_glcm_Contrast", "contrast of neighbours"), ("original_glcm_Idn", "likeness of neighbours"),
    ("original_glrlm_RunPercentage", "runs per voxel"), ("original_glszm_ZonePercentage", "zones per voxel"),
    ("original_gldm_DependenceEntropy", "dependence entropy, bits"), ("original_ngtdm_Coarseness", "coarseness"),
)  # fmt: skip
FAMILY_NAMES = {
    "shape": "shape", "shape2D": "shape in the slice", "firstorder": "histogram", "glcm": "co-occurrence",
    "glrlm": "run length", "glszm": "size zone", "gldm": "dependence", "ngtdm": "tone difference", "all": "all",
}  # fmt: skip
DARK, PALE = "#1b6f8a", "#9cc7d4"
ONE_CASE_LIMIT = 0.1  # a coefficient of variation of a tenth


def feature_curves_panels(table: pd.DataFrame, *, n_baseline: int = 1, simulated: bool = False) -> Figure:
    """Draw eight features of every phase over time; grey: before the contrast agent; dashed: its mean.

    Parameters
    ----------
    table : DataFrame
        From `spinekit.radiomics.features_over_time`.
    n_baseline : int
        Number of phases before the contrast agent.
    """
    shown = [(name, words) for name, words in SHOWN if (table["feature"] == name).any()]
    figure = new_figure(5.2)
    panels = np.atleast_1d(figure.subplots(2, 4, sharex=True)).ravel()
    times = np.sort(table["time_s"].unique())
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, (name, words) in zip(panels, shown, strict=False):
        part = table[table["feature"] == name].sort_values("time_s")
        axes.axvspan(times[0], times[n_baseline - 1], color="0.9", linewidth=3)
        before = part["value"].to_numpy(dtype=float)[:n_baseline].mean()
        if np.isfinite(before):
            axes.axhline(before, color="0.6", linewidth=0.8, linestyle="--")
        axes.plot(part["time_s"], part["value"], "o-", color=DARK, markersize=3.5, linewidth=1.3)
        axes.set_title(words, fontsize=9, color=INK)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[4:]:
        axes.set_xlabel("time after the first phase, s", fontsize=8)
    return stamp(figure, simulated)


def stability_figure(
    shares: pd.DataFrame, table: pd.DataFrame, *, published: float, threshold: float = 0.75, simulated: bool = False
) -> Figure:
    """Show which families survive which perturbation, and the ICC of every feature beside the threshold.

    Parameters
    ----------
    shares : DataFrame
        From `spinekit.radiomics.survival` of `stability_by_kind`: families by kinds, ``n_features``.
    table : DataFrame
        From `spinekit.radiomics.stability_table`: over all perturbations.
    published : float
        Share that a paper reports, for comparison.
    threshold : float
        Of the ICC.
    """
    figure = new_figure(0.46 * len(shares) + 2.2, width_in=11.0)
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
    _heat(left, shares)
    _dots(right, table, [f for f in shares.index if f != "all"], threshold)
    share, complete = float(table["stable"].mean()), int(table["n_cases"].max())
    right.set_title(
        f"all perturbations, {complete} cases:\n{100 * share:.1f} % of {len(table)} features above {threshold:g}\n"
        f"(published, other tumours: {100 * published:.1f} %)", fontsize=9, color=INK, loc="left",
    )  # fmt: skip
    return stamp(figure, simulated)


def _heat(axes: Any, shares: pd.DataFrame) -> None:
    kinds = [c for c in shares.columns if c != "n_features"]
    values = shares[kinds].to_numpy(dtype=float)
    axes.imshow(0.5 * values, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(values.shape):
        text = f"{100 * values[row, column]:.0f}" if np.isfinite(values[row, column]) else "–"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=INK)
    names = [f"{FAMILY_NAMES.get(str(f), str(f))} ({n})" for f, n in shares["n_features"].items()]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xticks(range(len(kinds)), [inert(kind) for kind in kinds], fontsize=9)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.axhline(len(names) - 1.5, color="white", linewidth=3)
    axes.spines[:].set_visible(False)
    title = "% of features with an ICC above the threshold, by what was perturbed"
    axes.set_title(title, fontsize=9, color=INK, loc="left")


def _dots(axes: Any, table: pd.DataFrame, families: list[Any], threshold: float) -> None:
    for place, family in enumerate(families):
        values = table.loc[table["family"] == family, "icc2"].to_numpy(dtype=float)
        values = np.sort(values[np.isfinite(values)])
        spread = np.linspace(-0.32, 0.32, values.size) if values.size > 1 else np.zeros(values.size)
        stable = values > threshold
        axes.scatter(values[stable], place + spread[stable], s=7, color=DARK, linewidths=0)
        axes.scatter(values[~stable], place + spread[~stable], s=7, color=PALE, linewidths=0)
    axes.axvline(threshold, color="#b00020", linewidth=1)
    axes.set_ylim(len(families) - 0.4, -0.6)
    axes.set_xlim(min(-0.05, float(table["icc2"].min())) - 0.02 if table["icc2"].notna().any() else -0.07, 1.02)
    axes.set_yticks(range(len(families)), [FAMILY_NAMES.get(str(f), str(f)) for f in families], fontsize=9)
    axes.set_xlabel("ICC(2,1)", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def stability_of_one_case(spread: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Show how far the features of one lesion move when it is marked or measured a little otherwise.

    Parameters
    ----------
    spread : DataFrame
        From `spinekit.radiomics.spread_of_one_case`.
    """
    families = list(dict.fromkeys(spread["family"]))
    figure = new_figure(0.42 * len(families) + 1.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1), sharey=True)
    parts = [spread.loc[(spread["family"] == f) & spread["cv"].notna(), "cv"].to_numpy(float) for f in families]
    left.boxplot(
        [np.clip(part, 1e-4, None) for part in parts], orientation="horizontal", positions=range(len(families)),
        widths=0.55, showfliers=False, patch_artist=True, boxprops={"facecolor": PALE, "edgecolor": DARK},
        medianprops={"color": INK}, whiskerprops={"color": DARK}, capprops={"color": DARK},
    )  # fmt: skip
    left.axvline(ONE_CASE_LIMIT, color="#b00020", linewidth=1)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    left.set_xlabel("coefficient of variation over all perturbations", fontsize=9)
    names = [f"{FAMILY_NAMES.get(f, f)} ({part.size})" for f, part in zip(families, parts, strict=True)]
    left.set_yticks(range(len(families)), names, fontsize=9)
    left.set_ylim(len(families) - 0.4, -0.6)
    shares = [100.0 * float((part < ONE_CASE_LIMIT).mean()) if part.size else 0.0 for part in parts]
    right.barh(range(len(families)), shares, color=DARK, height=0.55)
    for place, share in enumerate(shares):
        right.text(share + 1.5, place, f"{share:.0f} %", va="center", fontsize=9, color=INK)
    right.set_xlim(0, 115)
    right.set_xlabel(f"% of features that vary by less than {100 * ONE_CASE_LIMIT:.0f} %", fontsize=9)
    for axes in (left, right):
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    return stamp(figure, simulated)
