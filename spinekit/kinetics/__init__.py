"""From signal over time to maps: baseline, arrival, descriptive quantities, tracer kinetics, motion, noise."""

from __future__ import annotations

from spinekit.kinetics.curves import RoiCurve, roi_curve
from spinekit.kinetics.denoise import denoised
from spinekit.kinetics.maps import DESCRIPTIVE, parameter_maps
from spinekit.kinetics.motion import MotionReport, correct_motion
from spinekit.kinetics.quantitative import QUANTITATIVE, image_derived_aif, quantitative_maps

__all__ = [
    "DESCRIPTIVE",
    "QUANTITATIVE",
    "MotionReport",
    "RoiCurve",
    "correct_motion",
    "denoised",
    "image_derived_aif",
    "parameter_maps",
    "quantitative_maps",
    "roi_curve",
]
