"""The source images that an exported DICOM object refers to: one phase of the series, in the order of its grid."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry, require_same_grid
from spinekit.io.deidentify_rules import Key, clean_dataset
from spinekit.io.sources import list_sources

__all__ = ["PhaseImages", "names_as_they_are", "phase_images", "true_frame_numbers"]

PathLike = str | os.PathLike[str]
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True)
class PhaseImages:
    """One phase of a DICOM series.

    Attributes
    ----------
    datasets : tuple of pydicom.Dataset
        Without pixels; one per slice in the order of k, or one multi-frame image cut down to this phase.
    frames : tuple of int
        Frame numbers in the file, from 1, in the order of k; empty for single-frame images.
    geometry : Geometry
        The grid of the series.
    phase : int
        Which phase, from 0.
    n_phases : int
        How many there are.
    """

    datasets: tuple[Any, ...]
    frames: tuple[int, ...]
    geometry: Geometry
    phase: int
    n_phases: int


def phase_images(
    source: PathLike | Sequence[PathLike],
    phase: int,
    *,
    on: Geometry,
    series: str | None = None,
    drop_incomplete: bool = False,
    key: Key | None = None,
) -> PhaseImages:
    """Return the images of one phase, ordered as `spinekit.read_series` orders them.

    Parameters
    ----------
    source : path or list of paths
        The DICOM series that the region or map was made from.
    phase : int
        Phase that the exported object refers to, from 0; negative counts from the end.
    on : Geometry
        Grid of the region or map; the series must have it.
    series : str, optional
        Which series, where the source holds several.
    drop_incomplete : bool
        As in the settings the series was read with.
    key : Key, optional
        The images come without what identifies the patient, as `spinekit.io.deidentify` writes them with this key.

    Raises
    ------
    InputRefusedError
        What reading the series refuses; ``value-out-of-range`` for a phase it does not have;
        ``no-image`` if the source is no DICOM.
    GridMismatchError
        If the series has another grid.
    """
    geometry, table = _ordered(source, series, drop_incomplete)
    require_same_grid(on, geometry, names=("region or map", "DICOM series"))
    n_phases = len(table[0])
    if not -n_phases <= phase < n_phases:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"Phase {phase} was asked for; the series has {n_phases} phases.",
            expected=f"A number from 0 to {n_phases - 1}.",
            cause="Phases are counted from 0.",
            cure="Ask for a phase that exists.",
        )
    row = [slices[phase] for slices in table]
    if any(s.tile is not None for s in row):
        raise _tiled()
    if all(s.frame is None for s in row):
        return PhaseImages(
            tuple(_without_identity(_header(s), key) for s in row), (), geometry, phase % n_phases, n_phases
        )
    frames = tuple(int(s.frame or 0) for s in row)
    if len({s.source.label for s in row}) > 1:
        raise _spread(len({s.source.label for s in row}))
    cut = _only(_without_identity(_header(row[0]), key), frames)
    return PhaseImages((cut,), tuple(f + 1 for f in frames), geometry, phase % n_phases, n_phases)


@contextmanager
def names_as_they_are() -> Iterator[None]:
    """Let a patient's name pass as the source has it; highdicom warns of names without a caret."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*unlikely to represent the intended person name.*")
        yield


def _ordered(source: Any, series: str | None, drop_incomplete: bool) -> tuple[Geometry, Any]:
    """Return grid and slices by position and phase, by the same steps as the reader of series."""
    from spinekit.io.dicom import arrange
    from spinekit.io.dicom_headers import read_headers

    found = arrange(read_headers(list_sources(source)), choose=series, drop_incomplete=drop_incomplete)
    return found.geometry, found.ordered.table


def _header(s: Any) -> Any:
    from spinekit.io.dicom import open_dataset

    dataset = open_dataset(s)
    for keyword in PIXELS:
        if keyword in dataset:
            del dataset[keyword]
    return dataset


def _without_identity(dataset: Any, key: Key | None) -> Any:
    return dataset if key is None else clean_dataset(dataset, key, labelled=False)


def _only(dataset: Any, frames: Sequence[int]) -> Any:
    """Return a multi-frame image that consists of some of its frames only."""
    cut = copy.deepcopy(dataset)
    cut.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[f] for f in frames]
    cut.NumberOfFrames = len(frames)
    return cut


def _spread(files: int) -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found=f"One phase is spread over {files} multi-frame files.",
        expected="One multi-frame file per phase or per series, or single-frame images.",
        cause="The archive has split the series.",
        cure="Convert it to single-frame images, or export the region as .seg.nrrd.",
    )


def _tiled() -> InputRefusedError:
    return InputRefusedError(
        "format-unsupported",
        found="The series is stored as Siemens mosaics, which have no image of a single slice to refer to.",
        expected="Single-frame images, or a multi-frame file.",
        cause="The scanner was set to store mosaics.",
        cure="Export the region or map as NIfTI or .seg.nrrd, which need no source images.",
    )


def true_frame_numbers(dataset: Any, images: PhaseImages) -> None:
    """Put the frame numbers of the file where those of the images that were cut down to one phase stand."""
    if not images.frames:
        return
    for item in dataset.iterall():
        if item.keyword == "ReferencedFrameNumber":
            numbers = [item.value] if isinstance(item.value, (int, str)) else list(item.value)
            item.value = [images.frames[int(n) - 1] for n in numbers]
