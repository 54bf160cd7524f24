"""From bytes to a DICOM dataset: what is an image of ours, and whether its pixels are all there."""

from __future__ import annotations

import errno
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from spinekit.errors import InputRefusedError
from spinekit.io.dicom_locate import DEFLATED, StoredPixels, locate_pixels, options_of
from spinekit.io.dicom_tags import number_of
from spinekit.io.pieces import PIECE, Bounded
from spinekit.io.sources import FileSource

__all__ = [
    "bytes_of",
    "check_pixels_fit",
    "opened",
    "parse",
    "parse_header",
    "refused_kind",
    "sha256_of",
]

SHORTEST = 132  # preamble and "DICM"
RLE, LARGEST_RLE = "1.2.840.10008.1.2.5", 64  # two bytes tell at most 128
LONGEST_META = 1 << 12
LARGEST_RATIO, SMALL = 200, 100 << 20  # to which deflated images unpack at most; what is no harm whatever the ratio
SIZES = {"Rows": 0.0, "Columns": 0.0, "NumberOfFrames": 1.0, "BitsAllocated": 16.0}

IMAGE_CLASSES = {  # storage classes whose frames are slices of one volume
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "legacy converted enhanced MR",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "enhanced CT",
}


@contextmanager
def opened(source: FileSource) -> Iterator[BinaryIO]:
    """Open a file for reading; of a member of an archive, its bytes.

    Raises
    ------
    InputRefusedError
        As `bytes_of`.
    """
    if source.member:
        yield io.BytesIO(bytes_of(source))
        return
    try:
        stream = Bounded(source.path)  # what fails while it is open is not ours to judge
    except OSError as reason:
        raise _unreadable(source.label, reason) from reason
    with stream:
        yield stream


def sha256_of(stream: Any, label: str) -> str:
    """Return the SHA-256 of a whole binary stream as hex; nothing of it is held."""
    try:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as reason:
        raise _unreadable(label, reason) from reason


def _unreadable(label: str, reason: OSError) -> InputRefusedError:
    return InputRefusedError(
        "file-unreadable",
        found=f"{label} could not be read: {reason.strerror or reason}.",
        expected="A file that can be read.",
        cause="Rights are missing, or the drive has a fault.",
        cure="Copy the series to another place and read it from there.",
    )


def bytes_of(source: FileSource) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    InputRefusedError
        ``file-unreadable``; ``file-truncated`` for a damaged member of an archive.
    """
    try:
        return source.read()
    except OSError as reason:
        raise _unreadable(source.label, reason) from reason
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as reason:  # RuntimeError: a password is asked for
        raise _truncated(source.label, "cannot be unpacked from the archive") from reason


def parse(data: bytes, label: str) -> Any:
    """Return the dataset of a file with its pixels, or None for what is no DICOM at all.

    Raises
    ------
    InputRefusedError
        ``file-truncated`` for a DICOM image whose header or pixels end too early.
    """
    dataset = _parsed(io.BytesIO(data), label, pixels_too=True)
    if dataset is not None:
        _require_whole(dataset, label, has_pixels="PixelData" in dataset)
    return dataset


def parse_header(stream: BinaryIO, label: str) -> tuple[Any, StoredPixels | None]:
    """Return the dataset of a file up to its pixels, and where those lie; None twice for what is no DICOM at all.

    Raises
    ------
    InputRefusedError
        As `parse`; ``file-unreadable``.
    """
    try:
        dataset = _parsed(stream, label, pixels_too=False)
        if dataset is None:
            return None, None
        if str(getattr(dataset.file_meta, "TransferSyntaxUID", "")) == DEFLATED:
            stream.seek(0)  # it was unpacked to the end
            return _deflated(stream, label)
        pixels = locate_pixels(stream, dataset)
    except OSError as reason:
        raise _unreadable(label, reason) from reason
    _require_whole(dataset, label, has_pixels=pixels is not None)
    return dataset, pixels


def _deflated(stream: BinaryIO, label: str) -> tuple[Any, StoredPixels | None]:
    dataset = parse(stream.read(), label)
    if dataset is None or "PixelData" not in dataset:
        return dataset, None
    return dataset, StoredPixels(DEFLATED, 0, len(dataset.PixelData or b""), False, options_of(dataset, "OW"))


def _parsed(stream: BinaryIO, label: str, *, pixels_too: bool) -> Any:
    import pydicom

    head = stream.read(SHORTEST)
    if len(head) < SHORTEST:
        return None
    marked = head[128:] == b"DICM"
    if DEFLATED.encode() in stream.read(LONGEST_META):
        _require_no_bomb(stream, label)
    stream.seek(0)
    try:
        dataset = pydicom.dcmread(stream, force=not marked, stop_before_pixels=not pixels_too)
        classes = _classes(dataset)
    except Exception as reason:  # a damaged header raises many things
        if isinstance(reason, OSError) and reason.errno not in (None, errno.EINVAL):  # the drive's, not pydicom's
            raise
        if marked:
            raise _truncated(label, "cannot be read to the end of its header") from reason
        return None
    if not marked and not (classes and "Rows" in dataset and "Columns" in dataset):
        return None
    if marked and not classes:
        raise _truncated(label, "ends before its pixels begin")
    return dataset


def _require_no_bomb(stream: BinaryIO, label: str) -> None:
    """Refuse a deflated file that unpacks to far more than images do, which is found by unpacking and forgetting."""
    stream.seek(SHORTEST)
    (of_group,), length = struct.unpack("<8xL", stream.read(12).ljust(12, b"\0")), 0
    size = stream.seek(0, 2)
    stream.seek(min(SHORTEST + 12 + of_group, size))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while not unpacker.eof and (held := unpacker.unconsumed_tail or stream.read(PIECE)):
            length += len(unpacker.decompress(held, PIECE))
            if length > max(SMALL, LARGEST_RATIO * size):
                raise InputRefusedError(
                    "file-too-large",
                    found=f"{label} would unpack to more than {length >> 20} MiB from {size >> 10} KiB.",
                    expected=f"An image that unpacks to at most {LARGEST_RATIO} times its size.",
                    cause="It was damaged, or made to do harm.",
                    cure="Send the series again from the archive.",
                )
    except zlib.error:  # pydicom tells what is wrong with it
        return


def _require_whole(dataset: Any, label: str, *, has_pixels: bool) -> None:
    """Refuse an image without pixels; give a dataset that tells no transfer syntax the one that is then meant."""
    import pydicom

    if _classes(dataset) & set(IMAGE_CLASSES) and not has_pixels:
        raise _truncated(label, "ends before its pixels begin")
    if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian


def _classes(dataset: Any) -> set[str]:
    """Return the storage class as header and file meta name it; a header that was cut may hold half of it."""
    meta = getattr(dataset, "file_meta", None)
    named = (str(dataset.get("SOPClassUID", "") or ""), str(getattr(meta, "MediaStorageSOPClassUID", "") or ""))
    return {uid for uid in named if uid}


def _truncated(label: str, what: str) -> InputRefusedError:
    return InputRefusedError(
        "file-truncated",
        found=f"{label} {what}.",
        expected="A complete DICOM image.",
        cause="The transfer was interrupted.",
        cure="Send the series again from the archive; or take the file out of a copy of the folder and read that.",
    )


def refused_kind(dataset: Any) -> str:
    """Return why a DICOM object is no slice, in words; empty if it is one."""
    if str(dataset.get("SOPClassUID", "")) not in IMAGE_CLASSES:
        name = getattr(dataset.get("SOPClassUID", ""), "name", "") or "unknown object"
        return f"not an image series ({name})"
    coding = str(dataset.get("PhotometricInterpretation", "") or "MONOCHROME2").strip().upper()
    if number_of(dataset, "SamplesPerPixel", 1) != 1 or coding not in ("MONOCHROME1", "MONOCHROME2"):
        return "colour image"
    return ""


def _check_storage(dataset: Any, bits: int, label: str) -> None:
    """Refuse values that are stored in a way that decoding would not undo."""
    stored = number_of(dataset, "BitsStored", bits)
    high = number_of(dataset, "HighBit", stored - 1)
    if bits % 8 or high != stored - 1 or not 0 < stored <= bits:
        raise InputRefusedError(
            "format-unsupported",
            found=f"{label} stores values of {stored:g} bits up to bit number {high:g} in cells of {bits} bits.",
            expected="Cells of 8, 16 or 32 bits, with the values in their lowest bits.",
            cause="It was written by an old program that packs or shifts values, or the header was damaged.",
            cure="Export the series again from the archive, or convert it with dcm2niix and give the times.",
        )
    if "ModalityLUTSequence" in dataset:
        raise InputRefusedError(
            "format-unsupported",
            found=f"{label} turns stored values into measured ones by a table.",
            expected="A rescale slope and intercept, or neither.",
            cause="The image was digitised, or processed by another program.",
            cure="Export the original series from the archive.",
        )


def check_pixels_fit(dataset: Any, there: int, label: str) -> None:
    """Hold the promised size against the bytes of pixels that are there, before anything is allocated.

    Raises
    ------
    InputRefusedError
        ``file-truncated`` if there are fewer bytes than promised, ``file-corrupt`` if the header cannot be true,
        ``format-unsupported`` for values that are packed, shifted or turned by a table.
    """
    facts = [number_of(dataset, name, default) for name, default in SIZES.items()]
    if any(not fact > 0 or fact != int(fact) for fact in facts):
        raise InputRefusedError(
            "file-corrupt",
            found=f"{label} has {', '.join(f'{n} {f:g}' for n, f in zip(SIZES, facts, strict=True))}.",
            expected="Whole numbers above zero.",
            cause="The header was damaged.",
            cure="Send the series again from the archive.",
        )
    rows, columns, frames, bits = (int(fact) for fact in facts)
    _check_storage(dataset, bits, label)
    promised = rows * columns * frames * bits // 8
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is not None and not getattr(syntax, "is_transfer_syntax", False):
        raise InputRefusedError(
            "file-corrupt",
            found=f"{label} names no transfer syntax that DICOM knows.",
            expected="A UID that says how the pixels are coded.",
            cause="The header was damaged.",
            cure="Send the series again from the archive.",
        )
    if syntax is not None and syntax.is_compressed and there and (syntax != RLE or promised <= LARGEST_RLE * there):
        return
    if there < promised:
        raise InputRefusedError(
            "file-truncated",
            found=f"{label} promises {promised} bytes of pixels and holds {there}.",
            expected="As many bytes as rows, columns and bits say.",
            cause="The transfer was interrupted, or rows and columns in the header are wrong.",
            cure="Send the series again from the archive.",
        )
    if there > promised + 2:  # one byte of padding is allowed
        raise InputRefusedError(
            "file-corrupt",
            found=f"{label} holds {there} bytes of pixels and its header accounts for {promised}.",
            expected="As many bytes as rows, columns and bits say.",
            cause="Rows, columns or the number of frames in the header are wrong.",
            cure="Send the series again from the archive.",
        )
