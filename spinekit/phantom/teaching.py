"""The simulated cases the demonstration weights are taught with: one compact file each, and a table of them."""

from __future__ import annotations

import csv
import io as text_io
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.phantom.protocol import protocol_of
from spinekit.phantom.scanners import DynamicCase, harder_case, simulate_dynamic, teaching_case
from spinekit.provenance import to_json, write_beside, write_text

__all__ = ["write_teaching_case", "write_teaching_cases"]

# where the seeds of each kind begin, after the first
NEAR_AFTER, DRAWN_AFTER, VALIDATION_AFTER, HARDER_AFTER = 400, 700, 1000, 2000


def write_teaching_cases(
    out: str | os.PathLike[str],
    *,
    first_seed: int = 10000,
    whole: int = 100,
    near: int = 100,
    drawn: int = 0,
    harder: int = 0,
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
        Of the whole cases; the near ones begin 400 later, the drawn ones 700, those for validation 1000 and the
        harder ones 2000.
    whole, near, drawn, harder, validation : int
        How many of each, so few that no seed is met twice: at most 400, 300, 150, 2000 and 1000. Even seeds are from
        hospital A, odd ones from drawn scanners. Drawn cases are whole and have odd seeds only. Validation cases are
        whole; those of hospital A have its own noise, all others one of their own. Harder cases are `harder_case`.
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
    asked = Asked(whole, near, drawn, harder, validation)
    _check_numbers(asked)
    folder, rows = Path(out), []
    for done, (seed, split, make) in enumerate(_plan(first_seed, asked, size), start=1):
        file = folder / f"{seed}.npz"
        n_baseline = _kept(file) if file.is_file() else write_teaching_case(make(), file)
        rows.append({"case": seed, "series": file.name, "lesions": file.name, "n_baseline": n_baseline, "split": split})
        if progress is not None:
            progress(done, sum(asked), file.stem)
    stream = text_io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(folder / "cases.csv", stream.getvalue())


def write_teaching_case(case: DynamicCase, file: Path) -> int:
    """Write one case as ``.npz`` and return its baseline phases.

    It holds the signal in half precision, lesions, their share of each voxel (255 is all of it), times and facts.
    """
    facts = {
        "simulated": True, "name": case.series.name, "label": case.label, "entity": case.entity,
        "clinical": case.clinical, "n_baseline": case.n_baseline, "geometry": case.series.geometry.as_dict(),
    }  # fmt: skip
    with write_beside(file) as temporary:
        np.savez(
            temporary,
            signal=case.series.signal.astype(np.float16),
            lesions=case.lesions.values,
            share=np.rint(255.0 * case.share.values).astype(np.uint8),
            times_s=case.series.times_s,
            facts=np.array(to_json(facts)),
        )
    return case.n_baseline


class Asked(NamedTuple):
    """How many cases of each kind."""

    whole: int
    near: int
    drawn: int
    harder: int
    validation: int


MOST = Asked(
    NEAR_AFTER, DRAWN_AFTER - NEAR_AFTER, (VALIDATION_AFTER - DRAWN_AFTER) // 2, 2000, HARDER_AFTER - VALIDATION_AFTER
)


def _plan(first: int, asked: Asked, size: tuple[int, int, int]) -> Iterator[tuple[int, str, Callable[[], DynamicCase]]]:
    odd = first + DRAWN_AFTER + (first + DRAWN_AFTER + 1) % 2
    kinds: tuple[tuple[range, Callable[[int], DynamicCase]], ...] = (
        (_seeds(first, asked.whole), lambda seed: teaching_case(seed, size=size)),
        (_seeds(first + NEAR_AFTER, asked.near), lambda seed: teaching_case(seed, near=True, size=size)),
        (range(odd, odd + 2 * asked.drawn, 2), lambda seed: teaching_case(seed, size=size)),
        (_seeds(first + HARDER_AFTER, asked.harder), lambda seed: harder_case(seed, size=size)),
    )
    for seeds, make in kinds:
        for seed in seeds:
            yield seed, "train", partial(make, seed)
    for seed in _seeds(first + VALIDATION_AFTER, asked.validation):
        yield seed, "validation", partial(_validation_case, seed, size)


def _seeds(first: int, number: int) -> range:
    return range(first, first + number)


def _validation_case(seed: int, size: tuple[int, int, int]) -> DynamicCase:
    return (
        simulate_dynamic(seed, protocol=protocol_of("A"), size=size)
        if seed % 2 == 0
        else teaching_case(seed, size=size)
    )


def _check_numbers(asked: Asked) -> None:
    if any(n > m for n, m in zip(asked, MOST, strict=True)):
        kinds = asked._asdict()
        raise InputRefusedError(
            "value-out-of-range",
            found=f"More cases of a kind were asked for than it has seeds: {_listed(kinds)}.",
            expected=f"At most {_listed(MOST._asdict())}: the seeds of each kind begin apart.",
            cause="With more, a patient would be met twice, perhaps in training and in validation.",
            cure="Ask for fewer, or make a second table with another first seed.",
        )


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in numbers.items())


def _kept(file: Path) -> int:
    with np.load(file, allow_pickle=False) as arrays:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
    return int(facts["n_baseline"])
