"""Steps of a pipeline that choose columns. Each learns in `fit`, from the rows it is given, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from spinekit.errors import InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LassoColumns", "MrmrColumns", "StableColumns", "UncorrelatedColumns", "UsableColumns", "icc_consistency"]


def as_frame(table: Any) -> pd.DataFrame:
    """Return a table as a DataFrame of float64; columns of an array are called x0, x1, ..."""
    import pandas as pd

    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    if not isinstance(table, pd.DataFrame):
        frame.columns = [f"x{n}" for n in range(frame.shape[1])]
    return frame.astype(np.float64)


class ColumnStep(TransformerMixin, BaseEstimator):
    """What the steps share: a tuple ``columns_`` of names, learned in `fit`, kept in `transform`."""

    columns_: tuple[str, ...]

    def transform(self, X: Any) -> Any:
        """Return the columns that `fit` chose, in its order."""
        return _chosen(as_frame(X), self.columns_)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that are kept."""
        return np.asarray(self.columns_, dtype=object)


def _chosen(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ShapeMismatchError(
            found=f"The table lacks {len(absent)} columns that the model was fitted on, such as '{absent[0]}'.",
            expected="The columns of the training table.",
            cause="Features were extracted with other settings, or the table was cut.",
            cure="Extract the features with the settings of the training table.",
        )
    return frame[list(columns)]


class UsableColumns(ColumnStep):
    """Leave out columns that are mostly missing or constant; fill gaps with the training median.

    Parameters
    ----------
    missing : float
        Largest share of training rows that may be missing.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"a": [1.0, np.nan, 3.0], "flat": [2.0, 2.0, 2.0]})
    >>> UsableColumns(missing=0.5).fit_transform(table)["a"].tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(self, missing: float = 0.2) -> None:
        self.missing = missing

    def fit(self, X: Any, y: Any = None) -> UsableColumns:
        """Learn which columns can be used, and their medians."""
        import pandas as pd

        frame = as_frame(X)
        values = frame.to_numpy()
        finite = np.isfinite(values)
        low, high = np.where(finite, values, np.inf).min(axis=0), np.where(finite, values, -np.inf).max(axis=0)
        with np.errstate(invalid="ignore"):
            varies = high - low > 1e-12 * np.maximum(np.maximum(abs(low), abs(high)), 1e-300)
        usable = ((~finite).mean(axis=0) <= self.missing) & varies & finite.any(axis=0)
        self.columns_ = tuple(frame.columns[usable])
        gaps = np.where(finite, values, np.nan)[:, usable]
        self.medians_ = pd.Series(np.nanmedian(gaps, axis=0), index=list(self.columns_), dtype=np.float64)
        if not self.columns_:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"None of {frame.shape[1]} columns varies and is present in {1 - self.missing:.0%} of the rows.",
                expected="At least one usable column.",
                cause="The features may be undefined in most cases, or one case was repeated.",
                cure="Look at the feature table, or allow more missing values.",
            )
        return self

    def transform(self, X: Any) -> Any:
        """Return the usable columns with gaps filled."""
        import pandas as pd

        frame = super().transform(X)
        values = frame.to_numpy()
        filled = np.where(np.isfinite(values), values, self.medians_.to_numpy())
        return pd.DataFrame(filled, index=frame.index, columns=frame.columns)


def icc_consistency(first: Any, second: Any) -> Any:
    """Return ICC(3,1) of each column between two measurements of the same rows.

    Parameters
    ----------
    first, second : array of shape (N, P)
        The same patients twice, N of 2 or more.

    Returns
    -------
    ndarray of shape (P,)
        (MS_rows - MS_error) / (MS_rows + MS_error); NaN for a column without any variance.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428.

    Examples
    --------
    >>> icc_consistency([[1.0], [2.0], [3.0]], [[1.5], [2.5], [3.5]])
    array([1.])
    """
    values = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    n = values.shape[1]
    grand = values.mean(axis=(0, 1))
    rows = 2 * ((values.mean(axis=0) - grand) ** 2).sum(axis=0) / (n - 1)
    residual = values - values.mean(axis=0) - values.mean(axis=1)[:, None] + grand
    error = (residual**2).sum(axis=(0, 1)) / (n - 1)
    total = rows + error
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (rows - error) / total, np.nan)


class StableColumns(ColumnStep):
    """Keep columns that agree between the region and a perturbed one, in the training rows alone.

    Parameters
    ----------
    repeats : DataFrame, optional
        The same columns measured again, such as in another reader's region, by the same row index. None
        keeps every column.
    minimum : float
        Smallest ICC(3,1); 0.75 is the usual choice.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"good": [1.0, 2, 3, 4], "bad": [1.0, 2, 3, 4]})
    >>> again = pd.DataFrame({"good": [1.1, 2, 3, 4], "bad": [4.0, 1, 3, 2]})
    >>> StableColumns(repeats=again).fit(table).columns_
    ('good',)
    """

    def __init__(self, repeats: Any = None, minimum: float = 0.75) -> None:
        self.repeats = repeats
        self.minimum = minimum

    def fit(self, X: Any, y: Any = None) -> StableColumns:
        """Learn which columns are stable in these rows."""
        frame = as_frame(X)
        self.columns_ = tuple(frame.columns)
        self.icc_ = np.full(frame.shape[1], np.nan)
        if self.repeats is None:
            return self
        rows = frame.index.intersection(self.repeats.index)
        measured = [name for name in frame.columns if name in self.repeats.columns]
        if len(rows) < 3:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"{len(rows)} of {len(frame)} training rows were measured twice.",
                expected="At least 3.",
                cause="The repeats may have another index than the table.",
                cure="Give both tables the same index, one row per case.",
            )
        again = self.repeats.loc[rows, measured].astype(np.float64)
        both = frame.loc[rows, measured]
        icc = icc_consistency(both.to_numpy(), again.fillna(both).to_numpy())
        stable = {name for name, value in zip(measured, icc, strict=True) if value >= self.minimum}
        self.icc_ = np.array([dict(zip(measured, icc, strict=True)).get(name, np.nan) for name in frame.columns])
        # a clinical column is measured once: it is no matter of the region
        kept = tuple(name for name in frame.columns if name in stable or name not in self.repeats.columns)
        self.columns_ = kept or (measured[int(np.nanargmax(icc))],)
        return self


class UncorrelatedColumns(ColumnStep):
    """Of columns that tell the same (absolute correlation above a limit), keep the first.

    Parameters
    ----------
    limit : float
        Largest absolute Pearson correlation between two columns that are kept; 1 keeps all.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"a": [1.0, 2, 3], "twice": [2.0, 4, 6], "b": [1.0, 5, 2]})
    >>> UncorrelatedColumns(limit=0.9).fit(table).columns_
    ('a', 'b')
    """

    def __init__(self, limit: float = 0.9) -> None:
        self.limit = limit

    def fit(self, X: Any, y: Any = None) -> UncorrelatedColumns:
        """Learn which columns repeat others in these rows."""
        frame = as_frame(X)
        strength = np.abs(correlations(frame.to_numpy()))
        left_out = np.zeros(len(strength), dtype=bool)
        kept = []
        for n in range(len(strength)):
            if not left_out[n]:
                kept.append(n)
                left_out |= strength[n] > self.limit
        self.columns_ = tuple(frame.columns[kept])
        return self


def correlations(values: Any) -> Any:
    """Return the matrix of Pearson correlations of columns; 0 with a constant column."""
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(length > 0, length, 1.0)
    return scaled.T @ scaled


def relevance(values: Any, y: Any) -> Any:
    """Return the absolute correlation of each column with the class."""
    target = np.asarray(y, dtype=np.float64)
    return np.abs(correlations(np.column_stack([values, target]))[-1, :-1])


class MrmrColumns(ColumnStep):
    """Keep a number of columns that tell much of the class and little that another has told (mRMR).

    Parameters
    ----------
    n : int
        Number of columns.

    Notes
    -----
    Relevance and redundancy are absolute correlations; their difference is the largest at each step. (Their
    quotient prefers noise that happens to be uncorrelated with what was chosen.)

    References
    ----------
    .. [1] Ding C, Peng H. J Bioinform Comput Biol 2005;3:185-205.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> y = np.tile([0, 1], 50)
    >>> a, b = y + rng.normal(size=100), y + 2 * rng.normal(size=100)
    >>> table = pd.DataFrame({"a": a, "a_again": a + 0.01 * rng.normal(size=100), "b": b})
    >>> sorted(MrmrColumns(n=2).fit(table, y).columns_)[-1]
    'b'
    """

    def __init__(self, n: int = 8) -> None:
        self.n = n

    def fit(self, X: Any, y: Any) -> MrmrColumns:
        """Learn the columns from these rows and their classes."""
        frame = as_frame(X)
        values = frame.to_numpy()
        relevant, between = relevance(values, y), np.abs(correlations(values))
        chosen = [int(np.argmax(relevant))]
        told = np.zeros(len(relevant))
        for _ in range(min(self.n, len(relevant)) - 1):
            told += between[chosen[-1]]
            score = relevant - told / len(chosen)
            score[chosen] = -np.inf
            chosen.append(int(np.argmax(score)))
        self.columns_ = tuple(frame.columns[chosen])
        return self


class LassoColumns(ColumnStep):
    """Keep the columns that a logistic regression with an absolute penalty leaves, at most a number of them.

    Parameters
    ----------
    n : int
        Largest number of columns: the penalty is relaxed step by step as long as no more are left.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame(rng.normal(size=(60, 5)), columns=list("abcde"))
    >>> LassoColumns(n=1).fit(table, (table["c"] > 0).astype(int)).columns_
    ('c',)
    """

    def __init__(self, n: int = 8) -> None:
        self.n = n

    def fit(self, X: Any, y: Any) -> LassoColumns:
        """Learn the columns from these rows and their classes."""
        from sklearn.linear_model import LogisticRegression

        frame = as_frame(X)
        values, best = frame.to_numpy(), np.zeros(0, dtype=int)
        relevant = relevance(values, y)
        for c in np.geomspace(0.02, 5.0, 14):
            model = LogisticRegression(l1_ratio=1.0, solver="liblinear", C=c, random_state=0, max_iter=500)
            left = np.flatnonzero(model.fit(values, y).coef_[0])
            if left.size > self.n:
                break
            best = left if left.size else best
        chosen = best if best.size else np.array([int(np.argmax(relevant))])
        self.columns_ = tuple(frame.columns[sorted(chosen, key=lambda n: -relevant[n])])
        return self
