"""Mark the lesion: click seeds or outline it on the T2, watch the region grow, see the curve under the crosshair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np

from spinekit.case import Roi, Volume
from spinekit.kinetics import roi_curve
from spinekit.segmentation.outline import OutlineGrowth
from spinekit.viewmodels import SeedSelection
from spinekit.widgets.shown import Shown
from spinekit.widgets.slice_bench import SliceBench, replacing_earlier
from spinekit.widgets.viewer import unattended

__all__ = ["seed_picker"]

OPTIONS = ("method", "tolerance", "max_volume_ml", "max_radius_mm", "cut_leaks")
KEPT, OTHER = 1, 2  # labels: the region, and from here on partitions that are not kept
STEPS = (
    ("A", "A: the outline on the T2"),
    ("B", "B: carried to the series by world coordinates"),
    ("C", "C: the initial region"),
    ("D", "D: expanded five times"),
    ("E", "E: partitions; those that overlap the outline are kept"),
    ("F", "F: kept partitions fused in three dimensions"),
    ("G", "G: grown from the voxel that enhances most"),
)


def seed_picker(selection: SeedSelection, *, t2: Volume | None = None) -> w.Widget:
    """Return the bench in which a reader marks the lesion; what is chosen lives in `selection`.

    Parameters
    ----------
    selection : SeedSelection
    t2 : Volume, optional
        The sagittal T2, shown beside the series with the same crosshair; the lesion can be outlined on it.
    """
    if unattended():
        return w.HTML("Unattended run: the choices come from the parameters; the picture below shows them.")
    return replacing_earlier(_MarkBench(selection, t2))


class _MarkBench(SliceBench):
    """The state is the selection's; here are its words and pictures."""

    model: SeedSelection

    def __init__(self, selection: SeedSelection, t2: Volume | None) -> None:
        n_baseline = selection.n_baseline
        images = {"series": Shown(selection.series, "CE", n_baseline=n_baseline, seedable=True)}
        if t2 is not None:
            images["t2"] = Shown(t2, "T2", native_only=True, drawable=True)
        self.t2 = t2
        self.step = len(STEPS) - 1
        self._curve: tuple[Roi, Any] | None = None
        super().__init__(selection, images, series=selection.series, n_baseline=n_baseline)
        self.answers = {
            "seed": lambda ijk, background: selection.add(*ijk, background=background),
            "remove": self._remove,
            "set": lambda values: selection.set(**values),
            "clear": selection.clear,
            "undo": selection.undo,
            "redo": selection.redo,
            "sign": lambda reader: selection.sign(reader),
            "stroke": self._outlined,
            "expand": lambda expand: self._outline(self._outline_mask(), expand),
            "step": self._show_step,
        }

    def settle(self) -> None:
        _ = self.model.roi

    def _remove(self, ijk: Sequence[int] | None = None, background: bool = False) -> None:
        """Remove a seed by where it is, or else the last; the page's list may be older than ours, its numbers too."""
        seeds = self.model.seeds
        same = [n for n, s in enumerate(seeds) if ijk is None or (list(s.ijk), s.background) == (list(ijk), background)]
        if same:  # gone already where the page asked twice
            self.model.remove(same[-1])

    # the outline route

    def _outline_mask(self) -> Any:
        if self.model.outlined is not None and self.t2 is not None:
            drawn = self.model.outlined[0]
            if drawn.geometry.same_grid(self.t2.geometry):
                return drawn.mask
        return np.zeros(self.images["t2"].canvas.geometry.shape_zyx, dtype=bool)

    def _outlined(self, image: str, buffers: Any) -> None:
        expand = self.model.outlined[1] if self.model.outlined is not None else "area"
        self._outline(self.mask_after(image, self._outline_mask(), buffers), expand)

    def _outline(self, mask: Any, expand: str) -> None:
        self.step = len(STEPS) - 1
        if mask.any():
            self.model.outline(Roi(mask, self.images["t2"].canvas.geometry, "outline"), expand=expand)
        else:
            self.model.clear()

    def _show_step(self, step: int) -> None:
        self.step = int(step)

    def _steps(self) -> OutlineGrowth | None:
        return None if self.model.failure is not None else self.model.outline_steps

    # what is shown

    def _region(self) -> Roi | None:
        return None if self.model.failure is not None else self.model.roi

    def labels(self) -> Mapping[str, Any]:
        shown = {"series": self._series_labels()}
        if "t2" in self.images:
            shown["t2"] = self._outline_mask()
        return shown

    def _series_labels(self) -> Any:
        steps, roi = self._steps(), self._region()
        if steps is not None:
            none = np.zeros(self.series.geometry.shape_zyx, dtype=np.uint8)
            partitions = np.where(steps.partitions.values > 0, OTHER + steps.partitions.values % 200, 0)
            each = (none, steps.carried.mask, steps.carried.mask, steps.expanded.mask,
                    np.where(steps.kept.mask, KEPT, partitions), steps.fused.mask, steps.roi.mask)  # fmt: skip
            return each[self.step].astype(np.uint8)
        return np.zeros(self.series.geometry.shape_zyx, dtype=np.uint8) if roi is None else roi.mask

    def region_curve(self) -> Any:
        roi = self._region()
        if roi is None or not roi.mask.any():
            return None
        if self._curve is None or self._curve[0] is not roi:
            self._curve = roi, roi_curve(self.series, roi, n_baseline=self.model.n_baseline).median
        return self._curve[1]

    def panel(self) -> dict[str, Any]:
        selection, roi, growing = self.model, self._region(), self.model.growing
        seeds = [self._seed_row(seed) for seed in selection.seeds]
        steps = self._steps()
        hottest = [] if steps is None else [{"ijk": list(steps.seed.ijk), "background": False}]
        return {
            "kind": "mark",
            "tools": ["look", "seed", "background", *(["contour"] if "t2" in self.images else [])],
            "first_tool": "seed",
            "simulated": bool(self.series.record.get("simulated")),
            "failure": None if selection.failure is None else str(selection.failure),
            "has_region": roi is not None,
            "headline": "Click the middle of the lesion" if roi is None else f"{roi.volume_ml:.2f} ml",
            "detail": "The region grows from there while you look." if roi is None else _in_words(roi),
            "doubts": [] if roi is None else [text.split("] ", 1)[-1] for text in roi.warnings],
            "seeds": seeds,
            "marks": [{"ijk": s["ijk"], "background": s["background"]} for s in seeds] + hottest,
            "growing": {name: getattr(growing, name) for name in OPTIONS},
            "can_undo": selection.can_undo,
            "can_redo": selection.can_redo,
            "reader": selection.journal.reader,
            "outline": {
                "possible": "t2" in self.images,
                "drawn": selection.outlined is not None,
                "expand": "area" if selection.outlined is None else selection.outlined[1],
                "steps": [] if steps is None else [{"letter": a, "title": text} for a, text in STEPS],
                "step": self.step,
            },
        }

    def _seed_row(self, seed: Any) -> dict[str, Any]:
        under = self.probe.at(seed.ijk)
        late = int(np.nanargmax(under.signal)) if np.isfinite(under.signal).any() else 0
        return {
            "ijk": list(seed.ijk),
            "background": seed.background,
            "mm": [float(v) for v in self.series.geometry.index_to_mm(seed.ijk)],
            "value": f"{under.signal[late]:.4g}",
            "curve": under.kind,
        }


def _in_words(roi: Roi) -> str:
    record, words = roi.record, f"{roi.n_voxels} voxels"
    if record.get("route") == "outline":
        return f"{words}, from the outline on the T2"
    if record.get("tolerance") is None:
        grown = {"curve": "by the whole curve", "confidence": "by its enhancement", "threshold": "by its enhancement"}
        method = record.get("method", "a file")
        return f"{words}, {grown.get(method, f'from {method}')}"
    found = ", found at the sharpest border" if record.get("tolerance_chosen_by") == "sharpest border" else ""
    return f"{words} · tolerance {record['tolerance']:.2f}{found}"
