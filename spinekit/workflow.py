"""One function per step of a case: read its files, compute, write its files.

The notebooks and the command line call these; the rooms below do not know each other and meet here.
Every function takes the case folder, so that any step can be run again on its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid
from spinekit.io.layout import CaseFolder
from spinekit.provenance import hash_file, library_versions, write_beside, write_json
from spinekit.settings import Study, settings_from

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.viewmodels.journal import Journal

__all__ = [
    "LoadedCase",
    "compute_features",
    "compute_maps",
    "feature_images",
    "load_case",
    "open_features",
    "open_journal",
    "open_maps",
    "open_roi",
    "open_series",
    "open_settings",
    "open_t2",
    "save_roi",
    "write_provenance",
]

SIMULATED = "simulated:"  # a source such as "simulated:7" is the embedded case made from seed 7

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class LoadedCase:
    """What notebook 01 shows: the series, and the sagittal T2 if there is one."""

    folder: CaseFolder
    series: DynamicSeries
    t2: Volume | None
    suggested_seed_ijk: tuple[int, int, int] | None  # known only for a simulated case


def load_case(
    source: PathLike | Sequence[PathLike],
    case_dir: PathLike,
    *,
    t2: PathLike = "",
    times_s: Sequence[float] | None = None,
    choose_series: str = "",
    settings: Study | None = None,
) -> LoadedCase:
    """Read a series, with its T2 if given, and open a case folder for it.

    Parameters
    ----------
    source : path, list of paths, or ``"simulated:SEED"``
        What `spinekit.read_series` takes, or the seed of an embedded simulated case.
    case_dir : path
        New, empty, or the folder of an earlier run. Results of an earlier run on another series or
        with other settings are removed, since they would not belong to what is read now.
    t2 : path, optional
        Sagittal T2 image.
    times_s : sequence of float, optional
        Time of each phase, seconds, where the files do not tell.
    choose_series : str, optional
        Which series of the source, where it holds several.
    settings : Study, optional
        Settings of the study, kept with the case.

    Returns
    -------
    LoadedCase

    Raises
    ------
    InputRefusedError
        Everything that `spinekit.read_series` raises; ``output-exists``.
    """
    from spinekit import io
    from spinekit.io.stored import store_series

    study = settings or Study()
    folder = CaseFolder.for_writing(case_dir)
    seed_ijk, t2_image, origin = None, None, "files"
    if isinstance(source, str) and source.startswith(SIMULATED):
        simulated = _simulate(source)
        series, t2_image, seed_ijk, origin = simulated.series, simulated.t2, simulated.seed_ijk, source
    else:
        series = io.read_series(source, times_s=times_s, series=choose_series or None, settings=study.reading)
        if os.fspath(t2):
            t2_image = io.read_volume(t2)
    _forget_other_results(folder, series, study)
    write_json(folder.marker, {"origin": origin, "suggested_seed_ijk": seed_ijk})
    store_series(series, folder.series)
    write_json(folder.settings, study.as_dict())
    if t2_image is not None:
        io.write_volume(t2_image, folder.t2)
    return LoadedCase(folder, open_series(case_dir), t2_image, seed_ijk)


def _simulate(source: str) -> Any:
    from spinekit.phantom import simulate_case

    text = source.removeprefix(SIMULATED)
    seed, _, size = text.partition("@")
    try:
        shape = tuple(int(n) for n in size.split("x")) if size else None
        if shape is not None and len(shape) != 3:
            raise ValueError(size)
        return simulate_case(int(seed), size=shape) if shape else simulate_case(int(seed))
    except ValueError as reason:
        raise InputRefusedError(
            "choice-unknown",
            found=f"'{source}' was asked for.",
            expected="'simulated:SEED' or 'simulated:SEED@XxYxZ', such as 'simulated:7@96x96x12'.",
            cause="The seed or size may not be a whole number.",
            cure="Write the seed as a whole number.",
        ) from reason


def _forget_other_results(folder: CaseFolder, series: DynamicSeries, study: Study) -> None:
    """Remove results that were computed from another series or with other settings."""
    from spinekit.io.stored import hash_series

    seal = folder.series / "series.json"
    if seal.is_file() and folder.settings.is_file():
        same_series = json.loads(seal.read_text(encoding="utf-8")).get("sha256") == hash_series(series)
        if same_series and settings_from(json.loads(folder.settings.read_text(encoding="utf-8"))) == study:
            return
    stale = [folder.roi, folder.roi_record, folder.journal, folder.features, folder.features_record]
    stale += [folder.t2, folder.provenance, folder.report, *sorted(folder.maps.glob("*"))]
    for path in stale:
        path.unlink(missing_ok=True)


def open_series(case_dir: PathLike) -> DynamicSeries:
    """Return the series of a case, memory-mapped."""
    from spinekit.io.stored import open_series as open_stored

    return open_stored(CaseFolder.at(case_dir).series)


def open_settings(case_dir: PathLike) -> Study:
    """Return the settings the case was loaded with."""
    return settings_from(json.loads(CaseFolder.at(case_dir).settings.read_text(encoding="utf-8")))


def open_t2(case_dir: PathLike) -> Volume | None:
    """Return the sagittal T2 of a case, or None if it has none."""
    from spinekit.io import read_volume

    folder = CaseFolder.at(case_dir)
    return replace(read_volume(folder.t2), name="t2") if folder.t2.is_file() else None


def save_roi(case_dir: PathLike, roi: Roi, journal: Journal) -> Roi:
    """Write the region, how it was made, and the journal of the reader's choices."""
    from spinekit.io import write_roi

    folder = CaseFolder.at(case_dir)
    require_same_grid(roi.geometry, open_series(case_dir).geometry, names=("ROI", "series"))
    write_roi(roi, folder.roi)
    write_json(folder.roi_record, {"name": roi.name, "warnings": roi.warnings, "record": roi.record})
    journal.write(folder.journal)
    return roi


def open_roi(case_dir: PathLike) -> Roi:
    """Return the region of a case with its record.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if no region has been saved.
    """
    from spinekit.io import read_roi

    folder = CaseFolder.at(case_dir)
    if not folder.roi.is_file():
        raise _missing("region", "roi.nii.gz", "02")
    roi = read_roi(folder.roi, on=open_series(case_dir).geometry)
    kept = json.loads(folder.roi_record.read_text(encoding="utf-8"))
    return replace(roi, name=kept["name"], warnings=tuple(kept["warnings"]), record=kept["record"])


def open_journal(case_dir: PathLike) -> Journal:
    """Return the journal of the reader's choices."""
    from spinekit.viewmodels.journal import Journal

    folder = CaseFolder.at(case_dir)
    if not folder.journal.is_file():
        raise _missing("journal", "journal.json", "02")
    return Journal.read(folder.journal)


def _missing(what: str, file: str, notebook: str) -> InputRefusedError:
    return InputRefusedError(
        "case-incomplete",
        found=f"The case has no {what}.",
        expected=f"'{file}' in the case folder, written by notebook {notebook}.",
        cause=f"Notebook {notebook} has not been run to its end, or the series was loaded anew since.",
        cure=f"Run notebook {notebook} with the same case_dir.",
    )


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
        raise _missing("kinetic maps", "maps/maps.json", "04")
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
        raise _missing("feature table", "features.csv", "05")
    table = pd.read_csv(folder.features, index_col=0, float_precision="round_trip")
    kept = json.loads(folder.features_record.read_text(encoding="utf-8"))
    table.attrs["warnings"] = tuple(kept["warnings"])
    return table


def write_provenance(case_dir: PathLike) -> dict[str, Any]:
    """Write what made the case: versions, settings, hashes of inputs and of every result."""
    folder = CaseFolder.at(case_dir)
    series = open_series(case_dir)
    results = [folder.roi, folder.features, folder.journal, *sorted(folder.maps.glob("*.nii.gz"))]
    record = {
        "written_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": json.loads(folder.marker.read_text(encoding="utf-8"))["origin"],
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
