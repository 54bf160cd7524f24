"""Hold a finished case against its sources: read them again, recompute every number, name what differs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spinekit.errors import SpinekitError
from spinekit.io.layout import CaseFolder
from spinekit.reporting import verify_files, verify_numbers, verify_sources
from spinekit.reporting.differences import Difference

__all__ = ["Verification", "verify_case"]

STEPS = ("records and hashes", "sources", "region", "maps", "features", "segmentation", "diagnosis", "report")


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    differences : tuple of Difference
        What is not as its sources and choices give; empty if everything is.
    notes : tuple of str
        What a reader should know and is no difference.
    """

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def unchanged(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def verify_case(
    case_dir: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    t2: str | os.PathLike[str] | None = None,
    on_step: Callable[[int, int, str], None] | None = None,
) -> Verification:
    """Recompute every number of a case from its sources and its journal, and name what differs.

    The sources are read again; every hash is checked; the region is grown again from the journal; maps and
    features are computed again; the lines of the report are written again. Numbers must agree to the bit.
    Nothing in the case folder is changed.

    Parameters
    ----------
    case_dir : path
        A folder that ``spinekit run`` or the notebooks have written.
    source, t2 : path, optional
        Where the series and the T2 image lie now; where they lay when the case was made if not given.
    on_step : callable, optional
        Called with (number, total, title) before each step.

    Returns
    -------
    Verification

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if the folder holds no case, or one whose report was never finished.
    """
    folder = CaseFolder.at(case_dir)
    found: list[Difference] = []
    notes: list[str] = []

    def begin(step: str) -> None:
        if on_step is not None:
            on_step(STEPS.index(step) + 1, len(STEPS), step)

    begin("records and hashes")
    kept = verify_files.read_records(folder)
    for part in (verify_files.versions, verify_files.settings, verify_files.hashes, verify_files.choices):
        found += part(folder, kept, notes)
    with tempfile.TemporaryDirectory(prefix="spinekit-verify-") as scratch:
        again = CaseFolder(Path(scratch) / folder.root.name)
        begin("sources")
        found += verify_sources.series(folder, again, kept, notes, source=source, t2=t2)
        for step, compare in verify_numbers.STEPS.items():
            begin(step)
            try:
                found += compare(folder, again, notes)
            except SpinekitError as refused:
                if refused.code == "case-incomplete" and found:
                    notes.append(f"{step} were not made again, since an earlier step differs")
                    continue
                found.append(Difference(step, f"cannot be made again: {refused.message} [{refused.code}]"))
    return Verification(tuple(dict.fromkeys(found)), tuple(dict.fromkeys(notes)))
