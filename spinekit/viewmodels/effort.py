"""What a region cost its reader, from the journal: actions, undone ones, time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from spinekit.viewmodels.journal import Journal

__all__ = ["Effort", "effort_of"]

PAUSE_S = 60.0  # a longer gap between two actions counts as this much: the reader was called away
SILENT = ("begin",)  # written by the program, not by the reader


@dataclass(frozen=True)
class Effort:
    """Actions of a reader, how many of them were taken back, and the time they took.

    Attributes
    ----------
    n_actions, n_undone : int
        Seeds, settings, strokes, operations, verdicts; and undos among them.
    active_s : float
        Time between the first and the last action, each gap counted as 60 s at most; NaN with fewer than two moments.
    """

    n_actions: int
    n_undone: int
    active_s: float


def _moments(journal: Journal) -> Iterable[datetime]:
    for action in journal.actions:
        if action.get("at_utc"):
            yield datetime.fromisoformat(str(action["at_utc"]))


def effort_of(journal: Journal) -> Effort:
    """Return what the journal tells of the work; a replayed journal tells how long the replay took.

    Examples
    --------
    >>> at = "2026-01-01T10:00:{:02d}+00:00".format
    >>> journal = Journal(
    ...     "0" * 64,
    ...     "AB",
    ...     [
    ...         {"step": "mark", "action": "begin", "at_utc": at(0)},
    ...         {"step": "mark", "action": "seed", "at_utc": at(5)},
    ...         {"step": "mark", "action": "undo", "at_utc": at(9)},
    ...     ],
    ... )
    >>> effort_of(journal)
    Effort(n_actions=2, n_undone=1, active_s=9.0)
    """
    done = [a["action"] for a in journal.actions if a["action"] not in SILENT]
    moments = sorted(_moments(journal))
    gaps = [min((b - a).total_seconds(), PAUSE_S) for a, b in pairwise(moments)]
    return Effort(len(done), done.count("undo"), sum(gaps) if gaps else float("nan"))
