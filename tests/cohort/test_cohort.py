"""Many cases: one bad one stops nobody, a killed run goes on where it was, limits hold."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from spinekit.cohort import CohortOptions, run_cohort
from spinekit.cohort.isolation import run_isolated
from spinekit.cohort.layout import CohortFolder
from spinekit.errors import InputRefusedError

COMMAND = [sys.executable, "-c", "from spinekit.cli import main; main()", "cohort"]
MERGED = ("cases.csv", "regions.csv", "maps.csv", "features.csv", "manifest.json", "report.html")
TABLES = CohortOptions(workers=2, reports=False)
POISON = 13


def write_table(path: Path, n: int, *, poison: int | None = None) -> Path:
    """Write a table of small simulated cases, one of them with a seed outside its image."""
    rows = [["case", "series", "seed_ijk", "comment"]]
    for number in range(n):
        seed = "900,2,2" if number == poison else ""
        rows.append([f"case-{number:02d}", f"simulated:{number + 30}@48x48x8", seed, "=cmd|' /C calc'!A0"])
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def merged_bytes(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in MERGED}


def written_at(out: Path) -> dict[str, int]:
    """Return the moment every file of a case that is done was written."""
    done = [p.stem for p in (out / "state").glob("*.json") if json.loads(p.read_text())["status"] == "done"]
    files = (f for name in done for f in (out / "cases" / name).rglob("*") if f.is_file())
    return {str(file.relative_to(out)): file.stat().st_mtime_ns for file in files}


def left_over(out: Path) -> list[str]:
    return [str(p) for p in out.rglob("*") if ".tmp-" in p.name] + [str(p) for p in (out / "replaced").glob("*")]


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Six cases, run without interruption."""
    root = tmp_path_factory.mktemp("cohort")
    ended = run_cohort(write_table(root / "cases.csv", 6, poison=4), root / "out", TABLES)
    assert [case["status"] for case in ended.cases].count("done") == 5
    return root


def test_killed_at_random_moments_the_run_goes_on_to_the_same_bytes(six, tmp_path):
    out = tmp_path / "out"
    command = [*COMMAND, str(six / "cases.csv"), "--out", str(out), "--workers", "2", "--no-reports"]
    waits = random.Random(7)
    for kill in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while kill == 1 and not any((out / "state").glob("*.json")):
            time.sleep(0.05)
        time.sleep(waits.uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = written_at(out) if out.exists() else {}

    resumed = subprocess.run(command, capture_output=True, text=True, check=False)

    assert resumed.returncode == 2, resumed.stderr
    assert "seed-outside" in resumed.stderr
    assert merged_bytes(out) == merged_bytes(six / "out")
    assert {name: moment for name, moment in written_at(out).items() if name in before} == before
    assert not left_over(out)


def test_no_process_outlives_a_run_that_was_killed(tmp_path):
    table = write_table(tmp_path / "cases.csv", 2)
    process = subprocess.Popen(
        [*COMMAND, str(table), "--out", str(tmp_path / "out"), "--no-reports"], stdout=subprocess.DEVNULL
    )
    below: list[psutil.Process] = []
    ends = time.monotonic() + 30
    while not below and time.monotonic() < ends:
        time.sleep(0.05)
        below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()

    _, alive = psutil.wait_procs(below, timeout=5)

    assert below
    assert not alive


def test_one_poisoned_case_of_twenty_stops_nobody_and_a_longer_table_computes_only_what_is_new(six, tmp_path):
    shutil.copytree(six / "out", tmp_path / "out")
    table = write_table(tmp_path / "cases.csv", 20, poison=POISON)

    ended = run_cohort(table, tmp_path / "out", TABLES)

    assert [case["name"] for case in ended.failures] == [f"case-{POISON}"]
    assert ended.failures[0]["code"] == "seed-outside"
    assert ended.exit_status == 2
    assert [n for n, case in enumerate(ended.cases) if case["kept"]] == [0, 1, 2, 3, 5]
    listed = read_rows(tmp_path / "out" / "cases.csv")
    assert [row["case"] for row in listed] == [f"case-{n:02d}" for n in range(20)]
    assert [row["status"] for row in listed].count("done") == 19
    features = read_rows(tmp_path / "out" / "features.csv")
    assert len(features) == 19 * 4
    assert list(dict.fromkeys(row["case"] for row in features)) == [r["case"] for r in listed if r["status"] == "done"]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "19 of 20 cases are done" in report
    assert "Simulated cases" in report


def test_an_edited_setting_computes_anew_and_says_why_an_unchanged_one_does_not(six, tmp_path):
    table = write_table(tmp_path / "cases.csv", 1)
    shutil.copytree(six / "out", tmp_path / "out")  # with the times of the files
    (tmp_path / "study.toml").write_text("[radiomics]\nbin_count = 32\n")  # what the defaults say
    same = run_cohort(table, tmp_path / "out", CohortOptions(reports=False, settings_file=tmp_path / "study.toml"))
    (tmp_path / "study.toml").write_text("[radiomics]\nbin_count = 16\n")
    other = run_cohort(table, tmp_path / "out", CohortOptions(reports=False, settings_file=tmp_path / "study.toml"))

    assert same.cases[0]["kept"]
    assert not other.cases[0]["kept"]
    assert other.cases[0]["why"] == ["settings [radiomics]"]
    case, before = tmp_path / "out" / "cases" / "case-00", six / "out" / "cases" / "case-00"
    for name in ("roi.nii.gz", "maps/auc60.nii.gz", "journal.json"):  # not computed again
        assert (case / name).stat().st_mtime_ns == (before / name).stat().st_mtime_ns, name
    assert (case / "features.csv").read_bytes() != (before / "features.csv").read_bytes()
    afresh = CohortOptions(reports=False, settings_file=tmp_path / "study.toml")
    run_cohort(table, tmp_path / "afresh", afresh)
    for name in ("features.csv", "maps.csv", "regions.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "afresh" / name).read_bytes(), name


def test_a_changed_result_is_noticed_and_made_again(six, tmp_path):
    table = write_table(tmp_path / "cases.csv", 1)
    shutil.copytree(six / "out", tmp_path / "out")
    features = tmp_path / "out" / "cases" / "case-00" / "features.csv"
    before = features.read_bytes()
    features.write_bytes(before[:-20])

    ended = run_cohort(table, tmp_path / "out", CohortOptions(reports=False))

    assert not ended.cases[0]["kept"]
    assert features.read_bytes() == before


@pytest.mark.parametrize(
    ("limit", "code"), [({"minutes": 0.005}, "case-timeout"), ({"memory_gb": 0.02}, "case-memory")]
)
def test_a_case_that_takes_too_much_is_ended_and_its_earlier_result_stands(six, tmp_path, limit, code):
    table = write_table(tmp_path / "cases.csv", 1)
    shutil.copytree(six / "out", tmp_path / "out")
    (tmp_path / "study.toml").write_text("[kinetics]\nn_baseline = 2\n")
    before = written_at(tmp_path / "out")

    ended = run_cohort(
        table, tmp_path / "out", CohortOptions(reports=False, settings_file=tmp_path / "study.toml", **limit)
    )

    assert ended.cases[0]["code"] == code
    assert ended.exit_status == 1
    assert written_at(tmp_path / "out") == before
    assert not left_over(tmp_path / "out")


def test_a_full_disk_fails_the_case_and_leaves_the_earlier_result(six, tmp_path):
    """The limit on the size of a file stands for the disk: both refuse a write in the middle."""
    table = write_table(tmp_path / "cases.csv", 1)
    shutil.copytree(six / "out", tmp_path / "out")
    (tmp_path / "study.toml").write_text("[kinetics]\nn_baseline = 2\n")
    before = written_at(tmp_path / "out")
    options = CohortOptions(reports=False, settings_file=tmp_path / "study.toml")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        ended = run_cohort(table, tmp_path / "out", options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert ended.cases[0]["code"] == "output-unwritable"
    assert written_at(tmp_path / "out") == before
    assert not left_over(tmp_path / "out")
    assert run_cohort(table, tmp_path / "out", options).cases[0]["status"] == "done"


def test_a_process_that_dies_is_told_as_such(tmp_path):
    folder = CohortFolder.for_writing(tmp_path / "out")
    asked = {
        "source": "simulated:1@96x96x12", "t2": None, "times_s": [], "choose_series": "", "n_baseline": None,
        "seeds": [], "background": [], "roi_file": None, "outline_file": None, "journal_file": None,
    }  # fmt: skip
    job = {
        "asked": asked, "case_dir": str(folder.case("one")), "running_lock": str(folder.running_lock),
        "settings_file": None, "reports": False, "reader": "AB", "minutes": 5, "memory_gb": 0,
        "keep": [],
    }  # fmt: skip

    def kill_it() -> None:
        mine = psutil.Process()
        while not any("case_process" in " ".join(child.cmdline()) for child in mine.children()):
            time.sleep(0.02)
        next(c for c in mine.children() if "case_process" in " ".join(c.cmdline())).kill()

    killer = threading.Thread(target=kill_it)
    killer.start()
    ended = run_isolated(job)
    killer.join()

    assert ended["code"] == "case-crashed"
    assert "signal 9" in ended["message"]


def test_two_runs_in_one_folder_are_refused(tmp_path):
    table = write_table(tmp_path / "cases.csv", 1)
    with CohortFolder.for_writing(tmp_path / "out").alone(), pytest.raises(InputRefusedError) as refused:
        run_cohort(table, tmp_path / "out", TABLES)

    assert refused.value.code == "output-busy"


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputRefusedError) as refused:
        run_cohort(write_table(tmp_path / "cases.csv", 1), tmp_path / "out", TABLES)

    assert refused.value.code == "output-exists"
    assert os.listdir(tmp_path / "out") == ["thesis.txt"]


def test_a_dask_scheduler_gives_the_same_tables(six, tmp_path):
    from distributed import LocalCluster

    table = write_table(tmp_path / "cases.csv", 2)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None,
        silence_logs=50, memory_limit=0,
    ) as cluster:  # fmt: skip
        options = CohortOptions(scheduler=cluster.scheduler_address, reports=False)
        ended = run_cohort(table, tmp_path / "out", options)

    assert not ended.failures
    with open(six / "out" / "features.csv") as stream:
        assert (tmp_path / "out" / "features.csv").read_text().splitlines() == stream.read().splitlines()[: 1 + 2 * 4]


def test_a_cohort_is_verified_case_by_case_and_its_merged_tables_to_the_byte(tmp_path):
    from spinekit.cohort.verify import verify_cohort

    run_cohort(write_table(tmp_path / "cases.csv", 2, poison=0), tmp_path / "out", TABLES)
    assert verify_cohort(tmp_path / "out").unchanged

    maps = tmp_path / "out" / "maps.csv"
    maps.write_text(maps.read_text().replace("0.", "1.", 1))
    roi = tmp_path / "out" / "cases" / "case-01" / "features.csv"
    roi.write_text(roi.read_text().replace("0.", "1.", 1))
    found = "\n".join(str(difference) for difference in verify_cohort(tmp_path / "out").differences)

    assert "maps.csv: is missing or differs" in found
    assert "case-01, features.csv" in found
