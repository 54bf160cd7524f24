"""Steps of a pipeline that choose columns. Each learns in `fit`, from the rows it is given, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from spinekit.errors import InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LassoColumns", "MrmrColumns", "StableColumns", "UncorrelatedColumns", "UsableColumns"]

FEWEST_TWICE = 3  # rows without which there is no intraclass correlation


def as_frame(table: Any) -> pd.DataFrame:
    """Return a table as a DataFrame of float64; columns of an array are called x0, x1, ..."""
    import pandas as pd

    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    if not isinstance(table, pd.DataFrame):
        frame.columns = [f"x{n}" for n in range(frame.shape[1])]
    words = [str(name) for name, kind in frame.dtypes.items() if kind.kind not in "biuf"]
    try:
        return frame.astype(np.float64)
    except (ValueError, TypeError) as reason:
        raise InputRefusedError(
            "table-invalid",
            found=f"The columns {', '.join(words[:5])} hold words.",
            expected="Features as numbers, empty where they are missing.",
            cause="Names of cases, patients and sites, the class, or a clinical variable in words are in the table.",
            cure="Hand over the columns of features alone, and clinical variables coded as numbers.",
        ) from reason


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


class StableColumns(ColumnStep):
    """Keep columns that agree between the region and perturbed ones, in the training rows alone.

    Parameters
    ----------
    repeats : DataFrame or mapping of str to DataFrame, optional
        The same columns measured again, such as in another reader's region, by the same row index; several
        ways of measuring by name. None keeps every column. A row that was not measured in every way is left out.
    minimum : float
        Smallest ICC; 0.75 is the usual choice.
    agreement : {"icc2", "icc3"}
        ICC(2,1), absolute agreement, or ICC(3,1), which forgives an offset between the ways of measuring.
    site : str
        A column that is passed on for a later step, whatever it holds.

    Notes
    -----
    A column that the repeats do not have is kept: a clinical column is measured once, and is no matter of the region.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"good": [1.0, 2, 3, 4], "bad": [1.0, 2, 3, 4]})
    >>> again = pd.DataFrame({"good": [1.1, 2, 3, 4], "bad": [4.0, 1, 3, 2]})
    >>> StableColumns(repeats=again).fit(table).columns_
    ('good',)
    """

    def __init__(
        self, repeats: Any = None, minimum: float = 0.75, agreement: str = "icc2", site: str = ""
    ) -> None:  # fmt: skip
        self.repeats = repeats
        self.minimum = minimum
        self.agreement = agreement
        self.site = site

    def _features(self, X: Any) -> Any:
        return as_frame(X.drop(columns=self.site) if self.site else X)

    def transform(self, X: Any) -> Any:
        """Return the columns that `fit` chose, and the site's as it is."""
        kept = _chosen(self._features(X), self.columns_)
        return kept.assign(**{self.site: X[self.site]}) if self.site else kept

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that are kept."""
        return np.asarray([*self.columns_, *([self.site] if self.site else [])], dtype=object)

    def fit(self, X: Any, y: Any = None) -> StableColumns:
        """Learn which columns are stable in these rows."""
        from spinekit.radiomics.reliability import reliability

        frame = self._features(X)
        self.columns_ = tuple(frame.columns)
        self.icc_ = np.full(frame.shape[1], np.nan)
        if self.repeats is None:
            return self
        again = [self.repeats] if hasattr(self.repeats, "columns") else list(self.repeats.values())
        rows, measured = frame.index, list(frame.columns)
        for table in again:
            rows = rows.intersection(table.index)
            measured = [name for name in measured if name in table.columns]
        if len(rows) < FEWEST_TWICE:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"{len(rows)} of {len(frame)} training rows were measured in all {len(again) + 1} ways.",
                expected=f"At least {FEWEST_TWICE}.",
                cause="The repeats may have another index than the table.",
                cure="Give both tables the same index, one row per case.",
            )
        values = np.stack([t.loc[rows, measured].to_numpy(dtype=np.float64) for t in (frame, *again)], axis=1)
        icc = dict(zip(measured, reliability(values)[self.agreement].tolist(), strict=True))
        self.icc_ = np.array([icc.get(name, np.nan) for name in frame.columns])
        kept = tuple(name for name in frame.columns if name not in icc or icc[name] >= self.minimum)
        self.columns_ = kept or (max(measured, key=lambda name: np.nan_to_num(icc[name], nan=-np.inf)),)
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
