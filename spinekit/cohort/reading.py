"""One reader's reading of one series: the region, and what it cost, from a case folder or a journal."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spinekit import workflow
from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError, shown
from spinekit.io.layout import MARKER, CaseFolder
from spinekit.viewmodels import Journal, RoiReview, SeedSelection
from spinekit.viewmodels.effort import Effort, effort_of
from spinekit.viewmodels.journal import series_identity

__all__ = ["Reading", "open_pair", "require_one_series"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Reading:
    """A region on a series, whose it is, and the work it took.

    Attributes
    ----------
    reader : str
        Initials out of the journal; "first" or "second" where there are none or both are the same.
    case_dir : Path or None
        The case folder it was found in; None for a journal that lies alone.
    """

    reader: str
    series: DynamicSeries
    roi: Roi
    effort: Effort
    simulated: bool
    case_dir: Path | None


def _case_folder(path: Path) -> Path | None:
    """Return the case folder that a path is or that a journal lies in."""
    folder = path if path.is_dir() else path.parent
    return folder if (folder / MARKER).is_file() else None


def _missing(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "path-missing",
        found=f"There is nothing at the path that was given ({shown(path)}).",
        expected="A case folder or a journal.json.",
        cause="The path may be misspelt.",
        cure="Check it.",
    )


def region_of(journal: Journal, series: DynamicSeries) -> Roi:
    """Return the region that the actions of a journal lead to on its series.

    Raises
    ------
    InputRefusedError
        ``journal-other-series``, ``journal-invalid``; what growing refuses.
    """
    journal.require_series(series)
    marked = SeedSelection(series)
    marked.replay(journal)
    roi = marked.confirm()
    if not journal.of_step("review"):
        return roi
    review = RoiReview(series, roi, journal)
    review.replay(journal)
    return review.roi


def open_pair(first: PathLike, second: PathLike, *, series: PathLike | None = None) -> tuple[Reading, Reading]:
    """Open two readings of one series.

    Parameters
    ----------
    first, second : path
        Each a case folder, or a journal; a journal that lies in no case folder is replayed on `series`, or on the
        series of the other.
    series : path, optional
        What `spinekit.read_series` reads, for journals without a case folder.

    Raises
    ------
    InputRefusedError
        ``journal-other-series`` if they were made on different series; ``path-missing``; ``case-incomplete`` if
        there is a journal but no series to replay it on.
    """
    paths = Path(first), Path(second)
    for path in paths:
        if not path.exists():
            raise _missing(path)
    folders = tuple(_case_folder(path) for path in paths)
    given = _given_series(series)
    found = []
    for path, own, other in zip(paths, folders, folders[::-1], strict=True):
        if path.is_dir() and own is None:
            CaseFolder.at(path)  # says what is missing
        home = own or other
        image = workflow.open_series(home) if home is not None else given
        if image is None:
            raise _no_series(path)
        found.append(_read(path, own, home, image))
    one, two = found
    require_one_series(one.series, two.series)
    if one.reader == two.reader:
        one, two = _named(one, f"{one.reader} first".strip()), _named(two, f"{two.reader} second".strip())
    return one, two


def _given_series(series: PathLike | None) -> DynamicSeries | None:
    if series is None:
        return None
    from spinekit.io import read_series

    return read_series(series)


def _read(path: Path, own: Path | None, home: Path | None, image: DynamicSeries) -> Reading:
    alone = not path.is_dir()
    journal = Journal.read(path if alone else CaseFolder(path).journal)
    keeps_region = own is not None and not alone
    roi = workflow.open_roi(own) if own is not None and keeps_region else region_of(journal, image)
    simulated = workflow.is_simulated(home) if home is not None else bool(image.record.get("simulated", False))
    return Reading(journal.reader, image, roi, effort_of(journal), simulated, own)


def _named(reading: Reading, name: str) -> Reading:
    return Reading(
        name, reading.series, reading.roi, reading.effort, reading.simulated, reading.case_dir,
    )  # fmt: skip


def _no_series(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "case-incomplete",
        found=f"The {shown(path)} is a journal that lies in no case folder, and no series was given.",
        expected="The series it was made on.",
        cause="The journal was copied out of its case.",
        cure="Give the series with --series, or the case folder instead of the journal.",
    )


def require_one_series(first: DynamicSeries, second: DynamicSeries) -> None:
    """Refuse two readings of different series.

    Raises
    ------
    InputRefusedError
        ``journal-other-series``.
    """
    one, two = series_identity(first), series_identity(second)
    if one != two:
        raise InputRefusedError(
            "journal-other-series",
            found=f"The first reading was made on series {one[:12]}, the second on {two[:12]}.",
            expected="Two readings of the same voxels, times and grid.",
            cause="They belong to different cases, or the series was exported or read differently.",
            cure="Compare readings of one case; for many cases give the two folders that hold them.",
        )
