"""An image as the page asks for it: what it is, and its frames as 16-bit numbers, made when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, Volume
from spinekit.widgets.canvas import INT16_MAX, Canvas

__all__ = ["Shown"]

PLANES = ("sagittal", "coronal", "axial")  # by the axis R, A, S that is not seen


class Shown:
    """A series with its enhancement image, or a single volume.

    Parameters
    ----------
    image : DynamicSeries or Volume
        A series gets one more frame: the largest signal after the baseline minus the baseline.
    name : str
        What stands in the corner of a pane.
    n_baseline : int
        Phases before the contrast agent.
    native_only : bool
        Show only the plane in which the image was acquired.
    seedable, drawable : bool
        Whether a click places a seed, and whether one can draw on it.
    begin_ijk : (i, j, k), optional
        Where the crosshair begins; the middle if not given.
    """

    def __init__(
        self, image: DynamicSeries | Volume, name: str, *, n_baseline: int = 1, native_only: bool = False,
        seedable: bool = False, drawable: bool = False, begin_ijk: Any = None,
    ) -> None:  # fmt: skip
        self.image, self.name, self.n_baseline = image, name, n_baseline
        self.native_only, self.seedable, self.drawable = native_only, seedable, drawable
        self.canvas = Canvas(image.geometry)
        self.begin_ijk = [int(c) for c in begin_ijk] if begin_ijk else [n // 2 for n in image.geometry.size]
        self.is_series = isinstance(image, DynamicSeries) and image.n_phases > 1
        self.n_phases = image.n_phases if isinstance(image, DynamicSeries) else 1
        self.first_frame = min(n_baseline + 1, self.n_phases - 1) if self.is_series else 0
        self._scales = self._measured()

    @property
    def n_frames(self) -> int:
        """Phases, and the enhancement image of a series."""
        return self.n_phases + self.is_series

    def frames_by_need(self) -> list[int]:
        """Return the frames in the order in which a reader is likely to want them."""
        first = self.first_frame
        return [first, *(t for t in range(self.n_frames - 1, -1, -1) if t != first)]

    def _values(self, frame: int) -> Any:
        """Values of a frame, (Z, Y, X)."""
        if not isinstance(self.image, DynamicSeries):
            return np.asarray(self.image.values, dtype=np.float32)
        if frame < self.n_phases:
            return self.image.signal[frame]
        signal = self.image.signal
        return signal[self.n_baseline :].max(axis=0) - signal[: self.n_baseline].mean(axis=0, dtype=np.float32)

    def _measured(self) -> dict[str, tuple[float, float, float, float]]:
        """Lowest and highest value, and the window to begin with, of the phases and of the enhancement."""
        frames = {"signal": range(self.n_phases), "enhancement": [self.n_phases]} if self.is_series else {"signal": [0]}
        scales = {}
        for group, numbers in frames.items():
            low, high, sample = np.inf, -np.inf, []
            for frame in numbers:
                values = self._values(frame)
                finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
                if finite.size:
                    low, high = min(low, float(finite.min())), max(high, float(finite.max()))
                    sample.append(values[::2, ::3, ::3].ravel())
            seen = np.concatenate(sample) if sample else np.zeros(1, dtype=np.float32)
            bottom, top = np.nanpercentile(seen, [1, 99.7]) if np.isfinite(seen).any() else (0.0, 1.0)
            low, high = (low, high) if np.isfinite(low) else (0.0, 1.0)
            bottom = max(float(bottom), 0.0) if group == "enhancement" else float(bottom)
            scales[group] = low, high, bottom, max(float(top), bottom + 1e-6 * max(1.0, abs(bottom)))
        return scales

    @property
    def _scale(self) -> tuple[float, float]:
        """Value = low + slope * (stored + 32767), for every frame alike."""
        low = min(s[0] for s in self._scales.values())
        high = max(s[1] for s in self._scales.values())
        return low, (high - low) / (2 * INT16_MAX) or 1.0

    def frame(self, frame: int) -> bytes:
        """Return a frame as int16, in the order of the page."""
        low, slope = self._scale
        return self.canvas.stored(self._values(frame), low, slope).tobytes()

    def about(self, name: str) -> dict[str, Any]:
        """Return what the page has to know before the first frame."""
        low, slope = self._scale
        axes = self.canvas.index_matrix()
        native = PLANES[int(np.argmax(np.abs(axes[2, :3])))]  # slices lie along k
        shape = self.canvas.shape
        return {
            "id": name,
            "name": self.name,
            "size": list(shape[::-1]),
            "planes": [native] if self.native_only else [native, *(p for p in PLANES if p != native)],
            "to_mm": self.canvas.affine_ras().ravel().tolist(),
            "to_ijk": axes.ravel().tolist(),
            "n_frames": self.n_frames,
            "frame_names": self._frame_names(),
            "groups": ["signal"] * self.n_phases + ["enhancement"] * self.is_series,
            "windows": {group: list(s[2:]) for group, s in self._scales.items()},
            "low": low,
            "slope": slope,
            "first_frame": self.first_frame,
            "begin_ijk": self.begin_ijk,
            "seedable": self.seedable,
            "drawable": self.drawable,
        }

    def _frame_names(self) -> list[str]:
        if not isinstance(self.image, DynamicSeries):
            return [self.name]
        names = [
            f"{t} · {s:.0f} s{' · baseline' if t < self.n_baseline else ''}" for t, s in enumerate(self.image.times_s)
        ]
        return names + ["enhancement"] * self.is_series
