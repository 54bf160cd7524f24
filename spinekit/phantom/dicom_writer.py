"""Write a dynamic series as DICOM, as one of the vendors does, sound or with a named defect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.io.simulated import DICOM_MARKS
from spinekit.phantom.dicom_writer_defects import PLANE_DEFECTS
from spinekit.phantom.dicom_writer_files import classic_dataset, enhanced_dataset
from spinekit.phantom.dicom_writer_flavours import FLAVOURS, Flavour, instance_numbers
from spinekit.phantom.dicom_writer_mosaic import NOT_IN_A_MOSAIC, mosaic_plane, tell_tiles
from spinekit.phantom.dicom_writer_planes import Plane, planes_of, quantised, step_of

if TYPE_CHECKING:
    from spinekit.case import DynamicSeries

__all__ = ["DEFECTS", "FLAVOURS", "quantised", "write_dicom"]


def _halved(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def _cut_header(data: bytes) -> bytes:
    return data[:400]


def _with_comma(data: bytes) -> bytes:
    """Return a file whose first pixel spacing has a decimal comma; the length stays."""
    at = data.index(b"\x28\x00\x30\x00DS") + 8
    point = data.index(b".", at)
    return data[:point] + b"," + data[point + 1 :]


def _without_preamble(data: bytes) -> bytes:
    import io

    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data))
    del dataset.file_meta
    stream = io.BytesIO()
    dataset.save_as(stream, implicit_vr=True, little_endian=True)
    return stream.getvalue()


def _with_rows(factor: float) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        at = data.index(b"\x28\x00\x10\x00US\x02\x00") + 8
        rows = int(int.from_bytes(data[at : at + 2], "little") * factor)
        return data[:at] + rows.to_bytes(2, "little") + data[at + 2 :]

    return changed


# in words; whether it befalls every file or the one in the middle; what becomes of the bytes
FILE_DEFECTS: dict[str, tuple[str, bool, Callable[[bytes], bytes]]] = {
    "truncated-pixels": ("one file ends before its pixels do", False, _halved),
    "truncated-header": ("one file ends in its header", False, _cut_header),
    "decimal-comma": ("the pixel spacing of one file has a decimal comma", False, _with_comma),
    "too-many-rows": ("one file promises more rows than it holds", False, _with_rows(2.0)),
    "too-few-rows": ("one file promises fewer rows than it holds", False, _with_rows(0.5)),
    "no-preamble": ("the files have no preamble and are implicit little endian", True, _without_preamble),
}
EXTRA_FILES = {"junk": "a note, an empty file and random bytes lie among the images"}
DEFECTS = {
    **{name: words for name, (words, _) in PLANE_DEFECTS.items()},
    **{name: words for name, (words, _, _) in FILE_DEFECTS.items()},
    **EXTRA_FILES,
}


def write_dicom(
    series: DynamicSeries,
    folder: str | os.PathLike[str],
    *,
    flavour: str = "siemens",
    defects: str | Iterable[str] = (),
    patient: str = "",
    series_number: int = 0,
    description: str = "simulated dynamic",
) -> list[Path]:
    """Write a dynamic series as DICOM; the same arguments give the same bytes.

    Parameters
    ----------
    series : DynamicSeries
        Finite signal. Stored in 16 bits: a reader gets `quantised` of it, whole numbers unchanged.
    folder : path
        Made where it is missing; files in it are kept.
    flavour : str
        A key of `FLAVOURS`.
    defects : str or iterable of str
        Keys of `DEFECTS`, applied in this order. A defect that touches one phase or position touches the middle one.
    patient : str
        Pseudonym that becomes PatientID; series of one patient share study and frame of reference. Without it
        the UIDs are made from flavour and grid.
    series_number : int
        Tells further series of the patient apart; 0 is the dynamic one.
    description : str
        SeriesDescription.

    Returns
    -------
    list of Path
        The files, in the order they were written.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` for a flavour or defect that is not there.

    Notes
    -----
    Slices of the flavour "siemens" carry times of their own; the first of a phase has the phase's time.
    Patient tags say "Simulated"; nothing of the series' own name is written. A series whose record says that it is
    simulated also gets the marks by which readers know it again, de-identified or not.

    Examples
    --------
    >>> import tempfile
    >>> from spinekit.case import DynamicSeries
    >>> from spinekit.geometry import Geometry
    >>> signal = [[[[1.0, 7.0]]], [[[2.0, 9.0]]]]
    >>> series = DynamicSeries(signal, [0, 30], Geometry((2, 1, 1), (1, 1, 1)), "times_s")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_dicom(series, folder, flavour="canon")]
    ['image-00001.dcm', 'image-00002.dcm']
    """
    wanted = [defects] if isinstance(defects, str) else list(defects)
    style = FLAVOURS[_known(flavour, FLAVOURS, "flavour")]
    possible = [name for name in DEFECTS if style.files != "mosaic" or name not in NOT_IN_A_MOSAIC]
    planes = [replace(plane, series=series_number) for plane in planes_of(series)]
    for name in wanted:
        if _known(name, possible, "defect") in PLANE_DEFECTS:
            planes = PLANE_DEFECTS[name][1](planes)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    datasets = _datasets(planes, style, series, patient)
    for dataset in datasets:
        dataset.SeriesDescription = description
        for keyword, value in DICOM_MARKS.items() if series.record.get("simulated") else ():
            setattr(dataset, keyword, value)
        if patient:
            dataset.PatientID, dataset.PatientName = patient, f"Simulated^{patient}"
    paths = [target / f"image-{n:05d}.dcm" for n in range(1, len(datasets) + 1)]
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    for name in wanted:
        _befall(name, paths)
    return paths + (_junk(target) if "junk" in wanted else [])


def _known(name: str, choices: Iterable[str], what: str) -> str:
    if name in choices:
        return name
    raise InputRefusedError(
        "choice-unknown",
        found=f"The {what} '{name}' was asked for.",
        expected=f"One of {', '.join(choices)}.",
        cause="The name may be misspelt.",
        cure="Choose one of those that are there.",
    )


def _datasets(planes: Sequence[Plane], flavour: Flavour, series: DynamicSeries, patient: str) -> list[Any]:
    """Return the datasets in the order of their files."""
    common: dict[str, Any] = {
        "key": patient or f"{flavour.says} {series.geometry.describe()}",
        "flavour": flavour,
        "acquisition": series.acquisition,
        "step": step_of(series),
        "n_phases": series.n_phases,
    }
    numbers = instance_numbers(planes, flavour)
    if flavour.files == "classic":
        return [classic_dataset(plane, number, **common) for plane, number in zip(planes, numbers, strict=True)]
    if flavour.files == "mosaic":
        return _mosaics(planes, common)
    parts: dict[tuple[int, ...], list[Plane]] = {}
    single = [plane for plane in planes if "SOPClassUID" in plane.tags]  # of a class that has no frames
    for _, plane in sorted(zip(numbers, planes, strict=True), key=lambda pair: pair[0]):
        if "SOPClassUID" in plane.tags:
            continue
        shared = (plane.patient, plane.study, plane.series, plane.frame_of_reference, *plane.values.shape)
        parts.setdefault((*shared, plane.phase if flavour.files == "frames per phase" else 0), []).append(plane)
    made = [enhanced_dataset(part, number, **common) for number, part in enumerate(parts.values(), start=1)]
    return made + [classic_dataset(plane, number, **common) for number, plane in enumerate(single, start=1)]


def _mosaics(planes: Sequence[Plane], common: dict[str, Any]) -> list[Any]:
    """Return one picture per phase; planes of another type of image make pictures of their own."""
    phases: dict[tuple[Any, ...], list[Plane]] = {}
    for plane in planes:
        phases.setdefault((plane.phase, plane.copy, str(plane.tags.get("ImageType", ""))), []).append(plane)
    datasets = []
    for number, part in enumerate(phases.values(), start=1):
        whole = mosaic_plane(part)
        datasets.append(classic_dataset(whole, number, **common))
        tell_tiles(datasets[-1], part)
    return datasets


def _befall(name: str, paths: Sequence[Path]) -> None:
    if name not in FILE_DEFECTS:
        return
    _, every, change = FILE_DEFECTS[name]
    for path in paths if every else [paths[len(paths) // 2]]:
        path.write_bytes(change(path.read_bytes()))


def _junk(folder: Path) -> list[Path]:
    contents = {"notes.txt": b"coil 4 was noisy\n", "empty.dcm": b"", "thumbs.db": bytes(range(256)) * 8}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]
