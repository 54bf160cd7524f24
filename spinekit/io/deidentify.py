"""A DICOM series that may leave: the basic profile of PS3.15, with dates shifted and intervals of time kept.

What the rules of the standard do is done by dicom-anonymizer. Three things are added: pseudonyms, UIDs and days are
derived from a secret key, so that all files of a patient agree; dates are moved by the same number of days; and of the
free text that the profile leaves, only what is needed to read the images stays.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.io.deidentify_rules import Key, clean_dataset
from spinekit.io.dicom_parse import bytes_of, parse, refused_kind
from spinekit.io.dicom_tags import number_of
from spinekit.io.sources import FileSource, list_sources

__all__ = ["Deidentified", "Key", "deidentify_series", "read_key"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Deidentified:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
        ``<pseudonym>/series-NN/image-NNNNN.dcm``; series and images are counted in the order of their numbers.
    left_out : mapping of str to int
        What could not be cleaned with certainty, by its reason, and how many files of it.
    labelled : bool
        Whether the files say that the patient's identity was removed. They do not where nobody knows whether
        the pixels show a name.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, int]
    labelled: bool


def read_key(path: PathLike | None) -> Key:
    """Return the key of a file, which is made with a random one if it is not there; None gives a key for once.

    With the same key the same patient gets the same pseudonym, UIDs and shift of dates in a later call. Who has the
    key and a list of patients can tell who is who: keep it inside the hospital.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` if the file holds fewer than 16 bytes; ``file-unreadable``.
    """
    if path is None:
        return Key(secrets.token_bytes(32))
    file = Path(path)
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(32) + "\n")
        secret = file.read_bytes().strip()
    except OSError as reason:
        raise InputRefusedError(
            "file-unreadable",
            found=f"The key file could not be opened: {reason.strerror or reason}.",
            expected="A file that can be read, or a folder in which it can be made.",
            cause="Rights may be missing.",
            cure="Choose another place with --key-file.",
        ) from reason
    if len(secret) < 16:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The key file holds {len(secret)} bytes.",
            expected="At least 16 random bytes.",
            cause="Another file may have been given, or it was emptied.",
            cure="Give a path where nothing lies; a key is made there.",
        )
    return Key(secret)


def deidentify_series(
    source: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    key: Key | None = None,
    pixels_checked: bool = False,
) -> Deidentified:
    """Write a copy of DICOM images without what identifies the patient.

    Parameters
    ----------
    source : path or list of paths
        Folder, .zip or files of one patient. Images only: reports, secondary captures and colour pictures are left
        out, since their contents cannot be cleaned with certainty.
    out : path
        A folder that is not there or empty.
    key : Key, optional
        See `read_key`; a random one for this call if not given.
    pixels_checked : bool
        A person has looked and no image shows a name. Without this, images marked BurnedInAnnotation YES are left
        out, and unless all are marked NO the copy does not claim to be de-identified.

    Returns
    -------
    Deidentified

    Raises
    ------
    InputRefusedError
        ``no-image``, ``patients-mixed``, ``output-exists``, and what opening files refuses.

    References
    ----------
    .. [1] DICOM PS3.15 E.2, Basic Application Level Confidentiality Profile, with the option Retain
       Longitudinal Temporal Information With Modified Dates.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputRefusedError(
            "output-exists",
            found="The folder for the copy holds something already.",
            expected="A folder that is not there, or is empty.",
            cause="An earlier copy may lie there.",
            cure="Choose another folder with --out; nothing was changed in this one.",
        )
    secret = key or read_key(None)
    left_out: Counter[str] = Counter()
    images: list[_Image] = []
    for each in list_sources(source):
        found = _look_at(each, secret, pixels_checked=pixels_checked)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            images.append(found)
    if not images:
        raise _nothing_left(left_out)
    labelled = pixels_checked or all(image.burned_in == "NO" for image in images)
    names = _names(images)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".deidentified.tmp-", dir=target.parent))
    try:
        for each, name in names.items():
            cleaned = clean_dataset(_opened(each), secret, labelled=labelled)
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            cleaned.save_as(beside / name, enforce_file_format=True)
        beside.chmod(0o755)
        if target.exists():
            target.rmdir()
        os.replace(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Deidentified(tuple(target / name for name in names.values()), dict(left_out), labelled)


@dataclass(frozen=True)
class _Image:
    """What decides where a file goes: `place` is study, number and UID of the series, number of the image, label."""

    source: FileSource
    pseudonym: str
    burned_in: str
    place: tuple[str, int, str, int, str]


def _opened(source: FileSource) -> Any:
    return parse(bytes_of(source), source.label)


def _look_at(source: FileSource, key: Key, *, pixels_checked: bool) -> _Image | str:
    """Return what is needed of an image, or why the file stays here."""
    dataset = _opened(source)
    reason = "no DICOM image" if dataset is None else refused_kind(dataset)
    if reason:
        return reason
    burned_in = str(dataset.get("BurnedInAnnotation", "") or "").strip().upper()
    if burned_in == "YES" and not pixels_checked:
        return "text burned into the pixels"
    study, series = (str(dataset.get(f"{name}InstanceUID", "")) for name in ("Study", "Series"))
    numbers = [number_of(dataset, name, 0) for name in ("SeriesNumber", "InstanceNumber")]
    of_series, of_image = (int(n) if math.isfinite(n) else 0 for n in numbers)
    return _Image(source, key.pseudonym(dataset), burned_in, (study, of_series, series, of_image, source.label))


def _names(images: Sequence[_Image]) -> dict[FileSource, Path]:
    """Return where each file goes; series and images are counted, so that no name of the source stays."""
    patients = {image.pseudonym for image in images}
    if len(patients) > 1:
        raise InputRefusedError(
            "patients-mixed",
            found=f"The files belong to {len(patients)} patients.",
            expected="One patient.",
            cause="Two exports may have gone to one folder.",
            cure="Put each patient's files into a folder of its own.",
        )
    ordered = sorted(images, key=lambda image: image.place)
    series = {found: n for n, found in enumerate(dict.fromkeys(image.place[:3] for image in ordered), start=1)}
    names: dict[FileSource, Path] = {}
    counts: Counter[int] = Counter()
    for image in ordered:
        number = series[image.place[:3]]
        counts[number] += 1
        names[image.source] = Path(image.pseudonym, f"series-{number:02d}", f"image-{counts[number]:05d}.dcm")
    return names


def _nothing_left(left_out: Mapping[str, int]) -> InputRefusedError:
    found = ", ".join(f"{count} × {reason}" for reason, count in left_out.items()) or "no file"
    return InputRefusedError(
        "no-image",
        found=f"There is no image that may go ({found}).",
        expected="MR or CT images without text in their pixels.",
        cause="The folder may hold reports or screenshots only, or all images carry burned-in text.",
        cure="Give the folder of the series; if you have looked at the pixels yourself, say so with --pixels-checked.",
    )
