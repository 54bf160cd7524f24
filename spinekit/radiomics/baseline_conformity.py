"""How far the pyradiomics path agrees with the baselines that pyradiomics publishes with its tests."""

from __future__ import annotations

import ast
import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import from_sitk
from spinekit.radiomics.discretisation import FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BASELINE_CASES", "BASELINE_FAMILIES", "baseline_conformity"]

BASELINE_CASES = ("brain1", "brain2", "breast1")
BASELINE_FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm", "shape", "shape2D")
LIMIT = 1e-9
LIMIT_BRAIN1_SHAPE = 1e-3  # pyradiomics 3.0.1 itself differs from this baseline in mesh volume and area
PASSED_ON = ("voxelArrayShift", "gldm_a", "normalize", "normalizeScale", "removeOutliers", "resegmentRange",
             "resegmentMode", "padDistance")  # fmt: skip
AGREED = {True: {True: "2_5D_comb", False: "2_5D_avg"}, False: {True: "3D_comb", False: "3D_avg"}}


def baseline_conformity(folder: str | os.PathLike[str], family: str) -> pd.DataFrame:
    """Compute one family of the three cases with the settings each baseline carries, and compare.

    Parameters
    ----------
    folder : path
        Holds ``baseline/baseline_<family>.csv`` and ``<case>_image.nrrd``, ``<case>_label.nrrd``.
    family : str
        One of `BASELINE_FAMILIES`.

    Returns
    -------
    DataFrame
        Index ``(baseline, feature)``; ``value``, ``reference``, ``relative`` (difference over the reference; over 1e-3
        where it is smaller), ``limit``, ``agrees``.

    Raises
    ------
    InputRefusedError
        ``path-missing`` if the table is not there.

    References
    ----------
    .. [1] https://github.com/AIM-Harvard/pyradiomics, folders ``data`` of version 3.0.1.
    """
    import pandas as pd

    root = Path(folder)
    table = root / "baseline" / f"baseline_{family}.csv"
    if not table.is_file():
        raise InputRefusedError(
            "path-missing",
            found=f"There is no '{table.name}' in the folder of baselines.",
            expected="The folder 'data' of pyradiomics 3.0.1, with its images.",
            cause="The baselines belong to pyradiomics and are no part of spinekit.",
            cure="Name the folder that holds them.",
        )
    rows = []
    for name, baseline in _baselines(table).items():
        case = name.split("_")[0]
        limit = LIMIT_BRAIN1_SHAPE if (name, family) == ("brain1", "shape") else LIMIT
        for feature, value, expected in _compared(root, case, family, baseline):
            off = abs(value - expected) / max(abs(expected), 1e-3)
            rows.append((name, feature, value, expected, off, limit, bool(off <= limit)))
    columns = ["baseline", "feature", "value", "reference", "relative", "limit", "agrees"]
    return pd.DataFrame(rows, columns=columns).set_index(["baseline", "feature"])


def _baselines(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    return {
        name: {row[0]: row[column] for row in rows[1:]}
        for column, name in enumerate(rows[0][1:], start=1)
        if name.split("_")[0] in BASELINE_CASES
    }


def _compared(root: Path, case: str, family: str, baseline: Mapping[str, str]) -> list[tuple[str, float, float]]:
    import SimpleITK as sitk

    values, geometry = from_sitk(sitk.ReadImage(str(root / f"{case}_image.nrrd")))
    mask = np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(root / f"{case}_label.nrrd"))) == 1)
    if family == "shape2D":
        one = int(ast.literal_eval(baseline["diagnostics_Mask-corrected_BoundingBox"])[2])
        mask[:one], mask[one + 1 :] = False, False
    expected = {k: float(v) for k, v in baseline.items() if k.startswith("original_") and v}
    asked = {family: [k.split("_", 2)[2] for k in expected]}
    choices = _choices(ast.literal_eval(baseline["diagnostics_Configuration_Settings"]))
    row = extract_features({case: Volume(values, geometry)}, Roi(mask, geometry), families=asked, **choices).loc[case]
    return [(name, float(row[name]), value) for name, value in expected.items()]


def _choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a baseline as ours."""
    count = settings.get("binCount")
    return {
        "discretisation": FixedBinCount(count) if count else FixedBinWidth(settings.get("binWidth", 25)),
        "aggregation": AGREED[settings["force2D"]][settings.get("weightingNorm") == "no_weighting"],
        "resample_mm": settings.get("resampledPixelSpacing"),
        "pyradiomics_settings": {k: settings[k] for k in PASSED_ON if settings.get(k) is not None},
    }
