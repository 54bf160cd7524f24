"""Seeds, the settings of growing, and the region that grows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinekit.case import DynamicSeries, Roi, Seed
from spinekit.errors import InputRefusedError, NothingSelectedError
from spinekit.geometry import Geometry
from spinekit.segmentation import grow_along_outline, grow_region
from spinekit.segmentation.likeness import model_of
from spinekit.segmentation.outline import EXPANSIONS, OutlineGrowth
from spinekit.settings import Growing
from spinekit.viewmodels.history import History
from spinekit.viewmodels.journal import Journal, runs_of, voxels_of
from spinekit.viewmodels.model import ViewModel

__all__ = ["SeedSelection"]

STEP = "mark"
OPTIONS = tuple(f.name for f in dataclasses.fields(Growing))


@dataclass(frozen=True)
class Marked:
    """Everything a region follows from: seeds and settings, an outline on another image, or a region handed in."""

    seeds: tuple[Seed, ...]
    growing: Growing
    given: Roi | None = None
    outlined: tuple[Roi, str] | None = None  # the outline, and what "five times" means


class SeedSelection(ViewModel):
    """Seeds a reader has placed and the region that grows from them.

    Every change goes into the journal with all its values, and `replay` makes the same changes again,
    which gives the same mask bit for bit.

    Parameters
    ----------
    series : DynamicSeries
    n_baseline : int
        Phases before the contrast agent.
    growing : Growing, optional
        Where the settings begin.
    reader : str
        Initials, for the journal.
    """

    def __init__(
        self, series: DynamicSeries, *, n_baseline: int = 1, growing: Growing | None = None, reader: str = ""
    ) -> None:
        super().__init__()
        self.series, self.n_baseline = series, n_baseline
        self.journal = Journal.of(series, reader)
        self._history = History(Marked((), growing or Growing()))
        self._grown: tuple[Marked, Roi, OutlineGrowth | None] | None = None
        self.journal.add(STEP, "begin", n_baseline=n_baseline, **dataclasses.asdict(self.growing))

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """Seeds in the order in which they were placed."""
        return self._history.now.seeds

    @property
    def growing(self) -> Growing:
        """Settings of growing."""
        return self._history.now.growing

    @property
    def outlined(self) -> tuple[Roi, str] | None:
        """The outline on another image and how it expands; None where the region does not come from one."""
        return self._history.now.outlined

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return self._history.can_redo

    def add(self, i: int, j: int, k: int, *, background: bool = False) -> None:
        """Place a seed; refused outside the image or where it has no signal."""
        seed = Seed(int(i), int(j), int(k), bool(background))
        model_of(self.series.signal, self.series.geometry, seed)
        self._do("seed", dataclasses.replace(self._history.now, seeds=(*self.seeds, seed), given=None, outlined=None),
                 ijk=list(seed.ijk), background=seed.background)  # fmt: skip

    def remove(self, number: int) -> None:
        """Remove a seed by its place in `seeds`."""
        if not 0 <= number < len(self.seeds):
            raise InputRefusedError(
                "value-out-of-range",
                found=f"Seed {number} was to be removed; there are {len(self.seeds)}.",
                expected="A number from 0, smaller than the number of seeds.",
                cause="The list has changed meanwhile.",
                cure="Choose a seed out of the list.",
            )
        kept = tuple(s for n, s in enumerate(self.seeds) if n != number)
        self._do("remove", dataclasses.replace(self._history.now, seeds=kept), number=number)

    def clear(self) -> None:
        """Remove every seed."""
        self._do("clear", dataclasses.replace(self._history.now, seeds=(), given=None, outlined=None))

    def set(self, **options: Any) -> None:
        """Change settings of growing, by the names of `spinekit.settings.Growing`."""
        unknown = [name for name in options if name not in OPTIONS]
        if unknown:
            raise InputRefusedError(
                "choice-unknown",
                found=f"'{unknown[0]}' was to be set.",
                expected=f"One of {', '.join(OPTIONS)}.",
                cause="The name may be misspelt.",
                cure="Correct it.",
            )
        growing = dataclasses.replace(self.growing, **options)
        if growing != self.growing:
            self._do("set", dataclasses.replace(self._history.now, growing=growing), **options)

    def take(self, roi: Roi, *, source: str = "file") -> None:
        """Take a region that was made elsewhere; the journal keeps its voxels, so that it stands alone."""
        kept = Roi(roi.mask, self.series.geometry, roi.name, roi.warnings, {**roi.record, "method": source})
        self._do("take", dataclasses.replace(self._history.now, seeds=(), given=kept, outlined=None),
                 source=source, name=roi.name, voxels=runs_of(roi.mask))  # fmt: skip

    def outline(self, outline: Roi, *, expand: str = "area") -> None:
        """Take an outline drawn on another image, such as the sagittal T2; the journal keeps its voxels and grid."""
        if expand not in EXPANSIONS:
            raise InputRefusedError(
                "choice-unknown",
                found=f"expand='{expand}' was asked for.",
                expected=f"One of {', '.join(EXPANSIONS)}.",
                cause="The name may be misspelt.",
                cure="Use 'area', the default.",
            )
        state = dataclasses.replace(self._history.now, seeds=(), given=None, outlined=(outline, expand))
        kept = {"name": outline.name, "grid": outline.geometry.as_dict(), "voxels": runs_of(outline.mask)}
        self._do("outline", state, expand=expand, **kept)

    def sign(self, reader: str) -> None:
        """Put the reader's initials on the journal."""
        self.journal.reader = reader.strip()
        self.changed()

    def undo(self) -> None:
        """Take back the last change."""
        self._history.undo()
        self.journal.add(STEP, "undo")
        self.changed()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        self._history.redo()
        self.journal.add(STEP, "redo")
        self.changed()

    def _do(self, action: str, state: Marked, **values: Any) -> None:
        self._history.go_to(state)
        self.journal.add(STEP, action, **values)
        self.changed()

    @property
    def roi(self) -> Roi | None:
        """The region of the present seeds and settings, grown when it is asked for; None without a lesion seed."""
        state = self._history.now
        if state.given is not None:
            return state.given
        if state.outlined is None and all(seed.background for seed in state.seeds):
            return None
        return self._now_grown()[0]

    @property
    def outline_steps(self) -> OutlineGrowth | None:
        """Every step of the way from the outline to the region; None where the region grew from seeds."""
        return self._now_grown()[1] if self._history.now.outlined is not None else None

    def _now_grown(self) -> tuple[Roi, OutlineGrowth | None]:
        state = self._history.now
        if self._grown is None or self._grown[0] is not state:
            self._grown = (state, *self._grow(state))
        return self._grown[1], self._grown[2]

    def _grow(self, state: Marked) -> tuple[Roi, OutlineGrowth | None]:
        if state.outlined is not None:
            outline, expand = state.outlined
            steps = grow_along_outline(self.series, outline, expand=expand, n_baseline=self.n_baseline)
            return steps.roi, steps
        chosen = dataclasses.asdict(state.growing)
        tolerance = chosen.pop("tolerance") or None
        roi = grow_region(self.series, state.seeds, n_baseline=self.n_baseline, tolerance=tolerance, **chosen)
        return roi, None

    def confirm(self) -> Roi:
        """Return the region; the gate between looking and computing.

        Raises
        ------
        NothingSelectedError
            If no seed lies inside the lesion.
        Exception
            Whatever went wrong in the last action.
        """
        self.require_no_failure()
        roi = self.roi
        if roi is None:
            raise NothingSelectedError(
                found="No seed has been placed inside the lesion.",
                expected="At least one.",
                cause="The picture was not clicked, or every seed was undone.",
                cure="Click the centre of the lesion in the view above and run this cell again, or set seeds, "
                "roi_file or journal_file in the first cell.",
            )
        return roi

    def replay(self, journal: Journal) -> None:
        """Make the changes of a journal again, in order.

        Raises
        ------
        InputRefusedError
            ``journal-other-series``, ``journal-invalid``.
        """
        journal.require_series(self.series)
        for action in journal.of_step(STEP):
            self._replay_one(action)

    def _replay_one(self, action: Mapping[str, Any]) -> None:
        name = action["action"]
        values = {k: v for k, v in action.items() if k not in ("step", "action", "at_utc")}
        if name == "begin":
            self.n_baseline = int(values.pop("n_baseline"))
            self._history = History(Marked((), Growing(**values)))
            self.journal.actions.clear()
            self.journal.add(STEP, "begin", n_baseline=self.n_baseline, **values)
        elif name == "seed":
            self.add(*values["ijk"], background=values["background"])
        elif name == "take":
            mask = voxels_of(values["voxels"], self.series.geometry.shape_zyx)
            self.take(Roi(mask, self.series.geometry, values["name"]), source=values["source"])
        elif name == "outline":
            grid = Geometry.from_dict(values["grid"])
            mask = voxels_of(values["voxels"], grid.shape_zyx)
            self.outline(Roi(mask, grid, values["name"]), expand=values["expand"])
        elif name in ("remove", "clear", "set", "undo", "redo"):
            getattr(self, name)(**values)
        else:
            raise InputRefusedError(
                "journal-invalid",
                found=f"The journal has the action '{name}'.",
                expected="An action of this version of spinekit.",
                cause="It was written by a later version, or edited by hand.",
                cure="Install the version that is named in the journal.",
            )

    def place(self, seeds: Sequence[Sequence[int]], background: Sequence[Sequence[int]] = ()) -> None:
        """Place several seeds at once, as a preset does."""
        for ijk in seeds:
            self.add(*ijk)
        for ijk in background:
            self.add(*ijk, background=True)
