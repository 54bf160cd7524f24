"""Motion between phases: rigid registration of each phase, what is left of it, and what it does to the maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import from_sitk, to_sitk
from spinekit.kinetics.maps import parameter_maps

__all__ = ["MotionReport", "correct_motion"]

BINS = 40
PIXEL_MM = 2.0  # in-plane pixels are joined up to this size: less noise, fewer steps
# smoothing mm, voxels that the metric looks at, first step mm, steps at most: enough for 0.2 mm, few enough for seconds
LEVELS = ((3.0, 10_000, 2.0, 60), (0.0, 40_000, 0.5, 80))
SHORTEST_MM = 2e-3
DIGITS = 6  # of mm and radians: ITK's sums differ in the last bits from run to run, which must not show
LEFT_MM = 0.5  # of residual motion, above which it is told
HEAD_MM = 60.0  # radius of the sphere over which a displacement is averaged: the size of a field of interest
DESCRIPTIVE = ("relative_enhancement_peak", "wash_in_slope", "wash_out_slope")


@dataclass(frozen=True)
class MotionReport:
    """What was found and what is left.

    Attributes
    ----------
    transforms : ndarray of shape (T, 6)
        Motion of each phase: shift along x, y, z (LPS, mm), then turn about x, y, z (degrees) about the
        centre of the image; that of the reference is 0.
    displacement_mm : ndarray of shape (T,)
        Root mean squared displacement over a sphere of 60 mm radius around that centre.
    residual_mm : ndarray of shape (T,)
        The same, found by registering the corrected phases once more.
    effect : mapping of str to float
        Median change of each map in the region, or in what enhances, as a share of its median size.
    reference : int
        Phase that the others were moved to.
    """

    transforms: Any
    displacement_mm: Any
    residual_mm: Any
    effect: dict[str, float | None]
    reference: int


def correct_motion(
    series: DynamicSeries, *, n_baseline: int = 1, reference: int | None = None, within: Roi | None = None
) -> tuple[DynamicSeries, MotionReport]:
    """Move every phase onto one of them by rigid registration.

    Parameters
    ----------
    series : DynamicSeries
    n_baseline : int
        Phases before the contrast agent, for the maps.
    reference : int, optional
        Phase the others are moved to; the middle one if not given: it looks most like all the others.
    within : Roi, optional
        Where the effect on the maps is told.

    Returns
    -------
    series : DynamicSeries
        Corrected, by cubic B-splines; where a moved phase has no signal the nearest signal stands.
        The motion is in ``record["motion"]``, and a warning tells if more than half a millimetre is left.
    report : MotionReport

    Raises
    ------
    InputRefusedError
        ``fit-failed`` if a registration does not converge; ``value-out-of-range`` (reference).

    Notes
    -----
    Mattes mutual information, which does not mind that contrast agent changes the signal; two levels;
    one thread, a fixed seed and rounded parameters, so that the same series gives the same bits.
    """
    if reference is not None and not 0 <= reference < series.n_phases:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"Phase {reference} was to be the reference; there are {series.n_phases}.",
            expected=f"A number from 0 to {series.n_phases - 1}.",
            cause="Phases are counted from 0.",
            cure="Correct it, or leave it out.",
        )
    fixed_number = series.n_phases // 2 if reference is None else reference
    motion, moved = _registered(series, series.signal, fixed_number)
    rest, _ = _registered(series, moved, fixed_number, resample=False)
    displaced, left = _displacement(motion), _displacement(rest)
    record = {**series.record, "motion": {"displacement_mm": displaced.tolist(), "residual_mm": left.tolist()}}
    warnings = series.warnings
    if left.max() > LEFT_MM:
        text = f"After motion correction {left.max():.1f} mm are left in phase {int(left.argmax())}."
        warnings = (*warnings, coded_warning("motion-left", text))
    corrected = replace(series, signal=moved, record=record, warnings=warnings)
    return corrected, MotionReport(
        motion, displaced, left, _effect(series, corrected, n_baseline, within), fixed_number
    )


def _registered(series: DynamicSeries, signal: Any, reference: int, *, resample: bool = True) -> tuple[Any, Any]:
    """Return the motion of each phase, (T, 6), and the phases moved onto the reference."""
    import SimpleITK as sitk

    fixed = to_sitk(np.ascontiguousarray(signal[reference]), series.geometry)
    motion, moved = np.zeros((series.n_phases, 6)), np.array(signal, dtype=np.float32)
    for t in range(series.n_phases):
        if t == reference:
            continue
        moving = to_sitk(np.ascontiguousarray(signal[t]), series.geometry)
        found = _register(sitk, fixed, moving)
        angles = np.rad2deg([found.GetAngleX(), found.GetAngleY(), found.GetAngleZ()])
        motion[t] = [*found.GetTranslation(), *angles]
        if resample:
            filled = sitk.Resample(moving, fixed, found, sitk.sitkBSpline3, 0.0, moving.GetPixelID(), True)
            moved[t] = from_sitk(filled)[0]
    return motion, moved


def _joined(sitk: Any, image: Any) -> Any:
    """Return the image with in-plane pixels joined; slices, which are thick as they are, stay."""
    spacing, size = image.GetSpacing(), image.GetSize()
    factors = [max(1, min(int(PIXEL_MM / spacing[n]), size[n] // 32)) for n in range(2)]
    return sitk.BinShrink(image, [*factors, 1])


def _register(sitk: Any, fixed: Any, moving: Any) -> Any:
    middle = 0.5 * (np.array(fixed.GetSize()) - 1)
    start = sitk.Euler3DTransform(fixed.TransformContinuousIndexToPhysicalPoint(middle.tolist()))
    start.SetComputeZYX(True)
    fixed, moving = _joined(sitk, fixed), _joined(sitk, moving)
    for level in LEVELS:
        try:
            found = _method(sitk, start, fixed.GetNumberOfPixels(), *level).Execute(fixed, moving)
        except RuntimeError as reason:
            raise InputRefusedError(
                "fit-failed",
                found="Two phases could not be registered.",
                expected="Phases of the same anatomy.",
                cause="A phase may be empty, or of another body part.",
                cure="Look at the montage of phases; leave the phase out.",
            ) from reason
        start = sitk.Euler3DTransform(found.GetNthTransform(0) if found.GetName() == "CompositeTransform" else found)
    start.SetParameters([round(value, DIGITS) for value in start.GetParameters()])
    return start


def _method(sitk: Any, start: Any, n_voxels: int, smooth_mm: float, samples: int, step_mm: float, steps: int) -> Any:
    """Return the registration of one level, from a start."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, samples / n_voxels), seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm, minStep=SHORTEST_MM, numberOfIterations=steps, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([smooth_mm])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=False)
    method.SetNumberOfThreads(1)
    return method


def _displacement(motion: Any) -> Any:
    """Return the root mean squared displacement over the sphere: the shift, and 2/5 r² (1 − cos) twice for the turn."""
    shift = (motion[:, :3] ** 2).sum(axis=1)
    angle = np.deg2rad(np.sqrt((motion[:, 3:] ** 2).sum(axis=1)))
    return np.sqrt(shift + 2 * (2 / 5) * HEAD_MM**2 * (1 - np.cos(angle)))


def _effect(
    before: DynamicSeries, after: DynamicSeries, n_baseline: int, within: Roi | None
) -> dict[str, float | None]:
    first, second = (
        parameter_maps(s, n_baseline, within, names=DESCRIPTIVE if s.n_phases >= 3 else DESCRIPTIVE[:1])
        for s in (before, after)
    )
    told: dict[str, float | None] = {}
    for name in first:
        a, b = first[name].values, second[name].values
        both = np.isfinite(a) & np.isfinite(b)
        size = float(np.median(np.abs(b[both]))) if both.any() else 0.0
        told[name] = float(np.median(np.abs(a - b)[both])) / size if size > 0 else None
    return told
