"""The kinetics that are drawn and simulated, against the paper they are drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit.kinetics.signal import spgr_signal
from spinekit.kinetics.tofts import extended_tofts
from spinekit.phantom.contrast import BloodCurve
from spinekit.phantom.entities import DIAGNOSES, ENTITIES, draw_rates, entity_named
from spinekit.phantom.protocol import HOSPITALS

# METHOD: Lang 2017, doi 10.1016/j.acra.2016.12.014, mean and SD over patients, fast blood curve
PUBLISHED = {
    "myeloma": ((0.114, 0.036), (0.88, 0.26)),
    "lytic_metastasis": ((0.077, 0.028), (0.49, 0.23)),
    "blastic_metastasis": ((0.077, 0.028), (0.49, 0.23)),
    "lymphoma": ((0.068, 0.016), (0.34, 0.06)),
}
BLOOD = BloodCurve(arrival_s=18.0)
FINE_S = np.arange(0.0, 240.0, 0.01)


def rates_of(name: str, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.array([draw_rates(rng, entity_named(name)) for _ in range(n)])


def area_under_the_curve(low: np.ndarray, high: np.ndarray) -> float:
    pairs = np.sign(high[:, None] - low[None, :])
    return float(0.5 + 0.5 * pairs.mean())


@pytest.mark.parametrize("name", PUBLISHED)
def test_drawn_rates_have_the_published_means_and_sds(name: str) -> None:
    drawn = rates_of(name)

    for column, (mean, sd) in zip(drawn.T, PUBLISHED[name], strict=True):
        # four standard errors; the SD's is widened for the tail of a log-normal
        assert abs(column.mean() - mean) < 4 * sd / np.sqrt(len(column))
        assert column.std() == pytest.approx(sd, rel=0.08)
        assert column.min() > 0.0


def test_myeloma_and_metastasis_differ_as_published() -> None:
    myeloma, metastasis = rates_of("myeloma", 1500), rates_of("lytic_metastasis", 1500)

    # Lang 2017: AUC 0.864 for kep and 0.798 for Ktrans
    assert area_under_the_curve(metastasis[:, 1], myeloma[:, 1]) == pytest.approx(0.864, abs=0.05)
    assert area_under_the_curve(metastasis[:, 0], myeloma[:, 0]) == pytest.approx(0.798, abs=0.05)


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_kep_and_the_wash_out_slope_go_together_as_published(hospital: str) -> None:
    protocol = HOSPITALS[hospital]
    times = np.array(protocol.times_s)
    kep, slope = [], []
    for name in ("myeloma", "lytic_metastasis", "lymphoma"):
        drawn = rates_of(name, 400)
        content = BLOOD.tissue(times, ktrans_per_min=drawn[:, 0], kep_per_min=drawn[:, 1], vp=np.full(400, 0.012))
        signal = spgr_signal(
            content, t1_s=1.5, repetition_time_s=protocol.tr_ms / 1000, flip_angle_deg=protocol.flip_deg
        )
        early = signal[:, times == 67.0][:, 0]
        kep.extend(drawn[:, 1])
        slope.extend((signal[:, -1] - early) / early)

    # the paper gives 0.92; its slope is positive when the signal falls
    assert -np.corrcoef(kep, slope)[0, 1] == pytest.approx(0.92, abs=0.06)


def test_only_published_distributions_claim_a_source() -> None:
    for entity in ENTITIES:
        assert entity.published == entity.source.startswith("Lang 2017")
        assert entity.published == (entity.name in PUBLISHED)


@pytest.mark.parametrize("label", DIAGNOSES)
def test_shares_add_up_to_one(label: str) -> None:
    assert sum(e.share for e in ENTITIES if e.label == label) == pytest.approx(1.0)


def test_the_blood_curve_is_lang_s_averaged_over_the_injection() -> None:
    t = np.clip(FINE_S - 18.0, 0.0, None) / 60.0
    bolus = np.where(FINE_S >= 18.0, 0.1 * (92.0 * np.exp(-5.3 * t) + 6.4 * np.exp(-0.016 * t)), 0.0)
    total = np.concatenate([[0.0], np.cumsum(0.5 * (bolus[1:] + bolus[:-1]) * 0.01)])
    averaged = (total - np.interp(FINE_S - 5.0, FINE_S, total)) / 5.0

    assert_allclose(BLOOD.concentration(FINE_S), averaged, atol=0.02)


@pytest.mark.parametrize("kep", [0.05, 0.49, 0.88, 5.3, 12.0])
def test_tissue_is_the_convolution_of_the_blood_curve(kep: float) -> None:
    blood = BLOOD.concentration(FINE_S)
    tissue = np.zeros_like(FINE_S)
    decay, step = np.exp(-kep * 0.01 / 60.0), 0.01 / 60.0
    for n in range(1, len(FINE_S)):  # trapezoidal rule, one step after the other
        tissue[n] = decay * (tissue[n - 1] + 0.5 * step * blood[n - 1]) + 0.5 * step * blood[n]

    assert_allclose(BLOOD.leaked(FINE_S, kep), tissue, atol=2e-5)


def test_before_the_bolus_there_is_nothing() -> None:
    early = [0.0, 10.0, 18.0]

    assert not BLOOD.concentration(early).any()
    assert not BLOOD.in_veins(early).any()
    assert not BLOOD.tissue(early, ktrans_per_min=0.1, kep_per_min=0.5, vp=0.02).any()


def test_the_fitting_room_s_convolution_agrees_with_the_closed_form() -> None:
    rates = {"ktrans_per_min": 0.11, "kep_per_min": 0.9, "vp": 0.02}

    found = extended_tofts(BLOOD.concentration(FINE_S), FINE_S, **rates)

    assert_allclose(found, BLOOD.tissue(FINE_S, **rates), atol=1e-5)
