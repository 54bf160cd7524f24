"""Cases as the U-Net is taught with them: channels, lesions and clicks on the working grid, in files that are mapped.

Four variants of each case are kept: the protocol as it is, two without some of its phases and one with two to four
of those after contrast, so that the network also meets maps, and an arrival of the bolus, that come from few phases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.geometry import resample_array
from spinekit.models.clicks import CLICK_CHANNELS, click_channels
from spinekit.models.inputs import MAPS
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.models.working import working_input
from spinekit.provenance import hash_file, write_beside, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = ["CHANNELS", "N_VALUES", "Example", "TaughtCase", "fewer_phases", "open_example", "write_example"]

N_VALUES = len(MAPS) + len(PHASE_TIMES_S)  # the first channels; the flags of presence follow, then the click
CHANNELS = N_VALUES + len(PHASE_TIMES_S) + len(CLICK_CHANNELS)
SMALLEST_ML = 0.3  # a lesion cut by the slab to less than this gets no click
SHORTER = (False, False, True)  # whether a variant has few phases; the first variant has them all
CLICKS_EACH = 1 + len(SHORTER)  # one in each variant


@dataclass(frozen=True)
class TaughtCase:
    """A series with its lesions: ``lesions`` is uint8 (Z, Y, X), 0 outside and a number inside each."""

    name: str
    series: DynamicSeries
    lesions: NDArray[np.uint8]
    n_baseline: int


@dataclass(frozen=True)
class Example:
    """One case on the working grid, its arrays mapped from files.

    Attributes
    ----------
    values : tuple of ndarray of shape (14, Z, Y, X), float16
        Maps and phases, one array per variant.
    present : ndarray of shape (4, 10)
        Which phases each variant covers.
    lesions : ndarray of shape (Z, Y, X), uint8
    clicks : ndarray of shape (n, 3, Z, Y, X), uint8
        Channels of each click, 255 standing for 1.
    clicked : tuple of (int, int)
        Number of the lesion and of the variant of each click.
    """

    name: str
    values: tuple[NDArray[Any], ...]
    present: NDArray[Any]
    lesions: NDArray[np.uint8]
    clicks: NDArray[np.uint8]
    clicked: tuple[tuple[int, int], ...]


def fewer_phases(
    series: DynamicSeries, n_baseline: int, rng: np.random.Generator, *, few: bool = False
) -> DynamicSeries:
    """Return a series with a random part of its phases: those before contrast stay, and at least two after it.

    Two to four after contrast if `few`, else more than half of them.

    Examples
    --------
    >>> from spinekit.phantom import simulate_case
    >>> case = simulate_case(1, size=(32, 32, 4))
    >>> 3 <= fewer_phases(case.series, case.n_baseline, np.random.default_rng(0)).n_phases < 10
    True
    """
    after = np.arange(n_baseline, series.n_phases)
    half = (len(after) + 1) // 2
    n = int(rng.integers(2, 5)) if few else int(rng.integers(half, max(len(after), half + 1)))
    kept = np.sort(rng.choice(after, size=min(n, len(after)), replace=False))
    index = np.concatenate([np.arange(n_baseline), kept])
    return replace(series, signal=series.signal[index], times_s=series.times_s[index])


def write_example(case: TaughtCase, folder: Path, *, seed: int = 0) -> Path:
    """Compute what the network sees of a case and write it into a folder of the case's name.

    A folder that already holds the example of the same source is left as it is.
    """
    place = folder / case.name
    if (place / "example.json").is_file():
        return place
    rng = np.random.default_rng([seed, *case.name.encode()])
    shorter = (fewer_phases(case.series, case.n_baseline, rng, few=few) for few in SHORTER)
    variants = (case.series, *shorter)
    seen = [working_input(series, case.n_baseline) for series in variants]
    for number, one in enumerate(seen):
        _save(place / f"values-{number}.npy", one.channels[:N_VALUES].astype(np.float16))
    present = np.stack([one.channels[N_VALUES:, 0, 0, 0] for one in seen]).astype(np.float32)
    _save(place / "present.npy", present)
    grid = seen[0].geometry
    lesions = resample_array(case.lesions, case.series.geometry, grid, interpolation="nearest", outside=0.0)
    _save(place / "lesions.npy", lesions)
    channels, clicked = [], []
    for number in _large_enough(case):
        for n, click in enumerate(_points(case, number, rng)):
            variant = n % len(variants)
            guide, _ = click_channels(variants[variant], case.n_baseline, click, seen[variant])
            channels.append(np.rint(255 * guide).astype(np.uint8))
            clicked.append([int(number), variant])
    _save(place / "clicks.npy", np.stack(channels) if channels else np.zeros((0, 3, *grid.shape_zyx), np.uint8))
    files = sorted(p.name for p in place.glob("*.npy"))
    write_json(place / "example.json", {"clicked": clicked, "sha256": {f: hash_file(place / f) for f in files}})
    return place


def open_example(place: Path) -> Example:
    """Map an example's arrays; nothing is read until it is used."""
    facts = json.loads((place / "example.json").read_text(encoding="utf-8"))
    arrays = {p.stem: np.load(p, mmap_mode="r", allow_pickle=False) for p in place.glob("*.npy")}
    values = tuple(arrays[name] for name in sorted(arrays) if name.startswith("values-"))
    clicked = tuple((int(a), int(b)) for a, b in facts["clicked"])
    return Example(place.name, values, np.array(arrays["present"]), arrays["lesions"], arrays["clicks"], clicked)


def _large_enough(case: TaughtCase) -> Iterable[int]:
    counts = np.bincount(case.lesions.ravel(), minlength=2)
    least = SMALLEST_ML * 1000.0 / case.series.geometry.voxel_volume_mm3
    return [number for number in range(1, len(counts)) if counts[number] >= least]


def _points(case: TaughtCase, number: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Return clicks (i, j, k): voxels drawn from the inner part of a lesion, where a reader would click."""
    from scipy.ndimage import distance_transform_edt

    inside = np.pad(case.lesions == number, 1)
    depth = distance_transform_edt(inside, sampling=case.series.geometry.spacing_zyx_mm)[1:-1, 1:-1, 1:-1]
    deep = np.argwhere(depth >= 0.5 * depth.max())
    chosen = deep[rng.integers(0, len(deep), CLICKS_EACH)]
    return [(int(i), int(j), int(k)) for k, j, i in chosen]


def _save(path: Path, array: NDArray[Any]) -> None:
    with write_beside(path) as temporary:
        np.save(temporary, np.ascontiguousarray(array))
