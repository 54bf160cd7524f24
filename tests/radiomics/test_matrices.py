"""The counted matrices against pyradiomics' own compiled module, on regions of every awkward form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from radiomics import cMatrices
from scipy import ndimage

from spinekit.radiomics.matrices import Counting

ONE = np.array([1])


def region(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return levels, mask and number of levels: pieces, holes, lonely voxels, thin plates; levels left out."""
    rng = np.random.default_rng(seed)
    size = [(7, 9, 8), (1, 9, 6), (5, 1, 7), (2, 3, 2), (12, 4, 11), (1, 1, 8), (3, 3, 3)][seed % 7]
    smooth = ndimage.gaussian_filter(rng.normal(size=size), rng.uniform(0, 1.2))
    mask = smooth >= np.quantile(smooth, rng.uniform(0.0, 0.9))
    n_levels = int(rng.integers(1, 9))
    levels = np.where(mask, rng.integers(1, n_levels + 1, size=size), 0)
    return levels, mask, int(levels.max())


@pytest.mark.parametrize("seed", range(42))
def test_every_count_is_that_of_pyradiomics(seed):
    levels, mask, n = region(seed)
    for ours, theirs in zip(Counting.calculate_glcm(levels, mask, ONE, n, False, 0),
                            cMatrices.calculate_glcm(levels, mask, ONE, n, False, 0), strict=True):  # fmt: skip
        assert_array_equal(ours, theirs)
    longest = max(levels.shape)
    for ours, theirs in zip(Counting.calculate_glrlm(levels, mask, n, longest, False, 0),
                            cMatrices.calculate_glrlm(levels, mask, n, longest, False, 0), strict=True):  # fmt: skip
        assert_array_equal(ours, theirs)
    zones = Counting.calculate_glszm(levels, mask, n, int(mask.sum()), False, 0)
    assert_array_equal(zones, cMatrices.calculate_glszm(levels, mask, n, int(mask.sum()), False, 0))
    for tolerance in (0, 1):
        ours = Counting.calculate_gldm(levels, mask, ONE, n, tolerance, False, 0)
        theirs = cMatrices.calculate_gldm(levels, mask, ONE, n, tolerance, False, 0)
        common = min(ours.shape[2], theirs.shape[2])
        assert_array_equal(ours[..., :common], theirs[..., :common])
        assert not ours[..., common:].any()
        assert not theirs[..., common:].any()
    tones = Counting.calculate_ngtdm(levels, mask, ONE, n, False, 0)
    expected = cMatrices.calculate_ngtdm(levels, mask, ONE, n, False, 0)
    assert_allclose(tones, expected, rtol=1e-14)
