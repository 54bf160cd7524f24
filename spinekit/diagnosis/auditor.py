"""The leakage auditor: whether anything that is tested has a way into what was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.audit_columns import leaks_in_columns
from spinekit.diagnosis.audit_finding import LEAKS, AuditReport, Finding
from spinekit.diagnosis.audit_fitting import leaks_by_fitting, leaks_of_procedure, search_leak, threshold_leak
from spinekit.diagnosis.audit_rows import leaks_between_rows
from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["audit"]

NEEDS = {
    "folds": ("row-in-train-and-test",),
    "folds and patient": ("patient-in-two-folds",),
    "folds and time": ("training-after-test",),
    "inner": ("tuned-on-test",),
    "threshold": ("threshold-on-test",),
    "site": ("site-as-proxy", "harmonisation-outside-fold"),
    "procedure": ("test-labels-used", "test-rows-used"),
}


def audit(
    pipeline: Any,
    table: pd.DataFrame,
    *,
    target: Any,
    patient: Any = None,
    site: Any = None,
    time: Any = None,
    folds: Any = None,
    inner: Any = None,
    features: Sequence[str] | None = None,
    candidates: pd.DataFrame | None = None,
    fitted: Mapping[str, Any] | None = None,
    scores: Any = None,
    threshold: float | None = None,
    procedure: Callable[..., Any] | None = None,
    seed: int = 0,
) -> AuditReport:
    """Look for the classical leaks of a study.

    Parameters
    ----------
    pipeline : scikit-learn estimator or None
        Unfitted, as it is fitted in each fold. A step that is fitted already is a finding.
    table : DataFrame of shape (N, P)
        As it is handed to the pipeline, with or without the columns named by the next four.
    target, patient, site, time : str or array of shape (N,)
        The class (two values), pseudonym, site and date of each row: the name of a column or the values.
        Giving `time` says that folds have to respect it.
    folds : sequence of (train, test), of `NestedSplit`, or array of shape (N,)
        Row numbers of each fold, nested splits (whose inner folds are looked at too), or the number of the
        fold in which each row is tested.
    inner : sequence of sequence of (train, validation), optional
        Inner folds of each fold, numbered as the whole table.
    features : sequence of str, optional
        Columns that the pipeline sees; if not given all but target, patient and time, and but a site named
        as a column, which ComBat or stratification may need: name it here if the classifier sees it.
    candidates : DataFrame, optional
        The table before columns were chosen, if they were.
    fitted : mapping of str to array, optional
        Steps that were carried out before: name -> numbers of the rows they were fitted on, or ``"all"``.
    scores, threshold : array of shape (N,) and float, optional
        Predictions of test rows and the threshold that was applied to them.
    procedure : callable, optional
        ``procedure(table, labels, train, test)`` -> predictions of the test rows. It is run three times, with
        test rows and their labels changed, and has to give the same.
    seed : int
        Of the changes made to test rows.

    Returns
    -------
    AuditReport
        ``findings`` with codes out of `spinekit.diagnosis.LEAKS`; empty if nothing was found, which is no
        proof that there is nothing.

    Raises
    ------
    InputRefusedError
        ``shape-mismatch``, ``table-invalid`` for a column that is not there, ``value-out-of-range`` for a
        target that has not two classes.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame(rng.normal(5, 2, size=(40, 3)), columns=list("abc"))
    >>> table["patient"] = np.repeat(np.arange(20), 2)
    >>> y = np.repeat(np.tile([0, 1], 10), 2)
    >>> by_row = [(np.arange(0, 40, 2), np.arange(1, 40, 2))]
    >>> audit(None, table, target=y, patient="patient", folds=by_row).codes
    ('patient-in-two-folds',)
    """
    named = {"target": target, "patient": patient, "site": site, "time": time}
    given = {key: _column(table, key, value) for key, value in named.items()}
    y = _classes(given["target"])
    apart = {value for key, value in named.items() if isinstance(value, str)}
    chosen = list(features) if features is not None else [c for c in table.columns if c not in apart]
    seen = table[_present(table, chosen)]
    numeric = seen[[c for c in seen.columns if seen[c].dtype.kind in "biuf"]].astype(np.float64)
    parts, nested = _folds(folds, len(table))
    within = inner if inner is not None else nested
    values = _standardised(numeric)
    before = dict(fitted or {})
    findings: list[Finding] = [
        *leaks_between_rows(values, y, patients=given["patient"], times=given["time"], folds=parts, inner=within),
        *leaks_in_columns(seen, y, sites=given["site"], site_column=site if isinstance(site, str) else "",
                          patients=given["patient"]),
        *leaks_by_fitting(pipeline, numeric, y, sites=given["site"], folds=parts, fitted=before, candidates=candidates),
    ]  # fmt: skip
    if threshold is not None and scores is not None:
        findings.extend(threshold_leak(y, scores, threshold, folds=parts))
    findings.extend(search_leak(pipeline, parts))
    if procedure is not None and parts:
        findings.extend(leaks_of_procedure(procedure, table, y, parts, seed=seed))
    have = {
        "folds": bool(parts), "folds and patient": bool(parts) and patient is not None,
        "folds and time": bool(parts) and time is not None, "inner": within is not None,
        "threshold": threshold is not None, "site": site is not None, "procedure": procedure is not None,
    }  # fmt: skip
    unchecked = {code for need, codes in NEEDS.items() if not have[need] for code in codes}
    return AuditReport(tuple(_once(findings)), tuple(code for code in LEAKS if code not in unchecked))


def _once(findings: list[Finding]) -> list[Finding]:
    """Leave out a finding of the same code and words, and copies that an oversampling explains."""
    unique = list(dict.fromkeys(findings))
    codes = {finding.code for finding in unique}
    if "oversampling-outside-fold" in codes:
        unique = [f for f in unique if f.code != "duplicate-across-folds"]
    return unique


def _column(table: Any, what: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return table[_present(table, [value])[0]].to_numpy()
    array = np.asarray(value)
    if array.shape != (len(table),):
        raise InputRefusedError(
            "shape-mismatch",
            found=f"{what} has shape {array.shape} for a table of {len(table)} rows.",
            expected="One value per row, or the name of a column.",
            cause="Rows were left out of one of them.",
            cure="Take both from the same table.",
        )
    return array


def _present(table: Any, names: list[str]) -> list[str]:
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise InputRefusedError(
            "table-invalid",
            found=f"The table has no column '{absent[0]}'.",
            expected=f"One of its {table.shape[1]} columns.",
            cause="The name may be misspelt.",
            cure="Correct it, or give the values as an array.",
        )
    return names


def _classes(target: Any) -> Any:
    kinds = np.unique(target)
    if kinds.size != 2:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The target has {kinds.size} classes.",
            expected="Two.",
            cause="A column may have gaps, or hold the disease instead of the group.",
            cure="Give a target of two values.",
        )
    return (np.asarray(target) == kinds[1]).astype(int)


def _folds(folds: Any, n: int) -> tuple[tuple[tuple[Any, Any], ...], Any]:
    """Return the folds as pairs of row numbers, and their inner folds if they are nested splits."""
    if folds is None:
        return (), None
    items = list(folds)
    if items and np.isscalar(items[0]):
        number = np.asarray(items)
        if number.shape != (n,):
            raise InputRefusedError(
                "shape-mismatch",
                found=f"There are {number.size} fold numbers for {n} rows.",
                expected="One per row, or a list of (train, test).",
                cause="Rows were left out.",
                cure="Give a fold for each row.",
            )
        return tuple((np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in np.unique(number)), None
    nested = [item.inner for item in items] if items and hasattr(items[0], "inner") else None
    pairs = [(item.train, item.test) if hasattr(item, "train") else (item[0], item[1]) for item in items]
    return tuple((_rows(train), _rows(test)) for train, test in pairs), nested


def _rows(part: Any) -> Any:
    array = np.asarray(part)
    return np.flatnonzero(array) if array.dtype == bool else array.astype(int)


def _standardised(numeric: Any) -> Any:
    values = numeric.to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nanstd(values, axis=0) if values.size else np.zeros(values.shape[1])
        scaled = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1.0) if values.size else values
    return np.where(np.isfinite(scaled), scaled, 0.0)
