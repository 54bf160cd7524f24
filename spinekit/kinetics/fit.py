r"""Fit Tofts and extended Tofts to many curves at once, with a bolus delay and standard errors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError, ShapeMismatchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["KEP_RANGE_PER_MIN", "MODELS", "ToftsFit", "fit_tofts"]

MODELS = ("tofts", "extended_tofts")
KEP_RANGE_PER_MIN = (0.001, 50.0)  # time constants from 1 s to 17 h; what lies outside cannot be told from the edge
STEPS_PER_E_FOLD = 4.0  # of the kep grid: every valley of the cost is wider than its step
DELAY_STEP_S = 0.2  # of the delay grid: the bends of Cp at its samples make valleys narrower than the bolus
AT_BEND_S = (-0.3, -0.1, 0.1)  # of it, more: where foot or top of Cp meets a phase, the valleys are narrowest
FOOT = 0.05  # of the top of Cp: what lies below it, before the top, is before the bolus
SPAN = 4e-6  # of the strongest direction's square: what lies in weaker ones the grid leaves out
THREADS = min(4, os.cpu_count() or 1)
CHUNK = 65536  # voxels fitted at a time: 25 phases of them are 13 MB


@dataclass(frozen=True)
class ToftsFit:
    """What a fit of N-dimensional curves gives; arrays of shape (...) like one phase of the curves.

    Attributes
    ----------
    ktrans_per_min, kep_per_min, ve, vp, delay_s : ndarray of shape (...)
        float64; NaN where `code` is not 0. vp is 0 for the Tofts model, and where the optimum would be
        negative and negative values were not allowed. The delay is where the plasma curve starts later
        in the voxel than as given.
    residual_mM : ndarray of shape (...)
        Root of the mean squared residual, mM; also where the parameters are NaN for lying at an edge.
    errors : mapping of str to ndarray of shape (...)
        Standard errors of ktrans, kep, ve, vp and delay in the units above, from the covariance at the
        optimum with the variance of the residuals. NaN where the parameters are, where a value is held
        at its bound, and where there are no more phases than parameters.
    code : ndarray of shape (...), int8
        0 where fitted, else an index into `reasons`.
    reasons : tuple of str
        Why a voxel has no parameters.
    model : str
    """

    ktrans_per_min: Any
    kep_per_min: Any
    ve: Any
    vp: Any
    delay_s: Any
    residual_mM: Any
    errors: Mapping[str, Any]
    code: Any
    reasons: tuple[str, ...]
    model: str

    @property
    def undefined(self) -> dict[str, int]:
        """Number of voxels without parameters, by reason."""
        counts = np.bincount(np.ravel(self.code), minlength=len(self.reasons))
        return {self.reasons[n]: int(counts[n]) for n in range(1, len(self.reasons)) if counts[n]}


def fit_tofts(
    concentration_mM: ArrayLike,
    times_s: ArrayLike,
    plasma_mM: ArrayLike,
    *,
    plasma_times_s: ArrayLike | None = None,
    model: str = "extended_tofts",
    delay_range_s: tuple[float, float] = (0.0, 0.0),
    kep_range_per_min: tuple[float, float] = KEP_RANGE_PER_MIN,
    non_negative: bool = True,
) -> ToftsFit:
    r"""Fit C(t) = vp Cp(t - d) + Ktrans \int Cp(s - d) exp(-kep (t - s)) ds by least squares.

    Parameters
    ----------
    concentration_mM : ndarray of shape (T, ...)
        Tissue curves, mM, time first.
    times_s : ndarray of shape (T,)
        Seconds, rising; need not be uniform.
    plasma_mM : ndarray of shape (A,)
        Plasma concentration, mM: linear between its samples, 0 before the first, constant after the last.
    plasma_times_s : ndarray of shape (A,), optional
        Its times, s, on the scale of `times_s`, which are taken if not given. Fine times cost little.
    model : {"extended_tofts", "tofts"}
        Without or with vp = 0.
    delay_range_s : tuple of float
        Smallest and largest delay d of the bolus, s; equal numbers fix it.
    kep_range_per_min : tuple of float
        Where kep is looked for, 1/min.
    non_negative : bool
        Keep Ktrans and vp from being negative. Without it the optimum is that of plain least squares;
        a negative Ktrans is NaN in either case.

    Returns
    -------
    ToftsFit
        NaN, with a reason, where a curve is not finite, kep lies at an edge of its range or Ktrans is
        not positive.

    Raises
    ------
    ShapeMismatchError
        If there is not one time per phase or plasma sample.
    InputRefusedError
        ``times-invalid``, ``choice-unknown`` (model), ``value-out-of-range`` (ranges, plasma curve without
        contrast agent), ``too-few-phases``.

    Notes
    -----
    Variable projection: for a given kep and d the model is linear in Ktrans and vp. A grid over kep and d
    finds the deepest valleys, damped Gauss-Newton steps on the projected problem their bottoms.

    References
    ----------
    .. [1] Tofts 1999, J Magn Reson Imaging 10:223; OSIPI CAPLEX M.IC1.005.
    .. [2] Golub and Pereyra 1973, SIAM J Numer Anal 10:413 (variable projection).

    Examples
    --------
    >>> times, plasma = [0, 20, 40, 60, 120, 180], [0.0, 6.0, 3.0, 2.0, 1.5, 1.2]
    >>> from spinekit.kinetics.tofts import extended_tofts
    >>> tissue = extended_tofts(plasma, times, ktrans_per_min=0.2, kep_per_min=0.5, vp=0.05)
    >>> fit = fit_tofts(tissue, times, plasma)
    >>> fit.ktrans_per_min.round(6), fit.ve.round(6), fit.vp.round(6)
    (np.float64(0.2), np.float64(0.4), np.float64(0.05))
    """
    values = np.asarray(concentration_mM, dtype=np.float64)
    times = _times(times_s, values.shape[:1], "tissue curve")
    plasma = np.asarray(plasma_mM, dtype=np.float64)
    plasma_times = times if plasma_times_s is None else _times(plasma_times_s, plasma.shape, "plasma curve")
    if plasma_times.shape != plasma.shape:
        _times(times_s, plasma.shape, "plasma curve")
    _require_model(model, times.size, plasma)
    keps = _kep_grid(delay_range_s, kep_range_per_min, (times[-1] - times[0]) / 60.0)
    grid = _delay_grid(delay_range_s, times, plasma_times, plasma), keps
    out, code = _fit(values.reshape(times.size, -1), times, plasma_times, plasma, grid, model, non_negative)
    return _result(out, code, values.shape[1:], times.size, model)


def _times(times_s: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    times = np.ascontiguousarray(times_s, dtype=np.float64)
    if times.ndim != 1 or shape != times.shape:
        raise ShapeMismatchError(
            found=f"There are {times.size} times for a {what} of shape {shape} along time.",
            expected="One time per phase, and one per sample of the plasma curve.",
            cause="The time axis may be the last one, or the plasma curve was sampled at other times.",
            cure="Move the time axis to the front; give the plasma curve's own times as plasma_times_s.",
        )
    if not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        raise InputRefusedError(
            "times-invalid",
            found=f"The times of the {what} run {times[:5].tolist()} and so on.",
            expected="Finite seconds that rise.",
            cause="They may be out of order, or doubled.",
            cure="Sort them, with the concentrations.",
        )
    return times


def _require_model(model: str, n_phases: int, plasma: NDArray[np.float64]) -> None:
    if model not in MODELS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The model '{model}' was asked for.",
            expected=f"One of {', '.join(MODELS)}.",
            cause="The name may be misspelt.",
            cure="Use 'extended_tofts', or 'tofts' where the plasma volume is negligible.",
        )
    least = 3 if model == "tofts" else 4
    if n_phases < least:
        raise InputRefusedError(
            "too-few-phases",
            found=f"The curves have {n_phases} phases.",
            expected=f"At least {least} for the model '{model}', one more than it has parameters.",
            cause="Only some of the phases were exported, or the protocol is not dynamic.",
            cure="Use the descriptive maps of such a series.",
        )
    if not np.isfinite(plasma).all() or not (plasma > 0).any():
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The largest plasma concentration is {plasma.max(initial=np.nan):g} mM.",
            expected="A finite curve with contrast agent in it.",
            cause="The arterial region may lie in tissue without flow, or in a saturated vessel.",
            cure="Choose another arterial input.",
        )


def _kep_grid(
    delay_range_s: tuple[float, float], kep_range_per_min: tuple[float, float], minutes: float
) -> NDArray[np.float64]:
    """Return the grid of kep, 1/min; both ranges are looked at."""
    (early, late), (slow, quick) = delay_range_s, kep_range_per_min
    if not (np.isfinite([early, late, quick]).all() and early <= late and 0.0 < slow < quick):
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The delay may run over {tuple(delay_range_s)} s, kep over {tuple(kep_range_per_min)} per minute.",
            expected="Finite ranges, the smaller number first, and kep above 0.",
            cause="The two numbers may be swapped.",
            cure="Give (smallest, largest).",
        )
    alike = 0.5 / minutes  # slower rates than this differ little within the series
    n = 1 + int(np.ceil(np.log((quick + alike) / (slow + alike)) * STEPS_PER_E_FOLD))
    keps = np.geomspace(slow + alike, quick + alike, n) - alike
    keps[[0, -1]] = slow, quick
    return keps


def _delay_grid(delay_range_s: tuple[float, float], times: Any, plasma_times: Any, plasma: Any) -> NDArray[np.float64]:
    """Return the grid of delays, min: even steps, and closer ones where foot or top of Cp meets a phase."""
    early, late = delay_range_s
    even = np.linspace(early, late, 1 + int(np.ceil((late - early) / DELAY_STEP_S - 1e-9)))
    top = int(plasma.argmax())
    before = np.flatnonzero(plasma[: top + 1] <= FOOT * plasma[top])
    foot = int(before[-1]) if before.size else 0
    bends = times[:, None] - plasma_times[[foot, top]]
    close = (bends[..., None] + AT_BEND_S).ravel()
    return np.union1d(even, close[(close > early) & (close < late)]) / 60.0


def _fit(
    values: Any, times: Any, plasma_times: Any, plasma: Any, grid: tuple[Any, Any], model: str, non_negative: bool
) -> tuple[Any, Any]:
    from spinekit.kinetics.fit_basis import blood_table
    from spinekit.kinetics.fit_kernel import OUTPUTS, fit_voxels

    (delays, keps), t = grid, times / 60.0
    log_keps = np.log(keps)
    blood = blood_table(plasma_times / 60.0, plasma, t[-1] - delays[0], (keps[0], keps[-1]))
    span, curves_of_grid = _grid_curves(t, blood, delays, log_keps, extended=model == "extended_tofts")
    n = values.shape[1]
    out, code = np.full((len(OUTPUTS), n), np.nan), np.zeros(n, dtype=np.int8)
    with ThreadPoolExecutor(THREADS) as pool:  # the kernel releases the interpreter's lock
        for start in range(0, n, CHUNK):
            size = min(CHUNK, n - start)
            curves = np.ascontiguousarray(values[:, start : start + size].T)
            part, reason = (np.full((len(OUTPUTS), size), np.nan), np.zeros(size, dtype=np.int8))
            parts = pairwise(np.linspace(0, size, 8 * THREADS + 1).astype(int))  # enhancing voxels lie together
            done = [
                pool.submit(
                    fit_voxels, curves, span, t, blood, delays, log_keps, curves_of_grid,
                    model == "extended_tofts", non_negative, a, b, part, reason,
                )
                for a, b in parts
            ]  # fmt: skip
            for one in done:
                one.result()
            out[:, start : start + size], code[start : start + size] = part, reason
    return out, code


def _grid_curves(t: Any, blood: Any, delays: Any, log_keps: Any, *, extended: bool) -> tuple[Any, tuple[Any, ...]]:
    """Return the space that the grid's curves span, (R, T), and the grid's curves in it.

    The latter are Cp at each delay, (R, D), and what of its convolution is at right angles to it, (K, R, D), both of
    length 1, and the cosine and sine of the angle between Cp and the convolution, (K, D). R and D are filled up with
    zeros to multiples of 4 and 8.
    """
    from spinekit.kinetics.fit_kernel import tabulate

    leaked, vessels = (np.empty((log_keps.size, delays.size, t.size)), np.empty((delays.size, t.size)))
    tabulate(t, blood, delays, log_keps, leaked, vessels)
    vessels, leaked = _unit(vessels * extended), _unit(leaked)
    some = np.concatenate([leaked[:, ::3].reshape(-1, t.size), vessels])
    strengths, axes = np.linalg.eigh(np.einsum("nt,ns->ts", some, some))
    n = max(1, int((strengths > SPAN * strengths[-1]).sum()))
    span = np.zeros((-(-n // 4) * 4, t.size))
    span[:n] = axes[:, ::-1][:, :n].T
    v, b = np.einsum("dt,rt->dr", vessels, span), np.einsum("kdt,rt->kdr", leaked, span)
    cosine = np.einsum("kdr,dr->kd", b, v)
    beside = b - cosine[:, :, None] * v
    sine = np.linalg.norm(beside, axis=2)
    usable = sine > 1e-3
    beside = np.where(usable[:, :, None], beside / np.where(usable, sine, 1.0)[:, :, None], 0.0)
    room = (-delays.size) % 8
    made = (v.T, beside.transpose(0, 2, 1), cosine, np.where(usable, sine, 0.0))
    padded = [np.pad(m, [(0, 0)] * (m.ndim - 1) + [(0, room)]).astype(np.float32) for m in made]
    return span, tuple(np.ascontiguousarray(m) for m in padded)


def _unit(rows: Any) -> Any:
    """Return rows of length 1, or of length 0 where they are 0."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(length > 0.0, length, 1.0)


def _result(out: Any, code: Any, shape: tuple[int, ...], n_phases: int, model: str) -> ToftsFit:
    from spinekit.kinetics.fit_kernel import OUTPUTS, REASONS

    row = {name: out[n].reshape(shape) for n, name in enumerate(OUTPUTS)}
    residual = np.sqrt(row.pop("rss") / n_phases)
    bad = (code != 0).reshape(shape)
    for values in row.values():
        values[bad] = np.nan
    with np.errstate(invalid="ignore"):
        ve = row["ktrans"] / row["kep"]
    errors = {name: row[f"{name}_error"] for name in ("ktrans", "kep", "ve", "vp")}
    errors["delay"] = 60.0 * row["delay_error"]
    return ToftsFit(
        row["ktrans"], row["kep"], ve, row["vp"], 60.0 * row["delay"], residual,
        MappingProxyType(errors), code.reshape(shape), REASONS, model,
    )  # fmt: skip
