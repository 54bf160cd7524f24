"""Siemens mosaics: all slices of a phase tiled into one picture, and what has to be known to take them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.io.dicom_tags import number_of, place_of
from spinekit.io.siemens_csa import ProtocolSlices, csa_elements, csa_header, private_value, protocol_slices

__all__ = ["Tile", "cut", "header_of", "is_mosaic", "require_empty_remainder", "require_no_mosaic", "tell", "tiles_of"]

MOST_TILES = 1024
PARALLEL = 0.999  # cosine between the normal that is told and the one of rows and columns
SAME_HEIGHT = 0.1  # of the distance between slices, and of a distance that is told twice
MR_HEADER, CSA_HEADER = "SIEMENS MR HEADER", "SIEMENS CSA HEADER"
COUNT, NORMAL = "NumberOfImagesInMosaic", "SliceNormalVector"
PROTOCOLS = ("MrPhoenixProtocol", "MrProtocol")


@dataclass(frozen=True)
class Tile:
    """One tile of a mosaic: which it is, of how many that hold a slice, and how many there are in a row."""

    number: int
    count: int
    in_a_row: int


def is_mosaic(dataset: Any, shape: tuple[int, int], label: str) -> bool:
    """Whether an image of so many rows and columns is a mosaic, by its type or by its private header.

    Raises
    ------
    InputRefusedError
        ``mosaic`` where the private header tells several slices, but neither the type nor the acquisition matrix
        says whether they were taken apart since.
    """
    words = {str(w).strip().upper() for w in (dataset.get("ImageType", None) or ())}
    count = max(_told_counts(dataset), default=0)
    if "MOSAIC" in words or count < 2:
        return "MOSAIC" in words
    acquired = max((int(v) for v in (dataset.get("AcquisitionMatrix", None) or ()) if v), default=0)
    if acquired == max(shape):
        return False
    if acquired * int(np.ceil(np.sqrt(count))) == max(shape):
        return True
    raise _refused(label, f"its private header tells {count} slices, but its image type does not say MOSAIC")


def require_no_mosaic(types: Any, label: str) -> None:
    """Refuse a frame of a multi-frame file that is a mosaic: its slices have no private header of their own.

    Raises
    ------
    InputRefusedError
        ``mosaic``.
    """
    if "MOSAIC" in {str(w).strip().upper() for w in (types or ())}:
        raise _refused(label, "a frame of a multi-frame file tells nothing of the slices in it")


def tiles_of(dataset: Any, place: Mapping[str, Any], shape: tuple[int, int], label: str) -> list[dict[str, Any]]:
    """Return tile, shape and position of every slice of a mosaic.

    Parameters
    ----------
    dataset : pydicom.Dataset
        One file.
    place : mapping
        What `spinekit.io.dicom_tags.place_of` says of the whole picture.
    shape : tuple of int
        Rows and columns of the whole picture.
    label : str
        Names the file.

    Returns
    -------
    list of dict
        "tile", "shape" and "position", in the order of the tiles.

    Raises
    ------
    InputRefusedError
        ``mosaic`` where the files do not tell how many slices there are, how far apart they lie or on which side of
        the first the others lie, or where what they tell cannot be.

    Notes
    -----
    ImagePositionPatient is where a single slice would begin if it were as large as the whole picture and had the same
    centre: the first pixel of the first tile lies half of the difference further in.

    References
    ----------
    .. [1] Nibabel, "Siemens mosaic format", nipy.org/nibabel/dicom/dicom_mosaic.html.
    """
    x, y = np.asarray(place["orientation"][:3]), np.asarray(place["orientation"][3:])
    normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    planned = _planned(dataset)
    count = _count(dataset, planned, label)
    grid = int(np.ceil(np.sqrt(count)))
    if shape[0] % grid or shape[1] % grid:
        raise _refused(label, f"has {shape[1]} × {shape[0]} pixels, which do not divide into {grid} × {grid} tiles")
    rows, columns = shape[0] // grid, shape[1] // grid
    step_x, step_y = place["spacing"]
    inwards = (shape[1] - columns) / 2 * step_x * x + (shape[0] - rows) / 2 * step_y * y
    origin = np.asarray(place["position"]) + inwards
    heights = planned @ normal if planned is not None and len(planned) == count else None
    distance = _distance(dataset, heights, label) if count > 1 else 0.0
    way = _side(dataset, normal, heights, float(origin @ normal), label) * distance * normal if count > 1 else 0.0
    return [
        {
            "tile": Tile(number, count, grid),
            "shape": (rows, columns),
            "position": tuple(float(v) for v in origin + number * way),
        }
        for number in range(count)
    ]


def header_of(dataset: Any) -> dict[str, tuple[str, list[str]]] | None:
    """Return all that has to be told of a mosaic, number and direction of its slices; None if it is none.

    It holds nothing of the patient, and is what a copy without private headers has to keep.
    """
    try:
        shape = (int(number_of(dataset, "Rows", 0)), int(number_of(dataset, "Columns", 0)))
        if not is_mosaic(dataset, shape, "the image"):
            return None
        tiles = tiles_of(dataset, place_of(dataset, dataset, "the image"), shape, "the image")
    except (InputRefusedError, ValueError, TypeError, OverflowError, NotImplementedError):  # nothing can be told
        return None
    way = np.subtract(tiles[-1]["position"], tiles[0]["position"])
    normal = way / np.linalg.norm(way) if len(tiles) > 1 else np.zeros(3)
    told = {NORMAL: ("FD", [f"{v:.8f}" for v in normal])} if len(tiles) > 1 else {}
    return {COUNT: ("US", [str(len(tiles))]), **told}


def tell(dataset: Any, header: Mapping[str, tuple[str, list[str]]]) -> None:
    """Write what `header_of` returned into an image that has no private header."""
    dataset.private_block(0x0019, MR_HEADER, create=True).add_new(0x0A, "US", int(header[COUNT][1][0]))
    dataset.private_block(0x0029, CSA_HEADER, create=True).add_new(0x10, "OB", csa_header(header))


def cut(picture: np.ndarray, tile: Tile) -> np.ndarray:
    """Return one tile of a picture of shape (Y, X).

    Examples
    --------
    >>> cut(np.arange(16).reshape(4, 4), Tile(number=1, count=3, in_a_row=2)).tolist()
    [[2, 3], [6, 7]]
    """
    rows, columns = (length // tile.in_a_row for length in picture.shape)
    down, along = divmod(tile.number, tile.in_a_row)
    return picture[down * rows : (down + 1) * rows, along * columns : (along + 1) * columns]


def require_empty_remainder(picture: np.ndarray, tile: Tile, label: str) -> None:
    """Refuse a picture whose tiles beyond the last slice hold an image: the number of slices is then not true.

    Raises
    ------
    InputRefusedError
        ``mosaic``.
    """
    for number in range(tile.count, tile.in_a_row**2):
        rest = cut(picture, Tile(number, tile.count, tile.in_a_row))
        if np.ptp(rest) > 0:
            raise _refused(label, f"should hold {tile.count} slices, but there is an image in tile {number + 1}")


def _refused(label: str, what: str) -> InputRefusedError:
    return InputRefusedError(
        "mosaic",
        found=f"{label} is a Siemens mosaic, all slices of a phase tiled into one picture, but {what}.",
        expected="The number of slices, their distance and their direction in the private header of the scanner.",
        cause="Anonymisation took the private header out, or the pictures were made by another program.",
        cure="Export the series as single slices or enhanced multi-frame; or convert it with dcm2niix where the "
        "private header is whole, check which slice is the lowest, and give the times.",
    )


def _told_counts(dataset: Any) -> list[int]:
    """Return the numbers of slices that the image's private headers tell."""
    told = [private_value(dataset, 0x0019, MR_HEADER, 0x0A), *_csa(dataset, 0x10, COUNT).get(COUNT, ())[:1]]
    counts = []
    for value in told:
        try:
            number = float(value[0] if isinstance(value, (list, tuple)) else value)
        except (TypeError, ValueError, IndexError):  # absent, or not what the scanner writes
            continue
        if number > 0 and number == int(min(number, 1e9)):
            counts.append(int(number))
    return counts


def _csa(dataset: Any, element: int, *names: str) -> dict[str, tuple[str, ...]]:
    value = private_value(dataset, 0x0029, CSA_HEADER, element)
    return csa_elements(value, names) if isinstance(value, bytes) else {}


def _planned(dataset: Any) -> ProtocolSlices | None:
    """Return the slices of the protocol that the series' private header carries."""
    found = _csa(dataset, 0x20, *PROTOCOLS)
    text = next((found[name][0] for name in PROTOCOLS if found.get(name)), "")
    return protocol_slices(text) if text else None


def _count(dataset: Any, planned: ProtocolSlices | None, label: str) -> int:
    counts = set(_told_counts(dataset)) or ({len(planned)} if planned is not None else set())
    if not counts:
        raise _refused(label, "no tag tells how many slices it holds")
    if len(counts) > 1:
        raise _refused(label, f"its tags tell {' and '.join(map(str, sorted(counts)))} slices")
    count = counts.pop()
    if count > MOST_TILES:
        raise _refused(label, f"is said to hold {count} slices")
    return count


def _distance(dataset: Any, heights: np.ndarray | None, label: str) -> float:
    """Return the distance between slices, mm: the tag's, or that of the planned slices."""
    told = number_of(dataset, "SpacingBetweenSlices", np.nan)
    planned = float(np.abs(np.diff(heights)).mean()) if heights is not None else np.nan
    if np.isfinite(told) and told > 0:
        return told
    if np.isfinite(planned) and planned > 0:
        return planned
    raise _refused(label, "no tag tells the distance between its slices; their thickness says nothing of gaps")


def _side(dataset: Any, normal: np.ndarray, heights: np.ndarray | None, first: float, label: str) -> float:
    """Return on which side of the first slice along the normal the others lie, 1 or -1.

    The planned slices tell it if the first tile lies where the stack begins or ends; the normal of the image tells
    it otherwise. Where both speak they have to agree.
    """
    told = _csa(dataset, 0x10, NORMAL).get(NORMAL, ())
    sides = {side for side in (_side_of_plan(heights, first), _side_of_vector(told, normal, label)) if side}
    if not sides:
        raise _refused(label, "no tag tells whether its first slice is the lowest or the highest")
    if len(sides) > 1:
        raise _refused(label, "its slice normal and the planned positions run in opposite directions")
    return sides.pop()


def _side_of_plan(heights: np.ndarray | None, first: float) -> float:
    if heights is None or len(heights) < 2:
        return 0.0
    steps = np.diff(np.sort(heights))
    nearness = SAME_HEIGHT * float(steps.mean())
    if float(steps.min()) <= 0 or np.ptp(steps) > nearness:
        return 0.0
    at_low, at_high = abs(first - heights.min()) < nearness, abs(first - heights.max()) < nearness
    return 1.0 if at_low else -1.0 if at_high else 0.0


def _side_of_vector(told: tuple[str, ...], normal: np.ndarray, label: str) -> float:
    if not told:
        return 0.0
    try:
        vector = np.array([float(v) for v in told])
        length = float(np.linalg.norm(vector))
        cosine = float(vector @ normal) / length if vector.shape == (3,) and length > 0 else np.nan
    except ValueError:
        cosine = np.nan
    if not abs(cosine) >= PARALLEL:  # also NaN
        raise _refused(label, "its slice normal does not stand upright on rows and columns")
    return float(np.sign(cosine))
