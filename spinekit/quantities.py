"""Every quantity that spinekit reports: symbol, unit, formula, source, plausible range.

Names are those of the maps. Terms follow OSIPI CAPLEX (https://osipi.github.io/OSIPI_CAPLEX/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CURVE_TYPES", "QUANTITIES", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    """One reported quantity.

    ``plausible`` is the range that a display starts from, not a limit on values.
    """

    name: str
    title: str
    symbol: str
    unit: str
    formula: str
    source: str
    plausible: tuple[float, float]
    quantitative: bool = False  # needs TR, flip angle and T1, not just the signal


_ALL = (
    Quantity(
        "relative_enhancement_peak",
        "Peak relative enhancement",
        "RE_max",
        "1",
        "max over phases after the baseline of S/S_BL - 1",
        "CAPLEX relative enhancement; Lang 2013 'max enhancement ratio'",
        (0.0, 3.0),
    ),
    Quantity(
        "time_to_peak",
        "Time to peak",
        "TTP",
        "s",
        "t_peak - BAT",
        "CAPLEX Q.CD1.010",
        (0.0, 300.0),
    ),
    Quantity(
        "bolus_arrival_time",
        "Bolus arrival time",
        "BAT",
        "s",
        "time after the first phase at which the signal leaves the baseline",
        "CAPLEX Q.BA1.001",
        (0.0, 120.0),
    ),
    Quantity(
        "wash_in_slope",
        "Wash-in slope",
        "WIS",
        "1/s",
        "(RE_max - RE_BL) / TTP",
        "CAPLEX Q.CD1.011",
        (0.0, 0.05),
    ),
    Quantity(
        "wash_out_slope",
        "Wash-out slope",
        "WOS",
        "1/s",
        "(RE_max - RE_last) / (t_peak - t_last); negative when the signal washes out, NaN if the peak is last",
        "CAPLEX wash-out slope",
        (-0.005, 0.005),
    ),
    Quantity(
        "steepest_wash_in",
        "Steepest wash-in",
        "SWI",
        "1",
        "max over t of (S(t+1) - S(t)) / S_BL",
        "Lang 2013, doi 10.1016/j.mri.2012.10.003",
        (0.0, 2.0),
    ),
    Quantity(
        "wash_out_ratio",
        "Wash-out ratio",
        "WOR",
        "1",
        "by convention: lang2013 (S_last - S_peak)/S_BL; lang2017 (S_last - S_67s)/S_67s",
        "Lang 2013; Lang 2017, doi 10.1016/j.acra.2016.12.014",
        (-0.5, 0.5),
    ),
    Quantity(
        "signal_enhancement_ratio",
        "Signal enhancement ratio",
        "SER",
        "1",
        "(S_early - S_BL) / (S_late - S_BL); custom, not in CAPLEX, stated with its phase times",
        "Hylton 2012, doi 10.1148/radiol.12110748",
        (0.0, 2.0),
    ),
    Quantity(
        "auc60",
        "Area under the curve, first 60 s",
        "AUC60",
        "s",
        "integral of RE from BAT to BAT + 60 s, trapezoidal between phases",
        "CAPLEX area under curve",
        (0.0, 100.0),
    ),
    Quantity(
        "curve_type",
        "Curve type",
        "type",
        "1",
        "1 persistent, 2 plateau, 3 wash-out, by the change from the peak or early phase to the last",
        "Kuhl 1999, doi 10.1148/radiology.211.1.r99ap38101",
        (1.0, 3.0),
    ),
    Quantity(
        "ktrans",
        "Volume transfer constant",
        "Ktrans",
        "1/min",
        "extended Tofts: C_t = vp C_p + Ktrans (C_p * exp(-kep t))",
        "Tofts 1999",
        (0.0, 0.5),
        True,
    ),
    Quantity("kep", "Rate constant", "kep", "1/min", "Ktrans / ve", "Tofts 1999", (0.0, 3.0), True),
    Quantity(
        "ve", "Extravascular extracellular volume fraction", "ve", "1", "Ktrans / kep", "Tofts 1999", (0.0, 1.0), True
    ),
    Quantity("vp", "Plasma volume fraction", "vp", "1", "extended Tofts", "Tofts 1999", (0.0, 0.3), True),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({q.name: q for q in _ALL})

CURVE_TYPES: Mapping[int, str] = MappingProxyType({1: "persistent", 2: "plateau", 3: "wash-out"})
