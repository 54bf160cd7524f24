"""Grey levels: how intensities become the integers that texture matrices count.

The choice changes every texture feature, so it has no default anywhere in spinekit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Discretisation", "FixedBinCount", "FixedBinWidth", "chosen_discretisation", "require_few_levels"]

MOST_LEVELS = 2048  # a co-occurrence matrix has levels² × 13 entries: those of 2048 levels take half a gigabyte
USUAL_LEVELS = 32


def _positive(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{what} is {value!r}.",
            expected="A finite number above zero.",
            cause="The value may be missing, or be meant as 'not chosen'.",
            cure="Give a width in the image's unit, or a number of bins such as 32.",
        )


@dataclass(frozen=True)
class FixedBinWidth:
    """Bins of one width, in the unit of the image; the number of bins follows the range.

    Parameters
    ----------
    width : float
        Bin width in the unit of the image, above zero.
    start : float, optional
        Lower edge of the first bin, used by the IBSI path; without it the lower bound of the
        re-segmentation range, or else the smallest intensity of the region. The pyradiomics path
        always counts its edges from zero.

    Examples
    --------
    >>> FixedBinWidth(25.0).describe()
    'fixed bin width 25'
    """

    width: float
    start: float | None = None

    def __post_init__(self) -> None:
        _positive(self.width, "The bin width")

    def describe(self) -> str:
        """Return the choice in words, as it stands in a feature table."""
        return f"fixed bin width {self.width:g}" + ("" if self.start is None else f" from {self.start:g}")


@dataclass(frozen=True)
class FixedBinCount:
    """A fixed number of bins over the range of the region.

    Parameters
    ----------
    count : int
        Number of bins, at least one.

    Examples
    --------
    >>> FixedBinCount(32).describe()
    'fixed bin count 32'
    """

    count: int

    def __post_init__(self) -> None:
        _positive(self.count, "The number of bins")
        if self.count != int(self.count):
            _positive(None, f"The number of bins ({self.count}) is no whole number and")
        object.__setattr__(self, "count", int(self.count))

    def describe(self) -> str:
        """Return the choice in words, as it stands in a feature table."""
        return f"fixed bin count {self.count}"


Discretisation = FixedBinWidth | FixedBinCount


def chosen_discretisation(value: Discretisation | Mapping[str, Any] | None) -> Discretisation:
    """Return a discretisation from what the caller gave.

    Parameters
    ----------
    value : FixedBinWidth, FixedBinCount or mapping
        A mapping has the one key ``bin_width`` or ``bin_count``.

    Raises
    ------
    InputRefusedError
        ``discretisation-missing`` if nothing was chosen or it cannot be understood,
        ``value-out-of-range`` for a width or count that is not positive.

    Examples
    --------
    >>> chosen_discretisation({"bin_width": 25})
    FixedBinWidth(width=25, start=None)
    """
    if isinstance(value, (FixedBinWidth, FixedBinCount)):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        key, number = next(iter(value.items()))
        if key == "bin_width":
            return FixedBinWidth(number)
        if key == "bin_count":
            return FixedBinCount(number)
    raise InputRefusedError(
        "discretisation-missing",
        found=f"The discretisation is {value!r}.",
        expected="FixedBinWidth(width) or FixedBinCount(count); there is no default.",
        cause="Texture features depend on the bins, and no width suits every map or scanner.",
        cure="Choose one, for example FixedBinCount(32) for maps and MR signal, and report it.",
    )


def require_few_levels(intensities: NDArray[Any], discretisation: Discretisation, *, name: str) -> None:
    """Refuse bins so narrow that texture matrices would not fit into memory, and say which would suit.

    Parameters
    ----------
    intensities : ndarray of shape (N,)
        Intensities of the region, N at least one; finite.
    discretisation : FixedBinWidth or FixedBinCount
        The bins.
    name : str
        The image's name, for the message.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for more than 2048 grey levels.
    """
    low, high = float(intensities.min()), float(intensities.max())
    wide = isinstance(discretisation, FixedBinWidth)
    levels = (high - low) / discretisation.width if isinstance(discretisation, FixedBinWidth) else discretisation.count
    if levels <= MOST_LEVELS:
        return
    suits = f"a width near {(high - low) / USUAL_LEVELS:.1g}, or " if wide else ""
    raise InputRefusedError(
        "value-out-of-range",
        found=f"The bins ({discretisation.describe()}) give {levels:.0f} grey levels on '{name}', whose intensities in "
        f"the region run from {low:g} to {high:g}.",
        expected=f"At most {MOST_LEVELS} levels; 16 to 128 are usual.",
        cause="The bins were probably chosen for another image; maps and signal differ in unit and range.",
        cure=f"Use {suits}FixedBinCount({USUAL_LEVELS}).",
    )


def ibsi_levels(
    intensities: NDArray[Any], discretisation: Discretisation, *, lower_bound: float | None
) -> NDArray[np.int64]:
    r"""Discretise the intensities of a region as IBSI defines it.

    Parameters
    ----------
    intensities : ndarray of shape (N,)
        Intensities inside the intensity mask; finite.
    discretisation : FixedBinWidth or FixedBinCount
        The bins.
    lower_bound : float or None
        Lower bound of the re-segmentation range; where bins of fixed width start, unless the
        discretisation has a start of its own.

    Returns
    -------
    ndarray of shape (N,), int64
        Grey levels from 1. Fixed width: :math:`\lfloor (X - X_{min})/w \rfloor + 1`; fixed count:
        :math:`\lfloor N_g (X - X_{min}) / (X_{max} - X_{min}) \rfloor + 1`, with :math:`N_g` at the maximum.
        A region of one single intensity has level 1 under a fixed count.

    References
    ----------
    .. [1] IBSI reference manual, section 2.7 "Intensity discretisation".

    Examples
    --------
    >>> ibsi_levels(np.array([0.0, 24.9, 25.0, 60.0]), FixedBinWidth(25.0), lower_bound=0.0).tolist()
    [1, 1, 2, 3]
    >>> ibsi_levels(np.array([0.0, 24.9, 25.0, 60.0]), FixedBinCount(2), lower_bound=None).tolist()
    [1, 1, 1, 2]
    """
    values = np.asarray(intensities, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    if isinstance(discretisation, FixedBinCount):
        if high == low:
            return np.ones(values.shape, dtype=np.int64)
        scaled = np.floor(discretisation.count * (values - low) / (high - low)) + 1
        return np.minimum(scaled, discretisation.count).astype(np.int64)
    start = discretisation.start if discretisation.start is not None else lower_bound
    if start is None:
        start = low
    if low < start:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"The first bin starts at {start:g}, and the region holds intensities down to {low:g}.",
            expected="A first bin that starts at or below every intensity of the region.",
            cause="The start of the bins does not fit this image, or the re-segmentation range was forgotten.",
            cure="Lower FixedBinWidth(..., start=...), or give resegment_range so that such voxels are left out.",
        )
    return (np.floor((values - start) / discretisation.width) + 1).astype(np.int64)
