"""The arms that a study compares: what each sees, and the pipeline that learns from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.diagnosis.pipelines import PipelineChoices
from spinekit.evaluation.nested import FittedPipeline, fit_pipeline, nested_cross_validation
from spinekit.evaluation.splits import NestedSplit
from spinekit.provenance import hash_array, hash_json, write_json
from spinekit.study.table import StudyCase

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ARMS", "REFERENCE", "Arm", "ArmResult", "arm_repeats", "arm_table", "fitted_on_internal", "run_arm"]

REFERENCE = "radiomics · logistic regression"
FEWEST_TWICE = 5  # training cases measured in every way; with fewer an intraclass correlation says nothing
FEW = PipelineChoices(selection="none")  # a handful of columns needs no selection


@dataclass(frozen=True)
class Arm:
    """One arm: its name, what it sees, how it learns.

    ``sees`` is out of ``radiomics``, ``clinical``, ``unet``, ``inception``; several are joined.
    """

    name: str
    sees: tuple[str, ...]
    choices: PipelineChoices


ARMS = (
    Arm(REFERENCE, ("radiomics",), PipelineChoices()),
    Arm("radiomics · SVM", ("radiomics",), PipelineChoices(classifier="svm")),
    Arm("radiomics · random forest", ("radiomics",), PipelineChoices(classifier="random_forest", n_columns=(8,))),
    Arm("radiomics · LASSO", ("radiomics",), PipelineChoices(selection="lasso")),
    Arm("clinical only", ("clinical",), FEW),
    Arm("U-Net-derived", ("unet",), PipelineChoices(missing=0.4)),
    Arm("Inception-ResNet", ("inception",), PipelineChoices()),
    Arm("radiomics + clinical", ("radiomics", "clinical"), PipelineChoices()),
    Arm("combined", ("radiomics", "clinical", "inception"), PipelineChoices()),
)


@dataclass(frozen=True)
class ArmResult:
    """Predictions of an arm: nested ones of internal cases, and of external ones by all internal cases.

    Attributes
    ----------
    internal, external : ndarray
        Probability of class 1, in the order of the cases; ``external`` is empty without external cases.
    internal_called, external_called : ndarray of bool
        By thresholds that training rows chose.
    columns : tuple of str
        What the classifier saw when it was fitted on all internal cases.
    parameters : mapping
        What the inner folds chose then.
    """

    internal: Any
    internal_called: Any
    external: Any
    external_called: Any
    columns: tuple[str, ...]
    parameters: Mapping[str, Any]


def arm_table(
    arm: Arm, cases: Sequence[StudyCase], records: Mapping[str, Any], networks: Mapping[str, Any]
) -> pd.DataFrame | None:
    """Return what an arm sees, one row per case; None if the networks or clinical columns it needs are not there."""
    import pandas as pd

    parts = []
    for source in arm.sees:
        rows: list[Mapping[str, float]]
        if source == "radiomics":
            rows = [records[case.name]["radiomics"] for case in cases]
        elif source == "clinical":
            rows = [case.clinical for case in cases]
        else:
            rows = [networks.get(case.name, {}).get(source, {}) for case in cases]
        frame = pd.DataFrame([dict(row) for row in rows], index=[case.name for case in cases]).astype(np.float64)
        if frame.shape[1] == 0 or frame.notna().to_numpy().mean() < 0.1:
            return None
        parts.append(frame)
    return pd.concat(parts, axis=1)


def arm_repeats(
    arm: Arm, cases: Sequence[StudyCase], records: Mapping[str, Any], *, internal: Any, splits: Sequence[NestedSplit]
) -> dict[str, pd.DataFrame] | None:
    """Return the radiomics features in the lesion marked otherwise, for the stability filter inside the folds.

    Returns
    -------
    dict of str to DataFrame
        Way of marking to a table of one row per case that could be measured so. None for an arm without radiomics,
        and where a training part of the (inner) folds has fewer than five cases measured in every way.
    """
    import pandas as pd

    if "radiomics" not in arm.sees:
        return None
    again = {case.name: records[case.name].get("repeats", {}) for case in cases}
    ways = dict.fromkeys(way for found in again.values() for way in found)
    inside = [case.name for case, flag in zip(cases, internal, strict=True) if flag]
    whole = np.array([set(again[name]) == set(ways) for name in inside])
    parts = [train for split in splits for train in (split.train, *(train for train, _ in split.inner))]
    if not ways or min(int(whole[train].sum()) for train in parts) < FEWEST_TWICE:
        return None
    return {
        way: pd.DataFrame({name: found[way] for name, found in again.items() if way in found}).T.astype(np.float64)
        for way in ways
    }


def run_arm(
    arm: Arm,
    table: pd.DataFrame,
    labels: Any,
    patients: Any,
    *,
    internal: Any,
    splits: tuple[NestedSplit, ...],
    folder: Path,
    seed: int,
    repeats: Mapping[str, pd.DataFrame] | None = None,
) -> ArmResult:
    """Return an arm's predictions, from its file if it was run on the same numbers before.

    Parameters
    ----------
    table : DataFrame
        All cases, internal and external.
    internal : array of bool
        Which rows are internal; `splits` number these.
    folder : Path
        Where predictions are kept, under a key of features, labels, folds and choices.
    repeats : mapping of str to DataFrame, optional
        Of `arm_repeats`.
    """
    values = table.to_numpy(dtype=np.float64)
    folds = [[hash_array(np.asarray(part)) for part in (split.train, split.test)] for split in splits]
    key = hash_json(
        {
            "values": hash_array(values), "columns": list(table.columns), "labels": np.asarray(labels).tolist(),
            "internal": np.asarray(internal).tolist(), "folds": folds, "choices": dataclasses.asdict(arm.choices),
            "seed": seed, "format": 1, "repeats": _hashes(repeats),
        }
    )  # fmt: skip
    path = folder / f"{''.join(c if c.isalnum() else '_' for c in arm.name)}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("key") != key:
        made = _predicted(
            arm, table, labels, patients, internal=internal, splits=splits, seed=seed, repeats=repeats
        )  # fmt: skip
        write_json(path, made | {"arm": arm.name, "cases": list(table.index), "key": key})
        kept = json.loads(path.read_text(encoding="utf-8"))
    return ArmResult(
        np.asarray(kept["internal"], dtype=np.float64), np.asarray(kept["internal_called"], dtype=bool),
        np.asarray(kept["external"], dtype=np.float64), np.asarray(kept["external_called"], dtype=bool),
        tuple(kept["columns"]), kept["parameters"],
    )  # fmt: skip


def _hashes(repeats: Mapping[str, pd.DataFrame] | None) -> dict[str, Any]:
    return {way: [hash_array(rows.to_numpy()), list(rows.index)] for way, rows in (repeats or {}).items()}


def fitted_on_internal(
    arm: Arm, table: pd.DataFrame, labels: Any, internal: Any, splits: tuple[NestedSplit, ...], *, repeats: Any = None
) -> FittedPipeline:
    """Fit an arm on all internal cases, parameters chosen on the outer folds: what an external case meets."""
    inside = np.flatnonzero(internal)
    folds = [(split.train, split.test) for split in splits]
    return fit_pipeline(table.iloc[inside], np.asarray(labels)[inside], arm.choices, folds, repeats=repeats)


def _predicted(
    arm: Arm, table: Any, labels: Any, patients: Any, *, internal: Any, splits: Any, seed: int, repeats: Any
) -> dict[str, Any]:
    inside, outside = np.flatnonzero(internal), np.flatnonzero(~np.asarray(internal))
    y = np.asarray(labels)
    nested = nested_cross_validation(
        table.iloc[inside], y[inside], np.asarray(patients)[inside], choices=arm.choices, seed=seed, splits=splits,
        repeats=repeats,
    )  # fmt: skip
    whole = fitted_on_internal(arm, table, y, internal, splits, repeats=repeats)
    outer = whole.predict(table.iloc[outside]) if outside.size else np.zeros(0)
    return {
        "internal": nested.probabilities, "internal_called": nested.called, "external": outer,
        "external_called": outer >= whole.threshold, "columns": whole.columns, "parameters": whole.parameters,
    }  # fmt: skip
