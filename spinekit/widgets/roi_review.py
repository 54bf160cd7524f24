"""Review the region: look at it, draw on it, change it in mm, accept or reject it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as w
import numpy as np

from spinekit.case import Volume
from spinekit.errors import InputRefusedError
from spinekit.kinetics import roi_curve
from spinekit.viewmodels import RoiReview
from spinekit.viewmodels.review import IN_MM, OPERATIONS
from spinekit.widgets.shown import Shown
from spinekit.widgets.slice_bench import SliceBench, replacing_earlier
from spinekit.widgets.viewer import unattended

__all__ = ["roi_review"]

TIPS = {
    "grow": "everything within so many mm",
    "shrink": "what is farther than so many mm from the outside",
    "smooth": "a smoother border at the same volume",
    "close": "closes narrow gaps",
    "open": "takes away thin parts",
    "fill": "fills holes that have no way out",
    "keep_largest": "drops everything but the largest part",
    "interpolate": "fills empty slices between drawn ones",
}


def roi_review(review: RoiReview, *, t2: Volume | None = None, reader: str = "") -> w.Widget:
    """Return the bench in which a reader reviews a region; what is done lives in `review`.

    Parameters
    ----------
    review : RoiReview
    t2 : Volume, optional
        The sagittal T2, shown beside the series with the same crosshair.
    reader : str
        Initials, filled into their field.
    """
    if unattended():
        return w.HTML("Unattended run: the verdict comes from the parameters; the picture below shows the region.")
    return replacing_earlier(_ReviewBench(review, t2, reader))


class _ReviewBench(SliceBench):
    """The state is the review's; here are its words and pictures."""

    model: RoiReview

    def __init__(self, review: RoiReview, t2: Volume | None, reader: str) -> None:
        begin = [round(c) for c in review.roi.centre_ijk] if review.mask.any() else None
        images = {"series": Shown(review.series, "CE", n_baseline=review.n_baseline, drawable=True, begin_ijk=begin)}
        if t2 is not None:
            images["t2"] = Shown(t2, "T2", native_only=True)
        self.reader = reader or review.journal.reader
        super().__init__(review, images, series=review.series, n_baseline=review.n_baseline)
        self.answers = {
            "stroke": lambda image, buffers: review.draw(self.mask_after(image, review.mask, buffers)),
            "apply": lambda operation, mm: review.apply(operation, float(mm)),
            "undo": review.undo,
            "redo": review.redo,
            "accept": lambda reader, reason: review.accept(reader, reason),
            "reject": lambda reader, reason: review.reject(reader, reason),
        }

    def labels(self) -> Mapping[str, Any]:
        return {"series": self.model.mask}

    def region_curve(self) -> Any:
        if not self.model.mask.any():
            return None
        try:
            return roi_curve(self.series, self.model.roi, n_baseline=self.model.n_baseline).median
        except InputRefusedError:  # a region without signal has no curve; the words above say what it is
            return None

    def panel(self) -> dict[str, Any]:
        review = self.model
        ml = review.series.geometry.voxel_volume_mm3 / 1000
        n, before = int(review.mask.sum()), review.original.n_voxels
        change = "as it was marked" if review.mask is review.original.mask else f"{(n - before) * ml:+.2f} ml by review"
        return {
            "kind": "review",
            "tools": ["look", "paint", "erase", "contour"],
            "first_tool": "look",
            "simulated": bool(review.series.record.get("simulated")),
            "failure": None if review.failure is None else str(review.failure),
            "has_region": n > 0,
            "headline": f"{n * ml:.2f} ml" if n else "The region is empty",
            "detail": f"{n} voxels · {change}",
            "doubts": [text.split("] ", 1)[-1] for text in review.original.warnings],
            "seeds": [],
            "marks": [],
            "can_undo": review.can_undo,
            "can_redo": review.can_redo,
            "operations": [
                {"name": name, "label": name.replace("_", " ").capitalize(), "in_mm": name in IN_MM, "tip": TIPS[name]}
                for name in OPERATIONS
            ],
            "first_mm": np.ceil(2 * max(1.0, min(review.series.geometry.spacing_mm))) / 2,  # less would change nothing
            "reader": self.reader,
            "reason": "" if review.verdict is None else review.verdict[2],
            "verdict": _verdict(review),
            "past": [_past(action) for action in review.journal.of_step("review")],
        }


def _verdict(review: RoiReview) -> dict[str, str]:
    if review.verdict is None:
        return {"state": "open", "text": "Not decided yet. A change after a verdict takes it back."}
    accepted, reader, reason = review.verdict
    text = f"{'Accepted' if accepted else 'Rejected'} by {reader}{f': {reason}' if reason else ''}"
    return {"state": "accepted" if accepted else "rejected", "text": text}


def _past(action: Mapping[str, Any]) -> str:
    name = str(action["action"])
    if name == "draw":
        more, less = (sum(int(r.partition("+")[2]) for r in action[k].split()) for k in ("added", "removed"))
        return f"drawn: {more} voxels added, {less} taken away"
    if name in ("accept", "reject"):
        return f"{name}ed by {action['reader']}"
    return name.replace("_", " ") + (f" by {action['mm']:g} mm" if "mm" in action else "")
