"""What is said of one lesion: by a small model made here, and by the weights that come with the package."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

import spinekit as sk
from spinekit.case import DynamicSeries, Roi
from spinekit.diagnosis.diagnose import diagnose, judge_crop
from spinekit.diagnosis.diagnose_model import CLASSES, judgement_path, open_model
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.models.checkpoints import shipped
from spinekit.models.crop import CROP_SIZE, CROP_SPACING_MM, LesionCrop
from spinekit.models.inputs import MAPS
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.phantom.scanners import simulate_dynamic
from spinekit.study.diagnosis_lesions import LabelledLesion, hospital_lesion
from spinekit.study.diagnosis_measures import measures
from spinekit.study.diagnosis_training import DiagnosisPlan, Divided, train_diagnosis

MARKS = [f"{t:g}" for t in PHASE_TIMES_S]
NAMES = (*(f"map:{n}" for n in MAPS), *(f"phase:{m}" for m in MARKS), *(f"present:{m}" for m in MARKS), "region")
GRID = Geometry(CROP_SIZE, CROP_SPACING_MM)
FACTS = {"age_years": 60, "sex": "F", "alkaline_phosphatase_u_per_l": 90, "history_of_cancer": True}


def painted(seed, label):
    """A ball that enhances more in class 0, in noise."""
    rng = np.random.default_rng(seed)
    channels = rng.normal(0.3, 0.1, (25, *GRID.shape_zyx)).astype(np.float32)
    z, y, x = np.indices(GRID.shape_zyx)
    radius = rng.uniform(8.0, 14.0)
    ball = (4.0 * (z - 6.5)) ** 2 + (2.0 * (y - 15.5)) ** 2 + (2.0 * (x - 15.5)) ** 2 <= radius**2
    channels[:14] += np.float32(0.8 - 0.3 * label + rng.normal(0.0, 0.1)) * ball
    channels[14:24] = 1.0
    channels[-1] = ball
    crop = LesionCrop(channels, NAMES, GRID, 10, 1.0, float(ball.sum()) * 0.016, 1.0)
    history = bool(rng.random() < (0.7 if label else 0.1))
    return LabelledLesion(f"painted-{seed}", f"painted-{seed}", crop, label, FACTS | {"history_of_cancer": history})


@pytest.fixture(scope="module")
def sets():
    lesions = [painted(n, n % 2) for n in range(56)]
    return Divided(tuple(lesions[:24]), tuple(lesions[24:32]), tuple(lesions[32:]))


@pytest.fixture(scope="module")
def trained(sets, tmp_path_factory):
    plan = DiagnosisPlan(seed=2, steps=6, batch_size=4, width=4, judge_every=3)
    folder = tmp_path_factory.mktemp("classifier")
    return train_diagnosis(sets, folder, plan=plan, facts={"data": "painted balls"})


@pytest.fixture(scope="module")
def model(trained):
    return open_model(trained)


@pytest.fixture(scope="module")
def demonstration():
    return open_model()


def test_probabilities_add_up_and_lie_between_their_limits(model, sets):
    for lesion in sets.calibration[:6]:
        told = judge_crop(model, lesion.crop, override=True)

        assert tuple(told.probabilities) == CLASSES
        assert sum(told.probabilities.values()) == pytest.approx(1.0)
        assert told.interval[0] <= told.probabilities["metastasis"] <= told.interval[1]


def test_a_label_is_given_exactly_where_one_class_remains(model, sets):
    seen = set()
    for coverage in (0.3, 0.6, 0.95):
        for lesion in sets.calibration:
            told = judge_crop(model, lesion.crop, override=True, coverage=coverage)
            seen.add(len(told.label_set))

            assert (told.label is not None) == (len(told.label_set) == 1)
            assert bool(told.reason) == told.abstains
    assert {1, 2} <= seen


def test_the_same_lesion_gets_the_same_bits(model, sets):
    first, second = (judge_crop(model, sets.calibration[0].crop, override=True, clinical=FACTS) for _ in range(2))

    assert first == second


def test_clinical_facts_turn_to_the_combined_model_and_unknown_ones_are_told(model, sets):
    crop = sets.calibration[0].crop
    alone = judge_crop(model, crop, override=True)
    joined = judge_crop(model, crop, override=True, clinical=FACTS)
    partly = judge_crop(model, crop, override=True, clinical={"age_years": 60})

    assert (alone.given_by, joined.given_by) == ("network", "combined")
    assert joined.record["network_probability"] == alone.probabilities["metastasis"]
    assert not any("clinical-missing" in w for w in joined.warnings)
    assert any("clinical-missing" in w and "history_of_cancer" in w for w in partly.warnings)


def test_a_history_of_cancer_speaks_for_a_metastasis(model, sets):
    crop = sets.calibration[0].crop
    yes, no = (
        judge_crop(model, crop, override=True, clinical=FACTS | {"history_of_cancer": h}).probabilities["metastasis"]
        for h in (True, False)
    )

    assert yes > no


def test_the_embedding_is_named_for_a_feature_table(model, sets):
    told = judge_crop(model, sets.calibration[0].crop, override=True)

    assert len(told.embedding) == 32
    assert all(name.startswith("embedding:") and math.isfinite(v) for name, v in told.embedding.items())


def test_a_lesion_unlike_the_training_cases_gets_no_probability_unless_it_is_asked_for(model, sets):
    lesion = sets.calibration[0]
    channels = lesion.crop.channels.copy()
    channels[:14] *= -3.0
    strange = replace(lesion.crop, channels=channels)

    refused, forced = judge_crop(model, strange), judge_crop(model, strange, override=True)

    assert refused.label is None
    assert all(math.isnan(p) for p in refused.probabilities.values())
    assert "unlike the training cases" in refused.reason
    assert math.isfinite(forced.probabilities["primary"])
    assert forced.unlike == refused.unlike
    assert any("override" in w for w in forced.warnings)


def test_every_statement_says_that_it_is_no_diagnosis(model, sets):
    told = judge_crop(model, sets.calibration[0].crop, override=True)

    assert told.record["notice"] == "not a diagnosis; simulated training data"
    assert told.model_card["warning"] == "simulated data: not for clinical use"
    assert any("not-a-diagnosis" in w and "painted balls" in w for w in told.warnings)  # what it has learned from


def test_a_training_again_gives_the_same_files(sets, trained, tmp_path):
    plan = DiagnosisPlan(seed=2, steps=6, batch_size=4, width=4, judge_every=3)

    again = train_diagnosis(sets, tmp_path, plan=plan, facts={"data": "painted balls"})

    for ending in (".safetensors", ".json", ".judgement.json"):
        assert again.with_suffix(ending).read_bytes() == trained.with_suffix(ending).read_bytes(), ending


def test_measures_name_coverage_and_the_share_called_unlike(model, sets):
    found = measures(model, sets.calibration, seed=1)

    assert found["cases"] == {"primary": 12, "metastasis": 12}
    assert found["network"]["coverage"] >= 0.9  # on the very cases it was calibrated on
    assert 0.0 <= found["called_unlike"] <= 0.1
    assert found["network"]["auc_low"] <= found["network"]["auc"] <= found["network"]["auc_high"]


@pytest.mark.parametrize("change", ["number", "weights", "absent", "text"])
def test_a_judgement_that_was_altered_is_refused(trained, tmp_path, change):
    for ending in (".safetensors", ".json", ".judgement.json"):
        shutil.copy(trained.with_suffix(ending), tmp_path)
    copy = tmp_path / trained.name
    file = judgement_path(copy)
    record = json.loads(file.read_text())
    if change == "number":
        record["judgement"]["scaling"]["slope"] *= 2
    elif change == "weights":
        record["weights_sha256"] = "0" * 64
    file.write_text(json.dumps(record) if change != "text" else "{")
    if change == "absent":
        file.unlink()

    with pytest.raises(InputRefusedError) as refused:
        open_model(copy)

    assert refused.value.code == ("model-unsafe" if change in ("absent", "text") else "model-changed")


def test_a_pickle_is_never_opened(tmp_path):
    file = tmp_path / "net.pt"
    file.write_bytes(b"\x80\x04.")

    with pytest.raises(InputRefusedError) as refused:
        open_model(file)

    assert refused.value.code == "model-unsafe"


# the weights that come with the package


def test_the_demonstration_weights_are_small_and_say_what_they_are(demonstration):
    files = [shipped("inception_resnet").with_suffix(e) for e in (".safetensors", ".json", ".judgement.json")]

    assert sum(file.stat().st_size for file in files) < 8e6
    assert demonstration.card["warning"] == "simulated data: not for clinical use"
    assert demonstration.card["training"]["command"].startswith("spinekit train diagnosis --simulated")


@pytest.fixture(scope="module")
def others():
    """Patients whom no training has seen, in hospital B, which no training has seen either."""
    return [hospital_lesion(seed, "B") for seed in range(220_000, 220_010)]


def test_the_demonstration_weights_tell_the_classes_apart_better_than_chance(demonstration, others):
    p = np.array([judge_crop(demonstration, c.crop, override=True).probabilities["metastasis"] for c in others])
    labels = np.array([c.label for c in others])
    above = (p[labels == 1][:, None] > p[labels == 0][None]).mean()

    assert above > 0.6


def test_most_simulated_patients_of_another_hospital_are_familiar(demonstration, others):
    unlike = [bool(demonstration.judgement.familiar.compare(c.crop).unlike) for c in others]

    assert sum(unlike) <= 2


def test_three_phases_are_flagged_and_the_reason_counts_them(demonstration):
    case = simulate_dynamic(5, size=(64, 64, 12), n_phases=3, motion="none")
    roi = Roi(case.lesions.values == 1, case.series.geometry)

    told = sk.diagnose(case.series, roi, case.n_baseline, model=demonstration)

    assert told.label is None
    assert "of the ten times after bolus arrival" in told.reason


def test_the_real_breast_series_is_flagged_also_when_its_phases_are_made_to_look_complete(shared_data, demonstration):
    folder = shared_data / "dce_breast_ucsf_br06"
    series = sk.read_series(next(p for p in sorted(folder.iterdir()) if p.is_dir() or p.suffix == ".zip"))
    roi = sk.grow_region(series, [(85, 131, 38)], n_baseline=1)

    told = diagnose(series, roi, 1, model=demonstration)
    times = np.linspace(0.0, 220.0, 11)
    third = series.signal[[0, 1, 2]]
    shares = np.interp(times, [0.0, 20.0, 60.0, 220.0], [0.0, 0.0, 1.0, 2.0])
    whole = np.stack([(1 - s % 1) * third[int(s)] + (s % 1) * third[min(int(s) + 1, 2)] for s in shares])
    filled = DynamicSeries(whole, times, series.geometry, "test")
    organ = diagnose(filled, roi, 2, model=demonstration)

    assert told.label is None
    assert "of the ten times" in " ".join(told.unlike)
    assert organ.label is None
    assert "distance" in " ".join(organ.unlike)
    assert math.isfinite(diagnose(series, roi, 1, model=demonstration, override=True).probabilities["primary"])
