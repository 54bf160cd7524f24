"""DICOM times as seconds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import numpy as np

__all__ = ["DAY_S", "LONGEST_S", "seconds_of", "seconds_of_datetime", "unwrap_midnight", "zone_of"]

DAY_S = 86400.0
LONGEST_S = DAY_S / 2  # no dynamic series lasts longer
EPOCH = datetime(2000, 1, 1)  # a near one, so that seconds keep their microseconds in a double
TIME = re.compile(r"^(\d{2})(?::?(\d{2}))?(?::?(\d{2})(\.\d+)?)?$")
DATE = re.compile(r"^\d{8}$")
ZONE = re.compile(r"([+-])(\d{2})(\d{2})$")


def seconds_of(time: Any, date: Any = None) -> float:
    """Return a DICOM TM, with its DA if there is one, as seconds; NaN where it is absent or no time.

    Examples
    --------
    >>> seconds_of("102551.5")
    37551.5
    >>> seconds_of("000010", "20200102") - seconds_of("235950", "20200101")
    20.0
    """
    match = TIME.match(str(time or "").strip())
    if match is None:
        return float("nan")
    hours, minutes, seconds, fraction = match.groups()
    value = 3600.0 * int(hours) + 60.0 * int(minutes or 0) + int(seconds or 0) + float(fraction or 0)
    day = str(date or "").strip()
    if DATE.match(day):
        try:
            value += DAY_S * (datetime.strptime(day, "%Y%m%d") - EPOCH).days
        except ValueError:  # 20200231 is no day; the time of day still orders the phases
            return value
    return value


def seconds_of_datetime(value: Any) -> float:
    """Return a DICOM DT as seconds; NaN where it is absent or no time. A zone suffix is left out."""
    text = re.split(r"[+-]", str(value or "").strip())[0]
    return seconds_of(text[8:], text[:8]) if len(text) >= 10 else float("nan")


def zone_of(value: Any) -> float:
    """Return how many seconds the zone of a DICOM DT is ahead of UTC; NaN where it names none.

    Examples
    --------
    >>> zone_of("20200101100000.5+0130"), zone_of("20200101100000")
    (5400.0, nan)
    """
    match = ZONE.search(str(value or "").strip())
    if match is None:
        return float("nan")
    ahead = 3600.0 * int(match[2]) + 60.0 * int(match[3])
    return -ahead if match[1] == "-" else ahead


def unwrap_midnight(values: np.ndarray) -> np.ndarray:
    """Return clock times with a day added to those after midnight, where the date did not tell.

    A dynamic series lasts minutes: times of one series that lie more than 12 hours apart can only be
    two sides of midnight. Where some of the images tell the date and some do not, the time of day counts.
    """
    days = np.floor_divide(values, DAY_S)
    if (days == 0).any() and (days != 0).any() and np.abs(days).max() > 1:
        values = np.mod(values, DAY_S)
    if values.size and np.ptp(values) > DAY_S / 2 and np.ptp(values) < DAY_S:
        return np.where(values < values.min() + DAY_S / 2, values + DAY_S, values)
    return values
