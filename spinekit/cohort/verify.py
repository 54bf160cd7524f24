"""Hold a cohort against its sources: every case, and the merged tables over them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from spinekit.cohort.layout import CohortFolder
from spinekit.cohort.manifest import read_entry
from spinekit.cohort.merge import MERGED, merge
from spinekit.reporting.differences import Difference
from spinekit.reporting.verify import Verification, verify_case
from spinekit.reporting.verify_files import read_json

__all__ = ["is_cohort", "verify_cohort"]


def is_cohort(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder is that of a cohort."""
    return CohortFolder(Path(path)).marker.is_file()


def verify_cohort(
    path: str | os.PathLike[str], *, on_case: Callable[[int, int, str], None] | None = None
) -> Verification:
    """Verify every case of a cohort that is done, and merge its tables again to the byte.

    Parameters
    ----------
    path : path
        Folder that ``spinekit cohort`` has written.
    on_case : callable, optional
        Called with (number, total, name) before each case.

    Returns
    -------
    Verification
        Differences of a case begin with its name.
    """
    folder = CohortFolder(Path(os.path.abspath(path)))
    listed = [row for row in read_json(folder.manifest).get("cases", []) if isinstance(row, dict)]
    found: list[Difference] = []
    notes: list[str] = []
    if not listed:
        found.append(Difference("manifest.json", "is missing or lists no case"))
    for number, row in enumerate(listed, start=1):
        if on_case is not None:
            on_case(number, len(listed), row["case"])
        if row["status"] == "done":
            result = verify_case(folder.case(row["case"]))
            found += [Difference(f"{row['case']}, {d.subject}", d.text) for d in result.differences]
            notes += [f"{row['case']}: {note}" for note in result.notes]
    return Verification((*found, *_merged(folder, [row["case"] for row in listed])), tuple(notes))


def _merged(folder: CohortFolder, names: list[str]) -> list[Difference]:
    """Merge again from what is kept about each case, and compare every byte."""
    entries = {name: read_entry(folder.state(name)) for name in names}
    lost = [Difference(name, "nothing is kept about how it ended") for name in names if not entries[name]]
    if lost or not names:
        return lost
    with tempfile.TemporaryDirectory(prefix="spinekit-verify-") as scratch:
        again = CohortFolder(Path(scratch))
        merge(folder, [{"name": name, **entries[name]} for name in names], into=again)
        return [
            Difference(name, "is missing or differs from what the cases give")
            for name in MERGED
            if not (folder.root / name).is_file()
            or (folder.root / name).read_bytes() != (again.root / name).read_bytes()
        ]
