"""Which features survive when the region, the image or the protocol is a little other than it was.

A measurement table per perturbation goes in; the intraclass correlation of every feature comes out, and a filter
that a pipeline fits on the cases of its training fold alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.radiomics.catalogue import feature_columns, parts_of
from spinekit.radiomics.recipe import one_of
from spinekit.radiomics.reliability import COLUMNS, reliability

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PUBLISHED_SHARE", "THRESHOLD", "kind_of", "spread_of_one_case", "stability_by_kind", "stability_table",
    "stable_features", "survival",
]  # fmt: skip

THRESHOLD = 0.75
PUBLISHED_SHARE = 0.764  # Gitto 2022: 76.4 % of 1702 features with an ICC above 0.75
REFERENCE = "reference"


def kind_of(perturbation: str) -> str:
    """Return the kind of a perturbation's name, ``"seed"`` of ``"seed: 2"``."""
    return perturbation.split(":")[0].strip()


def _stacked(
    measurements: Mapping[str, pd.DataFrame], cases: Iterable[object] | None, names: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    if len(names) < 2:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{len(names)} way of measuring was given: {', '.join(names) or 'none'}.",
            expected="At least two tables: the reference and one perturbation.",
            cause="The perturbations may all have failed, or only the reference was measured.",
            cure="Give one feature table per perturbation.",
        )
    first = measurements[names[0]]
    columns = [c for c in feature_columns(first.columns) if all(c in measurements[n].columns for n in names)]
    wanted = list(first.index) if cases is None else list(cases)
    known = set(first.index)
    for case in wanted:
        if case not in known:
            raise InputRefusedError(
                "table-invalid",
                found=f"The case {case!r} is not in the measurements.",
                expected="Cases that were measured under every perturbation.",
                cause="The fold may name cases of another table.",
                cure="Measure the case, or leave it out of cases=.",
            )
    return np.stack([measurements[n].reindex(wanted)[columns].to_numpy(dtype=float) for n in names], axis=1), columns


def stability_table(
    measurements: Mapping[str, pd.DataFrame],
    *,
    cases: Iterable[object] | None = None,
    threshold: float = THRESHOLD,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return how far every feature agrees over all perturbations.

    Parameters
    ----------
    measurements : mapping of str to DataFrame
        Name of the perturbation, such as ``"reference"``, ``"seed: 1"``, ``"erosion: 1 mm"``, to a table of one row
        per case (index) with feature columns as `spinekit.radiomics.wide_row` names them. A case that could
        not be measured has no row or NaN, and is left out of the features concerned.
    cases : iterable, optional
        Cases to look at: those of the training fold, where the filter is part of a pipeline.
    threshold : float
        A feature is stable if its ICC(2,1) lies above.
    confidence : float
        Of the limits.

    Returns
    -------
    DataFrame
        Index ``column``; ``family``, ``filter``, ``image``, the columns of `reliability`, ``stable`` (ICC above the
        threshold) and ``surely_stable`` (its lower limit too).

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` with fewer than two tables; ``table-invalid`` for a case that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=12)
    >>> tables = {name: pd.DataFrame({"original_glcm_Id": truth + rng.normal(scale=0.1, size=12),
    ...                               "original_glcm_MCC": rng.normal(size=12)}) for name in ("reference", "seed: 1")}
    >>> stability_table(tables)["stable"].to_dict()
    {'original_glcm_Id': True, 'original_glcm_MCC': False}
    """
    import pandas as pd

    values, columns = _stacked(measurements, cases, list(measurements))
    found = reliability(values, confidence=confidence)
    parts = [parts_of(column) for column in columns]
    table = pd.DataFrame({name: found[name] for name in COLUMNS}, index=pd.Index(columns, name="column"))
    for place, (position, name) in enumerate(((0, "image"), (1, "filter"), (2, "family"))):
        table.insert(place, name, [part[position] if part else "" for part in parts])
    table["n_cases"] = table["n_cases"].astype(int)
    table["stable"] = table["icc2"] > threshold
    table["surely_stable"] = table["icc2_low"] > threshold
    return table


def stable_features(
    measurements: Mapping[str, pd.DataFrame],
    *,
    cases: Iterable[object] | None = None,
    threshold: float = THRESHOLD,
    bound: str = "estimate",
) -> list[str]:
    """Return the columns that survive every perturbation: the filter to be fitted inside a fold.

    Parameters
    ----------
    measurements, cases, threshold
        As of `stability_table`. Give `cases` the training cases of the fold: a filter that has seen the test
        cases leaks.
    bound : {"estimate", "lower"}
        Whether the ICC itself or its lower confidence limit has to lie above the threshold.

    Returns
    -------
    list of str
        In the order of the tables' columns.
    """
    one_of(bound, ("estimate", "lower"), what="The bound")
    table = stability_table(measurements, cases=cases, threshold=threshold)
    kept = table["stable" if bound == "estimate" else "surely_stable"]
    return [str(column) for column in table.index[kept]]


def stability_by_kind(
    measurements: Mapping[str, pd.DataFrame], *, cases: Iterable[object] | None = None
) -> pd.DataFrame:
    """Return the ICC(2,1) of every feature under each kind of perturbation by itself, with the reference.

    Parameters
    ----------
    measurements, cases
        As of `stability_table`; there must be a table ``"reference"``.

    Returns
    -------
    DataFrame
        Index ``column``, one column per kind in the order of the tables.
    """
    import pandas as pd

    if REFERENCE not in measurements:
        raise InputRefusedError(
            "table-invalid",
            found=f"The tables are {', '.join(measurements) or 'none'}.",
            expected=f"One of them named '{REFERENCE}'.",
            cause="The unperturbed measurement is missing.",
            cure=f"Measure the regions as they are, under the name '{REFERENCE}'.",
        )
    kinds = dict.fromkeys(kind_of(name) for name in measurements if name != REFERENCE)
    found = {}
    for kind in kinds:
        names = [REFERENCE, *(n for n in measurements if n != REFERENCE and kind_of(n) == kind)]
        values, columns = _stacked(measurements, cases, names)
        found[kind] = pd.Series(reliability(values)["icc2"], index=columns)
    return pd.DataFrame(found).rename_axis("column")


def survival(iccs: pd.DataFrame, *, by: str = "family", threshold: float = THRESHOLD) -> pd.DataFrame:
    """Return the share of features whose ICC lies above the threshold, by family, filter or image.

    Parameters
    ----------
    iccs : DataFrame
        From `stability_by_kind`, or `stability_table` (its ``icc2``, as the kind ``all``).
    by : {"family", "filter", "image"}
        What rows are.
    threshold : float
        Of the ICC.

    Returns
    -------
    DataFrame
        Index the families (or filters, images) and ``all``; one column per kind with the share, 0 to 1, and
        ``n_features``. A feature without an ICC counts as not stable; the share is NaN where no feature has one.
    """
    position = {"image": 0, "filter": 1, "family": 2}[one_of(by, ("family", "filter", "image"), what="The grouping")]
    kinds = iccs[["icc2"]].rename(columns={"icc2": "all"}) if "icc2" in iccs.columns else iccs
    groups = [part[position] if (part := parts_of(str(c))) else "" for c in kinds.index]
    above = (kinds > threshold).astype(float)
    above.loc[:, kinds.isna().all()] = np.nan  # fewer than three cases could be measured in this way
    table = above.groupby(groups, sort=False).mean()
    table.loc["all"] = above.mean()
    counts = above.groupby(groups, sort=False).size()
    table["n_features"] = [*counts.loc[table.index[:-1]], len(above)]
    return table.rename_axis(by)


def spread_of_one_case(measurements: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return how far the features of one lesion move under perturbation; a single case has no ICC.

    Parameters
    ----------
    measurements : mapping of str to Series
        Name of the perturbation to the features of the case, ``"reference"`` among them.

    Returns
    -------
    DataFrame
        Index ``column``; ``family``, ``reference``, ``sd`` over all measurements, ``cv`` (SD over the absolute mean;
        NaN where the mean is zero), ``largest_change`` (share of the reference) and ``by``, the perturbation with it.
    """
    import pandas as pd

    table = pd.DataFrame(dict(measurements))
    table = table.loc[feature_columns(table.index)]
    reference = table[REFERENCE]
    mean = table.mean(axis=1)
    change = table.drop(columns=REFERENCE).sub(reference, axis=0).abs()
    size = reference.abs().where(reference != 0)
    undefined = change.isna().all(axis=1)
    return pd.DataFrame(
        {
            "family": [part[2] if (part := parts_of(str(c))) else "" for c in table.index],
            "reference": reference,
            "sd": table.std(axis=1),
            "cv": table.std(axis=1) / mean.abs().where(mean != 0),
            "largest_change": change.max(axis=1) / size,
            "by": change.fillna(-1.0).idxmax(axis=1).where(~undefined, ""),
        }
    ).rename_axis("column")
