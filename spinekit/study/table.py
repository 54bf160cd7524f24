"""The table of a study: one row per case with its class, patient, centre and clinical columns."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError, shown

__all__ = ["CLASSES", "CLINICAL", "StudyCase", "read_study_table", "simulated_table"]

CLASSES = ("primary", "metastasis")  # coded 0 and 1: the question is metastasis
SIMULATED = "simulated:"
APART = 80  # between the first seeds of the two hospitals
CLINICAL = ("age_years", "sex", "alkaline_phosphatase_u_per_l", "history_of_cancer")
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "f": 1.0, "m": 0.0}
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # safe as a file name everywhere


@dataclass(frozen=True)
class StudyCase:
    """One row of the table.

    Attributes
    ----------
    name, patient, centre : str
        Pseudonyms; the patient is the case where the table does not tell.
    label : int
        Index in `CLASSES`.
    series : str
        A path, or ``simulated:SEED@XxYxZ``.
    n_baseline : int
        Phases before contrast; 0 for a simulated case, which knows its own.
    outline, roi, truth : str
        Paths of the reader's outline on another image, of a mask on the series, and of a reference
        mask for the segmentation table; empty where there is none.
    seed_ijk : tuple of int
        A click, where there is neither outline nor mask.
    clinical : mapping of str to float
        Clinical variables; NaN where missing.
    from_simulator : bool
        Whether what was read says that the simulator wrote it; known once the case has been measured.
    """

    name: str
    patient: str
    centre: str
    label: int
    series: str
    n_baseline: int
    outline: str = ""
    roi: str = ""
    truth: str = ""
    seed_ijk: tuple[int, ...] = ()
    clinical: Mapping[str, float] = field(default_factory=dict)
    from_simulator: bool = False

    @property
    def simulated(self) -> bool:
        """Whether the case is made by the simulator when it is needed."""
        return self.series.startswith(SIMULATED)

    @property
    def shown_simulated(self) -> bool:
        """Whether figures say that it is simulated: made when it is needed, or read from files of the simulator."""
        return self.simulated or self.from_simulator


def _invalid(found: str, expected: str, cure: str) -> InputRefusedError:
    return InputRefusedError(
        "table-invalid",
        found=found,
        expected=expected,
        cause="A column may be missing or misspelt, or a cell empty.",
        cure=cure,
    )


def read_study_table(path: str | os.PathLike[str], *, clinical: tuple[str, ...] = CLINICAL) -> tuple[StudyCase, ...]:
    """Read the table of a study.

    Parameters
    ----------
    path : path
        CSV with a header. Needed: ``case``, ``series`` and ``label`` (``metastasis`` or ``primary``).
        ``patient``, ``centre`` (or ``hospital``), ``n_baseline``, ``outline``, ``roi``, ``truth``,
        ``seed_ijk`` and clinical columns may be there. Paths are relative to the table.
    clinical : tuple of str
        Columns that are used as clinical variables, where the table has them: numbers, yes/no, F/M.

    Returns
    -------
    tuple of StudyCase

    Raises
    ------
    InputRefusedError
        ``path-missing``; ``table-invalid`` with the row and what is wrong.

    Examples
    --------
    >>> read_study_table("absent.csv")
    Traceback (most recent call last):
    spinekit.errors.InputRefusedError: There is no table at the path that was given (file '….csv'). ...
    """
    file = Path(path)
    if not file.is_file():
        raise InputRefusedError(
            "path-missing",
            found=f"There is no table at the path that was given ({shown(file)}).",
            expected="A CSV file with one row per case.",
            cause="The path may be misspelt.",
            cure="Check it, or make one with spinekit phantom.",
        )
    with open(file, encoding="utf-8-sig", newline="") as stream:
        rows = [{k.strip().lower(): (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(stream)]
    missing = [name for name in ("case", "series", "label") if not rows or name not in rows[0]]
    if missing:
        raise _invalid(
            f"The {shown(file)} has {len(rows)} rows and lacks {', '.join(missing)}.",
            "The columns case, series and label, and at least one row.",
            "Add the columns; docs/study.md shows a table.",
        )
    cases = tuple(_case(n, row, file.parent.absolute(), clinical) for n, row in enumerate(rows, start=1))
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _invalid(
            f"The name '{twice[0]}' occurs {names.count(twice[0])} times.",
            "A name of its own for each case; a patient with several cases has one 'patient'.",
            "Rename the cases and add the column patient.",
        )
    return cases


def _case(number: int, row: Mapping[str, str], base: Path, clinical: tuple[str, ...]) -> StudyCase:
    name, label = row["case"], row["label"].lower()
    if not PLAIN_NAME.fullmatch(name) or label not in CLASSES or not row["series"]:
        raise _invalid(
            f"Row {number} has the case '{name[:40]}', the label '{label[:40]}' and the series '{row['series'][:40]}'.",
            f"A pseudonym of letters, digits, '_' and '-', a label out of {', '.join(CLASSES)}, and a series.",
            "Correct the row.",
        )
    series = row["series"]
    try:
        n_baseline = int(row.get("n_baseline") or (0 if series.startswith(SIMULATED) else 1))
        seed = tuple(int(part) for part in (row.get("seed_ijk") or "").split(",") if part)
    except ValueError as reason:
        raise _invalid(f"Row {number} has a number that is none.", "Whole numbers.", "Correct the row.") from reason
    places = {key: os.path.abspath(base / row[key]) if row.get(key) else "" for key in ("outline", "roi", "truth")}
    return StudyCase(
        name=name,
        patient=row.get("patient") or name,
        centre=row.get("centre") or row.get("hospital") or "A",
        label=CLASSES.index(label),
        series=series if series.startswith(SIMULATED) else os.path.abspath(base / series),
        n_baseline=n_baseline,
        seed_ijk=seed,
        clinical={key: _number(row[key], key, number) for key in clinical if key in row},
        outline=places["outline"],
        roi=places["roi"],
        truth=places["truth"],
    )


def _number(text: str, column: str, row: int) -> float:
    if not text:
        return math.nan
    try:
        return WORDS[text.lower()] if text.lower() in WORDS else float(text)
    except ValueError as reason:
        raise _invalid(
            f"The column '{column}' holds '{text[:40]}' in row {row}.",
            "A number, yes or no, F or M; empty where missing.",
            "Code the column as numbers.",
        ) from reason


def simulated_table(
    path: str | os.PathLike[str], *, n_internal: int, n_external: int, size: tuple[int, int, int], first_seed: int
) -> Path:
    """Write the table of a simulated study: hospital A, and hospital B as another centre, with other patients.

    Parameters
    ----------
    path : path
        Of the CSV.
    n_internal, n_external : int
        Patients of hospital A and of hospital B; the classes alternate.
    size : tuple of int
        Voxels along x, y, z.
    first_seed : int
        Seed of the first patient of hospital A; those of hospital B begin 80 later (later still in a larger cohort),
        so that a larger cohort of one size holds the cases of a smaller one.
    """
    from spinekit.phantom.patient import Patient
    from spinekit.provenance import write_text

    seeds = [first_seed + n for n in range(n_internal)]
    seeds += [first_seed + max(n_internal, APART) + n for n in range(n_external)]
    lines = [",".join(("case", "patient", "centre", "label", "series", *CLINICAL))]
    for n, seed in enumerate(seeds):
        centre, place = ("A", n) if n < n_internal else ("B", n - n_internal)
        label = CLASSES[1 - place % 2]
        facts: Mapping[str, Any] = Patient.draw(seed, diagnosis=label).clinical
        told = [str(facts[key]).lower() if isinstance(facts[key], bool) else str(facts[key]) for key in CLINICAL]
        name = f"simulated-{centre}-{seed:05d}"
        source = f"{SIMULATED}{seed}@{'x'.join(str(v) for v in size)}"
        lines.append(",".join((name, name, centre, label, source, *told)))
    return write_text(path, "\n".join(lines) + "\n")
