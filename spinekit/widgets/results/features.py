"""Features phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.widgets.results.plot import ResultPlot
from spinekit.widgets.viewer import unattended

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["feature_explorer"]


def feature_explorer(table: pd.DataFrame, *, n_baseline: int = 1, simulated: bool = False, twin: bool = True) -> Any:
    """Show every feature of a region over the phases: find one by its name, read its values under the mouse.

    Parameters
    ----------
    table : pandas.DataFrame
        Tidy, as of `spinekit.radiomics.over_time.features_over_time`: ``phase``, ``time_s``, ``feature``, ``value``.
    n_baseline : int
        Phases before the contrast agent.
    simulated : bool
        Stamp the plot as simulated.

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
        from spinekit.plotting.feature_stability import feature_curves_panels

        return feature_curves_panels(table, n_baseline=n_baseline, simulated=simulated)
    wide = table.pivot(index="time_s", columns="feature", values="value").sort_index()
    order = list(dict.fromkeys(table["feature"]))
    features = [{"name": name, "values": wide[name].to_numpy(dtype=np.float64)} for name in order]
    data = {"simulated": simulated, "times": wide.index.to_numpy(), "features": features, "nBaseline": n_baseline}
    return ResultPlot("features", data)
