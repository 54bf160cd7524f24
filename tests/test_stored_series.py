"""The series of a case is opened as it was stored, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io.layout import CaseFolder
from spinekit.io.stored import hash_series, open_series, store_series

GRID = Geometry((4, 3, 2), (1.0, 2.0, 5.0), (1 / 3, 0.1, -7.0))


def series(scale=1.0):
    signal = np.random.default_rng(5).normal(size=(3, 2, 3, 4)).astype(np.float32) * np.float32(scale)
    protocol = Acquisition(repetition_time_ms=5.1, flip_angle_deg=12.0, others={"plane": "axial"})
    return DynamicSeries(signal, [0, 1 / 3, 9], GRID, "TriggerTime", ("[a] b",), protocol, sources={"f": "00"})


def test_a_stored_series_is_the_same_to_the_last_bit(tmp_path):
    store_series(series(), tmp_path)

    opened = open_series(tmp_path)

    assert_array_equal(opened.signal, series().signal)
    assert_array_equal(opened.times_s, series().times_s)
    assert (opened.geometry, opened.warnings, opened.time_source) == (GRID, ("[a] b",), "TriggerTime")
    assert opened.acquisition == series().acquisition
    assert hash_series(opened) == hash_series(series())


def test_the_hash_tells_other_signal_times_and_grids_apart():
    base = series()
    later = DynamicSeries(base.signal, [0, 1, 9], GRID, "x")
    elsewhere = DynamicSeries(base.signal, base.times_s, Geometry((4, 3, 2), (1.0, 2.0, 5.5)), "x")

    assert len({hash_series(s) for s in (base, series(2.0), later, elsewhere)}) == 4


def test_opening_before_storing_names_the_notebook(tmp_path):
    with pytest.raises(InputRefusedError, match="notebook 01") as caught:
        open_series(tmp_path)

    assert caught.value.code == "case-incomplete"


def test_a_signal_of_another_series_is_refused(tmp_path):
    store_series(series(), tmp_path)
    np.save(tmp_path / "signal.npy", np.zeros((2, 2), np.float32))

    with pytest.raises(InputRefusedError) as caught:
        open_series(tmp_path)

    assert caught.value.code in {"file-corrupt", "shape-mismatch"}


def test_a_folder_with_other_files_is_never_written_into(tmp_path):
    (tmp_path / "thesis.docx").write_text("")

    with pytest.raises(InputRefusedError) as caught:
        CaseFolder.for_writing(tmp_path)

    assert caught.value.code == "output-exists"


@pytest.mark.parametrize("left_behind", ["case.json", "error.json"])
def test_the_folder_of_an_earlier_run_is_written_into(tmp_path, left_behind):
    (tmp_path / left_behind).write_text("{}")

    assert CaseFolder.for_writing(tmp_path).root == tmp_path
    assert CaseFolder.for_writing(tmp_path / "new").root == tmp_path / "new"
