"""Every input of the catalogue in docs/inputs.md has the outcome that the catalogue promises."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from spinekit.case import Acquisition, DynamicSeries, Roi
from spinekit.errors import CODES, InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_roi, read_series, write_roi
from spinekit.io.siemens_csa import csa_header
from spinekit.phantom.dicom_writer import DEFECTS, FLAVOURS, write_dicom
from spinekit.phantom.dicom_writer_mosaic import NOT_IN_A_MOSAIC
from spinekit.segmentation import grow_region

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "inputs.md"
GRID = Geometry((9, 7, 6), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
TIMES_S = [0.0, 10.0, 22.5, 30.25, 60.125]
SIGNAL = np.random.default_rng(1).integers(0, 3000, (5, 6, 7, 9)).astype(np.float32)
SERIES = DynamicSeries(SIGNAL, TIMES_S, GRID, "times_s", (), Acquisition(5.0, 2.0, 12.0, 1.5))
UNTIMED = "ge-instance"  # a flavour whose files tell no times: the reader is given them
NEEDS_A_CLOCK = {"raised-phase", "incomplete-last-phase", "equal-times", "contradicting-times"}


@dataclass(frozen=True)
class Row:
    """A line of the catalogue; ``make`` is a defect of the writer, or does all it takes in a folder."""

    number: str
    what: str
    outcome: str
    code: str
    make: str | Callable[[Path], object]


def write_nifti(path: Path, values=SIGNAL, affine=None, *, forms=(1, 1), times=True, edit=None) -> Path:
    """Write values (T, Z, Y, X) as NIfTI, with a JSON of times beside."""
    data = np.transpose(values)
    image = nib.Nifti1Image(data, np.diag([-1.5, -1.25, 4.0, 1.0]) if affine is None else affine)
    image.set_qform(image.affine, forms[0])
    image.set_sform(image.affine, forms[1])
    if edit:
        edit(image)
    nib.save(image, path)
    if times:
        path.with_name(path.name.split(".")[0] + ".json").write_text('{"times_s": [0, 10, 22.5, 30.25, 60.125]}')
    return path


def nifti(name="dce.nii.gz", **choices) -> Callable[[Path], object]:
    return lambda folder: read_series(write_nifti(folder / name, **choices))


def cut_nifti(folder: Path):
    path = write_nifti(folder / "dce.nii.gz")
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[: len(whole) // 2]))
    return read_series(path)


def cut_plain_nifti(folder: Path):
    path = write_nifti(folder / "dce.nii")
    path.write_bytes(path.read_bytes()[:-500])
    return read_series(path)


def list_of_files(folder: Path):
    paths = [write_nifti(folder / f"phase{t}.nii.gz", SIGNAL[t], times=False) for t in range(5)]
    return read_series(paths, TIMES_S)


def with_nan(folder: Path):
    values = SIGNAL.copy()
    values[1, 2, 3, 4] = np.nan
    values[2, 2, 3, 4] = np.inf
    return read_series(write_nifti(folder / "dce.nii.gz", values))


def other_sform(image) -> None:
    moved = image.affine.copy()
    moved[0, 3] += 6.0
    image.set_sform(moved, 1)


def mask(folder: Path, fill, *, grid=GRID, label=None, dtype=np.uint8):
    values = np.zeros(grid.shape_zyx, dtype=dtype)
    fill(values)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.matrix
    path = folder / "mask.nii.gz"
    image = nib.Nifti1Image(np.transpose(values, (2, 1, 0)), affine)
    nib.save(image, path)
    return read_roi(path, on=GRID, label=label)


def flavoured(flavour: str) -> Callable[[Path], object]:
    return lambda folder: read_series(write_dicom(SERIES, folder, flavour=flavour)[0].parent)


def edited(edit: Callable[[pydicom.Dataset, int], None], flavour: str = "canon") -> Callable[[Path], object]:
    """Return a reader of DICOM images that are changed one by one, each with the number of its phase."""

    def make(folder: Path):
        paths = write_dicom(SERIES, folder, flavour=flavour)
        for number, path in enumerate(paths):
            image = pydicom.dcmread(path)
            edit(image, number * len(TIMES_S) // len(paths))
            image.save_as(path)
        return read_series(folder)

    return make


def weeks_apart(image: pydicom.Dataset, t: int) -> None:
    image.AcquisitionDate = f"202001{1 + 6 * t:02d}"


def put_forward(image: pydicom.Dataset, t: int) -> None:
    """Let the clock be put forward by an hour after the first phase."""
    hour, rest = int(image.AcquisitionTime[:2]) + (t > 0), image.AcquisitionTime[2:]
    image.AcquisitionDateTime = f"20200101{hour:02d}{rest}" + ("+0200" if t else "+0100")
    del image.AcquisitionTime


def told_for_the_series(image: pydicom.Dataset, t: int) -> None:
    image.AcquisitionDateTime = "20200101095500"


def counting_more(image: pydicom.Dataset, t: int) -> None:
    image.NumberOfTemporalPositions = 7


def made_at_random(image: pydicom.Dataset, t: int) -> None:
    image.ContentTime = f"11{7 * image.InstanceNumber % 60:02d}00"


def made_backwards(image: pydicom.Dataset, t: int) -> None:
    image.ContentTime = f"11{30 - t:02d}00"


def diffusion(image: pydicom.Dataset, t: int) -> None:
    image.DiffusionBValue = 400.0 * t


def of_the_first_kind(image: pydicom.Dataset, t: int) -> None:
    """Put a private header as of before 2004 in the place of the ones that the scanner writes today."""
    image.pop((0x0019, 0x100A))
    image.pop((0x0029, 0x1020))
    told = {"NumberOfImagesInMosaic": ("US", ["6"]), "SliceNormalVector": ("FD", ["0", "0", "1"])}
    image[0x0029, 0x1010].value = csa_header(told, kind=1)


def derived(folder: Path):
    paths = write_dicom(SERIES, folder, flavour="canon")
    for path in paths[-6:]:
        image = pydicom.dcmread(path)
        image.ImageType, image.SOPInstanceUID = ["DERIVED", "SECONDARY", "OTHER"], pydicom.uid.generate_uid()
        image.InstanceNumber += 100
        image.ContentTime = "120000"
        image.save_as(folder / f"derived-{path.name}")
    return read_series(folder)


def circle(folder: Path):
    write_dicom(SERIES, folder)
    (folder / "again").symlink_to(folder, target_is_directory=True)
    return read_series(folder)


def promising(folder: Path):
    path = write_nifti(folder / "dce.nii")
    data = bytearray(path.read_bytes())
    data[42:46] = 2 * (30000).to_bytes(2, "little")  # dim[1] and dim[2]
    path.write_bytes(data)
    return read_series(path)


def region(*boxes) -> Callable[[np.ndarray], None]:
    def fill(values):
        for number, box in enumerate(boxes, start=1):
            values[box] = number

    return fill


BLOCK, OTHER = np.s_[1:4, 1:5, 1:5], np.s_[4:6, 5:7, 5:7]
SHEARED = np.array([[-1.5, 0.3, 0, 0], [0, -1.25, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1.0]])
MOVED = Geometry(GRID.size, GRID.spacing_mm, (-20.0, 13.0, 36.0))
DOWNWARDS = Geometry(GRID.size, GRID.spacing_mm, (-20.0, 13.0, 60.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
ROUNDED = Geometry(GRID.size, GRID.spacing_mm, (-20.0 + 3e-6, 13.0, 40.0))


def roi(fill, **choices) -> Callable[[Path], object]:
    return lambda folder: mask(folder, fill, **choices)


RGB = np.zeros((9, 7, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


# fmt: off
ROWS = [
    Row("1", "all phases in one series", "read", "", "sound"),
    Row("2", "a phase of another frame of reference", "refused", "phase-geometry-varies", "other-frame-of-reference"),
    Row("2", "a phase of another study", "refused", "phase-geometry-varies", "other-study"),
    Row("2", "a series for every phase", "read", "", flavoured("siemens-series")),
    Row("3", "instance numbers at random", "read", "", flavoured("philips")),
    Row("4", "TriggerTime alone", "read", "", flavoured("ge-trigger")),
    Row("5", "no tag tells a time", "refused", "times-missing", "no-times"),
    Row("6", "two tags of time tell different orders", "refused", "times-contradict", "contradicting-times"),
    Row("6", "images made in the opposite order", "refused", "times-contradict", edited(made_backwards)),
    Row("6", "images made in no order of phases", "read", "", edited(made_at_random)),
    Row("6", "dates that put the phases days apart", "refused", "times-invalid", edited(weeks_apart)),
    Row("6", "a time of the series beside the times of the phases", "read", "", edited(told_for_the_series)),
    Row("7", "the clock passes midnight", "read", "", "past-midnight"),
    Row("7", "the clock is put forward in the night", "read", "", edited(put_forward)),
    Row("8", "two phases share their time", "refused", "times-equal", "equal-times"),
    Row("9", "one image of a phase is missing", "refused", "slice-missing", "missing-slice"),
    Row("10", "the last phase is incomplete", "refused", "phase-incomplete", "incomplete-last-phase"),
    Row("10", "fewer phases than the images tell of", "warned", "phase-incomplete", edited(counting_more)),
    Row("11", "an image is there twice, with the same pixels", "warned", "slice-duplicate", "duplicate-identical"),
    Row("11", "two images claim one place, with other pixels", "refused", "slice-duplicate", "duplicate-different"),
    Row("12", "the distance between slices varies", "refused", "slices-uneven", "uneven-spacing"),
    Row("12", "a position is missing in every phase", "refused", "slices-uneven", "missing-position"),
    Row("13", "the stack leans", "refused", "slices-sheared", "gantry-tilt"),
    Row("13", "one slice lies beside the others", "refused", "slices-sheared", "slice-aside"),
    Row("14", "a localizer in the series", "warned", "series-chosen", "localizer"),
    Row("15", "a single phase", "refused", "too-few-phases", "single-phase"),
    Row("15", "two phases", "warned", "too-few-phases", "two-phases"),
    Row("15", "two slices", "warned", "slab-too-thin", "two-slices"),
    Row("15", "one slice", "warned", "slab-too-thin", "one-slice"),
    Row("16", "a phase of another matrix", "refused", "matrix-varies", "other-matrix"),
    Row("16", "a phase of other pixels", "refused", "matrix-varies", "other-spacing"),
    Row("17", "a phase to the side", "refused", "phase-geometry-varies", "shifted-phase"),
    Row("17", "a phase at other heights", "refused", "phase-geometry-varies", "raised-phase"),
    Row("18", "a subtraction in the series", "warned", "set-aside", "subtraction"),
    Row("18", "a derived volume that is not called a subtraction", "warned", "series-chosen", derived),
    Row("19", "a slope and intercept for every slice", "read", "", flavoured("philips")),
    Row("20", "a rescale slope of zero", "refused", "slope-zero", "zero-slope"),
    Row("22", "a decimal comma", "refused", "geometry-missing", "decimal-comma"),
    Row("22", "pixels of 0 mm", "refused", "geometry-missing", "zero-spacing"),
    Row("22", "rows and columns in one direction", "refused", "geometry-missing", "flat-orientation"),
    Row("22", "no position", "refused", "geometry-missing", "no-position"),
    Row("23", "MONOCHROME1", "warned", "inverted", "monochrome1"),
    Row("23", "a colour picture in the series", "warned", "set-aside", "colour"),
    Row("24", "enhanced multi-frame, one file", "read", "", flavoured("philips-enhanced")),
    Row("24", "enhanced multi-frame, one file per phase", "read", "", flavoured("siemens-xa")),
    Row("25", "pixels that end too early", "refused", "file-truncated", "truncated-pixels"),
    Row("25", "a header that ends too early", "refused", "file-truncated", "truncated-header"),
    Row("26", "more rows promised than there are", "refused", "file-truncated", "too-many-rows"),
    Row("26", "fewer rows promised than there are", "refused", "file-corrupt", "too-few-rows"),
    Row("27", "notes and empty files among the images", "warned", "set-aside", "junk"),
    Row("28", "files without preamble", "read", "", "no-preamble"),
    Row("30", "images of two patients", "refused", "patients-mixed", "mixed-patients"),
    Row("32", "links that lead in a circle", "refused", "file-unreadable", circle),
    Row("", "a diffusion-weighted series", "refused", "too-few-phases", edited(diffusion)),
    Row("", "Siemens mosaics, with the private header of the scanner", "read", "", flavoured("siemens-mosaic")),
    Row("", "Siemens mosaics, without it", "refused", "mosaic", "mosaic"),
    Row("", "Siemens mosaics, with a private header of before 2004", "read", "",
        edited(of_the_first_kind, "siemens-mosaic")),
    Row("33", "NaN or infinite values", "warned", "not-finite", with_nan),
    Row("34", "a NIfTI file that ends too early", "refused", "file-truncated", cut_nifti),
    Row("34", "the same, uncompressed", "refused", "file-truncated", cut_plain_nifti),
    Row("35", "a singular affine", "refused", "affine-invalid", nifti(
        edit=lambda i: i.set_sform(np.diag([1.5, 0.0, 4.0, 1.0]), 1))),
    Row("35", "a sheared affine", "refused", "affine-invalid", nifti(
        forms=(0, 1), edit=lambda i: i.set_sform(SHEARED, 1))),
    Row("36", "qform and sform differ", "refused", "affine-ambiguous", nifti(edit=other_sform)),
    Row("37", "neither qform nor sform", "refused", "affine-missing", nifti(forms=(0, 0))),
    Row("38", "micrometres instead of millimetres", "read", "", nifti(
        affine=np.diag([-1500.0, -1250.0, 4000.0, 1.0]), edit=lambda i: i.header.set_xyzt_units("micron", "sec"))),
    Row("39", "a header that promises more than the file holds", "refused", "file-too-large", promising),
    Row("40", "4-D NIfTI with times beside", "read", "", nifti()),
    Row("40", "3-D NIfTI files in the order of time", "read", "", list_of_files),
    Row("40", "5-D NIfTI", "refused", "format-unsupported", nifti(values=SIGNAL[None])),
    Row("40", "complex NIfTI", "refused", "format-unsupported", nifti(values=SIGNAL.astype(np.complex64))),
    Row("40", "RGB NIfTI", "refused", "format-unsupported", nifti(values=RGB)),
    Row("41", "4-D NIfTI without times", "refused", "times-missing", nifti(
        times=False, edit=lambda i: i.header.set_zooms((1.5, 1.25, 4.0, 5.0)))),
    Row("42", "an empty mask", "refused", "roi-empty", roi(region())),
    Row("42", "a mask of one voxel", "refused", "roi-too-small", roi(region(np.s_[2, 3, 4]))),
    Row("42", "a mask that is a line", "refused", "roi-too-small", roi(region(np.s_[2, 3, 1:6]))),
    Row("43", "a label that is not there", "refused", "roi-label-absent", roi(region(BLOCK), label=4)),
    Row("43", "several labels and no choice", "refused", "roi-label-ambiguous", roi(region(BLOCK, OTHER))),
    Row("43", "several labels and a choice", "read", "", roi(region(BLOCK, OTHER), label=1)),
    Row("43", "a mask of fractions", "refused", "format-unsupported", roi(
        lambda values: values.__setitem__(BLOCK, 0.4), dtype=np.float32)),
    Row("44", "a mask on another grid", "refused", "grid-mismatch", roi(region(BLOCK), grid=MOVED)),
    Row("44", "a mask 0.000002 voxels aside", "read", "", roi(region(BLOCK), grid=ROUNDED)),
    Row("44", "a mask with the same voxels, counted along other axes", "warned", "roi-turned", roi(
        region(np.s_[2:5, 1:5, 1:5]), grid=DOWNWARDS)),
    Row("46", "a seed outside the image", "refused", "seed-outside", lambda folder: grow_region(SERIES, [(9, 0, 0)])),
]
# fmt: on


def four_parts(message: str) -> list[str]:
    """Return the sentences of a message: at least what is, what was expected, the cause and the cure."""
    return re.split(r"(?<=[.!?:)]) (?=\S)", message)


def hold(row: Row, act: Callable[[], object]) -> None:
    if row.outcome == "refused":
        with pytest.raises(InputRefusedError) as caught:
            act()
        assert caught.value.code == row.code
        assert len(four_parts(caught.value.message)) >= 4
        assert caught.value.exit_status == 2
        return
    result = act()
    told = getattr(result, "warnings", ())
    if row.outcome == "warned":
        assert any(text.startswith(f"[{row.code}]") for text in told)
    else:
        assert told == ()
    if isinstance(result, Roi):
        assert result.mask[BLOCK].all()
        assert result.n_voxels == np.ones(GRID.shape_zyx)[BLOCK].size
    elif np.isfinite(result.signal).all() and result.signal.shape == SIGNAL.shape:
        assert_array_equal(result.signal, SIGNAL)
        assert_array_equal(result.times_s, TIMES_S)
        assert result.geometry.size == GRID.size


DICOM = [(row, flavour) for row in ROWS if isinstance(row.make, str) for flavour in FLAVOURS
         if not (flavour == UNTIMED and row.make in NEEDS_A_CLOCK)
         and not (FLAVOURS[flavour].files == "mosaic" and row.make in NOT_IN_A_MOSAIC)]  # fmt: skip


@pytest.mark.parametrize(("row", "flavour"), DICOM, ids=[f"{row.make}-{flavour}" for row, flavour in DICOM])
def test_a_dicom_input_has_the_outcome_of_the_catalogue(row, flavour, tmp_path):
    write_dicom(SERIES, tmp_path, flavour=flavour, defects=() if row.make == "sound" else row.make)
    n_phases = {"two-phases": 2, "single-phase": 1}.get(row.make, 5)
    times_s = TIMES_S[:n_phases] if flavour == UNTIMED and row.make != "no-times" else None

    hold(row, lambda: read_series(tmp_path, times_s))


OTHERS = [row for row in ROWS if not isinstance(row.make, str)]


@pytest.mark.parametrize("row", OTHERS, ids=[row.what for row in OTHERS])
def test_another_input_has_the_outcome_of_the_catalogue(row, tmp_path):
    hold(row, lambda: row.make(tmp_path))


def test_the_catalogue_tries_every_defect_that_the_writer_knows():
    assert {row.make for row in ROWS if isinstance(row.make, str)} - {"sound"} == set(DEFECTS)


def test_the_document_says_what_the_catalogue_does():
    lines = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("|")]
    told = {tuple(cell.strip().strip("`") for cell in line) for line in lines}

    missing = [row for row in ROWS if (row.number or "–", row.what, row.outcome, row.code or "–") not in told]
    assert not missing
    assert all(row.code in CODES for row in ROWS if row.outcome == "refused")


def test_a_region_that_was_written_is_read_as_it_was(tmp_path):
    values = np.zeros(GRID.shape_zyx, dtype=bool)
    values[BLOCK] = True

    path = write_roi(Roi(values, GRID), tmp_path / "roi.nii.gz")

    assert_array_equal(read_roi(path, on=GRID).mask, values)
