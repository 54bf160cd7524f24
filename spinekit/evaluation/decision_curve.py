"""Net benefit of acting on a prediction, against acting on everybody and on nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.evaluation.outcomes import labels_and_scores, require_probabilities

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["net_benefit"]


def net_benefit(labels: Any, probabilities: Any, *, thresholds: Sequence[float]) -> pd.DataFrame:
    """Return net benefit, true positives / N - false positives / N × t / (1 - t), at each threshold t.

    Parameters
    ----------
    labels, probabilities : array of shape (N,)
        0 or 1, and the predicted probability of 1.
    thresholds : sequence of float
        Above 0 and below 1; a patient at or above one is treated.

    Returns
    -------
    pandas.DataFrame
        Index ``threshold``; columns ``model``, ``all`` (everybody treated), ``none`` (zero).

    References
    ----------
    .. [1] Vickers AJ, Elkin EB. Med Decis Making 2006;26:565-574.

    Examples
    --------
    >>> table = net_benefit([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], thresholds=[0.5])
    >>> float(table.loc[0.5, "model"]), float(table.loc[0.5, "all"])
    (0.25, 0.0)
    """
    import pandas as pd

    truth, probability = labels_and_scores(labels, probabilities)
    require_probabilities(probability)
    levels = np.asarray(thresholds, dtype=np.float64)
    if levels.size == 0 or not ((levels > 0) & (levels < 1)).all():
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The thresholds are {levels.tolist()}.",
            expected="Probabilities above 0 and below 1.",
            cause="At 0 and 1 the odds are zero and infinite.",
            cure="Start at 0.01 and end at 0.99.",
        )
    weight = levels / (1 - levels)
    treated = probability[None, :] >= levels[:, None]
    model = (treated & truth).mean(axis=1) - (treated & ~truth).mean(axis=1) * weight
    everybody = truth.mean() - (1 - truth.mean()) * weight
    index = pd.Index(levels, name="threshold")
    return pd.DataFrame({"model": model, "all": everybody, "none": 0.0}, index=index)
