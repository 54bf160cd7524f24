"""NIfTI and NRRD: the same series in any form; what cannot be known is refused."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.io import read_series, read_volume
from spinekit.kinetics import parameter_maps
from spinekit.radiomics import FixedBinCount, extract_features
from spinekit.segmentation import grow_region
from spinekit.settings import Reading

GRID = Geometry((9, 7, 6), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
TIMES_S = [0.0, 10.0, 22.5, 30.25]
SIGNAL = np.random.default_rng(2).integers(1, 900, (4, 6, 7, 9)).astype(np.int16)
RAS = np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.matrix


def nifti(path, values=SIGNAL, *, qform=RAS, sform=RAS, units="mm"):
    image = nib.Nifti1Image(np.transpose(values), None)
    image.set_qform(qform, 0 if qform is None else 1)
    image.set_sform(sform, 0 if sform is None else 1)
    image.header.set_xyzt_units(units, "sec")
    nib.save(image, path)
    return path


def code_of(read, *arguments, **choices) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read(*arguments, **choices)
    return caught.value.code


def nrrd(path, *, labels="0,10,22.5,30.25", unit="s", sequence=False, values=SIGNAL, cut=0):
    """Write values as a MultiVolume or a sequence, by hand, since no writer here knows either."""
    n_phases, n_z, n_y, n_x = values.shape
    lines = [
        "NRRD0005", "type: short", "dimension: 4", "space: left-posterior-superior",
        f"sizes: {n_phases} {n_x} {n_y} {n_z}", "space directions: none (1.5,0,0) (0,1.25,0) (0,0,4)",
        "kinds: list domain domain domain", "endian: little", "encoding: raw", "space origin: (-20,13,40)",
    ]  # fmt: skip
    if sequence:
        lines += ["axis 0 index type:=numeric", f"axis 0 index unit:={unit}"]
        lines += [f"axis 0 index values:={labels.replace(',', ' ')}"]
    else:
        lines += [f"MultiVolume.FrameLabels:={labels}", f"MultiVolume.FrameIdentifyingDICOMTagUnits:={unit}"]
        lines += ["MultiVolume.DICOM.FlipAngle:=12", "MultiVolume.DICOM.RepetitionTime:=5.5"]
    data = np.moveaxis(values, 0, -1).astype("<i2").tobytes()
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + (data[:-cut] if cut else data))
    return path


def hold_series(series: DynamicSeries) -> None:
    assert_array_equal(series.signal, SIGNAL)
    assert_allclose(series.times_s, TIMES_S, atol=1e-12)
    assert series.geometry.same_grid(GRID)


def test_4d_lists_multivolumes_and_sequences_give_the_same_series(tmp_path):
    parts = [nifti(tmp_path / f"{t}.nii.gz", SIGNAL[t]) for t in range(4)]

    hold_series(read_series(nifti(tmp_path / "dce.nii.gz"), TIMES_S))
    hold_series(read_series(nifti(tmp_path / "dce.nii"), TIMES_S))
    hold_series(read_series(parts, TIMES_S))
    hold_series(read_series(nrrd(tmp_path / "dce.nrrd")))
    hold_series(read_series(nrrd(tmp_path / "dce.seq.nrrd", sequence=True)))


def test_frame_times_in_milliseconds_are_seconds(tmp_path):
    series = read_series(nrrd(tmp_path / "dce.nrrd", labels="0,10000,22500,30250", unit="ms"))
    assert_allclose(series.times_s, TIMES_S)
    assert (series.time_source, series.acquisition.flip_angle_deg) == ("NRRD header", 12.0)


@pytest.mark.parametrize(
    ("choices", "code"),
    [({"labels": "0,10,20"}, "times-invalid"), ({"unit": "flip angle"}, "times-missing"),
     ({"labels": "0,10,10,20"}, "times-equal"), ({"cut": 300}, "file-truncated")],
)  # fmt: skip
def test_nrrd_headers_that_do_not_fit_are_refused(choices, code, tmp_path):
    assert code_of(read_series, nrrd(tmp_path / "dce.nrrd", **choices)) == code


def test_files_of_a_list_must_share_a_grid(tmp_path):
    moved = RAS.copy()
    moved[2, 3] += 4.0
    paths = [nifti(tmp_path / "0.nii", SIGNAL[0]), nifti(tmp_path / "1.nii", SIGNAL[1], qform=moved, sform=moved)]
    assert code_of(read_series, paths, [0, 10]) == "grid-mismatch"


@pytest.mark.parametrize("key", ["times_s", "VolumeTiming", "FrameTimesStart"])
def test_a_json_beside_gives_the_times(key, tmp_path):
    (tmp_path / "dce.json").write_text(f'{{"{key}": [0, 10, 22.5, 30.25]}}')
    series = read_series(nifti(tmp_path / "dce.nii.gz"))
    hold_series(series)
    assert series.time_source == "JSON beside the file"


@pytest.mark.parametrize("text", ['{"times_s": [0, 10', '{"times_s": [0, 10, 20]}', '{"times_s": "soon"}'])
def test_a_json_that_does_not_fit_is_refused(text, tmp_path):
    (tmp_path / "dce.json").write_text(text)
    assert code_of(read_series, nifti(tmp_path / "dce.nii.gz")) == "times-invalid"


def test_pixdim_4_is_no_time(tmp_path):
    path = nifti(tmp_path / "dce.nii.gz")
    for step in (0.0, 1.0, 5.5):
        image = nib.load(path)
        image.header["pixdim"][4] = step
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), tmp_path / f"{step}.nii.gz")
        with pytest.raises(InputRefusedError, match=rf"pixdim\[4\] is {step:g}") as caught:
            read_series(tmp_path / f"{step}.nii.gz")
        assert caught.value.code == "times-missing"


def test_of_two_forms_the_chosen_one_is_taken(tmp_path):
    moved = RAS.copy()
    moved[0, 3] += 6.0
    path = nifti(tmp_path / "dce.nii.gz", sform=moved)

    by_q = read_series(path, TIMES_S, settings=Reading(prefer_form="qform")).geometry
    by_s = read_series(path, TIMES_S, settings=Reading(prefer_form="sform")).geometry

    assert by_q.same_grid(GRID)
    assert_allclose(np.subtract(by_s.origin_mm, by_q.origin_mm), [-6.0, 0.0, 0.0], atol=1e-4)


def test_a_file_without_form_is_read_once_that_is_accepted(tmp_path):
    path = nifti(tmp_path / "dce.nii.gz", qform=None, sform=None)
    assert code_of(read_series, path, TIMES_S) == "affine-missing"

    series = read_series(path, TIMES_S, settings=Reading(accept_missing_form=True))

    assert series.geometry.size == GRID.size


@pytest.mark.parametrize("only", ["qform", "sform"])
def test_one_form_is_enough(only, tmp_path):
    forms = {"qform": None, "sform": None, only: RAS}
    hold_series(read_series(nifti(tmp_path / "dce.nii.gz", **forms), TIMES_S))


def test_micrometres_are_millimetres(tmp_path):
    scaled = np.diag([1000.0, 1000.0, 1000.0, 1.0]) @ RAS
    hold_series(read_series(nifti(tmp_path / "dce.nii.gz", qform=scaled, sform=scaled, units="micron"), TIMES_S))


def test_a_header_that_promises_more_than_the_file_holds_is_refused_before_allocation(tmp_path):
    data = bytearray(nifti(tmp_path / "dce.nii").read_bytes())
    data[42:44] = (30000).to_bytes(2, "little")  # dim[1]
    data[44:46] = (30000).to_bytes(2, "little")
    (tmp_path / "large.nii").write_bytes(data)
    (tmp_path / "large.nii.gz").write_bytes(gzip.compress(bytes(data)))

    assert code_of(read_series, tmp_path / "large.nii", TIMES_S) == "file-too-large"
    assert code_of(read_series, tmp_path / "large.nii.gz", TIMES_S) == "file-too-large"


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_with_more_values_than_its_header_speaks_of_is_refused(packed, tmp_path):
    data = bytearray(nifti(tmp_path / "a.nii").read_bytes())
    data[42:44] = (int.from_bytes(data[42:44], "little") - 1).to_bytes(2, "little")  # dim[1]: one column less
    path = tmp_path / ("b.nii.gz" if packed else "b.nii")
    path.write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    assert code_of(read_series, path, times_s=[0, 10, 22.5, 30.25]) == "file-corrupt"


def test_the_slope_of_a_nifti_file_is_applied_once_and_in_double(tmp_path):
    data = bytearray(nifti(tmp_path / "dce.nii").read_bytes())
    data[112:120] = np.array([0.1, -7.0], dtype="<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "dce.nii").write_bytes(data)

    found = read_series(tmp_path / "dce.nii", TIMES_S).signal

    slope = float(np.float32(0.1))
    assert_array_equal(found, (SIGNAL.astype(np.float64) * slope - 7.0).astype(np.float32))


def test_values_that_are_not_finite_are_kept_counted_and_refused_only_inside_the_region(tmp_path):
    values = SIGNAL.astype(np.float32)
    values[1, 2, 3, 4] = np.nan
    values[2, 0, 0, 0] = np.inf

    series = read_series(nifti(tmp_path / "dce.nii.gz", values), TIMES_S)

    assert np.isnan(series.signal[1, 2, 3, 4])
    assert np.isinf(series.signal[2, 0, 0, 0])
    assert any(w.startswith("[not-finite] 2 values") for w in series.warnings)
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[1:4, 2:6, 3:7] = True
    region = Roi(mask, GRID)
    with pytest.raises(InputRefusedError) as caught:
        extract_features({"phase": series.phase(1)}, region, discretisation=FixedBinCount(8))
    assert caught.value.code == "roi-not-finite"
    assert len(extract_features({"phase": series.phase(2)}, region, discretisation=FixedBinCount(8))) == 1


def test_two_phases_give_no_maps_over_time(tmp_path):
    series = read_series(nifti(tmp_path / "dce.nii.gz", SIGNAL[:2]), TIMES_S[:2])
    assert any(w.startswith("[too-few-phases]") for w in series.warnings)
    assert code_of(parameter_maps, series, n_baseline=1) == "too-few-phases"


def test_two_slices_give_curves_but_no_growing(tmp_path):
    series = read_series(nifti(tmp_path / "dce.nii.gz", SIGNAL[:, :2]), TIMES_S)
    assert any(w.startswith("[slab-too-thin]") for w in series.warnings)
    assert "wash_in_slope" in parameter_maps(series, n_baseline=1)
    assert code_of(grow_region, series, [(4, 3, 1)]) == "slab-too-thin"


def test_a_series_is_no_volume_and_a_volume_no_series(tmp_path):
    assert code_of(read_volume, nifti(tmp_path / "dce.nii.gz")) == "format-unsupported"
    assert code_of(read_series, nifti(tmp_path / "t2.nii.gz", SIGNAL[0]), [0.0]) == "too-few-phases"
    assert code_of(read_series, tmp_path / "nothing.nii.gz") == "path-missing"
