"""The IBSI path against another implementation, on a volume that has to be resampled and re-segmented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from spinekit.case import Roi, Volume
from spinekit.geometry import Geometry
from spinekit.radiomics import IBSI_CONFIGURATIONS, extract_features, values_by_tag

REFERENCE = Path(__file__).parent / "reference" / "mirp_configurations.json"
GRID = Geometry((100, 90, 40), (0.9765625, 0.9765625, 3.0), (-10.3, 4.2, 7.7))


def simulated_ct() -> tuple[Volume, Roi]:
    """Return a textured mass in air, in whole Hounsfield units; some of it below -1000 and some outliers."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=GRID.shape_zyx), (1, 2, 2))
    smooth /= smooth.std()
    z, y, x = np.indices(GRID.shape_zyx)
    radius = np.sqrt(((z - 20) * 3) ** 2 + ((y - 45) * 0.98) ** 2 + ((x - 50) * 0.98) ** 2)
    values = np.where(radius < 28 + 3 * smooth, 30 + 40 * smooth, -850 + 60 * smooth)
    values = np.round(np.clip(values + rng.normal(size=GRID.shape_zyx) * 15, -1024, 3000))
    mask = radius < 31 + 2 * ndimage.gaussian_filter(smooth, 2)
    return Volume(values, GRID, name="ct"), Roi(mask, GRID)


@pytest.mark.parametrize("name", ["C", "D", "E"])
def test_every_feature_agrees_with_mirp(name):
    expected = json.loads(REFERENCE.read_text(encoding="utf-8"))["configurations"][name]
    volume, roi = simulated_ct()
    values = values_by_tag(extract_features({"ct": volume}, roi, **IBSI_CONFIGURATIONS[name]))
    assert len(expected) == 149
    worst = {tag: abs(values[tag] - value) / max(abs(value), 1e-9) for tag, value in expected.items()}
    tag = max(worst, key=worst.__getitem__)
    assert worst[tag] < 1e-5, tag  # both work in double precision; MIRP writes its mesh in single
