"""Features over time: how a texture changes as contrast agent arrives and leaves.

Every feature of every phase gives a curve, as the mean signal does; peak, slope and wash-out of that curve are
features of the lesion, the *delta* features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.case import DynamicSeries, Roi
from spinekit.errors import InputRefusedError
from spinekit.radiomics.catalogue import feature_columns
from spinekit.radiomics.discretisation import Discretisation
from spinekit.radiomics.extract import extract_features

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["CURVE_FEATURES", "delta_row", "feature_curves", "features_over_time"]

CURVE_FEATURES = ("peak", "time_to_peak", "slope", "wash_out", "last")
TIMED_FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")  # the region's shape does not change


def features_over_time(
    series: DynamicSeries,
    roi: Roi,
    *,
    discretisation: Discretisation | Mapping[str, Any] | None,
    phases: Iterable[int] | None = None,
    families: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
    **choices: Any,
) -> pd.DataFrame:
    """Extract the features of one region on every phase of a series.

    Parameters
    ----------
    series : DynamicSeries
        The phases.
    roi : Roi
        The region, one for all phases.
    discretisation : FixedBinWidth, FixedBinCount or mapping
        As of `spinekit.extract_features`. A fixed width keeps the meaning of a grey level over time; a fixed count
        stretches the levels over each phase's own range, so that texture no longer sees enhancement as such.
    phases : iterable of int, optional
        Phases to take; all without a choice.
    families : iterable of str or mapping, optional
        All but shape without a choice.
    **choices
        Further choices of `spinekit.extract_features`: filters, path, aggregation, normalisation ...

    Returns
    -------
    DataFrame
        Tidy, one row per phase and feature: ``phase`` (number), ``time_s``, ``feature`` (pyradiomics' name),
        ``value``. ``attrs["warnings"]`` as of `spinekit.extract_features`.

    Raises
    ------
    InputRefusedError
        What `spinekit.extract_features` refuses; ``value-out-of-range`` for a phase that is not there.

    Examples
    --------
    >>> from spinekit import Geometry
    >>> grid = Geometry((5, 5, 5), (1.0, 1.0, 1.0))
    >>> signal = np.random.default_rng(0).normal(100.0, 5.0, (3, 5, 5, 5)) + np.array([0, 50, 40])[:, None, None, None]
    >>> series = DynamicSeries(signal, [0.0, 20.0, 40.0], grid, "given")
    >>> roi = Roi(np.ones((5, 5, 5), dtype=bool), grid)
    >>> table = features_over_time(series, roi, discretisation={"bin_width": 2.0}, families={"firstorder": ["Mean"]})
    >>> table["value"].round().tolist()
    [100.0, 150.0, 140.0]
    """
    wanted = list(range(series.n_phases)) if phases is None else [int(p) for p in phases]
    for number in wanted:
        if not 0 <= number < series.n_phases:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"Phase {number} was asked for; the series has {series.n_phases}.",
                expected=f"Phases 0 to {series.n_phases - 1}.",
                cause="Phases are counted from zero.",
                cure="Correct phases=, or leave it out to take all.",
            )
    images = {f"phase_{number:02d}": series.phase(number) for number in wanted}
    kinds = TIMED_FAMILIES if families is None else families
    table = extract_features(images, roi, discretisation=discretisation, families=kinds, **choices)
    columns = feature_columns(table.columns)
    long = table[columns].assign(phase=wanted, time_s=[float(series.times_s[n]) for n in wanted])
    tidy = long.melt(id_vars=["phase", "time_s"], value_vars=columns, var_name="feature", value_name="value")
    tidy.attrs["warnings"] = table.attrs["warnings"]
    return tidy


def feature_curves(table: pd.DataFrame, *, n_baseline: int = 1) -> pd.DataFrame:
    r"""Describe the curve of every feature: its values, peak, slope and wash-out.

    Parameters
    ----------
    table : DataFrame
        From `features_over_time`.
    n_baseline : int
        Number of leading phases before the contrast agent; their mean is the baseline :math:`f_{BL}`.

    Returns
    -------
    DataFrame
        Index ``feature``; ``phase_00`` ... (values), ``baseline``; ``peak`` :math:`f_{max} - f_{BL}`, at the phase
        after the baseline that is farthest from it in either direction; ``time_to_peak`` (s after the last
        baseline phase), ``slope`` (peak over time to peak, 1/s), ``wash_out`` (:math:`f_{last} - f_{max}` over the
        time between, 1/s), ``last`` :math:`f_{last} - f_{BL}`. NaN where a value is undefined, and ``wash_out``
        where the peak is last.

    Raises
    ------
    InputRefusedError
        ``too-few-phases`` if no phase is left after the baseline.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"phase": [0, 1, 2], "time_s": [0.0, 20.0, 60.0], "value": [10.0, 4.0, 8.0],
    ...                       "feature": "original_glcm_Contrast"})
    >>> curve = feature_curves(table).loc["original_glcm_Contrast"]
    >>> float(curve["peak"]), float(curve["slope"]), float(curve["wash_out"])
    (-6.0, -0.3, 0.1)
    """
    import pandas as pd

    times = table.groupby("phase")["time_s"].first().sort_index()
    if not 1 <= n_baseline < len(times):
        raise InputRefusedError(
            "too-few-phases",
            found=f"The table holds {len(times)} phases, and n_baseline is {n_baseline}.",
            expected="At least one phase before and one after the contrast agent.",
            cause="Too few phases were extracted, or phases were counted as baseline that are enhanced.",
            cure="Extract all phases, or correct n_baseline.",
        )
    wide = table.pivot(index="feature", columns="phase", values="value").loc[table["feature"].unique(), times.index]
    found = pd.DataFrame(_described(wide.to_numpy(dtype=float), times.to_numpy(dtype=float), n_baseline),
                         index=wide.index)  # fmt: skip
    wide.columns = [f"phase_{number:02d}" for number in times.index]
    return wide.join(found)


def _described(values: NDArray[np.float64], times_s: NDArray[np.float64], n: int) -> dict[str, NDArray[np.float64]]:
    baseline = values[:, :n].mean(axis=1)
    change = values[:, n:] - baseline[:, None]
    defined = np.isfinite(change).all(axis=1)
    at = np.where(defined, np.argmax(np.where(np.isfinite(change), np.abs(change), -1.0), axis=1), 0)
    rows = np.arange(len(values))
    peak = np.where(defined, change[rows, at], np.nan)
    time_to_peak = np.where(defined, times_s[n:][at] - times_s[n - 1], np.nan)
    last = np.where(defined, change[:, -1], np.nan)
    left = times_s[-1] - times_s[n:][at]
    wash_out = np.where(left > 0, (last - peak) / np.where(left > 0, left, 1.0), np.nan)
    return {
        "baseline": baseline,
        "peak": peak,
        "time_to_peak": time_to_peak,
        "slope": peak / time_to_peak,
        "wash_out": wash_out,
        "last": last,
    }


def delta_row(curves: pd.DataFrame) -> pd.Series:
    """Return what was taken of every curve as one row for a case.

    Parameters
    ----------
    curves : DataFrame
        From `feature_curves`.

    Returns
    -------
    Series of float
        Names such as ``delta_peak_original_glcm_Contrast``; the values of single phases are in the wide row of
        the phases, see `spinekit.radiomics.wide_row`.
    """
    import pandas as pd

    values = {f"delta_{kind}_{name}": float(curves.loc[name, kind]) for kind in CURVE_FEATURES for name in curves.index}
    return pd.Series(values, dtype=float)
