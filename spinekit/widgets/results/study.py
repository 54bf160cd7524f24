"""The ROC of one arm of a study, with the patients behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.widgets.results.cohort import roc_explorer

if TYPE_CHECKING:
    from spinekit.study.run import StudyRun
    from spinekit.study.table import StudyCase

__all__ = ["study_roc"]


def study_roc(
    study: StudyRun, cases: Sequence[StudyCase], *, arm: str = "", external: str = "", twin: bool = False
) -> Any:
    """Show the ROC of an arm on the internal cases, each predicted by a model that had not seen its patient.

    Parameters
    ----------
    study : StudyRun
    cases : sequence of StudyCase
        The table it was run on.
    arm : str
        Name of an arm in ``study.results``; the study's reference arm if not given.
    external : str
        Centre that was kept aside; found by the number of predictions if not given.
    twin : bool
        Give the static figure in an unattended run; the report has the study's own ROC.

    Returns
    -------
    CohortRoc, matplotlib.figure.Figure or None

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for an arm that was not run; ``shape-mismatch`` if cases and predictions do not fit.
    """
    from spinekit.study.arms import REFERENCE
    from spinekit.study.table import CLASSES

    arm = arm or REFERENCE
    if arm not in study.results:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The arm '{arm}' was asked for.",
            expected=f"One of {', '.join(study.results)}.",
            cause="Its numbers were not in the table, or the networks were not asked.",
            cure="Name an arm that was run.",
        )
    scores = study.results[arm].internal
    inside = _internal(cases, len(scores), external)
    by_name = {case.name: case for case in inside}
    return roc_explorer(
        list(by_name), [case.label for case in inside], scores, classes=CLASSES, show=partial(_picture, by_name),
        simulated=all(case.simulated for case in inside), twin=twin,
    )  # fmt: skip


def _internal(cases: Sequence[StudyCase], n: int, external: str) -> list[StudyCase]:
    """Return the cases that nested predictions are for: all, or all but those of the centre kept aside."""
    if len(cases) == n and not external:
        return list(cases)
    centres = [external] if external else sorted({case.centre for case in cases}, reverse=True)
    left = ([case for case in cases if case.centre != centre] for centre in centres)
    return next((kept for kept in left if len(kept) == n), list(cases))


def _picture(cases: dict[str, StudyCase], name: str) -> Any:
    from spinekit.plotting import three_planes
    from spinekit.study.sources import open_case

    opened = open_case(cases[name])
    region = opened.truth or opened.roi
    marked = region is not None and region.mask.any()
    size = opened.series.geometry.size
    centre = [round(c) for c in region.centre_ijk] if region is not None and marked else [n // 2 for n in size]
    simulated = bool(opened.series.record.get("simulated", False))
    return three_planes(opened.series.phase(-1), centre, region if marked else None, simulated=simulated, title=name)
