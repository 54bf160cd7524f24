"""How well the demonstration classifier does on simulated patients, beside the best simple ones: no clinical accuracy.

    python benchmarks/diagnosis.py --crops out/diagnosis/crops --trained-with 188 --patients 100

Patients of hospitals A and B (the same in both, in no training) are simulated once and kept in the folder of crops.
The simple classifiers are logistic regressions fitted on the patients that the network was trained and calibrated with.
"""

from __future__ import annotations

import argparse
import json
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spinekit.diagnosis.combined import clinical_numbers, radiomic_numbers
from spinekit.diagnosis.diagnose import judge_crop
from spinekit.diagnosis.diagnose_model import open_model
from spinekit.evaluation import bootstrap_interval, calibration, delong_auc, delong_test
from spinekit.models.inputs import MAPS
from spinekit.study.diagnosis_lesions import LabelledLesion, hospital_lesion, lesions
from spinekit.study.diagnosis_training import TEST_SEED, measures, simulated_patients

SEED = 1


def map_means(lesion: LabelledLesion) -> list[float]:
    weight = lesion.crop.channels[-1]
    images = [lesion.crop.channels[lesion.crop.names.index(f"map:{name}")] for name in MAPS]
    return [float(np.average(image, weights=weight)) for image in images]


def means_and_volume(lesion: LabelledLesion) -> list[float]:
    return [*map_means(lesion), float(np.log(lesion.crop.region_ml))]


def radiomics(lesion: LabelledLesion) -> list[float]:
    return list(radiomic_numbers(lesion.crop).values())


def clinical(lesion: LabelledLesion) -> list[float]:
    return list(clinical_numbers(lesion.clinical).values())


SIMPLE = {
    "means of four maps": map_means,
    "means of four maps + volume": means_and_volume,
    "radiomics (31 features)": radiomics,
    "clinical facts alone": clinical,
}


def fitted(numbers, known):
    table = np.nan_to_num(np.array([numbers(c) for c in known]))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=5000))
    return model.fit(table, [c.label for c in known])


def row(name, labels, p):
    area = bootstrap_interval(labels, p, lambda y, s: delong_auc(y, s).auc, seed=SEED, n=1000)
    ece = calibration(labels, p, groups=min(10, len(labels) // 4)).ece
    print(f"  {name:30s} AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})  ECE {ece:.3f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--crops", required=True, help="folder of crops of the training")
    options.add_argument("--trained-with", type=int, required=True, help="number given to --simulated")
    options.add_argument("--patients", type=int, default=100, help="in each hospital")
    options.add_argument("--model", default=None, help="weights; those of the package if not given")
    chosen = options.parse_args()
    sets, _ = simulated_patients(chosen.trained_with, chosen.crops)
    known = (*sets.training, *sets.validation, *sets.calibration)
    simple = {name: (numbers, fitted(numbers, known)) for name, numbers in SIMPLE.items()}
    model = open_model(chosen.model)
    for hospital in ("A", "B"):
        seeds = range(TEST_SEED, TEST_SEED + chosen.patients)
        makers = {f"{hospital}-{seed}": partial(hospital_lesion, seed, hospital) for seed in seeds}
        cases = list(lesions(chosen.crops, makers))
        labels = np.array([c.label for c in cases])
        print(f"hospital {hospital}, {len(cases)} simulated patients")
        network = np.array([judge_crop(model, c.crop, override=True).probabilities["metastasis"] for c in cases])
        joined = [judge_crop(model, c.crop, override=True, clinical=c.clinical).probabilities for c in cases]
        row("Inception-ResNet", labels, network)
        row("combined", labels, np.array([p["metastasis"] for p in joined]))
        for name, (numbers, fit) in simple.items():
            p = fit.predict_proba(np.nan_to_num(np.array([numbers(c) for c in cases])))[:, 1]
            row(name, labels, p)
            test = delong_test(labels, network, p)
            print(f"    network less {name}: {test.difference:+.3f}, p = {test.p:.3f} (DeLong)")
        print(json.dumps(measures(model, cases, seed=SEED), indent=1))


if __name__ == "__main__":
    main()
