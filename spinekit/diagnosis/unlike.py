"""Whether a case is unlike all that a network was trained on, by what can be seen before the network is asked.

A crop is described by means and spreads of its channels inside the region, in a rim about it and in the rest of the
box, which tell tissue, organ and contrast. The distance to the training cases is Mahalanobis'; it is held against the
distances of calibration cases. A protocol that lacks the phases the training cases had is told apart from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.models.crop import LesionCrop

__all__ = ["Familiar", "Likeness", "describe", "fit_familiar"]

SEEN = (
    "map:relative_enhancement_peak", "map:wash_in_slope", "map:wash_out_slope", "map:auc60",
    "phase:-10", "phase:30", "phase:60", "phase:120",
)  # fmt: skip
RIM_MM = 8.0
LARGEST = 30.0  # of a standardised descriptor: a value beyond says no more than that it is far off


@dataclass(frozen=True)
class Likeness:
    """How a case compares with the training cases.

    Attributes
    ----------
    distance, limit : float
        Mahalanobis distance, and the one above which a case is called unlike.
    share : float
        Share of calibration cases that lie at least as far out.
    reasons : tuple of str
        Why the case is unlike; empty if it is not.
    """

    distance: float
    limit: float
    share: float
    reasons: tuple[str, ...]

    @property
    def unlike(self) -> bool:
        """Whether there is any reason."""
        return bool(self.reasons)


@dataclass(frozen=True)
class Familiar:
    """What the training cases look like.

    Attributes
    ----------
    mean, scale : tuple of float
        Of the descriptors.
    precision : tuple of tuple of float
        Inverse of the shrunk covariance of the standardised descriptors.
    distances : tuple of float
        Of the calibration cases, ascending.
    fewest_phases : int
        Phases, of ten, that each training case had at least.
    volume_ml : tuple of float
        Smallest and largest region.
    false_alarms : float
        Share of familiar cases that the limit lets be called unlike.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    distances: tuple[float, ...]
    fewest_phases: int
    volume_ml: tuple[float, float]
    false_alarms: float = 0.025

    def compare(self, crop: LesionCrop) -> Likeness:
        """Return how a crop compares with the training cases."""
        distance = self.distance(describe(crop))
        known = np.asarray(self.distances)
        rank = int(np.ceil((known.size + 1) * (1.0 - self.false_alarms)))
        limit = float(known[min(rank, known.size) - 1])
        share = float((1 + (known >= distance).sum()) / (known.size + 1))
        reasons = []
        if crop.present < self.fewest_phases:
            reasons.append(
                f"the protocol covers {crop.present} of the ten times after bolus arrival; "
                f"every training case covered {self.fewest_phases} or more"
            )
        if not self.volume_ml[0] <= crop.region_ml <= self.volume_ml[1]:
            low, high = self.volume_ml
            reasons.append(f"the region has {crop.region_ml:.2g} ml; training regions had {low:.2g} to {high:.2g} ml")
        if distance > limit:
            reasons.append(
                f"region and surroundings lie at a distance of {distance:.1f} from the training cases; "
                f"{100 * (1 - self.false_alarms):.0f} % of the calibration cases lie within {limit:.1f}"
            )
        return Likeness(distance, limit, share, tuple(reasons))

    def distance(self, descriptors: NDArray[np.float64]) -> float:
        """Return the Mahalanobis distance of descriptors, scaled so that a typical case lies at about 1."""
        z = np.clip((descriptors - np.asarray(self.mean)) / np.asarray(self.scale), -LARGEST, LARGEST)
        return float(np.sqrt(max(float(z @ np.asarray(self.precision) @ z), 0.0) / z.size))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to the card."""
        return {
            "mean": list(self.mean), "scale": list(self.scale), "precision": [list(r) for r in self.precision],
            "distances": list(self.distances), "fewest_phases": self.fewest_phases,
            "volume_ml": list(self.volume_ml), "false_alarms": self.false_alarms,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Familiar:
        """Rebuild from `as_dict`."""
        return cls(
            tuple(record["mean"]), tuple(record["scale"]), tuple(tuple(r) for r in record["precision"]),
            tuple(record["distances"]), int(record["fewest_phases"]),
            (float(record["volume_ml"][0]), float(record["volume_ml"][1])), float(record["false_alarms"]),
        )  # fmt: skip


def describe(crop: LesionCrop) -> NDArray[np.float64]:
    """Return the descriptors of a crop, float64 of shape (49,): means and spreads in three places, and log volume.

    Examples
    --------
    >>> from spinekit.models.crop import lesion_crop
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(48, 48, 6))
    >>> describe(lesion_crop(case.series, case.lesion, case.n_baseline)).shape
    (49,)
    """
    from scipy.ndimage import distance_transform_edt

    region = crop.channels[-1] >= min(0.5, float(crop.channels[-1].max()))
    away = distance_transform_edt(~region, sampling=crop.geometry.spacing_zyx_mm)
    places = (region, (away > 0) & (away <= RIM_MM), away > RIM_MM)
    values = [np.log(max(crop.region_ml, 1e-3))]
    for name in SEEN:
        image = crop.channels[crop.names.index(name)].astype(np.float64)
        for place in places:
            inside = image[place] if place.any() else np.zeros(1)
            values += [float(inside.mean()), float(inside.std())]
    return np.asarray(values)


def fit_familiar(training: Sequence[LesionCrop], calibration: Sequence[LesionCrop]) -> Familiar:
    """Describe training cases, and how far out calibration cases lie that took no part in it.

    Parameters
    ----------
    training, calibration : sequence of LesionCrop
        A few times as many training cases as there are descriptors; the covariance is shrunk (Ledoit and Wolf).
    """
    from sklearn.covariance import LedoitWolf

    rows = np.array([describe(crop) for crop in training])
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    precision = LedoitWolf(assume_centered=True).fit((rows - mean) / scale).precision_
    volumes = [crop.region_ml for crop in training]
    familiar = Familiar(
        tuple(mean.tolist()), tuple(scale.tolist()), tuple(tuple(r) for r in precision.tolist()), (0.0,),
        min(crop.present for crop in training), (0.5 * min(volumes), 1.5 * max(volumes)),
    )  # fmt: skip
    distances = sorted(familiar.distance(describe(crop)) for crop in calibration)
    return Familiar(**{**familiar.__dict__, "distances": tuple(distances)})
