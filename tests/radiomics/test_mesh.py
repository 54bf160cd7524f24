"""The fast mesh against pyradiomics' own, which measures every pair of vertices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from radiomics import cShape
from scipy import ndimage

from spinekit.radiomics.mesh import area_and_volume, diameters


@pytest.mark.parametrize("seed", range(12))
def test_area_volume_and_diameters_are_those_of_pyradiomics(seed):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=rng.integers(3, 26, 3)), rng.uniform(0, 2))
    mask = np.pad(noise >= np.quantile(noise, rng.uniform(0.2, 0.95)), 1)  # pieces, holes, single voxels
    spacing = tuple(rng.uniform(0.3, 4, 3).tolist())
    area, volume, expected = cShape.calculate_coefficients(mask, np.array(spacing))
    assert_allclose(area_and_volume(mask, spacing), (area, volume), rtol=1e-11)
    assert diameters(mask, spacing) == tuple(expected)


def test_many_vertices_go_through_their_hull_and_lose_nothing():
    z, y, x = np.indices((40, 42, 44))
    ball = np.sqrt((z - 20) ** 2 + (y - 21) ** 2 + (x - 22) ** 2) + np.random.default_rng(0).normal(size=z.shape) < 17
    ball = np.pad(ball, 1)
    expected = cShape.calculate_coefficients(ball, np.array([1.0, 0.9, 0.8]))[2]
    assert diameters(ball, (1.0, 0.9, 0.8)) == tuple(expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 60, 70), (70, 1, 60), (1, 1, 90)])
def test_flat_and_thin_regions_have_diameters_too(shape):
    mask = np.pad(np.ones(shape, dtype=bool), 1)
    expected = cShape.calculate_coefficients(mask, np.array([2.0, 0.9, 0.8]))[2]
    assert diameters(mask, (2.0, 0.9, 0.8)) == tuple(expected)
