"""Overlap of masks: closed forms, the trivial answers beside it, then MONAI."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, jaccard_score

from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.evaluation import lesion_wise, overlap_scores, overlap_table, surface_dice

SPACING = (4.0, 0.9, 1.1)


def blobs(seed: int, shape=(8, 40, 36), level: float = 1.0):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (1, 4, 4))
    return field > level * field.std()


def test_all_background_has_98_percent_pixel_accuracy_on_a_lesion_of_2_percent():
    truth = np.zeros((1, 10, 50), dtype=bool)
    truth[0, 0, :10] = True

    row = overlap_table(truth, truth, spacing_zyx_mm=SPACING).loc["all background"]

    assert_allclose([row["PA"], row["MPA"], row["Dice"], row["recall"]], [0.98, 0.5, 0.0, 0.0])
    assert_allclose(row["MIoU"], 0.49)
    assert np.isnan(row["HD95_mm"])


@pytest.mark.parametrize("seed", range(3))
def test_pixel_measures_are_those_of_scikit_learn(seed):
    a, b = blobs(seed), blobs(seed, level=0.8)
    flat = (b.ravel(), a.ravel())

    scores = overlap_scores(a, b, spacing_zyx_mm=SPACING)

    assert_allclose(scores["PA"], accuracy_score(*flat))
    assert_allclose(scores["MPA"], balanced_accuracy_score(*flat))
    assert_allclose(scores["MIoU"], jaccard_score(*flat, average="macro"))
    assert_allclose(scores["Dice"], f1_score(*flat))


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy")  # MONAI's own call of what it deprecates
@pytest.mark.parametrize("seed", range(3))
def test_surface_measures_are_those_of_monai(seed):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    a, b = blobs(seed), blobs(seed, level=0.8)
    tensors = [torch.as_tensor(m)[None, None].float() for m in (a, b)]

    scores = overlap_scores(a, b, spacing_zyx_mm=SPACING, tolerance_mm=2.0)

    surface = metrics.compute_surface_dice(*tensors, class_thresholds=[2.0], include_background=True, spacing=SPACING)
    distance = metrics.compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=SPACING)
    assert_allclose(scores["NSD"], float(surface), rtol=1e-6)
    assert_allclose(scores["HD95_mm"], float(distance), rtol=1e-6)


def test_surface_dice_grows_with_its_tolerance_and_does_not_care_who_is_first():
    a, b = blobs(7), blobs(7, level=1.3)

    values = [surface_dice(a, b, spacing_zyx_mm=SPACING, tolerance_mm=t) for t in (0.0, 1.0, 3.0, 50.0)]

    assert values == sorted(values)
    assert values[-1] == 1.0
    assert values[1] == surface_dice(b, a, spacing_zyx_mm=SPACING, tolerance_mm=1.0)


def test_surface_dice_of_nothing_is_undefined_and_of_a_missed_lesion_zero():
    a, nothing = blobs(1), np.zeros((8, 40, 36), dtype=bool)

    assert np.isnan(surface_dice(nothing, nothing, spacing_zyx_mm=SPACING, tolerance_mm=1.0))
    assert surface_dice(nothing, a, spacing_zyx_mm=SPACING, tolerance_mm=1.0) == 0.0


def test_lesions_are_counted_one_by_one():
    truth = np.zeros((1, 5, 30), dtype=bool)
    truth[0, 1:4, 2:6] = truth[0, 1:4, 12:16] = True
    predicted = np.zeros_like(truth)
    predicted[0, 1:4, 3:6] = True  # three quarters of the first lesion
    predicted[0, 1:4, 12] = True  # one quarter of the second
    predicted[0, 1, 25] = True  # something else

    found = lesion_wise(predicted, truth, overlap=0.5)
    lenient = lesion_wise(predicted, truth, overlap=0.25)

    assert (found["lesions"], found["found"], found["recall"]) == (2.0, 1.0, 0.5)
    assert found["false_parts"] == 1.0
    assert lenient["recall"] == 1.0


def test_recall_without_a_lesion_is_undefined():
    nothing = np.zeros((2, 4, 4), dtype=bool)

    assert np.isnan(lesion_wise(nothing, nothing, overlap=0.5)["recall"])


def test_the_threshold_baseline_calls_nan_background():
    truth = np.zeros((1, 2, 2), dtype=bool)
    truth[0, 0, 0] = True
    image = np.array([[[2.0, np.nan], [0.5, 1.0]]])

    row = overlap_table(truth, truth, spacing_zyx_mm=SPACING, image=image, threshold=1.5).loc["threshold"]

    assert row["Dice"] == 1.0


def test_a_threshold_without_an_image_and_masks_of_two_grids_are_refused():
    mask = np.zeros((1, 2, 2), dtype=bool)
    with pytest.raises(InputRefusedError, match="Only one of image and threshold"):
        overlap_table(mask, mask, spacing_zyx_mm=SPACING, threshold=1.0)
    with pytest.raises(InputRefusedError, match="shapes"):
        overlap_scores(mask, np.zeros((1, 2, 3), dtype=bool), spacing_zyx_mm=SPACING)
    with pytest.raises(InputRefusedError, match="tolerance_mm"):
        surface_dice(mask, mask, spacing_zyx_mm=SPACING, tolerance_mm=-1.0)


def test_a_voxel_that_is_cut_off_from_its_lesion_is_no_lesion_where_lesions_are_numbered():
    numbers = np.zeros((3, 8, 8), dtype=np.uint8)
    numbers[1, 1:4, 1:4] = 1
    numbers[1, 6, 1] = 1  # cut off
    numbers[1, 1:4, 6] = 3
    found = np.zeros(numbers.shape, dtype=bool)
    found[1, 1:4, 1:4] = True

    by_number = lesion_wise(found, numbers > 0, overlap=0.5, lesions=numbers)
    by_part = lesion_wise(found, numbers > 0, overlap=0.5)

    assert (by_number["lesions"], by_number["found"], by_number["recall"]) == (2.0, 1.0, 0.5)
    assert (by_part["lesions"], by_part["found"]) == (3.0, 1.0)
    assert overlap_scores(found, numbers > 0, spacing_zyx_mm=SPACING, lesions=numbers)["recall"] == 0.5
    with pytest.raises(ShapeMismatchError):
        lesion_wise(found, numbers > 0, overlap=0.5, lesions=numbers[:, :4])
