"""What every column of a feature table means: family, meaning, where the formula stands, IBSI tag.

A column is named as pyradiomics names it, ``original_glcm_Contrast``; in a wide table the map or phase stands in
front, ``wash_in_slope_original_glcm_Contrast``, and in a table over time what was taken of the curve,
``delta_peak_original_glcm_Contrast``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from spinekit.radiomics.catalogue_texts import MEANINGS
from spinekit.radiomics.ibsi_tags import FIRST_ORDER, SHAPE, TEXTURE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FAMILY_WORDS", "describe_features", "feature_columns", "parts_of", "wide_row"]

FAMILY_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "shape": ("shape of the region", "3.1"),
        "shape2D": ("shape of the region in its slice", ""),
        "firstorder": ("histogram of intensities", "3.3 and 3.4"),
        "glcm": ("grey-level co-occurrence matrix", "3.6"),
        "glrlm": ("grey-level run length matrix", "3.7"),
        "glszm": ("grey-level size zone matrix", "3.8"),
        "ngtdm": ("neighbourhood grey-tone difference matrix", "3.10"),
        "gldm": ("grey-level dependence matrix", "3.11"),
    }
)
"""Each family in words, and its chapter in the reference manual of IBSI (arXiv 1612.07003)."""

_COLUMN = re.compile(
    r"^(?:(?P<image>.+)_)?(?P<filter>original|wavelet-[LH]{1,3}|log-sigma-[0-9-]+-mm-[23]D)_"
    r"(?P<family>shape2D|shape|firstorder|glcm|glrlm|glszm|gldm|ngtdm)_(?P<feature>[A-Za-z0-9]+)$"
)


def parts_of(column: str) -> tuple[str, str, str, str] | None:
    """Return image (empty if none), filter, family and feature of a column; None if it is no feature.

    Examples
    --------
    >>> parts_of("phase_03_wavelet-LLH_glcm_Contrast")
    ('phase_03', 'wavelet-LLH', 'glcm', 'Contrast')
    >>> parts_of("n_voxels") is None
    True
    """
    found = _COLUMN.match(column)
    if found is None:
        return None
    return found["image"] or "", found["filter"], found["family"], found["feature"]


def feature_columns(columns: Iterable[str]) -> list[str]:
    """Return those of the columns that are features, in their order."""
    return [str(column) for column in columns if parts_of(str(column)) is not None]


def _tags() -> dict[tuple[str, str], str]:
    by_family = {"shape": SHAPE, "firstorder": FIRST_ORDER, **TEXTURE}
    found: dict[tuple[str, str], str] = {}
    for family, tags in by_family.items():
        for tag, feature in tags.items():
            known = found.get((family, feature))
            found[family, feature] = f"{known}, {tag}" if known else tag
    return found


def describe_features(columns: Iterable[str]) -> pd.DataFrame:
    """Describe every feature among some columns.

    Parameters
    ----------
    columns : iterable of str
        Columns of a feature table, wide or one row per image; what is no feature is left out.

    Returns
    -------
    DataFrame
        Index ``column``; ``image`` (map, phase or what was taken over time), ``filter``, ``family``,
        ``family_words``, ``feature``, ``meaning``, ``formula`` (method of pyradiomics 3.0.1 that holds it, and chapter
        of the manual of IBSI), ``ibsi_tag`` (stem; empty if IBSI has no counterpart).

    Examples
    --------
    >>> table = describe_features(["n_voxels", "wash_in_slope_original_glcm_Contrast"])
    >>> table.loc["wash_in_slope_original_glcm_Contrast", ["family", "ibsi_tag"]].tolist()
    ['glcm', 'cm_contrast']
    """
    import pandas as pd

    tags, rows = _tags(), []
    for column in dict.fromkeys(str(c) for c in columns):
        parts = parts_of(column)
        if parts is None:
            continue
        image, image_filter, family, feature = parts
        words, chapter = FAMILY_WORDS[family]
        formula = f"radiomics.{family}.get{feature}FeatureValue"
        rows.append(
            {
                "column": column,
                "image": image,
                "filter": image_filter,
                "family": family,
                "family_words": words,
                "feature": feature,
                "meaning": MEANINGS[family].get(feature, ""),
                "formula": f"{formula}; IBSI {chapter}" if chapter else formula,
                "ibsi_tag": tags.get((family, feature), ""),
            }
        )
    names = ("image", "filter", "family", "family_words", "feature", "meaning", "formula", "ibsi_tag")
    return pd.DataFrame(rows, columns=["column", *names]).set_index("column")


def wide_row(table: pd.DataFrame) -> pd.Series:
    """Return one row for a case from a table of one row per image: the map or phase in front of the name.

    Shape describes the region, whatever the image, so that it stands there once and without an image.

    Parameters
    ----------
    table : DataFrame
        From `spinekit.extract_features`, with one aggregation.

    Returns
    -------
    Series of float

    Examples
    --------
    >>> import pandas as pd
    >>> columns = ["original_shape_Sphericity", "original_glcm_Contrast"]
    >>> table = pd.DataFrame([[0.8, 5.0], [0.8, 6.0]], index=["wash_in_slope", "phase_03"], columns=columns)
    >>> wide_row(table).to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'original_shape_Sphericity': 0.8, 'wash_in_slope_original_glcm_Contrast': 5.0,
     'phase_03_original_glcm_Contrast': 6.0}
    """
    import pandas as pd

    columns = feature_columns(table.columns)
    shape = [c for c in columns if "_shape_" in c or "_shape2D_" in c]
    values = {c: float(table[c].iloc[0]) for c in shape}
    others = [c for c in columns if c not in shape]
    for name, row in zip(table.index, table[others].to_numpy(dtype=float), strict=True):
        values |= {f"{name}_{column}": float(value) for column, value in zip(others, row, strict=True)}
    return pd.Series(values, dtype=float)
