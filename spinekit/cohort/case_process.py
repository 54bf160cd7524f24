"""The process of one case: reads what is asked from standard input, computes, answers on standard output.

It ends, with the kernels it started, as soon as its standard input closes: a cohort that was killed leaves no
process behind that goes on writing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["main"]


def _end_with(lifeline: Any) -> None:
    """Wait until the other end is closed, then end this process and all below it at once."""
    import psutil

    while lifeline.read(1):
        pass
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(3)


def _hold(lock: str) -> int:
    """Take a share of the lock that the next cohort waits for, so that no two processes write one case."""
    import fcntl

    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def _request(job: Mapping[str, Any]) -> Any:
    from spinekit.reporting.case_run import CaseRequest

    asked = dict(job["asked"])
    for field in ("roi_file", "outline_file", "journal_file", "t2"):
        asked[field] = Path(asked[field]) if asked.get(field) else None
    for field in ("seeds", "background"):
        asked[field] = tuple(tuple(seed) for seed in asked[field])
    return CaseRequest(
        **{**asked, "times_s": tuple(asked["times_s"])},
        case_dir=Path(job["case_dir"]),
        reader=job["reader"],
        settings_file=Path(job["settings_file"]) if job["settings_file"] else None,
        check_setup=False,
    )


def compute(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run one case; return how it ended, its code and message, and what the merged tables need."""
    from spinekit.cohort.summary import summary_of
    from spinekit.errors import SpinekitError
    from spinekit.reporting.case_compute import compute_case
    from spinekit.reporting.case_run import run_case

    try:
        if job["reports"]:
            failure = run_case(_request(job), keep=job["keep"]).failure
            if failure is not None:
                return _ended(failure.code, failure.message, failure.exit_status)
        else:
            compute_case(_request(job), keep=job["keep"])
        return {"status": "done", "code": "", "message": "", "exit_status": 0, "summary": summary_of(job["case_dir"])}
    except SpinekitError as refused:
        return _ended(refused.code, refused.message, refused.exit_status)


def _ended(code: str, message: str, exit_status: int) -> dict[str, Any]:
    final = exit_status == 2 and code != "output-unwritable"
    return {"status": "refused" if final else "failed", "code": code, "message": message, "exit_status": exit_status}


def main() -> None:
    """Answer one job; what the libraries print goes to standard error, so that the answer stands alone."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lifeline = sys.stdin.buffer
    job = json.loads(lifeline.readline())
    held = _hold(job["running_lock"])
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    try:
        outcome = compute(job)
    except Exception as fault:
        traceback.print_exc()
        outcome = _ended("case-crashed", f"A fault of spinekit: {type(fault).__name__}.", 1)
    json.dump(outcome, answer)
    answer.flush()
    os.close(held)
    os._exit(0)  # no destructor may keep a finished case waiting


if __name__ == "__main__":
    main()
