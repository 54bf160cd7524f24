"""Segmenting with the demonstration weights: what every result promises."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import spinekit as sk
from spinekit.errors import InputRefusedError
from spinekit.models.checkpoints import read_card, save_network, shipped
from spinekit.models.examples import CHANNELS
from spinekit.models.inference import Reading, binary_entropy, predict_probability
from spinekit.models.segmenting import segment
from spinekit.models.teaching import channel_names
from spinekit.models.unet import UNet, UNetConfig
from spinekit.phantom import simulate_case
from spinekit.segmentation.agreement import dice


@pytest.fixture(scope="module")
def case():
    return sk.simulate_case(21, size=(96, 96, 8))


@pytest.fixture(scope="module")
def clicked(case):
    return segment(case.series, case.n_baseline, click=case.seed_ijk)


def test_the_shipped_weights_say_what_they_are_and_are_small():
    card = read_card(shipped("unet"), kind="unet")

    assert card["warning"] == "simulated data: not for clinical use"
    assert card["training"]["channels"] == channel_names()
    assert shipped("unet").stat().st_size < 10e6


def test_a_clicked_lesion_of_a_simulated_case_is_found(case, clicked):
    assert dice(clicked.roi.mask, case.lesion.mask) > 0.7
    assert int(clicked.lesions.values.max()) == 1


def test_lesions_are_found_without_a_click(case):
    free = segment(case.series, case.n_baseline)

    assert dice(free.roi.mask, case.lesions.values > 0) > 0.6
    sizes = np.bincount(free.lesions.values.ravel())[1:]
    assert (np.diff(sizes) <= 0).all()
    np.testing.assert_array_equal(free.roi.mask, free.lesions.values > 0)


def test_the_result_lies_on_the_grid_of_the_series_between_zero_and_one(case, clicked):
    for volume in (clicked.probability, clicked.uncertainty):
        assert volume.geometry.same_grid(case.series.geometry)
        assert volume.values.min() >= 0.0
        assert volume.values.max() <= 1.0
    assert (clicked.probability.values[clicked.roi.mask] >= 0.5).all()


def test_the_same_call_gives_the_same_bits(case, clicked):
    again = segment(case.series, case.n_baseline, click=case.seed_ijk)

    np.testing.assert_array_equal(again.probability.values, clicked.probability.values)


def test_a_click_keeps_a_share_of_what_is_found_without_it(case):
    far = (3, 3, 0)  # in the air: what is near the click does not matter here

    unasked = segment(case.series, case.n_baseline).probability.values
    clicked = segment(case.series, case.n_baseline, click=far).probability.values

    assert unasked.max() > 0.9
    assert bool((clicked >= 0.4 * unasked - 1e-5).all())


def test_a_gain_of_the_receiver_changes_nothing(case, clicked):
    louder = replace(case.series, signal=case.series.signal * np.float32(4.0))

    other = segment(louder, case.n_baseline, click=case.seed_ijk)

    assert dice(other.roi.mask, clicked.roi.mask) > 0.99


def test_every_result_carries_the_warning_and_the_hash(clicked):
    assert clicked.warnings[0].startswith("[model-simulated]")
    assert clicked.record["sha256"] == clicked.model_card["sha256"]
    assert clicked.record["simulated"] is True


def test_a_lesion_is_kept_where_phases_of_the_first_minute_are_absent():
    made = simulate_case(15215, hospital="B", size=(128, 128, 16), motion="usual")
    kept = [0, 1, 4, 5, 6, 8]  # 15 to 66 s and 115 to 180 s are gaps: read as absent, the Dice was 0.745
    short = replace(made.series, signal=made.series.signal[kept], times_s=made.series.times_s[kept])

    found = segment(short, made.n_baseline)

    assert dice(found.roi.mask, made.lesions.values > 0) > 0.85


def test_a_protocol_unlike_the_learned_one_is_told(case):
    short = replace(case.series, signal=case.series.signal[[0, 4, 9]], times_s=case.series.times_s[[0, 4, 9]])

    found = segment(short, 1, click=case.seed_ijk)

    assert any(w.startswith("[protocol-unlike-training]") for w in found.warnings)
    assert any(w.startswith("[model-anywhere]") for w in found.warnings)
    assert found.record["sha256"] == read_card(shipped("unet_anywhere"), kind="unet")["sha256"]


@pytest.mark.parametrize("click", [(96, 3, 3), (-1, 3, 3)])
def test_a_click_outside_is_refused(case, click):
    with pytest.raises(InputRefusedError) as refused:
        segment(case.series, case.n_baseline, click=click)

    assert refused.value.code == "seed-outside"


def test_weights_for_other_channels_are_refused(case, tmp_path):
    file = shutil.copy(shipped("unet"), tmp_path / "unet.safetensors")
    card = json.loads(shipped("unet").with_suffix(".json").read_text())
    card["training"]["channels"] = card["training"]["channels"][1:]
    (tmp_path / "unet.json").write_text(json.dumps(card))

    with pytest.raises(InputRefusedError) as refused:
        segment(case.series, case.n_baseline, file)

    assert refused.value.code == "model-other"


def test_windows_and_one_pass_agree_where_windows_do_not_meet():
    torch.manual_seed(0)
    net = torch.nn.Conv3d(2, 1, 1).eval()
    channels = np.random.default_rng(0).normal(size=(2, 6, 20, 20)).astype(np.float32)

    whole, _ = predict_probability(net, channels)
    windows, _ = predict_probability(net, channels, reading=Reading((4, 8, 8)))

    np.testing.assert_allclose(windows, whole, atol=1e-5)


def test_a_network_that_normalises_by_the_volume_is_read_in_patches_of_its_training(tmp_path, case, monkeypatch):
    from spinekit.models import inference

    seen = []
    monkeypatch.setattr(inference, "logits_of", lambda net, x, reading: seen.append(reading) or net(x))
    config = UNetConfig(CHANNELS, widths=(4, 8), instance_norm=True)
    net = UNet(config)
    for name, training in (("patches", {"patch_zyx": [8, 32, 32]}), ("untold", {})):
        file = save_network(
            tmp_path / f"{name}.safetensors", net.state_dict(),
            kind="unet", config=config.as_dict(), training=training, metrics={},
        )  # fmt: skip
        segment(case.series, case.n_baseline, file)
    segment(case.series, case.n_baseline)

    assert seen == [Reading((8, 32, 32), 0.5), Reading(), Reading()]


def test_mirrored_copies_make_the_answer_symmetric():
    torch.manual_seed(0)
    net = torch.nn.Conv3d(1, 1, 3, padding=1).eval()
    channels = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)

    straight, _ = predict_probability(net, channels, mirror=True)
    flipped, _ = predict_probability(net, channels[..., ::-1], mirror=True)

    np.testing.assert_allclose(flipped[..., ::-1], straight, atol=1e-6)


def test_entropy_is_largest_at_a_half_and_falls_to_both_sides():
    entropy = binary_entropy(np.array([0.0, 0.1, 0.5, 0.9, 1.0], np.float32))

    np.testing.assert_allclose(entropy, [0.0, 0.469, 1.0, 0.469, 0.0], atol=1e-3)


def test_one_click_in_a_real_lesion_of_another_organ_is_followed(shared_data):
    folder = shared_data / "dce_breast_ucsf_br06"
    series = sk.read_series(folder / "dicom.zip")
    truth = sk.read_roi(folder / "lesion_from_ser_largest_component.nii.gz", on=series.geometry)

    found = segment(series, 1, click=(85, 131, 38))

    assert dice(found.roi.mask, truth.mask) >= 0.75
