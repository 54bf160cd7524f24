"""Segmentation: growing from seeds, the study's route from an outline, clean-up in mm, agreement of masks."""

from __future__ import annotations

from spinekit.segmentation.outline import grow_along_outline, grow_from_outline
from spinekit.segmentation.region_growing import METHODS, grow_region
from spinekit.segmentation.sensitivity import seed_sensitivity

__all__ = ["METHODS", "grow_along_outline", "grow_from_outline", "grow_region", "seed_sensitivity"]
