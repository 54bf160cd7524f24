"""The order of phases in time: which tag can be trusted, what it says, and when to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_clock import LONGEST_S, unwrap_midnight
from spinekit.io.dicom_complete import (
    Groups,
    SamePixels,
    require_complete,
    require_equal_counts,
    resolve_duplicates,
    without_copies,
)
from spinekit.io.dicom_headers import Slice
from spinekit.io.dicom_tags import TIME_OF_DAY, ZONE

__all__ = ["Ordered", "order_phases"]

# in order of trust; counts only order, a clock also gives seconds
ORDER_TAGS = (
    "TemporalPositionIndex", "TemporalPositionTimeOffset", "TemporalPositionIdentifier", "AcquisitionTime",
    "TriggerTime", "DynamicScanBeginTime", "ContentTime", "SeriesTime", "SeriesNumber", "AcquisitionNumber",
)  # fmt: skip
CLOCK_TAGS = (
    "TemporalPositionTimeOffset", "AcquisitionTime", "TriggerTime", "DynamicScanBeginTime", "ContentTime", "SeriesTime",
)  # fmt: skip
TIMES_OF_DAY = ("AcquisitionTime", "ContentTime", "SeriesTime", TIME_OF_DAY)
MUST_AGREE = (*ORDER_TAGS[:7], TIME_OF_DAY)
GIVE_TIMES = "Give the true times with times_s=[...]."
EXPORT_AGAIN = "Export the series again with its times; without them the order of the phases cannot be known."


@dataclass(frozen=True)
class Ordered:
    """Slices by position and phase.

    ``table[z][t]`` is the slice at position z in phase t; ``times_s`` is None where no tag tells the time,
    and then ``no_times`` is the refusal if tags tell some of the times but not all.
    """

    table: tuple[tuple[Slice, ...], ...]
    times_s: np.ndarray | None
    ordered_by: str
    time_source: str
    also_present: tuple[str, ...]
    warnings: tuple[str, ...]
    no_times: InputRefusedError | None = None


def order_phases(groups: Groups, *, same_pixels: SamePixels, drop_incomplete: bool) -> Ordered:
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
        ``times-missing``, ``times-contradict``, ``slice-missing``, ``phase-incomplete``, ``slice-duplicate``.
    """
    groups, warnings = without_copies(_unwrapped(groups), same_pixels)
    tag = next((t for t in ORDER_TAGS if _orders(groups, t)), "")
    if not tag:
        return _by_instance(groups, warnings, same_pixels)
    groups, more = resolve_duplicates(groups, tag, same_pixels)
    groups = [sorted(group, key=lambda s: s.clocks[tag]) for group in groups]
    complete, incomplete = require_complete(groups, tag, labels=ORDER_TAGS, drop_incomplete=drop_incomplete)
    _require_one_session(complete, tag)
    no_clock = _require_agreement(complete, tag)
    times, source, from_tags, failure = _times(complete, tag, without=no_clock)
    others = [t for t in ORDER_TAGS if t != tag and t not in no_clock]
    present = tuple(t for t in others if all(t in s.clocks for g in complete for s in g))
    table = tuple(tuple(group) for group in complete)
    told = (*warnings, *more, *incomplete, *from_tags, *([] if incomplete else _fewer_than_told(complete)))
    return Ordered(table, times, tag, source, present, told, failure)


def _fewer_than_told(groups: Groups) -> list[str]:
    """Return the warning of a series that lacks whole phases by its own account."""
    told = {s.clocks.get("NumberOfTemporalPositions", 0.0) for g in groups for s in g}
    n_phases = len(groups[0])
    if len(told) != 1 or (count := told.pop()) <= n_phases:
        return []
    text = f"The images tell of {count:g} phases and {n_phases} are here: whole phases may be missing."
    return [coded_warning("phase-incomplete", text)]


def _unwrapped(groups: Groups) -> list[list[Slice]]:
    """Return the slices with a day added to times of day after midnight, where the date did not tell.

    AcquisitionDateTimes of several zones become those of one; where they are all the same, AcquisitionTime counts.
    """
    kept = [list(group) for group in groups]
    zones = [s.clocks.get(ZONE, np.nan) for group in kept for s in group]
    if np.isfinite(zones).all() and len(set(zones)) > 1:  # the clock was put forward or back
        kept = [[_with(s, "AcquisitionTime", s.clocks["AcquisitionTime"] - s.clocks[ZONE]) for s in g] for g in kept]
    if _orders(kept, TIME_OF_DAY) and not _orders(kept, "AcquisitionTime"):
        kept = [[_with(s, "AcquisitionTime", s.clocks[TIME_OF_DAY]) for s in group] for group in kept]
    for tag in TIMES_OF_DAY:
        if not all(tag in s.clocks for group in kept for s in group):
            continue
        values = np.array([s.clocks[tag] for group in kept for s in group])
        fixed = iter(unwrap_midnight(values))
        kept = [[_with(s, tag, float(next(fixed))) for s in group] for group in kept]
    return kept


def _with(s: Slice, tag: str, value: float) -> Slice:
    return replace(s, clocks={**s.clocks, tag: value})


def _orders(groups: Groups, tag: str) -> bool:
    """Whether a tag is on every slice and tells the images at most positions apart."""
    if not all(tag in s.clocks for group in groups for s in group):
        return False
    apart = [len({s.clocks[tag] for s in group}) == len(group) for group in groups]
    largest = max(len({s.clocks[tag] for s in group}) for group in groups)
    return largest > 1 and sum(apart) * 2 > len(groups)


def _require_agreement(groups: Groups, tag: str) -> tuple[str, ...]:
    """Refuse tags that order the phases differently; return those that tell no order of phases.

    ContentTime is when an image was made, not taken. Where it runs otherwise from position to position, images were
    made in no order of phases, and it says nothing; where most positions agree on another order, it contradicts.
    """
    says_nothing = []
    for other in MUST_AGREE:
        if other == tag or not _orders(groups, other):
            continue
        orders = [tuple(np.argsort([s.clocks[other] for s in group], kind="stable").tolist()) for group in groups]
        odd = [z for z, order in enumerate(orders) if order != tuple(range(len(order)))]
        most = max(orders.count(orders[z]) for z in odd) if odd else 0
        if odd and (other != "ContentTime" or 2 * most > len(orders)):
            group, ranks = groups[odd[0]], orders[odd[0]]
            raise _contradict(tag, other, [s.instance for s in group], [group[r].instance for r in ranks])
        if odd:
            says_nothing.append(other)
    return tuple(says_nothing)


def _require_one_session(groups: Groups, tag: str) -> None:
    """Refuse phases that lie so far apart that their dates cannot be true."""
    if tag in TIMES_OF_DAY and (apart := float(np.ptp([s.clocks[tag] for g in groups for s in g]))) > LONGEST_S:
        raise _too_long(tag, apart)


def _too_long(tag: str, apart_s: float) -> InputRefusedError:
    return InputRefusedError(
        "times-invalid",
        found=f"By {tag} the phases lie up to {apart_s / 3600:.1f} hours apart.",
        expected=f"A dynamic series of minutes; {LONGEST_S / 3600:.0f} hours at most.",
        cause="Anonymisation shifted dates from image to image, or two examinations were joined.",
        cure=EXPORT_AGAIN,
    )


def _contradict(tag: str, other: str, by_tag: Sequence[int], by_other: Sequence[int]) -> InputRefusedError:
    return InputRefusedError(
        "times-contradict",
        found=(
            f"{tag} and {other} order the phases differently: by {tag} the images are {list(by_tag)} "
            f"(instance numbers), by {other} {list(by_other)}."
        ),
        expected="All time tags to tell the same order.",
        cause="A later reconstruction or an anonymisation rewrote one of them.",
        cure="Find out which is true and take the other out of a copy of the files; or convert every phase to NIfTI "
        "and give the files in their order with times_s=[...].",
    )


def _times(
    groups: Groups, tag: str, *, without: Sequence[str]
) -> tuple[np.ndarray | None, str, list[str], InputRefusedError | None]:
    """Return the time of each phase from the first clock that rises from phase to phase."""
    n_phases = len(groups[0])
    partly: dict[str, list[float]] = {}
    for clock in CLOCK_TAGS:
        if clock in without or not all(clock in s.clocks for g in groups for s in g):
            continue
        starts = np.array([min(g[t].clocks[clock] for g in groups) for t in range(n_phases)])
        after = np.round(starts - starts[0], 6)  # DICOM tells microseconds
        if (np.diff(after) > 0).all() and after[-1] > LONGEST_S:
            return None, tag, [], _too_long(clock, float(after[-1]))
        if (np.diff(after) > 0).all():
            return after, clock, _made_not_taken(groups, clock), None
        if len(set(after)) > 1:
            partly[clock] = np.round(after, 3).tolist()
    step = {s.clocks.get("TemporalResolution", 0.0) for g in groups for s in g}
    if not partly and len(step) == 1 and (only := step.pop()) > 0:
        text = f"Times were computed from TemporalResolution ({only:g} s), since no clock tag tells them."
        return only * np.arange(n_phases), "TemporalResolution", [coded_warning("times-computed", text)], None
    return None, tag, [], _equal_times(*next(iter(partly.items()))) if partly else None


def _made_not_taken(groups: Groups, clock: str) -> list[str]:
    """Return the warning of times at which images were made, where the time of acquisition is one for all phases."""
    acquired = {s.clocks.get("AcquisitionTime") for group in groups for s in group}
    if clock not in ("ContentTime", "SeriesTime") or len(acquired) > 1 or None in acquired:
        return []
    text = (
        f"The times are {clock}, when images were made: AcquisitionTime is the same in all phases. "
        "Compare them with the protocol."
    )
    return [coded_warning("times-made", text)]


def _equal_times(clock: str, values: Sequence[float], *, cure: str = GIVE_TIMES) -> InputRefusedError:
    return InputRefusedError(
        "times-equal",
        found=f"By {clock} the phases start at {list(values)} s: two of them share a time or run backwards.",
        expected="A later time for every later phase.",
        cause="A clock with whole seconds or minutes, or a tag that was copied from phase to phase.",
        cure=cure,
    )


def _by_instance(groups: Groups, warnings: list[str], same: SamePixels) -> Ordered:
    """Order by InstanceNumber, the last resort: every position must occur equally often."""
    even, more = require_equal_counts(groups, same)
    if len(even[0]) > 1 and not all(len({s.instance for s in g}) == len(g) for g in even):
        raise InputRefusedError(
            "slice-duplicate",
            found=f"There are {len(even[0])} images at every position, some of the same instance number and no time.",
            expected="A tag that tells the phases apart.",
            cause="Phases were joined after their tags had been removed.",
            cure="Read the phases as separate files and give times_s=[...].",
        )
    table = tuple(tuple(sorted(g, key=lambda s: s.instance)) for g in even)
    known = _follow_a_pattern(table)
    failure = _partly_told(table, cure=GIVE_TIMES if known else EXPORT_AGAIN)
    if not known:
        raise failure or _no_order(len(table[0]))
    told = (*warnings, *more, *_fewer_than_told(table))
    return Ordered(table, None, "InstanceNumber", "InstanceNumber", (), told, failure)


def _follow_a_pattern(table: Groups) -> bool:
    """Whether instance numbers run phase by phase or position by position; at random they tell no order."""
    n_slices, n_phases = len(table), len(table[0])
    numbered = sorted((s.instance, z) for z, group in enumerate(table) for s in group)
    places = np.array([z for _, z in numbered])
    by_phase = (np.sort(places.reshape(n_phases, n_slices), axis=1) == np.arange(n_slices)).all()
    by_position = (np.ptp(places.reshape(n_slices, n_phases), axis=1) == 0).all()
    return n_phases == 1 or bool(by_phase or by_position)


def _no_order(n_phases: int) -> InputRefusedError:
    return InputRefusedError(
        "times-missing",
        found=f"No tag tells the {n_phases} phases apart, and the instance numbers follow no pattern.",
        expected="A time tag, or numbers that run through each phase or each position.",
        cause="Anonymisation removed the times, and the scanner or archive numbers images at random.",
        cure=EXPORT_AGAIN,
    )


def _partly_told(table: Groups, *, cure: str) -> InputRefusedError | None:
    """Return the refusal for a clock that tells some phases apart, but not all; None if no clock tells any.

    Raises
    ------
    InputRefusedError
        ``times-contradict`` if that clock runs against the instance numbers.
    """
    first: InputRefusedError | None = None
    for clock in CLOCK_TAGS:
        if not all(clock in s.clocks for group in table for s in group):
            continue
        rows = np.array([[s.clocks[clock] for s in group] for group in table])
        if (np.ptp(rows, axis=1) == 0).all():
            continue
        for group, row in zip(table, rows, strict=True):
            if cure == GIVE_TIMES and (np.diff(row) < 0).any():
                by_clock = [group[r].instance for r in np.argsort(row, kind="stable")]
                raise _contradict("InstanceNumber", clock, [s.instance for s in group], by_clock)
        starts = np.sort(rows, axis=1).min(axis=0)
        first = first or _equal_times(clock, np.round(starts - starts[0], 3).tolist(), cure=cure)
    return first
