"""The ROC of a cohort, with a threshold to move."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np

from spinekit.errors import ShapeMismatchError
from spinekit.widgets.results.plot import ResultPlot
from spinekit.widgets.viewer import unattended

__all__ = ["CohortRoc", "case_figure", "roc_explorer"]


def roc_explorer(
    cases: Sequence[str],
    labels: Any,
    scores: Any,
    *,
    classes: tuple[str, str] = ("negative", "positive"),
    threshold: float | None = None,
    show: Callable[[str], Any] | str | os.PathLike[str] | None = None,
    links: Mapping[str, str] | None = None,
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
    show : path or callable, optional
        The folder that holds the case folders, such as ``cases`` of ``spinekit cohort``, or what gives the figure of a
        case by its name; a click on a case shows it under the plot.
    links : mapping of str to str, optional
        Address of a case's report, opened by the same click in a window of its own.
    simulated : bool
        Stamp the plot as simulated.

    twin : bool
        Give the static figure in an unattended run; False where it stands beside the plot already.

    Returns
    -------
    CohortRoc, matplotlib.figure.Figure or None
        A figure, or nothing, in an unattended run.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch`` if the lengths differ; what `spinekit.evaluation.roc.roc_curve` refuses.
    """
    from spinekit.evaluation.outcomes import labels_and_scores  # with it come SciPy's distributions: a second
    from spinekit.evaluation.roc import roc_curve, youden_threshold

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
    return CohortRoc(data, show if show is None or callable(show) else partial(_figure_in, Path(show)))


class CohortRoc(w.VBox):
    """The plot, and under it the case that was clicked last.

    Attributes
    ----------
    plot : ResultPlot
    picture : Output
        Holds the figure of the case.
    """

    def __init__(self, data: Mapping[str, Any], show: Callable[[str], Any] | None) -> None:
        self._show = show
        self.plot = ResultPlot("roc", data, on_open=self.show_case)
        self.title, self.picture = w.HTML(), w.Output()
        super().__init__([self.plot, self.title, self.picture])

    def show_case(self, name: str) -> None:
        """Show a case; what goes wrong is told in its place."""
        self.title.value = f"<b>{html.escape(name)}</b>"
        self.picture.outputs = ()
        if self._show is None:
            return
        try:
            self.picture.append_display_data(_picture(self._show(name)))
        except Exception as reason:  # the reader is told, and goes on with the next case
            self.title.value = (
                f'<b>{html.escape(name)}</b> <span style="color:#b00020">{html.escape(str(reason))}</span>'
            )


def _picture(shown: Any) -> Any:
    """Return a figure as an image, so that it is shown without a drawing backend; anything else as it is."""
    if not hasattr(shown, "savefig"):
        return shown
    from IPython.display import Image

    png = BytesIO()
    shown.savefig(png, format="png")
    return Image(data=png.getvalue())


def _figure_in(folder: Path, name: str) -> Any:
    return case_figure(folder / name)


def case_figure(case_dir: str | os.PathLike[str]) -> Any:
    """Return the picture by which a case is looked up: its region in three planes of the last phase.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` or ``roi-not-accepted`` if the folder holds no accepted region.
    """
    from spinekit import workflow
    from spinekit.plotting import three_planes

    series, roi = workflow.open_series(case_dir), workflow.open_roi(case_dir)
    centre = [round(c) for c in roi.centre_ijk] if roi.mask.any() else [n // 2 for n in series.geometry.size]
    return three_planes(series.phase(-1), centre, roi, simulated=workflow.is_simulated(case_dir), title=series.name)
