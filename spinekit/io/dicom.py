"""Dynamic series and volumes from DICOM: choose the series, order it, decode it into one array."""

from __future__ import annotations

import warnings as python_warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.geometry import Geometry
from spinekit.io.dicom_choice import choose_slices, too_few_phases
from spinekit.io.dicom_grid import grid_of, group_by_position, require_phases_on_one_grid
from spinekit.io.dicom_headers import Headers, Slice, read_headers
from spinekit.io.dicom_mosaic import cut, require_empty_remainder
from spinekit.io.dicom_order import Ordered, order_phases
from spinekit.io.dicom_parse import opened
from spinekit.io.dicom_pixels import stored_frames
from spinekit.io.notes import thin_slab
from spinekit.io.simulated import simulated_record
from spinekit.io.sources import FileSource

__all__ = ["Arranged", "arrange", "open_dataset", "read_dicom_series", "read_dicom_volume"]


@dataclass(frozen=True)
class Arranged:
    """The slices of the chosen series, their grid and their order, before any pixel is decoded."""

    slices: tuple[Slice, ...]
    geometry: Geometry
    ordered: Ordered
    told: tuple[str, ...]


def arrange(headers: Headers, *, choose: str | None, drop_incomplete: bool) -> Arranged:
    """Choose the dynamic series, hold its grid against a rectangular one, and order its phases.

    Raises
    ------
    InputRefusedError
        What `choose_slices`, `grid_of` and `order_phases` refuse.
    """
    slices, told = choose_slices(headers, choose)
    groups = group_by_position(slices)
    require_phases_on_one_grid(groups)
    geometry = grid_of(groups)
    ordered = order_phases(groups, same_pixels=_same_pixels, drop_incomplete=drop_incomplete)
    return Arranged(tuple(slices), geometry, ordered, tuple(told))


def read_dicom_series(
    sources: Sequence[FileSource],
    *,
    times_s: Sequence[float] | None,
    choose: str | None,
    drop_incomplete: bool,
    name: str,
) -> DynamicSeries:
    """Read a dynamic series; see `spinekit.io.read_series`."""
    headers = read_headers(sources)
    found = arrange(headers, choose=choose, drop_incomplete=drop_incomplete)
    slices, geometry, ordered = found.slices, found.geometry, found.ordered
    n_phases = len(ordered.table[0])
    if n_phases < 2:
        raise too_few_phases(n_phases)
    times, time_source = _decide_times(ordered, times_s, n_phases)
    _require_true_size(slices)
    signal = np.empty((n_phases, *geometry.shape_zyx), dtype=np.float32)
    _fill(signal, ordered.table)
    record = {
        "format": "DICOM",
        "phases_ordered_by": ordered.ordered_by,
        "other_tags_that_agree": list(ordered.also_present),
        "files": len({s.source.label for s in slices}),
        "set_aside": dict(headers.set_aside),
        "philips_private_scale": any(s.private_scale is not None for s in slices),
        **({"siemens_mosaic": True} if any(s.tile is not None for s in slices) else {}),
        **simulated_record(all(s.simulated for s in slices)),
    }
    return DynamicSeries(
        signal,
        times,
        geometry,
        time_source,
        (*found.told, *ordered.warnings, *_general_warnings(headers, slices, geometry.size[2], n_phases)),
        Acquisition(**headers.protocols[slices[0].series_uid]),
        name,
        {s.source.label: headers.hashes[s.source.label] for s in slices},
        record,
    )


def read_dicom_volume(sources: Sequence[FileSource], *, choose: str | None, name: str) -> Volume:
    """Read a single volume; refused where the files hold several phases or series."""
    headers = read_headers(sources)
    slices, _ = choose_slices(headers, choose, phases=1)
    groups = group_by_position(slices)
    geometry = grid_of(groups)
    if any(len(group) > 1 for group in groups):
        raise InputRefusedError(
            "series-ambiguous",
            found=f"There are up to {max(len(g) for g in groups)} images at one position.",
            expected="One image per position.",
            cause="It is a dynamic series, or an image with several echoes.",
            cure="Read it with spinekit.read_series() and take a phase.",
        )
    _require_true_size(slices)
    values = np.empty((1, *geometry.shape_zyx), dtype=np.float32)
    _fill(values, tuple(tuple(g) for g in groups))
    return Volume(values[0], geometry, name)


def _decide_times(ordered: Ordered, times_s: Sequence[float] | None, n_phases: int) -> tuple[np.ndarray, str]:
    if times_s is not None:
        return np.asarray(times_s, dtype=np.float64), "times_s"
    if ordered.times_s is not None:
        return np.asarray(ordered.times_s, dtype=np.float64), ordered.time_source
    if ordered.no_times is not None:
        raise ordered.no_times
    raise InputRefusedError(
        "times-missing",
        found=f"The series has {n_phases} phases, ordered by {ordered.ordered_by}, and no tag that tells their times.",
        expected="AcquisitionTime, TriggerTime, ContentTime or a temporal position with its offset.",
        cause="Anonymisation often removes the times.",
        cure="Give them with times_s=[...] (seconds of each phase), or --times on the command line.",
    )


def _general_warnings(headers: Headers, slices: Sequence[Slice], n_slices: int, n_phases: int) -> Iterator[str]:
    if headers.set_aside:
        aside = "; ".join(f"{n} × {what}" for what, n in sorted(headers.set_aside.items()))
        yield coded_warning("set-aside", f"Files that are no measured image were left out: {aside}.")
    if any(s.inverted for s in slices):
        yield coded_warning("inverted", "MONOCHROME1: the grey values were inverted.")
    if n_slices < 3:
        yield thin_slab(n_slices)
    if n_phases < 3:
        yield coded_warning("too-few-phases", "Two phases give an enhancement image, but no map over time.")


def _require_true_size(slices: Sequence[Slice]) -> None:
    """Decode one image of those that are packed, whose size the header alone tells, before the array is made.

    Raises
    ------
    InputRefusedError
        ``file-truncated`` if it is not as large as the header says; ``codec-missing``.
    """
    packed = [s for s in slices if s.pixels is not None and s.pixels.in_items]
    if packed:
        s = max(packed, key=lambda s: (s.pixels.length if s.pixels else 0, -(s.frame or 0)))
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            next(stored_frames(s, [s.frame or 0]))


def _fill(signal: np.ndarray, table: Sequence[Sequence[Slice]]) -> None:
    """Decode every image into its place, each with its own slope, file by file and frame by frame."""
    places: dict[str, dict[int, list[tuple[Slice, int, int]]]] = defaultdict(lambda: defaultdict(list))
    for z, row in enumerate(table):
        for t, s in enumerate(row):
            places[s.source.label][s.frame or 0].append((s, t, z))
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # odd values were judged when the header was read
        for of_file in places.values():
            for frame, stored in stored_frames(next(iter(of_file.values()))[0][0], of_file):
                picture = _picture(stored, of_file[frame][0][0])
                for s, t, z in of_file[frame]:
                    signal[t, z] = _scaled(picture, s)


def open_dataset(s: Slice) -> Any:
    """Return the whole dataset of the file that a slice lies in."""
    import pydicom

    with python_warnings.catch_warnings(), opened(s.source) as stream:
        python_warnings.simplefilter("ignore")  # odd values were judged when the header was read
        dataset = pydicom.dcmread(stream, force=True)
        if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return dataset


def _picture(stored: np.ndarray, s: Slice) -> np.ndarray:
    """Return the stored values of an image (Y, X); of a slice in a mosaic, the whole mosaic."""
    if s.tile is None:
        return np.asarray(stored).reshape(s.shape)
    require_empty_remainder(stored, s.tile, s.source.label)
    return stored


def _scaled(picture: np.ndarray, s: Slice) -> np.ndarray:
    """Return one image in the scanner's units; the slope is applied in double and rounded once to float32."""
    values = (picture if s.tile is None else cut(picture, s.tile)).astype(np.float64)
    if s.inverted and s.pixels is not None and s.pixels.options is not None:
        told = s.pixels.options
        values = (-1.0 if told["pixel_representation"] else 2.0 ** int(told["bits_stored"]) - 1.0) - values
    values *= s.slope
    values += s.intercept
    return values.astype(np.float32)


def _same_pixels(one: Slice, other: Slice) -> bool:
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        (a, b) = (
            _scaled(_picture(stored, s), s) for s in (one, other) for _, stored in stored_frames(s, [s.frame or 0])
        )
    return a.shape == b.shape and bool((a == b).all())
