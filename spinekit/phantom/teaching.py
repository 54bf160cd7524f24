"""The simulated cases the demonstration weights are taught with: one compact file each, and a table of them."""

from __future__ import annotations

import csv
import io as text_io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.phantom.protocol import protocol_of
from spinekit.phantom.scanners import DynamicCase, simulate_dynamic, teaching_case
from spinekit.provenance import to_json, write_beside, write_text

__all__ = ["write_teaching_case", "write_teaching_cases"]

NEAR_AFTER, DRAWN_AFTER, VALIDATION_AFTER = 400, 700, 1000  # where the seeds of each kind begin, after the first


def write_teaching_cases(
    out: str | os.PathLike[str],
    *,
    first_seed: int = 10000,
    whole: int = 100,
    near: int = 100,
    drawn: int = 0,
    validation: int = 10,
    size: tuple[int, int, int] = (128, 128, 24),
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write cases to teach the U-Net with, and the table that ``spinekit train segmentation`` takes.

    Parameters
    ----------
    out : path
        Folder; a case that is there already is kept, so an interrupted call goes on where it was.
    first_seed : int
        Of the whole cases; the near ones begin 400 later, the drawn ones 700 and those for validation 1000.
    whole, near, drawn, validation : int
        How many of each, so few that no seed is met twice: at most 400, 300, 150 and 1000. Even seeds are from
        hospital A, odd ones from drawn scanners. Drawn cases are whole and have odd seeds only. Validation cases are
        whole; those of hospital A have its own noise, all others one of their own.
    size : tuple of int
        Voxels of a whole case.
    progress : callable, optional
        Called with (done, total, name).

    Returns
    -------
    Path
        The table: case, series, lesions, n_baseline, split.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if so many are asked for that seeds would collide.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = write_teaching_cases(folder, whole=1, near=0, validation=1, size=(32, 32, 4))
    ...     print(table.read_text().splitlines()[1])
    10000,10000.npz,10000.npz,2,train
    """
    _check_numbers(whole, near, drawn, validation)
    folder, rows = Path(out), []
    total = whole + near + drawn + validation
    for done, (seed, split, make) in enumerate(_plan(first_seed, whole, near, drawn, validation, size), start=1):
        file = folder / f"{seed}.npz"
        n_baseline = _kept(file) if file.is_file() else write_teaching_case(make(), file)
        rows.append({"case": seed, "series": file.name, "lesions": file.name, "n_baseline": n_baseline, "split": split})
        if progress is not None:
            progress(done, total, file.stem)
    stream = text_io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(folder / "cases.csv", stream.getvalue())


def write_teaching_case(case: DynamicCase, file: Path) -> int:
    """Write one case as ``.npz`` (signal in half precision, lesions, times, facts) and return its baseline phases."""
    facts = {
        "simulated": True, "name": case.series.name, "label": case.label, "entity": case.entity,
        "clinical": case.clinical, "n_baseline": case.n_baseline, "geometry": case.series.geometry.as_dict(),
    }  # fmt: skip
    with write_beside(file) as temporary:
        np.savez(
            temporary,
            signal=case.series.signal.astype(np.float16),
            lesions=case.lesions.values,
            times_s=case.series.times_s,
            facts=np.array(to_json(facts)),
        )
    return case.n_baseline


def _plan(
    first: int, whole: int, near: int, drawn: int, validation: int, size: tuple[int, int, int]
) -> Iterator[tuple[int, str, Callable[[], DynamicCase]]]:
    for seed in range(first, first + whole):
        yield seed, "train", lambda s=seed: teaching_case(s, size=size)  # type: ignore[misc]
    for seed in range(first + NEAR_AFTER, first + NEAR_AFTER + near):
        yield seed, "train", lambda s=seed: teaching_case(s, near=True, size=size)  # type: ignore[misc]
    odd = first + DRAWN_AFTER + (first + DRAWN_AFTER + 1) % 2
    for seed in range(odd, odd + 2 * drawn, 2):
        yield seed, "train", lambda s=seed: teaching_case(s, size=size)  # type: ignore[misc]
    for seed in range(first + VALIDATION_AFTER, first + VALIDATION_AFTER + validation):
        yield seed, "validation", lambda s=seed: _validation_case(s, size)  # type: ignore[misc]


def _validation_case(seed: int, size: tuple[int, int, int]) -> DynamicCase:
    return (
        simulate_dynamic(seed, protocol=protocol_of("A"), size=size)
        if seed % 2 == 0
        else teaching_case(seed, size=size)
    )


def _check_numbers(whole: int, near: int, drawn: int, validation: int) -> None:
    asked = (whole, near, drawn, validation)
    most = (NEAR_AFTER, DRAWN_AFTER - NEAR_AFTER, (VALIDATION_AFTER - DRAWN_AFTER) // 2, VALIDATION_AFTER)
    if any(n > m for n, m in zip(asked, most, strict=True)):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{whole} whole cases, {near} near, {drawn} drawn and {validation} for validation were asked for.",
            expected=f"At most {most[0]}, {most[1]}, {most[2]} and {most[3]}: the seeds of each kind begin apart.",
            cause="With more, a patient would be met twice, perhaps in training and in validation.",
            cure="Ask for fewer, or make a second table with another first seed.",
        )


def _kept(file: Path) -> int:
    with np.load(file, allow_pickle=False) as arrays:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
    return int(facts["n_baseline"])
