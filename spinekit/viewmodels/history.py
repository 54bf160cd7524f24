"""Undo and redo over frozen states."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["History"]

State = TypeVar("State")


class History(Generic[State]):
    """A line of states with a place in it. A new state after an undo cuts off what was undone."""

    def __init__(self, first: State) -> None:
        self._states, self._place = [first], 0

    @property
    def now(self) -> State:
        """The state that holds."""
        return self._states[self._place]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone."""
        return self._place + 1 < len(self._states)

    def go_to(self, state: State) -> None:
        """Make a new state hold."""
        self._states[self._place + 1 :] = [state]
        self._place += 1

    def undo(self) -> State:
        """Go back one state; stays at the first."""
        self._place -= self.can_undo
        return self.now

    def redo(self) -> State:
        """Go forward one state; stays at the last."""
        self._place += self.can_redo
        return self.now
