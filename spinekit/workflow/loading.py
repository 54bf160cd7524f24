"""Begin a case: read or simulate a series, keep it in the case folder, open it again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinekit.case import DynamicSeries, Volume
from spinekit.errors import InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_json
from spinekit.settings import Study, settings_from, with_files

if TYPE_CHECKING:
    pass

__all__ = [
    "LoadedCase", "is_simulated", "kept_settings", "load_case", "missing_step", "open_series", "open_settings",
    "open_t2", "without_paths",
]  # fmt: skip

SIMULATED = "simulated:"  # a source such as "simulated:7" is the embedded case made from seed 7

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class LoadedCase:
    """What notebook 01 shows: the series, and the sagittal T2 if there is one."""

    folder: CaseFolder
    series: DynamicSeries
    t2: Volume | None
    suggested_seed_ijk: tuple[int, int, int] | None  # known only for a case that is simulated here

    @property
    def simulated(self) -> bool:
        """Whether the case comes from the simulator, at once or by files that it wrote."""
        return bool(self.series.record.get("simulated", False))


def load_case(
    source: PathLike | Sequence[PathLike],
    case_dir: PathLike,
    *,
    t2: PathLike = "",
    times_s: Sequence[float] | None = None,
    choose_series: str = "",
    settings: Study | None = None,
    remember: bool = True,
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
    remember : bool
        Keep on this machine, outside the case, where the sources lie.

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

    study = without_paths(settings or Study(), remember=remember)
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
    made = bool(series.record.get("simulated", False))
    write_json(folder.marker, {"origin": origin, "simulated": made, "suggested_seed_ijk": seed_ijk})
    store_series(series, folder.series)
    write_json(folder.settings, study.as_dict())
    if t2_image is not None:
        io.write_volume(t2_image, folder.t2)
    if origin == "files" and remember:
        _remember(folder, source, t2, times_s, choose_series)
    return LoadedCase(folder, open_series(case_dir), t2_image, seed_ijk)


def _remember(folder: CaseFolder, source: Any, t2: PathLike, times_s: Any, choose_series: str) -> None:
    """Keep where the sources lie, outside the case folder, so that `spinekit verify` can read them again."""
    from spinekit.io.whereabouts import remember_sources

    paths = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    remember_sources(
        folder.root,
        series_sha256=json.loads((folder.series / "series.json").read_text(encoding="utf-8"))["sha256"],
        source=[os.path.abspath(path) for path in paths],
        t2=os.path.abspath(t2) if os.fspath(t2) else "",
        times_s=None if times_s is None else [float(t) for t in times_s],
        choose_series=choose_series,
    )


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
    """Remove results that depend on what has changed: another series, or a section of the settings."""
    from spinekit.io.stored import hash_series

    seal = folder.series / "series.json"
    told = [folder.diagnosis, folder.provenance, folder.report, folder.seal]
    features = [folder.features, folder.feature_curves, folder.features_record, *told]
    maps = [*features, *sorted(folder.maps.glob("*"))]
    stale = [folder.roi, folder.roi_record, folder.journal, folder.t2, *maps]
    if seal.is_file() and folder.settings.is_file():
        same_series = json.loads(seal.read_text(encoding="utf-8")).get("sha256") == hash_series(series)
        before = settings_from(json.loads(folder.settings.read_text(encoding="utf-8")))
        if same_series and before == study:
            return
        before_it = replace(before, diagnosis=study.diagnosis)
        if same_series and before_it == study:
            stale = told
        elif same_series and replace(before_it, radiomics=study.radiomics) == study:
            stale = features
        elif same_series and replace(before_it, radiomics=study.radiomics, kinetics=study.kinetics) == study:
            stale = maps if before.kinetics.n_baseline == study.kinetics.n_baseline else stale
    for path in stale:
        path.unlink(missing_ok=True)


def open_series(case_dir: PathLike) -> DynamicSeries:
    """Return the series of a case, memory-mapped."""
    from spinekit.io.stored import open_series as open_stored

    return open_stored(CaseFolder.at(case_dir).series)


def kept_settings(case_dir: PathLike) -> Study:
    """Return the settings as the case keeps them: files that they name stand there by their SHA-256."""
    return settings_from(json.loads(CaseFolder.at(case_dir).settings.read_text(encoding="utf-8")))


def open_settings(case_dir: PathLike) -> Study:
    """Return the settings the case was loaded with, with the paths of the files that they name.

    Raises
    ------
    InputRefusedError
        ``path-missing`` if such a file is not known on this machine, or has changed.
    """
    from spinekit.io.whereabouts import known_file

    return with_files(kept_settings(case_dir), known_file)


def without_paths(study: Study, *, remember: bool = True) -> Study:
    """Return the settings with the SHA-256 of the files that they name: a path can be a patient's.

    Raises
    ------
    InputRefusedError
        ``path-missing``.
    """
    from spinekit.io.whereabouts import name_by_hash

    return with_files(study, lambda path: name_by_hash(path, remember=remember))


def open_t2(case_dir: PathLike) -> Volume | None:
    """Return the sagittal T2 of a case, or None if it has none."""
    from spinekit.io import read_volume

    folder = CaseFolder.at(case_dir)
    return replace(read_volume(folder.t2), name="t2") if folder.t2.is_file() else None


def is_simulated(case_dir: PathLike) -> bool:
    """Return whether a case comes from the simulator or from files that it wrote, which every figure of it says."""
    marker = open_marker(case_dir)
    return bool(marker.get("simulated", False)) or str(marker.get("origin", "")).startswith(SIMULATED)


def open_marker(case_dir: PathLike) -> dict[str, Any]:
    """Return what the case was made from."""
    marker: dict[str, Any] = json.loads(CaseFolder.at(case_dir).marker.read_text(encoding="utf-8"))
    return marker


def missing_step(what: str, file: str, notebook: str) -> InputRefusedError:
    """Return the refusal of a step whose input an earlier notebook has not written yet."""
    return InputRefusedError(
        "case-incomplete",
        found=f"The case has no {what}.",
        expected=f"'{file}' in the case folder, written by notebook {notebook}.",
        cause=f"Notebook {notebook} has not been run to its end, or the series was loaded anew since.",
        cure=f"Run notebook {notebook} with the same case_dir.",
    )
