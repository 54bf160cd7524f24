"""Regions: growing from seeds, leaks, clean-up, agreement."""

from __future__ import annotations

from spinekit.segmentation.region_growing import grow_region

__all__ = ["grow_region"]
