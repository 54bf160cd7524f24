"""The ROC of one arm of a study, with the patients behind it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.widgets.results.cohort import roc_explorer

if TYPE_CHECKING:
    from spinekit.study.run import StudyRun
    from spinekit.study.table import StudyCase

__all__ = ["study_roc"]


def study_roc(study: StudyRun, *, arm: str = "", twin: bool = False) -> Any:
    """Show the ROC of an arm on the internal cases, each predicted by a model that had not seen its patient.

    Parameters
    ----------
    study : StudyRun
    arm : str
        Name of an arm in ``study.results``; the study's reference arm if not given.
    twin : bool
        Give the static figure in an unattended run; the report has the study's own ROC.

    Returns
    -------
    CohortRoc, matplotlib.figure.Figure or None

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for an arm that was not run.
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
    by_name = {case.name: case for case in study.internal}
    return roc_explorer(
        list(by_name), [case.label for case in study.internal], study.results[arm].internal, classes=CLASSES,
        show=partial(_picture, by_name), simulated=all(case.shown_simulated for case in study.internal), twin=twin,
    )  # fmt: skip


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
