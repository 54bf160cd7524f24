"""What a worker does with one case: nothing if it is done, else run it in isolation and keep how it ended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinekit.cohort.isolation import run_isolated
from spinekit.cohort.manifest import FINAL, depends_on, intact, read_entry, steps_that_stand
from spinekit.provenance import hash_file, write_json
from spinekit.reporting.seal import files_of

__all__ = ["work_on"]


def work_on(job: Mapping[str, Any]) -> dict[str, Any]:
    """Make one case up to date.

    Steps that depend on nothing of what has changed are not computed again. An earlier result stands aside until
    the new one is complete; it comes back if the new one could not be
    written, ran out of time or memory, or crashed.

    Parameters
    ----------
    job : mapping
        ``name``, ``asked``, ``case_dir``, ``aside``, ``state``, ``running_lock``, ``settings_file``,
        ``reports``, ``reader``, ``minutes``, ``memory_gb``.

    Returns
    -------
    dict
        ``name``, ``status``, ``code``, ``message``, ``exit_status``, ``seconds``, ``kept`` (nothing was
        computed), ``why`` (what changed since the last time).
    """
    started = time.monotonic()
    case_dir, aside, state = Path(job["case_dir"]), Path(job["aside"]), Path(job["state"])
    entry, hashes = read_entry(state), depends_on(job)
    why = _why(entry, hashes)
    if not why and entry["status"] in FINAL and intact(case_dir, entry["files_sha256"]):
        shutil.rmtree(aside, ignore_errors=True)
        return _told(job, entry, kept=True, why=[], seconds=0.0)
    _set_aside(case_dir, aside, entry)
    stands = steps_that_stand(why) if aside.is_dir() and entry.get("status") == "done" else set()
    if stands:
        shutil.copytree(aside, case_dir)
    outcome = run_isolated({**job, "keep": sorted(stands)})
    seconds = time.monotonic() - started
    if outcome["status"] not in FINAL and aside.is_dir():
        shutil.rmtree(case_dir, ignore_errors=True)
        aside.rename(case_dir)
        return _told(job, outcome, kept=False, why=why, seconds=seconds)
    files = {name: hash_file(case_dir / name) for name in files_of(case_dir)} if case_dir.is_dir() else {}
    write_json(state, {"case": job["name"], **outcome, "seconds": seconds, "depends_on": hashes, "files_sha256": files})
    shutil.rmtree(aside, ignore_errors=True)
    return _told(job, outcome, kept=False, why=why or ["its files"], seconds=seconds)


def _why(entry: Mapping[str, Any], hashes: Mapping[str, str]) -> list[str]:
    """Return what differs from the last time; empty if nothing does."""
    if not entry:
        return ["new"]
    before = entry["depends_on"]
    return [name for name in dict.fromkeys((*hashes, *before)) if hashes.get(name) != before.get(name)]


def _set_aside(case_dir: Path, aside: Path, entry: Mapping[str, Any]) -> None:
    """Make room for a case: a complete earlier result stands aside, half a result of a stopped run goes."""
    if aside.is_dir():
        shutil.rmtree(case_dir, ignore_errors=True)
    elif entry.get("status") in FINAL and entry["files_sha256"] and intact(case_dir, entry["files_sha256"]):
        aside.parent.mkdir(parents=True, exist_ok=True)
        case_dir.rename(aside)
    else:
        shutil.rmtree(case_dir, ignore_errors=True)


def _told(
    job: Mapping[str, Any], ended: Mapping[str, Any], *, kept: bool, why: list[str], seconds: float
) -> dict[str, Any]:
    facts = {key: ended[key] for key in ("status", "code", "message", "exit_status")}
    return {"name": job["name"], **facts, "kept": kept, "why": why, "seconds": seconds}
