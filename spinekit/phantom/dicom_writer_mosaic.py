"""The slices of a phase as one Siemens mosaic, with the private header that tells how they are tiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spinekit.io.siemens_csa import csa_header
from spinekit.phantom.dicom_writer_planes import Plane

__all__ = ["NOT_IN_A_MOSAIC", "mosaic_plane", "tell_tiles"]

MOSAIC_TYPE = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
# a mosaic says where its first slice lies and how far apart they are: a slice cannot be absent, twice there or askew
NOT_IN_A_MOSAIC = (
    "missing-slice", "missing-position", "duplicate-identical", "duplicate-different", "uneven-spacing",
    "gantry-tilt", "slice-aside", "localizer", "colour",
)  # fmt: skip


def mosaic_plane(planes: Sequence[Plane]) -> Plane:
    """Return the slices of one phase as a single plane: tiles row by row, those left over filled with zeros.

    The picture lies where one slice of its size with the centre of the first slice would, as on the scanner.
    """
    first = planes[0]
    rows, columns = first.values.shape
    grid = int(np.ceil(np.sqrt(len(planes))))
    picture = np.zeros((grid * rows, grid * columns))
    for number, plane in enumerate(planes):
        down, along = divmod(number, grid)
        picture[down * rows : (down + 1) * rows, along * columns : (along + 1) * columns] = plane.values
    x, y = np.asarray(first.orientation[:3]), np.asarray(first.orientation[3:])
    outwards = (grid - 1) / 2 * (columns * first.spacing[0] * x + rows * first.spacing[1] * y)
    position = tuple(float(v) for v in np.asarray(first.position) - outwards)
    odd = next((p for p in planes if _header(p) != _header(first)), first)  # what befell one slice befalls the picture
    spacing, orientation, slope, tags = _header(odd)
    return replace(
        first, values=picture, position=position, spacing=spacing, orientation=orientation, slope=slope, tags=tags
    )


def _header(plane: Plane) -> tuple[Any, ...]:
    return plane.spacing, plane.orientation, plane.slope, dict(plane.tags)


def tell_tiles(data: Any, planes: Sequence[Plane]) -> None:
    """Write into a dataset what the scanner tells of a mosaic: how many slices, in which direction, where planned.

    The type of an image that is no measurement stays; an image whose type a defect has set to that of a mosaic loses
    its private header, as anonymisation does it.
    """
    if list(planes[0].tags.get("ImageType", ())) == [*data.ImageType] and "MOSAIC" in data.ImageType:
        return
    if "ImageType" not in planes[0].tags:
        data.ImageType = MOSAIC_TYPE
    data.SpacingBetweenSlices = f"{planes[0].thickness_mm:.10g}"
    rows, columns = planes[0].values.shape
    data.AcquisitionMatrix = [0, columns, rows, 0]
    number, normal = len(planes), _normal(planes)
    header = data.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    header.add_new(0x0A, "US", number)
    image = {
        "NumberOfImagesInMosaic": ("US", [str(number)]),
        "SliceNormalVector": ("FD", [f"{v:.8f}" for v in normal]),
        "ProtocolSliceNumber": ("IS", ["1"]),
        "AcquisitionMatrixText": ("SH", [f"{rows}*{columns}"]),
    }
    block = data.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x10, "OB", csa_header(image))
    block.add_new(0x20, "OB", csa_header({"MrPhoenixProtocol": ("UN", [_protocol(planes, normal)])}))


def _normal(planes: Sequence[Plane]) -> np.ndarray:
    """Return the direction from the first slice to the last."""
    upright = np.cross(planes[0].orientation[:3], planes[0].orientation[3:])
    way = np.asarray(planes[-1].position) - np.asarray(planes[0].position)
    return np.asarray(-upright if way @ upright < 0 else upright)


def _protocol(planes: Sequence[Plane], normal: np.ndarray) -> str:
    rows, columns = planes[0].values.shape
    lines = [f"sSliceArray.lSize = {len(planes)}"]
    for number, plane in enumerate(planes):
        x, y = np.asarray(plane.orientation[:3]), np.asarray(plane.orientation[3:])
        centre = np.asarray(plane.position) + columns / 2 * plane.spacing[0] * x + rows / 2 * plane.spacing[1] * y
        for what, values in (("Position", centre), ("Normal", normal)):
            lines += [
                f"sSliceArray.asSlice[{number}].s{what}.d{axis} = {value:.10g}"
                for axis, value in zip(("Sag", "Cor", "Tra"), values, strict=True)
                if abs(value) > 1e-9  # the scanner leaves zeros out
            ]
    return "\n".join(["### ASCCONV BEGIN ###", *lines, "### ASCCONV END ###", ""])
