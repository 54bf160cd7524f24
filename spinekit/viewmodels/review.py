"""A region under review: strokes, operations in mm, undo, and the reader's verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid
from spinekit.segmentation import cleanup
from spinekit.viewmodels.history import History
from spinekit.viewmodels.journal import Journal, runs_of, voxels_of
from spinekit.viewmodels.model import ViewModel

__all__ = ["OPERATIONS", "RoiReview"]

STEP = "review"
OPERATIONS = ("grow", "shrink", "smooth", "close", "open", "fill", "keep_largest", "interpolate")
IN_MM = OPERATIONS[:5]


class RoiReview(ViewModel):
    """A region that a reader looks at, changes, and accepts or rejects.

    Parameters
    ----------
    series : DynamicSeries
    roi : Roi
        The region as it was marked, on the grid of the series.
    journal : Journal
        The journal it came from; actions of an earlier review are dropped, and new ones added.
    """

    def __init__(self, series: DynamicSeries, roi: Roi, journal: Journal) -> None:
        super().__init__()
        require_same_grid(roi.geometry, series.geometry, names=("ROI", "series"))
        self.series, self.original = series, roi
        self.journal = journal.without_step(STEP)
        self._history = History(roi.mask)
        self.verdict: tuple[bool, str, str] | None = None  # accepted, reader, reason

    @property
    def mask(self) -> Any:
        """The region as it is now, bool (Z, Y, X)."""
        return self._history.now

    @property
    def n_baseline(self) -> int:
        """Phases before the contrast agent, as the lesion was marked with."""
        return next((int(a["n_baseline"]) for a in self.journal.actions if "n_baseline" in a), 1)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return self._history.can_redo

    @property
    def roi(self) -> Roi:
        """The region as it is now, with how it came about."""
        if self._history.now is self.original.mask:
            return self.original
        edits = [a["action"] for a in self.journal.of_step(STEP) if a["action"] not in ("accept", "reject")]
        return replace(self.original, mask=self.mask, record={**self.original.record, "review": edits})

    def draw(self, mask: Any) -> None:
        """Make the region what has been drawn; the journal keeps the voxels that were added and removed."""
        drawn = np.asarray(mask, dtype=bool)
        if drawn.shape != self.mask.shape:
            raise InputRefusedError(
                "shape-mismatch",
                found=f"What was drawn has shape {drawn.shape}.",
                expected=f"{self.mask.shape}, the grid of the series.",
                cause="The viewer shows another image.",
                cure="Open the review anew.",
            )
        added, removed = drawn & ~self.mask, self.mask & ~drawn
        if added.any() or removed.any():
            self._do("draw", drawn, added=runs_of(added), removed=runs_of(removed))

    def apply(self, operation: str, mm: float = 0.0) -> None:
        """Change the region by an operation of `OPERATIONS`; those in mm take a length."""
        if operation not in OPERATIONS:
            raise InputRefusedError(
                "choice-unknown",
                found=f"The operation '{operation}' was asked for.",
                expected=f"One of {', '.join(OPERATIONS)}.",
                cause="The name may be misspelt.",
                cure="Correct it.",
            )
        if operation in IN_MM and not 0 < mm <= 50:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"'{operation}' by {mm} mm was asked for.",
                expected="A length above 0, at most 50 mm.",
                cause="The length was left at zero.",
                cure="Set the length.",
            )
        self._do(operation, self._changed_by(operation, mm), **({"mm": float(mm)} if operation in IN_MM else {}))

    def _changed_by(self, operation: str, mm: float) -> Any:
        spacing = self.series.geometry.spacing_zyx_mm
        if operation in IN_MM:
            return getattr(cleanup, f"{operation}_mm")(self.mask, mm, spacing)
        if operation == "fill":
            return cleanup.without_holes(self.mask)
        return cleanup.keep_largest(self.mask) if operation == "keep_largest" else cleanup.interpolate_slices(self.mask)

    def _do(self, action: str, mask: Any, **values: Any) -> None:
        frozen = np.array(mask, dtype=bool)
        frozen.flags.writeable = False
        self._history.go_to(frozen)
        self.verdict = None
        self.journal.add(STEP, action, **values)
        self.changed()

    def undo(self) -> None:
        """Take back the last change."""
        self._history.undo()
        self.verdict = None
        self.journal.add(STEP, "undo")
        self.changed()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        self._history.redo()
        self.verdict = None
        self.journal.add(STEP, "redo")
        self.changed()

    def accept(self, reader: str, reason: str = "") -> None:
        """Accept the region as it is now."""
        self._judge(True, reader, reason)

    def reject(self, reader: str, reason: str) -> None:
        """Reject the region; the gate then stays shut."""
        self._judge(False, reader, reason)

    def _judge(self, accepted: bool, reader: str, reason: str) -> None:
        if not reader.strip() or (not accepted and not reason.strip()):
            raise InputRefusedError(
                "nothing-selected",
                found="The verdict has no reader." if not reader.strip() else "The rejection has no reason.",
                expected="Initials, and for a rejection the reason.",
                cause="A field was left empty.",
                cure="Fill it in.",
            )
        if accepted and not self.mask.any():
            raise InputRefusedError(
                "roi-empty",
                found="The region holds no voxel.",
                expected="A region.",
                cause="Everything was erased.",
                cure="Undo, or draw the lesion.",
            )
        self.verdict = (accepted, reader, reason)
        self.journal.add(STEP, "accept" if accepted else "reject", reader=reader, reason=reason)
        self.changed()

    def confirm(self) -> Roi:
        """Return the accepted region; the gate between looking and computing.

        Raises
        ------
        InputRefusedError
            ``roi-not-accepted`` if it was rejected or nobody has decided.
        """
        self.require_no_failure()
        if self.verdict is None or not self.verdict[0]:
            state = "has not been accepted" if self.verdict is None else f"was rejected: {self.verdict[2]}"
            raise InputRefusedError(
                "roi-not-accepted",
                found=f"The region {state}.",
                expected="A region that a reader has accepted.",
                cause="The button was not pressed, or the region changed after it was.",
                cure="Accept the region above and run this cell again, or mark the lesion anew in notebook 02.",
            )
        _, reader, reason = self.verdict
        return replace(self.roi, record={**self.roi.record, "accepted_by": reader, "accepted_because": reason})

    def replay(self, journal: Journal) -> None:
        """Make the review of a journal again; it has to begin from the same region."""
        journal.require_series(self.series)
        for action in journal.of_step(STEP):
            self._replay_one(action)

    def _replay_one(self, action: Mapping[str, Any]) -> None:
        name = action["action"]
        if name == "draw":
            shape = self.mask.shape
            self.draw((self.mask | voxels_of(action["added"], shape)) & ~voxels_of(action["removed"], shape))
        elif name in OPERATIONS:
            self.apply(name, float(action.get("mm", 0.0)))
        elif name in ("accept", "reject"):
            self._judge(name == "accept", action["reader"], action["reason"])
        elif name in ("undo", "redo"):
            getattr(self, name)()
        else:
            raise InputRefusedError(
                "journal-invalid",
                found=f"The journal has the action '{name}'.",
                expected="An action of this version of spinekit.",
                cause="It was written by a later version, or edited by hand.",
                cure="Install the version that is named in the journal.",
            )
