"""Run a cohort: spread its cases over workers, keep going past bad ones, merge what came out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from spinekit.cohort.layout import CohortFolder
from spinekit.cohort.merge import merge
from spinekit.cohort.table import Case, read_table
from spinekit.cohort.work import work_on
from spinekit.provenance import write_json
from spinekit.settings import read_settings

__all__ = ["CohortOptions", "CohortRun", "run_cohort"]

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class CohortOptions:
    """How a cohort is run.

    Parameters
    ----------
    workers : int
        Cases at the same time on this machine; each has one process with one thread.
    scheduler : str
        Address of a running Dask scheduler, such as ``tcp://node1:8786``, instead of workers here. Its
        workers must see the same files under the same paths and have spinekit installed.
    settings_file : Path, optional
        ``study.toml`` for all cases.
    reports : bool
        Write a report for each case; without, the same tables in a fraction of the time.
    minutes, memory_gb : float
        What one case may take; 0 is no limit.
    mark_by : str
        Which column marks the lesion where a row gives several; see `read_table`.
    reader : str
        Initials for the journals.
    """

    workers: int = 1
    scheduler: str = ""
    settings_file: Path | None = None
    reports: bool = True
    minutes: float = 60.0
    memory_gb: float = 0.0
    mark_by: str = ""
    reader: str = ""


@dataclass(frozen=True)
class CohortRun:
    """How a cohort ended: one record per case in the order of the table, and the merged report."""

    cases: tuple[dict[str, Any], ...]
    report: Path

    @property
    def failures(self) -> tuple[dict[str, Any], ...]:
        """The cases that are not done."""
        return tuple(case for case in self.cases if case["status"] != "done")

    @property
    def exit_status(self) -> int:
        """0 all done; 2 some refused; 1 some ended by a fault, by their limits or without a word."""
        return min((case["exit_status"] for case in self.failures), default=0)


def run_cohort(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: CohortOptions | None = None,
    *,
    on_case: Callable[[int, int, dict[str, Any]], None] | None = None,
) -> CohortRun:
    """Make every case of a table up to date and merge the results.

    A case that is done for the same inputs, settings and versions is not computed again; see docs/cohort.md.

    Parameters
    ----------
    table : path
        See `spinekit.cohort.table.read_table`.
    out : path
        New, empty, or the folder of an earlier run of the cohort.
    options : CohortOptions, optional
        How to run it.
    on_case : callable, optional
        Called with (number of cases finished, total, record of the case) after each.

    Returns
    -------
    CohortRun

    Raises
    ------
    InputRefusedError
        What concerns all cases: the table, the settings, the output folder.
    """
    chosen = options or CohortOptions()
    read_settings(chosen.settings_file)
    cases = read_table(table, mark_by=chosen.mark_by)
    folder = CohortFolder.for_writing(out)
    with folder.alone():
        told: dict[str, dict[str, Any]] = {}

        def finished(record: dict[str, Any]) -> None:
            told[record["name"]] = record
            if on_case is not None:
                on_case(len(told), len(cases), record)

        for case in cases:
            if case.refused is not None:
                finished(_refused(case, folder))
        jobs = [_job(case, folder, chosen) for case in cases if case.refused is None]
        for record in _in_parallel(jobs, chosen):
            finished(record)
        ordered = tuple(told[case.name] for case in cases)
        return CohortRun(ordered, merge(folder, ordered))


def _job(case: Case, folder: CohortFolder, options: CohortOptions) -> dict[str, Any]:
    return {
        "name": case.name,
        "asked": dict(case.asked),
        "case_dir": str(folder.case(case.name)),
        "aside": str(folder.aside(case.name)),
        "state": str(folder.state(case.name)),
        "running_lock": str(folder.running_lock),
        "settings_file": os.path.abspath(options.settings_file) if options.settings_file else None,
        "reports": options.reports,
        "reader": options.reader or "unattended",
        "minutes": options.minutes,
        "memory_gb": options.memory_gb,
    }


def _refused(case: Case, folder: CohortFolder) -> dict[str, Any]:
    assert case.refused is not None
    ended = {"status": "refused", "exit_status": 2, **case.refused.as_dict()}
    write_json(folder.state(case.name), {"case": case.name, **ended, "depends_on": {}, "files_sha256": {}})
    return {"name": case.name, **ended, "kept": False, "why": ["new"], "seconds": 0.0}


def _in_parallel(jobs: list[dict[str, Any]], options: CohortOptions) -> Iterator[dict[str, Any]]:
    """Yield the record of each case as it is finished."""
    if not jobs:
        return
    with _client(options) as client:
        from distributed import as_completed

        waiting = iter(jobs)
        names: dict[Any, dict[str, Any]] = {}

        def submit(job: dict[str, Any]) -> Any:
            future = client.submit(work_on, job, key=f"case-{job['name']}", pure=False)
            names[future] = job
            return future

        # a few at a time, so that what Dask keeps of a task does not grow with the number of cases
        running = as_completed([submit(job) for job in islice(waiting, _ahead(client, options))], loop=client.loop)
        for future in running:
            job, fault = names.pop(future), future.exception()
            record = future.result() if fault is None else _fault(job, fault)
            future.release()
            following = next(waiting, None)
            if following is not None:
                running.add(submit(following))
            yield record


def _ahead(client: Any, options: CohortOptions) -> int:
    """Return how many cases are handed out at a time: two for each that can run."""
    workers = sum(client.ncores().values()) if options.scheduler else options.workers
    return 2 * max(int(workers), 1)


def _fault(job: dict[str, Any], fault: BaseException) -> dict[str, Any]:
    from spinekit.errors import SpinekitError

    known = isinstance(fault, SpinekitError)
    message = fault.message if isinstance(fault, SpinekitError) else f"A worker failed: {type(fault).__name__}."
    return {
        "name": job["name"], "status": "failed", "exit_status": 1, "kept": False, "why": [], "seconds": 0.0,
        "code": fault.code if known and isinstance(fault, SpinekitError) else "case-crashed", "message": message,
    }  # fmt: skip


@contextmanager
def _client(options: CohortOptions) -> Iterator[Any]:
    """Give a Dask client: of the scheduler that was named, or of workers in this process.

    The workers are threads that wait, since every case has a process of its own: no port is opened but Dask's
    status pages, and those on the loopback address only.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.comm.inproc import global_manager

    global_manager._ip = LOOPBACK  # else Dask asks the system which of its addresses faces the internet
    quiet = {
        "distributed.comm.retry.count": 3,
        "distributed.scheduler.allowed-failures": 2,
        "distributed.admin.log-length": 200,  # else the parent grows with every case
        "distributed.admin.low-level-log-length": 200,
        "distributed.worker.profile.enabled": False,
    }
    with dask.config.set(quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own: nothing in them concerns a case
        if options.scheduler:
            with Client(options.scheduler, timeout="30s", set_as_default=False) as client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=options.workers, threads_per_worker=1, processes=False, memory_limit=0,
                dashboard_address=f"{LOOPBACK}:0", worker_dashboard_address=f"{LOOPBACK}:0", silence_logs=50,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):  # fmt: skip
            yield client
