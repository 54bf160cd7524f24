"""Dynamic series and volumes from DICOM: choose the series, order it, decode it into one array."""

from __future__ import annotations

import io
import warnings as python_warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spinekit.case import Acquisition, DynamicSeries, Volume
from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_grid import grid_of, group_by_position
from spinekit.io.dicom_headers import Headers, Slice, read_headers
from spinekit.io.dicom_order import Ordered, order_phases
from spinekit.io.sources import FileSource

__all__ = ["read_dicom_series", "read_dicom_volume"]

SAME_DIRECTION = 1e-3  # cosines of one series differ by rounding only


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
    slices, told = _choose(headers, choose)
    groups = group_by_position(slices)
    geometry = grid_of(groups)
    ordered = order_phases(groups, same_pixels=_same_pixels, drop_incomplete=drop_incomplete)
    n_phases = len(ordered.table[0])
    if n_phases < 2:
        raise _too_few(n_phases)
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
    }
    return DynamicSeries(
        signal,
        times,
        geometry,
        time_source,
        (*told, *ordered.warnings, *_general_warnings(headers, slices, geometry.size[2], n_phases)),
        Acquisition(**headers.protocols[slices[0].series_uid]),
        name,
        {s.source.label: headers.hashes[s.source.label] for s in slices},
        record,
    )


def read_dicom_volume(sources: Sequence[FileSource], *, choose: str | None, name: str) -> Volume:
    """Read a single volume; refused where the files hold several phases or series."""
    headers = read_headers(sources)
    slices, _ = _choose(headers, choose, wanted_phases=1)
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


def _too_few(n_phases: int) -> InputRefusedError:
    return InputRefusedError(
        "too-few-phases",
        found=f"The series has {n_phases} phase.",
        expected="At least 2 phases, and 3 for maps over time.",
        cause="Only one phase was exported, or the phases lie in several series of different geometry.",
        cure="Export all phases; a single volume is read with spinekit.read_volume().",
    )


def _decide_times(ordered: Ordered, times_s: Sequence[float] | None, n_phases: int) -> tuple[np.ndarray, str]:
    if times_s is not None:
        return np.asarray(times_s, dtype=np.float64), "times_s"
    if ordered.times_s is not None:
        return np.asarray(ordered.times_s, dtype=np.float64), ordered.time_source
    if ordered.ordered_by.endswith("Time"):
        raise InputRefusedError(
            "times-equal",
            found=f"{ordered.ordered_by} is the same for two or more of the {n_phases} phases.",
            expected="A time of its own for every phase.",
            cause="A clock with whole seconds or minutes, or a tag that was copied from phase to phase.",
            cure="Give the true times with times_s=[...].",
        )
    raise InputRefusedError(
        "times-missing",
        found=f"The series has {n_phases} phases, ordered by {ordered.ordered_by}, and no tag that tells their times.",
        expected="AcquisitionTime, TriggerTime, ContentTime or a temporal position with its offset.",
        cause="Anonymisation often removes the times.",
        cure="Give them with times_s=[...] (seconds of each phase), or --times on the command line.",
    )


def _choose(headers: Headers, choose: str | None, wanted_phases: int = 2) -> tuple[list[Slice], list[str]]:
    """Return the slices of the one series that is meant, and what has to be told about the choice."""
    if not headers.slices:
        aside = "; ".join(f"{n} × {what}" for what, n in headers.set_aside.items()) or "nothing at all"
        raise InputRefusedError(
            "no-image",
            found=f"No MR or CT image was found; there is {aside}.",
            expected="DICOM images of a dynamic series.",
            cause="The folder may hold reports, a DICOMDIR or derived images only.",
            cure="Point to the folder that holds the images.",
        )
    slices = [s for s in headers.slices if choose is None or _asked_for(s, choose)]
    if not slices:
        numbers = ", ".join(sorted({s.series_number or "without number" for s in headers.slices}))
        raise InputRefusedError(
            "series-unknown",
            found=f"No series fits '{choose}'; there are series {numbers}.",
            expected="A series number, a series UID, or part of a description.",
            cause="The number may belong to another study.",
            cure="Choose one of the series that are named.",
        )
    stacks = _stacks(slices)
    if wanted_phases == 1:
        if len(stacks) > 1:
            raise _ambiguous(stacks)
        return next(iter(stacks.values())), []
    several = {key: stack for key, stack in stacks.items() if _phases(stack) >= 2}
    if not several:
        several = _join(stacks)
    best = max((_phases(stack) for stack in several.values()), default=0)
    timed = {key: stack for key, stack in several.items() if _phases(stack) >= min(3, best)}
    if len(timed) > 1:
        raise _ambiguous(timed)
    if not timed:
        raise _too_few(1)
    chosen = next(iter(timed.values()))
    return chosen, _told(chosen, stacks, choose)


def _asked_for(s: Slice, choose: str) -> bool:
    return choose in (s.series_uid, s.series_number) or (
        not choose.isdigit() and choose.lower() in s.description.lower()
    )


def _stacks(slices: Sequence[Slice]) -> dict[tuple[str, int], list[Slice]]:
    """Return the slices by series and orientation; a localizer among them becomes a stack of its own."""
    stacks: dict[tuple[str, int], list[Slice]] = defaultdict(list)
    seen: dict[str, list[np.ndarray]] = defaultdict(list)
    for s in slices:
        cosines = np.asarray(s.orientation)
        known = seen[s.series_uid]
        index = next((n for n, c in enumerate(known) if np.abs(c - cosines).max() < SAME_DIRECTION), len(known))
        if index == len(known):
            known.append(cosines)
        stacks[(s.series_uid, index)].append(s)
    return dict(stacks)


def _phases(stack: Sequence[Slice]) -> int:
    return max(len(group) for group in group_by_position(stack))


def _join(stacks: Mapping[tuple[str, int], list[Slice]]) -> dict[tuple[str, int], list[Slice]]:
    """Join series of one phase each, where study, frame of reference and grid agree."""
    joined: dict[Any, list[Slice]] = defaultdict(list)
    for stack in stacks.values():
        first = stack[0]
        places = tuple(np.round([g[0].position for g in group_by_position(stack)], 1).ravel())
        shape = (first.shape, tuple(np.round(first.spacing, 4)), tuple(np.round(first.orientation, 3)))
        joined[(first.study_uid, first.frame_of_reference, shape, places)].extend(stack)
    return {(f"joined-{n}", 0): stack for n, stack in enumerate(joined.values()) if _phases(stack) >= 2}


def _in_words(stack: Sequence[Slice]) -> str:
    numbers = sorted({s.series_number or "without number" for s in stack})
    rows, columns = stack[0].shape
    return f"series {'+'.join(numbers)} ({len(stack)} images of {columns} × {rows}, {_phases(stack)} phases)"


def _ambiguous(stacks: Mapping[tuple[str, int], list[Slice]]) -> InputRefusedError:
    return InputRefusedError(
        "series-ambiguous",
        found=f"Several series fit: {'; '.join(_in_words(s) for s in stacks.values())}.",
        expected="One.",
        cause="The folder holds a whole examination.",
        cure="Choose with series=... or --series: a series number, UID or part of the description.",
    )


def _told(chosen: Sequence[Slice], stacks: Mapping[tuple[str, int], list[Slice]], choose: str | None) -> list[str]:
    taken = {s.series_uid for s in chosen}
    others = [stack for stack in stacks.values() if not any(s is chosen[0] for s in stack)]
    others = [stack for stack in others if len(taken) == 1 or stack[0].series_uid not in taken]
    if not others:
        return []
    rest = "; ".join(_in_words(stack) for stack in others)
    why = "as asked for" if choose else "the only one with several phases"
    return [coded_warning("series-chosen", f"Read {_in_words(chosen)}, {why}. Left out: {rest}.")]


def _general_warnings(headers: Headers, slices: Sequence[Slice], n_slices: int, n_phases: int) -> Iterator[str]:
    if headers.set_aside:
        aside = "; ".join(f"{n} × {what}" for what, n in sorted(headers.set_aside.items()))
        yield coded_warning("set-aside", f"Files that are no measured image were left out: {aside}.")
    if any(s.inverted for s in slices):
        yield coded_warning("inverted", "MONOCHROME1: the grey values were inverted.")
    if n_slices < 3:
        text = (
            f"The series has {n_slices} slices: maps and curves can be computed, 3-D growing and 3-D features cannot."
        )
        yield coded_warning("slab-too-thin", text)
    if n_phases < 3:
        yield coded_warning("too-few-phases", "Two phases give an enhancement image, but no map over time.")


def _fill(signal: np.ndarray, table: Sequence[Sequence[Slice]]) -> None:
    """Decode every image into its place, each with its own slope, file by file."""
    places = defaultdict(list)
    for z, row in enumerate(table):
        for t, s in enumerate(row):
            places[s.source.label].append((s, t, z))
    for wanted in places.values():
        dataset = _open(wanted[0][0])
        for s, t, z in wanted:
            signal[t, z] = _pixels(dataset, s)


def _open(s: Slice) -> Any:
    import pydicom

    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # odd values were judged when the header was read
        dataset = pydicom.dcmread(io.BytesIO(s.source.read()), force=True)
        if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return dataset


def _stored(dataset: Any, s: Slice) -> np.ndarray:
    from pydicom.pixels.utils import pixel_array

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            values = pixel_array(dataset, index=s.frame if s.frame is not None else 0, raw=True)
    except (RuntimeError, NotImplementedError, ImportError) as reason:
        syntax = getattr(dataset.file_meta.TransferSyntaxUID, "name", "unknown")
        raise InputRefusedError(
            "codec-missing",
            found=f"{s.source.label} is compressed as {syntax} and could not be decoded.",
            expected="A codec: pylibjpeg with pylibjpeg-libjpeg, pylibjpeg-openjpeg and pylibjpeg-rle.",
            cause="The package is not installed, or the compressed pixels are damaged.",
            cure="Run 'spinekit doctor'; or export the series uncompressed.",
        ) from reason
    except (ValueError, AttributeError, EOFError) as reason:
        raise InputRefusedError(
            "file-truncated",
            found=f"The pixels of {s.source.label} cannot be decoded: {str(reason).splitlines()[0]}.",
            expected="Complete pixels.",
            cause="The transfer was interrupted.",
            cure="Send the series again from the archive.",
        ) from reason
    return np.asarray(values).reshape(s.shape)


def _pixels(dataset: Any, s: Slice) -> np.ndarray:
    """Return one image in the scanner's units; the slope is applied in double and rounded once to float32."""
    values = _stored(dataset, s).astype(np.float64)
    if s.inverted:
        signed = int(dataset.get("PixelRepresentation", 0))
        values = (-1.0 if signed else 2.0 ** int(dataset.BitsStored) - 1.0) - values
    return (values * s.slope + s.intercept).astype(np.float32)


def _same_pixels(one: Slice, other: Slice) -> bool:
    a, b = _pixels(_open(one), one), _pixels(_open(other), other)
    return a.shape == b.shape and bool((a == b).all())
