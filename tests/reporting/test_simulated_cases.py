"""A case from files that the simulator wrote is labelled like one that is simulated here; a measured one is not."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import numpy as np
import pydicom
import pytest

from spinekit import plotting, workflow
from spinekit.cohort.report import SIMULATED as COHORT_BANNER
from spinekit.cohort.report import report_page
from spinekit.cohort.summary import summary_of
from spinekit.errors import InputRefusedError
from spinekit.io import read_series
from spinekit.io.deidentify import Key, deidentify_series
from spinekit.io.layout import CaseFolder
from spinekit.phantom import write_cohort
from spinekit.phantom.dicom_writer import write_dicom
from spinekit.reporting.case_compute import compute_case
from spinekit.reporting.case_run import CaseRequest
from spinekit.reporting.html import SIMULATED, write_report
from spinekit.reporting.notebooks import NotebookRun
from spinekit.study.case_work import measure_case
from spinekit.study.table import read_study_table
from spinekit.workflow.exporting import export_case

STAMP = "SIMULATED CASE"
SIMULATOR = ("dicom", "nifti", "deidentified")
KEY = Key(b"a key for these tests only")


@dataclass(frozen=True)
class Source:
    """Where a series lies, and a voxel inside its lesion."""

    series: Path
    t2: Path
    seed_ijk: tuple[int, int, int]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    root = tmp_path_factory.mktemp("files")
    found = {}
    for format in ("dicom", "nifti"):
        table = write_cohort(1, root / format, format=format, first_seed=3, size=(48, 48, 8))
        with open(table, newline="", encoding="utf-8") as stream:
            row = next(csv.DictReader(stream))
        i, j, k = (int(n) for n in row["seed_ijk"].split(","))
        found[format] = Source(table.parent / row["series"], table.parent / row["t2"], (i, j, k))
    copy = deidentify_series(found["dicom"].series, root / "copy", key=KEY, pixels_checked=True)
    found["deidentified"] = replace(found["dicom"], series=copy.files[0].parent)
    measured = replace(read_series(found["dicom"].series), record={})
    write_dicom(measured, root / "measured", description="t1_vibe_dyn", patient="P-4711")
    found["measured"] = replace(found["dicom"], series=root / "measured")
    return found


@pytest.fixture(scope="module")
def cases(sources: dict[str, Source], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished case of each source."""
    root = tmp_path_factory.mktemp("cases")
    for name, source in sources.items():
        request = CaseRequest(
            source=str(source.series), case_dir=root / name, t2=source.t2, seeds=(source.seed_ijk,), n_baseline=2,
            reader="AB",
        )  # fmt: skip
        compute_case(request)
    return {name: root / name for name in sources}


def words_of(figure) -> str:
    """Return what is written in a figure."""
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


def figures_of(folder: Path):
    series, roi, maps = workflow.open_series(folder), workflow.open_roi(folder), workflow.open_maps(folder)
    simulated = workflow.is_simulated(folder)
    yield plotting.montage(series, roi, n_baseline=2)
    yield plotting.growing_panels(series, roi, n_baseline=2)
    yield plotting.enhancement_curve(series, roi, n_baseline=2)
    yield plotting.map_panels(maps, roi=roi, anatomy=series.phase(-1), names=["wash_in_slope"])
    yield plotting.three_planes(series.phase(-1), roi.centre_ijk, roi, simulated=simulated)
    yield plotting.region_in_3d(roi, simulated=simulated)
    yield plotting.feature_overview(workflow.open_features(folder), simulated=simulated)


def report_of(folder: Path, tmp_path: Path) -> str:
    step = tmp_path / "08_case_report.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Report")]), step)
    return write_report(folder, NotebookRun((step,), (0.0,), (), None)).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SIMULATOR)
def test_a_case_from_the_simulators_files_is_stamped_in_figures_report_and_tables(
    cases: dict[str, Path], name: str, tmp_path: Path
) -> None:
    folder = cases[name]

    assert workflow.is_simulated(folder)
    assert all(STAMP in words_of(figure) for figure in figures_of(folder))
    assert SIMULATED in report_of(folder, tmp_path)
    assert summary_of(folder)["simulated"] is True
    assert COHORT_BANNER in report_page([{"name": name, "status": "done"}], {name: summary_of(folder)})
    assert json.loads(CaseFolder(folder).marker.read_text())["origin"] == "files"


def test_a_measured_case_is_stamped_nowhere(cases: dict[str, Path], tmp_path: Path) -> None:
    folder = cases["measured"]

    assert not workflow.is_simulated(folder)
    assert not any(STAMP in words_of(figure) for figure in figures_of(folder))
    assert SIMULATED not in report_of(folder, tmp_path)
    assert summary_of(folder)["simulated"] is False


def test_measured_and_simulated_files_of_the_same_values_give_the_same_numbers(cases: dict[str, Path]) -> None:
    one, two = (workflow.open_features(cases[name]) for name in ("dicom", "measured"))

    np.testing.assert_array_equal(one.select_dtypes("number"), two.select_dtypes("number"))


def test_the_first_notebook_says_so_without_a_suggested_seed(sources: dict[str, Source], tmp_path: Path) -> None:
    loaded = workflow.load_case(sources["nifti"].series, tmp_path, t2=sources["nifti"].t2)

    assert loaded.simulated
    assert loaded.suggested_seed_ijk is None
    with pytest.raises(InputRefusedError, match="use_suggested_seed"):
        workflow.begin_marking(tmp_path, use_suggested_seed=True)


def test_a_case_loaded_anew_from_other_files_is_no_longer_simulated(sources: dict[str, Source], tmp_path: Path) -> None:
    for name, expected in (("dicom", True), ("measured", False)):
        assert workflow.load_case(sources[name].series, tmp_path).simulated is expected
        assert workflow.is_simulated(tmp_path) is expected


def test_what_is_exported_of_simulated_dicom_bears_its_marks(cases: dict[str, Path], tmp_path: Path) -> None:
    for name, expected in (("dicom", "YES"), ("measured", "")):
        done = export_case(cases[name], tmp_path / name)
        objects = [pydicom.dcmread(path) for path in done.files if path.suffix == ".dcm"]

        assert len(objects) >= 4
        assert {str(image.get("SyntheticData", "")) for image in objects} == {expected}


@pytest.mark.parametrize(("name", "why"), [("nifti", "it did not come as DICOM"), ("here", "it is simulated")])
def test_no_dicom_is_exported_where_there_are_no_dicom_images(
    cases: dict[str, Path], tmp_path: Path, name: str, why: str
) -> None:
    if name == "here":
        compute_case(CaseRequest(source="simulated:3@48x48x8", case_dir=tmp_path / "case"))
    done = export_case(cases.get(name, tmp_path / "case"), tmp_path / "out")

    assert why in done.left_out[0]
    assert json.loads((tmp_path / "out" / "region.json").read_text())["simulated"] is True


def test_a_study_of_the_simulators_files_is_labelled_too(sources: dict[str, Source], tmp_path: Path) -> None:
    rows = [f'{n},{s.series},primary,2,"{",".join(map(str, s.seed_ijk))}"' for n, s in sources.items()]
    (tmp_path / "table.csv").write_text("\n".join(["case,series,label,n_baseline,seed_ijk", *rows]) + "\n")
    read = {case.name: case for case in read_study_table(tmp_path / "table.csv")}

    for name, expected in (("nifti", True), ("measured", False)):
        record, _ = measure_case(read[name])
        assert record["simulated"] is expected
        assert replace(read[name], from_simulator=record["simulated"]).shown_simulated is expected
        assert not read[name].simulated
