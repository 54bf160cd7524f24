"""What holds for any grid, any order of files, any settings and any scan time."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, from_sitk, resample_array, to_sitk
from spinekit.io import read_series
from spinekit.phantom.dicom_writer import FLAVOURS, write_dicom
from spinekit.settings import Study, settings_from

FEW = settings(max_examples=40, deadline=None, derandomize=True)
SLOW = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIZES = st.tuples(*[st.integers(2, 9)] * 3)
SPACINGS = st.tuples(*[st.floats(0.2, 8.0)] * 3)
PLACES = st.tuples(*[st.floats(-500, 500)] * 3)
TURNS = st.tuples(*[st.floats(-180, 180)] * 3)


@st.composite
def grids(draw) -> Geometry:
    rows = Rotation.from_euler("xyz", draw(TURNS), degrees=True).as_matrix()
    return Geometry(draw(SIZES), draw(SPACINGS), draw(PLACES), tuple(tuple(r) for r in rows.tolist()))


@FEW
@given(grids(), PLACES)
def test_a_place_comes_back_from_its_index(grid, place):
    assert_allclose(grid.index_to_mm(grid.mm_to_index(place)), place, atol=1e-8)


@FEW
@given(grids())
def test_itk_puts_every_voxel_where_we_put_it(grid):
    image = to_sitk(np.zeros(grid.shape_zyx, np.uint8), grid)
    corner = tuple(n - 1 for n in grid.size)
    assert_allclose(image.TransformIndexToPhysicalPoint(corner), grid.index_to_mm(corner), atol=1e-8)
    assert from_sitk(image)[1].same_grid(grid)


@FEW
@given(grids())
def test_a_grid_is_the_same_after_it_was_written_down(grid):
    assert Geometry.from_dict(grid.as_dict()) == grid


@FEW
@given(grids(), st.integers(0, 2), st.floats(0.01, 3.0))
def test_a_shifted_grid_is_another_one_both_ways(grid, axis, voxels):
    moved = dataclasses.replace(grid, origin_mm=tuple(grid.index_to_mm(np.eye(3)[axis] * voxels)))
    assert not grid.same_grid(moved)
    assert not moved.same_grid(grid)


@FEW
@given(grids(), st.integers(0, 2**31))
def test_resampling_onto_the_same_grid_changes_nothing(grid, seed):
    values = np.random.default_rng(seed).normal(size=grid.shape_zyx).astype(np.float32)
    for way in ("nearest", "linear"):
        assert_allclose(resample_array(values, grid, grid, interpolation=way, outside=0.0), values, atol=2e-4)


@SLOW
@given(flavour=st.sampled_from(sorted(FLAVOURS)), seed=st.integers(0, 2**31), n_phases=st.integers(3, 5))
def test_no_order_of_files_changes_the_series(flavour, seed, n_phases, tmp_path_factory):
    rng = np.random.default_rng(seed)
    times = np.cumsum([0.0, *rng.integers(4, 200, n_phases - 1) / 4])
    values = rng.integers(0, 3000, (n_phases, 3, 4, 5)).astype(np.float32)
    grid = Geometry((5, 4, 3), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
    series = DynamicSeries(values, times, grid, "times_s", (), Acquisition(5.5, 2.25, 12.0, 3.0))
    given_times = times if flavour == "ge-instance" else None
    folder = tmp_path_factory.mktemp("series")
    paths = write_dicom(series, folder / "a", flavour=flavour)
    (folder / "b" / "c").mkdir(parents=True)
    for number, path in zip(rng.permutation(len(paths)), paths, strict=True):
        shutil.copy(path, folder / "b" / ("c" if number % 2 else "") / f"{number:04d}")

    first, shuffled = read_series(folder / "a", given_times), read_series(folder / "b", given_times)

    assert_array_equal(first.signal, values)
    assert_array_equal(shuffled.signal, values)
    assert_allclose(shuffled.times_s, times, atol=1e-6)


def _values_of(kind: type) -> st.SearchStrategy:
    plain = {bool: st.booleans(), int: st.integers(0, 9), float: st.floats(0, 9), str: st.text(max_size=8)}
    return plain[kind]


@st.composite
def studies(draw) -> dict:
    """Draw a table of settings with values of the right types, sections and keys at will."""
    record: dict = {}
    for section, defaults in Study().as_dict().items():
        keys = [k for k, v in defaults.items() if type(v) in (bool, int, float, str)]
        if not keys:
            continue
        chosen = draw(st.lists(st.sampled_from(keys), unique=True))
        record[section] = {key: draw(_values_of(type(defaults[key]))) for key in chosen}
    return record


@FEW
@given(studies())
def test_settings_come_back_as_they_were_written(record):
    study = settings_from(record)
    assert settings_from(study.as_dict()) == study
    for section, keys in record.items():
        for key, value in keys.items():
            assert getattr(getattr(study, section), key) == value


@FEW
@given(st.sampled_from(sorted(Study().as_dict())), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
def test_a_key_that_nobody_knows_is_refused(section, key):
    assume(key not in Study().as_dict()[section])
    with pytest.raises(InputRefusedError) as caught:
        settings_from({section: {key: 1}})
    assert caught.value.code == "settings-unknown-key"
    assert key in caught.value.message
