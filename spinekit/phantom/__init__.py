"""Room 'phantom': simulated cases of the spine with enhancing lesions, and the truth behind them."""

from __future__ import annotations

from spinekit.phantom.case import SimulatedCase, simulate_case

__all__ = ["SimulatedCase", "simulate_case"]
