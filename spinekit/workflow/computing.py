"""Compute what a case is read for: kinetic maps, features, and the record of what made them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import hash_file, library_versions, write_beside, write_json
from spinekit.workflow.loading import kept_settings, missing_step, open_marker, open_series, open_settings
from spinekit.workflow.marking import open_roi

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.radiomics import Discretisation
    from spinekit.settings import Kinetics, Radiomics

__all__ = [
    "binning_of", "check_features", "compute_feature_curves", "compute_features", "compute_maps", "feature_choices",
    "feature_images", "open_features", "open_maps", "write_provenance",
]  # fmt: skip

PathLike = str | os.PathLike[str]
NOT_SUPPORTED = ("protocol-insufficient", "too-few-phases")  # of quantitative maps: the descriptive ones stand alone


def compute_maps(case_dir: PathLike) -> ParameterMaps:
    """Compute the kinetic maps of a case with its settings and write them to ``maps/``.

    With an assumed T1 in the settings ktrans, kep, ve and vp come with them, inside the region; where the
    protocol refuses them ``record["quantitative"]["refused"]`` says why.
    """
    from spinekit.io import write_volume
    from spinekit.kinetics import parameter_maps

    folder = CaseFolder.at(case_dir)
    study = open_settings(case_dir)
    series = open_series(case_dir)
    maps = parameter_maps(series, n_baseline=study.kinetics.n_baseline, settings=study.kinetics)
    maps = _with_quantitative(maps, case_dir, series, study.kinetics)
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


def _with_quantitative(
    maps: ParameterMaps, case_dir: PathLike, series: DynamicSeries, chosen: Kinetics
) -> ParameterMaps:
    """Return the maps with the quantitative ones of the region, or with the reason why there are none."""
    from spinekit.kinetics import QUANTITATIVE, parameter_maps

    try:
        within = open_roi(case_dir) if chosen.assumed_t1_ms > 0 else None
        more = parameter_maps(series, chosen.n_baseline, within, names=QUANTITATIVE, settings=chosen)
    except InputRefusedError as refused:
        if refused.code not in NOT_SUPPORTED:
            raise
        reason = {"refused": refused.message, "code": refused.code}
        return replace(maps, record={**maps.record, "quantitative": reason})
    return replace(
        maps,
        volumes={**maps.volumes, **more.volumes},
        undefined={**maps.undefined, **more.undefined},
        record={**maps.record, "quantitative": more.record["quantitative"]},
        warnings=tuple(dict.fromkeys((*maps.warnings, *more.warnings))),
    )


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


def binning_of(chosen: Radiomics) -> Discretisation:
    """Return the bins that the settings choose."""
    from spinekit.radiomics import FixedBinCount, FixedBinWidth

    return FixedBinWidth(chosen.bin_width) if chosen.bin_width else FixedBinCount(chosen.bin_count)


def feature_choices(chosen: Radiomics) -> dict[str, Any]:
    """Return the settings as keyword arguments of `spinekit.extract_features`, but for bins and normalisation."""
    bounds = chosen.resegment_range
    if len(bounds) not in (0, 2):
        raise InputRefusedError(
            "settings-invalid",
            found=f"radiomics.resegment_range holds {len(bounds)} numbers.",
            expected="Two, the lowest and the highest intensity, or none.",
            cause="One of them may have been left out.",
            cure="Write both, such as [-1000.0, 400.0].",
        )
    return {
        "path": chosen.path,
        "resample_mm": chosen.resample_mm or None,
        "interpolation": chosen.interpolation,
        "aggregation": chosen.aggregation,
        "log_sigma_mm": chosen.log_sigma_mm,
        "wavelet": chosen.wavelet,
        "round_intensities": chosen.round_intensities,
        "resegment_range": (bounds[0], bounds[1]) if bounds else None,
        "resegment_sigma": chosen.resegment_sigma or None,
    }


def _normalisation(chosen: Radiomics, images: Iterable[str], series: DynamicSeries) -> dict[str, Any]:
    """Return how phases are normalised; maps keep their units."""
    from spinekit.io import read_roi

    if chosen.normalisation == "none":
        return {}
    reference = read_roi(chosen.reference_file, on=series.geometry, name="reference") if chosen.reference_file else None
    phases = {name: chosen.normalisation for name in images if name.startswith("phase_")}
    return {"normalisation": phases, "reference": reference}


def check_features(case_dir: PathLike) -> pd.DataFrame:
    """Look at the images of a case before features are taken; see `spinekit.radiomics.preflight`."""
    from spinekit.radiomics import preflight

    chosen = open_settings(case_dir).radiomics
    roi = open_roi(case_dir)
    images = feature_images(open_series(case_dir), open_maps(case_dir), roi, chosen.images)
    return preflight(images, roi, discretisation=binning_of(chosen))


def compute_features(case_dir: PathLike) -> pd.DataFrame:
    """Extract the features of a case with its settings and write ``features.csv``."""
    from spinekit.radiomics import extract_features

    folder = CaseFolder.at(case_dir)
    chosen = open_settings(case_dir).radiomics
    series, roi = open_series(case_dir), open_roi(case_dir)
    images = feature_images(series, open_maps(case_dir), roi, chosen.images)
    table = extract_features(
        images,
        roi,
        discretisation=binning_of(chosen),
        not_finite="exclude",
        **feature_choices(chosen),
        **_normalisation(chosen, images, series),
    )
    with write_beside(folder.features) as path:
        table.to_csv(path, float_format="%.17g")
    kept = vars(kept_settings(case_dir).radiomics)
    write_json(folder.features_record, {"settings": kept, "warnings": list(table.attrs.get("warnings", ()))})
    return table


def compute_feature_curves(case_dir: PathLike) -> pd.DataFrame:
    """Extract the features of every phase and write ``feature_curves.csv``, one row per phase and feature.

    Filters are left out, as they would make the table eleven times as long; everything else is as the settings say.
    """
    from spinekit.radiomics import features_over_time

    folder = CaseFolder.at(case_dir)
    chosen = replace(open_settings(case_dir).radiomics, log_sigma_mm=(), wavelet="")
    series, roi = open_series(case_dir), open_roi(case_dir)
    names = [f"phase_{number:02d}" for number in range(series.n_phases)]
    table = features_over_time(
        series,
        roi,
        discretisation=binning_of(chosen),
        not_finite="exclude",
        **feature_choices(chosen),
        **_normalisation(chosen, names, series),
    )
    with write_beside(folder.feature_curves) as path:
        table.to_csv(path, index=False, float_format="%.17g")
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
    tables = [folder.features, folder.feature_curves]
    results = [
        folder.roi,
        *tables,
        folder.segmentation,
        folder.diagnosis,
        folder.journal,
        *sorted(folder.maps.glob("*.nii.gz")),
    ]
    record = {
        "written_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": open_marker(case_dir)["origin"],
        "versions": library_versions(),
        "settings": kept_settings(case_dir).as_dict(),
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
