"""Siemens mosaics: the same data as in any other encoding, or a refusal where the truth is not in the tags."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import warnings

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series
from spinekit.io.dicom_headers import read_headers
from spinekit.io.siemens_csa import csa_elements, csa_header, protocol_slices
from spinekit.io.sources import list_sources
from spinekit.phantom.dicom_writer import write_dicom
from spinekit.phantom.dicom_writer_mosaic import NOT_IN_A_MOSAIC

TIMES_S = [0.0, 9.5, 20.0, 30.25]
A, B = np.cos(0.3), np.sin(0.3)
DIRECTIONS = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "sagittal": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
    "oblique": ((1.0, 0.0, 0.0), (0.0, A, -B), (0.0, B, A)),
    "downwards": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),  # left-handed: the last slice is the lowest
}
MR_HEADER, IMAGE, PROTOCOL = (0x0019, 0x100A), (0x0029, 0x1010), (0x0029, 0x1020)
UPSIDE_DOWN = {"NumberOfImagesInMosaic": ("US", ["5"]), "SliceNormalVector": ("FD", ["0.0", "0.0", "-1.0"])}


def series(direction="axial", n_slices=5) -> DynamicSeries:
    values = np.random.default_rng(4).integers(1, 3000, (4, n_slices, 7, 9)).astype(np.float32)
    grid = Geometry((9, 7, n_slices), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0), DIRECTIONS[direction])
    return DynamicSeries(values, TIMES_S, grid, "times_s", (), Acquisition(5.5, 2.25, 12.0, 3.0))


def written(folder, edit=lambda image: None, **choices):
    """Write the series as mosaics, each changed, and return the folder."""
    for path in write_dicom(series(**choices), folder, flavour="siemens-mosaic"):
        image = pydicom.dcmread(path)
        edit(image)
        image.save_as(path)
    return folder


def without(*tags):
    def edit(image):
        for tag in tags:
            del image[tag]

    return edit


def message_of(folder) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read_series(folder)
    assert caught.value.code == "mosaic"
    return caught.value.message


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("n_slices", [1, 2, 4, 5, 9, 10])
def test_a_mosaic_is_the_same_series_as_single_slices(direction, n_slices, tmp_path):
    write_dicom(series(direction, n_slices), tmp_path / "classic", flavour="siemens-series")
    write_dicom(series(direction, n_slices), tmp_path / "mosaic", flavour="siemens-mosaic")

    classic, mosaic = read_series(tmp_path / "classic"), read_series(tmp_path / "mosaic")

    assert len(list((tmp_path / "mosaic").iterdir())) == 4
    assert_array_equal(mosaic.signal, classic.signal)
    assert_array_equal(mosaic.times_s, TIMES_S)
    assert mosaic.geometry.size == classic.geometry.size
    assert_allclose(mosaic.geometry.origin_mm, classic.geometry.origin_mm, atol=1e-5)
    assert_allclose(mosaic.geometry.spacing_mm, classic.geometry.spacing_mm, atol=1e-5)
    assert_allclose(mosaic.geometry.direction, classic.geometry.direction, atol=1e-5)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix, the independent reader, is not installed")
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_independent_converter_finds_every_voxel_at_the_same_place(direction, tmp_path):
    folder = written(tmp_path / "mosaic", direction=direction)
    ours = read_series(folder)

    order = ["dcm2niix", "-o", str(tmp_path), "-f", "converted", "-b", "n", "-z", "n", str(folder)]
    subprocess.run(order, check=True, capture_output=True)
    theirs = nib.load(tmp_path / "converted.nii")

    values = np.asarray(theirs.dataobj)
    assert values.shape == (9, 7, 5, 4)
    for voxel in np.ndindex(9, 7, 5):
        lps = np.array([-1, -1, 1]) * nib.affines.apply_affine(theirs.affine, voxel)
        i, j, k = (ours.geometry.mm_to_index(lps)).round().astype(int)
        assert_allclose(ours.geometry.index_to_mm((i, j, k)), lps, atol=1e-4)  # the converter keeps single precision
        assert_array_equal(ours.signal[:, k, j, i], values[voxel])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_nibabel_finds_the_first_slice_at_the_same_place(direction, tmp_path):
    folder = written(tmp_path / "mosaic", direction=direction)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental
        from nibabel.nicom.dicomwrappers import MosaicWrapper, wrapper_from_file

        image = wrapper_from_file(sorted(folder.iterdir())[0])
        values = image.get_data()

    assert isinstance(image, MosaicWrapper)
    assert image.image_shape == (7, 9, 5)
    assert_allclose(image.image_position, series(direction).geometry.origin_mm, atol=1e-5)
    assert_array_equal(values.transpose(2, 0, 1), series(direction).signal[0])


@pytest.mark.parametrize(
    "gone", [(MR_HEADER,), (IMAGE,), (PROTOCOL,), (MR_HEADER, IMAGE), (MR_HEADER, PROTOCOL)], ids=str
)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_one_of_the_private_headers_is_enough(gone, direction, tmp_path):
    folder = written(tmp_path / "mosaic", without(*gone), direction=direction)
    write_dicom(series(direction), tmp_path / "classic", flavour="siemens-series")

    found, classic = read_series(folder), read_series(tmp_path / "classic")

    assert_array_equal(found.signal, classic.signal)
    assert found.geometry.same_grid(classic.geometry)


def test_the_headers_are_found_in_another_block_and_without_the_name_of_theirs(tmp_path):
    def moved(image):
        value = image[IMAGE].value
        del image[IMAGE], image[PROTOCOL], image[MR_HEADER]
        image[0x0029, 0x0010].value = "SOMEBODY ELSE"
        image.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", value)

    for name, edit in (("moved", moved), ("nameless", without((0x0019, 0x0010), (0x0029, 0x0010)))):
        assert_array_equal(read_series(written(tmp_path / name, edit)).signal, series().signal)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (without(MR_HEADER, IMAGE, PROTOCOL), "no tag tells how many slices"),
        (without(IMAGE, PROTOCOL), "the lowest or the highest"),
        (lambda image: image[MR_HEADER].__setattr__("value", 4), "tell 4 and 5 slices"),
        (lambda image: [without(IMAGE)(image), image[MR_HEADER].__setattr__("value", 7)], "tile|lowest"),
        (lambda image: image[IMAGE].__setattr__("value", csa_header(UPSIDE_DOWN)), "opposite directions"),
        (
            lambda image: image[IMAGE].__setattr__(
                "value", csa_header({"SliceNormalVector": ("FD", ["0.1", "0.0", "1.0"])})
            ),
            "upright",
        ),
        (lambda image: [without(PROTOCOL)(image), image.__delattr__("SpacingBetweenSlices")], "distance"),
        (
            lambda image: image.__setattr__("PixelData", np.full((21, 27), 7).astype("<u2").tobytes()[:-2] + b"\1\0"),
            "there is an image in tile 9",
        ),
    ],
    ids=["nothing", "no-side", "two-counts", "wrong-count", "against-the-plan", "askew", "no-distance", "more-tiles"],
)
def test_what_the_tags_do_not_tell_is_refused(edit, words, tmp_path):
    assert re.search(words, message_of(written(tmp_path, edit)))


def of_the_first_kind(image):
    """Turn the private headers of a mosaic into those of a scanner before 2004."""
    number = {"EchoLinePosition": ("IS", ["1"]), "EchoColumnPosition": ("IS", ["1"])}
    del image[MR_HEADER]
    told = csa_elements(image[IMAGE].value, {"NumberOfImagesInMosaic", "SliceNormalVector"})
    kinds = {"NumberOfImagesInMosaic": "US", "SliceNormalVector": "FD"}
    image[IMAGE].value = csa_header(number | {n: (kinds[n], list(v)) for n, v in told.items()}, kind=1)
    (text,) = csa_elements(image[PROTOCOL].value, {"MrPhoenixProtocol"})["MrPhoenixProtocol"]
    image[PROTOCOL].value = csa_header({"MrProtocol": ("UN", [text])}, kind=1)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("gone", [(), (IMAGE,), (PROTOCOL,)], ids=["both", "image", "series"])
def test_private_headers_of_the_first_kind_tell_the_same(gone, direction, tmp_path):
    def edit(image):
        of_the_first_kind(image)
        without(*gone)(image)

    found = read_series(written(tmp_path / "mosaic", edit, direction=direction))
    write_dicom(series(direction), tmp_path / "classic", flavour="siemens-series")
    classic = read_series(tmp_path / "classic")

    assert_array_equal(found.signal, classic.signal)
    assert found.geometry.same_grid(classic.geometry)


def test_spm_and_nibabel_would_find_the_same_lengths_in_a_header_of_the_first_kind():
    """Both subtract a number of items from the first of the four numbers before an item."""
    elements = {"A": ("IS", ["1", "22", "333"]), "SliceNormalVector": ("FD", ["0.25", "-0.5", "1"]), "B": ("LO", [])}
    data, at, found, room = csa_header(elements, kind=1), 8, [], set()
    for name in elements:
        tag = struct.unpack_from("<64si4siii", data, at)
        assert tag[0].rstrip(b"\0").decode() == name
        room.add(tag[4])  # SPM takes that of the first element, nibabel that of the second
        at += 84
        for _ in range(tag[4]):
            length = struct.unpack_from("<4i", data, at)[0] - tag[4]
            at += 16
            found.append(data[at : at + length].rstrip(b"\0").decode())
            at += -(-length // 4) * 4
    assert len(room) == 1
    assert [text for text in found if text] == ["1", "22", "333", "0.25", "-0.5", "1"]
    assert csa_elements(data, ["SliceNormalVector"]) == {"SliceNormalVector": ("0.25", "-0.5", "1")}


@pytest.mark.parametrize("at", [4, 8 + 76, 8 + 84 + 8, 8 + 84 + 3 * 20 + 76])
def test_a_header_of_the_first_kind_that_does_not_add_up_tells_nothing(at):
    elements = {"A": ("IS", ["1", "22", "333"]), "SliceNormalVector": ("FD", ["0.25", "-0.5", "1"])}
    data = bytearray(csa_header(elements, kind=1))
    data[at : at + 4] = struct.pack("<i", 7)
    assert csa_elements(bytes(data), ["SliceNormalVector"]) == {}


def test_the_side_of_the_slices_is_the_one_that_the_normal_tells(tmp_path):
    def turned(image):
        without(MR_HEADER, PROTOCOL)(image)
        image[IMAGE].value = csa_header(UPSIDE_DOWN)

    found = read_series(written(tmp_path, turned))

    assert_array_equal(found.signal, series().signal[:, ::-1])
    assert_allclose(found.geometry.origin_mm, (-20.0, 13.0, 40.0 - 4 * 4.0))


def test_a_picture_whose_type_was_rewritten_is_taken_apart_by_its_header_or_refused(tmp_path):
    def renamed(image):
        image.ImageType = ["DERIVED", "SECONDARY", "M", "ND"]

    def renamed_without_matrix(image):
        renamed(image)
        del image.AcquisitionMatrix

    def taken_apart(image):
        renamed(image)
        image.AcquisitionMatrix = [0, 27, 21, 0]

    assert_array_equal(read_series(written(tmp_path / "renamed", renamed)).signal, series().signal)
    assert "does not say MOSAIC" in message_of(written(tmp_path / "no-matrix", renamed_without_matrix))
    assert read_series(written(tmp_path / "apart", taken_apart)).signal.shape == (4, 1, 21, 27)


def test_frames_of_a_multi_frame_file_that_are_mosaics_are_refused(tmp_path):
    for path in write_dicom(series(), tmp_path, flavour="siemens-xa"):
        image = pydicom.dcmread(path)
        image.ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
        image.save_as(path)
    assert "multi-frame" in message_of(tmp_path)


def test_a_defect_that_a_mosaic_cannot_have_is_not_written(tmp_path):
    for defect in NOT_IN_A_MOSAIC:
        with pytest.raises(InputRefusedError) as caught:
            write_dicom(series(), tmp_path, flavour="siemens-mosaic", defects=defect)
        assert caught.value.code == "choice-unknown"


def test_a_hostile_header_tells_nothing_and_takes_no_memory():
    told = {"SliceNormalVector": ("FD", ["0", "0", "1"]), "MrPhoenixProtocol": ("UN", ["x"])}
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        data = bytearray(csa_header(told, kind=1 + seed % 2))
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(data) - 4))
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\1\0\0"])
        if seed % 3 == 0:
            del data[int(rng.integers(0, len(data))) :]

        found = csa_elements(bytes(data), {"SliceNormalVector"})

        assert set(found) <= {"SliceNormalVector"}
        assert sum(len(item) for items in found.values() for item in items) <= len(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lSize = 999999",
        "lSize = 2",
        "lSize = 1\nsSliceArray.asSlice[0].sNormal.dTra = 1.0.0",
        "lSize = 1\nsSliceArray.asSlice[4].sNormal.dTra = 1.0",
    ],
)
def test_a_protocol_that_lists_no_parallel_slices_tells_nothing(text):
    assert protocol_slices(f"### ASCCONV BEGIN ###\nsSliceArray.{text}\n### ASCCONV END ###") is None


def test_a_real_mosaic_lies_where_its_protocol_planned_it_and_is_numbered_downwards(shared_data):
    """The stack has no image header; its pixels were replaced by noise, also in the tiles that hold no slice."""
    folder = shared_data / "dicom_robustness_dicom2nifti" / "siemens" / "fmri" / "001"
    image = pydicom.dcmread(sorted(folder.iterdir())[0])
    x, y = np.array(image.ImageOrientationPatient[:3]), np.array(image.ImageOrientationPatient[3:])

    slices = read_headers(list_sources(folder)).slices

    middles = np.array([s.position for s in slices[:50]]) + 39.5 * 2.5 * x + 39.5 * 2.5 * y
    text = csa_elements(image[PROTOCOL].value, {"MrPhoenixProtocol"})["MrPhoenixProtocol"][0]
    assert len(slices) == 100
    assert slices[0].shape == (80, 80)
    assert_allclose(middles, protocol_slices(text)[::-1], atol=2.0)  # within a pixel of 2.5 mm
    assert_allclose((middles - protocol_slices(text)[::-1]) @ np.cross(x, y), 0, atol=1e-5)
    with pytest.raises(InputRefusedError, match="an image in tile 51"):
        read_series(folder, [0.0, 3.0])


def test_a_real_mosaic_with_its_empty_tiles_is_read_tile_by_tile(shared_data, tmp_path):
    folder = shared_data / "dicom_robustness_dicom2nifti" / "siemens" / "fmri" / "001"
    tiles = []
    for path in sorted(folder.iterdir()):
        image = pydicom.dcmread(path)
        apart = image.pixel_array.reshape(8, 80, 8, 80).swapaxes(1, 2).reshape(64, 80, 80).copy()
        apart[50:] = 0
        tiles.append(apart[:50])
        image.PixelData = apart.reshape(8, 8, 80, 80).swapaxes(1, 2).tobytes()
        image.save_as(tmp_path / path.name)

    found = read_series(tmp_path, [0.0, 3.0])

    assert found.geometry.size == (80, 80, 50)
    assert_array_equal(found.signal, np.array(tiles)[:, ::-1])
