"""Cases to judge a network on: their lesions are known, and the network has not learned from them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import depth_mm
from spinekit.models.checkpoints import read_card
from spinekit.models.teaching import read_taught_case, table_rows
from spinekit.study.sources import open_case
from spinekit.study.table import read_study_table
from spinekit.study.taught import require_untaught

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = ["UnseenCase", "inmost", "simulated_cases", "table_cases"]


@dataclass(frozen=True)
class UnseenCase:
    """A case with its truth: ``lesions`` numbers the lesions, 1 being the index lesion; ``click`` lies in that one."""

    name: str
    series: DynamicSeries
    lesions: NDArray[np.uint8]
    n_baseline: int
    click: tuple[int, int, int]


def simulated_cases(
    n: int, *, hospital: str, first_seed: int, size: tuple[int, int, int] = (256, 256, 24), motion: str = "usual"
) -> Iterator[UnseenCase]:
    """Simulate cases of a hospital, one at a time; their seeds must not be among those of the training."""
    from spinekit.phantom import simulate_cohort

    for case in simulate_cohort(n, hospital=hospital, first_seed=first_seed, size=size, motion=motion):
        lesions = np.asarray(case.lesions.values)
        yield UnseenCase(case.series.name, case.series, lesions, case.n_baseline, case.seed_ijk)


def table_cases(
    table: str | os.PathLike[str], *, centre: str = "", model: str | os.PathLike[str] | None = None
) -> Iterator[UnseenCase]:
    """Read the cases of a table, one at a time; the index lesion is the largest, its click the deepest voxel.

    Parameters
    ----------
    table : path
        CSV as for `spinekit.models.teaching.teach_segmentation`, of which only the rows with ``split`` ``test`` are
        read where it has that column; or a study's (`spinekit.study.table.read_study_table`) whose lesions are known:
        simulated ones, or with a ``truth``.
    centre : str
        Of a study's table: only the cases of this centre.
    model : path, optional
        The weights that are judged: a case of a table to teach with must not bear the name of one they were taught
        with, or chosen by.

    Raises
    ------
    InputRefusedError
        ``path-missing``, ``table-invalid``; ``roi-empty`` for a case without a lesion; what reading refuses.
    """
    path = Path(table)
    if "lesions" not in _columns(path):
        return _of_study_table(path, centre)
    if centre:
        raise InputRefusedError(
            "table-invalid",
            found=f"Centre '{centre}' was asked for, of a table to teach with.",
            expected="The table of a study, or no centre.",
            cause="A table that has the column lesions is one to teach with; its column centre is not read.",
            cure="Leave --centre out, or take the rows of that centre into a table of their own.",
        )
    return _of_teaching_table(path, model)


def inmost(lesion: NDArray[np.bool_], series: DynamicSeries) -> tuple[int, int, int]:
    """Return the voxel (i, j, k) farthest from the border of a lesion."""
    depth = depth_mm(lesion, series.geometry.spacing_zyx_mm)
    k, j, i = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(i), int(j), int(k)


def _columns(table: Path) -> list[str]:
    if not table.is_file():
        return ["lesions"]  # the reader of that table says what is missing
    with open(table, encoding="utf-8-sig", newline="") as stream:
        return [name.strip() for name in next(csv.reader(stream), [])]


def _of_teaching_table(table: Path, model: str | os.PathLike[str] | None) -> Iterator[UnseenCase]:
    rows = table_rows(table)
    if any(row.get("split") for row in rows):
        rows = [row for row in rows if row["split"] == "test"]
        _require_some(rows, "No row of the table has the split 'test'.", "Give the cases to judge on that split.")
    if model is not None:
        _require_names_unknown([row["case"] for row in rows], read_card(model, kind="unet"))
    for row in rows:
        case = read_taught_case(row, table.parent)
        yield _unseen(case.name, case.series, case.lesions, case.n_baseline)


def _require_names_unknown(names: list[str], card: dict[str, Any]) -> None:
    data = card["training"].get("data", {})
    known = {*data.get("cases", []), *data.get("validation", [])}
    for name in names:
        if name in known:
            raise InputRefusedError(
                "table-invalid",
                found=f"Case '{name}' has the name of one that the network was taught with, or chosen by.",
                expected="Cases that it has not seen.",
                cause="The table may be the one it was taught with, without a column split.",
                cure="Give the cases kept aside the split 'test', or a table of their own.",
            )


def _of_study_table(table: Path, centre: str) -> Iterator[UnseenCase]:
    cases = [case for case in read_study_table(table) if centre in ("", case.centre)]
    _require_some(cases, f"No case of the table is of centre '{centre}'.", "Name a centre of the table.")
    require_untaught(cases, ("unet",))
    for row in cases:
        case = open_case(row)
        lesions = case.lesions if case.lesions is not None else case.all_lesions
        if lesions is None:
            raise InputRefusedError(
                "table-invalid",
                found=f"Case '{row.name}' has no reference mask.",
                expected="A path in the column truth: a network is judged by lesions that are known.",
                cause="The table may be one of cases that are not marked yet.",
                cure="Add the masks, or leave the case out.",
            )
        yield _unseen(row.name, case.series, lesions, case.n_baseline)


def _unseen(name: str, series: DynamicSeries, lesions: Any, n_baseline: int) -> UnseenCase:
    """Return the case with its lesions numbered from the largest, and a click in that one."""
    sizes = np.bincount(np.asarray(lesions, np.uint8).ravel(), minlength=256)
    sizes[0] = 0
    order = [number for number in np.argsort(-sizes, kind="stable") if sizes[number]]
    if not order:
        raise InputRefusedError(
            "roi-empty",
            found=f"The mask of case '{name}' holds no lesion.",
            expected="At least one lesion, a number for each.",
            cause="The mask may be of another series.",
            cure="Correct the mask, or leave the case out.",
        )
    again = np.zeros(256, np.uint8)
    again[order] = np.arange(1, len(order) + 1)
    numbered = again[np.asarray(lesions, np.uint8)]
    return UnseenCase(name, series, numbered, n_baseline, inmost(numbered == 1, series))


def _require_some(rows: list[Any], found: str, cure: str) -> None:
    if not rows:
        raise InputRefusedError(
            "table-invalid", found=found, expected="At least one case to judge.",
            cause="A name may be misspelt.", cure=cure,
        )  # fmt: skip
