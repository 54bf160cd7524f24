"""Growing against the surroundings: mixtures against scipy, thin bridges, few phases, clicks anywhere in the core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from spinekit import grow_region
from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.phantom import simulate_case
from spinekit.segmentation import seed_sensitivity
from spinekit.segmentation.agreement import dice
from spinekit.segmentation.mixtures import Mixture, Variation, basis_of, log_odds, mixture_of

TIMES_S = np.arange(8) * 20.0
LESION = np.array([100, 180, 260, 255, 250, 240, 235, 230], dtype=np.float32)
TISSUE = np.array([100, 105, 115, 125, 130, 135, 140, 145], dtype=np.float32)
VESSEL = np.array([100, 320, 260, 210, 190, 180, 170, 165], dtype=np.float32)


def ball(shape, centre, radius):
    grid = np.indices(shape).astype(float)
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2


def series_of(*parts, shape, n_phases=8):
    signal = np.broadcast_to(TISSUE[:, None, None, None], (8, *shape)).copy()
    for mask, curve in parts:
        signal[:, mask] = curve[:, None]
    signal += np.random.default_rng(0).normal(0, 6, signal.shape).astype(np.float32)
    return DynamicSeries(signal[:n_phases], TIMES_S[:n_phases], Geometry(shape[::-1], (1, 1, 1)), "times_s given")


def test_log_odds_are_those_of_scipy_s_normal_distributions():
    rng = np.random.default_rng(1)
    signal = rng.normal(100, 10, (3, 2, 4, 5)).astype(np.float32)
    means = rng.normal(100, 5, (3, 3))
    roots = np.linalg.cholesky(np.stack([np.cov(rng.normal(0, 8, (3, 40))) for _ in range(3)]))
    parts = [
        Mixture(np.array([np.log(w) - np.log(np.diag(r)).sum()]), m[None], np.linalg.inv(r)[None])
        for w, m, r in zip((1.0, 0.3, 0.7), means, roots, strict=True)
    ]
    outside = Mixture(
        *(np.concatenate([getattr(p, n) for p in parts[1:]]) for n in ("constants", "means", "whitening"))
    )

    found = log_odds(signal, (0, 1, 1), (2, 3, 4), np.eye(3), parts[0], outside)

    curves = np.moveaxis(signal[:, :, 1:, 1:], 0, -1)
    logs = [multivariate_normal(m, r @ r.T).logpdf(curves) for m, r in zip(means, roots, strict=True)]
    expected = logs[0] - np.maximum(np.log(0.3) + logs[1], np.log(0.7) + logs[2])
    assert_allclose(found, expected, atol=2e-3, rtol=1e-3)


def test_a_mixture_of_one_is_the_mean_and_covariance_of_its_curves():
    curves = np.random.default_rng(2).multivariate_normal([50, 80, 60], np.diag([9.0, 25.0, 4.0]), 4000)
    basis, spread = basis_of(curves, 3)

    mixture = mixture_of(curves, basis, spread, 1, at_most=1, variation=Variation(0.0, 0.0, 0.0))

    assert_allclose(mixture.means[0] @ basis, curves.mean(axis=0), rtol=1e-9)
    root = np.linalg.inv(mixture.whitening[0])
    floor = (0.01 * curves.mean(axis=0).max()) ** 2 * np.eye(3)
    assert_allclose(basis.T @ root @ root.T @ basis, np.cov(curves.T) + floor, rtol=1e-6, atol=1e-6)


def test_two_tissues_become_two_components():
    rng = np.random.default_rng(3)
    curves = np.concatenate([rng.normal(c, 5, (200, 8)) for c in (LESION, VESSEL)])

    mixture = mixture_of(curves, *basis_of(curves, 4), 1, at_most=2, variation=Variation(0.05, 0.1, 0.04))
    basis = basis_of(curves, 4)[0]

    distance = np.linalg.norm(mixture.means[:, None] - np.stack([LESION, VESSEL]) @ basis.T, axis=2)
    assert sorted(distance.argmin(axis=1).tolist()) == [0, 1]
    assert distance.min(axis=1).max() < 3.0


def test_voxels_without_a_finite_signal_have_no_odds():
    signal = np.full((3, 1, 1, 3), 100, dtype=np.float32)
    signal[1, 0, 0, 1] = np.nan
    one = Mixture(np.zeros(1), np.full((1, 3), 100.0), np.eye(3)[None])

    found = log_odds(signal, (0, 0, 0), (1, 1, 3), np.eye(3), one, one)

    assert np.isnan(found).ravel().tolist() == [False, True, False]


def test_a_thin_bridge_to_like_tissue_is_not_crossed():
    shape = (24, 50, 70)
    body, other = ball(shape, (12, 25, 20), 9.0), ball(shape, (12, 25, 48), 11.0)
    bridge = np.zeros(shape, dtype=bool)
    bridge[12, 25, 20:48] = True

    roi = grow_region(series_of((body | other | bridge, LESION), shape=shape), [(20, 25, 12)])

    assert dice(roi.mask, body) > 0.95
    assert not roi.mask[other].any()


def test_a_vessel_of_the_same_peak_beside_the_lesion_stays_outside():
    shape = (20, 50, 50)
    lesion = ball(shape, (10, 25, 20), 8.0)
    vessel = np.zeros(shape, dtype=bool)
    vessel[:, 20:30, 28:36] = True

    roi = grow_region(series_of((vessel, VESSEL * (260 / 320)), (lesion, LESION), shape=shape), [(20, 25, 10)])

    assert dice(roi.mask, lesion) > 0.95


@pytest.mark.parametrize(("n_phases", "border"), [(5, "tolerance"), (6, "against the surroundings")])
def test_few_phases_grow_to_the_sharpest_border_instead(n_phases, border):
    shape = (20, 40, 40)
    roi = grow_region(
        series_of((ball(shape, (10, 20, 20), 7.0), LESION), shape=shape, n_phases=n_phases), [(20, 20, 10)]
    )

    assert roi.record["border"] == border
    assert ("tolerance" in roi.record) == (border == "tolerance")


def test_a_background_seed_keeps_its_tissue_out():
    shape = (20, 40, 50)
    lesion, like = ball(shape, (10, 20, 16), 7.0), ball(shape, (10, 20, 29), 7.0)
    series = series_of((like, LESION * 0.93), (lesion, LESION), shape=shape)

    roi = grow_region(series, [(16, 20, 10)], background=[(31, 20, 10)])

    assert roi.mask[like & ~lesion].mean() < 0.5
    assert not roi.mask[10, 20, 31]


def test_where_nothing_tells_inside_from_outside_the_region_says_so():
    shape = (20, 40, 40)
    roi = grow_region(series_of(shape=shape), [(20, 20, 10)])

    assert any(w.startswith("[leak-") for w in roi.warnings)


def test_clicks_anywhere_in_the_core_give_nearly_one_region():
    case = simulate_case(12, size=(96, 96, 12), snr=20.0, entity="myeloma")

    found = seed_sensitivity(case.series, case.lesion, n_baseline=case.n_baseline, at_most=8)

    assert found.pairwise_dice > 0.9
    assert np.median(found.dice_to_roi) > 0.8


@pytest.mark.parametrize("share", [1.0, 1.35, 1.7])
def test_a_lesion_five_times_as_large_is_found_as_well(share):
    """The same case with larger voxels: 23, 57 and 113 ml."""
    case = simulate_case(8349, size=(96, 96, 12), diagnosis="primary", snr=20.0)
    grid = case.series.geometry
    larger = replace(
        grid, spacing_mm=tuple(share * v for v in grid.spacing_mm), origin_mm=tuple(share * v for v in grid.origin_mm)
    )

    roi = grow_region(replace(case.series, geometry=larger), [case.seed_ijk], n_baseline=case.n_baseline)

    assert dice(roi.mask, case.lesion.mask) >= 0.9
