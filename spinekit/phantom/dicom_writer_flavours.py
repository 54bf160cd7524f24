"""How the vendors write a dynamic series: which tags tell the time, how images are numbered and scaled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.dicom_writer_planes import TEN_O_CLOCK_S, Plane

__all__ = ["FLAVOURS", "Flavour", "clock_text", "instance_numbers"]

DAY_S = 86_400.0


@dataclass(frozen=True)
class Flavour:
    """One way of writing a dynamic series.

    Attributes
    ----------
    says : str
        In words.
    maker : str
        Manufacturer.
    times : callable
        The tags of time of one plane, and how many phases there are -> DICOM keywords and values.
    files : {"classic", "mosaic", "frames per phase", "frames"}
        One file per image; one picture per phase with the slices as tiles; an enhanced multi-frame file per phase;
        one such file for all.
    numbering : {"phase", "position", "random"}
        Whether InstanceNumber runs through a phase, through a position, or at random.
    own_series : bool
        Whether every phase is a series of its own.
    own_slopes : bool
        Whether every image has a slope and intercept of its own.
    """

    says: str
    maker: str
    times: Callable[[Plane, int], dict[str, Any]]
    files: str = "classic"
    numbering: str = "phase"
    own_series: bool = False
    own_slopes: bool = False


def clock_text(seconds: float) -> str:
    """Return a time of day as DICOM writes it; a day later begins at midnight again.

    Examples
    --------
    >>> clock_text(36_012.5), clock_text(86_400.0)
    ('100012.500000', '000000.000000')
    """
    micro = round((seconds % DAY_S) * 1e6) % round(DAY_S * 1e6)
    whole, fraction = divmod(micro, 1_000_000)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{fraction:06d}"


def _siemens(plane: Plane, n_phases: int) -> dict[str, Any]:
    late = plane.clock_s + plane.lag_s
    return {
        "AcquisitionTime": clock_text(late),
        "ContentTime": clock_text(late + 5 + plane.z % 2),  # one phase, two times a second apart
        "AcquisitionNumber": plane.phase + 1,
    }


def _siemens_mosaic(plane: Plane, n_phases: int) -> dict[str, Any]:
    clock = clock_text(plane.clock_s)
    return {"AcquisitionTime": clock, "ContentTime": clock, "AcquisitionNumber": plane.phase + 1}


def _siemens_series(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {
        "AcquisitionTime": clock_text(plane.clock_s),
        "SeriesTime": clock_text(plane.clock_s + 3),
        "AcquisitionNumber": 1,
    }


def _frame_times(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {"FrameAcquisitionDateTime": plane.clock_s, "TemporalPositionIndex": plane.phase + 1}


def _frame_offsets(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {"TemporalPositionIndex": plane.phase + 1, "TemporalPositionTimeOffset": plane.clock_s - TEN_O_CLOCK_S}


def _ge_trigger(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {
        "AcquisitionTime": clock_text(TEN_O_CLOCK_S),
        "TriggerTime": round(1000.0 * (plane.clock_s - TEN_O_CLOCK_S), 3),
        "AcquisitionNumber": 1,
    }


def _ge_temporal(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {
        "TemporalPositionIdentifier": plane.phase + 1,
        "NumberOfTemporalPositions": n_phases,
        "ContentTime": clock_text(plane.clock_s),
    }


def _ge_instance(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {"AcquisitionTime": clock_text(TEN_O_CLOCK_S), "AcquisitionNumber": 1}


def _canon(plane: Plane, n_phases: int) -> dict[str, Any]:
    return {"AcquisitionTime": clock_text(plane.clock_s)}


FLAVOURS = {
    "siemens": Flavour("one series, a time of its own for every slice", "SIEMENS", _siemens),
    "siemens-series": Flavour("one series per measurement", "SIEMENS", _siemens_series, own_series=True),
    "siemens-mosaic": Flavour("one picture per phase, with the slices as tiles", "SIEMENS", _siemens_mosaic, "mosaic"),
    "siemens-xa": Flavour(
        "enhanced, one file per measurement", "Siemens Healthineers", _frame_times, "frames per phase"
    ),
    "ge-trigger": Flavour("TriggerTime tells the phases apart", "GE MEDICAL SYSTEMS", _ge_trigger),
    "ge-temporal": Flavour("TemporalPositionIdentifier and ContentTime", "GE MEDICAL SYSTEMS", _ge_temporal),
    "ge-instance": Flavour("instance numbers only, no time of a phase", "GE MEDICAL SYSTEMS", _ge_instance),
    "philips": Flavour(
        "TriggerTime, instance numbers at random, slope per slice",
        "Philips Medical Systems",
        _ge_trigger,
        numbering="random",
        own_slopes=True,
    ),
    "philips-enhanced": Flavour(
        "enhanced, one file, slope per frame", "Philips", _frame_offsets, "frames", "random", own_slopes=True
    ),
    "canon": Flavour(
        "AcquisitionTime, images numbered position by position", "CANON_MEC", _canon, numbering="position"
    ),
}


def instance_numbers(planes: Sequence[Plane], flavour: Flavour) -> list[int]:
    """Return the InstanceNumber of every plane, from 1; at random but the same in every run."""
    if flavour.numbering == "random":
        return [int(n) + 1 for n in np.random.default_rng(len(planes)).permutation(len(planes))]
    if flavour.numbering == "position":
        order = sorted(range(len(planes)), key=lambda n: (planes[n].z, planes[n].phase, planes[n].copy))
    else:
        order = list(range(len(planes)))
    numbers = [0] * len(planes)
    for number, index in enumerate(order, start=1):
        numbers[index] = number
    return numbers
