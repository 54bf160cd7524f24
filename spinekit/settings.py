"""What a study decides: ``study.toml`` as frozen sections. A key that nobody knows is refused.

Every value here changes numbers, so every one of them is printed in the report.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from spinekit.errors import InputRefusedError, shown

__all__ = [
    "PATHS", "Classifier", "Growing", "Kinetics", "Radiomics", "Reading", "Segmenting", "Study", "read_settings",
    "settings_from", "with_baseline", "with_files",
]  # fmt: skip


PATHS = (("radiomics", "reference_file"), ("segmentation", "model"), ("diagnosis", "model"))


@dataclass(frozen=True)
class Reading:
    """How a series is read."""

    drop_incomplete_last_phase: bool = False
    prefer_form: str = ""  # NIfTI whose qform and sform differ: "qform" or "sform"; empty refuses
    accept_missing_form: bool = False  # NIfTI without either form: take spacing only


@dataclass(frozen=True)
class Kinetics:
    """Conventions of the kinetic maps."""

    n_baseline: int = 1
    arrival: str = "baseline"  # see spinekit.kinetics.arrival
    wash_out: str = "lang2013"  # "lang2013" or "lang2017"
    ser_early_s: float = 0.0  # time after arrival of the early phase of SER; 0 = first phase after baseline
    assumed_t1_ms: float = 0.0  # 0 = no assumption: quantitative maps are refused without a T1
    denoise: bool = False  # maps of `spinekit.denoised`; a whole series takes about half a minute more
    arterial_input: str = "fast"  # population curve of the quantitative maps: "fast", "medium", "slow" or "parker"


@dataclass(frozen=True)
class Growing:
    """Region growing from seeds."""

    method: str = "curve"
    tolerance: float = 0.0  # 0 = the method's own default
    max_volume_ml: float = 250.0
    max_radius_mm: float = 80.0
    relearn: bool = True  # the curve, from the region found around the click
    half_border: bool = True  # border where voxels are half lesion
    fill_holes: bool = True
    closing_mm: float = 0.0
    largest_component: bool = True
    cut_leaks: bool = False


@dataclass(frozen=True)
class Radiomics:
    """Feature extraction. `bin_width` or `bin_count` has to be chosen; 0 means not chosen."""

    path: str = "pyradiomics"  # or "ibsi"
    bin_width: float = 0.0
    bin_count: int = 32
    resample_mm: float = 0.0  # 0 = the images' own grid
    interpolation: str = ""  # empty = the path's own
    aggregation: str = "3D_avg"  # "2_5D_avg" and "2D_avg" look within slices
    log_sigma_mm: tuple[float, ...] = ()  # widths of Laplacian-of-Gaussian filters
    wavelet: str = ""  # such as "coif1"
    round_intensities: bool = False  # "ibsi" only, as are the next two
    resegment_range: tuple[float, ...] = ()  # lowest and highest intensity
    resegment_sigma: float = 0.0  # 0 = outliers stay
    normalisation: str = "none"  # of phases: "z_score", "n4" or "n4+z_score"; maps have units of their own
    reference_file: str = ""  # mask of the tissue that z-scores refer to
    images: tuple[str, ...] = ("relative_enhancement_peak", "wash_in_slope", "wash_out_slope", "phase_peak")


@dataclass(frozen=True)
class Classifier:
    """The classifier of lesions: research only."""

    model: str = ""  # weights of spinekit train diagnosis; empty takes the demonstration weights
    override: bool = False  # put a case to the model although it is unlike its training cases
    coverage: float = 0.9  # of the set of classes that cannot be ruled out


@dataclass(frozen=True)
class Segmenting:
    """The U-Net that segments: research only."""

    model: str = ""  # weights of spinekit train segmentation; empty takes the demonstration weights
    mirror: bool = False  # average over mirrored copies: four times the work


@dataclass(frozen=True)
class Study:
    """All sections."""

    reading: Reading = field(default_factory=Reading)
    kinetics: Kinetics = field(default_factory=Kinetics)
    growing: Growing = field(default_factory=Growing)
    radiomics: Radiomics = field(default_factory=Radiomics)
    segmentation: Segmenting = field(default_factory=Segmenting)
    diagnosis: Classifier = field(default_factory=Classifier)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain dictionaries, as written to the provenance."""
        return dataclasses.asdict(self)


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    return f"Did you mean '{near[0]}'?" if near else f"The known keys are {', '.join(known)}."


def _unknown(key: str, where: str, known: list[str]) -> InputRefusedError:
    return InputRefusedError(
        "settings-unknown-key",
        found=f"{where} has the key '{key}'.",
        expected=f"Keys out of {', '.join(known)}.",
        cause="It may be misspelt, or belong to another version of spinekit.",
        cure=_nearest(key, known),
    )


def _checked(value: Any, wanted: Any, where: str) -> Any:
    origin = get_origin(wanted)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_checked(v, get_args(wanted)[0], where) for v in value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kind = origin or wanted
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputRefusedError(
            "settings-invalid",
            found=f"{where} is {value!r}.",
            expected=f"A value of type {getattr(kind, '__name__', kind)}.",
            cause="Quotation marks may be missing or too many, or a list was given for a number.",
            cure="Correct the value in the settings file.",
        )
    return value


def settings_from(record: dict[str, Any], *, source: str = "The settings") -> Study:
    """Build a `Study` from plain dictionaries; unknown sections and keys are refused with the nearest name."""
    hints = get_type_hints(Study)
    sections = {}
    for section, content in record.items():
        if section not in hints:
            raise _unknown(section, source, list(hints))
        kind = hints[section]
        known = get_type_hints(kind)
        table = _checked(content, dict, f"[{section}]")
        for key in table:
            if key not in known:
                raise _unknown(key, f"Section [{section}] of {source[0].lower() + source[1:]}", list(known))
        sections[section] = kind(**{k: _checked(v, known[k], f"{section}.{k}") for k, v in table.items()})
    return Study(**sections)


def read_settings(path: str | os.PathLike[str] | None) -> Study:
    """Read ``study.toml``; None gives the defaults.

    Paths in it are relative to the file's own folder, wherever the command is given; they come back absolute.

    Raises
    ------
    InputRefusedError
        ``path-missing``, ``settings-invalid`` (not TOML, wrong type) or ``settings-unknown-key``.
    """
    if path is None:
        return Study()
    file = Path(path)
    try:
        record = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as reason:
        raise InputRefusedError(
            "path-missing",
            found=f"There is no settings file at the path that was given ({shown(file)}).",
            expected="A TOML file.",
            cause="The path may be misspelt.",
            cure="Check --settings, or leave it out to use the defaults.",
        ) from reason
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise InputRefusedError(
            "settings-invalid",
            found=f"The settings {shown(file)} is not TOML: {reason}.",
            expected="Sections such as [kinetics] with lines such as n_baseline = 1.",
            cause="YAML or JSON may have been saved under this name, or a quotation mark is missing.",
            cure="Correct the line that is named.",
        ) from reason
    return _from_folder(settings_from(record, source=f"The settings {shown(file)}"), file.absolute().parent)


def _from_folder(study: Study, folder: Path) -> Study:
    """Return the settings with the paths that they name taken from a folder; an absolute one stays."""
    return with_files(study, lambda told: os.path.normpath(folder / Path(told).expanduser()))


def with_files(study: Study, change: Callable[[str], str]) -> Study:
    """Return the settings with every file that they name changed to what a function makes of it."""
    changed = {}
    for section, key in PATHS:
        table = getattr(study, section)
        told = getattr(table, key)
        if told:
            changed[section] = dataclasses.replace(table, **{key: change(told)})
    return dataclasses.replace(study, **changed)


def with_baseline(study: Study, n_baseline: int) -> Study:
    """Return the settings with another number of baseline phases; 0 keeps what they say."""
    if n_baseline == 0:
        return study
    return dataclasses.replace(study, kinetics=dataclasses.replace(study.kinetics, n_baseline=n_baseline))
