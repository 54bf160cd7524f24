"""Which images of a source are the series that is meant, and what has to be told about the choice."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_grid import SAME_PLACE_MM, group_by_position
from spinekit.io.dicom_headers import Headers, Slice
from spinekit.io.dicom_kinds import KIND, kind_in_words, of_kind, split_by_kind

__all__ = ["choose_slices", "too_few_phases"]

SAME_DIRECTION = 1e-3  # cosines of one series differ by rounding only
SAME_SPACING = 1e-4  # relative

SEVERAL_NUMBERS = re.compile(r"[0-9]+([+][0-9]+)+")

Stack = list[Slice]
Stacks = dict[tuple[str, int], Stack]


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
        return _all_of(stacks), []
    possible = _without_diffusion(stacks)
    several = {key: stack for key, stack in possible.items() if _phases(stack) >= 2} or _join(possible)
    best = max((_phases(stack) for stack in several.values()), default=0)
    timed = {key: stack for key, stack in several.items() if _phases(stack) >= min(3, best)}
    if len(timed) > 1:
        raise _ambiguous(timed)
    if not timed:
        raise too_few_phases(1, _joinable(list(possible.values())))
    chosen = next(iter(timed.values()))
    _require_one_examination(chosen)
    return chosen, [*_told(chosen, stacks, wanted), *_told_alike(chosen, stacks)]


def too_few_phases(n_phases: int, joinable: str = "") -> InputRefusedError:
    """Return the refusal of a source without phases, with the series that could be phases of one, such as "4+5"."""
    if joinable:
        return InputRefusedError(
            "too-few-phases",
            found=f"No series has phases; series {joinable} have one protocol and grid, but names that differ.",
            expected="Several phases in one series, or in series of one name.",
            cause="Each phase was saved under a name of its own, such as before and after contrast agent.",
            cure=f"If they are phases of one series, join them with series='{joinable}' or --series {joinable}.",
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


def _join(stacks: Mapping[tuple[str, int], Stack]) -> Stacks:
    """Join series of one phase each, where study, frame of reference and grid agree.

    Raises
    ------
    InputRefusedError
        If some series of a family fit each other and others of it do not: a phase is never left out in silence.
    """
    joined: Stacks = {}
    for number, family in enumerate(_families(stacks.values())):
        parts: list[list[Stack]] = []
        for stack in sorted(family, key=lambda s: -len(group_by_position(s))):
            fitting = next((part for part in parts if not _difference(part[0], stack)[0]), None)
            if fitting is None:
                parts.append([stack])
            else:
                fitting.append(stack)
        together = [part for part in parts if len(part) > 1]
        alone = [part[0] for part in parts if len(part) == 1]
        if together and alone:
            raise _does_not_fit(together[0], alone[0])
        for index, part in enumerate(together):
            joined[(f"joined-{number}", index)] = [s for stack in part for s in stack]
    return joined


def _all_of(stacks: Mapping[tuple[str, int], Stack]) -> Stack:
    """Join the series that were asked for by their numbers.

    Raises
    ------
    InputRefusedError
        If one does not fit the largest of them.
    """
    largest, *others = sorted(stacks.values(), key=lambda stack: -len(group_by_position(stack)))
    for stack in others:
        if _difference(largest, stack)[0]:
            raise _does_not_fit([largest], stack)
    return [s for stack in stacks.values() for s in stack]


def _told_alike(chosen: Stack, stacks: Mapping[tuple[str, int], Stack]) -> list[str]:
    """Tell of series that were left out and have the protocol and the grid of the chosen one."""
    taken = {id(s) for s in chosen}
    left = [stack for stack in stacks.values() if id(stack[0]) not in taken]
    alike = [stack for stack in left if _could_be_phases(chosen, stack)]
    if not alike:
        return []
    out = sorted({stack[0].series_number for stack in alike})
    together = sorted({*out, *(s.series_number for s in chosen)}, key=lambda n: (len(n), n))
    text = (
        f"Series {', '.join(out)} was left out, but has the protocol and grid of the dynamic series: it may "
        f"be its phase before contrast agent. If so, join them with series='{'+'.join(together)}'."
    )
    return [coded_warning("series-alike", text)]


def _could_be_phases(one: Stack, other: Stack) -> bool:
    """Whether two stacks have one protocol, type of image, direction and grid, whatever they are called."""
    a, b = _typical(one), _typical(other)
    near = np.abs(np.asarray(a.orientation) - np.asarray(b.orientation)).max() < SAME_DIRECTION
    return bool(near) and _facts(a)[:2] == _facts(b)[:2] and not _difference(one, other)[0]


def _joinable(stacks: Sequence[Stack]) -> str:
    """Return the numbers of the most series that could be phases of one, such as "4+5+6"; "" if there are none."""
    groups = [{s[0].series_number for s in stacks if s is one or _could_be_phases(one, s)} - {""} for one in stacks]
    numbers = max(groups, key=len, default=set())
    return "+".join(sorted(numbers, key=lambda n: (len(n), n))) if len(numbers) > 1 else ""


def _families(stacks: Iterable[Stack]) -> list[list[Stack]]:
    """Return the stacks that look like phases of one series: same protocol, image type, name and direction."""
    families: list[list[Stack]] = []
    for stack in stacks:
        family = next((f for f in families if _alike(_typical(f[0]), _typical(stack))), None)
        if family is None:
            families.append([stack])
        else:
            family.append(stack)
    return families


def _facts(s: Slice) -> tuple[object, ...]:
    return s.protocol, s.image_type, re.sub(r"[\W\d_]+", " ", s.description.lower()).strip()


def _typical(stack: Stack) -> Slice:
    """Return a slice that says what most of its stack say; a single damaged header must not speak for a phase."""
    counts = Counter(_facts(s) for s in stack)
    most = max(counts.values())
    return next(s for s in stack if counts[_facts(s)] == most)


def _alike(one: Slice, other: Slice) -> bool:
    near = np.abs(np.asarray(one.orientation) - np.asarray(other.orientation)).max() < SAME_DIRECTION
    return bool(near) and _facts(one) == _facts(other)


def _difference(large: Stack, small: Stack) -> tuple[str, str]:
    """Return code and words for why two stacks cannot be phases of one series; ("", "") if they can.

    The smaller may lack positions of the larger: that is a missing slice, and is told as one.
    """
    one, other = large[0], small[0]
    if one.study_uid != other.study_uid:
        return "phase-geometry-varies", "it belongs to another study"
    if one.frame_of_reference != other.frame_of_reference:
        return "phase-geometry-varies", "it has another frame of reference, so that positions cannot be compared"
    if one.shape != other.shape or not np.allclose(one.spacing, other.spacing, rtol=SAME_SPACING):
        sizes = [
            f"{s.shape[1]} × {s.shape[0]} pixels of {s.spacing[0]:.4g} × {s.spacing[1]:.4g} mm" for s in (other, one)
        ]
        return "matrix-varies", f"it has {sizes[0]} against {sizes[1]}"
    places = np.array([s.position for s in large])
    apart = max(float(np.linalg.norm(places - np.asarray(s.position), axis=1).min()) for s in small)
    if apart > 2 * SAME_PLACE_MM:
        return "phase-geometry-varies", f"its slices lie up to {apart:.2f} mm beside those of the others"
    return "", ""


def _pixels_in_words(s: Slice) -> str:
    return f"{s.shape[1]} × {s.shape[0]} pixels of {s.spacing[0]:.4g} × {s.spacing[1]:.4g} mm"


def _does_not_fit(together: Sequence[Stack], alone: Stack) -> InputRefusedError:
    code, why = _difference(together[0], alone)
    numbers = "+".join(sorted({s.series_number or "without number" for stack in together for s in stack}))
    return InputRefusedError(
        code,
        found=f"Series {numbers} fit together as phases; series {alone[0].series_number} looks like one, but {why}.",
        expected="The same study, frame of reference, matrix, spacing and positions for every phase.",
        cause="The patient was planned anew between the phases, or the series is no part of the dynamic one.",
        cure=f"If it is no part of it, choose the others with series='{numbers}'; else resample it onto their grid.",
    )


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
