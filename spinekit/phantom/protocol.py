"""Two hospitals: scanner, dynamic protocol, sagittal T2, noise. Numbers are ours, in the usual range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.phantom.sampling import Frame, rotated

__all__ = ["HOSPITALS", "Protocol", "protocol_of"]


@dataclass(frozen=True)
class Protocol:
    """What one hospital's scanner does.

    ``dicom_flavour`` is how its scanner writes a dynamic series, a key of `FLAVOURS` of the DICOM writer;
    ``times_s`` are the nominal starts of ten phases; ``slab_mm`` the height of 24 slices;
    ``fat_suppression`` the share of the fat signal that is removed; ``snr`` the mean signal of the
    lesion before contrast over the SD of the noise in each channel.
    """

    hospital: str
    field_strength_t: float
    manufacturer: str
    dicom_flavour: str
    sequence_name: str
    tr_ms: float
    te_ms: float
    flip_deg: float
    times_s: tuple[float, ...]
    field_of_view_mm: float
    slab_mm: float
    fat_suppression: float
    snr: float
    tilt_deg: float
    t2_tr_s: float
    t2_te_s: float
    t2_field_of_view_mm: float
    t2_slice_mm: float
    t2_snr: float
    t2_left_first: bool

    def times(self, n_phases: int, rng: np.random.Generator) -> Any:
        """Return the times of the phases in s: the protocol's rhythm with a technician's unevenness."""
        nominal = np.interp(np.linspace(0, 9, n_phases), np.arange(10), self.times_s)
        uneven = nominal + np.concatenate([[0.0], rng.uniform(-0.6, 0.6, n_phases - 1)])
        return np.round(uneven, 2)

    def series_grid(self, size: tuple[int, int, int], centre_mm: Any, tilt_deg: float) -> Geometry:
        """Return the axial grid, its slices tilted forward by `tilt_deg`, centred a little before `centre_mm`."""
        thickness = float(np.clip(self.slab_mm / size[2], 2.5, 8.0))
        pixel = self.field_of_view_mm / max(size[:2])
        axes = rotated(pitch_deg=tilt_deg)
        return _grid(size, (pixel, pixel, thickness), Frame(centre_mm, axes).to_patient(0.0, -12.0, 0.0), axes)

    def t2_grid(self, size: tuple[int, int, int], centre_mm: Any) -> Geometry:
        """Return the sagittal grid: rows from front to back, columns downwards, slices across."""
        axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
        if not self.t2_left_first:  # rows from back to front, so that the axes stay right-handed
            axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
        pixel = self.t2_field_of_view_mm / max(size[:2])
        thickness = self.t2_slice_mm * 15 / size[2]
        return _grid(size, (pixel, pixel, thickness), np.asarray(centre_mm) + np.array([0.0, -12.0, -8.0]), axes)


def _grid(size: Any, spacing: Any, centre: Any, axes: Any) -> Geometry:
    half = 0.5 * (np.asarray(size) - 1) * np.asarray(spacing)
    origin = np.asarray(centre) - half @ axes
    return Geometry(tuple(size), tuple(spacing), tuple(origin), tuple(tuple(row) for row in axes.T))


HOSPITALS: dict[str, Protocol] = {
    "A": Protocol(
        hospital="A", field_strength_t=3.0, manufacturer="SIEMENS", dicom_flavour="siemens",
        sequence_name="fl3d_vibe",
        tr_ms=4.1, te_ms=1.5, flip_deg=15.0,
        times_s=(0.0, 12.0, 24.0, 36.0, 48.0, 67.0, 92.0, 122.0, 160.0, 205.0),
        field_of_view_mm=240.0, slab_mm=96.0, fat_suppression=0.0, snr=20.0, tilt_deg=0.0,
        t2_tr_s=3.6, t2_te_s=0.102, t2_field_of_view_mm=288.0, t2_slice_mm=4.4, t2_snr=28.0, t2_left_first=True,
    ),
    "B": Protocol(
        hospital="B", field_strength_t=1.5, manufacturer="GE MEDICAL SYSTEMS",
        dicom_flavour="ge-trigger", sequence_name="LAVA",
        tr_ms=5.2, te_ms=2.1, flip_deg=18.0,
        times_s=(0.0, 15.0, 30.0, 46.0, 67.0, 90.0, 115.0, 145.0, 180.0, 220.0),
        field_of_view_mm=220.0, slab_mm=108.0, fat_suppression=0.85, snr=14.0, tilt_deg=5.0,
        t2_tr_s=3.0, t2_te_s=0.092, t2_field_of_view_mm=300.0, t2_slice_mm=5.0, t2_snr=20.0, t2_left_first=False,
    ),
}  # fmt: skip


def protocol_of(hospital: str) -> Protocol:
    """Return the protocol of hospital ``"A"`` or ``"B"``; another name is refused."""
    if hospital not in HOSPITALS:
        raise InputRefusedError(
            "choice-unknown",
            found=f"hospital='{hospital}' was asked for.",
            expected=f"One of {', '.join(HOSPITALS)}.",
            cause="Only two scanners are simulated.",
            cure="Choose one of them.",
        )
    return HOSPITALS[hospital]
