"""NIfTI and MetaImage files made field by field, and formats that are not read."""

from __future__ import annotations

import gzip
import json
import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_array_equal

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series, read_volume
from spinekit.phantom.dicom_writer import write_dicom

T, Z, Y, X = 4, 5, 6, 8
VALUES = np.random.default_rng(0).integers(1, 2000, (T, Z, Y, X)).astype(np.uint16)
TIMES_S = [0.0, 12.0, 24.5, 37.0]
AFFINE = np.array([[-0.8, 0, 0, 10], [0, -0.9, 0, 20], [0, 0, 3.5, 30], [0, 0, 0, 1.0]])
DATA = VALUES.transpose(3, 2, 1, 0).astype(np.int16)


def code_of(read, *arguments) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read(*arguments)
    return caught.value.code


def nifti(path, data=DATA, *, times=TIMES_S, forms=(1, 1), kind=nib.Nifti1Image, edit=lambda raw: raw):
    made = kind(data, AFFINE)
    made.set_qform(AFFINE, forms[0])
    made.set_sform(AFFINE, forms[1])
    plain = path.with_name("plain.nii")
    nib.save(made, plain)
    raw = bytes(edit(bytearray(plain.read_bytes())))
    plain.unlink()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    if times is not None:
        path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps({"times_s": times}))
    return path


def slope_of(slope, intercept):
    def edit(raw):
        raw[112:120] = struct.pack("<ff", slope, intercept)
        return raw

    return edit


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(("slope", "intercept"), [(0.25, -4), (0, 5), (np.nan, 0)])
def test_the_slope_of_a_nifti_is_applied_and_zero_is_none(name, slope, intercept, tmp_path):
    found = read_series(nifti(tmp_path / name, edit=slope_of(slope, intercept)))
    assert_array_equal(found.signal, VALUES if not slope > 0 else (VALUES * slope + intercept).astype(np.float32))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_big_endian_nifti_and_a_nifti_2_are_read(name, tmp_path):
    class BigEndian(nib.Nifti1Image):
        def __init__(self, data, affine):
            super().__init__(data, affine, nib.Nifti1Header(endianness=">"))

    for number, kind in enumerate((BigEndian, nib.Nifti2Image)):
        (tmp_path / str(number)).mkdir()
        assert_array_equal(read_series(nifti(tmp_path / str(number) / name, kind=kind)).signal, VALUES)


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b[:-6] + bytes([b[-6] ^ 255]) + b[-5:]])
def test_a_packed_nifti_that_is_cut_or_has_another_check_sum_is_refused(spoil, tmp_path):
    path = nifti(tmp_path / "a.nii.gz")
    path.write_bytes(spoil(path.read_bytes()))
    assert code_of(read_series, path) == "file-truncated"


@pytest.mark.parametrize(
    ("times", "code"),
    [
        (None, "times-missing"), ([0, 1, 2], "times-invalid"), ([0, 12, 12, 20], "times-equal"),
        ([0, 20, 12, 30], "times-invalid"), ([0, "x", 2, 3], "times-invalid"),
    ],
)  # fmt: skip
def test_times_beside_a_nifti_have_to_be_there_and_to_rise(times, code, tmp_path):
    assert code_of(read_series, nifti(tmp_path / "a.nii", times=times)) == code


@pytest.mark.parametrize("shape", [(8, 6, 5, 1, 4), (8, 6, 5, 4, 1)])
def test_five_dimensions_are_refused_also_where_one_is_single(shape, tmp_path):
    assert code_of(read_series, nifti(tmp_path / "a.nii", DATA.reshape(shape))) == "format-unsupported"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
def test_a_meta_image_is_a_volume_and_no_series(name, compressed, tmp_path):
    made = sitk.GetImageFromArray(VALUES[0])
    made.SetSpacing((0.8, 0.9, 3.5))
    made.SetOrigin((-10.0, -20.0, 30.0))
    sitk.WriteImage(made, str(tmp_path / name), useCompression=compressed)

    found = read_volume(tmp_path / name)

    assert_array_equal(found.values, VALUES[0])
    assert found.geometry.origin_mm == (-10.0, -20.0, 30.0)
    assert code_of(read_series, tmp_path / name) == "format-unsupported"


def test_a_meta_image_that_is_cut_or_promises_too_much_is_refused(tmp_path, capfd):
    sitk.WriteImage(sitk.GetImageFromArray(VALUES[0]), str(tmp_path / "a.mha"))
    whole = (tmp_path / "a.mha").read_bytes()

    (tmp_path / "a.mha").write_bytes(whole[:-100])
    assert code_of(read_volume, tmp_path / "a.mha") == "file-truncated"
    (tmp_path / "a.mha").write_bytes(whole.replace(b"DimSize = 8 6 5", b"DimSize = 8000 6000 5000"))
    assert code_of(read_volume, tmp_path / "a.mha") == "file-too-large"
    capfd.readouterr()  # ITK says so as well


@pytest.mark.parametrize("name", ["a.hdr", "a.img", "a.mgz", "a.png"])
def test_a_format_that_is_not_read_is_named_as_such_unless_it_is_dicom_under_that_name(name, tmp_path):
    (tmp_path / name).write_bytes(bytes(400))
    assert code_of(read_series, tmp_path / name) == "format-unsupported"
    assert code_of(read_volume, tmp_path / name) == "format-unsupported"

    grid = Geometry((X, Y, Z), (0.8, 0.9, 3.5))
    series = DynamicSeries(VALUES.astype(np.float32), TIMES_S, grid, "times_s")
    write_dicom(series, tmp_path / "one", flavour="philips-enhanced")[0].rename(tmp_path / name)
    assert_array_equal(read_series(tmp_path / name).signal, VALUES)
