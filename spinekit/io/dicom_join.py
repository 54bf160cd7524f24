"""Series of one phase each as the phases of one dynamic series: which fit, which do not, which could."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_grid import SAME_PLACE_MM, group_by_position
from spinekit.io.dicom_headers import Slice

__all__ = ["SAME_DIRECTION", "Stack", "Stacks", "join_asked_for", "join_phases", "joinable", "told_alike"]

SAME_DIRECTION = 1e-3  # cosines of one series differ by rounding only
SAME_SPACING = 1e-4  # relative

Stack = list[Slice]
Stacks = dict[tuple[str, int], Stack]


def join_phases(stacks: Mapping[tuple[str, int], Stack]) -> Stacks:
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


def join_asked_for(stacks: Mapping[tuple[str, int], Stack]) -> Stack:
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


def told_alike(chosen: Stack, stacks: Mapping[tuple[str, int], Stack]) -> list[str]:
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
    return _near(a, b) and _facts(a)[:2] == _facts(b)[:2] and not _difference(one, other)[0]


def joinable(stacks: Sequence[Stack]) -> str:
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
    return _near(one, other) and _facts(one) == _facts(other)


def _near(one: Slice, other: Slice) -> bool:
    return bool(np.abs(np.asarray(one.orientation) - np.asarray(other.orientation)).max() < SAME_DIRECTION)


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
