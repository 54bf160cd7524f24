"""The probability of a case, its limits, and the cases it is held against."""

from __future__ import annotations

from typing import Any

from spinekit.case import Diagnosis
from spinekit.widgets.results.plot import ResultPlot
from spinekit.widgets.viewer import unattended

__all__ = ["probability_explorer"]

WORDS = (
    "Dot and line: the probability, and the lowest and highest over the views that were put to the model. Bars: "
    "calibration cases, all simulated. No output of spinekit is a diagnosis."
)


def probability_explorer(diagnosis: Diagnosis, *, simulated: bool = False, twin: bool = True) -> Any:
    """Show the class probability with its limits among the calibration cases, with a threshold to move.

    Parameters
    ----------
    diagnosis : Diagnosis
        Its record holds the calibration cases by class under ``reference``.
    simulated : bool
        Whether the case itself is simulated.

    twin : bool
        Give the static figure in an unattended run; False where it stands beside the plot already.

    Returns
    -------
    ResultPlot, matplotlib.figure.Figure or None
        A figure, or nothing, in an unattended run.
    """
    if unattended() and not twin:
        return None
    if unattended():
        from spinekit.plotting.diagnosis import diagnosis_overview

        return diagnosis_overview(diagnosis, simulated=simulated)
    classes = list(diagnosis.probabilities)
    reference = diagnosis.record.get("reference", {})
    data = {
        "simulated": simulated,
        "classes": classes,
        "probability": float(diagnosis.probabilities[classes[-1]]),
        "interval": list(diagnosis.interval),
        "reference": [[float(v) for v in reference.get(name, ())] for name in classes],
        "words": f"{diagnosis.reason} {WORDS}".strip(),
    }
    return ResultPlot("probability", data)
