"""What every figure shares: type, letters at the edges, scale bar, outline, the stamp of a simulated case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spinekit.plotting.orientation import View

__all__ = [
    "BACKGROUND_SEED", "INK", "OUTLINE", "SEED", "draw_outline", "draw_slice", "inert", "new_figure", "scale_bar",
    "stamp", "window_of",
]  # fmt: skip

OUTLINE, SEED, BACKGROUND_SEED, INK = "#ffb000", "#00e5ff", "#ff4d6d", "#22303c"
DPI = 110
WIDTH_IN = 10.0
BAR_SHARE = 0.3  # longest share of the picture's width that a scale bar may take
BARS_MM = (200, 100, 50, 20, 10, 5, 2, 1)


def new_figure(height_in: float, *, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that does not register itself with pyplot."""
    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained", facecolor="white")


def inert(text: object) -> str:
    """Return text that matplotlib shows as it is: a dollar sign starts no formula, a line break no second line."""
    return " ".join(str(text).split()).replace("$", r"\$")


def stamp(figure: Figure, simulated: bool) -> Figure:
    """Write across the foot of a figure that its case is simulated."""
    if simulated:
        figure.supxlabel(
            "SIMULATED CASE – no patient; not a clinical result", fontsize=9, color="#b00020", fontweight="bold"
        )
    return figure


def window_of(values: Any, low: float = 1.0, high: float = 99.7) -> tuple[float, float]:
    """Return display limits from percentiles of the finite values; (0, 1) if there is none."""
    finite = np.asarray(values)[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    bottom, top = np.percentile(finite, [low, high])
    return float(bottom), float(top) if top > bottom else float(bottom) + 1.0


def scale_bar(axes: Any, view: View, shape: Sequence[int]) -> None:
    """Draw a bar of a round length in mm in the lower right corner."""
    width, height = shape[1] * view.spacing_mm[1], shape[0] * view.spacing_mm[0]
    length = next((bar for bar in BARS_MM if bar <= BAR_SHARE * width), BARS_MM[-1])
    right, low = width * 0.96, height * 0.95
    axes.plot([right - length, right], [low, low], color="white", linewidth=4, solid_capstyle="butt")
    axes.plot([right - length, right], [low, low], color="black", linewidth=2, solid_capstyle="butt")
    axes.text(right, low - 0.02 * height, f"{length} mm", color="white", fontsize=8, ha="right", va="bottom",
              path_effects=_halo())  # fmt: skip


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground="black")]


def draw_slice(
    axes: Any,
    pixels: Any,
    view: View,
    *,
    limits: tuple[float, float] | None = None,
    cmap: Any = "gray",
    title: str = "",
    title_size: float = 10,
    letters: bool = True,
    bar: bool = True,
) -> Any:
    """Draw one slice in millimetres with letters at its edges; return matplotlib's image."""
    bottom, top = limits or window_of(pixels)
    image = axes.imshow(
        pixels, cmap=cmap, vmin=bottom, vmax=top, extent=view.extent_mm(pixels.shape), interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(inert(title), fontsize=title_size, color=INK)
    if letters:
        left, right, up, down = view.letters
        style = {"color": "white", "fontsize": 10, "fontweight": "bold", "transform": axes.transAxes,
                 "path_effects": _halo()}  # fmt: skip
        axes.text(0.02, 0.5, left, ha="left", va="center", **style)
        axes.text(0.98, 0.5, right, ha="right", va="center", **style)
        axes.text(0.5, 0.98, up, ha="center", va="top", **style)
        axes.text(0.5, 0.02, down, ha="center", va="bottom", **style)
    if bar:
        scale_bar(axes, view, pixels.shape)
    return image


def draw_outline(
    axes: Any, mask: Any, view: View, *, color: str = OUTLINE, width: float = 1.4, style: str = "-"
) -> None:
    """Draw the border of a mask that has been turned for display."""
    from skimage.measure import find_contours

    if not mask.any():
        return
    padded = np.pad(mask.astype(np.float32), 1)
    for border in find_contours(padded, 0.5):
        rows, columns = border[:, 0] - 0.5, border[:, 1] - 0.5  # centre of the first pixel lies at half its size
        axes.plot(
            columns * view.spacing_mm[1], rows * view.spacing_mm[0], color=color, linewidth=width, linestyle=style
        )
