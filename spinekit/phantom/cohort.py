"""Many simulated cases, one after the other, in memory or as files with a table."""

from __future__ import annotations

import csv
import io as text_io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.phantom.case import SimulatedCase, simulate_case
from spinekit.phantom.files import FORMATS, write_case
from spinekit.provenance import write_text

__all__ = ["simulate_cohort", "write_cohort"]

SIZE = (256, 256, 24)


def simulate_cohort(
    n: int,
    *,
    hospital: str = "A",
    first_seed: int = 0,
    size: tuple[int, int, int] = SIZE,
    motion: str = "usual",
    **options: Any,
) -> Iterator[SimulatedCase]:
    """Simulate cases with the seeds `first_seed`, `first_seed` + 1, ..., one at a time.

    A seed is one patient: the same seed in the other hospital is the same patient in another scanner,
    so an external test set needs seeds of its own.

    Parameters
    ----------
    n : int
        Number of cases, at least 1.
    hospital : {"A", "B"}
        Scanner and protocol.
    first_seed : int
        Seed of the first case.
    size : tuple of int
        Voxels of the series along (x, y, z).
    motion : {"none", "usual", "strong"}
        Movement between phases.
    **options
        Further arguments of `simulate_case`: ``diagnosis``, ``entity``, ``n_phases``, ``snr``.

    Yields
    ------
    SimulatedCase

    Examples
    --------
    >>> [case.facts["seed"] for case in simulate_cohort(2, first_seed=5, size=(48, 48, 6))]
    [5, 6]
    """
    for seed in range(first_seed, first_seed + _at_least_one(n)):
        yield simulate_case(seed, size=size, hospital=hospital, motion=motion, **options)


def write_cohort(
    n: int,
    out: str | os.PathLike[str],
    *,
    format: str = "nifti",
    hospital: str = "A",
    first_seed: int = 0,
    size: tuple[int, int, int] = SIZE,
    motion: str = "usual",
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> Path:
    """Write simulated cases with all their truth, and a table of them.

    Each case has a folder of its name with the series and the T2 (``series.nii.gz`` with its times in
    ``series.json``, and ``t2.nii.gz``; or folders ``series`` and ``t2`` of DICOM files) and ``truth`` with the
    masks, parameter volumes and ``truth.json``. The table
    ``cases.csv`` has one row per case, with paths relative to itself; it grows with each case, so an interrupted
    run leaves a table of what is there.

    Parameters
    ----------
    n : int
        Number of cases.
    out : path
        Folder; made if absent. Cases of the same name in it are written anew.
    format : {"nifti", "dicom"}
        Of the series and the T2; DICOM as the hospital's vendor writes it.
    hospital, first_seed, size, motion, **options
        As for `simulate_cohort`.
    progress : callable, optional
        Called with the number of cases done, `n`, and the name of the last one.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for another format; ``output-unwritable``; what `simulate_case` refuses.
    """
    if format not in FORMATS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"format='{format}' was asked for.",
            expected=f"One of {', '.join(FORMATS)}.",
            cause="The name may be misspelt.",
            cure="Choose one of these.",
        )
    table = Path(out) / "cases.csv"
    rows: list[dict[str, Any]] = []
    cases = simulate_cohort(n, hospital=hospital, first_seed=first_seed, size=size, motion=motion, **options)
    for done, case in enumerate(cases, start=1):
        rows.append(write_case(case, out, format=format))
        write_text(table, _csv(rows))
        if progress is not None:
            progress(done, n, case.series.name)
    return table


def _csv(rows: list[dict[str, Any]]) -> str:
    stream = text_io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _at_least_one(n: int) -> int:
    if n < 1:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{n} cases were asked for.",
            expected="At least 1.",
            cause="The number may be missing.",
            cure="Ask for one case or more.",
        )
    return n
