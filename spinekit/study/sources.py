"""One case of a study in memory: series, the mark a reader made, and the truth where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.study.table import SIMULATED, StudyCase

__all__ = ["OpenCase", "open_case"]

MOTION = "usual"  # of simulated patients between phases
READER = 1  # seed of the simulated reader's errors; the case's own seed is added


@dataclass(frozen=True)
class OpenCase:
    """A case that has been read.

    Attributes
    ----------
    outline, roi : Roi or None
        The reader's mark: an outline on another image, or a mask on the grid of the series.
    truth : Roi or None
        The lesion that was marked.
    all_lesions : ndarray of shape (Z, Y, X), bool, or None
        Every lesion in the series.
    lesions : ndarray of shape (Z, Y, X), uint8, or None
        Their numbers, where they are known apart.
    """

    series: DynamicSeries
    n_baseline: int
    outline: Roi | None
    roi: Roi | None
    truth: Roi | None
    all_lesions: Any
    lesions: Any = None


def open_case(case: StudyCase) -> OpenCase:
    """Read a case, or simulate it; a simulated reader outlines with the errors that readers make.

    Raises
    ------
    InputRefusedError
        What reading refuses; ``choice-unknown`` for a simulated source that cannot be understood;
        ``seed-missing`` if the row has neither outline, mask nor seed.
    """
    return _simulated(case) if case.simulated else _from_files(case)


def _simulated(case: StudyCase) -> OpenCase:
    from spinekit.phantom import simulate_case
    from spinekit.phantom.reader import outlined_by_reader
    from spinekit.study.table import CLASSES

    seed, _, size = case.series.removeprefix(SIMULATED).partition("@")
    try:
        shape = tuple(int(n) for n in size.split("x")) if size else (256, 256, 24)
        i, j, k = shape
        number = int(seed)
    except ValueError as reason:
        raise InputRefusedError(
            "choice-unknown",
            found=f"'{case.series}' was asked for.",
            expected="'simulated:SEED@XxYxZ', such as 'simulated:7@128x128x16'.",
            cause="The seed or size may not be a whole number.",
            cure="Correct the column series.",
        ) from reason
    made = simulate_case(number, size=(i, j, k), hospital=case.centre, diagnosis=CLASSES[case.label], motion=MOTION)
    outline = outlined_by_reader(made.t2_outline, READER + number)
    lesions, n_baseline = np.asarray(made.lesions.values), case.n_baseline or made.n_baseline
    return OpenCase(made.series, n_baseline, outline, None, made.lesion, lesions > 0, lesions)


def _from_files(case: StudyCase) -> OpenCase:
    from spinekit import io
    from spinekit.segmentation import grow_region

    series = io.read_series(case.series)
    outline = io.read_roi(case.outline) if case.outline else None
    roi = io.read_roi(case.roi, on=series.geometry) if case.roi else None
    truth = io.read_roi(case.truth, on=series.geometry) if case.truth else None
    if outline is None and roi is None and case.seed_ijk:
        roi = grow_region(series, [case.seed_ijk], n_baseline=case.n_baseline)
    if outline is None and roi is None:
        raise InputRefusedError(
            "seed-missing",
            found=f"Case '{case.name}' has neither outline, roi nor seed_ijk.",
            expected="One of them in its row.",
            cause="The lesion has not been marked yet.",
            cure="Mark it in notebook 02 and put the path of the mask into the column roi.",
        )
    return OpenCase(series, case.n_baseline, outline, roi, truth, None if truth is None else truth.mask)
