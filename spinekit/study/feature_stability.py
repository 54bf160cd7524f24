"""How many of a study's features survive another reader and another border; each fold fits its own filter of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.radiomics import PUBLISHED_SHARE
from spinekit.radiomics.reliability import reliability

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["stability_of_study", "stability_sentence"]

FAMILY = re.compile(r"(?:^|_)(shape|firstorder|glcm|glrlm|glszm)_")


def stability_of_study(table: pd.DataFrame, repeats: Mapping[str, pd.DataFrame] | None, *, minimum: float) -> Any:
    """Return the share of features with an ICC(2,1) of at least a minimum, by family.

    Parameters
    ----------
    table : DataFrame
        Features of internal cases, by name of the case.
    repeats : mapping of str to DataFrame or None
        The same measured otherwise.
    minimum : float

    Returns
    -------
    DataFrame
        Index ``family``: ``features``, ``cases`` measured in every way, the share for each way of measuring alone and
        for ``all ways``. Empty without repeats.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"map_original_glcm_Id": [1.0, 2, 3, 4], "shape_Flatness": [1.0, 2, 3, 4]})
    >>> again = table.assign(shape_Flatness=[4.0, 1, 3, 2])
    >>> stability_of_study(table, {"reader": again}, minimum=0.75)["all ways"].to_dict()
    {'glcm': 1.0, 'shape': 0.0, 'all': 0.5}
    """
    import pandas as pd

    if not repeats:
        return pd.DataFrame()
    columns = [c for c in table.columns if all(c in again.columns for again in repeats.values())]
    rows = [name for name in table.index if all(name in again.index for again in repeats.values())]
    families = [found[1] if (found := FAMILY.search(c)) else "other" for c in columns]
    shares = {}
    for way, names in {**{name: [name] for name in repeats}, "all ways": list(repeats)}.items():
        values = np.stack([t.loc[rows, columns].to_numpy(dtype=np.float64)
                           for t in (table, *(repeats[name] for name in names))], axis=1)  # fmt: skip
        shares[way] = (reliability(values)["icc2"] >= minimum).astype(float)  # without an ICC: not stable
    found = pd.DataFrame(shares, index=columns)
    grouped = found.groupby(families, sort=False)
    result = grouped.mean()
    result.loc["all"] = found.mean()
    result.insert(0, "features", [*grouped.size().loc[result.index[:-1]], len(columns)])
    result.insert(1, "cases", len(rows))
    return result.rename_axis("family")


def stability_sentence(shares: pd.DataFrame, *, minimum: float) -> str:
    """Return what the table says, beside the published share."""
    row = shares.loc["all"]
    ways = [c for c in shares.columns if c not in ("features", "cases", "all ways")]
    return (
        f"{100 * row['all ways']:.1f} % of {int(row['features'])} features have an ICC(2,1) of at least {minimum:g} "
        f"over {' and '.join(ways)} ({int(row['cases'])} internal cases; published for other tumours and readers: "
        f"{100 * PUBLISHED_SHARE:.1f} % of 1702). Every fold fits this filter on its own training cases."
    )
