"""Two readers of one case, and two readers of many: agreement, features, time and clicks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.cohort.reading import Reading, open_pair
from spinekit.errors import InputRefusedError, SpinekitError
from spinekit.io.layout import MARKER
from spinekit.provenance import library_versions, write_beside, write_json, write_text
from spinekit.segmentation.agreement import agreement_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Compared", "compare", "compare_cases", "compare_readings", "feature_reliability"]

PathLike = str | os.PathLike[str]
CSV, FIGURE, RECORD, FEATURES = "compare.csv", "compare.png", "compare.json", "features.csv"
FEWEST_FOR_ICC = 3


@dataclass(frozen=True)
class Compared:
    """What a comparison wrote.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per case.
    files : tuple of Path
        CSV, figure, record.
    refused : mapping of str to str
        Case -> why it could not be compared.
    """

    table: pd.DataFrame
    files: tuple[Path, ...]
    refused: Mapping[str, str]


def compare_readings(first: Reading, second: Reading) -> dict[str, Any]:
    """Return the agreement of two readings and the effort of each, as one row.

    Columns are named by what they hold; volumes in ml, distances in mm, times in s. ``first_`` and ``second_`` are the
    readers in the order given.
    """
    row: dict[str, Any] = {"first_reader": first.reader, "second_reader": second.reader}
    row |= dataclasses.asdict(agreement_of(first.roi, second.roi))
    for name, reading in (("first", first), ("second", second)):
        row |= {
            f"{name}_actions": reading.effort.n_actions,
            f"{name}_undone": reading.effort.n_undone,
            f"{name}_active_s": reading.effort.active_s,
        }
    return row


def compare(first: PathLike, second: PathLike, out: PathLike, *, series: PathLike | None = None) -> Compared:
    """Compare two readings of one case, or two folders of cases; write a figure, a CSV and a record.

    Parameters
    ----------
    first, second : path
        Case folders or journals; or two folders that hold case folders of the same names, such as two cohorts.
    out : path
        Folder for ``compare.csv``, ``compare.png``, ``compare.json`` and, for many cases, ``features.csv``.
    series : path, optional
        For journals that lie in no case folder.

    Raises
    ------
    InputRefusedError
        What `open_pair` and `compare_cases` refuse.
    """
    if all(Path(p).is_dir() and _cases_of(Path(p)) for p in (first, second)):
        return compare_cases(first, second, out)
    from spinekit.plotting.agreement import agreement_panels

    one, two = open_pair(first, second, series=series)
    row = compare_readings(one, two)
    figure = agreement_panels(
        one.series.phase(-1), one.roi, two.roi, names=(one.reader, two.reader), numbers=row, simulated=one.simulated
    )
    return _written(Path(out), [{"case": one.series.name} | row], figure, {}, one.simulated)


def _cases_of(folder: Path) -> dict[str, Path]:
    """Return the case folders in a folder, by name; nothing if it is a case itself."""
    if (folder / MARKER).is_file():
        return {}
    root = folder / "cases" if (folder / "cases").is_dir() else folder
    return {p.name: p for p in sorted(root.iterdir()) if (p / MARKER).is_file()}


def compare_cases(
    first: PathLike, second: PathLike, out: PathLike, *, on_case: Callable[[str], None] | None = None
) -> Compared:
    """Compare two readers over the cases that two folders share by name, past those that cannot be compared.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if they share no case; ``journal-other-series`` if every shared case is of two series.
    """
    from spinekit.plotting.agreement import agreement_over_cases

    one, two = _cases_of(Path(first)), _cases_of(Path(second))
    shared = [name for name in one if name in two]
    if not shared:
        raise _nothing_shared(len(one), len(two))
    rows, refused, simulated = [], dict.fromkeys(sorted(set(one) ^ set(two)), "is in one of the folders only"), False
    paired: dict[str, tuple[Path, Path]] = {}
    problem: SpinekitError | None = None
    for name in shared:
        if on_case is not None:
            on_case(name)
        try:
            pair = open_pair(one[name], two[name])
            rows.append({"case": name} | compare_readings(*pair))
        except SpinekitError as reason:
            refused[name], problem = str(reason), reason
            continue
        simulated |= pair[0].simulated
        paired[name] = (one[name], two[name])
    if not rows and problem is not None:
        raise problem
    features = feature_reliability(paired)
    names = (str(rows[0]["first_reader"]), str(rows[0]["second_reader"]))
    figure = agreement_over_cases(rows, features, names=names, simulated=simulated)
    return _written(Path(out), rows, figure, refused, simulated, features)


def _nothing_shared(n_first: int, n_second: int) -> InputRefusedError:
    return InputRefusedError(
        "case-incomplete",
        found=f"The first folder holds {n_first} cases, the second {n_second}; no name is in both.",
        expected="Case folders of the same names, one reader's in each folder.",
        cause="The cases were named differently for the two readers.",
        cure="Name them alike, with the column 'case' of the table that spinekit cohort takes.",
    )


def feature_reliability(paired: Mapping[str, tuple[Path, Path]]) -> pd.DataFrame:
    """Return the intraclass correlation of every feature between two readers.

    Parameters
    ----------
    paired : mapping of str to (Path, Path)
        Case -> the case folders of both readers.

    Returns
    -------
    pandas.DataFrame
        A row per image and feature, with ICC(2,1), ICC(3,1) and their 95 % limits (`spinekit.radiomics.reliability`);
        empty with fewer than three cases that have feature tables.
    """
    import pandas as pd

    from spinekit.radiomics.reliability import reliability

    tables = [_features_of(pair) for pair in paired.values()]
    whole = [pair for pair in tables if pair is not None]
    if len(whole) < FEWEST_FOR_ICC:
        return pd.DataFrame(columns=["image", "feature", "n_cases"])
    columns = whole[0][0].index
    for one, two in whole:
        columns = columns.intersection(one.index).intersection(two.index)
    values = np.array([[one[columns].to_numpy(), two[columns].to_numpy()] for one, two in whole], dtype=np.float64)
    found = pd.DataFrame(reliability(values))
    found.insert(0, "image", [image for image, _ in columns])
    found.insert(1, "feature", [feature for _, feature in columns])
    return found


def _features_of(pair: tuple[Path, Path]) -> tuple[pd.Series, pd.Series] | None:
    """Return the numbers of both feature tables by (image, feature); None where one is missing."""
    import pandas as pd

    found = []
    for folder in pair:
        file = folder / "features.csv"
        if not file.is_file():
            return None
        table = pd.read_csv(file, index_col=0).select_dtypes("number")
        wanted = [c for c in table.columns if "_" in c and not c.startswith(("n_", "diagnostics", "spacing"))]
        found.append(table[wanted].stack())
    return found[0], found[1]


def _written(
    out: Path, rows: list[dict[str, Any]], figure: Any, refused: Mapping[str, str], simulated: bool,
    features: pd.DataFrame | None = None,
) -> Compared:  # fmt: skip
    import pandas as pd

    table = pd.DataFrame(rows)
    record = {
        "simulated": simulated,
        "what_it_is": "Agreement of readers on simulated cases: no patients." if simulated else "Agreement of readers.",
        "cases": rows,
        "refused": dict(refused),
        "versions": library_versions(),
    }
    files = [
        write_text(out / CSV, table.to_csv(index=False)),
        _saved(figure, out / FIGURE),
        write_json(out / RECORD, record),
    ]
    if features is not None and len(features):
        files.append(write_text(out / FEATURES, features.to_csv(index=False)))
    return Compared(table, tuple(files), dict(refused))


def _saved(figure: Any, path: Path) -> Path:
    with write_beside(path) as beside:
        figure.savefig(beside)
    return path
