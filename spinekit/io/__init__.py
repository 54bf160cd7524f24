"""Files in and out: dynamic series, volumes, regions of interest."""

from __future__ import annotations

from spinekit.io.reading import read_series, read_volume
from spinekit.io.regions import read_roi, write_roi, write_volume

__all__ = ["read_roi", "read_series", "read_volume", "write_roi", "write_volume"]
