"""The networks' room: what they see of a series, and the nets themselves. Importing it loads no torch."""

from __future__ import annotations

from spinekit.models.grid import network_grid
from spinekit.models.inputs import NetworkInput, back_to_series, network_input

__all__ = ["NetworkInput", "back_to_series", "network_grid", "network_input"]
