"""Cases as the U-Net is taught with them: channels, lesions and clicks on the working grid, in files that are mapped.

Four variants of each case are kept: the protocol as it is, two without some of its phases and one with two to four
of those after contrast, so that the network also meets maps, and an arrival of the bolus, that come from few phases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.geometry import depth_mm, resample_array
from spinekit.models.clicks import CLICK_CHANNELS, click_channels
from spinekit.models.inputs import MAPS
from spinekit.models.phases import PHASE_TIMES_S
from spinekit.models.working import counted_lesions, onto_working, working_input
from spinekit.provenance import hash_file, write_beside, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinekit.case import DynamicSeries

__all__ = [
    "CHANNELS", "N_VALUES", "Example", "TaughtCase", "example_channels", "fewer_phases", "is_example", "open_example",
    "write_example",
]  # fmt: skip

N_VALUES = len(MAPS) + len(PHASE_TIMES_S)  # the first channels; the flags of presence follow, then the click
CHANNELS = N_VALUES + len(PHASE_TIMES_S) + len(CLICK_CHANNELS)
SHORTER = (False, False, True)  # whether a variant has few phases; the first variant has them all
CLICKS_EACH = 1 + len(SHORTER)  # one in each variant
FORMAT = 2  # of the files; an example of another one is computed anew
BORDER_VOXELS = 2.5  # voxels this near to a lesion and partly filled are its border, further ones another's rest


@dataclass(frozen=True)
class TaughtCase:
    """A series with its lesions.

    ``lesions`` is uint8 (Z, Y, X), 0 outside and a number inside each; ``share`` which part of each voxel is lesion,
    255 standing for all of it, or None where a voxel of the series is known to be inside or outside only.
    """

    name: str
    series: DynamicSeries
    lesions: NDArray[np.uint8]
    n_baseline: int
    share: NDArray[np.uint8] | None = None


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
        The number of the lesion that fills at least half of a voxel.
    share : ndarray of shape (Z, Y, X), uint8
        Which part of each voxel is lesion, 255 standing for all of it: this is what is taught, so that the border
        lies between the voxels where it belongs.
    owner : ndarray of shape (Z, Y, X), uint8
        The number of the lesion that `share` is part of; 0 where it is far from all of them.
    clicks : ndarray of shape (n, 3, Z, Y, X), uint8
        Channels of each click, 255 standing for 1.
    clicked : tuple of (int, int)
        Number of the lesion and of the variant of each click.
    """

    name: str
    values: tuple[NDArray[Any], ...]
    present: NDArray[Any]
    lesions: NDArray[np.uint8]
    share: NDArray[np.uint8]
    owner: NDArray[np.uint8]
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
    if is_example(place):
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
    share = (case.lesions > 0).astype(np.float32) if case.share is None else case.share.astype(np.float32) / 255.0
    filled = np.rint(255.0 * onto_working(share, case.series.geometry, grid)).astype(np.uint8)
    _save(place / "share.npy", filled)
    _save(place / "owner.npy", np.where(filled > 0, _nearest(lesions), 0).astype(np.uint8))
    channels, clicked = [], []
    for number in _large_enough(case):
        for n, click in enumerate(_points(case, number, rng)):
            variant = n % len(variants)
            guide, _ = click_channels(variants[variant], case.n_baseline, click, seen[variant])
            channels.append(np.rint(255 * guide).astype(np.uint8))
            clicked.append([int(number), variant])
    _save(place / "clicks.npy", np.stack(channels) if channels else np.zeros((0, 3, *grid.shape_zyx), np.uint8))
    files = sorted(p.name for p in place.glob("*.npy"))
    write_json(
        place / "example.json",
        {"format": FORMAT, "clicked": clicked, "sha256": {f: hash_file(place / f) for f in files}},
    )
    return place


def is_example(place: Path) -> bool:
    """Whether a folder holds an example in the present format; what is left of another one is overwritten."""
    file = place / "example.json"
    return file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("format") == FORMAT


def open_example(place: Path) -> Example:
    """Map an example's arrays; nothing is read until it is used."""
    facts = json.loads((place / "example.json").read_text(encoding="utf-8"))
    arrays = {p.stem: np.load(p, mmap_mode="r", allow_pickle=False) for p in place.glob("*.npy")}
    values = tuple(arrays[name] for name in sorted(arrays) if name.startswith("values-"))
    clicked = tuple((int(a), int(b)) for a, b in facts["clicked"])
    return Example(
        place.name, values, np.array(arrays["present"]), arrays["lesions"], arrays["share"], arrays["owner"],
        arrays["clicks"], clicked,
    )  # fmt: skip


def example_channels(example: Example, variant: int, click: Any) -> NDArray[np.float32]:
    """Return all channels (27, Z, Y, X) of a variant; ``click`` is (3, Z, Y, X) with 255 standing for 1, or None."""
    x = np.zeros((CHANNELS, *example.lesions.shape), dtype=np.float32)
    x[:N_VALUES] = example.values[variant]
    x[N_VALUES : CHANNELS - 3] = example.present[variant][:, None, None, None]
    if click is not None:
        x[-3:] = np.asarray(click, dtype=np.float32) / 255.0
    return x


def _nearest(lesions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the number of the nearest lesion in each voxel, 0 where none is near."""
    from scipy.ndimage import distance_transform_edt

    if not lesions.any():
        return lesions
    away, index = distance_transform_edt(lesions == 0, return_indices=True)
    found: NDArray[np.uint8] = np.where(away <= BORDER_VOXELS, lesions[tuple(index)], 0)
    return found


def _large_enough(case: TaughtCase) -> list[int]:
    counted = counted_lesions(case.lesions, case.series.geometry.voxel_volume_mm3)
    return [int(number) for number in np.unique(counted) if number]


def _points(case: TaughtCase, number: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Return clicks (i, j, k): voxels drawn from the inner part of a lesion, where a reader would click."""
    depth = depth_mm(case.lesions == number, case.series.geometry.spacing_zyx_mm)
    deep = np.argwhere(depth >= 0.5 * depth.max())
    chosen = deep[rng.integers(0, len(deep), CLICKS_EACH)]
    return [(int(i), int(j), int(k)) for k, j, i in chosen]


def _save(path: Path, array: NDArray[Any]) -> None:
    with write_beside(path) as temporary:
        np.save(temporary, np.ascontiguousarray(array))
