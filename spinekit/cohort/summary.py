"""What the merged tables tell of one case: its region and its maps, in full precision."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from spinekit import workflow
from spinekit.quantities import CURVE_TYPES

__all__ = ["summary_of"]


def summary_of(case_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """Return region, maps and warnings of a finished case.

    Returns
    -------
    dict
        ``region``: facts of the region; ``maps``: one record per map with its median and quartiles over the
        defined voxels of the region (None where none is defined); ``warnings``: texts; ``simulated``: bool.
    """
    series, roi, maps = workflow.open_series(case_dir), workflow.open_roi(case_dir), workflow.open_maps(case_dir)
    region = {
        "n_voxels": roi.n_voxels,
        "volume_ml": roi.volume_ml,
        **dict(zip(("centre_i", "centre_j", "centre_k"), roi.centre_ijk, strict=True)),
        "method": roi.record.get("method", ""),
        "tolerance": roi.record.get("tolerance"),
        "accepted_by": roi.record.get("accepted_by", ""),
        "n_phases": series.n_phases,
        "time_source": series.time_source,
        "series_sha256": series.record["sha256"],
    }
    warnings = list(dict.fromkeys((*series.warnings, *roi.warnings, *maps.warnings)))
    rows = [_map_row(name, volume, roi) for name, volume in maps.items()]
    return {"region": region, "maps": rows, "warnings": warnings, "simulated": workflow.is_simulated(case_dir)}


def _map_row(name: str, volume: Any, roi: Any) -> dict[str, Any]:
    values = volume.within(roi).astype(np.float64)
    defined = values[np.isfinite(values)]
    row: dict[str, Any] = {"map": name, "unit": volume.unit, "defined_share": defined.size / max(values.size, 1)}
    if name == "curve_type":
        shares = {
            label: float(np.mean(defined == code)) if defined.size else None for code, label in CURVE_TYPES.items()
        }
        return row | {f"share_{label}": share for label, share in shares.items()}
    quartiles = np.percentile(defined, [25, 50, 75]).tolist() if defined.size else [None] * 3
    return row | dict(zip(("quartile_1", "median", "quartile_3"), quartiles, strict=True))
