"""Inputs made tag by tag with pydicom, not by spinekit's own writer: what a stranger would hand over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from spinekit.errors import InputRefusedError
from spinekit.io import read_series

T, Z, Y, X = 4, 5, 6, 8
VALUES = np.random.default_rng(0).integers(1, 2000, (T, Z, Y, X)).astype(np.uint16)
TIMES_S = [0.0, 12.0, 24.5, 37.0]
STUDY, FRAME, SERIES = (generate_uid(entropy_srcs=[word]) for word in ("study", "frame", "series"))
OF_PHASE = [generate_uid(entropy_srcs=[f"phase {t}"]) for t in range(T)]
AT_RANDOM = np.random.default_rng(1).permutation(T * Z)
PLACES = [(t, z) for t in range(T) for z in range(Z)]
ODD_FIRST = [0, 6, 2, 8, 4]  # seconds after the phase began, at which an interleaved acquisition takes its slices


def clock(seconds: float) -> str:
    whole = int(seconds) % 86400
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{round(seconds % 1 * 1e6):06d}"


def image(t: int, z: int, **tags) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.PatientID, made.PatientName, made.SeriesNumber, made.Modality = "X", "Y^Z", 7, "MR"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = STUDY, SERIES, FRAME
    made.ImageType, made.SamplesPerPixel, made.PhotometricInterpretation = ["ORIGINAL", "PRIMARY"], 1, "MONOCHROME2"
    made.Rows, made.Columns, made.PixelRepresentation = Y, X, 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.ImagePositionPatient = [-10.0, -20.0, 30.0 + 3.5 * z]
    made.ImageOrientationPatient, made.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.9, 0.8]
    made.PixelData = VALUES[t, z].tobytes()
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def images(of):
    return [image(t, z, **of(t, z)) for t, z in PLACES]


def timed(t, z, **more):
    return {"AcquisitionTime": clock(36000 + TIMES_S[t]), "InstanceNumber": t * Z + z + 1, **more}


def written(folder, datasets):
    """Write the images under names that tell nothing of their order."""
    for name, dataset in zip(np.random.default_rng(2).permutation(len(datasets)), datasets, strict=True):
        dataset.save_as(folder / f"IM{name:04d}", enforce_file_format=True)
    return folder


def code_of(read, *arguments) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read(*arguments)
    return caught.value.code


# ---- how vendors tell the time

CLOCKS = {
    "GE, trigger and temporal position": ("TriggerTime", lambda t, z: {
        "AcquisitionTime": "100000", "TriggerTime": 1000 * TIMES_S[t], "TemporalPositionIdentifier": t + 1,
        "NumberOfTemporalPositions": T, "ContentTime": "100000", "InstanceNumber": t * Z + z + 1}),
    "GE, a trigger of its own for every slice": ("TriggerTime", lambda t, z: {
        "AcquisitionTime": "100000", "TriggerTime": 1000 * (TIMES_S[t] + ODD_FIRST[z]), "InstanceNumber": z * T + t}),
    "Philips, numbers at random": ("TriggerTime", lambda t, z: {
        "AcquisitionTime": "100000", "TriggerTime": 1000 * TIMES_S[t], "InstanceNumber": int(AT_RANDOM[t * Z + z])}),
    "Siemens, slices interleaved": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(36000 + TIMES_S[t] + ODD_FIRST[z]), "AcquisitionNumber": t + 1}),
    "Siemens, slices of a phase after the next has begun": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(36000 + TIMES_S[t] + 5 * z), "AcquisitionNumber": t + 1}),
    "series per phase, their numbers not in the order of time": ("AcquisitionTime", lambda t, z: {
        "SeriesInstanceUID": OF_PHASE[t], "SeriesNumber": [13, 10, 12, 11][t], "InstanceNumber": z + 1,
        "AcquisitionTime": clock(36000 + TIMES_S[t])}),
    "series per phase, SeriesTime alone": ("SeriesTime", lambda t, z: {
        "SeriesInstanceUID": OF_PHASE[t], "SeriesNumber": 10 + t, "SeriesTime": clock(36000 + TIMES_S[t])}),
    "Canon, position by position": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(36000 + TIMES_S[t]), "ContentTime": clock(36100 + TIMES_S[t]),
        "InstanceNumber": z * T + t + 1}),
    "AcquisitionDateTime": ("AcquisitionTime", lambda t, z: {
        "AcquisitionDateTime": "20200101" + clock(36000 + TIMES_S[t])}),
    "past midnight with its date": ("AcquisitionTime", lambda t, z: {
        "AcquisitionDateTime": ("20200101" if TIMES_S[t] < 10 else "20200102") + clock(86390 + TIMES_S[t])}),
    "past midnight without a date": ("AcquisitionTime", lambda t, z: {"AcquisitionTime": clock(86390 + TIMES_S[t])}),
    "past midnight with the date of the first day": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(86390 + TIMES_S[t]), "AcquisitionDate": "20200101"}),
    "a date in some of the images": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(36000 + TIMES_S[t]), "AcquisitionDate": "20200301" if t else None}),
    "AcquisitionDateTime of the series, AcquisitionTime of the phase": ("AcquisitionTime", lambda t, z: {
        "AcquisitionDateTime": "20200101100000", "AcquisitionTime": clock(36000 + TIMES_S[t])}),
    "a clock that is put forward in the night": ("AcquisitionTime", lambda t, z: {
        "AcquisitionDateTime": "20200329" + clock(7190 + TIMES_S[t] + 3600 * (t > 0)) + ("+0200" if t else "+0100")}),
    "Philips, trigger of zero": ("AcquisitionTime", lambda t, z: {
        "AcquisitionTime": clock(36000 + TIMES_S[t]), "TriggerTime": 0, "InstanceNumber": int(AT_RANDOM[t * Z + z])}),
    "Philips, temporal position, trigger and one ContentTime": ("TriggerTime", lambda t, z: {
        "AcquisitionTime": "100000", "ContentTime": "100030.5", "TriggerTime": 1000 * TIMES_S[t],
        "TemporalPositionIdentifier": t + 1, "NumberOfTemporalPositions": T}),
    "images made in no order of phases": ("TriggerTime", lambda t, z: {
        "TriggerTime": 1000 * TIMES_S[t], "ContentTime": clock(40000 + int(AT_RANDOM[t * Z + z]))}),
    "images made position by position": ("TriggerTime", lambda t, z: {
        "TriggerTime": 1000 * TIMES_S[t], "ContentTime": clock(40000 + z * T + t)}),
    "GE, series per phase with a trigger": ("TriggerTime", lambda t, z: {
        "SeriesInstanceUID": OF_PHASE[t], "SeriesNumber": 300 + t, "AcquisitionTime": "100000",
        "TriggerTime": 1000 * TIMES_S[t], "InstanceNumber": z + 1}),
    "ContentTime that jitters by a second": ("ContentTime", lambda t, z: {
        "ContentTime": clock(36000 + TIMES_S[t] + z % 2)}),
}  # fmt: skip


@pytest.mark.parametrize("layout", CLOCKS)
def test_every_layout_of_time_is_the_same_series(layout, tmp_path):
    source, tags = CLOCKS[layout]

    found = read_series(written(tmp_path, images(tags)))

    assert_array_equal(found.signal, VALUES)
    assert_allclose(found.times_s, TIMES_S, atol=1e-6)
    assert found.time_source == source
    assert found.warnings == ()


@pytest.mark.parametrize("by", ["phase", "position"])
def test_instance_numbers_alone_order_a_series_whose_times_are_given(by, tmp_path):
    written(tmp_path, images(lambda t, z: {"InstanceNumber": 1 + (t * Z + z if by == "phase" else z * T + t)}))

    assert code_of(read_series, tmp_path) == "times-missing"
    assert_array_equal(read_series(tmp_path, TIMES_S).signal, VALUES)


REFUSED = {
    "instance numbers at random": ("times-missing", lambda t, z: {"InstanceNumber": int(AT_RANDOM[t * Z + z])}),
    "two clocks in opposite orders": ("times-contradict", lambda t, z: timed(t, z, TriggerTime=1000 * (100 - t))),
    "dates of weeks apart": ("times-invalid", lambda t, z: timed(t, z, AcquisitionDate=f"202001{1 + 7 * t:02d}")),
    "two clocks of the acquisition in opposite orders": ("times-contradict", lambda t, z: timed(
        t, z, AcquisitionDateTime="20200101" + clock(36000 - TIMES_S[t]))),
    "images made in the opposite order": ("times-contradict", lambda t, z: timed(
        t, z, TriggerTime=1000 * TIMES_S[t], ContentTime=clock(40000 - t))),
    "a clock of whole minutes": ("times-equal", lambda t, z: timed(t, z, AcquisitionTime=f"10{t // 2:02d}00")),
    "a leaning stack": ("slices-sheared", lambda t, z: timed(
        t, z, ImagePositionPatient=[-10.0, -20.0 + 0.3 * z, 30.0 + 3.5 * z])),
    "a gap of 1.5 %": ("slices-uneven", lambda t, z: timed(
        t, z, ImagePositionPatient=[-10.0, -20.0, 30.0 + 3.5 * z + 0.055 * (z == 4)])),
    "packed cells of 12 bits": ("format-unsupported", lambda t, z: timed(
        t, z, BitsAllocated=12, BitsStored=12, HighBit=11, PixelData=bytes(Y * X * 12 // 8))),
    "values in the upper bits": ("format-unsupported", lambda t, z: timed(t, z, BitsStored=12, HighBit=15)),
    "a palette": ("no-image", lambda t, z: timed(t, z, PhotometricInterpretation="PALETTE COLOR")),
    "a film loop": ("file-corrupt", lambda t, z: timed(
        t, z, NumberOfFrames=2, PixelData=VALUES[t, z].tobytes() * 2)),
    "a table of values": ("format-unsupported", lambda t, z: timed(
        t, z, ModalityLUTSequence=Sequence([Dataset()]))),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_known_is_refused(what, tmp_path):
    code, tags = REFUSED[what]
    assert code_of(read_series, written(tmp_path, images(tags)), TIMES_S if "random" in what else None) == code


def test_a_slice_that_is_missing_twice_or_other_is_told_apart(tmp_path):
    whole = images(timed)
    again = image(1, 2, **timed(1, 2))
    other = image(1, 2, **timed(1, 2, InstanceNumber=99, PixelData=VALUES[2, 2].tobytes()))
    for name in ("missing", "twice", "other"):
        (tmp_path / name).mkdir()

    assert code_of(read_series, written(tmp_path / "missing", whole[:7] + whole[8:])) == "slice-missing"
    assert code_of(read_series, written(tmp_path / "other", [*whole, other])) == "slice-duplicate"
    found = read_series(written(tmp_path / "twice", [*whole, again]))
    assert_array_equal(found.signal, VALUES)
    assert found.warnings[0].startswith("[slice-duplicate]")


def test_of_two_dynamic_series_none_is_guessed(tmp_path):
    second = images(lambda t, z: timed(t, z, SeriesInstanceUID=OF_PHASE[0], SeriesNumber=9))
    written(tmp_path, images(timed) + second)
    assert code_of(read_series, tmp_path) == "series-ambiguous"
    assert_array_equal(read_series(tmp_path, series="9").signal, VALUES)


def weighted(how, b):
    """Return a series of diffusion-weighted images, with the b-value where a vendor tells it."""
    made = images(lambda t, z: timed(t, z, SeriesInstanceUID=OF_PHASE[0], SeriesNumber=3))
    for (t, _), dataset in zip(PLACES, made, strict=True):
        if how == "standard":
            dataset.DiffusionBValue = float(b[t])
        else:
            group, creator, element, kind = {
                "Siemens": (0x0019, "SIEMENS MR HEADER", 0x0C, "IS"),
                "Philips": (0x2001, "Philips Imaging DD 001", 0x03, "FL"),
            }[how]
            dataset.private_block(group, creator, create=True).add_new(element, kind, b[t])
    return made


@pytest.mark.parametrize("how", ["standard", "Siemens", "Philips"])
@pytest.mark.parametrize("b", [(0, 400, 800, 1200), (0, 0, 0, 800), (800, 800, 800, 800)], ids=str)
def test_b_values_and_directions_are_no_phases(how, b, tmp_path):
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()

    assert code_of(read_series, written(tmp_path / "alone", weighted(how, b))) == "too-few-phases"
    found = read_series(written(tmp_path / "beside", images(timed) + weighted(how, b)))

    assert_array_equal(found.signal, VALUES)
    assert found.warnings[0].startswith("[series-chosen]")


NAMES = ["VIBE pre", "VIBE arterial", "VIBE portal", "VIBE late"]


def per_phase(t, z, **more):
    return timed(t, z, SeriesInstanceUID=OF_PHASE[t], SeriesNumber=10 + t, InstanceNumber=z + 1, **more)


def test_phases_under_names_of_their_own_are_joined_when_asked_for(tmp_path):
    written(tmp_path, images(lambda t, z: per_phase(t, z, SeriesDescription=NAMES[t])))

    with pytest.raises(InputRefusedError, match=r"series='10\+11\+12\+13'") as caught:
        read_series(tmp_path)

    assert caught.value.code == "too-few-phases"
    assert_array_equal(read_series(tmp_path, series="10+11+12+13").signal, VALUES)


def test_a_phase_before_contrast_under_another_name_is_not_left_out_without_a_word(tmp_path):
    written(tmp_path, images(lambda t, z: per_phase(t, z, SeriesDescription=f"VIBE post {t}" if t else "VIBE pre")))

    found = read_series(tmp_path)

    assert_array_equal(found.signal, VALUES[1:])
    assert any(w.startswith("[series-alike]") and "series='10+11+12+13'" in w for w in found.warnings)
    assert_array_equal(read_series(tmp_path, series="10+11+12+13").signal, VALUES)


KINDS = {
    "echo": ("7, echo=2.3", lambda e: {"EchoTime": 2.3 * (e + 1)}),
    "flip": ("flip=5", lambda e: {"FlipAngle": 5 + 10 * e}),
    "type": ("type=W", lambda e: {"ImageType": ["DERIVED", "PRIMARY", "WF"[e], "WF"[e]]}),
}


@pytest.mark.parametrize("apart_s", [0.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_echoes_flip_angles_or_water_and_fat_in_one_series_are_no_phases(kind, apart_s, tmp_path):
    wanted, tags = KINDS[kind]
    for e in (0, 1):
        for t, z in PLACES:
            taken_at = clock(36000 + TIMES_S[t] + e * apart_s)
            made = image(t, z, **timed(t, z, InstanceNumber=(2 * t + e) * Z + z, AcquisitionTime=taken_at, **tags(e)))
            made.PixelData = (VALUES[t, z] // (1 + e)).astype(np.uint16).tobytes()
            made.save_as(tmp_path / f"{e}-{t}-{z}", enforce_file_format=True)

    with pytest.raises(InputRefusedError, match=wanted.removeprefix("7, ")) as caught:
        read_series(tmp_path)
    assert caught.value.code == "series-ambiguous"
    assert_array_equal(read_series(tmp_path, series=wanted).signal, VALUES)


def test_one_damaged_echo_time_divides_no_series(tmp_path):
    made = images(lambda t, z: timed(t, z, EchoTime=46.0 if (t, z) == (2, 1) else 2.3))
    assert_array_equal(read_series(written(tmp_path, made)).signal, VALUES)


def test_flip_angles_of_a_t1_measurement_beside_the_phases_are_left_out_and_told(tmp_path):
    made = images(lambda t, z: timed(t, z, FlipAngle=12))
    made += [
        image(0, z, **timed(0, z, AcquisitionTime=clock(35000 + a), FlipAngle=a)) for a in (2, 5) for z in range(Z)
    ]

    found = read_series(written(tmp_path, made))

    assert_array_equal(found.signal, VALUES)
    assert found.warnings[0].startswith("[series-chosen]")
    assert "flip=2" in found.warnings[0]


def test_times_at_which_images_were_made_are_told_where_the_acquisition_has_one_time(tmp_path):
    made = images(lambda t, z: {"AcquisitionTime": "100000", "ContentTime": clock(36100 + TIMES_S[t])})
    found = read_series(written(tmp_path, made))
    assert_array_equal(found.signal, VALUES)
    assert_allclose(found.times_s, TIMES_S)
    assert found.time_source == "ContentTime"
    assert found.warnings[0].startswith("[times-made]")


def test_the_private_clock_of_philips_tells_the_times_where_no_other_does(tmp_path):
    made = images(lambda t, z: {"TemporalPositionIdentifier": t + 1, "TriggerTime": 0, "AcquisitionTime": "100000"})
    for (t, _), dataset in zip(PLACES, made, strict=True):
        dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0xA0, "FL", TIMES_S[t])

    found = read_series(written(tmp_path, made))

    assert_array_equal(found.signal, VALUES)
    assert_allclose(found.times_s, TIMES_S)
    assert (found.time_source, found.record["phases_ordered_by"]) == (
        "DynamicScanBeginTime",
        "TemporalPositionIdentifier",
    )


def test_a_phase_that_is_absent_as_a_whole_is_told_where_the_images_count_the_phases(tmp_path):
    made = images(lambda t, z: timed(t, z, TemporalPositionIdentifier=t + 1, NumberOfTemporalPositions=T))
    found = read_series(written(tmp_path, made[:Z] + made[2 * Z :]))
    assert_array_equal(found.signal, VALUES[[0, 2, 3]])
    assert found.warnings[0].startswith("[phase-incomplete]")


def test_a_subtraction_that_is_not_called_one_is_no_phase(tmp_path):
    made = images(lambda t, z: timed(t, z, ContentTime=clock(36200 + t)))
    derived = {"ImageType": ["DERIVED", "SECONDARY", "OTHER"], "ContentTime": clock(36300)}
    made += [image(3, z, **timed(3, z, InstanceNumber=100 + z, **derived)) for z in range(Z)]

    found = read_series(written(tmp_path, made))

    assert_array_equal(found.signal, VALUES)
    assert found.warnings[0].startswith("[series-chosen]")
    assert "type=DERIVED" in found.warnings[0]


@pytest.mark.parametrize("word", ["SUBTRACT", "SUB", "MIP", "PROJECTION IMAGE"])
def test_what_the_scanner_computed_from_the_phases_is_left_out(word, tmp_path):
    computed = [image(t, z, **timed(t, z, ImageType=["DERIVED", "PRIMARY", "OTHER", word])) for t, z in PLACES[Z:]]
    found = read_series(written(tmp_path, images(timed) + computed))
    assert_array_equal(found.signal, VALUES)
    assert found.warnings[0].startswith("[set-aside]")


# ---- how values are stored


def scaled(slope, intercept):
    return lambda t, z: timed(t, z, RescaleSlope=slope(z), RescaleIntercept=intercept)


def twelve_bits(t, z, *, signed):
    values = VALUES[t, z].astype(int) % 2000 - (1000 if signed else 0)
    upper = 0 if signed else np.random.default_rng(z).integers(0, 16, values.shape) << 12
    stored = ((values & 0xFFF) | upper).astype(np.uint16)
    kind = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(signed)}
    return timed(t, z, PixelData=stored.tobytes(), **kind)


SLOPES = np.array([1 + z / 4 for z in range(Z)])[:, None, None]
STORED = {
    "a slope for every slice": (scaled(lambda z: f"{1 + z / 4:g}", "0"), VALUES * SLOPES),
    "a slope that is no fraction of two": (
        scaled(lambda z: "0.3333333333333", "-7.25"), VALUES * 0.3333333333333 - 7.25),
    "old overlays in the upper bits": (lambda t, z: twelve_bits(t, z, signed=False), VALUES),
    "signed values of 12 bits": (lambda t, z: twelve_bits(t, z, signed=True), VALUES.astype(int) % 2000 - 1000),
    "8 bits": (lambda t, z: timed(t, z, BitsAllocated=8, BitsStored=8, HighBit=7,
                                  PixelData=(VALUES[t, z] & 255).astype(np.uint8).tobytes()), VALUES & 255),
    "32 bits": (lambda t, z: timed(t, z, BitsAllocated=32, BitsStored=32, HighBit=31,
                                   PixelData=VALUES[t, z].astype(np.uint32).tobytes()), VALUES),
    "MONOCHROME1 of 12 bits": (lambda t, z: timed(
        t, z, BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1",
        PixelData=(4095 - VALUES[t, z]).tobytes()), VALUES),
}  # fmt: skip


@pytest.mark.parametrize("how", STORED)
def test_stored_values_come_back_exactly(how, tmp_path):
    tags, wanted = STORED[how]
    found = read_series(written(tmp_path, images(tags)))
    assert_array_equal(found.signal, np.asarray(wanted, dtype=np.float64).astype(np.float32))


def test_the_private_scale_of_philips_is_recorded_and_not_applied(tmp_path):
    made = images(
        lambda t, z: timed(t, z, Manufacturer="Philips Medical Systems", RescaleSlope="2.5", RescaleIntercept="0")
    )
    for dataset in made:
        dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.013)

    found = read_series(written(tmp_path, made))

    assert_array_equal(found.signal, VALUES * np.float32(2.5))
    assert found.record["philips_private_scale"] is True


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEGLSLossless],
    ids=lambda uid: uid.name,
)
def test_every_lossless_coding_holds_the_same_values(syntax, tmp_path):
    made = images(timed)
    for dataset in made:
        if syntax.is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
    assert_array_equal(read_series(written(tmp_path, made)).signal, VALUES)


# ---- enhanced multi-frame


def group(**tags) -> Sequence:
    item = Dataset()
    for name, value in tags.items():
        setattr(item, name, value)
    return Sequence([item])


def enhanced(places, content, extra=lambda n: {}, **tags) -> Dataset:
    made = image(0, 0)
    del made.ImagePositionPatient, made.ImageOrientationPatient, made.PixelSpacing
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    shared = Dataset()
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.9, 0.8])
    made.SharedFunctionalGroupsSequence, frames = Sequence([shared]), []
    for n, (t, z) in enumerate(places):
        frame = Dataset()
        frame.FrameContentSequence = group(**content(t, z))
        frame.PlanePositionSequence = group(ImagePositionPatient=[-10.0, -20.0, 30.0 + 3.5 * z])
        for name, value in extra(n).items():
            setattr(frame, name, value)
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence, made.NumberOfFrames = Sequence(frames), len(frames)
    made.PixelData = b"".join(VALUES[t, z].tobytes() for t, z in places)
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def taken(t, z):
    return {"FrameAcquisitionDateTime": "20200101" + clock(36000 + TIMES_S[t])}


SHUFFLED = [PLACES[n] for n in AT_RANDOM]


@pytest.mark.parametrize(
    ("content", "by"),
    [
        (lambda t, z: {"TemporalPositionIndex": t + 1, **taken(t, z)}, "TemporalPositionIndex"),
        (taken, "AcquisitionTime"),
        (lambda t, z: {"FrameAcquisitionDateTime": "20200101" + clock(36000 + TIMES_S[t] + z)}, "AcquisitionTime"),
    ],
    ids=["index", "time", "time of every slice"],
)
def test_frames_in_any_order_are_put_into_the_order_of_time(content, by, tmp_path):
    found = read_series(written(tmp_path, [enhanced(SHUFFLED, content)]))

    assert_array_equal(found.signal, VALUES)
    assert_allclose(found.times_s, TIMES_S, atol=1e-6)
    assert found.record["phases_ordered_by"] == by


def test_the_dimension_of_time_orders_frames_that_tell_no_index(tmp_path):
    made = enhanced(SHUFFLED, lambda t, z: {"DimensionIndexValues": [1, z + 1, t + 1]})
    dimensions = [Dataset() for _ in range(3)]
    for item, pointer in zip(dimensions, (0x00209056, 0x00209057, 0x00209128), strict=True):
        item.DimensionIndexPointer = pointer
    made.DimensionIndexSequence = Sequence(dimensions)
    written(tmp_path, [made])

    assert code_of(read_series, tmp_path) == "times-missing"
    assert_array_equal(read_series(tmp_path, TIMES_S).signal, VALUES)


@pytest.mark.parametrize("several", [False, True], ids=["one series", "a series per phase"])
def test_a_file_per_phase_whose_index_is_always_one_is_ordered_by_its_time(several, tmp_path):
    made = [
        enhanced(PLACES[t * Z : (t + 1) * Z], lambda t, z: {"TemporalPositionIndex": 1, **taken(t, z)})
        for t in range(T)
    ]
    for t, dataset in enumerate(made):
        dataset.SOPInstanceUID, dataset.InstanceNumber = generate_uid(), 1 if several else t + 1
        if several:
            dataset.SeriesInstanceUID, dataset.SeriesNumber = OF_PHASE[t], 20 + t
    assert_array_equal(read_series(written(tmp_path, made)).signal, VALUES)


def test_an_index_against_the_clock_is_refused(tmp_path):
    made = enhanced(PLACES, lambda t, z: {"TemporalPositionIndex": T - t, **taken(t, z)})
    assert code_of(read_series, written(tmp_path, [made])) == "times-contradict"


@pytest.mark.parametrize("where", ["frame", "shared", "file"])
def test_the_slope_of_a_frame_is_found_where_it_stands(where, tmp_path):
    def scale(n):
        return {"PixelValueTransformationSequence": group(RescaleSlope=f"{1 + n / 8:g}", RescaleIntercept="-3")}

    made = enhanced(PLACES, taken, scale if where == "frame" else lambda n: {})
    if where == "shared":
        made.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = scale(8)[
            "PixelValueTransformationSequence"
        ]
    if where == "file":
        made.RescaleSlope, made.RescaleIntercept = "2", "-3"
    slopes = (1 + np.arange(T * Z) / 8).reshape(T, Z, 1, 1) if where == "frame" else 2

    assert_array_equal(read_series(written(tmp_path, [made])).signal, (VALUES * slopes - 3.0).astype(np.float32))


def test_echoes_among_the_frames_of_one_file_are_no_phases(tmp_path):
    twice = [place for place in PLACES for _ in (0, 1)]
    made = enhanced(twice, taken, lambda n: {"MREchoSequence": group(EffectiveEchoTime=2.3 + n % 2)})
    assert code_of(read_series, written(tmp_path, [made])) == "series-ambiguous"
    assert_array_equal(read_series(tmp_path, series="echo=2.3").signal, VALUES)


def test_frames_of_which_nothing_is_told_are_refused(tmp_path):
    short, none = enhanced(PLACES, taken), enhanced(PLACES, taken)
    short.PerFrameFunctionalGroupsSequence = short.PerFrameFunctionalGroupsSequence[:-1]
    del none.PerFrameFunctionalGroupsSequence
    for name, made in (("short", short), ("none", none)):
        (tmp_path / name).mkdir()
        assert code_of(read_series, written(tmp_path / name, [made])) == "file-corrupt"
