"""The table of cases: one row per case, its columns the options of ``spinekit run``."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinekit.diagnosis.combined import CLINICAL
from spinekit.errors import InputRefusedError, shown

__all__ = ["Case", "read_table"]

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # a pseudonym that is a safe file name everywhere
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names that Windows keeps for itself
NUMBERS_ONLY = re.compile(r"[-+0-9.,; eE]*")
SIMULATED = "simulated:"
NO = ("no", "false", "0")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "case": ("case", "name", "id"),
    "series": ("series", "source"),
    "t2": ("t2",),
    "seeds": ("seed_ijk", "seeds", "seed"),
    "background": ("background",),
    "outline": ("outline",),
    "expand": ("expand",),
    "roi": ("roi",),
    "roi_label": ("roi_label",),
    "journal": ("journal",),
    "auto": ("auto",),
    "n_baseline": ("n_baseline",),
    "times_s": ("times_s", "times"),
    "choose_series": ("choose_series",),
    **{name: (name,) for name in CLINICAL},
}
WAYS = (
    "journal",
    "seeds",
    "outline",
    "roi",
    "auto",
)  # where a row gives several ways to the region, the first of these that it gives


@dataclass(frozen=True)
class Case:
    """One row: a pseudonym and what ``spinekit run`` would be asked, or why the row cannot be used."""

    name: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    refused: InputRefusedError | None = None


def read_table(path: str | os.PathLike[str], *, mark_by: str = "") -> list[Case]:
    """Read a table of cases.

    Parameters
    ----------
    path : path
        CSV with a header. ``case`` and ``series`` are needed; ``t2``, ``seed_ijk`` (``"i,j,k"``, several
        separated by semicolons), ``background``, ``outline``, ``expand``, ``roi``, ``roi_label``, ``journal``,
        ``auto`` ("yes": the U-Net proposes the region),
        ``n_baseline``, ``times_s``, ``choose_series`` and the clinical facts of ``--clinical``, each a column
        of its name, may be there; other columns are left alone. Paths are relative to the table.
    mark_by : {"", "journal", "seeds", "outline", "roi", "auto"}
        Which column marks the lesion where a row gives several; ``""`` takes the first of these five.

    Returns
    -------
    list of Case
        In the order of the table. A row that cannot be used is a case that is refused, so that one bad
        row does not stop the others; its name is then ``row.NNNN`` if its own cannot be a file name.

    Raises
    ------
    InputRefusedError
        ``path-missing``; ``table-invalid`` if it is no such table at all.
    """
    file = Path(path)
    if not file.is_file():
        raise InputRefusedError(
            "path-missing",
            found=f"There is no table at the path that was given ({shown(file)}).",
            expected="A CSV file.",
            cause="The path may be misspelt.",
            cure="Check it.",
        )
    rows, places = _rows(file)
    if mark_by and mark_by not in WAYS:
        raise _invalid(f"--mark-by is '{mark_by}'", f"One of {', '.join(WAYS)}")
    counts = Counter(str(row.get(places["case"]) or "").strip().lower() for row in rows)
    return [_case(n, row, places, counts, file.parent.absolute(), mark_by) for n, row in enumerate(rows, start=1)]


def _rows(file: Path) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the rows and, for each column that is known, the name it has in this table."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = [row for row in reader if any((v or "").strip() for v in row.values() if isinstance(v, str))]
            header = [str(name).strip() for name in reader.fieldnames or ()]
    except (UnicodeDecodeError, csv.Error) as reason:
        raise _invalid(f"The {shown(file)} cannot be read: {reason}", "A CSV file in UTF-8") from reason
    given = {name.lower(): name for name in reversed(header)}
    places = {column: given[alias] for column, names in COLUMNS.items() for alias in reversed(names) if alias in given}
    absent = [column for column in ("case", "series") if column not in places]
    if absent or not rows:
        raise _invalid(
            f"The {shown(file)} has {len(rows)} rows and {len(header)} columns ({', '.join(places) or 'none'} known)",
            "A header with the columns case and series, and at least one row, separated by commas",
        )
    return [{(k or "").strip(): v for k, v in row.items() if isinstance(v, str)} for row in rows], places


def _invalid(found: str, expected: str) -> InputRefusedError:
    return InputRefusedError(
        "table-invalid",
        found=f"{found}.",
        expected=f"{expected}.",
        cause="A spreadsheet may have written semicolons, another encoding, or no header.",
        cure="Correct the table; docs/cohort.md shows one.",
    )


def _case(
    number: int, row: Mapping[str, str], places: Mapping[str, str], counts: Counter[str], base: Path, mark_by: str
) -> Case:
    told = {column: (row.get(place) or "").strip() for column, place in places.items()}
    name = told.pop("case")
    if not PLAIN_NAME.fullmatch(name) or RESERVED.fullmatch(name) or counts[name.lower()] > 1:
        return Case(f"row.{number:04d}", {}, _unsafe(number, counts[name.lower()]))
    try:
        return Case(name, _asked(told, base, mark_by))
    except InputRefusedError as refused:
        return Case(name, {}, refused)


def _unsafe(number: int, times: int) -> InputRefusedError:
    found = (
        f"The name in row {number} occurs {times} times."
        if times > 1
        else f"The name in row {number} is no plain pseudonym."
    )
    return InputRefusedError(
        "case-name-unsafe",
        found=found,
        expected="A name of its own, of up to 64 letters, digits, '_' and '-', beginning with a letter or digit.",
        cause="A patient's name, number or path may have been put where the pseudonym belongs.",
        cure="Give every case a pseudonym such as case-017.",
    )


def _asked(told: dict[str, str], base: Path, mark_by: str) -> dict[str, Any]:
    """Return the fields of a `CaseRequest` as JSON values; paths are absolute."""
    if told.get("auto", "").lower() in NO:
        told["auto"] = ""
    ways = [way for way in WAYS if told.get(way)]
    way = mark_by if mark_by in ways else (ways[0] if ways else "")
    series = told["series"]
    asked: dict[str, Any] = {
        "source": series if series.startswith(SIMULATED) or not series else os.path.abspath(base / series),
        "t2": os.path.abspath(base / told["t2"]) if told.get("t2") else None,
        "times_s": _numbers(told.get("times_s", ""), "times_s", float),
        "choose_series": told.get("choose_series", ""),
        "n_baseline": (_numbers(told.get("n_baseline", ""), "n_baseline", int) or [None])[0],
        "seeds": _voxels(told["seeds"], "seeds") if way == "seeds" else [],
        "background": _voxels(told.get("background", ""), "background") if way == "seeds" else [],
        "outline_file": os.path.abspath(base / told["outline"]) if way == "outline" else None,
        "roi_label": told.get("roi_label", "") if way in ("outline", "roi") else "",
        "expand": told.get("expand") or "area",
        "roi_file": os.path.abspath(base / told["roi"]) if way == "roi" else None,
        "journal_file": os.path.abspath(base / told["journal"]) if way == "journal" else None,
        "auto": way == "auto",
        "clinical": ",".join(f"{name}={told[name]}" for name in CLINICAL if told.get(name)),
    }
    if not asked["source"]:
        raise _bad_cell("series", "")
    return asked


def _numbers(text: str, column: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError as reason:
        raise _bad_cell(column, text) from reason


def _voxels(text: str, column: str) -> list[list[int]]:
    voxels = [_numbers(part, column, int) for part in text.split(";") if part.strip()]
    if any(len(voxel) != 3 for voxel in voxels):
        raise _bad_cell(column, text)
    return voxels


def _quoted(text: str) -> str:
    """Return a cell as a message may tell it: words can be a patient's name that slipped into another column."""
    return f"'{text[:40]}'" if NUMBERS_ONLY.fullmatch(text) else f"{len(text)} characters that are no numbers"


def _bad_cell(column: str, text: str) -> InputRefusedError:
    return InputRefusedError(
        "value-out-of-range",
        found=f"The column '{column}' holds {_quoted(text)}." if text else f"The column '{column}' is empty.",
        expected="i,j,k such as 85,131,38 for a seed; numbers for times and phases; a path for a series.",
        cause="A separator may be missing, or a decimal comma was used.",
        cure="Correct the cell; put cells that hold commas between quotation marks.",
    )
