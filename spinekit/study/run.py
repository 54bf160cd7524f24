"""The study: measure every case, run every arm by patient, compare, and say what was found."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.provenance import write_json, write_text
from spinekit.study.arms import ARMS, REFERENCE, Arm, ArmResult, arm_repeats, arm_table, fitted_on_internal, run_arm
from spinekit.study.case_work import measure_cases
from spinekit.study.table import CLASSES, StudyCase, read_study_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyOptions", "StudyRun", "run_study"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class StudyOptions:
    """What a study decides.

    Attributes
    ----------
    external : str
        Centre that is kept for the external test; empty for none (a simulated table keeps hospital B).
    outer, inner : int
        Numbers of folds.
    seed : int
        Of folds, classifiers and bootstrap.
    draws : int
        Of the bootstrap.
    permutations : int
        Shuffles of the labels through the whole nested procedure of the reference arm.
    networks : {"auto", "no"}
        Ask the two networks if their weights are there, or leave their arms out.
    """

    external: str = ""
    outer: int = 5
    inner: int = 4
    seed: int = 2023
    draws: int = 2000
    permutations: int = 0
    networks: str = "auto"


@dataclass(frozen=True)
class StudyRun:
    """What a study found, and where it is written.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        ``segmentation``, ``diagnosis``, ``comparisons``, ``readings``, ``published``, ``audit``, ``checklists``.
    sentences : tuple of str
        The answers in words.
    results : mapping of str to ArmResult
    internal : tuple of StudyCase
        The cases that the nested predictions of every arm are for, in their order.
    left_out : tuple of str
        Arms and cases that are not in the result, and why.
    report, readme : Path
    """

    tables: dict[str, pd.DataFrame]
    sentences: tuple[str, ...]
    results: dict[str, ArmResult]
    internal: tuple[StudyCase, ...]
    left_out: tuple[str, ...]
    report: Path
    readme: Path


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    holds = folder.is_dir() and any(p.name not in ("error.json", "table.csv") for p in folder.iterdir())
    if (folder.exists() and not folder.is_dir()) or (holds and not (folder / "study.json").is_file()):
        raise InputRefusedError(
            "output-exists",
            found=f"'{folder.name}' exists and is no study of spinekit.",
            expected="A new or empty folder, or the folder of an earlier study.",
            cause="Another folder may have been given by mistake.",
            cure="Choose another folder with --out; nothing was changed in this one.",
        )
    return folder


def _external(cases: tuple[StudyCase, ...], wanted: str) -> str:
    centres = sorted({case.centre for case in cases})
    if wanted and wanted not in centres:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The external centre '{wanted}' was asked for.",
            expected=f"One of {', '.join(centres)}.",
            cause="The column centre or hospital has other names.",
            cure="Correct --external or the table.",
        )
    if not wanted and all(case.simulated for case in cases) and "B" in centres and len(centres) > 1:
        return "B"
    return wanted


def run_study(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: StudyOptions | None = None,
    *,
    arms: tuple[Arm, ...] = ARMS,
    command: str = "",
    workers: int = 1,
    on_step: Progress | None = None,
) -> StudyRun:
    """Run the study on a table of cases; what was computed before for the same inputs is taken as it is.

    Parameters
    ----------
    table : path
        See `read_study_table`.
    out : path
        New, empty, or the folder of an earlier run.
    options : StudyOptions, optional
    arms : tuple of Arm
        What is compared; the first is the reference.
    command : str
        For the page, so that it can be repeated.
    workers : int
        Cases that are measured at the same time.
    on_step : callable, optional
        Called with (number, total, words).

    Returns
    -------
    StudyRun

    Raises
    ------
    InputRefusedError
        What concerns the whole study: the table, the output folder, classes that do not suffice for the folds.
    """
    from spinekit.study.report import write_study

    chosen = options or StudyOptions()
    cases = read_study_table(table)
    folder = _folder(out)
    write_json(folder / "study.json", {"format": 1, "options": asdict(chosen), "command": command})
    records = measure_cases(cases, folder / "cases", workers=workers, on_case=on_step)
    left_out = [f"Case {c.name}: {records[c.name]['message']}" for c in cases if "code" in records[c.name]]
    cases = tuple(
        replace(case, from_simulator=bool(records[case.name].get("simulated", False)))
        for case in cases
        if "code" not in records[case.name]
    )
    external = _external(cases, chosen.external)
    setup = _setup(cases, external, chosen)
    networks, why = _networks(cases, folder, chosen, on_step, workers)
    where = {"internal": setup["internal"], "splits": setup["splits"]}
    repeats = {arm.name: arm_repeats(arm, cases, records, **where) for arm in arms}
    results, tables_seen, missing = _run_arms(arms, cases, records, networks, setup, folder, chosen, on_step, repeats)
    if not any(repeats.values()):
        left_out.append("Stability filter: a training part has too few cases that were measured in every way.")
    left_out += [f"{name}: {why or 'the table has no such columns'}" for name in missing]
    found = {
        "cases": cases, "records": records, "networks": networks, "setup": setup, "results": results,
        "seen": tables_seen, "left_out": tuple(left_out), "external": external, "command": command,
        "reference": arms[0].name, "arms": arms, "repeats": repeats, "machine": _machine(),
    }  # fmt: skip
    return write_study(folder, found, chosen, on_step=on_step)


def _machine() -> str:
    from spinekit.provenance import library_versions

    versions = library_versions()
    shown = ", ".join(f"{name} {versions[name]}" for name in ("spinekit", "numpy", "scipy", "torch"))
    return f"{platform.machine()}, {os.cpu_count()} CPU, Python {versions['python']}, {shown}"


def _setup(cases: tuple[StudyCase, ...], external: str, options: StudyOptions) -> dict[str, Any]:
    from spinekit.evaluation import nested_splits

    labels = np.array([case.label for case in cases])
    patients = np.array([case.patient for case in cases])
    centres = np.array([case.centre for case in cases])
    internal = centres != external if external else np.ones(len(cases), dtype=bool)
    splits = nested_splits(
        labels[internal], patients[internal], centres=centres[internal], outer=options.outer, inner=options.inner,
        seed=options.seed,
    )  # fmt: skip
    shared = sorted(set(patients[internal]) & set(patients[~internal]))
    if shared:
        raise InputRefusedError(
            "table-invalid",
            found=f"Patient '{shared[0]}' has cases in the external centre and in others.",
            expected="External patients that no training case is of.",
            cause="A patient was scanned in both hospitals.",
            cure="Leave one of the cases out.",
        )
    return {"labels": labels, "patients": patients, "centres": centres, "internal": internal, "splits": splits}


def _networks(
    cases: tuple[StudyCase, ...], folder: Path, options: StudyOptions, on_step: Progress | None, workers: int
) -> tuple[dict[str, Any], str]:
    if options.networks == "no":
        return {}, "the networks were left out by choice."
    from spinekit.study.networks import KINDS, network_records, networks_missing
    from spinekit.study.taught import require_untaught

    missing = networks_missing()
    kinds = [kind for kind in KINDS if kind not in missing]
    why = " ".join(dict.fromkeys(missing.values()))
    if not kinds:
        return {}, why
    require_untaught(cases, kinds)
    return network_records(cases, folder / "cases", kinds=kinds, workers=workers, on_case=on_step), why


def _run_arms(
    arms: tuple[Arm, ...], cases: Any, records: Any, networks: Any, setup: dict[str, Any], folder: Path,
    options: StudyOptions, on_step: Progress | None, repeats: dict[str, Any],
) -> tuple[dict[str, ArmResult], dict[str, Any], list[str]]:  # fmt: skip
    results, seen, missing = {}, {}, []
    for number, arm in enumerate(arms, start=1):
        table = arm_table(arm, cases, records, networks)
        if table is None:
            missing.append(arm.name)
            continue
        if on_step is not None:
            on_step(number, len(arms), arm.name)
        seen[arm.name] = table
        results[arm.name] = run_arm(
            arm, table, setup["labels"], setup["patients"], internal=setup["internal"], splits=setup["splits"],
            folder=folder / "arms", seed=options.seed, repeats=repeats[arm.name],
        )  # fmt: skip
    return results, seen, missing


def reference_formula(found: dict[str, Any]) -> tuple[Any, Any]:
    """Return the formula of the reference arm fitted on all internal cases, and the table it was fitted on."""
    from spinekit.diagnosis.formula import linear_model

    arm = next(a for a in found["arms"] if a.name == found["reference"])
    table, setup = found["seen"][arm.name], found["setup"]
    fitted = fitted_on_internal(
        arm, table, setup["labels"], setup["internal"], setup["splits"], repeats=found["repeats"][arm.name]
    )
    about = {
        "simulated": all(case.shown_simulated for case in found["cases"]), "cases": int(setup["internal"].sum()),
        "warning": "Research only; not a diagnosis.",
    }  # fmt: skip
    return linear_model(fitted.pipeline, classes=CLASSES, about=about), table.iloc[np.flatnonzero(setup["internal"])]


def save_tables(folder: Path, tables: dict[str, Any]) -> None:
    """Write every table as CSV into ``tables``."""
    for name, table in tables.items():
        write_text(
            folder / "tables" / f"{name}.csv", table.to_csv(index=bool(table.index.name or table.index.nlevels > 1))
        )


assert ARMS[0].name == REFERENCE  # the reference of every comparison stands first
