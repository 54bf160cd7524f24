"""The pixels of DICOM files, decoded frame by frame, so that no more than one is held at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.io.dicom_locate import DEFLATED
from spinekit.io.dicom_parse import opened

if TYPE_CHECKING:
    from spinekit.io.dicom_headers import Slice

__all__ = ["stored_frames"]


def stored_frames(s: Slice, wanted: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frames of the file that a slice lies in, with their numbers, one at a time as they are stored.

    Parameters
    ----------
    s : Slice
        Any slice of the file.
    wanted : iterable of int
        The numbers of the frames that are needed.

    Raises
    ------
    InputRefusedError
        ``codec-missing``, ``file-truncated``.
    """
    left = sorted(set(wanted))
    try:
        with opened(s.source) as stream:
            for number, values in _decoded(stream, s, tuple(left)):
                if number in left:
                    left.remove(number)
                    yield number, values
                if not left:
                    return
    except (RuntimeError, NotImplementedError, ImportError) as reason:
        raise _undecoded(s, reason) from reason
    except (ValueError, AttributeError, EOFError) as reason:
        raise _damaged_pixels(s, reason) from reason
    raise _damaged_pixels(s, ValueError(f"frame {left[0] + 1} is not there"))


def _decoded(stream: BinaryIO, s: Slice, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield frames with their numbers: the wanted ones, or all of them in turn where they are packed."""
    from pydicom.pixels.decoders.base import get_decoder

    pixels = s.pixels
    if pixels is None or pixels.options is None:
        raise AttributeError("its header does not tell how they are stored")
    decoder = get_decoder(pixels.syntax)
    stream.seek(pixels.offset)
    if pixels.syntax == DEFLATED:  # nothing in the file can be reached without unpacking it
        from spinekit.io.dicom import open_dataset

        frames = decoder.iter_array(open_dataset(s), indices=wanted, raw=True, **pixels.options)
        yield from zip(wanted, (values for values, _ in frames), strict=True)
    elif not decoder.is_encapsulated:
        frames = decoder.iter_array(stream, indices=wanted, raw=True, view_only=True, **pixels.options)
        yield from zip(wanted, (values for values, _ in frames), strict=True)
    else:
        held: Any = stream if pixels.in_items else stream.read(pixels.length)
        frames = decoder.iter_array(held, raw=True, **pixels.options)
        yield from enumerate(values for values, _ in frames)


def _undecoded(s: Slice, reason: Exception) -> InputRefusedError:
    """Return whether a codec is missing or the compressed pixels are damaged."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    syntax = UID(s.pixels.syntax if s.pixels else "")
    try:
        if get_decoder(syntax).is_available:
            return _damaged_pixels(s, reason)
    except NotImplementedError:  # pydicom knows no decoder for it at all
        pass
    return InputRefusedError(
        "codec-missing",
        found=f"{s.source.label} is compressed as {syntax.name or 'unknown'} and could not be decoded.",
        expected="A codec: pylibjpeg with pylibjpeg-libjpeg, pylibjpeg-openjpeg and pylibjpeg-rle.",
        cause="The package is not installed.",
        cure="Run 'spinekit doctor'; or export the series uncompressed.",
    )


def _damaged_pixels(s: Slice, reason: Exception) -> InputRefusedError:
    lines = str(reason).splitlines() or ["they end too early"]
    return InputRefusedError(
        "file-truncated",
        found=f"The pixels of {s.source.label} cannot be decoded: {lines[0].rstrip('.')}.",
        expected="Complete pixels.",
        cause="The transfer was interrupted.",
        cure="Send the series again from the archive.",
    )
