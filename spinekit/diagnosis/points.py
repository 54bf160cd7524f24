"""A nomogram: points per predictor, their sum, and the risk that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.formula import LinearModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Nomogram", "NomogramAxis", "nomogram"]

MOST_POINTS = 100.0


@dataclass(frozen=True)
class NomogramAxis:
    """One predictor: points at its low and high end; the line between is straight."""

    name: str
    low: float
    high: float
    points_low: float
    points_high: float

    def points(self, value: Any) -> Any:
        """Return the points of a value, which may lie outside the axis."""
        share = (np.asarray(value, dtype=np.float64) - self.low) / (self.high - self.low)
        return self.points_low + share * (self.points_high - self.points_low)


@dataclass(frozen=True)
class Nomogram:
    """Axes, and the straight line from total points to log odds.

    ``log odds = offset + points × per_point``.
    """

    axes: tuple[NomogramAxis, ...]
    offset: float
    per_point: float
    outcome: str

    def total(self, table: pd.DataFrame) -> Any:
        """Return the total points of each row."""
        return sum(axis.points(table[axis.name].to_numpy(dtype=np.float64)) for axis in self.axes)

    def risk(self, points: Any) -> Any:
        """Return the probability that belongs to total points."""
        return 1.0 / (1.0 + np.exp(-(self.offset + np.asarray(points, dtype=np.float64) * self.per_point)))

    @property
    def most(self) -> float:
        """Total points at the unfavourable end of every axis."""
        return float(sum(max(axis.points_low, axis.points_high) for axis in self.axes))


def nomogram(model: LinearModel, table: pd.DataFrame, *, percentiles: tuple[float, float] = (2.0, 98.0)) -> Nomogram:
    """Turn a formula into a nomogram whose longest axis runs from 0 to 100 points.

    Parameters
    ----------
    model : LinearModel
    table : DataFrame
        Rows whose values set the ends of the axes.
    percentiles : tuple of float
        Where the axes end.

    Notes
    -----
    The risk read off is the model's own, to rounding: points are an exact change of scale.

    Examples
    --------
    >>> import pandas as pd
    >>> model = LinearModel(("a",), (0,), (0,), (1,), (2.0,), -1.0, ("no", "yes"), {})
    >>> table = pd.DataFrame({"a": [0.0, 1.0, 2.0]})
    >>> scale = nomogram(model, table, percentiles=(0, 100))
    >>> [float(v) for v in scale.total(table)]
    [0.0, 50.0, 100.0]
    """
    weights = np.asarray(model.coefficients) / np.asarray(model.scales)
    ends = []
    for name, weight, median in zip(model.columns, weights, model.medians, strict=True):
        values = table[name].to_numpy(dtype=np.float64)
        low, high = np.percentile(values[np.isfinite(values)], percentiles) if np.isfinite(values).any() else (0.0, 1.0)
        if not high > low:
            low, high = median - 0.5, median + 0.5
        ends.append((name, float(low), float(high), float(weight)))
    widest = max(abs(weight) * (high - low) for _, low, high, weight in ends) or 1.0
    per_point = widest / MOST_POINTS
    axes, offset = [], model.intercept - float(np.dot(weights, model.means))
    for name, low, high, weight in ends:
        zero = low if weight >= 0 else high  # the end that gives no points
        offset += weight * zero
        axes.append(
            NomogramAxis(name, low, high, weight * (low - zero) / per_point, weight * (high - zero) / per_point)
        )
    return Nomogram(tuple(axes), offset, per_point, model.classes[1])
