"""Where the files of a cohort lie, and who may write there."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spinekit.errors import InputRefusedError
from spinekit.provenance import write_json

__all__ = ["CohortFolder"]

PATIENCE_S = 30.0  # processes of a cohort that was killed end within a second or two


@dataclass(frozen=True)
class CohortFolder:
    """Paths of a cohort."""

    root: Path

    @property
    def marker(self) -> Path:
        """What makes a folder a cohort folder."""
        return self.root / "cohort.json"

    def case(self, name: str) -> Path:
        """Folder of a case, as ``spinekit run`` leaves it."""
        return self.root / "cases" / name

    def aside(self, name: str) -> Path:
        """Where the earlier result of a case stands while it is computed anew."""
        return self.root / "replaced" / name

    def state(self, name: str) -> Path:
        """Record of how a case ended, and for which inputs."""
        return self.root / "state" / f"{name}.json"

    def merged(self, name: str) -> Path:
        """Path of a merged output: ``cases``, ``regions``, ``maps`` or ``features``."""
        return self.root / f"{name}.csv"

    @property
    def manifest(self) -> Path:
        """Every case with the hashes of what it was made from and of what came out."""
        return self.root / "manifest.json"

    @property
    def report(self) -> Path:
        """The report of the cohort."""
        return self.root / "report.html"

    @property
    def running_lock(self) -> Path:
        """Shared by the processes of cases that are at work."""
        return self.root / ".running"

    @classmethod
    def for_writing(cls, path: str | os.PathLike[str]) -> CohortFolder:
        """Return the folder at a path that is new, empty, or a cohort already.

        Raises
        ------
        InputRefusedError
            ``output-exists`` if it holds something else.
        """
        folder = cls(Path(os.path.abspath(path)))
        holds = folder.root.exists() and (
            not folder.root.is_dir() or any(p.name != "error.json" for p in folder.root.iterdir())
        )
        if holds and not folder.marker.is_file():
            raise InputRefusedError(
                "output-exists",
                found=f"'{folder.root.name}' exists and is no cohort of spinekit.",
                expected="A new or empty folder, or the folder of an earlier cohort.",
                cause="Another folder may have been given by mistake.",
                cure="Choose another folder with --out; nothing was changed in this one.",
            )
        write_json(folder.marker, {"format": 1})
        return folder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for one run; wait for processes that a killed run may have left.

        Raises
        ------
        InputRefusedError
            ``output-busy`` if another run holds it.
        """
        with open(self.root / ".lock", "w") as lock, open(self.running_lock, "w") as running:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _wait_for(running.fileno())
            except BlockingIOError as reason:
                raise _busy(self.root.name) from reason
            yield


def _wait_for(handle: int) -> None:
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)
    fcntl.flock(handle, fcntl.LOCK_UN)


def _busy(name: str) -> InputRefusedError:
    return InputRefusedError(
        "output-busy",
        found=f"Another run is at work in '{name}'.",
        expected="One run at a time.",
        cause="The same command may have been started twice, or a case of a stopped run is still ending.",
        cure="Wait for it, or choose another folder with --out.",
    )
