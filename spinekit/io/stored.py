"""The series of a case as one array on disk: read once with care, opened at once ever after."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.provenance import hash_array, write_beside, write_json

__all__ = ["hash_series", "open_series", "store_series"]


def hash_series(series: DynamicSeries) -> str:
    """Return the SHA-256 of what a series is: its signal, times and grid (not how it was encoded)."""
    import hashlib

    grid = json.dumps(series.geometry.as_dict(), sort_keys=True)
    parts = (hash_array(series.signal), hash_array(series.times_s), grid)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def store_series(series: DynamicSeries, folder: Path) -> None:
    """Write a series as ``signal.npy`` and ``series.json`` into a folder; the JSON last, as the seal."""
    with write_beside(folder / "signal.npy") as path, open(path, "wb") as stream:
        np.save(stream, series.signal)
    acquisition = {f.name: getattr(series.acquisition, f.name) for f in dataclasses.fields(series.acquisition)}
    record: dict[str, Any] = {
        "name": series.name,
        "times_s": series.times_s,
        "time_source": series.time_source,
        "geometry": series.geometry.as_dict(),
        "acquisition": acquisition,
        "warnings": series.warnings,
        "record": series.record,
        "sources": series.sources,
        "sha256": hash_series(series),
    }
    write_json(folder / "series.json", record)


def open_series(folder: Path) -> DynamicSeries:
    """Open a stored series; the signal is memory-mapped, so that opening costs no reading.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if there is none, ``file-corrupt`` if its two files do not fit.
    """
    seal = folder / "series.json"
    if not seal.is_file():
        raise InputRefusedError(
            "case-incomplete",
            found="The case holds no series.",
            expected="'series/series.json', written by notebook 01.",
            cause="Notebook 01 has not been run to its end.",
            cure="Run notebook 01 first, with the same case_dir.",
        )
    record = json.loads(seal.read_text(encoding="utf-8"))
    try:
        signal = np.load(folder / "signal.npy", mmap_mode="r", allow_pickle=False)
        return DynamicSeries(
            signal,
            np.asarray(record["times_s"], dtype=np.float64),
            Geometry.from_dict(record["geometry"]),
            record["time_source"],
            tuple(record["warnings"]),
            Acquisition(**record["acquisition"]),
            record["name"],
            record["sources"],
            {**record["record"], "sha256": record["sha256"]},
        )
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise InputRefusedError(
            "file-corrupt",
            found=f"The stored series cannot be opened: {reason}.",
            expected="'signal.npy' and 'series.json' of the same run.",
            cause="One of the two was changed, or copied from elsewhere.",
            cure="Run notebook 01 again.",
        ) from reason
