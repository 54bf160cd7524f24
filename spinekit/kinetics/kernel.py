"""The compiled pass over a series: blocks of voxels, loops that the compiler can vectorise.

One read of the phases gives every map. Each block's running values stay in the first-level cache; the
inner loops have no branches, only selections. Definitions are those of `spinekit.kinetics.descriptive`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

__all__ = ["MAPS", "REASONS", "describe_blocks"]

# order of the rows that the kernel writes
MAPS = (
    "relative_enhancement_peak", "time_to_peak", "wash_in_slope", "wash_out_slope", "auc60",
    "signal_enhancement_ratio", "steepest_wash_in", "wash_out_ratio", "curve_type", "bolus_arrival_time",
)  # fmt: skip
N_SIX = 6  # the first six are computed in any case; the others on request

REASONS = (
    "the signal is not finite",
    "the baseline signal is not positive",
    "no uptake: the signal does not rise above its baseline",
    "the peak is the last phase, so that no wash-out was seen",
    "the late enhancement is not positive",
    "the signal does not rise in any step",
)
BLOCK = 768  # the running values of one block stay in the first-level cache (24 kB)
FAST = {"contract", "nsz", "arcp"}  # NaN and infinity keep their meaning


@numba.njit(error_model="numpy", fastmath=FAST)
def _onsets(signal: Any, bat: Any, start: int, size: int, n_baseline: int, times_s: Any, base: Any, when: Any) -> None:
    """Write the foot of each voxel's steepest rise: where its line meets the baseline, s after the first phase."""
    n_phases = signal.shape[0]
    steepest = np.empty(BLOCK, np.float32)
    earliest = times_s[n_baseline - 1]
    for b in range(size):
        steepest[b], bat[b] = np.float32(0.0), earliest
    for t in range(n_baseline, n_phases):
        row, before = signal[t, start : start + size], signal[t - 1, start : start + size]
        per_step = np.float32(1.0) / (times_s[t] - times_s[t - 1])
        then, now = times_s[t - 1], times_s[t]
        for b in range(size):
            slope = (row[b] - before[b]) * per_step
            steeper = (slope > steepest[b]) & (now <= when[b])
            foot = then - (before[b] - base[b]) / slope
            steepest[b] = slope if steeper else steepest[b]
            bat[b] = foot if steeper else bat[b]
    for b in range(size):
        foot = bat[b] if bat[b] > earliest else earliest
        bat[b] = foot if foot < when[b] else when[b]


@numba.njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _count_without_rise(size: int, scale: Any, step: Any) -> Any:
    """Count the voxels whose signal does not rise in any step; in float32, exact up to 2^24."""
    zero, one = np.float32(0.0), np.float32(1.0)
    found = zero
    for b in range(size):
        found += one if ((scale[b] > zero) & (step[b] <= zero)) else zero
    return np.int64(found)


@numba.njit(error_model="numpy", fastmath=FAST)
def _extra_maps(
    signal: Any, out: Any, counts: Any, block: int, start: int, size: int, n_baseline: int, last_early: int,
    wash_out: int, late_weights: Any, peak: Any, scale: Any, rise: Any,
) -> None:  # fmt: skip
    """Write the steepest wash-in, the wash-out ratio and the curve type of one block."""
    n_phases = signal.shape[0]
    nan, zero = np.float32(np.nan), np.float32(0.0)
    store = np.empty((3, BLOCK), np.float32)
    step, high, later = store[0], store[1], store[2]
    for b in range(size):
        step[b], high[b], later[b] = -np.float32(np.inf), -np.float32(np.inf), zero
    for t in range(n_baseline, n_phases):
        row, before = signal[t, start : start + size], signal[t - 1, start : start + size]
        for b in range(size):
            d = row[b] - before[b]
            step[b] = d if d > step[b] else step[b]
        if t <= last_early:
            for b in range(size):
                high[b] = row[b] if row[b] > high[b] else high[b]
    if wash_out == 1:
        for t in range(n_phases):
            row = signal[t, start : start + size]
            w = late_weights[t]
            if w != zero:
                for b in range(size):
                    later[b] += w * row[b]
    last = signal[n_phases - 1, start : start + size]
    counts[block, 5] = _count_without_rise(size, scale, step)
    row = out[6, start : start + size]
    for b in range(size):
        row[b] = step[b] * scale[b] if step[b] > zero else nan
    row = out[7, start : start + size]
    if wash_out == 0:
        for b in range(size):
            row[b] = (last[b] - peak[b]) * scale[b] if rise[b] > zero else nan
    else:
        for b in range(size):
            row[b] = (last[b] - later[b]) / later[b] if ((rise[b] > zero) & (later[b] > zero)) else nan
    row = out[8, start : start + size]
    for b in range(size):
        change = (last[b] - high[b]) / high[b]
        kind = np.float32(1.0) if change > np.float32(0.1) else np.float32(2.0)
        kind = np.float32(3.0) if change < np.float32(-0.1) else kind
        row[b] = kind if ((rise[b] > zero) & (high[b] > zero)) else nan


@numba.njit(error_model="numpy", fastmath=FAST)
def _scan(
    signal: Any, start: int, size: int, n_baseline: int, times_s: Any, area_weights: Any,
    base: Any, peak: Any, when: Any, area: Any,
) -> None:  # fmt: skip
    """Read the phases of one block once: baseline, peak, its time, and the area above the baseline.

    Three phases at a time, so that the running values are loaded and stored a third as often. A value that
    is not finite makes the area not finite too, also where its weight is zero.
    """
    n_phases = signal.shape[0]
    head = signal[0, start : start + size]
    for b in range(size):
        base[b] = head[b]
    for t in range(1, n_baseline):
        row = signal[t, start : start + size]
        for b in range(size):
            base[b] += row[b]
    inverse = np.float32(1.0) / np.float32(n_baseline)
    before, row = signal[n_baseline - 1, start : start + size], signal[n_baseline, start : start + size]
    w, now = area_weights[n_baseline - 1], times_s[n_baseline]
    v = area_weights[n_baseline]
    for b in range(size):
        base[b] *= inverse
        area[b] = w * (before[b] - base[b]) + v * (row[b] - base[b])
        peak[b] = row[b]
        when[b] = now
    first = n_baseline + 1
    triples = (n_phases - first) // 3
    for triple in range(triples):
        t = first + 3 * triple
        one, two = signal[t, start : start + size], signal[t + 1, start : start + size]
        three = signal[t + 2, start : start + size]
        u, v, w = area_weights[t], area_weights[t + 1], area_weights[t + 2]
        first_s, second_s, third_s = times_s[t], times_s[t + 1], times_s[t + 2]
        for b in range(size):
            area[b] += u * (one[b] - base[b]) + v * (two[b] - base[b]) + w * (three[b] - base[b])
            high, at = peak[b], when[b]
            higher = one[b] > high
            high, at = one[b] if higher else high, first_s if higher else at
            higher = two[b] > high
            high, at = two[b] if higher else high, second_s if higher else at
            higher = three[b] > high
            peak[b], when[b] = three[b] if higher else high, third_s if higher else at
    for t in range(first + 3 * triples, n_phases):
        row, w, now = signal[t, start : start + size], area_weights[t], times_s[t]
        for b in range(size):
            area[b] += w * (row[b] - base[b])
            higher = row[b] > peak[b]
            peak[b] = row[b] if higher else peak[b]
            when[b] = now if higher else when[b]


@numba.njit(error_model="numpy", fastmath=FAST)
def _write_six(
    signal: Any, out: Any, start: int, size: int, ser_early: int, last_s: Any, area_known: Any, base: Any, peak: Any,
    when: Any, area: Any, bat: Any, scale: Any, rise: Any, rest: Any,
) -> None:  # fmt: skip
    """Write the six maps of one block, one row at a time: few arrays in a loop let the compiler vectorise it."""
    n_phases = signal.shape[0]
    nan, zero = np.float32(np.nan), np.float32(0.0)
    row = out[0, start : start + size]
    for b in range(size):
        row[b] = rise[b]
    row = out[1, start : start + size]
    for b in range(size):
        row[b] = when[b] - bat[b] if rise[b] > zero else nan
    row = out[2, start : start + size]
    for b in range(size):
        delay = when[b] - bat[b]
        row[b] = rise[b] / delay if delay > zero else nan
    row, last = out[3, start : start + size], signal[n_phases - 1, start : start + size]
    for b in range(size):
        since = when[b] - last_s
        fall = (peak[b] - last[b]) * scale[b] / since
        row[b] = fall if ((since < zero) & (rise[b] > zero)) else nan
    row = out[4, start : start + size]
    for b in range(size):
        row[b] = area[b] * scale[b] * area_known
    row, early = out[5, start : start + size], signal[ser_early, start : start + size]
    for b in range(size):
        row[b] = (early[b] - base[b]) / rest[b] if scale[b] > zero else nan


@numba.njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _count(
    counts: Any, block: int, size: int, last_s: Any, area: Any, scale: Any, rise: Any, rest: Any, when: Any
) -> None:
    """Count the voxels of one block by the reason for which something is undefined; in float32, exact up to 2^24."""
    zero, one = np.float32(0.0), np.float32(1.0)
    not_finite, usable, uptake, peak_last, no_late = zero, zero, zero, zero, zero
    for b in range(size):
        not_finite += one if area[b] - area[b] != zero else zero
        usable += one if scale[b] > zero else zero
    for b in range(size):
        uptake += one if rise[b] > zero else zero
        peak_last += one if ((rise[b] > zero) & (when[b] >= last_s)) else zero
    for b in range(size):
        no_late += one if ((scale[b] > zero) & (rest[b] != rest[b])) else zero
    counts[block, 0] = np.int64(not_finite)
    counts[block, 1] = size - np.int64(not_finite) - np.int64(usable)
    counts[block, 2] = np.int64(usable) - np.int64(uptake)
    counts[block, 3] = np.int64(peak_last)
    counts[block, 4] = np.int64(no_late)


READ_ONLY = types.Array(types.float32, 2, "C", readonly=True)
ROWS, VECTOR, COUNTS = types.float32[:, ::1], types.float32[::1], types.int64[:, ::1]
INT, BOOL = types.int64, types.boolean
SIGNATURE = types.void(
    READ_ONLY, ROWS, COUNTS, INT, INT, VECTOR, INT, types.float32, VECTOR, BOOL, INT, INT, INT, INT, VECTOR, BOOL, BOOL
)  # fmt: skip


@numba.njit(SIGNATURE, nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def describe_blocks(
    signal: Any,  # (T, N)
    out: Any,  # (6 or 10, N)
    counts: Any,  # (n_blocks, 6): voxels per reason
    first_block: int,
    end_block: int,
    times_s: Any,  # (T,)
    n_baseline: int,
    bat_s: float,
    area_weights: Any,  # (T,), finite
    area_reached: bool,  # whether the series lasts as long as the area does
    ser_early: int,
    ser_late: int,
    last_early: int,
    wash_out: int,  # 0 lang2013, 1 lang2017
    late_weights: Any,  # (T,): the signal at 67 s is their weighted sum; NaN where out of reach
    onset: bool,  # whether time to peak and wash-in count from each voxel's own onset instead of `bat_s`
    extra: bool,
) -> None:
    """Write the maps of the voxels of some blocks into `out`; see `MAPS` for its rows, `REASONS` for `counts`."""
    n_phases, n = signal.shape
    nan, zero, one = np.float32(np.nan), np.float32(0.0), np.float32(1.0)
    last_s = times_s[n_phases - 1]
    area_known = one if area_reached else nan
    store = np.empty((8, BLOCK), np.float32)
    base, peak, when, area = store[0], store[1], store[2], store[3]
    bat, scale, rise, rest = store[4], store[5], store[6], store[7]
    for block in range(first_block, end_block):
        start = block * BLOCK
        size = min(BLOCK, n - start)
        _scan(signal, start, size, n_baseline, times_s, area_weights, base, peak, when, area)
        # scale is NaN where nothing can be computed, rise where there is no uptake: both spread by themselves
        late = signal[ser_late, start : start + size]
        for b in range(size):
            scale[b] = one / base[b] if ((area[b] - area[b] == zero) & (base[b] > zero)) else nan
        for b in range(size):
            rise[b] = (peak[b] - base[b]) * scale[b] if peak[b] > base[b] else nan
        for b in range(size):
            rest[b] = (late[b] - base[b]) if late[b] > base[b] else nan
        if onset or extra:
            _onsets(signal, bat, start, size, n_baseline, times_s, base, when)
        if extra:
            row = out[9, start : start + size]
            for b in range(size):
                row[b] = bat[b] if rise[b] > zero else nan
        if not onset:
            for b in range(size):
                bat[b] = bat_s
        _write_six(
            signal, out, start, size, ser_early, last_s, area_known, base, peak, when, area, bat, scale, rise, rest
        )
        _count(counts, block, size, last_s, area, scale, rise, rest, when)
        if extra:
            _extra_maps(
                signal, out, counts, block, start, size, n_baseline, last_early, wash_out, late_weights,
                peak, scale, rise,
            )  # fmt: skip
