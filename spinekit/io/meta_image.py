"""MetaImage (.mha, .mhd), as elastix, ITK-SNAP and Slicer write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError, shown
from spinekit.geometry import Geometry, from_sitk

__all__ = ["META_IMAGE", "read_meta_image"]

META_IMAGE = (".mha", ".mhd")
LARGEST_RATIO = 1000  # to which zlib packs zeros


def read_meta_image(path: Path) -> tuple[np.ndarray, Geometry]:
    """Return values (Z, Y, X) in float32 and the grid of a 3-D MetaImage.

    Raises
    ------
    InputRefusedError
        ``file-truncated``, ``file-too-large``, ``format-unsupported``; ``geometry-missing`` or ``affine-invalid`` for a
        grid that cannot be.
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as reason:
        raise _damaged(path) from reason
    size, parts = reader.GetSize(), reader.GetNumberOfComponents()
    if len(size) != 3 or parts != 1:
        raise InputRefusedError(
            "format-unsupported",
            found=f"The {shown(path)} is an image of {len(size)} dimensions with {parts} values per voxel.",
            expected="A 3-D image with one value per voxel.",
            cause="It may be a series over time, a colour image or a field of vectors.",
            cure="Save a single image; a series over time as NIfTI or .seq.nrrd.",
        )
    _check_size(path, int(np.prod(size, dtype=object)))
    try:
        values, geometry = from_sitk(reader.Execute())
    except RuntimeError as reason:
        raise _damaged(path) from reason
    return values.astype(np.float32), geometry


def _check_size(path: Path, promised: int) -> None:
    """Refuse a header that promises far more voxels than the files can hold, before anything is allocated."""
    raw = path.with_suffix(".raw")
    there = sum(file.stat().st_size for file in (path, raw, path.with_suffix(".zraw")) if file.is_file())
    if promised > LARGEST_RATIO * there:
        raise InputRefusedError(
            "file-too-large",
            found=f"The header of the {shown(path)} promises {promised} voxels; there are {there} bytes.",
            expected="As much data as the header says.",
            cause="The header was damaged, or the data lie in a file that was not copied along.",
            cure="Copy all files of the image again.",
        )


def _damaged(path: Path) -> Any:
    return InputRefusedError(
        "file-truncated",
        found=f"The {shown(path)} cannot be read to its end.",
        expected="A complete MetaImage, with its data in the file or beside it under the name that it tells.",
        cause="The copy was interrupted, or the .raw file of an .mhd was not copied along or renamed.",
        cure="Copy all files of the image again, or save it as one .mha, NIfTI or .nrrd.",
    )
