"""Read a dynamic series or a volume, whatever it comes in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import require_same_grid
from spinekit.io.meta_image import META_IMAGE
from spinekit.io.notes import thin_slab
from spinekit.io.simulated import simulated_record
from spinekit.io.sources import shown
from spinekit.provenance import hash_file
from spinekit.settings import Reading

__all__ = ["read_series", "read_volume"]

PathLike = str | os.PathLike[str]
NIFTI, NRRD = (".nii", ".nii.gz"), (".nrrd", ".nhdr")
FOREIGN = (
    ".hdr", ".img", ".mgz", ".mgh", ".mnc", ".par", ".rec", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".gipl", ".vtk",
)  # fmt: skip


def _is(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(suffixes)


def _is_foreign(path: Path, suffixes: tuple[str, ...] = FOREIGN) -> bool:
    """Whether a file is named as a format that is not read; a DICOM image may have any name."""
    if not path.is_file() or not _is(path, suffixes):
        return False
    with open(path, "rb") as stream:
        return stream.read(132)[128:] != b"DICM"


def read_series(
    source: PathLike | Sequence[PathLike],
    times_s: Sequence[float] | None = None,
    *,
    series: str | None = None,
    settings: Reading | None = None,
    name: str = "case",
) -> DynamicSeries:
    """Read a dynamic contrast-enhanced series.

    Parameters
    ----------
    source : path or list of paths
        DICOM folder, .zip of one, list of DICOM files, one enhanced multi-frame file; 4-D NIfTI or a
        list of 3-D NIfTI files in the order of time; Slicer MultiVolume or .seq.nrrd.
    times_s : sequence of float, optional
        Seconds of each phase. Needed where the files do not tell; overrides them where they do.
    series : str, optional
        Series number, UID or part of the description, where the source holds several series.
    settings : Reading, optional
        What may be accepted: an incomplete last phase, a form of a NIfTI file.
    name : str
        Pseudonym of the case.

    Returns
    -------
    DynamicSeries
        float32 signal in the scanner's units, every slice with its own slope; ``time_source`` names
        the tag or file that gave the times.

    Raises
    ------
    InputRefusedError
        With a code of `spinekit.errors.CODES`: what cannot be known is refused, never guessed.
    """
    reading = settings or Reading()
    if not isinstance(source, (str, os.PathLike)):
        paths = [Path(p) for p in source]
        if paths and all(_is(p, NIFTI) for p in paths):
            return _from_nifti_list(paths, times_s, reading, name)
        return _from_dicom(list(paths), times_s, series, reading, name)
    path = Path(source)
    if not path.exists():
        raise _missing(path)
    if path.is_file() and _is(path, NIFTI):
        return _from_nifti(path, times_s, reading, name)
    if path.is_file() and _is(path, NRRD):
        return _from_nrrd(path, times_s, reading, name)
    if _is_foreign(path, (*FOREIGN, *META_IMAGE)):
        raise _foreign(path, "Save a series over time as 4-D NIfTI with its times beside, as .seq.nrrd or as DICOM.")
    return _from_dicom(path, times_s, series, reading, name)


def read_volume(source: PathLike, *, series: str | None = None, settings: Reading | None = None) -> Volume:
    """Read one 3-D image: NIfTI, NRRD, MetaImage, DICOM folder, list or .zip.

    Raises
    ------
    InputRefusedError
        ``format-unsupported`` for an image over time; everything that the readers refuse.
    """
    from spinekit.io.dicom import read_dicom_volume
    from spinekit.io.meta_image import read_meta_image
    from spinekit.io.nifti import read_nifti
    from spinekit.io.nrrd import read_nrrd
    from spinekit.io.sources import list_sources

    path = Path(source)
    if not path.exists():
        raise _missing(path)
    if path.is_file() and _is(path, NIFTI):
        content = read_nifti(path, reading=settings or Reading())
        return Volume(_single(content.values, path), content.geometry)
    if path.is_file() and _is(path, NRRD):
        plain = read_nrrd(path, accept_missing_space=bool(settings and settings.accept_missing_form))
        return Volume(_single(plain.values, path), plain.geometry)
    if path.is_file() and _is(path, META_IMAGE):
        return Volume(*read_meta_image(path))
    if _is_foreign(path):
        raise _foreign(path, "Save it as NIfTI, NRRD, MetaImage or DICOM.")
    return read_dicom_volume(list_sources(path), choose=series, name="image")


def _single(values: np.ndarray, path: Path) -> np.ndarray:
    if values.ndim == 4 and values.shape[0] == 1:
        return values[0]
    if values.ndim != 3:
        raise InputRefusedError(
            "format-unsupported",
            found=f"The {shown(path)} has {values.shape[0]} phases.",
            expected="One 3-D image.",
            cause="It is a dynamic series.",
            cure="Read it with spinekit.read_series() and take a phase.",
        )
    return values


def _missing(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "path-missing",
        found=f"There is nothing at the path that was given ({shown(path)}).",
        expected="A file or folder that exists.",
        cause="The path may be misspelt, or a drive is not mounted.",
        cure="Check the path.",
    )


def _foreign(path: Path, cure: str) -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found=f"The {shown(path)} is of a format that is not read.",
        expected="DICOM, NIfTI or NRRD; for a single image also MetaImage.",
        cause="Formats that do not say where left and right are, or that lose values, are not guessed at.",
        cure=cure,
    )


def _from_dicom(
    source: Path | list[Path], times_s: Sequence[float] | None, series: str | None, reading: Reading, name: str
) -> DynamicSeries:
    from spinekit.io.dicom import read_dicom_series
    from spinekit.io.sources import list_sources

    return read_dicom_series(
        list_sources(source),
        times_s=times_s,
        choose=series,
        drop_incomplete=reading.drop_incomplete_last_phase,
        name=name,
    )


def _require_phases(n_phases: int) -> tuple[str, ...]:
    if n_phases < 2:
        raise InputRefusedError(
            "too-few-phases",
            found=f"The image has {n_phases} phase.",
            expected="At least 2 phases, and 3 for maps over time.",
            cause="It is a single volume.",
            cure="Give the whole series; a single volume is read with spinekit.read_volume().",
        )
    if n_phases < 3:
        return (coded_warning("too-few-phases", "Two phases give an enhancement image, but no map over time."),)
    return ()


def _times_missing(what: str) -> InputRefusedError:
    return InputRefusedError(
        "times-missing",
        found=f"{what}",
        expected="The time of each phase in seconds.",
        cause="The format keeps no phase times, or they were lost in a conversion.",
        cure='Give times_s=[...], or lay a JSON beside the file, of the same name: {"times_s": [0, 12.5, 25]}.',
    )


def _thin(n_slices: int) -> tuple[str, ...]:
    return () if n_slices >= 3 else (thin_slab(n_slices),)


def _from_nifti(path: Path, times_s: Sequence[float] | None, reading: Reading, name: str) -> DynamicSeries:
    from spinekit.io.nifti import read_nifti, times_beside

    content = read_nifti(path, reading=reading)
    if content.values.ndim == 3:
        _require_phases(1)
    beside = times_beside(path) if times_s is None else None
    times = times_s if times_s is not None else beside
    if times is None:
        raise _times_missing(
            f"The {shown(path)} has {content.values.shape[0]} phases and no times; its pixdim[4] is "
            f"{content.step_s:g}, which may be the time of a phase, TR, 0 or 1."
        )
    told = (*content.warnings, *_require_phases(content.values.shape[0]), *_thin(content.geometry.size[2]))
    return DynamicSeries(
        content.values,
        np.asarray(times, dtype=np.float64),
        content.geometry,
        "times_s" if times_s is not None else "JSON beside the file",
        told,
        name=name,
        sources={"file-00001": hash_file(path)},
        record={"format": "NIfTI"} | simulated_record(content.simulated),
    )


def _from_nifti_list(paths: list[Path], times_s: Sequence[float] | None, reading: Reading, name: str) -> DynamicSeries:
    from spinekit.io.nifti import read_nifti

    for path in paths:
        if not path.is_file():
            raise _missing(path)
    if len(paths) == 1:
        return _from_nifti(paths[0], times_s, reading, name)
    if times_s is None:
        raise _times_missing(f"{len(paths)} files were given as phases, without times.")
    told: list[str] = list(_require_phases(len(paths)))
    first = read_nifti(paths[0], reading=reading)
    simulated = first.simulated
    signal = np.empty((len(paths), *first.geometry.shape_zyx), dtype=np.float32)
    for t, path in enumerate(paths):
        content = first if t == 0 else read_nifti(path, reading=reading)
        require_same_grid(content.geometry, first.geometry, names=(f"phase {t + 1}", "first phase"))
        signal[t] = _single(content.values, path)
        told += content.warnings
        simulated &= content.simulated
    return DynamicSeries(
        signal,
        np.asarray(times_s, dtype=np.float64),
        first.geometry,
        "times_s",
        tuple(dict.fromkeys((*told, *_thin(first.geometry.size[2])))),
        name=name,
        sources={f"file-{n:05d}": hash_file(p) for n, p in enumerate(paths, start=1)},
        record={"format": "NIfTI, one file per phase"} | simulated_record(simulated),
    )


def _from_nrrd(path: Path, times_s: Sequence[float] | None, reading: Reading, name: str) -> DynamicSeries:
    from spinekit.io.nrrd import read_nrrd

    content = read_nrrd(path, accept_missing_space=reading.accept_missing_form, dtype=np.float32)
    if content.values.ndim == 3:
        _require_phases(1)
    times = times_s if times_s is not None else content.times_s
    if times is None:
        raise _times_missing(f"The header of the {shown(path)} tells no frame times in s or ms.")
    series = DynamicSeries(
        content.values,
        np.asarray(times, dtype=np.float64),
        content.geometry,
        "times_s" if times_s is not None else "NRRD header",
        (*_require_phases(content.values.shape[0]), *_thin(content.geometry.size[2])),
        Acquisition(**content.protocol()),
        name=name,
        sources={"file-00001": hash_file(path)},
        record={"format": "NRRD"},
    )
    bad = sum(int(phase.size - np.count_nonzero(np.isfinite(phase))) for phase in series.signal)
    if bad:
        text = coded_warning("not-finite", f"{bad} values are NaN or infinite; they were kept.")
        return replace(series, warnings=(*series.warnings, text))
    return series
