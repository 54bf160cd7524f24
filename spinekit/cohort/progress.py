"""Progress of a cohort in words, with an estimate of the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress"]


class Progress:
    """Tell of every finished case; the time left is that of the cases computed so far, in proportion.

    Parameters
    ----------
    tell : callable
        Takes one line.
    """

    def __init__(self, tell: Callable[[str], Any]) -> None:
        self._tell, self._started, self._computed = tell, time.monotonic(), 0

    def __call__(self, number: int, total: int, case: dict[str, Any]) -> None:
        """Tell of one case."""
        self._computed += not case["kept"]
        if case["kept"]:
            what = "unchanged, kept" if case["status"] == "done" else f"unchanged, still refused: {case['code']}"
        else:
            ended = case["status"] if case["status"] == "done" else f"{case['status']}: {case['code']}"
            because = "" if case["why"] in ([], ["new"]) else f" (changed: {', '.join(case['why'][:4])})"
            what = f"{ended} in {case['seconds']:.0f} s{because}"
        self._tell(f"[{number}/{total}] {case['name']} {what}{self._left(total - number)}")

    def _left(self, cases: int) -> str:
        if not cases or not self._computed:
            return ""
        seconds = (time.monotonic() - self._started) / self._computed * cases
        return (
            f"; {cases} left, about {seconds:.0f} s"
            if seconds < 120
            else f"; {cases} left, about {seconds / 60:.0f} min"
        )
