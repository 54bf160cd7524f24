"""How well the demonstration classifier does on simulated patients, beside the best simple ones: no clinical accuracy.

    python benchmarks/diagnosis.py --crops out/diagnosis/crops --trained-with 400

Patients of hospitals A and B (the same in both, in no training) are simulated once and kept in the folder of crops;
those that the training has measured lie there. The simple classifiers are logistic regressions fitted on all patients
that the network was trained and calibrated with.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spinekit.diagnosis.combined import clinical_numbers, radiomic_numbers
from spinekit.diagnosis.diagnose_model import open_model
from spinekit.evaluation import bootstrap_interval, calibration, delong_auc, delong_test, paired_bootstrap
from spinekit.models.inputs import MAPS
from spinekit.study.diagnosis_lesions import LabelledLesion, hospital_lesion, kept_lesion, lesions
from spinekit.study.diagnosis_measures import answers, ece_by_chance, measures_of
from spinekit.study.diagnosis_training import TEST_SEED, drawn_makers, seeds_of

SEED = 1
GROUPS = 10


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


def radiomics_and_clinical(lesion: LabelledLesion) -> list[float]:
    return radiomics(lesion) + clinical(lesion)


SIMPLE = {
    "means of four maps": map_means,
    "means of four maps + volume": means_and_volume,
    "radiomics (31 features)": radiomics,
    "clinical facts alone": clinical,
    "radiomics + clinical facts": radiomics_and_clinical,
}
RIVALS = {"network": tuple(SIMPLE)[:3], "combined": tuple(SIMPLE)[3:]}  # who sees the same: no clinical facts, or all


def fitted(numbers, known):
    table = np.nan_to_num(np.array([numbers(c) for c in known]))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=5000))
    return model.fit(table, [c.label for c in known])


def row(name, labels, p):
    area = bootstrap_interval(labels, p, lambda y, s: delong_auc(y, s).auc, seed=SEED, n=1000)
    ece, chance = calibration(labels, p, groups=GROUPS).ece, ece_by_chance(p, groups=GROUPS, seed=SEED)
    print(
        f"| {name} | {area.value:.3f} ({area.low:.3f} to {area.high:.3f}) "
        f"| {ece:.3f} ({chance.mean():.3f}; p = {np.mean(chance >= ece):.2f}) |"
    )


def judged(labels, told):
    """Print what the statements of a model are worth."""
    found = measures_of(labels, told, seed=SEED)
    by_class = ", ".join(f"{name} {share:.3f}" for name, share in found["coverage_by_class"].items())
    print(
        f"  coverage of the {found['coverage_stated']:.0%} sets {found['coverage']:.3f} "
        f"({found['coverage_low']:.3f} to {found['coverage_high']:.3f}; {by_class}); labelled {found['labelled']:.3f}, "
        f"right of these {found['accuracy_of_labelled']:.3f}; Brier {found['brier']:.3f}, "
        f"slope {found['calibration_slope']:.2f}"
    )


def compared(labels, name, p, others):
    """Print DeLong's test and the paired bootstrap of a model against those who see the same."""
    for rival in RIVALS[name]:
        test = delong_test(labels, p, others[rival])
        both = paired_bootstrap(labels, p, others[rival], lambda y, s: delong_auc(y, s).auc, seed=SEED, n=1000)
        print(
            f"  {name} less {rival}: {test.difference:+.3f} ({both.low:+.3f} to {both.high:+.3f}), "
            f"DeLong p = {test.p:.3f}"
        )


def main() -> None:
    sys.path.pop(0)  # this folder, whose radiomics.py would stand before the library of that name
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--crops", required=True, help="folder of crops of the training")
    options.add_argument("--trained-with", type=int, required=True, help="number given to --simulated")
    options.add_argument(
        "--patients", type=int, default=0, help="in each hospital; 0: as many as the training measured"
    )
    options.add_argument("--model", default=None, help="weights; those of the package if not given")
    chosen = options.parse_args()
    known = [kept_lesion(chosen.crops, key, make) for key, make in drawn_makers(chosen.trained_with).items()]
    simple = {name: (numbers, fitted(numbers, known)) for name, numbers in SIMPLE.items()}
    model = open_model(chosen.model)
    for hospital in ("A", "B"):
        n = chosen.patients or len(seeds_of(chosen.trained_with)["measured"])
        makers = {
            f"{hospital}-{seed}": partial(hospital_lesion, seed, hospital) for seed in range(TEST_SEED, TEST_SEED + n)
        }
        cases = list(lesions(chosen.crops, makers))
        labels = np.array([c.label for c in cases])
        print(f"\nhospital {hospital}, {n} simulated patients, {int(labels.sum())} with a metastasis\n")
        print(f"| | AUC (95 % bootstrap) | ECE in {GROUPS} groups (of perfect probabilities; p) |\n|---|---|---|")
        told = {name: answers(model, cases, clinical=name == "combined") for name in RIVALS}
        p = {name: np.array([d.probabilities["metastasis"] for d in kept]) for name, kept in told.items()}
        p |= {
            name: fit.predict_proba(np.nan_to_num(np.array([numbers(c) for c in cases])))[:, 1]
            for name, (numbers, fit) in simple.items()
        }
        for name, probabilities in p.items():
            row(name, labels, probabilities)
        for name in RIVALS:
            print(f"\n{name}")
            judged(labels, told[name])
            compared(labels, name, p[name], p)


if __name__ == "__main__":
    main()
