"""Real dynamic series: the provider's maps of a breast, and T1 and Tofts on a slice through a tumour."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from scipy.optimize import least_squares

import spinekit as sk
from spinekit.kinetics.fit import fit_tofts
from spinekit.kinetics.signal import concentration_from_signal
from spinekit.kinetics.t1 import t1_from_flip_angles
from spinekit.kinetics.tofts import extended_tofts

LESION_T1_S = 1.1  # the tumour's T1 is longer than that of the breast around it


@pytest.fixture(scope="module")
def breast(shared_data):
    folder = shared_data / "dce_breast_ucsf_br06"
    series = sk.read_series(folder / "dce_4d.nii.gz", times_s=[0.0, 167.0, 401.0])
    provider = {name: sk.read_volume(folder / f"{name}_reference.nii.gz").values for name in ("pe1", "ser")}
    return series, sk.parameter_maps(series, 1), provider


def test_percent_enhancement_is_the_provider_s(breast):
    series, _, provider = breast
    first = sk.parameter_maps(
        sk.DynamicSeries(series.signal[:2], series.times_s[:2], series.geometry, "times_s"),
        1,
        names=["relative_enhancement_peak"],
    )["relative_enhancement_peak"].values
    shown = np.isfinite(first) & (provider["pe1"] != 0)

    assert shown.sum() > 100_000
    assert np.corrcoef(100 * first[shown], provider["pe1"][shown])[0, 1] >= 0.9999
    assert np.median(np.abs(100 * first[shown] - provider["pe1"][shown])) <= 0.5  # the provider keeps whole numbers


def test_signal_enhancement_ratio_is_the_provider_s(breast):
    _, maps, provider = breast
    found = maps["signal_enhancement_ratio"].values
    shown = (provider["ser"] > 0) & (provider["ser"] < 3) & np.isfinite(found)  # theirs is capped at 3

    assert np.isfinite(found[provider["ser"] > 0]).mean() > 0.99
    assert np.corrcoef(found[shown], provider["ser"][shown])[0, 1] >= 0.999999
    assert np.abs(found[shown] - provider["ser"][shown]).max() <= 1e-3  # stored in thousandths


@pytest.fixture(scope="module")
def tumour(shared_data):
    """Concentration in the ring-enhancing lesion, its T1, the arterial input and the times."""
    folder = shared_data / "dce_breast_25phase_slice"
    told = json.loads((folder / "acq.json").read_text())
    box = (slice(85, 112), slice(95, 118))

    def crop(name):
        values = np.asarray(nibabel.load(folder / name).dataobj)
        return np.moveaxis(values.reshape(*values.shape[:2], -1)[box], -1, 0).astype(float)

    t1 = t1_from_flip_angles(
        crop("vfa_192x192x1x10.nii.gz"), flip_angle_deg=told["vfa_flips_deg"], repetition_time_s=told["TR_s"]
    )
    content = concentration_from_signal(
        crop("dce_192x192x1x25.nii.gz"), n_baseline=3, t1_s=t1.t1_s, repetition_time_s=told["TR_s"],
        flip_angle_deg=told["dce_flip_deg"], relaxivity_per_mM_s=told["relaxivity"],
    )  # fmt: skip
    return content, t1.t1_s, np.array(told["Cp_mM"]), np.array(told["times_s"])


def test_t1_of_a_real_tumour_is_that_of_tissue(tumour):
    t1_s = tumour[1]

    assert np.isfinite(t1_s).mean() > 0.95
    assert 0.5 < np.nanmedian(t1_s) < 2.5


def test_tofts_on_a_real_tumour_reaches_scipy_s_optimum_and_explains_the_curves(tumour):
    content, t1_s, plasma, times_s = tumour
    curves = content[:, np.isfinite(content).all(axis=0) & (t1_s > LESION_T1_S)]

    fit = fit_tofts(curves, times_s, plasma)

    defined = np.isfinite(fit.ktrans_per_min)
    assert defined.mean() > 0.75  # the others rise to the end: kep cannot be told from 0
    assert sum(fit.undefined.values()) == np.sum(~defined)
    assert 0.05 < np.median(fit.ktrans_per_min[defined]) < 0.3
    assert 0.1 < np.median(fit.ve[defined]) < 0.5
    explained = 1 - fit.residual_mM**2 / curves.var(axis=0)
    assert np.median(explained[defined]) > 0.9
    for n in np.flatnonzero(defined)[::40]:

        def residual(p, curve=curves[:, n]):
            return extended_tofts(plasma, times_s, ktrans_per_min=p[0], kep_per_min=p[1], vp=p[2]) - curve

        best = min(
            least_squares(residual, start, bounds=([0, 0.001, 0], [10, 50, 1])).cost
            for start in ((0.1, 0.3, 0.01), (0.5, 1.5, 0.05))
        )
        assert fit.residual_mM[n] ** 2 * times_s.size <= 1.01 * 2 * best
