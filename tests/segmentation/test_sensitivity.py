"""How much the region depends on the click."""

from __future__ import annotations

import numpy as np
import pytest

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.phantom import simulate_case
from spinekit.segmentation import seed_sensitivity
from spinekit.segmentation.agreement import dice


def sharp_ball():
    grid = np.indices((16, 32, 32)) - np.array([8, 16, 16])[:, None, None, None]
    mask = (grid**2).sum(axis=0) <= 36
    curves = np.where(mask[None], np.array([100, 250, 220])[:, None, None, None], 100).astype(np.float32)
    curves += np.random.default_rng(0).normal(0, 2, curves.shape).astype(np.float32)
    geometry = Geometry((32, 32, 16), (1.0, 1.0, 1.0))
    return DynamicSeries(curves, [0, 30, 60], geometry, "times_s given"), Roi(mask, geometry, "ball")


def test_in_one_sharp_lesion_the_click_does_not_matter():
    series, truth = sharp_ball()
    found = seed_sensitivity(series, truth)

    assert found.pairwise_dice > 0.99
    assert found.dice_to_roi.min() > 0.97
    assert found.n_core >= len(found.seeds)


def test_frequency_pairwise_dice_and_seeds_tell_one_story():
    case = simulate_case(3, size=(96, 96, 12))
    found = seed_sensitivity(case.series, case.lesion, n_baseline=case.n_baseline, at_most=6)
    frequency = found.frequency.values

    assert len(found.seeds) == 6
    assert all(case.lesion.mask[k, j, i] for i, j, k in found.seeds)
    assert np.allclose(frequency * 6, np.round(frequency * 6), atol=1e-5)
    assert 0 < found.pairwise_dice <= 1
    assert dice(frequency >= 0.5, case.lesion.mask) >= found.dice_to_roi.min()


def test_an_empty_region_is_refused():
    series, truth = sharp_ball()
    with pytest.raises(InputRefusedError) as refused:
        seed_sensitivity(series, Roi(np.zeros_like(truth.mask), truth.geometry, "nothing"))

    assert refused.value.code == "roi-empty"
