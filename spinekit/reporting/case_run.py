"""One case from a series to a report: check what was asked, run the notebooks, write the report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit.diagnosis.combined import clinical_numbers
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.io.sources import shown
from spinekit.provenance import write_json
from spinekit.reporting.html import write_report
from spinekit.reporting.notebooks import StepFailure, run_notebooks
from spinekit.reporting.seal import remember_choices, write_seal
from spinekit.settings import read_settings
from spinekit.workflow.diagnosing import clinical_facts

__all__ = ["CaseRequest", "CaseRun", "check_request", "notebook_parameters", "run_case"]

SIMULATED = "simulated:"
UNATTENDED = "accepted unattended: no reader has looked at the region"


@dataclass(frozen=True)
class CaseRequest:
    """What is asked of `run_case`; the fields are the options of ``spinekit run``."""

    source: str
    case_dir: Path
    seeds: tuple[tuple[float, ...], ...] = ()
    background: tuple[tuple[float, ...], ...] = ()
    roi_file: Path | None = None
    outline_file: Path | None = None
    roi_label: str = ""  # number or name of the region in either file, where it holds several
    expand: str = "area"
    journal_file: Path | None = None
    t2: Path | None = None
    times_s: tuple[float, ...] = ()
    choose_series: str = ""
    reader: str = ""
    settings_file: Path | None = None
    n_baseline: int | None = None
    auto: bool = False  # the U-Net proposes the region
    clinical: str = ""  # facts for the classifier, such as "age_years=61,sex=F"; empty: the network alone
    check_setup: bool = True  # begin with notebook 00; a cohort checks the installation once, not per case


@dataclass(frozen=True)
class CaseRun:
    """What a run left behind."""

    report: Path
    seconds: float
    failure: StepFailure | None


def _absolute(path: Path | None) -> str:
    """Return a path that means the same in the kernel's working folder; empty if there is none."""
    return os.path.abspath(path) if path is not None else ""


def check_request(request: CaseRequest) -> None:
    """Refuse at once what would otherwise fail after a kernel has started."""
    study = read_settings(request.settings_file)
    clinical_numbers(clinical_facts(request.clinical))
    named = (Path(told) for told in (study.segmentation.model, study.diagnosis.model) if told)
    for path in (request.roi_file, request.outline_file, request.journal_file, request.t2, *named):
        if path is not None and not path.exists():
            raise _absent(path)
    simulated = request.source.startswith(SIMULATED)
    if not simulated and not Path(request.source).exists():
        raise _absent(Path(request.source))
    files = (request.roi_file, request.outline_file, request.journal_file)
    ways = [bool(request.seeds), request.auto, *(path is not None for path in files)]
    if sum(ways) > 1 or (not any(ways) and not simulated):
        raise InputRefusedError(
            "seed-missing" if not any(ways) else "choice-unknown",
            found=f"{sum(ways)} ways to the region were given.",
            expected="Exactly one of --seed, --roi, --outline, --journal and --auto.",
            cause="A lesion has to be marked; nothing is guessed unless --auto asks the network for a proposal.",
            cure="Give --seed I,J,K with a voxel inside the lesion, --auto, or mark it in notebook 02.",
        )


def _absent(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "path-missing",
        found=f"There is nothing at the path that was given ({shown(path)}).",
        expected="A file or folder that exists.",
        cause="The path may be misspelt, or a drive is not mounted.",
        cure="Check the path.",
    )


def notebook_parameters(request: CaseRequest) -> dict[str, dict[str, Any]]:
    """Return what each notebook is told, by the stem of its file name."""
    case_dir = _absolute(request.case_dir)
    simulated = request.source.startswith(SIMULATED)
    reader = request.reader or "unattended"
    load = {
        "source": request.source if simulated else _absolute(Path(request.source)),
        "t2": _absolute(request.t2),
        "times_s": ",".join(f"{t:.17g}" for t in request.times_s),
        "choose_series": request.choose_series,
        "settings_file": _absolute(request.settings_file),
        "n_baseline": request.n_baseline or 0,
    }
    mark = {
        "seeds": _written(request.seeds),
        "background": _written(request.background),
        "roi_file": _absolute(request.roi_file),
        "outline_file": _absolute(request.outline_file),
        "roi_label": request.roi_label,
        "expand": request.expand,
        "journal_file": _absolute(request.journal_file),
        "reader": reader,
        "use_suggested_seed": simulated
        and not (request.seeds or request.roi_file or request.outline_file or request.journal_file or request.auto),
        "auto": request.auto,
    }
    review = {"journal_file": mark["journal_file"], "reader": reader, "accept": True, "reason": UNATTENDED}
    own: dict[str, dict[str, Any]] = {"01_load_case": load, "02_mark_lesion": mark, "03_review_roi": review}
    own |= {name: {} for name in ("04_parameter_maps", "05_radiomics", "06_segment_unet")}
    own |= {"07_diagnose": {"clinical": request.clinical}, "08_case_report": {}}
    first: dict[str, dict[str, Any]] = {"00_check_setup": {}} if request.check_setup else {}
    return first | {name: {"case_dir": case_dir, **told} for name, told in own.items()}


def _written(seeds: tuple[tuple[float, ...], ...]) -> str:
    return ";".join(",".join(f"{int(n)}" for n in seed) for seed in seeds)


def run_case(
    request: CaseRequest,
    *,
    keep: Collection[str] = (),
    on_step: Callable[[int, int, str], None] | None = None,
) -> CaseRun:
    """Run the notebooks of one case and write its report.

    Parameters
    ----------
    request : CaseRequest
        What to read, how the lesion is marked, where to write.
    keep : collection of str
        Notebooks of an earlier run in the same folder whose results stand, since nothing they depend on has changed.
    on_step : callable, optional
        Called with (number, total, title) before each notebook.

    Returns
    -------
    CaseRun
        With ``failure`` set if a notebook failed; the report then says which and why, and
        ``error.json`` holds its code and message.

    Raises
    ------
    InputRefusedError
        For what can be refused before anything runs: a missing file, no way to the region, an
        unusable settings file, an output folder that holds something else.
    """
    started = time.perf_counter()
    check_request(request)
    folder = CaseFolder.for_writing(request.case_dir)
    folder.error.unlink(missing_ok=True)
    folder.seal.unlink(missing_ok=True)
    outcome = run_notebooks(request.case_dir, notebook_parameters(request), keep=keep, on_step=on_step)
    if outcome.failure is not None:
        write_json(folder.error, {"code": outcome.failure.code, "message": outcome.failure.message})
    report = write_report(request.case_dir, outcome)
    if outcome.failure is None:
        remember_choices(
            request.case_dir,
            settings=request.settings_file,
            roi=request.roi_file,
            outline=request.outline_file,
            journal=request.journal_file,
            n_baseline=request.n_baseline,
        )
        write_seal(request.case_dir)
    return CaseRun(report, time.perf_counter() - started, outcome.failure)
