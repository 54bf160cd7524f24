"""Whether every phase has exactly one image at every position; what is missing or there twice is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spinekit.errors import InputRefusedError, coded_warning
from spinekit.io.dicom_headers import Slice

__all__ = ["missing_slice", "require_complete", "require_equal_counts", "resolve_duplicates", "without_copies"]

SamePixels = Callable[[Slice, Slice], bool]
Groups = Sequence[Sequence[Slice]]


def without_copies(groups: Sequence[Sequence[Slice]], same: SamePixels) -> tuple[list[list[Slice]], list[str]]:
    """Leave out images that repeat another one at the same position with the same tags and pixels."""
    kept: list[list[Slice]] = []
    dropped = 0
    for group in groups:
        stay: list[Slice] = []
        seen: dict[tuple[object, ...], Slice] = {}
        for s in group:
            twin = seen.setdefault((s.instance, *sorted(s.clocks.items())), s)
            if twin is not s and s.clocks and same(twin, s):
                dropped += 1
            else:
                stay.append(s)
        kept.append(stay)
    return kept, [_copies(dropped)] if dropped else []


def _copies(count: int) -> str:
    several = f"{count} images repeat others with identical pixels and were left out."
    return coded_warning(
        "slice-duplicate",
        "1 image repeats another one with identical pixels and was left out." if count == 1 else several,
    )


def resolve_duplicates(
    groups: Sequence[Sequence[Slice]], tag: str, same: SamePixels
) -> tuple[list[list[Slice]], list[str]]:
    """Leave out images that share position and time with another one and have its pixels.

    Raises
    ------
    InputRefusedError
        ``slice-duplicate`` where the pixels differ.
    """
    kept: list[list[Slice]] = []
    dropped = 0
    for z, group in enumerate(groups):
        by_value: dict[float, Slice] = {}
        for s in group:
            twin = by_value.setdefault(s.clocks[tag], s)
            if twin is s:
                continue
            if not same(twin, s):
                raise _duplicate(z, len(groups), f"at the same {tag}")
            dropped += 1
        kept.append(list(by_value.values()))
    return kept, [_copies(dropped)] if dropped else []


def _duplicate(z: int, n_slices: int, when: str) -> InputRefusedError:
    return InputRefusedError(
        "slice-duplicate",
        found=f"Two different images claim position {z + 1} of {n_slices} {when}.",
        expected="One image per position and phase.",
        cause="A reconstruction was repeated, or two series were joined.",
        cure="Remove one of the two, or choose the series.",
    )


def require_equal_counts(groups: Groups, same: SamePixels) -> tuple[list[list[Slice]], list[str]]:
    """Return the groups with as many images at every position, where no tag tells the phases apart.

    Raises
    ------
    InputRefusedError
        ``slice-duplicate`` where positions have one image more and it repeats no other; ``slice-missing``.
    """
    counts = [len(group) for group in groups]
    usual = max(set(counts), key=lambda n: (counts.count(n), n))
    kept: list[list[Slice]] = []
    for z, group in enumerate(groups):
        stay: list[Slice] = []
        for n, s in enumerate(group):
            surplus = len(group) - n + len(stay) - usual
            if surplus <= 0 or not any(same(s, k) for k in stay):
                stay.append(s)
        if len(stay) > usual and min(counts) == usual:
            raise _duplicate(z, len(groups), "and no time tag tells them apart")
        kept.append(stay)
    if len({len(group) for group in kept}) > 1:
        raise missing_slice(f"Positions hold {sorted(set(counts))} images, and no time tag tells the phases apart")
    dropped = sum(counts) - sum(len(group) for group in kept)
    return kept, [_copies(dropped)] if dropped else []


def _phase_values(groups: Groups, n_phases: int, tags: Sequence[str]) -> tuple[str, list[float]] | None:
    """Return a tag that has one value in all slices of a phase, by the positions that are complete."""
    full = [g for g in groups if len(g) == n_phases]
    for tag in tags:
        if not all(tag in s.clocks for g in groups for s in g):
            continue
        columns = [{g[t].clocks[tag] for g in full} for t in range(n_phases)]
        values = [next(iter(column)) for column in columns]
        if all(len(column) == 1 for column in columns) and len(set(values)) == n_phases:
            return tag, values
    return None


def _phases_present(groups: Groups, n_phases: int, tag: str, tags: Sequence[str]) -> list[set[int]]:
    """Return for every position the phases that it has an image of."""
    exact = _phase_values(groups, n_phases, tags)
    label, usual = exact or (tag, _usual(groups, n_phases, tag))
    reference = np.asarray(usual)
    return [{int(np.abs(reference - s.clocks[label]).argmin()) for s in g} for g in groups]


def _usual(groups: Groups, n_phases: int, tag: str) -> list[float]:
    rows = [[s.clocks[tag] for s in g] for g in groups if len(g) == n_phases]
    return [float(v) for v in np.median(rows, axis=0)]


def require_complete(
    groups: Groups, tag: str, *, labels: Sequence[str], drop_incomplete: bool
) -> tuple[Groups, list[str]]:
    """Return the groups where every position has an image of every phase.

    Parameters
    ----------
    groups : sequence of sequences of Slice
        By position, in the order of `tag`.
    tag : str
        What orders the phases.
    labels : sequence of str
        Tags that may name a phase exactly, best first.
    drop_incomplete : bool
        Whether an incomplete last phase may be left out, with a warning.

    Raises
    ------
    InputRefusedError
        ``slice-missing``, with phase and position; ``phase-incomplete``.
    """
    n_phases = max(len(g) for g in groups)
    if all(len(g) == n_phases for g in groups):
        return groups, []
    present = _phases_present(groups, n_phases, tag, labels)
    absent = [(t, z) for z, have in enumerate(present) for t in range(n_phases) if t not in have]
    if not absent:  # two images of a position belong to one phase by their time
        raise missing_slice(f"Positions hold {sorted({len(g) for g in groups})} images: phases cannot be told apart")
    if all(t == n_phases - 1 for t, _ in absent):
        where = f"phase {n_phases} has {len(groups) - len(absent)} of {len(groups)} slices"
        if not drop_incomplete:
            raise _incomplete(where)
        text = f"The last phase was left out, as asked for: {where}."
        return [g[: n_phases - 1] for g in groups], [coded_warning("phase-incomplete", text)]
    shown = ", ".join(f"phase {t + 1} at position {z + 1}" for t, z in sorted(absent)[:5])
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    raise missing_slice(f"Slices are missing: {shown}{more} (of {n_phases} phases and {len(groups)} positions)")


def _incomplete(where: str) -> InputRefusedError:
    return InputRefusedError(
        "phase-incomplete",
        found=f"The last phase is incomplete: {where}.",
        expected="Every slice in every phase.",
        cause="The acquisition was stopped, or the transfer was interrupted.",
        cure="Send the series again, or set reading.drop_incomplete_last_phase = true to go on without that phase.",
    )


def missing_slice(found: str) -> InputRefusedError:
    """Return the refusal of a series that lacks slices."""
    return InputRefusedError(
        "slice-missing",
        found=f"{found}.",
        expected="Every phase to have an image at every position.",
        cause="The transfer was interrupted, or files were removed.",
        cure="Send the series again from the archive.",
    )
