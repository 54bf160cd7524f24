"""Two regions on one image: segmentation against review, or two readers."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import require_same_grid
from spinekit.plotting.style import window_of
from spinekit.segmentation.agreement import agreement_of
from spinekit.widgets.results.plot import ResultPlot, slices_around
from spinekit.widgets.viewer import unattended

__all__ = ["region_pair"]


def region_pair(
    image: Volume,
    first: Roi,
    second: Roi,
    *,
    names: tuple[str, str] = ("segmentation", "review"),
    simulated: bool = False,
) -> Any:
    """Show where two regions agree and differ, slice by slice.

    Parameters
    ----------
    image : Volume
    first, second : Roi
        On the grid of the image.
    names : (str, str)
        Whose they are.
    simulated : bool
        Stamp the plot as simulated.

    Returns
    -------
    ResultPlot or matplotlib.figure.Figure
        A figure in an unattended run.
    """
    for roi, name in ((first, names[0]), (second, names[1])):
        require_same_grid(roi.geometry, image.geometry, names=(f"region of {name}", f"volume '{image.name}'"))
    if unattended():
        from spinekit.plotting import agreement_panels

        return agreement_panels(image, first, second, names=names, simulated=simulated)
    slices = slices_around(first.mask | second.mask, image.geometry)
    codes = first.mask.astype(np.uint8) + 2 * second.mask.astype(np.uint8)
    found = agreement_of(first, second)
    facts = [
        ("Dice", _told(found.dice, ".3f")),
        ("HD95", _told(found.hd95_mm, ".1f", " mm")),
        (names[0], _told(found.first_ml, ".2f", " ml")),
        (names[1], _told(found.second_ml, ".2f", " ml")),
        ("difference", _told(found.difference_percent, "+.1f", " %")),
    ]
    data = slices.words() | {"simulated": simulated, "names": names, "facts": facts}
    return ResultPlot(
        "pair", data, {"grey": slices.grey(image.values, window_of(image.values)), "codes": slices.of(codes)}
    )


def _told(value: float, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if np.isfinite(value) else "undefined"
