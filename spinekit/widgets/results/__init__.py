"""Result plots that answer to the mouse. Each takes plain values and, in an unattended run, gives its static twin.

What is computed in Python is what the static figure shows; the browser only draws it, so that every answer is instant.
"""

from spinekit.widgets.results.cohort import case_figure, roc_explorer
from spinekit.widgets.results.diagnosis import probability_explorer
from spinekit.widgets.results.features import feature_explorer
from spinekit.widgets.results.growing import growing_film
from spinekit.widgets.results.maps import map_explorer
from spinekit.widgets.results.pair import region_pair
from spinekit.widgets.results.plot import ResultPlot
from spinekit.widgets.results.study import study_roc

__all__ = [
    "ResultPlot",
    "case_figure",
    "feature_explorer",
    "growing_film",
    "map_explorer",
    "probability_explorer",
    "region_pair",
    "roc_explorer",
    "study_roc",
]
