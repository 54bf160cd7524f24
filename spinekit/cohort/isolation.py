"""One case in a process of its own, watched: no more time, no more memory than it may take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

__all__ = ["run_isolated"]

POLL_S = 0.2
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ),
    "1",
)  # fmt: skip


def run_isolated(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run a case in its own process with one thread, and end it if it takes too long or too much.

    What the process prints is thrown away: a traceback can quote a tag of the image.

    Parameters
    ----------
    job : mapping
        As for `spinekit.cohort.case_process.compute`, with ``minutes`` and ``memory_gb``; 0 is no limit.

    Returns
    -------
    dict
        ``status``, ``code``, ``message``, ``exit_status``, and ``summary`` of a case that is done.
    """
    with tempfile.TemporaryFile() as answer:
        process = subprocess.Popen(
            [sys.executable, "-m", "spinekit.cohort.case_process"],
            stdin=subprocess.PIPE, stdout=answer, stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD}, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended before it read a word; its status below says so
            process.stdin.write(json.dumps(dict(job)).encode() + b"\n")
            process.stdin.flush()
        try:
            ended = _watch(process, minutes=job["minutes"], memory_gb=job["memory_gb"])
        finally:
            _end(process)
        if ended is not None:
            return ended
        answer.seek(0)
        text = answer.read()
        if process.returncode == 0 and text:
            outcome: dict[str, Any] = json.loads(text)
            return outcome
        return _crashed(process.returncode)


def _watch(process: subprocess.Popen[bytes], *, minutes: float, memory_gb: float) -> dict[str, Any] | None:
    """Wait for the end of a process; return why it had to be ended, None if it ended by itself."""
    started = time.monotonic()
    while True:
        try:
            process.wait(POLL_S)
            return None
        except subprocess.TimeoutExpired:
            if minutes and time.monotonic() - started > 60 * minutes:
                return _failed("case-timeout", f"The case took longer than the {minutes:g} min it may take.")
            if memory_gb and _memory_gb(process.pid) > memory_gb:
                return _failed("case-memory", f"The case took more than the {memory_gb:g} GB of memory it may take.")


def _memory_gb(pid: int) -> float:
    """Return the memory that a process and all below it hold."""
    import psutil

    total = 0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e9


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it, if they are still there."""
    import psutil

    if process.poll() is None:
        try:
            root = psutil.Process(process.pid)
            family = [*root.children(recursive=True), root]
        except psutil.NoSuchProcess:
            family = []
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        process.wait()
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # the process is gone, with what was still to be sent to it
            process.stdin.close()


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"status": "failed", "code": code, "message": message, "exit_status": 1}


def _crashed(status: int) -> dict[str, Any]:
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    cure = "Run this case alone with spinekit run to see why."
    return _failed("case-crashed", f"The process of the case {how} before it had answered. {cure}")
