"""Dynamic series and volumes from DICOM: choose the series, order it, decode it into one array."""

from __future__ import annotations

import io
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
from spinekit.io.notes import thin_slab
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


def _fill(signal: np.ndarray, table: Sequence[Sequence[Slice]]) -> None:
    """Decode every image into its place, each with its own slope, file by file."""
    places = defaultdict(list)
    for z, row in enumerate(table):
        for t, s in enumerate(row):
            places[s.source.label].append((s, t, z))
    for wanted in places.values():
        dataset = open_dataset(wanted[0][0])
        mosaic = _stored(dataset, wanted[0][0]) if wanted[0][0].tile is not None else None
        for s, t, z in wanted:
            signal[t, z] = _scaled(dataset, s, _stored(dataset, s) if mosaic is None else mosaic)


def open_dataset(s: Slice) -> Any:
    """Return the whole dataset of the file that a slice lies in."""
    import pydicom

    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # odd values were judged when the header was read
        held = io.BytesIO(s.source.read()) if s.source.member else s.source.path  # a file is read once, not copied
        dataset = pydicom.dcmread(held, force=True)
        if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return dataset


def _stored(dataset: Any, s: Slice) -> np.ndarray:
    """Return the stored values of an image; of a slice in a mosaic, the whole mosaic."""
    from pydicom.pixels.utils import pixel_array

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            values = pixel_array(dataset, index=s.frame if s.frame is not None else 0, raw=True)
    except (RuntimeError, NotImplementedError, ImportError) as reason:
        raise _undecoded(dataset, s, reason) from reason
    except (ValueError, AttributeError, EOFError) as reason:
        raise _damaged_pixels(s, reason) from reason
    if s.tile is None:
        return np.asarray(values).reshape(s.shape)
    mosaic = np.asarray(values).reshape(int(dataset.Rows), int(dataset.Columns))
    require_empty_remainder(mosaic, s.tile, s.source.label)
    return mosaic


def _undecoded(dataset: Any, s: Slice, reason: Exception) -> InputRefusedError:
    """Return whether a codec is missing or the compressed pixels are damaged."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        if get_decoder(syntax).is_available:
            return _damaged_pixels(s, reason)
    except NotImplementedError:  # pydicom knows no decoder for it at all
        pass
    return InputRefusedError(
        "codec-missing",
        found=f"{s.source.label} is compressed as {getattr(syntax, 'name', 'unknown')} and could not be decoded.",
        expected="A codec: pylibjpeg with pylibjpeg-libjpeg, pylibjpeg-openjpeg and pylibjpeg-rle.",
        cause="The package is not installed.",
        cure="Run 'spinekit doctor'; or export the series uncompressed.",
    )


def _damaged_pixels(s: Slice, reason: Exception) -> InputRefusedError:
    lines = str(reason).splitlines() or ["they end too early"]
    return InputRefusedError(
        "file-truncated",
        found=f"The pixels of {s.source.label} cannot be decoded: {lines[0].rstrip('.')}.",
        expected="Complete pixels.",
        cause="The transfer was interrupted.",
        cure="Send the series again from the archive.",
    )


def _scaled(dataset: Any, s: Slice, stored: np.ndarray) -> np.ndarray:
    """Return one image in the scanner's units; the slope is applied in double and rounded once to float32."""
    values = (stored if s.tile is None else cut(stored, s.tile)).astype(np.float64)
    if s.inverted:
        signed = int(dataset.get("PixelRepresentation", 0))
        values = (-1.0 if signed else 2.0 ** int(dataset.BitsStored) - 1.0) - values
    return (values * s.slope + s.intercept).astype(np.float32)


def _same_pixels(one: Slice, other: Slice) -> bool:
    datasets = open_dataset(one), open_dataset(other)
    a, b = (_scaled(d, s, _stored(d, s)) for d, s in zip(datasets, (one, other), strict=True))
    return a.shape == b.shape and bool((a == b).all())
