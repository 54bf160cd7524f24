"""What view-models share: listeners, and a failure that is kept until a gate raises it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ViewModel"]


class ViewModel:
    """State that a view shows and changes through methods.

    A callback of a widget must not raise, since the notebook would swallow it. It works inside
    `keeping_failures` instead: what goes wrong is kept in `failure`, shown by the view, and raised by
    the gate (`confirm`) of the subclass. A later action that succeeds clears it.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more; nothing happens where it was not called."""
        self._listeners = [known for known in self._listeners if known != listener]

    def changed(self) -> None:
        """Tell the listeners."""
        for listener in tuple(self._listeners):
            listener()

    @contextmanager
    def keeping_failures(self) -> Iterator[None]:
        """Keep what a block raises in `failure` and tell the listeners; a block that succeeds clears it."""
        try:
            yield
        except Exception as reason:  # whatever it is, the gate raises it again
            self.failure = reason
        else:
            self.failure = None
        self.changed()

    def require_no_failure(self) -> None:
        """Raise what went wrong last, if anything did."""
        if self.failure is not None:
            raise self.failure
