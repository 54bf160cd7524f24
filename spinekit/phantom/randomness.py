"""Random numbers by name, and smooth random fields that are the same on every grid.

Each part of a case draws from its own stream, so that adding a draw in one part (a further lesion,
say) leaves the others as they were.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SmoothField", "stream", "truncated_normal"]


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random numbers of one named part of a case.

    Parameters
    ----------
    seed : int
        The case's seed, not negative.
    *names : str
        Which part, such as ``"anatomy"``.

    Returns
    -------
    numpy.random.Generator
        PCG64, the same on every machine.

    Examples
    --------
    >>> bool(stream(7, "noise").normal() == stream(7, "noise").normal())
    True
    >>> bool(stream(7, "noise").normal() == stream(7, "anatomy").normal())
    False
    """
    keys = [zlib.crc32(name.encode()) for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(seed), *keys])))


def truncated_normal(rng: np.random.Generator, mean: float, sd: float, *, low: float, high: float) -> float:
    """Draw from a normal distribution, again while the value falls outside ``[low, high]``."""
    while True:
        value = float(rng.normal(mean, sd))
        if low <= value <= high:
            return value


@dataclass(frozen=True)
class SmoothField:
    """A Gaussian-like random function of position with mean 0 and variance 1, as a sum of waves.

    Being a function, not an array, it has one value at each point of the patient, whichever grid
    asks; the T2 image and the dynamic series see the same texture.

    Parameters
    ----------
    waves : ndarray of shape (n, 3)
        Wave vectors in radians per mm along (x, y, z).
    phases : ndarray of shape (n,)
        Phases in radians.

    Examples
    --------
    >>> field = SmoothField.draw(stream(1, "example"), length_mm=10.0)
    >>> field(0.0, 0.0, 0.0).shape
    ()
    """

    waves: Any
    phases: Any

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        *,
        length_mm: float | tuple[float, float, float],
        n_waves: int = 24,
    ) -> SmoothField:
        """Draw a field whose correlation falls to exp(-1/2) at `length_mm` (one number, or along x, y, z)."""
        return cls(rng.normal(size=(n_waves, 3)) / np.asarray(length_mm), rng.uniform(0, 2 * np.pi, n_waves))

    def __call__(self, x: Any, y: Any, z: Any) -> Any:
        """Return the field at positions in mm, float32, of the broadcast shape of `x`, `y`, `z`."""
        x, y, z = (np.asarray(v, dtype=np.float32) for v in (x, y, z))
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
        for (a, b, c), phase in zip(self.waves.astype(np.float32), self.phases.astype(np.float32), strict=True):
            total += np.cos(a * x + b * y + c * z + phase)
        return total * np.float32(np.sqrt(2.0 / len(self.phases)))
