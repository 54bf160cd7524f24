"""The bony column of one simulated patient: levels, curvature, discs, and the curves along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.phantom.randomness import stream, truncated_normal
from spinekit.phantom.sampling import PATIENT, Frame, Samples, rotated

__all__ = ["LEVELS", "Disc", "Spine", "Vertebra"]

# name, half width, half depth, height, disc below (mm), forward lean of the axis (degrees): ordinary
# adult anatomy, ours; the cohort varies stature, lordosis and scoliosis around it
_TABLE = (
    ("T7", 14.0, 13.5, 20.0, 4.5, 4.0),
    ("T8", 14.5, 14.0, 20.5, 4.5, 0.0),
    ("T9", 15.0, 14.5, 21.0, 5.0, -4.0),
    ("T10", 16.0, 14.5, 22.0, 5.0, -8.0),
    ("T11", 18.0, 15.0, 23.0, 5.5, -11.0),
    ("T12", 20.0, 15.5, 24.5, 6.5, -13.0),
    ("L1", 21.0, 16.0, 26.0, 8.0, -12.0),
    ("L2", 22.0, 16.5, 27.0, 9.5, -8.0),
    ("L3", 23.0, 17.0, 27.5, 10.5, -2.0),
    ("L4", 24.0, 17.5, 27.5, 11.5, 7.0),
    ("L5", 25.5, 17.5, 26.5, 10.0, 19.0),
    ("S1", 25.0, 15.5, 28.0, 2.5, 36.0),
    ("S2", 20.0, 11.5, 25.0, 1.5, 44.0),
    ("S3", 17.0, 9.0, 21.0, 1.0, 40.0),
    ("S4", 14.0, 7.0, 18.0, 1.0, 24.0),
)
LEVELS: tuple[str, ...] = tuple(row[0] for row in _TABLE)


@dataclass(frozen=True)
class Vertebra:
    """One vertebral body, in its own frame with the centre of the body at 0 (mm)."""

    name: str
    frame: Frame
    half_width: float
    half_depth: float
    half_height: float
    waist: float  # share by which the side walls are drawn in at mid-height
    endplate_mm: float  # depth of the endplates' hollow
    posterior_hollow_mm: float
    cortex_mm: float
    sacral: bool


@dataclass(frozen=True)
class Disc:
    """One intervertebral disc, in the frame between its two bodies (mm).

    ``degeneration`` runs from 0 (bright nucleus, full height) to 1 (dark and collapsed).
    """

    name: str
    frame: Frame
    half_width: float
    half_depth: float
    half_height: float
    degeneration: float
    bulge_mm: float


@dataclass(frozen=True)
class Spine:
    """Vertebrae from T7 to S4, the discs between them, and the curve through the bodies' centres.

    Attributes
    ----------
    curve : ndarray of shape (n, 4)
        z, x, y (LPS mm, z rising) of the centres, and the cosine of the lean, which turns a distance
        along y into a distance across the column.
    """

    vertebrae: tuple[Vertebra, ...]
    discs: tuple[Disc, ...]
    curve: Any

    def level(self, name: str) -> Vertebra:
        """Return the vertebra of a level such as ``"L3"``."""
        return self.vertebrae[LEVELS.index(name)]

    def along(self, x: Any, y: Any, z: Any) -> tuple[Any, Any]:
        """Return the distance to the left of and behind the column's centre curve, mm."""
        shape = z.shape
        flat = z.ravel()
        centre_x, centre_y, lean = (np.interp(flat, self.curve[:, 0], c).reshape(shape) for c in self.curve.T[1:])
        left = x - centre_x.astype(np.float32)
        return left, (y - centre_y.astype(np.float32)) * lean.astype(np.float32)

    def box(self, samples: Samples, low: tuple[float, float], high: tuple[float, float]) -> Any:
        """Return the part of a slice that can hold what lies between two (left, behind) corners, or None."""
        bottom, top = samples.z_range
        rows = self.curve[(self.curve[:, 0] >= bottom - 1.0) & (self.curve[:, 0] <= top + 1.0)]
        rows = rows if len(rows) else self.curve[[0 if top < self.curve[0, 0] else -1]]
        lean = rows[:, 3].min()
        first = (rows[:, 1].min() + low[0], rows[:, 2].min() + min(low[1], low[1] / lean), bottom)
        last = (rows[:, 1].max() + high[0], rows[:, 2].max() + max(high[1], high[1] / lean), top)
        return samples.box(PATIENT, first, last)

    def wear(self, x: Any, y: Any, z: Any) -> Any:
        """Return the degeneration of the disc nearest to each of n points (mm), shape (n,)."""
        centres = np.array([disc.frame.centre for disc in self.discs])
        points = np.column_stack([x, y, z])
        nearest = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        return np.array([disc.degeneration for disc in self.discs])[nearest]

    @classmethod
    def draw(cls, seed: int, *, target: str, age: float, centre_mm: Any) -> Spine:
        """Draw the column of a patient, with the body of `target` at `centre_mm`."""
        rng = stream(seed, "spine")
        stature = truncated_normal(rng, 1.0, 0.05, low=0.88, high=1.12)
        lordosis = truncated_normal(rng, 1.0, 0.18, low=0.6, high=1.35)
        bend, turn = rng.normal(0.0, 2.0), rng.uniform(0, 2 * np.pi)
        wear = np.clip(rng.normal((age - 25) / 75, 0.22, len(_TABLE)), 0.0, 1.0)
        thinner = 1.0 - 0.45 * np.clip(wear - 0.35, 0, None)
        leans = [row[5] * lordosis for row in _TABLE]
        yaws = [float(bend * np.sin(turn + 0.55 * n)) for n in range(len(_TABLE))]
        axes = [rotated(pitch_deg=a, yaw_deg=b) for a, b in zip(leans, yaws, strict=True)]
        centres = _stack(axes, stature, thinner)
        centres += np.asarray(centre_mm) - centres[LEVELS.index(target)]
        vertebrae = tuple(
            _vertebra(rng, row, Frame(c, a), stature, age) for row, c, a in zip(_TABLE, centres, axes, strict=True)
        )
        return cls(vertebrae, _discs(rng, vertebrae, stature, wear, thinner), _curve(vertebrae))


def _stack(axes: list[Any], stature: float, thinner: Any) -> Any:
    """Return the centres of the bodies, placed one below the other."""
    centres = np.zeros((len(_TABLE), 3))
    for n in range(1, len(_TABLE)):
        above, below = _TABLE[n - 1], _TABLE[n]
        between = axes[n - 1][2] + axes[n][2]
        between /= np.linalg.norm(between)
        step = 0.5 * above[3] * axes[n - 1][2] + above[4] * thinner[n - 1] * between + 0.5 * below[3] * axes[n][2]
        centres[n] = centres[n - 1] - stature * step
    return centres


def _vertebra(rng: np.random.Generator, row: Any, frame: Frame, stature: float, age: float) -> Vertebra:
    name, width, depth, height = row[:4]
    size = stature * rng.normal(1.0, 0.015)
    hollow = truncated_normal(rng, 1.0 + 0.015 * (age - 40), 0.4, low=0.3, high=2.8)
    return Vertebra(
        name=name,
        frame=frame,
        half_width=width * size,
        half_depth=depth * size,
        half_height=0.5 * height * stature,
        waist=0.05 if name.startswith("S") else float(rng.uniform(0.07, 0.12)),
        endplate_mm=hollow,
        posterior_hollow_mm=float(rng.uniform(1.5, 3.0)) if not name.startswith("S") else 0.5,
        cortex_mm=float(rng.uniform(0.8, 1.2)),
        sacral=name.startswith("S"),
    )


def _discs(rng: np.random.Generator, vertebrae: Any, stature: float, wear: Any, thinner: Any) -> tuple[Disc, ...]:
    discs = []
    for n in range(len(vertebrae) - 1):
        above, below = vertebrae[n], vertebrae[n + 1]
        upper = above.frame.to_patient(0.0, 0.0, -above.half_height)
        lower = below.frame.to_patient(0.0, 0.0, below.half_height)
        axis = above.frame.axes[2] + below.frame.axes[2]
        axis /= np.linalg.norm(axis)
        left = above.frame.axes[0] - axis * (above.frame.axes[0] @ axis)
        left /= np.linalg.norm(left)
        frame = Frame(0.5 * (upper + lower), np.array([left, np.cross(axis, left), axis]))
        degeneration = float(wear[n]) if n < len(vertebrae) - 4 else 0.9  # the sacrum's discs are remnants
        discs.append(
            Disc(
                name=f"{above.name}/{below.name}",
                frame=frame,
                half_width=0.5 * (above.half_width + below.half_width),
                half_depth=0.5 * (above.half_depth + below.half_depth),
                half_height=0.5 * _TABLE[n][4] * stature * float(thinner[n]),
                degeneration=degeneration,
                bulge_mm=float(max(0.0, rng.normal(0.2 + 2.4 * max(0.0, degeneration - 0.4), 0.6))),
            )
        )
    return tuple(discs)


def _curve(vertebrae: tuple[Vertebra, ...]) -> Any:
    """Return z, x, y and the cosine of the lean along the column, every 0.5 mm, smoothed over the levels."""
    from scipy.interpolate import CubicSpline

    centres = np.array([v.frame.centre for v in vertebrae])[::-1]
    lean = np.array([v.frame.axes[2][2] for v in vertebrae])[::-1]
    spline = CubicSpline(centres[:, 2], np.column_stack([centres[:, :2], lean]))
    z = np.arange(centres[0, 2], centres[-1, 2], 0.5)
    return np.column_stack([z, spline(z)])
