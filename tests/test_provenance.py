"""Hashes, and files that are whole or not there."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from spinekit.errors import InputRefusedError
from spinekit.provenance import hash_array, hash_file, hash_json, library_versions, write_beside, write_json


def test_a_files_hash_is_sha256_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")

    assert hash_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_an_arrays_hash_tells_dtype_shape_and_values_apart():
    base = np.arange(6, dtype=np.float32)
    variants = [base, base.reshape(2, 3), base.astype(np.float64), base + 1]

    assert len({hash_array(v) for v in variants}) == 4
    assert hash_array(base.reshape(2, 3)) == hash_array(np.asfortranarray(base.reshape(2, 3)))


def test_order_of_keys_does_not_change_a_records_hash():
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": 2})


def test_nan_is_written_as_null(tmp_path):
    write_json(tmp_path / "r.json", {"x": float("nan"), "y": np.float32(1.5), "z": np.arange(2)})

    assert json.loads((tmp_path / "r.json").read_text()) == {"x": None, "y": 1.5, "z": [0, 1]}


def test_a_failed_write_leaves_the_earlier_file_and_no_rest(tmp_path):
    target = tmp_path / "map.nii.gz"
    target.write_text("earlier")

    def interrupted():
        with write_beside(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        interrupted()

    assert target.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["map.nii.gz"]


def test_the_temporary_file_keeps_the_suffix_that_writers_choose_by(tmp_path):
    with write_beside(tmp_path / "map.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputRefusedError) as caught:
        write_json(tmp_path / "file" / "below.json", {})

    assert caught.value.code == "output-unwritable"
    assert "still stands" in caught.value.message


def test_versions_name_the_libraries_that_change_numbers():
    versions = library_versions()

    assert {"python", "numpy", "SimpleITK", "pyradiomics", "spinekit"} <= set(versions)
    assert versions["numpy"] == np.__version__
