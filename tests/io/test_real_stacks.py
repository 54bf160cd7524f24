"""Real DICOM of five vendors: each stack is read, or refused for what is known to be wrong with it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.errors import InputRefusedError
from spinekit.io import read_series, read_volume

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "inputs.md"
STACKS = "dicom_robustness_dicom2nifti"
# folder: refusal as a series without times given, then the shape of the volume or the refusal as one
AS_VOLUMES = {
    "anatomical/001": ("too-few-phases", (4, 256, 256)),
    "failing/gantrytilting/001": ("too-few-phases", "slices-sheared"),
    "failing/notavolume/001": ("times-missing", "series-ambiguous"),
    "failing/slicecount/001": ("too-few-phases", (2, 256, 256)),
    "failing/sliceincrement/001": ("too-few-phases", "slices-uneven"),
    "failing/sliceincrement/002": ("too-few-phases", "slices-sheared"),
    "failing/sliceorientation/001": ("too-few-phases", "series-ambiguous"),
    "ge/anatomical/001": ("too-few-phases", (4, 256, 256)),
    "ge/anatomical/001_single_slice": ("too-few-phases", (1, 256, 256)),
    "ge/fmri/001": ("times-missing", "series-ambiguous"),
    "generic/anatomical/002_non_isotropic": ("too-few-phases", (4, 28, 64)),
    "generic/compressed/001": ("too-few-phases", (4, 256, 256)),
    "generic/compressed_j2k/001": ("too-few-phases", (4, 256, 256)),
    "generic/compressed_jpeg/001": ("too-few-phases", (4, 256, 256)),
    "generic/compressed_jpegls/001": ("too-few-phases", (4, 256, 256)),
    "generic/compressed_rle/001": ("too-few-phases", (4, 256, 256)),
    "generic/rgb/001": ("no-image", "no-image"),
    "hitachi/anatomical/001": ("too-few-phases", (4, 64, 64)),
    "hyperfine/anatomical/001": ("too-few-phases", (8, 138, 112)),
    "philips/anatomical/001_implicit": ("too-few-phases", (4, 240, 240)),
    "philips/fmri/001": ("times-missing", "series-ambiguous"),
    "philips_enhanced/anatomical/001": ("too-few-phases", (8, 256, 256)),
    "philips_enhanced/fmri/001": ("times-missing", "series-ambiguous"),
    "siemens/anatomical/001_implicit": ("too-few-phases", (4, 256, 256)),
    "siemens/fmri/001": ("times-missing", "series-ambiguous"),  # with times: "mosaic", see tests/io/test_mosaic.py
    "siemens/fmri_classic/001": ("times-missing", "series-ambiguous"),
    "siemens_multiframe/anatomical/001": ("too-few-phases", (8, 256, 256)),
}
# folder: shape as a series once times are given, and what ordered its phases
AS_SERIES = {
    "failing/notavolume/001": ((4, 1, 512, 512), "AcquisitionNumber"),
    "ge/fmri/001": ((2, 4, 64, 64), "InstanceNumber"),
    "philips/fmri/001": ((4, 2, 80, 80), "InstanceNumber"),
    "philips_enhanced/fmri/001": ((4, 8, 64, 64), "TemporalPositionIndex"),
    "siemens/fmri_classic/001": ((2, 4, 192, 192), "AcquisitionNumber"),
}
LOSSLESS = ["generic/compressed_j2k/001", "generic/compressed_jpegls/001", "generic/compressed_rle/001",
            "generic/compressed/001", "generic/compressed_jpeg/001", "siemens/anatomical/001_implicit",
            "hitachi/anatomical/001", "philips/anatomical/001_implicit", "ge/anatomical/001"]  # fmt: skip


def code_of(read, *arguments) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read(*arguments)
    return caught.value.code


@pytest.mark.parametrize(("folder", "expected"), AS_VOLUMES.items())
def test_a_real_stack_is_a_volume_or_refused_for_what_is_wrong_with_it(folder, expected, shared_data):
    path = shared_data / STACKS / folder
    as_series, as_volume = expected

    assert code_of(read_series, path) == as_series
    if isinstance(as_volume, str):
        assert code_of(read_volume, path) == as_volume
    else:
        assert read_volume(path).values.shape == as_volume


def test_the_table_holds_every_stack(shared_data):
    root = shared_data / STACKS
    found = {str(p.parent.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.parent != root}
    assert found == set(AS_VOLUMES)


def test_the_document_tells_the_outcome_of_every_stack():
    lines = DOCUMENT.read_text("utf-8").splitlines()
    told = {
        cells[0].strip(): cells[1:] for cells in (line.strip("| ").split(" | ") for line in lines) if len(cells) == 3
    }
    for folder, (as_series, as_volume) in AS_VOLUMES.items():
        shape, tag = AS_SERIES.get(folder, ((), ""))
        of_volume = f"`{as_volume}`" if isinstance(as_volume, str) else " × ".join(map(str, as_volume))
        assert told[folder][0].startswith(f"`{as_series}`")
        assert " × ".join(map(str, shape)) in told[folder][0]
        assert told[folder][0].endswith(tag)
        assert told[folder][1].strip() == of_volume


@pytest.mark.parametrize(("folder", "expected"), AS_SERIES.items())
def test_a_real_stack_of_phases_is_read_once_its_times_are_given(folder, expected, shared_data):
    shape, tag = expected

    series = read_series(shared_data / STACKS / folder, [3.0 * t for t in range(shape[0])])

    assert series.signal.shape == shape
    assert series.record["phases_ordered_by"] == tag


@pytest.mark.parametrize("folder", LOSSLESS)
def test_pixels_and_places_are_those_of_an_independent_reader(folder, shared_data):
    path = shared_data / STACKS / folder
    volume = read_volume(path)

    for file in sorted(p for p in path.iterdir() if p.is_file()):
        image = sitk.ReadImage(str(file), sitk.sitkFloat32)
        i, j, k = np.round(volume.geometry.mm_to_index(image.GetOrigin())).astype(int)
        assert (i, j) == (0, 0)
        assert_allclose(volume.geometry.index_to_mm((i, j, k)), image.GetOrigin(), atol=0.01)
        assert_array_equal(volume.values[k], sitk.GetArrayFromImage(image)[0])


def test_the_real_breast_series_is_the_provided_conversion(shared_data):
    folder = shared_data / "dce_breast_ucsf_br06"

    series = read_series(folder / "dicom.zip")
    converted = read_series(folder / "dce_4d.nii.gz", series.times_s)

    assert series.time_source == "ContentTime"
    assert_array_equal(series.times_s, [0.0, 407.0, 761.0])  # 10:25:51, 10:32:38, 10:38:32
    assert series.geometry.same_grid(converted.geometry)
    assert_array_equal(series.signal, converted.signal)
    plain = np.asarray(nib.load(folder / "dce_4d.nii.gz").dataobj)
    assert_array_equal(series.signal[1], np.transpose(plain[..., 1]))


def test_the_other_series_of_the_archive_are_told_and_can_be_read(shared_data):
    archive = shared_data / "dce_breast_ucsf_br06" / "dicom.zip"
    series = read_series(archive)

    assert any("series 21001" in w and "series 21000" in w for w in series.warnings if w.startswith("[series-chosen]"))
    assert any("Segmentation" in w for w in series.warnings if w.startswith("[set-aside]"))
    assert read_volume(archive, series="21000").values.shape == (60, 256, 256)
    assert code_of(lambda: read_series(archive, series="99")) == "series-unknown"


def test_slicer_multivolumes_carry_their_times(shared_data):
    root = shared_data / "dce_4d_nrrd_multivolume_pkmodeling" / "DROs" / "Input"
    for name, n_phases, step_s in (("DRO3min3secinf", 60, 3.0), ("DRO5min1secinf", 300, 1.0)):
        series = read_series(root / f"{name}.nrrd")

        assert series.signal.shape == (n_phases, 1, 13, 16)
        assert_allclose(series.times_s, step_s * np.arange(n_phases), atol=1e-9)
        assert series.time_source == "NRRD header"
        assert series.acquisition.flip_angle_deg == 15.0
