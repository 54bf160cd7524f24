"""From any dynamic series to the channels of a network, and from the network's grid back.

The channels are, in this order: kinetic maps, ten phases at stated times after bolus arrival, and
one channel per phase that says whether the protocol covers it (1) or not (0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import ShapeMismatchError
from spinekit.kinetics import parameter_maps
from spinekit.models.grid import network_grid, onto_grid
from spinekit.models.phases import MAX_GAP_S, PHASE_TIMES_S, bolus_arrival_s, phases_after_arrival, signal_scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries, Roi
    from spinekit.geometry import Geometry

__all__ = [
    "MAPS",
    "NetworkInput",
    "back_to_series",
    "mask_channel",
    "network_input",
]

MAPS = {  # name -> the value that is mapped to 1, so that channels are of one order
    "relative_enhancement_peak": 1.0,
    "wash_in_slope": 0.05,
    "wash_out_slope": 0.005,
    "auc60": 60.0,
}


@dataclass(frozen=True)
class NetworkInput:
    """What a network sees of a series.

    Attributes
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        Finite everywhere; 0 where a map is undefined or a phase absent.
    names : tuple of str
        One per channel: ``map:...``, ``phase:...`` (seconds after arrival), ``present:...``.
    geometry : Geometry
        The network's grid.
    series_geometry : Geometry
        The grid of the series, to which `back_to_series` returns.
    arrival_s, scale : float
        Bolus arrival in seconds after the first phase, and the signal that was mapped to 1.
    """

    channels: NDArray[np.float32]
    names: tuple[str, ...]
    geometry: Geometry
    series_geometry: Geometry
    arrival_s: float
    scale: float


def network_input(
    series: DynamicSeries,
    n_baseline: int = 1,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    coarser: bool = False,
    max_gap_s: Mapping[float, float] = MAX_GAP_S,
) -> NetworkInput:
    """Turn a series into network channels.

    Parameters
    ----------
    series : DynamicSeries
        3 phases or more, any times, spacing and orientation.
    n_baseline : int
        Leading phases before contrast.
    spacing_mm, coarser
        See `network_grid`.
    max_gap_s : mapping
        See `spinekit.models.phases.covered_phases`.

    Returns
    -------
    NetworkInput
        The phase before arrival is signal / scale; the later ones are (signal - baseline) / scale,
        scale being `signal_scale`. Maps are divided by fixed values. All is clipped to ± 6.

    Raises
    ------
    InputRefusedError
        ``too-few-phases``, ``value-out-of-range``, ``protocol-insufficient``.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> seen = network_input(simulate_case(1, size=(32, 32, 4)).series)
    >>> seen.channels.shape, seen.names[0], seen.names[4]
    ((24, 4, 32, 32), 'map:relative_enhancement_peak', 'phase:-10')
    """
    scale, arrival = signal_scale(series, n_baseline), bolus_arrival_s(series, n_baseline)
    phases, present = phases_after_arrival(series, n_baseline, arrival_s=arrival, max_gap_s=max_gap_s)
    phases[1:][present[1:]] -= phases[0]
    phases /= np.float32(scale)
    maps = parameter_maps(series, n_baseline, names=list(MAPS))
    images = [np.asarray(maps[name].values, dtype=np.float32) / np.float32(unit) for name, unit in MAPS.items()]
    grid = network_grid(series.geometry, spacing_mm, coarser=coarser)
    images = [onto_grid(image, series.geometry, grid) for image in (*images, *phases)]
    flags = [np.full(grid.shape_zyx, float(p), dtype=np.float32) for p in present]
    marks = [f"{t:g}" for t in PHASE_TIMES_S]
    names = [f"map:{n}" for n in MAPS] + [f"phase:{m}" for m in marks] + [f"present:{m}" for m in marks]
    return NetworkInput(np.stack([*images, *flags]), tuple(names), grid, series.geometry, arrival, scale)


def back_to_series(values: NDArray[Any], seen: NetworkInput) -> NDArray[np.float32]:
    """Bring a probability from the network's grid to the grid of the series.

    Parameters
    ----------
    values : ndarray of shape (Z, Y, X) of the network's grid
        Probability; for a mask 0 and 1, to be cut at 0.5 afterwards.
    seen : NetworkInput
        What the network was given.

    Returns
    -------
    ndarray of shape (Z, Y, X) of the series, float32
        By linear interpolation; 0 outside the network's grid.

    Raises
    ------
    ShapeMismatchError
        If `values` does not lie on the network's grid.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(32, 32, 4))
    >>> seen = network_input(case.series)
    >>> bool((back_to_series(mask_channel(case.lesion, seen), seen).round() == case.lesion.mask).all())
    True
    """
    if values.shape != seen.geometry.shape_zyx:
        raise ShapeMismatchError(
            found=f"The values have shape {values.shape}; the network's grid is {seen.geometry.describe()}.",
            expected=f"Shape {seen.geometry.shape_zyx}.",
            cause="They may belong to another case, or may have been padded.",
            cure="Cut the padding off, or give the input that the network was given.",
        )
    return onto_grid(np.asarray(values, dtype=np.float32), seen.geometry, seen.series_geometry)


def mask_channel(roi: Roi, seen: NetworkInput) -> NDArray[np.float32]:
    """Return a region of the series on the network's grid, 0 to 1, by linear interpolation."""
    return onto_grid(roi.mask.astype(np.float32), roi.geometry, seen.geometry)
