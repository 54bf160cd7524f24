"""Growing a region: closed cases, units, bounds, leaks, and real series with known regions."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from spinekit import grow_region, read_roi, read_series, read_volume
from spinekit.case import DynamicSeries, Seed, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.phantom import simulate_case
from spinekit.segmentation import agreement

TIMES_S = np.arange(6) * 20.0
LESION_CURVE = np.array([100, 180, 260, 250, 240, 230], dtype=np.float32)
TISSUE_CURVE = np.array([100, 110, 120, 130, 140, 150], dtype=np.float32)


def ball(shape, centre, radius_mm, spacing=(1.0, 1.0, 1.0)):
    grid = np.indices(shape).astype(float)
    return sum(((g - c) * s) ** 2 for g, c, s in zip(grid, centre, spacing, strict=True)) <= radius_mm**2


def series_of(mask, *, spacing_zyx=(1.0, 1.0, 1.0), noise=4.0, lesion=LESION_CURVE, tissue=TISSUE_CURVE):
    """A region of one curve in tissue of another, with Gaussian noise of fixed seed."""
    curves = np.where(mask[None], lesion[:, None, None, None], tissue[:, None, None, None])
    signal = (curves + np.random.default_rng(0).normal(0, noise, curves.shape)).astype(np.float32)
    geometry = Geometry(mask.shape[::-1], spacing_zyx[::-1])
    return DynamicSeries(signal, TIMES_S, geometry, "times_s given")


@pytest.fixture(scope="module")
def plain():
    truth = ball((20, 40, 40), (10, 20, 20), 7.0)
    return series_of(truth), truth


@pytest.fixture(scope="module")
def simulated():
    return simulate_case(1, size=(128, 128, 16), snr=20.0)


@pytest.mark.parametrize(("method", "at_least"), [("curve", 0.98), ("confidence", 0.9), ("threshold", 0.98)])
def test_a_ball_of_one_curve_is_found(plain, method, at_least):
    series, truth = plain

    roi = grow_region(series, [(20, 20, 10)], method=method)

    assert agreement.dice(roi.mask, truth) >= at_least
    assert roi.record["method"] == method
    assert not roi.warnings


def test_tissue_of_the_same_peak_is_told_apart_by_its_curve():
    lesion = ball((20, 40, 40), (10, 20, 14), 6.0)
    vessel = ball((20, 40, 40), (10, 20, 25), 6.0)
    early = np.array([100, 260, 150, 140, 130, 125], dtype=np.float32)
    signal = np.full((6, 20, 40, 40), 100, dtype=np.float32)
    signal[:, lesion], signal[:, vessel] = LESION_CURVE[:, None], early[:, None]
    signal += np.random.default_rng(1).normal(0, 4, signal.shape).astype(np.float32)
    series = DynamicSeries(signal, TIMES_S, Geometry((40, 40, 20), (1.0, 1.0, 1.0)), "times_s given")

    by_curve = grow_region(series, [(14, 20, 10)])
    by_peak = grow_region(series, [(14, 20, 10)], method="threshold")

    assert agreement.dice(by_curve.mask, lesion) > 0.95
    assert by_peak.mask[vessel].mean() > 0.9  # what the peak alone cannot do
    assert by_curve.mask[vessel & ~lesion].mean() < 0.1


def test_distances_are_mm_on_an_anisotropic_grid():
    truth = ball((11, 60, 60), (5, 30, 30), 20.0, (5.0, 1.0, 1.0))
    series = series_of(truth, spacing_zyx=(5.0, 1.0, 1.0))

    roi = grow_region(series, [(30, 30, 5)], tolerance=3.0, max_radius_mm=10.0)

    distance = np.argwhere(roi.mask) - (5, 30, 30)
    assert np.sqrt(((distance * (5.0, 1.0, 1.0)) ** 2).sum(axis=1)).max() <= 10.0
    assert np.ptp(np.argwhere(roi.mask)[:, 0]) == 4  # two slices of 5 mm either way
    assert any("leak-radius" in w for w in roi.warnings)


@pytest.mark.parametrize("method", ["curve", "confidence", "threshold"])
@pytest.mark.parametrize("cap_ml", [0.2, 0.7])
def test_the_volume_cap_holds_and_is_told(plain, method, cap_ml):
    roi = grow_region(plain[0], [(20, 20, 10)], method=method, max_volume_ml=cap_ml, tolerance=3.0)

    assert roi.volume_ml <= cap_ml
    assert any("leak-volume-cap" in w for w in roi.warnings)


def test_background_seeds_repel():
    truth = ball((20, 40, 40), (10, 20, 14), 6.0)
    near = ball((20, 40, 40), (10, 20, 26), 6.5)
    like = LESION_CURVE + np.array([0, 6, 9, 9, 12, 12], dtype=np.float32)
    signal = np.broadcast_to(TISSUE_CURVE[:, None, None, None], (6, 20, 40, 40)).copy()
    signal[:, truth], signal[:, near & ~truth] = LESION_CURVE[:, None], like[:, None]
    signal += np.random.default_rng(2).normal(0, 4, signal.shape).astype(np.float32)
    series = DynamicSeries(signal, TIMES_S, Geometry((40, 40, 20), (1.0, 1.0, 1.0)), "times_s given")

    free = grow_region(series, [(14, 20, 10)], tolerance=4.0)
    held = grow_region(series, [(14, 20, 10)], tolerance=4.0, background=[(27, 20, 10)])
    same = grow_region(series, [(14, 20, 10), Seed(27, 20, 10, background=True)], tolerance=4.0)

    assert held.mask[near & ~truth].mean() < 0.5 < free.mask[near & ~truth].mean()
    assert np.array_equal(held.mask, same.mask)


def test_two_seeds_find_two_lesions_when_both_are_asked_for():
    truth = ball((20, 40, 60), (10, 20, 15), 6.0) | ball((20, 40, 60), (10, 20, 45), 5.0)
    series = series_of(truth)

    both = grow_region(series, [(15, 20, 10), (45, 20, 10)], largest_component=False)
    larger = grow_region(series, [(45, 20, 10), (15, 20, 10)])

    assert agreement.dice(both.mask, truth) > 0.97
    assert not larger.mask[:, :, 35:].any()


def test_holes_are_filled_only_where_asked():
    shell = ball((24, 40, 40), (12, 20, 20), 9.0) & ~ball((24, 40, 40), (12, 20, 20), 3.0)
    series = series_of(shell)

    filled, open_ = (grow_region(series, [(26, 20, 12)], fill_holes=on, half_border=False) for on in (True, False))

    assert filled.mask[12, 20, 20]
    assert not open_.mask[12, 20, 20]
    assert np.array_equal(filled.mask & shell, open_.mask & shell)


def test_a_thin_neck_is_told_and_cut_on_request():
    body, leak = ball((24, 50, 70), (12, 25, 20), 9.0), ball((24, 50, 70), (12, 25, 48), 11.0)
    neck = np.zeros_like(body)
    neck[12, 25, 20:48] = True
    series = series_of(body | neck | leak, noise=2.0)

    told = grow_region(series, [(20, 25, 12)], tolerance=3.0)
    cut = grow_region(series, [(20, 25, 12)], tolerance=3.0, cut_leaks=True)

    assert any("leak-neck" in w for w in told.warnings)
    assert told.mask[leak].mean() > 0.9
    assert cut.mask[leak].mean() < 0.05
    assert agreement.dice(cut.mask, body) > 0.9


def test_the_same_call_gives_the_same_bits_and_leaves_the_series_alone(simulated):
    before = simulated.series.signal.copy()
    first, second = (grow_region(simulated.series, [simulated.seed_ijk]) for _ in range(2))

    assert np.array_equal(first.mask, second.mask)
    assert first.record == second.record
    assert np.array_equal(before, simulated.series.signal)


def test_a_scaled_series_gives_the_same_region(plain):
    series, _ = plain
    scaled = DynamicSeries(series.signal * np.float32(8.0), series.times_s, series.geometry, "times_s given")

    assert np.array_equal(grow_region(series, [(20, 20, 10)]).mask, grow_region(scaled, [(20, 20, 10)]).mask)


def test_a_mirrored_series_gives_the_mirrored_region(plain):
    series, _ = plain
    turned = DynamicSeries(series.signal[..., ::-1].copy(), series.times_s, series.geometry, "times_s given")

    there, back = grow_region(series, [(20, 20, 10)]), grow_region(turned, [(19, 20, 10)])

    assert np.array_equal(there.mask, back.mask[..., ::-1])


def test_more_tolerance_never_gives_less(plain):
    masks = [
        grow_region(plain[0], [(20, 20, 10)], tolerance=t, half_border=False, fill_holes=False).mask for t in (2, 3, 5)
    ]

    assert not (masks[0] & ~masks[1]).any()
    assert not (masks[1] & ~masks[2]).any()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"seeds": []}, "seed-missing"),
        ({"seeds": [(40, 0, 0)]}, "seed-outside"),
        ({"seeds": [(-1, 0, 0)]}, "seed-outside"),
        ({"seeds": [(1.5, 0, 0)]}, "value-out-of-range"),
        ({"method": "magic"}, "choice-unknown"),
        ({"tolerance": 0.0}, "value-out-of-range"),
        ({"max_volume_ml": -1.0}, "value-out-of-range"),
        ({"n_baseline": 6}, "value-out-of-range"),
    ],
)
def test_what_cannot_be_grown_is_refused_with_a_code(plain, options, code):
    with pytest.raises(InputRefusedError) as refused:
        grow_region(plain[0], **{"seeds": [(20, 20, 10)], **options})

    assert refused.value.code == code


@pytest.mark.parametrize("method", ["confidence", "threshold"])
def test_a_seed_brighter_than_what_is_around_it_still_grows(plain, method):
    signal = plain[0].signal.copy()
    signal[2:, 10, 20, 20] += 400
    series = DynamicSeries(signal, TIMES_S, plain[0].geometry, "times_s given")

    assert grow_region(series, [(20, 20, 10)], method=method).mask[10, 20, 20]


def test_a_slab_of_two_slices_is_refused():
    with pytest.raises(InputRefusedError) as refused:
        grow_region(Volume(np.ones((2, 9, 9), np.float32), Geometry((9, 9, 2), (1, 1, 1))), [(4, 4, 1)])

    assert refused.value.code == "slab-too-thin"


def test_a_seed_on_a_voxel_without_signal_is_refused(plain):
    signal = plain[0].signal.copy()
    signal[:, 10, 20, 20] = np.nan
    series = DynamicSeries(signal, TIMES_S, plain[0].geometry, "times_s given")

    with pytest.raises(InputRefusedError) as refused:
        grow_region(series, [(20, 20, 10)])

    assert refused.value.code == "seed-undefined"


def test_the_real_breast_lesion_is_found_from_one_click(shared_data):
    folder = shared_data / "dce_breast_ucsf_br06"
    series = read_series(folder / "dicom.zip")
    truth = read_roi(folder / "lesion_from_ser_largest_component.nii.gz", on=series.geometry)

    roi = grow_region(series, [(85, 131, 38)])

    assert agreement.dice(roi.mask, truth.mask) >= 0.85


@pytest.mark.parametrize("method", ["curve", "confidence", "threshold"])
def test_growing_on_the_plain_t1_of_a_sarcoma_warns_of_a_leak(shared_data, method):
    folder = shared_data / "soft_tissue_tumour_mr_t1_nifti" / "STS_002"
    image = read_volume(folder / "MR_T1_image.nii.gz")

    roi = grow_region(image, [(55, 41, 18)], method=method)

    assert any(w.startswith("[leak-") for w in roi.warnings)
    assert roi.volume_ml <= 250.0


def test_dice_and_volume_agree_with_simpleitk(simulated):
    truth, grown = simulated.lesion, grow_region(simulated.series, [simulated.seed_ijk])
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(m.mask.astype(np.uint8)) for m in (grown, truth)))

    assert agreement.dice(grown.mask, truth.mask) == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-12)
    assert agreement.volume_difference_percent(grown.mask, truth.mask) == pytest.approx(
        100 * (grown.n_voxels / truth.n_voxels - 1)
    )
