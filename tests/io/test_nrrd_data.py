"""NRRD files read as ITK reads them where ITK reads them rightly, and refused where they lie."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.errors import InputRefusedError
from spinekit.io import read_volume
from spinekit.io.nrrd import read_nrrd

VALUES = np.random.default_rng(1).integers(0, 200, (4, 5, 6))
A, B = np.cos(0.3), np.sin(0.3)


def hold_against_itk(path):
    found, image = read_volume(path), sitk.ReadImage(str(path))
    assert_array_equal(found.values, sitk.GetArrayFromImage(image))
    assert_allclose(found.geometry.spacing_mm, image.GetSpacing(), rtol=1e-12)
    assert_allclose(found.geometry.origin_mm, image.GetOrigin(), rtol=1e-12)
    assert_allclose(np.ravel(found.geometry.direction), image.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("packed", [True, False])
def test_what_itk_writes_is_read_as_itk_reads_it(kind, packed, tmp_path):
    image = sitk.GetImageFromArray(VALUES.astype(kind) if kind != "i1" else (VALUES // 2).astype(kind))
    image.SetSpacing((0.7, 1.25, 4.0))
    image.SetOrigin((-20.0, 13.5, 40.25))
    image.SetDirection((A, -B, 0.0, B, A, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), useCompression=packed)
    hold_against_itk(tmp_path / "a.nrrd")


def written(path, data: bytes, **changes: str):
    fields = {
        "type": "short", "dimension": "3", "space": "right-anterior-superior", "sizes": "6 5 4",
        "space directions": "(1,0,0) (0,2,0) (0,0,3)", "kinds": "domain domain domain", "endian": "little",
        "encoding": "raw", "space origin": "(10,20,30)",
    }  # fmt: skip
    fields |= changes
    lines = ["NRRD0004", "# a comment", *(f"{k}: {v}" for k, v in fields.items() if v)]
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + data)
    return path


RAW = VALUES.astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (RAW, {}),
        (VALUES.astype(">i2").tobytes(), {"endian": "big"}),
        (gzip.compress(RAW), {"encoding": "gzip"}),
        (bz2.compress(RAW), {"encoding": "bzip2"}),
        (" ".join(map(str, VALUES.ravel())).encode(), {"encoding": "text", "endian": ""}),
        (RAW, {"space": "left-posterior-superior"}),
        (RAW, {"space": "left-anterior-superior"}),
        (b"\0" * 7 + RAW, {"byte skip": "-1"}),
    ],
)
def test_every_encoding_and_space_agrees_with_itk(data, changes, tmp_path):
    path = written(tmp_path / "a.nrrd", data, **changes)
    if changes.get("encoding") == "bzip2":  # SimpleITK is built without it
        assert_array_equal(read_volume(path).values, VALUES)
        return
    hold_against_itk(path)


def test_a_detached_header_finds_its_data_beside_it_and_nowhere_else(tmp_path):
    (tmp_path / "a.raw").write_bytes(RAW)
    hold_against_itk(written(tmp_path / "a.nhdr", b"", **{"data file": "a.raw"}))
    for elsewhere in ("../a.raw", str(tmp_path / "a.raw"), "LIST", "a%d.raw 1 4 1"):
        with pytest.raises(InputRefusedError) as caught:
            read_nrrd(written(tmp_path / "b.nhdr", b"", **{"data file": elsewhere}))
        assert caught.value.code == "format-unsupported"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sizes": "6 5 400"}, "file-truncated"),
        ({"sizes": "600000 500000 400000"}, "file-truncated"),
        ({"sizes": "6 5"}, "file-truncated"),
        ({"sizes": "6 0 4"}, "file-truncated"),
        ({"type": "block"}, "format-unsupported"),
        ({"encoding": "hex"}, "format-unsupported"),
        ({"encoding": "gzip"}, "file-truncated"),
        ({"space directions": "(1,0,0) (1,0,0) (0,0,3)"}, "affine-invalid"),
        ({"space directions": "(1,0,0) (0,nan,0) (0,0,3)"}, "affine-invalid"),
        ({"space directions": "(1,0.2,0) (0,1,0) (0,0,3)"}, "affine-invalid"),
        ({"space units": '"mm" "mm" "um"'}, "affine-invalid"),
        ({"space units": '"inch" "inch" "inch"'}, "affine-invalid"),
        ({"space": ""}, "affine-missing"),
        ({"endian": ""}, "file-truncated"),
        ({"space": "scanner-xyz"}, "format-unsupported"),
        ({"kinds": "RGB-color domain domain"}, "format-unsupported"),
        ({"dimension": "2", "sizes": "6 20"}, "format-unsupported"),
    ],
)
def test_a_header_that_lies_is_refused(changes, code, tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_nrrd(written(tmp_path / "a.nrrd", RAW, **changes))
    assert caught.value.code == code


def test_a_pair_of_a_user_that_is_called_like_a_field_does_not_replace_it(tmp_path):
    path = written(tmp_path / "a.nrrd", RAW)
    header, _, data = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header + b"\nspace:=left-posterior-superior\n\n" + data)
    assert read_nrrd(path).geometry.origin_mm == (-10.0, -20.0, 30.0)  # the field says right-anterior-superior


def test_units_are_converted_and_a_missing_space_is_taken_only_when_asked_for(tmp_path):
    metres = {"space directions": "(1000,0,0) (0,2000,0) (0,0,3000)", "space units": '"um" "um" "um"'}
    path = written(tmp_path / "a.nrrd", RAW, **metres, **{"space origin": "(10000,20000,30000)"})
    assert_allclose(read_nrrd(path).geometry.spacing_mm, (1.0, 2.0, 3.0))
    assert_allclose(read_nrrd(path).geometry.origin_mm, (-10.0, -20.0, 30.0))

    nowhere = written(tmp_path / "b.nrrd", RAW, space="")
    assert read_nrrd(nowhere, accept_missing_space=True).geometry.origin_mm == (10.0, 20.0, 30.0)


def test_real_slicer_objects_are_read_as_itk_reads_them(shared_data):
    for path in sorted((shared_data / "dce_4d_nrrd_multivolume_pkmodeling").rglob("*.nrrd"))[:12]:
        content, image = read_nrrd(path), sitk.ReadImage(str(path))
        values = sitk.GetArrayFromImage(image)
        values = np.moveaxis(values, -1, 0) if image.GetNumberOfComponentsPerPixel() > 1 else values
        assert_array_equal(content.values, values)
        assert_allclose(content.geometry.spacing_mm, image.GetSpacing()[:3], rtol=1e-9)
        assert_allclose(content.geometry.origin_mm, image.GetOrigin()[:3], rtol=1e-9)
        if image.GetDimension() == 3:
            assert_allclose(content.geometry.direction, np.reshape(image.GetDirection(), (3, 3)), atol=1e-9)


@pytest.mark.parametrize(
    ("data", "encoding"), [(RAW, "raw"), (gzip.compress(RAW), "gzip"), (bz2.compress(RAW), "bzip2")]
)
def test_data_that_go_on_after_what_the_header_speaks_of_are_refused(data, encoding, tmp_path):
    with pytest.raises(InputRefusedError) as refused:
        read_nrrd(written(tmp_path / "a.nrrd", data, encoding=encoding, sizes="4 5 4"))
    assert refused.value.code == "file-corrupt"


def test_a_line_end_after_the_data_is_no_fault(tmp_path):
    hold_against_itk(written(tmp_path / "a.nrrd", RAW + b"\n"))
