"""How far our features agree with the consensus of the Image Biomarker Standardisation Initiative."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import from_sitk
from spinekit.radiomics.discretisation import FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features
from spinekit.radiomics.ibsi_tags import ALL_FEATURES, values_by_tag
from spinekit.radiomics.recipe import AGGREGATIONS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IBSI_CONFIGURATIONS", "compare_with_reference", "ibsi_conformity", "significant"]

_IN_SPACE: Mapping[str, Any] = MappingProxyType(
    {
        "path": "ibsi",
        "families": ALL_FEATURES,
        "aggregation": ("3D_avg", "3D_comb"),
        "resample_mm": 2.0,
        "round_intensities": True,
    }
)
IBSI_CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "digital": {
            "path": "ibsi",
            "families": ALL_FEATURES,
            "aggregation": AGGREGATIONS,
            "discretisation": FixedBinWidth(1.0, start=1.0),  # the phantom's intensities are its grey levels
        },
        "C": {
            **_IN_SPACE,
            "interpolation": "linear",
            "resegment_range": (-1000.0, 400.0),
            "discretisation": FixedBinWidth(25.0),
        },
        "D": {**_IN_SPACE, "interpolation": "linear", "resegment_sigma": 3.0, "discretisation": FixedBinCount(32)},
        "E": {
            **_IN_SPACE,
            "interpolation": "cubic",
            "resegment_range": (-1000.0, 400.0),
            "resegment_sigma": 3.0,
            "discretisation": FixedBinCount(32),
        },
    }
)
"""Keyword arguments of `extract_features` for the phantoms of IBSI-1: the digital one, and C, D, E of the chest CT."""


def significant(value: float, digits: int = 3) -> float:
    """Return a number rounded to so many significant digits; NaN and 0 stay.

    Examples
    --------
    >>> significant(1494.6), significant(-0.35462), significant(0.009631)
    (1490.0, -0.355, 0.00963)
    """
    if not np.isfinite(value) or value == 0:
        return float(value)
    return float(f"{value:.{digits - 1}e}")


def compare_with_reference(values: pd.Series, reference: pd.DataFrame) -> pd.DataFrame:
    """Compare features with consensus values, by IBSI's own rule.

    Parameters
    ----------
    values : Series
        Features by tag, from `values_by_tag`.
    reference : DataFrame
        Columns ``tag``, ``reference value``, ``tolerance``.

    Returns
    -------
    DataFrame
        Index ``tag`` for every tag that has both a consensus and a counterpart here; columns ``value``,
        ``reference``, ``tolerance``, ``agrees``: the value, rounded to three significant digits, lies
        within the tolerance of the reference.
    """
    import pandas as pd

    consensus = reference.set_index("tag")[["reference value", "tolerance"]].dropna()
    rows = []
    for tag in (tag for tag in consensus.index if tag in values.index):
        expected, tolerance = (float(v) for v in consensus.loc[tag])
        off = abs(significant(float(values[tag])) - expected)
        agrees = bool(off <= tolerance + 1e-9 * abs(expected))
        rows.append((tag, float(values[tag]), expected, tolerance, agrees))
    return pd.DataFrame(rows, columns=["tag", "value", "reference", "tolerance", "agrees"]).set_index("tag")


def ibsi_conformity(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Compute the IBSI-1 digital phantom and compare every tag that has a counterpart.

    Parameters
    ----------
    folder : path
        Holds ``phantom.nii.gz``, ``mask.nii.gz`` and ``ibsi_1_dig_phantom.csv`` (columns ``tag``,
        ``reference value``, ``tolerance``; separated by comma or semicolon).

    Returns
    -------
    DataFrame
        As from `compare_with_reference`, for all six aggregations.

    Raises
    ------
    InputRefusedError
        ``path-missing`` if one of the files is not there.

    References
    ----------
    .. [1] https://github.com/theibsi/data_sets, folder ``ibsi_1_digital_phantom``.
    """
    import pandas as pd
    import SimpleITK as sitk

    files = [Path(folder) / name for name in ("phantom.nii.gz", "mask.nii.gz", "ibsi_1_dig_phantom.csv")]
    for file in files:
        if not file.is_file():
            raise InputRefusedError(
                "path-missing",
                found=f"There is no '{file.name}' in the folder of the phantom.",
                expected="phantom.nii.gz, mask.nii.gz and ibsi_1_dig_phantom.csv.",
                cause="The phantom comes from the data sets of IBSI and is not part of spinekit.",
                cure="Name the folder that holds the three files.",
            )
    values, geometry = from_sitk(sitk.ReadImage(str(files[0])))
    mask, _ = from_sitk(sitk.ReadImage(str(files[1])))
    table = extract_features(
        {"phantom": Volume(values, geometry)}, Roi(mask > 0, geometry), **IBSI_CONFIGURATIONS["digital"]
    )
    return compare_with_reference(values_by_tag(table), pd.read_csv(files[2], sep=None, engine="python"))
