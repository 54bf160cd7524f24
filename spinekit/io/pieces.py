"""Data of image files piece by piece, packed or written as text, so that little more than the result is held."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

__all__ = ["PIECE", "Bounded", "Numbers", "Unpacked", "fill", "gzip_tells", "padding_of", "unpacked_size"]

PIECE = 1 << 18  # bytes that are read at a time; in double they take four times as much
PADDING = 64  # bytes after the last value that a writer may have filled up with


def padding_of(shape: Sequence[int], itemsize: int) -> int:
    """Return how many bytes may follow the last value: less than a size in the header that is too small by one leaves.

    Examples
    --------
    >>> padding_of((256, 256, 20), 2), padding_of((4, 4, 4), 1)
    (64, 15)
    """
    sizes = [int(n) for n in shape]
    return int(min(PADDING, np.prod(sizes, dtype=object) // max(sizes) * itemsize - 1))


def gzip_tells(stream: BinaryIO, size: int) -> bool:
    """Whether the last four bytes of a gzip file tell that it unpacks to `size` bytes, or to some padding more."""
    if stream.seek(0, os.SEEK_END) < 4:
        return False
    stream.seek(-4, os.SEEK_END)
    return 0 <= (int.from_bytes(stream.read(4), "little") - size) % (1 << 32) <= PADDING


def unpacked_size(stream: Any) -> int:
    """Return how many bytes are left in a stream, by reading and forgetting them."""
    return sum(len(piece) for piece in iter(lambda: stream.read(PIECE), b""))


def fill(source: Any, shape: tuple[int, ...], frames: int | None, stored: np.dtype, dtype: np.dtype) -> np.ndarray:
    """Return values that lie in a source in the order of `shape`, with the axis of frames moved to the front.

    Parameters
    ----------
    source : object with read
        Gives the values as bytes.
    shape : tuple of int
        Three or four axes, the fastest last.
    frames : int, optional
        The axis of `shape` that counts frames.
    stored, dtype : dtype
        Of the values in the source, and of the result.

    Raises
    ------
    EOFError
        In words, where the source ends before.

    Examples
    --------
    >>> import io
    >>> source = io.BytesIO(bytes([1, 10, 2, 20]))
    >>> fill(source, (1, 1, 2, 2), 3, np.dtype("u1"), np.dtype("f4")).tolist()
    [[[[1.0, 2.0]]], [[[10.0, 20.0]]]]
    """
    order = shape if frames is None else (shape[frames], *(n for a, n in enumerate(shape) if a != frames))
    out = np.empty(order, dtype=dtype)
    rows = np.moveaxis(out, 0, frames) if frames else out.reshape(-1, *order[-2:])
    step, there = max(1, PIECE // (rows[0].size * stored.itemsize)), 0
    with np.errstate(over="ignore", invalid="ignore"):  # infinite values are counted and told by the reader
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            data = source.read(part.size * stored.itemsize)
            there += len(data)
            if len(data) < part.size * stored.itemsize:
                raise EOFError(f"it promises {out.size * stored.itemsize} bytes and holds {there}")
            part[...] = np.frombuffer(data, dtype=stored).reshape(part.shape)
    return out


class Bounded(io.BufferedReader):
    """A file that is read as far as it goes: a length that lies takes no memory for what is not there."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, wanted: int | None = -1, /) -> bytes:
        """Return up to so many bytes; all that are left for -1."""
        if wanted is not None and wanted > PIECE:
            wanted = min(wanted, max(self._size - self.tell(), 0))
        return super().read(wanted)


class Unpacked:
    """The bytes of a packed stream, as many at a time as are asked for."""

    def __init__(self, stream: BinaryIO, unpacker: Any) -> None:
        self.stream, self.unpacker = stream, unpacker

    def read(self, wanted: int) -> bytes:
        """Return the next bytes; fewer only at the end."""
        pieces, missing = [], wanted
        while missing and not self.unpacker.eof:
            held = getattr(self.unpacker, "unconsumed_tail", b"")
            if not held and getattr(self.unpacker, "needs_input", True):
                held = self.stream.read(PIECE)
                if not held:
                    break
            piece = self.unpacker.decompress(held, missing)
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


class Numbers:
    """Numbers written as text, as the bytes of a type."""

    def __init__(self, stream: BinaryIO, stored: np.dtype) -> None:
        self.stream, self.stored = stream, stored
        self.words: list[bytes] = []
        self.rest = b""

    def read(self, wanted: int) -> bytes:
        """Return the next numbers; fewer bytes only at the end."""
        pieces, missing = [], wanted // self.stored.itemsize
        while missing and (words := self._words(missing)):
            pieces.append(np.array([float(word) for word in words]).astype(self.stored).tobytes())
            missing -= len(words)
        return b"".join(pieces)

    def _words(self, most: int) -> list[bytes]:
        """Return up to so many words; none at the end."""
        text = b" "
        while not self.words and text:
            text = self.stream.read(PIECE // 4)
            self.words = (self.rest + text).split()
            cut = bool(self.words) and bool(text) and not text[-1:].isspace()  # the last word may go on
            self.rest = self.words.pop() if cut else b""
        taken, self.words = self.words[:most], self.words[most:]
        return taken
