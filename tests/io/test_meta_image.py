"""MetaImage as ITK writes it is read as ITK reads it, and refused where header and data do not fit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.errors import InputRefusedError
from spinekit.io import read_volume

VALUES = np.random.default_rng(1).integers(0, 120, (4, 5, 6))
RAW = VALUES.astype("<i2").tobytes()
A, B = np.cos(0.3), np.sin(0.3)
FIELDS = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False", "TransformMatrix": "0 1 0 -1 0 0 0 0 1", "Offset": "-10 20 30.5",
    "ElementSpacing": "0.7 1.25 4", "DimSize": "6 5 4", "ElementType": "MET_SHORT", "ElementDataFile": "LOCAL",
}  # fmt: skip


def written(path, data=RAW, **changes: str):
    fields = {**FIELDS, **{k: v for k, v in changes.items() if k != "ElementDataFile"}}
    fields["ElementDataFile"] = changes.get("ElementDataFile", fields.pop("ElementDataFile"))
    lines = [f"{name} = {text}\n" for name, text in fields.items() if text]
    path.write_bytes("".join(lines).encode() + data)
    return path


def hold_against_itk(path):
    found, image = read_volume(path), sitk.ReadImage(str(path))
    assert found.values.dtype == np.float32
    assert_array_equal(found.values, sitk.GetArrayFromImage(image))
    assert_allclose(found.geometry.spacing_mm, image.GetSpacing(), rtol=1e-12)
    assert_allclose(found.geometry.origin_mm, image.GetOrigin(), rtol=1e-12)
    assert_allclose(np.ravel(found.geometry.direction), image.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("packed", [True, False])
def test_what_itk_writes_is_read_as_itk_reads_it(kind, name, packed, tmp_path):
    image = sitk.GetImageFromArray(VALUES.astype(kind))
    image.SetSpacing((0.7, 1.25, 4.0))
    image.SetOrigin((-20.0, 13.5, 40.25))
    image.SetDirection((A, -B, 0.0, B, A, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / name), useCompression=packed)
    hold_against_itk(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (RAW, {}),
        (VALUES.astype(">i2").tobytes(), {"BinaryDataByteOrderMSB": "", "ElementByteOrderMSB": "True"}),
        (RAW, {"Offset": "", "Position": "1 2 3", "ElementSpacing": "", "ElementSize": "2 3 4"}),
        (RAW, {"TransformMatrix": "", "Rotation": "1 0 0 0 0 1 0 -1 0", "Offset": "", "Origin": "1 2 3"}),
        (VALUES.astype("<i4").tobytes(), {"ElementType": "MET_LONG"}),
        (b"a note before the data" + RAW, {"HeaderSize": "-1"}),
    ],
)
def test_every_way_to_say_the_same_is_read_as_itk_reads_it(data, changes, tmp_path):
    hold_against_itk(written(tmp_path / "a.mha", data, **changes))


PACKED = zlib.compress(RAW)
AS_PACKED = {"CompressedData": "True", "CompressedDataSize": str(len(PACKED))}


@pytest.mark.parametrize(
    ("data", "changes", "code"),
    [
        (RAW[:-2], {}, "file-truncated"),
        (RAW + bytes(100), {}, "file-corrupt"),
        (RAW, {"DimSize": "5 5 4"}, "file-corrupt"),
        (RAW, {"DimSize": "6 5 5"}, "file-truncated"),
        (RAW, {"DimSize": "60000 50000 40000"}, "file-too-large"),
        (RAW, {"DimSize": "999999999999 999999999999 999999999999"}, "file-too-large"),
        (RAW, {"DimSize": "-6 5 -4"}, "file-corrupt"),
        (RAW, {"DimSize": "0 5 4"}, "file-corrupt"),
        (RAW, {"DimSize": "6 5"}, "file-corrupt"),
        (RAW, {"DimSize": "nan 5 4"}, "file-corrupt"),
        (RAW, {"ElementType": "MET_DOUBLE"}, "file-truncated"),
        (RAW, {"ElementType": "MET_CHAR"}, "file-corrupt"),
        (RAW, {"ElementType": "MET_SHORT_ARRAY"}, "format-unsupported"),
        (RAW, {"ElementNumberOfChannels": "3"}, "format-unsupported"),
        (RAW, {"ElementNumberOfChannels": "0"}, "format-unsupported"),
        (RAW, {"ElementNumberOfChannels": "x"}, "file-corrupt"),
        (RAW, {"NDims": "2"}, "format-unsupported"),
        (RAW, {"NDims": "4", "DimSize": "6 5 2 2"}, "format-unsupported"),
        (RAW, {"NDims": "999999"}, "format-unsupported"),
        (RAW, {"ObjectType": "Mesh"}, "format-unsupported"),
        (RAW, {"BinaryData": "False"}, "format-unsupported"),
        (RAW, {"BinaryDataByteOrderMSB": "maybe"}, "file-corrupt"),
        (RAW, {"ElementSpacing": "0.7 0 4"}, "geometry-missing"),
        (RAW, {"ElementSpacing": "0,7 1 4"}, "file-corrupt"),
        (RAW, {"Offset": "nan 0 0"}, "geometry-missing"),
        (RAW, {"TransformMatrix": "1 0 0 0.5 1 0 0 0 1"}, "affine-invalid"),
        (RAW, {"HeaderSize": "-7"}, "file-corrupt"),
        (RAW, {"HeaderSize": "999999"}, "file-too-large"),
        (RAW, {"CompressedData": "True"}, "file-truncated"),
        (PACKED[:-9], AS_PACKED, "file-truncated"),
        (zlib.compress(RAW[:-9]), {"CompressedData": "True"}, "file-truncated"),
        (zlib.compress(RAW + bytes(99)), {"CompressedData": "True"}, "file-corrupt"),
        (PACKED, AS_PACKED | {"DimSize": "60 50 4"}, "file-truncated"),
        (PACKED, AS_PACKED | {"CompressedDataSize": "-3"}, "file-corrupt"),
        (RAW, {"ElementDataFile": "gone.raw"}, "file-truncated"),
        (RAW, {"ElementDataFile": "LIST"}, "format-unsupported"),
        (RAW, {"ElementDataFile": "../a.raw"}, "format-unsupported"),
        (RAW, {"ElementDataFile": "/etc/hostname"}, "format-unsupported"),
        (RAW, {"ElementDataFile": "slice%03d.raw 1 4 1"}, "format-unsupported"),
    ],
)
def test_a_header_that_lies_is_refused_in_words(data, changes, code, tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_volume(written(tmp_path / "a.mha", data, **changes))
    assert caught.value.code == code


def test_bytes_that_are_no_header_are_refused(tmp_path):
    for data in (b"", b"NDims = 3\n", bytes(range(256)) * 400, b"A = " + b"x" * 70_000, b"ElementDataFile = LOCAL"):
        (tmp_path / "a.mhd").write_bytes(data)
        with pytest.raises(InputRefusedError) as caught:
            read_volume(tmp_path / "a.mhd")
        assert caught.value.code in ("file-truncated", "file-corrupt", "format-unsupported")


def test_mutated_headers_are_read_rightly_or_refused(tmp_path):
    whole = written(tmp_path / "a.mha").read_bytes()
    header = len(whole) - len(RAW)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(0, header))] = int(rng.integers(0, 256))
        (tmp_path / "b.mha").write_bytes(data)
        try:
            found = read_volume(tmp_path / "b.mha")
        except InputRefusedError:
            continue
        assert found.values.size == VALUES.size
        assert np.isfinite([*found.geometry.spacing_mm, *found.geometry.origin_mm]).all()
