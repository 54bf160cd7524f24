"""One table of how far the features agree with what others compute: for the doctor, the documents and reviewers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry, to_sitk
from spinekit.radiomics.baseline_conformity import BASELINE_FAMILIES, baseline_conformity
from spinekit.radiomics.catalogue import feature_columns
from spinekit.radiomics.discretisation import FixedBinWidth
from spinekit.radiomics.extract import extract_features
from spinekit.radiomics.ibsi_conformity import ibsi_conformity

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["conformity_table", "reference_data"]

DEPRECATED_TAGS = ("morph_comp_1", "morph_comp_2", "morph_sph_dispr")
LIVE_LIMIT = 1e-8
GRID = Geometry((48, 44, 14), (0.9, 0.9, 3.0), (-20.0, 11.0, 4.0))


def reference_data(named: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder of reference data: the one named, ``$SPINEKIT_DATA``, or ``../shared/data``; None without."""
    for place in (named, os.environ.get("SPINEKIT_DATA"), Path.cwd().parent / "shared" / "data"):
        if place and Path(place).is_dir():
            return Path(place)
    return None


def conformity_table(data: Path | None = None) -> pd.DataFrame:
    """Compare features with pyradiomics as installed, and with published references where their files are at hand.

    Parameters
    ----------
    data : path, optional
        Folder with ``ibsi_digital_phantom`` and ``pyradiomics_cases``; see `reference_data`.

    Returns
    -------
    DataFrame
        Index ``reference``; ``path`` of ours, ``compared`` (numbers), ``agree``, ``limit``, ``worst`` (largest relative
        difference, NaN where values are compared after rounding), ``state`` (``ok``, ``differs`` or ``not here``).
    """
    import pandas as pd

    rows = [*_live(), *_digital_phantom(data), *_baselines(data)]
    names = ["reference", "path", "compared", "agree", "limit", "worst", "state"]
    return pd.DataFrame(rows, columns=names).set_index("reference")


Row = tuple[str, str, int, int, str, float, str]


def _row(reference: str, path: str, compared: int, agree: int, limit: str, worst: float) -> Row:
    return reference, path, compared, agree, limit, worst, "ok" if compared == agree and compared else "differs"


def _missing(reference: str, path: str, limit: str) -> Row:
    return reference, path, 0, 0, limit, float("nan"), "not here"


def _simulated() -> tuple[Volume, Roi]:
    from scipy import ndimage

    rng = np.random.default_rng(7)
    texture = ndimage.gaussian_filter(rng.normal(size=GRID.shape_zyx), (0.6, 1.2, 1.2))
    z, y, x = np.indices(GRID.shape_zyx)
    radius = np.sqrt(((z - 7) * 3.0) ** 2 + ((y - 22) * 0.9) ** 2 + ((x - 24) * 0.9) ** 2)
    values = (300.0 + 900.0 * texture + rng.normal(scale=10.0, size=radius.shape)).astype(np.float32)
    return Volume(values, GRID, name="simulated"), Roi(radius < 13.0 + 8.0 * texture, GRID)


def _live() -> Iterator[Row]:
    """Run pyradiomics itself beside ours on a region that is simulated here and now."""
    from radiomics import featureextractor

    volume, roi = _simulated()
    image, mask = to_sitk(np.asarray(volume.values), GRID), to_sitk(roi.mask.astype(np.uint8), GRID)
    kinds: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("original", {}, {}), ("original, LoG, wavelet", {"log_sigma_mm": (2.0,), "wavelet": "coif1"},
                                    {"LoG": {"sigma": [2.0]}, "Wavelet": {"wavelet": "coif1"}}))  # fmt: skip
    for words, ours, theirs in kinds:
        extractor = featureextractor.RadiomicsFeatureExtractor(
            binWidth=25, resampledPixelSpacing=[1, 1, 1], interpolator="sitkBSpline", additionalInfo=False
        )
        extractor.disableAllImageTypes()
        for name, options in {"Original": {}, **theirs}.items():
            extractor.enableImageTypeByName(name, customArgs=options)
        logging.getLogger("radiomics").setLevel(logging.ERROR)
        expected = {k: float(v) for k, v in extractor.execute(image, mask).items() if not k.startswith("diagnostics")}
        table = extract_features({"a": volume}, roi, discretisation=FixedBinWidth(25), resample_mm=1.0, **ours)
        row = table.loc["a", feature_columns(table.columns)]
        off = [abs(float(row[k]) - v) / max(abs(v), 1e-9) for k, v in expected.items()]
        reference = f"pyradiomics 3.0.1, run now: simulated region, 1 mm, {words}"
        yield _row(reference, "pyradiomics", len(off), int(np.sum(np.array(off) <= LIVE_LIMIT)),
                   f"{LIVE_LIMIT:g} relative", max(off))  # fmt: skip


def _digital_phantom(data: Path | None) -> Iterator[Row]:
    limit = "consensus tolerance, 3 digits"
    titles = ("IBSI-1 digital phantom, 3-D and 2.5-D", "IBSI-1 digital phantom, slice by slice")
    folder = None if data is None else data / "ibsi_digital_phantom"
    if folder is None or not folder.is_dir():
        yield from (_missing(title, "ibsi", limit) for title in titles)
        return
    table = ibsi_conformity(folder)
    sliced = table.index.str.contains("_2D")
    for title, part in zip(titles, (table[~sliced].drop(list(DEPRECATED_TAGS)), table[sliced]), strict=True):
        yield _row(title, "ibsi", len(part), int(part["agrees"].sum()), limit, float("nan"))


def _baselines(data: Path | None) -> Iterator[Row]:
    import pandas as pd

    limit = "1e-09 relative (brain1 shape 1e-03)"
    title = "pyradiomics baselines: brain1, brain2, breast1"
    folder = None if data is None else data / "pyradiomics_cases"
    if folder is None or not folder.is_dir():
        yield _missing(title, "pyradiomics", limit)
        return
    table = pd.concat([baseline_conformity(folder, family) for family in BASELINE_FAMILIES])
    strict = table[table["limit"] == table["limit"].min()]
    yield _row(title, "pyradiomics", len(table), int(table["agrees"].sum()), limit, float(strict["relative"].max()))
