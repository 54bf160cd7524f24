"""A plain table of features, one row per lesion: what is the class, who is the patient, what is a feature."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.study.table import WORDS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlainTable", "read_plain_table", "read_repeats"]

FEWEST_VALUES = 1  # a column without any value is no feature


@dataclass(frozen=True)
class PlainTable:
    """What a table holds, by row.

    Attributes
    ----------
    features : DataFrame of float64
        Index: the name of the row.
    labels : ndarray of int, 0 or 1
    patients, centres : ndarray of str
        The row's own name, or ``A``, where the table does not tell.
    classes : tuple of str
        Names of class 0 and 1.
    has_patients, has_centres : bool
        Whether the table tells.
    """

    features: pd.DataFrame
    labels: Any
    patients: Any
    centres: Any
    classes: tuple[str, str]
    has_patients: bool
    has_centres: bool

    @property
    def simulated(self) -> bool:
        """Whether the names say that no patient is in it."""
        return all(str(name).startswith("simulated") for name in self.features.index)


def _refused(found: str, expected: str, cause: str, cure: str) -> InputRefusedError:
    return InputRefusedError("table-invalid", found=found, expected=expected, cause=cause, cure=cure)


def read_plain_table(
    path: str | os.PathLike[str], *, label: str, positive: str = "", patient: str = "", centre: str = "",
    row: str = "case", leave_out: tuple[str, ...] = (),
) -> PlainTable:  # fmt: skip
    """Read a table of features.

    Parameters
    ----------
    path : path
        CSV with a header, comma or semicolon.
    label : str
        Column with the class: two values.
    positive : str
        The value that is class 1; if not given the last one in alphabetical order.
    patient, centre : str
        Columns with the patient and the centre, where the table has them.
    row : str
        Column with a name for each row, where the table has it.
    leave_out : tuple of str
        Further columns that are no features.

    Raises
    ------
    InputRefusedError
        ``path-missing``; ``table-invalid`` for a column that is not there or holds words, a class with gaps or not of
        two values, a name that occurs twice.
    """
    import pandas as pd

    file = Path(path)
    if not file.is_file():
        raise InputRefusedError(
            "path-missing",
            found="There is no table at the path that was given.",
            expected="A CSV file with one row per lesion.",
            cause="The path may be misspelt.",
            cure="Check it.",
        )
    table = pd.read_csv(file, sep=None, engine="python", encoding="utf-8-sig", dtype={row: str, patient: str})
    for name in (label, *(n for n in (patient, centre, *leave_out) if n)):
        if name not in table.columns:
            raise _refused(f"The table has no column '{name}'.", f"One of its {table.shape[1]} columns.",
                           "The name may be misspelt, or another separator was used.", "Correct it.")  # fmt: skip
    names = table[row].astype(str) if row in table.columns else pd.Series([f"row-{n + 1}" for n in range(len(table))])
    if names.duplicated().any():
        raise _refused(f"'{names[names.duplicated()].iloc[0]}' stands in several rows of the column '{row}'.",
                       "A name of its own for each row; lesions of a patient share the column of the patient.",
                       "The names may be those of patients.",
                       "Name the column of the patient with --patient.")  # fmt: skip
    kinds, labels = _classes(table[label], label, positive)
    apart = {label, patient, centre, row, *leave_out}
    features = _numbers(table[[c for c in table.columns if c not in apart]]).set_axis(pd.Index(names, name=row), axis=0)
    where = table[centre].astype(str).to_numpy() if centre else np.full(len(table), "A")
    who = table[patient].astype(str).to_numpy() if patient else names.to_numpy()
    return PlainTable(features, labels, who, where, kinds, bool(patient), bool(centre))


def _classes(column: Any, label: str, positive: str) -> tuple[tuple[str, str], Any]:
    values = column.map(lambda v: f"{v:g}" if isinstance(v, float) else str(v)).where(column.notna())
    kinds = sorted(values.dropna().unique())
    if column.isna().any() or len(kinds) != 2 or (positive and positive not in kinds):
        gaps = " and gaps" if column.isna().any() else ""
        raise _refused(
            f"The column '{label}' has the values {', '.join(kinds[:5])}{gaps}.",
            "Two values without gaps" + (f", one of them '{positive}'." if positive else "."),
            "It may hold the disease instead of the group, or rows that are not decided.",
            "Leave these rows out, or name another column or --positive.",
        )  # fmt: skip
    one = positive or kinds[1]
    other = next(kind for kind in kinds if kind != one)
    return (other, one), (values == one).to_numpy().astype(int)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return columns as numbers; yes, no, F and M are coded as in the study, a column without values is left out."""
    coded = table.copy()
    for name in table.columns:
        if table[name].dtype.kind not in "biuf":
            words = table[name].map(lambda v: WORDS.get(str(v).strip().lower(), v))
            try:
                coded[name] = words.astype(np.float64)
            except (ValueError, TypeError) as reason:
                raise _refused(f"The column '{name}' holds words, such as '{str(table[name].dropna().iloc[0])[:30]}'.",
                               "Numbers, yes or no, F or M; empty where missing.",
                               "It may name a series, a scanner or a diagnosis.",
                               "Leave it out with --leave-out, or code it as numbers.") from reason  # fmt: skip
    coded = coded.astype(np.float64)
    return coded.loc[:, coded.notna().sum() >= FEWEST_VALUES]


def read_repeats(path: str | os.PathLike[str], table: PlainTable) -> dict[str, pd.DataFrame]:
    """Read measurements of the same rows under perturbation, as ``spinekit stability`` writes them.

    Parameters
    ----------
    path : path
        CSV with the columns ``perturbation`` and ``case``, and features.

    Returns
    -------
    dict of str to DataFrame
        Perturbation (but ``reference``) to a table of the rows it has.
    """
    import pandas as pd

    if not Path(path).is_file():
        raise InputRefusedError(
            "path-missing", found="There is no table of repeats at the path that was given.",
            expected="A CSV file with the columns perturbation and case.", cause="The path may be misspelt.",
            cure="Check it; spinekit stability writes measurements.csv.",
        )  # fmt: skip
    found = pd.read_csv(path, dtype={"case": str, "perturbation": str})
    shared = [c for c in table.features.columns if c in found.columns]
    if not {"perturbation", "case"} <= set(found.columns) or not shared:
        raise _refused("The repeats lack the columns perturbation and case, or have no feature of the table.",
                       "The table's features by the same names.", "It may be another table.",
                       "Measure the repeats with the settings of the table.")  # fmt: skip
    groups = found[found["perturbation"] != "reference"].groupby("perturbation", sort=False)
    return {str(way): rows.set_index("case")[shared].astype(np.float64) for way, rows in groups}
