"""Room 'phantom': simulated cases of the spine with enhancing lesions, and the truth behind them."""

from __future__ import annotations

from spinekit.phantom.case import SimulatedCase, simulate_case
from spinekit.phantom.cohort import simulate_cohort, write_cohort

__all__ = ["SimulatedCase", "simulate_case", "simulate_cohort", "write_cohort"]
