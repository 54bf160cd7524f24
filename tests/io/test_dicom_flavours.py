"""The same series, however a vendor writes it, is the same array, times and grid."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series, read_volume
from spinekit.phantom.dicom_writer import FLAVOURS, quantised, write_dicom
from spinekit.settings import Reading

TIMES_S = [0.0, 9.5, 20.0, 30.25, 61.125]
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SAGITTAL = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
A, B = np.cos(0.3), np.sin(0.3)
OBLIQUE = ((1.0, 0.0, 0.0), (0.0, A, -B), (0.0, B, A))
CLASSIC = [name for name, flavour in FLAVOURS.items() if flavour.files == "classic"]
TIMED = [name for name in FLAVOURS if name != "ge-instance"]


def series(direction=AXIAL, *, scale=1.0, low=0) -> DynamicSeries:
    values = np.random.default_rng(4).integers(low, 3000, (5, 6, 7, 9)).astype(np.float32) * np.float32(scale)
    grid = Geometry((9, 7, 6), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0), direction)
    return DynamicSeries(values, TIMES_S, grid, "times_s", (), Acquisition(5.5, 2.25, 12.0, 3.0))


def read(folder, flavour, **choices) -> DynamicSeries:
    return read_series(folder, TIMES_S if flavour == "ge-instance" else None, **choices)


def refused(folder, *arguments, **choices) -> InputRefusedError:
    with pytest.raises(InputRefusedError) as caught:
        read_series(folder, *arguments, **choices)
    return caught.value


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("direction", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_every_flavour_gives_the_same_array_times_and_grid(flavour, direction, tmp_path):
    written = series(direction)
    write_dicom(written, tmp_path, flavour=flavour)

    found = read(tmp_path, flavour)

    assert_array_equal(found.signal, written.signal)
    assert_array_equal(found.times_s, TIMES_S)
    assert found.geometry.same_grid(written.geometry)
    assert found.warnings == ()
    assert (found.acquisition.repetition_time_ms, found.acquisition.echo_time_ms) == (5.5, 2.25)
    assert found.acquisition.flip_angle_deg == 12.0


@pytest.mark.parametrize(
    ("flavour", "source"),
    {
        "siemens": "AcquisitionTime", "siemens-series": "AcquisitionTime", "siemens-xa": "AcquisitionTime",
        "siemens-mosaic": "AcquisitionTime",
        "ge-trigger": "TriggerTime", "ge-temporal": "ContentTime", "ge-instance": "times_s",
        "philips": "TriggerTime", "philips-enhanced": "TemporalPositionTimeOffset", "canon": "AcquisitionTime",
    }.items(),
)  # fmt: skip
def test_the_tag_that_gave_the_times_is_named(flavour, source, tmp_path):
    write_dicom(series(), tmp_path, flavour=flavour)
    assert read(tmp_path, flavour).time_source == source


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_negative_and_fractional_values_come_back_to_the_last_bit(flavour, tmp_path):
    written = series(scale=0.37, low=-500)
    write_dicom(written, tmp_path, flavour=flavour)

    found = read(tmp_path, flavour).signal

    assert_array_equal(found, quantised(written))
    assert_allclose(found, written.signal, atol=np.abs(written.signal).max() / 32767)


def test_philips_slices_differ_in_slope_and_are_scaled_one_by_one(tmp_path):
    paths = write_dicom(series(), tmp_path, flavour="philips")
    slopes = {float(pydicom.dcmread(p).RescaleSlope) for p in paths}
    assert len(slopes) > 1
    found = read_series(tmp_path)
    assert_array_equal(found.signal, series().signal)
    assert found.record["philips_private_scale"] is True


@pytest.mark.parametrize("flavour", ["siemens", "ge-temporal", "philips", "philips-enhanced"])
def test_a_sagittal_series_is_the_same_in_space(flavour, tmp_path):
    written = series(SAGITTAL)
    write_dicom(written, tmp_path, flavour=flavour)

    found = read(tmp_path, flavour)

    for index in [(0, 0, 0), (8, 0, 5), (3, 6, 2)]:
        i, j, k = np.round(found.geometry.mm_to_index(written.geometry.index_to_mm(index))).astype(int)
        assert_array_equal(found.signal[:, k, j, i], written.signal[:, index[2], index[1], index[0]])


@pytest.mark.parametrize("flavour", CLASSIC)
def test_an_independent_reader_opens_every_phase(flavour, tmp_path):
    written = series(OBLIQUE)
    paths = write_dicom(written, tmp_path, flavour=flavour)
    n_slices = written.geometry.size[2]

    for t in range(written.n_phases):
        files = [str(p) for p in paths[t * n_slices : (t + 1) * n_slices]]
        image = sitk.ReadImage(files, sitk.sitkFloat32)
        assert_array_equal(sitk.GetArrayFromImage(image), written.signal[t])
        assert_allclose(image.GetSpacing(), written.geometry.spacing_mm, rtol=1e-6)
        assert_allclose(image.GetOrigin(), written.geometry.origin_mm, atol=1e-6)
        assert_allclose(np.reshape(image.GetDirection(), (3, 3)), written.geometry.direction, atol=1e-6)


def test_an_independent_reader_finds_one_series_per_measurement(tmp_path):
    write_dicom(series(), tmp_path, flavour="siemens-series")
    reader = sitk.ImageSeriesReader()

    stacks = [reader.GetGDCMSeriesFileNames(str(tmp_path), uid) for uid in reader.GetGDCMSeriesIDs(str(tmp_path))]

    phases = [sitk.GetArrayFromImage(sitk.ReadImage(stack, sitk.sitkFloat32)) for stack in stacks]
    wanted = series().signal
    assert len(phases) == 5
    assert all(any((phase == one).all() for phase in phases) for one in wanted)


@pytest.mark.parametrize("flavour", ["siemens-xa", "philips-enhanced"])
def test_an_independent_reader_opens_enhanced_frames_in_their_own_order(flavour, tmp_path):
    paths = write_dicom(series(), tmp_path, flavour=flavour)
    dataset = pydicom.dcmread(paths[0])
    stored = dataset.pixel_array.astype(np.float64)

    for frame, pixels in zip(dataset.PerFrameFunctionalGroupsSequence, stored, strict=True):
        scale = frame.PixelValueTransformationSequence[0]
        content = frame.FrameContentSequence[0]
        t, z = content.TemporalPositionIndex - 1, content.InStackPositionNumber - 1
        values = pixels * float(scale.RescaleSlope) + float(scale.RescaleIntercept)
        assert_array_equal(values, series().signal[t, z])


def test_the_same_call_writes_the_same_bytes_and_no_name_of_the_case(tmp_path):
    named = replace(series(), name="Mustermann")
    one = [p.read_bytes() for p in write_dicom(named, tmp_path / "a", flavour="philips")]
    other = [p.read_bytes() for p in write_dicom(named, tmp_path / "b", flavour="philips")]

    assert one == other
    assert not any(b"Mustermann" in data for data in one)


@pytest.mark.parametrize("choice", [{"flavour": "esaote"}, {"defects": "bad-luck"}])
def test_an_unknown_flavour_or_defect_is_refused_with_the_choices(choice, tmp_path):
    with pytest.raises(InputRefusedError, match=r"siemens|missing-slice") as caught:
        write_dicom(series(), tmp_path, **choice)
    assert caught.value.code == "choice-unknown"


def test_a_zip_and_a_list_of_files_are_read_as_the_folder(tmp_path):
    paths = write_dicom(series(), tmp_path / "images", flavour="canon")
    archive = shutil.make_archive(str(tmp_path / "dce"), "zip", tmp_path / "images")

    for source in (archive, paths, paths[::-1]):
        found = read_series(source)
        assert_array_equal(found.signal, series().signal)
        assert_array_equal(found.times_s, TIMES_S)


def test_the_directory_of_an_archive_is_read_once(tmp_path, monkeypatch):
    write_dicom(series(), tmp_path / "images", flavour="canon")
    archive = shutil.make_archive(str(tmp_path / "dce"), "zip", tmp_path / "images")
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments):
            opened.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    read_series(archive)

    assert len(opened) <= 2  # for the names of its members, and for their bytes


@pytest.mark.parametrize("flavour", ["siemens", "siemens-series", "philips-enhanced", "canon"])
def test_an_incomplete_last_phase_is_dropped_only_when_asked_for(flavour, tmp_path):
    write_dicom(series(), tmp_path, flavour=flavour, defects="incomplete-last-phase")

    error = refused(tmp_path)
    found = read_series(tmp_path, settings=Reading(drop_incomplete_last_phase=True))

    assert error.code == "phase-incomplete"
    assert "phase 5 has 3 of 6 slices" in error.message
    assert_array_equal(found.signal, series().signal[:4])
    assert_array_equal(found.times_s, TIMES_S[:4])
    assert any(text.startswith("[phase-incomplete]") for text in found.warnings)


@pytest.mark.parametrize("flavour", [name for name in TIMED if FLAVOURS[name].files != "mosaic"])
def test_a_missing_slice_is_named_by_phase_and_position(flavour, tmp_path):
    write_dicom(series(), tmp_path, flavour=flavour, defects="missing-slice")
    assert "phase 3 at position 3 (of 5 phases and 6 positions)" in refused(tmp_path).message


@pytest.mark.parametrize("flavour", ["siemens", "siemens-series", "ge-temporal", "philips-enhanced"])
def test_times_of_the_reader_take_the_place_of_equal_ones(flavour, tmp_path):
    write_dicom(series(), tmp_path, flavour=flavour, defects="equal-times")

    found = read_series(tmp_path, TIMES_S)

    assert_array_equal(found.signal, series().signal)
    assert (found.times_s == TIMES_S).all()
    assert found.time_source == "times_s"


@pytest.mark.parametrize("defect", ["no-times", "equal-times"])
def test_instance_numbers_at_random_give_no_order_even_with_times(defect, tmp_path):
    write_dicom(series(), tmp_path, flavour="philips", defects=defect)

    error = refused(tmp_path, TIMES_S)

    assert error.code == {"no-times": "times-missing", "equal-times": "times-equal"}[defect]
    assert "Export the series again" in error.message


def test_both_orders_are_shown_where_tags_contradict(tmp_path):
    write_dicom(series(), tmp_path, flavour="ge-temporal", defects="contradicting-times")
    message = refused(tmp_path).message
    assert "[1, 7, 13, 19, 25]" in message
    assert "[25, 19, 13, 7, 1]" in message


def test_as_many_times_as_phases_are_needed(tmp_path):
    write_dicom(series(), tmp_path, flavour="ge-instance")
    assert refused(tmp_path, TIMES_S[:4]).code == "times-invalid"
    assert refused(tmp_path, [0, 10, 20, 20, 30]).code == "times-equal"


def test_series_of_other_flip_angles_are_no_phases(tmp_path):
    for number, path in enumerate(write_dicom(series(), tmp_path, flavour="siemens-series")):
        dataset = pydicom.dcmread(path)
        dataset.FlipAngle = 2 + 3 * (number // 6)
        dataset.save_as(path)
    assert refused(tmp_path).code == "too-few-phases"


def test_a_phase_that_does_not_fit_is_not_dropped_but_can_be_left_out_by_choice(tmp_path):
    write_dicom(series(), tmp_path, flavour="siemens-series", defects="shifted-phase")

    error = refused(tmp_path)
    found = read_series(tmp_path, series="5+6+8+9")

    assert error.code == "phase-geometry-varies"
    assert "series='5+6+8+9'" in error.message
    assert_array_equal(found.signal, series().signal[[0, 1, 3, 4]])


def test_a_phase_before_contrast_in_a_series_of_its_own_is_told_and_joined_when_asked_for(tmp_path):
    paths = write_dicom(series(), tmp_path, flavour="canon")
    for path in paths[:6]:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID, dataset.SeriesNumber = pydicom.uid.generate_uid(entropy_srcs=["before"]), 3
        dataset.save_as(path)

    alone, joined = read_series(tmp_path), read_series(tmp_path, series="3+4")

    assert_array_equal(alone.signal, series().signal[1:])
    assert any(w.startswith("[series-alike]") and "series='3+4'" in w for w in alone.warnings)
    assert_array_equal(joined.signal, series().signal)
    assert_array_equal(joined.times_s, TIMES_S)


def test_series_that_do_not_fit_are_not_joined_even_when_asked_for(tmp_path):
    write_dicom(series(), tmp_path, flavour="siemens-series", defects="other-matrix")
    assert refused(tmp_path, series="5+6+7+8+9").code == "matrix-varies"


def test_two_dynamic_series_are_ambiguous_until_one_is_chosen(tmp_path):
    write_dicom(series(), tmp_path / "a", flavour="canon")
    write_dicom(series(), tmp_path / "b", flavour="ge-trigger")
    for path in (tmp_path / "b").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesNumber = 9
        dataset.save_as(path)

    error = refused(tmp_path)

    assert error.code == "series-ambiguous"
    assert "series 4 (30 images" in error.message
    assert "series 9 (30 images" in error.message
    assert read_series(tmp_path, series="9").time_source == "TriggerTime"
    assert refused(tmp_path, series="7").code == "series-unknown"


def test_patients_are_told_apart_without_their_names(tmp_path):
    write_dicom(series(), tmp_path, defects="mixed-patients")
    message = refused(tmp_path).message
    assert message.count("patient-") == 2
    assert "Simulated" not in message
    assert "SIM-" not in message


def test_a_single_phase_is_a_volume_and_several_are_none(tmp_path):
    write_dicom(series(), tmp_path / "one", defects="single-phase")
    write_dicom(series(), tmp_path / "five")

    assert_array_equal(read_volume(tmp_path / "one").values, series().signal[0])
    with pytest.raises(InputRefusedError) as caught:
        read_volume(tmp_path / "five")
    assert caught.value.code == "series-ambiguous"


def test_what_is_no_measurement_needs_no_position(tmp_path):
    paths = write_dicom(series(), tmp_path, flavour="canon", defects="subtraction")
    dataset = pydicom.dcmread(paths[-1])
    del dataset.ImagePositionPatient
    dataset.save_as(paths[-1])

    assert_array_equal(read_series(tmp_path).signal, series().signal)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_a_header_without_size_is_refused_before_anything_is_allocated(keyword, tmp_path):
    paths = write_dicom(series(), tmp_path, flavour="canon")
    dataset = pydicom.dcmread(paths[3])
    setattr(dataset, keyword, 0)
    dataset.save_as(paths[3])
    assert refused(tmp_path).code == "file-corrupt"
