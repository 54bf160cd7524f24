"""Reading holds the result and a little more, never the file, its decoded pixels and the result at once."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import dicom_parse, read_series, read_volume
from spinekit.phantom.dicom_writer import write_dicom

SHAPE = (8, 12, 128, 144)  # 1.8 M values: 7 MiB as float32, half of it as they are stored
TIMES_S = [10.0 * t for t in range(SHAPE[0])]
VALUES = np.random.default_rng(0).integers(1, 3000, SHAPE).astype(np.int16)


def nifti(folder, *, packed, slope=1.0):
    image = nib.Nifti1Image(VALUES.transpose(3, 2, 1, 0), np.diag([-1.0, -1.0, 4.0, 1.0]))
    image.set_qform(image.affine, 1)
    raw = bytearray(image.to_bytes())
    raw[112:120] = struct.pack("<ff", slope, 1.0)
    path = folder / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(gzip.compress(raw, 1) if packed else raw)
    (folder / "a.json").write_text(json.dumps({"times_s": TIMES_S}))
    return path


def nrrd(folder, *, encoding, frames_first):
    steps = ["none", "(1,0,0)", "(0,1,0)", "(0,0,4)"]
    kinds = ["list", "domain", "domain", "domain"]
    sizes = [SHAPE[0], *SHAPE[:0:-1]]
    turn = slice(None) if frames_first else [1, 2, 3, 0]
    words = (" ".join(np.array(part)[turn].astype(str)) for part in (sizes, steps, kinds))
    header = "NRRD0005\ntype: short\ndimension: 4\nspace: LPS\nsizes: {}\nspace directions: {}\nkinds: {}\n"
    times = ",".join(map(str, TIMES_S))
    more = f"endian: little\nencoding: {encoding}\nMultiVolume.FrameLabels:={times}\n"
    more += "MultiVolume.FrameIdentifyingDICOMTagUnits:=s\n\n"
    pixels = (np.moveaxis(VALUES, 0, -1) if frames_first else VALUES).tobytes()
    packed = {"raw": bytes, "gzip": lambda data: gzip.compress(data, 1)}[encoding](pixels)
    path = folder / "a.nrrd"
    path.write_bytes((header.format(*words) + more).encode() + packed)
    return path


def dicom(folder, *, flavour, packed=False):
    grid = Geometry(SHAPE[:0:-1], (1.0, 1.0, 4.0))
    series = DynamicSeries(VALUES.astype(np.float32), TIMES_S, grid, "times_s")
    for path in write_dicom(series, folder, flavour=flavour):
        if packed:
            image = pydicom.dcmread(path)
            image.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
            image.save_as(path)
    return folder


# what is held beside the result, in parts of it: a phase is an eighth, and half as large as it is stored
READERS = {
    "NIfTI": (0.2, lambda folder: nifti(folder, packed=False)),
    "NIfTI with a slope": (0.2, lambda folder: nifti(folder, packed=False, slope=0.5)),
    "packed NIfTI with a slope": (0.2, lambda folder: nifti(folder, packed=True, slope=0.5)),
    "NRRD, frames first": (0.15, lambda folder: nrrd(folder, encoding="raw", frames_first=True)),
    "packed NRRD, frames last": (0.2, lambda folder: nrrd(folder, encoding="gzip", frames_first=False)),
    "single slices": (0.25, lambda folder: dicom(folder, flavour="siemens")),
    "mosaics": (0.3, lambda folder: dicom(folder, flavour="siemens-mosaic")),
    "packed mosaics": (0.35, lambda folder: dicom(folder, flavour="siemens-mosaic", packed=True)),
    "a multi-frame file per phase": (0.15, lambda folder: dicom(folder, flavour="siemens-xa")),
    "one multi-frame file": (0.15, lambda folder: dicom(folder, flavour="philips-enhanced")),
    "one packed multi-frame file": (0.15, lambda folder: dicom(folder, flavour="philips-enhanced", packed=True)),
}


def peak_of(read, source):
    """Return what was read and the largest memory held at once meanwhile, in bytes."""
    tracemalloc.start()
    try:
        return read(source), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal_and_peak(source):
    """Return the code with which a source is refused and the largest memory held at once until then, in bytes."""

    def code_of(path):
        with pytest.raises(InputRefusedError) as caught:
            read_series(path)
        return caught.value.code

    return peak_of(code_of, source)


def enhanced(folder):
    """Write a small enhanced multi-frame file and return its path."""
    grid = Geometry((16, 16, 4), (1.0, 1.0, 4.0))
    series = DynamicSeries(VALUES[:, :4, :16, :16].astype(np.float32), TIMES_S, grid, "times_s")
    (path,) = write_dicom(series, folder, flavour="philips-enhanced")
    return path


@pytest.mark.parametrize("kind", READERS)
def test_reading_holds_little_more_than_the_result(kind, tmp_path):
    beside, write = READERS[kind]
    source = write(tmp_path)

    found, peak = peak_of(read_series, source)

    slope = 0.5 if "slope" in kind else 1.0
    intercept = 1.0 if "NIfTI" in kind else 0.0
    assert np.array_equal(found.signal, VALUES * np.float32(slope) + np.float32(intercept))
    assert peak < (1 + beside) * found.signal.nbytes + (1 << 20)


def test_a_header_that_promises_more_than_its_packed_data_hold_takes_no_memory(tmp_path):
    path = nrrd(tmp_path, encoding="gzip", frames_first=True)
    path.write_bytes(path.read_bytes().replace(b"144 128 12\n", b"1440 1280 12\n"))
    packed = nifti(tmp_path, packed=True)
    raw = bytearray(gzip.decompress(packed.read_bytes()))
    raw[42:46] = struct.pack("<hh", 1440, 1280)
    packed.write_bytes(gzip.compress(raw, 1))

    for source in (path, packed):
        code, peak = refusal_and_peak(source)
        assert code == "file-truncated"
        assert peak < 4 << 20


@pytest.mark.parametrize("syntax", [pydicom.uid.RLELossless, pydicom.uid.JPEGLSLossless], ids=["RLE", "JPEG-LS"])
@pytest.mark.parametrize("rows", [800, 65_535])
def test_rows_that_packed_pixels_do_not_have_take_no_memory(rows, syntax, tmp_path):
    path = enhanced(tmp_path)
    image = pydicom.dcmread(path)
    image.compress(syntax, generate_instance_uid=False)
    image.Rows, image.Columns = rows, rows
    image.save_as(path)

    code, peak = refusal_and_peak(path)
    assert code == "file-truncated"
    assert peak < 4 << 20


def test_an_element_that_is_longer_than_its_file_takes_no_memory(tmp_path):
    path = enhanced(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x28\x00\x10\x00US\x02\x00")  # Rows becomes an element of 1 GiB
    data[at + 4 : at + 12] = b"OB\0\0" + (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)

    _, peak = refusal_and_peak(path)
    assert peak < 4 << 20


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [1 << 30, 4, -16, 0])
def test_an_extension_of_a_nifti_that_cannot_be_takes_no_memory(size, packed, tmp_path):
    path = nifti(tmp_path, packed=False)
    raw = bytearray(path.read_bytes())
    path.unlink()
    raw[348:352] = b"\1\0\0\0"
    raw[352:352] = struct.pack("<ii", 48, 4) + b"text".ljust(40) + struct.pack("<ii", size, 4) + bytes(40)
    raw[108:112] = struct.pack("<f", 352.0 + 96)
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")

    def written(data):
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        return path

    code, peak = refusal_and_peak(written(raw))
    assert code == "file-corrupt"
    assert peak < 2 << 20

    raw[400:404] = struct.pack("<i", 48)
    assert read_series(written(raw)).signal.shape == SHAPE


def test_a_deflated_image_that_unpacks_to_no_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_parse, "SMALL", 1 << 20)
    path = enhanced(tmp_path)
    image = pydicom.dcmread(path)
    image.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    image.save_as(path)
    assert read_series(path).signal.shape == (8, 4, 16, 16)

    image.PixelData = bytes(16 << 20)
    image.save_as(path)
    code, peak = refusal_and_peak(path)
    assert path.stat().st_size < 1 << 20
    assert code == "file-too-large"
    assert peak < 4 << 20


@pytest.mark.parametrize("packed", [False, True])
def test_a_meta_image_is_read_into_its_place(packed, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.reshape(-1, *SHAPE[2:])), str(tmp_path / "a.mha"), packed)
    found, peak = peak_of(read_volume, tmp_path / "a.mha")
    assert np.array_equal(found.values, VALUES.reshape(-1, *SHAPE[2:]))
    assert peak < 1.15 * found.values.nbytes + (1 << 20)
