"""The ROC of a cohort, with a threshold to move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spinekit.errors import ShapeMismatchError
from spinekit.evaluation.outcomes import labels_and_scores
from spinekit.evaluation.roc import roc_curve, youden_threshold
from spinekit.widgets.results.plot import ResultPlot
from spinekit.widgets.viewer import unattended

__all__ = ["roc_explorer"]


def roc_explorer(
    cases: Sequence[str],
    labels: Any,
    scores: Any,
    *,
    classes: tuple[str, str] = ("negative", "positive"),
    threshold: float | None = None,
    links: Mapping[str, str] | None = None,
    on_open: Callable[[str], None] | None = None,
    simulated: bool = False,
    twin: bool = True,
) -> Any:
    """Show sensitivity, specificity and the cases that change sides as a threshold moves; a click opens a case.

    Parameters
    ----------
    cases : sequence of str
        Pseudonyms.
    labels, scores : array of shape (n,)
        0 or 1; the score of class 1. A case is called class 1 at or above the threshold.
    classes : (str, str)
        Names of class 0 and 1.
    threshold : float, optional
        Against which changes are told; that of the largest Youden index if not given, which flatters when it was found
        on the same cases.
    links : mapping of str to str, optional
        Address of a case's report, opened by a click.
    on_open : callable, optional
        Called with the name of a case that was clicked.
    simulated : bool
        Stamp the plot as simulated.

    twin : bool
        Give the static figure in an unattended run; False where it stands beside the plot already.

    Returns
    -------
    ResultPlot, matplotlib.figure.Figure or None
        A figure, or nothing, in an unattended run.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch`` if the lengths differ; what `spinekit.evaluation.roc.roc_curve` refuses.
    """
    truth, score = labels_and_scores(labels, scores)
    names = [str(case) for case in cases]
    if len(names) != truth.size:
        raise ShapeMismatchError(
            found=f"There are {len(names)} names for {truth.size} cases.",
            expected="One name per case.",
            cause="A row was dropped from one of the columns.",
            cure="Take names, labels and scores out of one table.",
        )
    first = youden_threshold(truth, score) if threshold is None else float(threshold)
    curve = roc_curve(truth, score)
    if unattended() and not twin:
        return None
    if unattended():
        from spinekit.plotting import roc_at_threshold

        return roc_at_threshold(curve, truth, score, threshold=first, classes=classes, simulated=simulated)
    data = {
        "simulated": simulated,
        "cases": names,
        "truth": truth.astype(bool),
        "scores": score.astype(np.float64),
        "corners": {
            "falsePositive": curve.false_positive, "truePositive": curve.true_positive, "threshold": curve.threshold,
        },
        "classes": classes,
        "threshold": first,
        "links": [(links or {}).get(name) for name in names],
        "auc": curve.auc,
    }  # fmt: skip
    return ResultPlot("roc", data, on_open=on_open)
