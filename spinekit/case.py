"""What a case consists of: series, volumes, regions, seeds, maps. Values are frozen.

Arrays are ``(Z, Y, X)``, time first ``(T, Z, Y, X)``, and are made read-only on entry so that a
value handed to two steps cannot change under one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from spinekit.errors import InputRefusedError, ShapeMismatchError
from spinekit.geometry import Geometry, resample_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Acquisition",
    "Diagnosis",
    "DynamicSeries",
    "ParameterMaps",
    "Roi",
    "Seed",
    "Segmentation",
    "Volume",
    "require_baseline",
    "resample_to",
]


def require_baseline(n_baseline: int, n_phases: int) -> None:
    """Refuse a number of baseline phases that leaves no baseline or no enhancement."""
    if not 1 <= n_baseline < n_phases:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"n_baseline is {n_baseline} for a series of {n_phases} phases.",
            expected=f"A number from 1 to {n_phases - 1}.",
            cause="n_baseline counts the phases before the contrast agent arrives.",
            cure="Look at the montage of phases and count those that are not enhanced.",
        )


def _locked(array: Any, *, dtype: Any, ndim: int, what: str) -> NDArray[Any]:
    values = np.asarray(array, dtype=dtype)
    if values.ndim != ndim:
        raise ShapeMismatchError(
            found=f"{what} has shape {values.shape}.",
            expected=f"An array with {ndim} axes, in the order {'(T, Z, Y, X)' if ndim == 4 else '(Z, Y, X)'}.",
            cause="The time axis may be missing, last instead of first, or still there.",
            cure="Reorder the axes before building the value.",
        )
    view = values.view()
    view.flags.writeable = False
    return view


def _check_grid(shape: tuple[int, ...], geometry: Geometry, what: str) -> None:
    if shape[-3:] != geometry.shape_zyx:
        raise ShapeMismatchError(
            found=f"{what} has shape {shape} on a grid of {geometry.describe()}.",
            expected=f"Its last three axes to be {geometry.shape_zyx}, in the order (Z, Y, X).",
            cause="The array and the grid probably come from different images, or the axes are (X, Y, Z).",
            cure="Pass the geometry of the same image, or transpose the array.",
        )


@dataclass(frozen=True)
class Acquisition:
    """What the protocol says about the pulse sequence; None where the files do not tell.

    Units are in the names. ``others`` holds further facts that are safe to show (no patient tags).
    """

    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    flip_angle_deg: float | None = None
    field_strength_t: float | None = None
    modality: str | None = None
    manufacturer: str | None = None
    sequence_name: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", MappingProxyType(dict(self.others)))

    def __reduce__(self) -> tuple[object, ...]:
        values = [getattr(self, f) for f in list(self.__dataclass_fields__)[:-1]]
        return (Acquisition, (*values, dict(self.others)))


@dataclass(frozen=True)
class Volume:
    """One 3-D image: ``values`` of shape (Z, Y, X) on a ``geometry``.

    ``name`` is a quantity or phase name, ``unit`` its unit ("1" if none).
    """

    values: NDArray[Any]
    geometry: Geometry
    name: str = "image"
    unit: str = "a.u."

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        object.__setattr__(self, "values", _locked(values, dtype=values.dtype, ndim=3, what=f"Volume '{self.name}'"))
        _check_grid(self.values.shape, self.geometry, f"Volume '{self.name}'")

    def within(self, roi: Roi) -> NDArray[Any]:
        """Return the values inside a region on the same grid, shape (n_voxels,)."""
        from spinekit.geometry import require_same_grid

        require_same_grid(roi.geometry, self.geometry, names=("ROI", f"volume '{self.name}'"))
        return self.values[roi.mask]


@dataclass(frozen=True)
class DynamicSeries:
    """A dynamic contrast-enhanced series.

    Attributes
    ----------
    signal : ndarray of shape (T, Z, Y, X), float32, read-only
        Signal in the scanner's units after rescaling.
    times_s : ndarray of shape (T,), float64, read-only
        Seconds after the first phase, strictly increasing.
    geometry : Geometry
        One grid for all phases.
    time_source : str
        What gave the times, such as ``"AcquisitionTime"`` or ``"times_s"``.
    warnings : tuple of str
        ``"[code] text"``, as made by `spinekit.errors.coded_warning`.
    acquisition : Acquisition
        Protocol facts.
    name : str
        Pseudonym; never a tag of the image.
    sources : mapping of str to str
        SHA-256 of each file that was read, by a name that holds no patient data.
    record : mapping
        How it was read: layout, number of files, what was left out. Goes into the provenance.

    Raises
    ------
    InputRefusedError
        ``times-equal`` or ``times-invalid`` if the times do not rise strictly.
    """

    signal: NDArray[np.float32]
    times_s: NDArray[np.float64]
    geometry: Geometry
    time_source: str
    warnings: tuple[str, ...] = ()
    acquisition: Acquisition = field(default_factory=Acquisition)
    name: str = "case"
    sources: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        signal = _locked(self.signal, dtype=np.float32, ndim=4, what="The signal of the series")
        _check_grid(signal.shape, self.geometry, "The signal of the series")
        times = np.array(self.times_s, dtype=np.float64)
        if times.shape != signal.shape[:1]:
            raise InputRefusedError(
                "times-invalid",
                found=f"There are {times.size} times for {signal.shape[0]} phases.",
                expected="One time per phase, in seconds.",
                cause="The list of times may belong to another series, or a phase was dropped.",
                cure="Give one time per phase, with times_s=[...] or the JSON beside the file.",
            )
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            equal = np.isfinite(times).all() and not (np.diff(times) < 0).any()
            raise InputRefusedError(
                "times-equal" if equal else "times-invalid",
                found=f"The times of the phases are {times.tolist()} s.",
                expected="Finite seconds that rise from phase to phase.",
                cause="Two phases may share a time tag, or the times are out of order or in another unit.",
                cure="Give the true times with times_s=[...].",
            )
        times -= times[0]
        times.flags.writeable = False
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))

    @property
    def n_phases(self) -> int:
        """Number of phases T."""
        return int(self.signal.shape[0])

    def phase(self, t: int) -> Volume:
        """Return phase `t` (0-based; negative counts from the end) as a `Volume`."""
        if not -self.n_phases <= t < self.n_phases:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"Phase {t} was asked for; the series has {self.n_phases} phases.",
                expected=f"A number from 0 to {self.n_phases - 1}.",
                cause="Phases are counted from 0.",
                cure="Ask for a phase that exists.",
            )
        t %= self.n_phases
        return Volume(self.signal[t], self.geometry, name=f"phase_{t:02d}")

    def with_warnings(self, *more: str) -> DynamicSeries:
        """Return the same series with further warnings, each kept once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *more))))


@dataclass(frozen=True)
class Seed:
    """A voxel a reader has clicked: index (i, j, k), and whether it marks background."""

    i: int
    j: int
    k: int
    background: bool = False

    @property
    def ijk(self) -> tuple[int, int, int]:
        """Index along x, y, z."""
        return self.i, self.j, self.k

    @property
    def zyx(self) -> tuple[int, int, int]:
        """Index in the order of array axes."""
        return self.k, self.j, self.i


@dataclass(frozen=True)
class Roi:
    """A region of interest: boolean ``mask`` (Z, Y, X) on a ``geometry``.

    Attributes
    ----------
    warnings : tuple of str
        Leaks and other doubts about the region, as ``"[code] text"``.
    record : mapping
        How it was made: method, seeds, parameters, intermediate volumes. JSON-serialisable.
    """

    mask: NDArray[np.bool_]
    geometry: Geometry
    name: str = "lesion"
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", _locked(self.mask, dtype=np.bool_, ndim=3, what=f"ROI '{self.name}'"))
        _check_grid(self.mask.shape, self.geometry, f"ROI '{self.name}'")
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))

    @property
    def n_voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.mask))

    @property
    def volume_ml(self) -> float:
        """Volume in millilitres."""
        return self.n_voxels * self.geometry.voxel_volume_mm3 / 1000.0

    @property
    def centre_ijk(self) -> tuple[float, float, float]:
        """Centre of mass of the region, as an index; NaN if it is empty."""
        if not self.mask.any():
            return float("nan"), float("nan"), float("nan")
        k, j, i = np.argwhere(self.mask).mean(axis=0)
        return float(i), float(j), float(k)

    @property
    def box_zyx(self) -> tuple[slice, slice, slice]:
        """Smallest box of the array that holds the region; the whole array if it is empty."""
        if not self.mask.any():
            return (slice(None), slice(None), slice(None))
        edges = []
        for axis in range(3):
            inside = np.flatnonzero(self.mask.any(axis=tuple(a for a in range(3) if a != axis)))
            edges.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return edges[0], edges[1], edges[2]


@dataclass(frozen=True)
class Segmentation:
    """What a network found in a series.

    Attributes
    ----------
    roi : Roi
        Every lesion, or the clicked one.
    lesions : Volume
        Number of the lesion in each voxel, from 1 for the largest; 0 elsewhere.
    probability, uncertainty : Volume
        From 0 to 1; the uncertainty is the entropy in bits.
    model_card : mapping
        What the network is, what it was trained with, what it reached.
    warnings : tuple of str
        ``"[code] text"``.
    record : mapping
        Settings and hash of the weights. JSON-serialisable.
    """

    roi: Roi
    lesions: Volume
    probability: Volume
    uncertainty: Volume
    model_card: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("model_card", "record"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "warnings", tuple(self.warnings))


@dataclass(frozen=True)
class ParameterMaps(Mapping[str, Volume]):
    """Kinetic maps of one series, by the names in `spinekit.quantities`.

    Attributes
    ----------
    volumes : mapping of str to Volume
        float32; NaN where undefined, never 0 or inf in its place.
    undefined : mapping of str to mapping of str to int
        Per map: reason in words -> number of voxels that are NaN for it.
    record : mapping
        Baseline phases, arrival method, conventions, phase times used. JSON-serialisable.
    warnings : tuple of str
        ``"[code] text"``.
    """

    volumes: Mapping[str, Volume]
    geometry: Geometry
    undefined: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("volumes", "undefined", "record"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "warnings", tuple(self.warnings))

    def __getitem__(self, name: str) -> Volume:
        if name not in self.volumes:
            raise KeyError(f"There is no map '{name}'; there are {', '.join(self.volumes)}.")
        return self.volumes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.volumes)

    def __len__(self) -> int:
        return len(self.volumes)


@dataclass(frozen=True)
class Diagnosis:
    """What a model says of one lesion; never a diagnosis in the clinical sense.

    Attributes
    ----------
    probabilities : mapping of str to float
        One per class, with sum 1, calibrated on simulated cases; NaN where the case was not put to the model.
    label : str or None
        The only class that cannot be ruled out; None if the model abstains.
    reason : str
        Why it abstains; empty if it does not.
    label_set : tuple of str
        Classes that cannot be ruled out at ``coverage``.
    coverage : float
        Share of cases like those of the calibration whose true class lies in their set.
    interval : tuple of float
        Lowest and highest probability of the last class over the views that were put to the model.
    unlike : tuple of str
        Why the case is unlike the training cases; empty if it is not.
    embedding : mapping of str to float
        The network's description of the lesion, by name, ready for a feature table.
    given_by : str
        Which model gave the probabilities: ``"network"`` or ``"combined"``.
    model_card : mapping
        Training data, measures and warning of the model.
    warnings : tuple of str
        ``"[code] text"``.
    record : mapping
        Logits, distance to the training cases and what else the report shows; JSON-serialisable.
    """

    probabilities: Mapping[str, float]
    label: str | None
    reason: str
    label_set: tuple[str, ...]
    coverage: float
    interval: tuple[float, float]
    unlike: tuple[str, ...] = ()
    embedding: Mapping[str, float] = field(default_factory=dict)
    given_by: str = "network"
    model_card: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("probabilities", "embedding", "model_card", "record"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name in ("label_set", "unlike", "warnings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def abstains(self) -> bool:
        """Whether the model names no class."""
        return self.label is None


@overload
def resample_to(image: Volume, geometry: Geometry, *, interpolation: str | None = None) -> Volume: ...
@overload
def resample_to(image: Roi, geometry: Geometry, *, interpolation: str | None = None) -> Roi: ...
def resample_to(image: Volume | Roi, geometry: Geometry, *, interpolation: str | None = None) -> Volume | Roi:
    """Resample a volume or region onto another grid by world coordinates; the explicit call it takes.

    Parameters
    ----------
    image : Volume or Roi
        A `Roi` is always resampled by nearest neighbour.
    geometry : Geometry
        The grid wanted.
    interpolation : {"linear", "nearest", "bspline"}, optional
        For volumes; ``"linear"`` if not given.

    Returns
    -------
    Volume or Roi
        On `geometry`. A volume is NaN where the source does not reach; a region is outside there.
    """
    if isinstance(image, Roi):
        mask = resample_array(
            image.mask.astype(np.uint8), image.geometry, geometry, interpolation="nearest", outside=0
        ).astype(bool)
        record = {**image.record, "resampled_from": image.geometry.as_dict()}
        return Roi(mask, geometry, image.name, image.warnings, record)
    values = resample_array(
        np.asarray(image.values, dtype=np.float32),
        image.geometry,
        geometry,
        interpolation=interpolation or "linear",
        outside=float("nan"),
    )
    return Volume(values, geometry, image.name, image.unit)
