"""The order of phases in time: which tag can be trusted, what it says, and when to refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_clock import unwrap_midnight
from spinekit.io.dicom_headers import Slice

__all__ = ["Ordered", "order_phases"]

# INPUTS.md: in order of trust. The first group only orders; a clock also gives seconds.
ORDER_TAGS = (
    "TemporalPositionIndex", "TemporalPositionIdentifier", "AcquisitionTime", "TriggerTime", "ContentTime",
    "SeriesTime", "SeriesNumber", "AcquisitionNumber",
)  # fmt: skip
CLOCK_TAGS = ("TemporalPositionTimeOffset", "AcquisitionTime", "TriggerTime", "ContentTime", "SeriesTime")
MUST_AGREE = ("TemporalPositionIndex", "TemporalPositionIdentifier", "AcquisitionTime", "TriggerTime", "ContentTime")

SamePixels = Callable[[Slice, Slice], bool]


@dataclass(frozen=True)
class Ordered:
    """Slices by position and phase.

    ``table[z][t]`` is the slice at position z in phase t; ``times_s`` is None where no tag tells the time.
    """

    table: tuple[tuple[Slice, ...], ...]
    times_s: np.ndarray | None
    ordered_by: str
    time_source: str
    also_present: tuple[str, ...]
    warnings: tuple[str, ...]


def order_phases(groups: Sequence[Sequence[Slice]], *, same_pixels: SamePixels, drop_incomplete: bool) -> Ordered:
    """Order the slices at every position in time.

    Parameters
    ----------
    groups : sequence of sequences of Slice
        Slices by position.
    same_pixels : callable
        Whether two images have identical pixels; asked only of images that claim the same phase and position.
    drop_incomplete : bool
        Whether an incomplete last phase may be left out, with a warning.

    Raises
    ------
    InputRefusedError
        ``times-missing``, ``times-equal``, ``times-contradict``, ``slice-missing``, ``phase-incomplete``,
        ``slice-duplicate``, ``phase-geometry-varies``.
    """
    groups, warnings = _without_copies(groups, same_pixels)
    tag = next((t for t in ORDER_TAGS if _orders(groups, t)), "")
    if not tag:
        return _by_instance(groups, warnings)
    groups, more = _resolve_duplicates(groups, tag, same_pixels)
    groups = [sorted(group, key=_clock(tag, group)) for group in groups]
    groups, incomplete = _require_complete(groups, tag, drop_incomplete)
    _require_agreement(groups, tag)
    times, source, from_tags = _times(groups, tag)
    present = tuple(t for t in ORDER_TAGS if t != tag and all(t in s.clocks for g in groups for s in g))
    table = tuple(tuple(group) for group in groups)
    return Ordered(table, times, tag, source, present, (*warnings, *more, *incomplete, *from_tags))


def _clock(tag: str, group: Sequence[Slice]) -> Callable[[Slice], float]:
    """Return a sort key: the tag's value, with times after midnight behind those before it."""
    values = np.array([s.clocks[tag] for s in group])
    fixed = unwrap_midnight(values) if tag.endswith("Time") and tag != "TriggerTime" else values
    known = dict(zip((id(s) for s in group), fixed, strict=True))
    return lambda s: float(known[id(s)])


def _orders(groups: Sequence[Sequence[Slice]], tag: str) -> bool:
    """Whether a tag is on every slice and tells the images at most positions apart."""
    if not all(tag in s.clocks for group in groups for s in group):
        return False
    apart = [len({s.clocks[tag] for s in group}) == len(group) for group in groups]
    largest = max(len({s.clocks[tag] for s in group}) for group in groups)
    return largest > 1 and sum(apart) * 2 > len(groups)


def _without_copies(groups: Sequence[Sequence[Slice]], same: SamePixels) -> tuple[list[list[Slice]], list[str]]:
    """Leave out images that repeat another one at the same position with the same tags and pixels."""
    kept: list[list[Slice]] = []
    dropped = 0
    for group in groups:
        stay: list[Slice] = []
        for s in group:
            twin = next((k for k in stay if k.clocks == s.clocks and k.instance == s.instance), None)
            if twin is not None and s.clocks and same(twin, s):
                dropped += 1
            else:
                stay.append(s)
        kept.append(stay)
    return kept, [_copies(dropped)] if dropped else []


def _copies(count: int) -> str:
    return coded_warning(
        "slice-duplicate", f"{count} images repeat another one with identical pixels and were left out."
    )


def _resolve_duplicates(
    groups: Sequence[Sequence[Slice]], tag: str, same: SamePixels
) -> tuple[list[list[Slice]], list[str]]:
    kept: list[list[Slice]] = []
    dropped = 0
    for z, group in enumerate(groups):
        by_value: dict[float, Slice] = {}
        for s in group:
            twin = by_value.setdefault(s.clocks[tag], s)
            if twin is s:
                continue
            if not same(twin, s):
                raise InputRefusedError(
                    "slice-duplicate",
                    found=f"Two different images claim position {z + 1} of {len(groups)} at the same {tag}.",
                    expected="One image per position and phase.",
                    cause="A reconstruction was repeated, or two series were joined.",
                    cure="Remove one of the two, or choose the series.",
                )
            dropped += 1
        kept.append(list(by_value.values()))
    return kept, [_copies(dropped)] if dropped else []


def _reference_times(groups: Sequence[Sequence[Slice]], tag: str, n_phases: int) -> np.ndarray:
    """Return the usual value of the tag in each phase, from the positions that have every phase."""
    full = [g for g in groups if len(g) == n_phases]
    return np.median([[_clock(tag, g)(s) for s in g] for g in full], axis=0)


def _require_complete(
    groups: Sequence[Sequence[Slice]], tag: str, drop_incomplete: bool
) -> tuple[Sequence[Sequence[Slice]], list[str]]:
    n_phases = max(len(g) for g in groups)
    if all(len(g) == n_phases for g in groups):
        return groups, []
    usual = _reference_times(groups, tag, n_phases)
    present = [{int(np.abs(usual - _clock(tag, g)(s)).argmin()) for s in g} for g in groups]
    absent = [(t, z) for z, have in enumerate(present) for t in range(n_phases) if t not in have]
    if not absent:  # two images of a position belong to one phase by their time
        raise _missing_slice(f"Positions hold {sorted({len(g) for g in groups})} images", "phases cannot be told apart")
    _require_same_places(present, n_phases)
    if all(t == n_phases - 1 for t, _ in absent):
        where = f"phase {n_phases} has {len(groups) - len(absent)} of {len(groups)} slices"
        if drop_incomplete:
            text = f"The last phase was left out, as asked for: {where}."
            return [g[: n_phases - 1] for g in groups], [coded_warning("phase-incomplete", text)]
        raise InputRefusedError(
            "phase-incomplete",
            found=f"The last phase is incomplete: {where}.",
            expected="Every slice in every phase.",
            cause="The acquisition was stopped, or the transfer was interrupted.",
            cure="Send the series again, or set reading.drop_incomplete_last_phase = true to go on without that phase.",
        )
    shown = ", ".join(f"phase {t + 1} at position {z + 1}" for t, z in absent[:5])
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    raise _missing_slice(f"Slices are missing: {shown}{more} (of {n_phases} phases and {len(groups)} positions)", "")


def _require_same_places(present: Sequence[set[int]], n_phases: int) -> None:
    """Refuse phases that have as many slices as the others, but at other positions."""
    places = [{z for z, have in enumerate(present) if t in have} for t in range(n_phases)]
    apart = [t for t in range(1, n_phases) if places[t] != places[0] and len(places[t]) == len(places[0])]
    if apart and not any(have == set(range(n_phases)) for have in present[1:-1]):
        raise InputRefusedError(
            "phase-geometry-varies",
            found=f"Phases {', '.join(str(t + 1) for t in apart)} have their slices at other positions than phase 1.",
            expected="All phases on one grid.",
            cause="The stack was planned anew between the phases, or two series were joined.",
            cure="Resample the phases onto one grid first.",
        )


def _missing_slice(found: str, detail: str) -> InputRefusedError:
    return InputRefusedError(
        "slice-missing",
        found=f"{found}{': ' + detail if detail else ''}.",
        expected="Every phase to have an image at every position.",
        cause="The transfer was interrupted, or files were removed.",
        cure="Send the series again from the archive.",
    )


def _require_agreement(groups: Sequence[Sequence[Slice]], tag: str) -> None:
    """Refuse tags that order the phases differently."""
    for other in MUST_AGREE:
        if other == tag or not _orders(groups, other):
            continue
        for group in groups:
            ranks = np.argsort([_clock(other, group)(s) for s in group], kind="stable")
            if (ranks != np.arange(len(group))).any():
                raise InputRefusedError(
                    "times-contradict",
                    found=(
                        f"{tag} and {other} order the phases differently: by {tag} the images are "
                        f"{[s.instance for s in group]} (instance numbers), by {other} "
                        f"{[group[r].instance for r in ranks]}."
                    ),
                    expected="All time tags to tell the same order.",
                    cause="A later reconstruction or an anonymisation rewrote one of them.",
                    cure="Find out which is true, and read the files as a list of phases with times_s=[...].",
                )


def _times(groups: Sequence[Sequence[Slice]], tag: str) -> tuple[np.ndarray | None, str, list[str]]:
    """Return the time of each phase from the first clock that rises from phase to phase."""
    n_phases = len(groups[0])
    present = [t for t in CLOCK_TAGS if all(t in s.clocks for g in groups for s in g)]
    rising = {}
    for clock in present:
        columns = [np.array([g[t].clocks[clock] for g in groups]) for t in range(n_phases)]
        everything = np.concatenate(columns)
        fixed = (
            unwrap_midnight(everything) if clock not in ("TriggerTime", "TemporalPositionTimeOffset") else everything
        )
        starts = fixed.reshape(n_phases, len(groups)).min(axis=1)
        if (np.diff(starts) > 0).all():
            return starts - starts[0], clock, []
        rising[clock] = np.round(starts - starts.min(), 3).tolist()
    step = {s.clocks.get("TemporalResolution", 0.0) for g in groups for s in g}
    if len(step) == 1 and (only := step.pop()) > 0:
        text = f"Times were computed from TemporalResolution ({only:g} s), since no clock tag tells them."
        return only * np.arange(n_phases), "TemporalResolution", [coded_warning("times-computed", text)]
    partly = {c: v for c, v in rising.items() if len(set(v)) > 1}
    if partly:
        clock, values = next(iter(partly.items()))
        raise _equal_times(clock, values)
    return None, tag, []


def _equal_times(clock: str, values: Sequence[float]) -> InputRefusedError:
    return InputRefusedError(
        "times-equal",
        found=f"By {clock} the phases start at {list(values)} s: two of them share a time or run backwards.",
        expected="A later time for every later phase.",
        cause="A clock with whole seconds or minutes, or a tag that was copied from phase to phase.",
        cure="Give the true times with times_s=[...].",
    )


def _by_instance(groups: Sequence[Sequence[Slice]], warnings: list[str]) -> Ordered:
    """Order by InstanceNumber, the last resort: every position must occur equally often."""
    counts = sorted({len(g) for g in groups})
    instances_differ = all(len({s.instance for s in g}) == len(g) for g in groups)
    if len(counts) > 1:
        raise _missing_slice(f"Positions hold {counts} images, and no time tag tells the phases apart", "")
    if counts[0] > 1 and not instances_differ:
        raise InputRefusedError(
            "slice-duplicate",
            found=f"There are {counts[0]} images at every position with the same instance number and no time tag.",
            expected="A tag that tells the phases apart.",
            cause="Phases were joined after their tags had been removed.",
            cure="Read the phases as separate files and give times_s=[...].",
        )
    partial = _partial_clock(groups)
    table = tuple(tuple(sorted(g, key=lambda s: s.instance)) for g in groups)
    return Ordered(table, None, partial or "InstanceNumber", "InstanceNumber", (), tuple(warnings))


def _partial_clock(groups: Sequence[Sequence[Slice]]) -> str:
    """Return a clock that tells some, but not all, phases apart; empty if there is none."""
    first: Mapping[str, set[float]] = {t: {s.clocks[t] for s in groups[0] if t in s.clocks} for t in CLOCK_TAGS}
    return next((t for t, values in first.items() if 1 < len(values) < len(groups[0])), "")
