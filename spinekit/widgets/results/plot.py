"""The widget behind every result plot: what Python hands to the browser, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import traitlets

from spinekit.case import Roi
from spinekit.geometry import Geometry
from spinekit.plotting.anatomy import crop_around, fullest_slice
from spinekit.plotting.orientation import View, view_of

__all__ = ["ResultPlot", "Slices", "packed", "plain", "slices_around"]

PARTS = ("plot", "map", "roc", "film", "pair", "features", "probability", "main")


@cache
def _front(name: str) -> str:
    return resources.files("spinekit.widgets.results").joinpath("front", name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return "\n".join(_front(f"{part}.js") for part in PARTS)


class ResultPlot(anywidget.AnyWidget):
    """One result plot.

    Attributes
    ----------
    kind : str
        Which plot is drawn.
    data : dict
        Numbers and words; NaN travels as None.
    arrays : dict
        Arrays, see `packed`.
    state : dict
        Where the reader has moved to: threshold, slice, voxel; set by the browser.
    opened : list of str
        Cases that were clicked, in order.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    arrays = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        kind: str,
        data: Mapping[str, Any],
        arrays: Mapping[str, Any] | None = None,
        *,
        on_open: Callable[[str], None] | None = None,
    ) -> None:
        self.opened: list[str] = []
        self._on_open = on_open
        given = {name: packed(values) for name, values in (arrays or {}).items()}
        super().__init__(_esm=_script(), _css=_front("results.css"), kind=kind, data=plain(data), arrays=given)
        self.on_msg(self._answered)

    def _answered(self, _: Any, message: Any, __: Any) -> None:
        name = message.get("open") if isinstance(message, dict) else None
        if name is not None:
            self.opened.append(str(name))
            if self._on_open is not None:
                self._on_open(str(name))


def plain(value: Any) -> Any:
    """Return a value in JSON's types; what is not finite becomes None, which the plots show as undefined."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def packed(values: Any) -> dict[str, Any]:
    """Return an array as the browser takes it: type, shape and bytes."""
    array = np.ascontiguousarray(values)
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": array.tobytes()}


class Slices:
    """The slices of an image around a region, turned for display and cut to the same box.

    Attributes
    ----------
    first : int
        Number of the first slice that is kept.
    fullest : int
        Which of the kept slices holds most of the region.
    """

    def __init__(self, view: View, numbers: range, box: tuple[slice, slice], fullest: int) -> None:
        self.view, self.numbers, self.box = view, numbers, box
        self.first, self.fullest = numbers.start, fullest

    def of(self, values: Any) -> Any:
        """Return an array (Z, Y, X) as shown, shape (slices, rows, columns)."""
        return np.stack([self.view.pixels(values, k)[self.box] for k in self.numbers])

    def grey(self, values: Any, limits: tuple[float, float]) -> Any:
        """Return an image as uint8 between display limits; NaN is black."""
        shown = (np.nan_to_num(self.of(values), nan=limits[0]) - limits[0]) / (limits[1] - limits[0])
        return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)

    def words(self) -> dict[str, Any]:
        """Return what every plot with slices tells the browser."""
        return {
            "spacingMm": self.view.spacing_mm,
            "letters": self.view.letters,
            "firstSlice": self.fullest,
            "first": self.first,
            "sliceLabel": f"{self.view.plane} slice",
        }


def slices_around(mask: Any, geometry: Geometry) -> Slices:
    """Return the slices in the acquired plane that hold a region, and one more on each side.

    An empty region gives every slice, uncut.
    """
    view = view_of(geometry)
    n = mask.shape[view.axis]
    if not mask.any():
        shape = view.pixels(mask, 0).shape
        return Slices(view, range(n), (slice(0, shape[0]), slice(0, shape[1])), n // 2)
    others = tuple(a for a in range(3) if a != view.axis)
    inside = np.flatnonzero(mask.any(axis=others))
    numbers = range(max(0, int(inside[0]) - 1), min(n, int(inside[-1]) + 2))
    flat = mask.any(axis=view.axis, keepdims=True)
    box = crop_around(view.pixels(flat, 0), view)
    return Slices(view, numbers, box, fullest_slice(mask, view.axis) - numbers.start)


def require_region(roi: Roi) -> None:
    """Refuse an empty region, of which nothing can be asked.

    Raises
    ------
    InputRefusedError
        ``roi-empty``.
    """
    from spinekit.errors import InputRefusedError

    if not roi.mask.any():
        raise InputRefusedError(
            "roi-empty",
            found=f"The region '{roi.name}' holds no voxel.",
            expected="A region.",
            cause="Everything was erased, or nothing has been marked.",
            cure="Mark the lesion in notebook 02.",
        )
