"""Contrast agent over time, in closed form: blood curve and extended Tofts tissue.

Written in closed form, not with the convolution that `spinekit.kinetics` fits with, so that a fit
that returns the simulated parameters has not merely inverted its own code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.kinetics.aif import BIEXPONENTIAL

__all__ = ["BloodCurve"]

_FAST = BIEXPONENTIAL["fast"]


@dataclass(frozen=True)
class BloodCurve:
    """Bi-exponential blood curve of Lang 2017, injected over a few seconds.

    C(t) = dose * sum(a e^(-m t)), averaged over the injection; times are seconds after the first
    phase. The curve is used as the Tofts input as it stands, as in the paper (no haematocrit).

    Attributes
    ----------
    arrival_s : float
        Time at which the bolus arrives.
    injection_s : float
        Duration of the injection.
    dose_mmol_per_kg : float
    amplitudes_kg_per_l, rates_per_min : tuple of float
        Lang's fast curve.

    Examples
    --------
    >>> curve = BloodCurve(arrival_s=20.0)
    >>> curve.concentration([0.0, 20.0]).tolist()
    [0.0, 0.0]
    """

    arrival_s: float
    injection_s: float = 5.0
    dose_mmol_per_kg: float = 0.1
    amplitudes_kg_per_l: tuple[float, float] = (_FAST[0], _FAST[1])
    rates_per_min: tuple[float, float] = (_FAST[2], _FAST[3])

    def concentration(self, times_s: Any) -> Any:
        """Return the concentration in the artery in mM, float64, shape of `times_s`."""
        t = (np.asarray(times_s, dtype=np.float64) - self.arrival_s) / 60.0
        return self._averaged(lambda u: self._sum(lambda m: -np.expm1(-m * u) / m), t)

    def leaked(self, times_s: Any, kep_per_min: Any) -> Any:
        """Return the concentration in tissue per Ktrans (mM min), shape ``kep.shape + times.shape``.

        It is the convolution of the blood curve with exp(-kep t); times Ktrans it is Tofts' tissue curve.
        """
        t = (np.asarray(times_s, dtype=np.float64) - self.arrival_s) / 60.0
        k = np.asarray(kep_per_min, dtype=np.float64)[..., None]
        k = np.where(np.abs(k - np.asarray(self.rates_per_min)[0]) < 1e-6, k + 1e-5, k)

        def settled(u: Any) -> Any:
            out = -np.expm1(-k * u) / k
            return self._sum(lambda m: (-np.expm1(-m * u) / m - out) / (k - m))

        return self._averaged(settled, t)

    def tissue(self, times_s: Any, *, ktrans_per_min: Any, kep_per_min: Any, vp: Any) -> Any:
        """Return extended Tofts tissue concentration in mM, shape ``ktrans.shape + times.shape``."""
        ktrans, vessels = (np.asarray(v, dtype=np.float64)[..., None] for v in (ktrans_per_min, vp))
        return vessels * self.concentration(times_s) + ktrans * self.leaked(times_s, kep_per_min)

    def in_veins(self, times_s: Any) -> Any:
        """Return the concentration in the vena cava: 22 s later and mixed at 1.5 per minute; mM."""
        later = BloodCurve(
            self.arrival_s + 22.0, self.injection_s, self.dose_mmol_per_kg, self.amplitudes_kg_per_l, self.rates_per_min
        )
        return 1.5 * later.leaked(times_s, 1.5)

    def _sum(self, term: Any) -> Any:
        pairs = zip(self.amplitudes_kg_per_l, self.rates_per_min, strict=True)
        return self.dose_mmol_per_kg * sum(a * term(m) for a, m in pairs)

    def _averaged(self, integral: Any, t: Any) -> Any:
        """Return the running mean over the injection of the function whose integral from 0 is given."""
        width = self.injection_s / 60.0
        return (integral(np.maximum(t, 0.0)) - integral(np.maximum(t - width, 0.0))) / width
