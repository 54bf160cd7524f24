"""Compute what a case is read for: kinetic maps, features, and the record of what made them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import hash_file, library_versions, write_beside, write_json
from spinekit.workflow.loading import missing_step, open_marker, open_series, open_settings
from spinekit.workflow.marking import open_roi

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compute_features", "compute_maps", "feature_images", "open_features", "open_maps", "write_provenance"]

PathLike = str | os.PathLike[str]


def compute_maps(case_dir: PathLike) -> ParameterMaps:
    """Compute the kinetic maps of a case with its settings and write them to ``maps/``."""
    from spinekit.io import write_volume
    from spinekit.kinetics import parameter_maps

    folder = CaseFolder.at(case_dir)
    study = open_settings(case_dir)
    series = open_series(case_dir)
    maps = parameter_maps(series, n_baseline=study.kinetics.n_baseline, settings=study.kinetics)
    for name, volume in maps.items():
        write_volume(volume, folder.map(name))
    write_json(
        folder.maps_record,
        {
            "maps": {name: volume.unit for name, volume in maps.items()},
            "undefined": maps.undefined,
            "record": maps.record,
            "warnings": maps.warnings,
        },
    )
    return maps


def open_maps(case_dir: PathLike) -> ParameterMaps:
    """Return the kinetic maps of a case."""
    from spinekit.io import read_volume

    folder = CaseFolder.at(case_dir)
    if not folder.maps_record.is_file():
        raise missing_step("kinetic maps", "maps/maps.json", "04")
    kept = json.loads(folder.maps_record.read_text(encoding="utf-8"))
    volumes = {
        name: replace(read_volume(folder.map(name)), name=name, unit=unit) for name, unit in kept["maps"].items()
    }
    geometry = open_series(case_dir).geometry
    return ParameterMaps(volumes, geometry, kept["undefined"], kept["record"], tuple(kept["warnings"]))


def feature_images(
    series: DynamicSeries, maps: Mapping[str, Volume], roi: Roi, names: Sequence[str]
) -> dict[str, Volume]:
    """Return the images that features are taken from, by the names of the settings.

    Parameters
    ----------
    names : sequence of str
        Names of maps; ``"phase_02"`` for a phase; ``"phase_peak"`` for the phase in which the mean
        signal of the region is largest.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for a name that is neither.
    """
    chosen: dict[str, Volume] = {}
    for name in names:
        if name == "phase_peak":
            curve = [float(series.signal[t][roi.mask].mean(dtype=np.float64)) for t in range(series.n_phases)]
            volume = series.phase(int(np.argmax(curve)))
            chosen[volume.name] = volume
        elif name.startswith("phase_") and name[6:].isdigit():
            chosen[name] = series.phase(int(name[6:]))
        elif name in maps:
            chosen[name] = maps[name]
        else:
            raise InputRefusedError(
                "choice-unknown",
                found=f"Features of '{name}' were asked for in radiomics.images.",
                expected=f"'phase_peak', 'phase_NN', or one of {', '.join(maps)}.",
                cause="The name may be misspelt, or the map could not be computed for this protocol.",
                cure="Correct radiomics.images in the settings file.",
            )
    return chosen


def compute_features(case_dir: PathLike) -> pd.DataFrame:
    """Extract the features of a case with its settings and write ``features.csv``."""
    from spinekit.radiomics import FixedBinCount, FixedBinWidth, extract_features

    folder = CaseFolder.at(case_dir)
    chosen = open_settings(case_dir).radiomics
    roi = open_roi(case_dir)
    images = feature_images(open_series(case_dir), open_maps(case_dir), roi, chosen.images)
    binning = FixedBinWidth(chosen.bin_width) if chosen.bin_width else FixedBinCount(chosen.bin_count)
    table = extract_features(
        images,
        roi,
        discretisation=binning,
        path=chosen.path,
        resample_mm=chosen.resample_mm or None,
        not_finite="exclude",
    )
    with write_beside(folder.features) as path:
        table.to_csv(path, float_format="%.17g")
    write_json(folder.features_record, {"settings": vars(chosen), "warnings": list(table.attrs.get("warnings", ()))})
    return table


def open_features(case_dir: PathLike) -> pd.DataFrame:
    """Return the feature table of a case, one row per image."""
    import pandas as pd

    folder = CaseFolder.at(case_dir)
    if not folder.features.is_file():
        raise missing_step("feature table", "features.csv", "05")
    # Python's float is exact to the last bit; the parser of pandas is not in every version of it
    table = pd.read_csv(folder.features, index_col=0, dtype=str, keep_default_na=False).apply(_as_numbers)
    kept = json.loads(folder.features_record.read_text(encoding="utf-8"))
    table.attrs["warnings"] = tuple(kept["warnings"])
    return table


def _as_numbers(column: Any) -> Any:
    """Return a column of text as float64, NaN where it is empty; as it is if it holds words."""
    try:
        return column.map(lambda text: float(text) if text else float("nan")).astype(float)
    except ValueError:
        return column


def write_provenance(case_dir: PathLike) -> dict[str, Any]:
    """Write what made the case: versions, settings, hashes of inputs and of every result."""
    folder = CaseFolder.at(case_dir)
    series = open_series(case_dir)
    results = [folder.roi, folder.features, folder.diagnosis, folder.journal, *sorted(folder.maps.glob("*.nii.gz"))]
    record = {
        "written_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": open_marker(case_dir)["origin"],
        "versions": library_versions(),
        "settings": open_settings(case_dir).as_dict(),
        "series": {
            "sha256": series.record["sha256"],
            "time_source": series.time_source,
            "times_s": series.times_s,
            "warnings": series.warnings,
            "record": series.record,
        },
        "inputs_sha256": series.sources,
        "results_sha256": {str(p.relative_to(folder.root)): hash_file(p) for p in results if p.is_file()},
    }
    write_json(folder.provenance, record)
    return record
