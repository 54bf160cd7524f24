"""Which images of a source are the series that is meant, and what has to be told about the choice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_grid import group_by_position
from spinekit.io.dicom_headers import Headers, Slice
from spinekit.io.dicom_join import (
    SAME_DIRECTION,
    Stack,
    Stacks,
    join_asked_for,
    join_phases,
    joinable,
    told_alike,
)
from spinekit.io.dicom_kinds import KIND, kind_in_words, of_kind, split_by_kind

__all__ = ["choose_slices", "too_few_phases"]

SEVERAL_NUMBERS = re.compile(r"[0-9]+([+][0-9]+)+")


def choose_slices(headers: Headers, wanted: str | None, *, phases: int = 2) -> tuple[Stack, list[str]]:
    """Return the slices of the one series that is meant, and what has to be told about the choice.

    Parameters
    ----------
    headers : Headers
        Everything that was found.
    wanted : str, optional
        A series number, several joined by "+", a series UID, or part of a description.
    phases : {1, 2}
        1 for a single volume, 2 for a dynamic series.

    Raises
    ------
    InputRefusedError
        ``no-image``, ``series-unknown``, ``series-ambiguous``, ``too-few-phases``; ``matrix-varies`` or
        ``phase-geometry-varies`` where series look like phases of one dynamic series but do not fit.
    """
    if not headers.slices:
        raise _no_image(headers)
    slices = [s for s in headers.slices if wanted is None or all(_asked_for(s, part) for part in _parts_of(wanted))]
    if not slices:
        raise _unknown(headers, wanted or "")
    stacks = _stacks(slices)
    if phases == 1:
        if len(stacks) > 1:
            raise _ambiguous(stacks)
        return next(iter(stacks.values())), []
    if SEVERAL_NUMBERS.fullmatch(wanted or ""):
        return join_asked_for(stacks), []
    possible = _without_diffusion(stacks)
    several = {key: stack for key, stack in possible.items() if _phases(stack) >= 2} or join_phases(possible)
    best = max((_phases(stack) for stack in several.values()), default=0)
    timed = {key: stack for key, stack in several.items() if _phases(stack) >= min(3, best)}
    if len(timed) > 1:
        raise _ambiguous(timed)
    if not timed:
        raise too_few_phases(1, joinable(list(possible.values())))
    chosen = next(iter(timed.values()))
    _require_one_examination(chosen)
    return chosen, [*_told(chosen, stacks, wanted), *told_alike(chosen, stacks)]


def too_few_phases(n_phases: int, numbers: str = "") -> InputRefusedError:
    """Return the refusal of a source without phases, with the series that could be phases of one, such as "4+5"."""
    if numbers:
        return InputRefusedError(
            "too-few-phases",
            found=f"No series has phases; series {numbers} have one protocol and grid, but names that differ.",
            expected="Several phases in one series, or in series of one name.",
            cause="Each phase was saved under a name of its own, such as before and after contrast agent.",
            cure=f"If they are phases of one series, join them with series='{numbers}' or --series {numbers}.",
        )
    return InputRefusedError(
        "too-few-phases",
        found=f"The series has {n_phases} phase.",
        expected="At least 2 phases, and 3 for maps over time.",
        cause="Only one phase was exported, or the phases lie in several series of different geometry.",
        cure="Export all phases; a single volume is read with spinekit.read_volume().",
    )


def _no_image(headers: Headers) -> InputRefusedError:
    aside = "; ".join(f"{n} × {what}" for what, n in headers.set_aside.items()) or "nothing at all"
    return InputRefusedError(
        "no-image",
        found=f"No MR or CT image was found; there is {aside}.",
        expected="DICOM images of a dynamic series.",
        cause="The folder may hold reports, a DICOMDIR or derived images only.",
        cure="Point to the folder that holds the images.",
    )


def _unknown(headers: Headers, wanted: str) -> InputRefusedError:
    numbers = ", ".join(sorted({s.series_number or "without number" for s in headers.slices}))
    return InputRefusedError(
        "series-unknown",
        found=f"No series fits '{wanted}'; there are series {numbers}.",
        expected="A series number, several joined by '+', a series UID, or part of a description.",
        cause="The number may belong to another study.",
        cure="Choose one of the series that are named.",
    )


def _parts_of(wanted: str) -> list[str]:
    """Return a series and the kind of its images that were asked for together, such as ``7, echo=2.3``."""
    series, comma, kind = wanted.rpartition(",")
    return [series.strip(), kind.strip()] if comma and KIND.fullmatch(kind.strip()) else [wanted]


def _asked_for(s: Slice, wanted: str) -> bool:
    if kind := KIND.fullmatch(wanted.strip()):
        return of_kind(s, *kind.groups())
    if wanted.isdigit() or SEVERAL_NUMBERS.fullmatch(wanted):
        return s.series_number in wanted.split("+")
    return wanted == s.series_uid or wanted.lower() in s.description.lower()


def _without_diffusion(stacks: Stacks) -> Stacks:
    """Return the stacks of series that hold no diffusion-weighted image: b-values and directions are no phases.

    Raises
    ------
    InputRefusedError
        ``too-few-phases`` if no stack is left.
    """
    weighted = {s.series_uid for stack in stacks.values() for s in stack if s.b_value > 0}
    left = {key: stack for key, stack in stacks.items() if stack[0].series_uid not in weighted}
    if left:
        return left
    raise InputRefusedError(
        "too-few-phases",
        found="The images are diffusion-weighted: those at one position differ in b-value or direction.",
        expected="Phases of a dynamic series with contrast agent.",
        cause="Another series of the examination was chosen.",
        cure="Choose the dynamic series; a single volume is read with spinekit.read_volume().",
    )


def _stacks(slices: Sequence[Slice]) -> dict[tuple[str, int], list[Slice]]:
    """Return the slices by series, orientation and kind; a localizer among them becomes a stack of its own."""
    stacks: dict[tuple[str, int], list[Slice]] = defaultdict(list)
    seen: dict[str, list[np.ndarray]] = defaultdict(list)
    for s in slices:
        cosines = np.asarray(s.orientation)
        known = seen[s.series_uid]
        index = next((n for n, c in enumerate(known) if np.abs(c - cosines).max() < SAME_DIRECTION), len(known))
        if index == len(known):
            known.append(cosines)
        stacks[(s.series_uid, index)].append(s)
    parts = [(uid, part) for (uid, _), stack in stacks.items() for part in split_by_kind(stack)]
    return {(uid, number): part for number, (uid, part) in enumerate(parts)}


def _phases(stack: Sequence[Slice]) -> int:
    """Return how many images lie at most positions; one more at a few of them is no phase."""
    return int(np.median([len(group) for group in group_by_position(stack)]))


def _require_one_examination(slices: Sequence[Slice]) -> None:
    for what, values in (
        ("studies", {s.study_uid for s in slices}),
        ("frames of reference", {s.frame_of_reference for s in slices}),
    ):
        if len(values) > 1:
            raise InputRefusedError(
                "phase-geometry-varies",
                found=f"The images of the series belong to {len(values)} {what}.",
                expected="One, so that positions can be compared.",
                cause="The patient was taken out between the phases, or exports of two examinations were mixed.",
                cure="Choose the images of one examination, or register the phases first.",
            )


def _in_words(stack: Stack, others: Sequence[Stack] = ()) -> str:
    numbers = sorted({s.series_number or "without number" for s in stack})
    rows, columns = stack[0].shape
    n_phases = _phases(stack)
    phases = "1 phase" if n_phases == 1 else f"{n_phases} phases"
    kind = kind_in_words(stack, others)
    told = f", {kind}" if kind else ""
    return f"series {'+'.join(numbers)}{told} ({len(stack)} images of {columns} × {rows}, {phases})"


def _ambiguous(stacks: Mapping[tuple[str, int], list[Slice]]) -> InputRefusedError:
    return InputRefusedError(
        "series-ambiguous",
        found=f"Several series fit: {'; '.join(_in_words(s, list(stacks.values())) for s in stacks.values())}.",
        expected="One.",
        cause="The folder holds a whole examination, or a series holds several echoes, flip angles, or water and fat.",
        cure="Choose with series=... or --series: a series number, UID or part of the description, and where one is "
        "told above the kind after a comma, such as '7, echo=2.3'.",
    )


def _told(chosen: Sequence[Slice], stacks: Mapping[tuple[str, int], list[Slice]], choose: str | None) -> list[str]:
    taken = {id(s) for s in chosen}
    others = [stack for stack in stacks.values() if id(stack[0]) not in taken]
    if not others:
        return []
    rest = "; ".join(_in_words(stack, list(stacks.values())) for stack in others)
    why = "as asked for" if choose else "the only one with several phases"
    read = _in_words(list(chosen), list(stacks.values()))
    return [coded_warning("series-chosen", f"Read {read}, {why}. Left out: {rest}.")]
