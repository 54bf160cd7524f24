"""Where files come from: a folder, a list, or an archive. Names that could hold a patient's stay out."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spinekit.errors import InputRefusedError, shown

__all__ = ["FileSource", "list_sources", "shown", "without_path"]

LARGEST_ARCHIVE = 32 * 1024**3  # bytes unpacked; a dynamic series is rarely above 2 GiB
LARGEST_RATIO = 200.0  # DICOM deflates by less than 20; a bomb by 1,000


class Archive:
    """A .zip whose directory is read once, however many of its members are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: zipfile.ZipFile | None = None

    def read(self, member: str) -> bytes:
        """Return the bytes of a member."""
        self._opened = self._opened or zipfile.ZipFile(self.path)
        return self._opened.read(member)

    def __reduce__(self) -> tuple[object, ...]:
        return (Archive, (self.path,))


@dataclass(frozen=True)
class FileSource:
    """One file that can be read: ``label`` is a counter, since file names may hold patients' names."""

    label: str
    path: Path
    member: str = ""
    archive: Archive | None = field(default=None, repr=False, compare=False)  # that holds the member

    def read(self) -> bytes:
        """Return the bytes of the file."""
        return (self.archive or Archive(self.path)).read(self.member) if self.member else self.path.read_bytes()


def without_path(text: str, path: str | os.PathLike[str]) -> str:
    """Return the first line of what a library says, without the path of the file it says it of.

    Examples
    --------
    >>> without_path("File /data/Doe/Doe.nii.gz is not a gzip file", "/data/Doe/Doe.nii.gz")
    "File '….nii.gz' is not a gzip file"
    """
    line = text.splitlines()[0] if text else ""
    for said in (os.path.abspath(path), os.fspath(path), Path(path).name):
        line = line.replace(said, f"'{shown(path).partition(chr(39))[2]}" if "'" in shown(path) else "it")
    return line.replace("''", "'")


def list_sources(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[FileSource]:
    """Return every file of a folder (and its folders), list or .zip, in a stable order.

    Raises
    ------
    InputRefusedError
        ``path-missing``, ``file-unreadable`` (no permission, links in a circle), ``archive-unsafe``.
    """
    if not isinstance(source, (str, os.PathLike)):
        paths = [Path(p) for p in source]
        for path in paths:
            if not path.is_file():
                raise _missing(path)
        return [FileSource(f"file-{n:05d}", path) for n, path in enumerate(paths, start=1)]
    path = Path(source)
    if path.is_dir():
        return [FileSource(f"file-{n:05d}", file) for n, file in enumerate(_walk(path), start=1)]
    if not path.is_file():
        raise _missing(path)
    if zipfile.is_zipfile(path):
        archive = Archive(path)
        return [FileSource(f"file-{n:05d}", path, member, archive) for n, member in enumerate(_members(path), start=1)]
    return [FileSource("file-00001", path)]


def _missing(path: Path) -> InputRefusedError:
    return InputRefusedError(
        "path-missing",
        found=f"There is nothing at the path that was given ({shown(path)}).",
        expected="A file or folder that exists.",
        cause="The path may be misspelt, or a drive is not mounted.",
        cure="Check the path.",
    )


def _walk(root: Path) -> Iterator[Path]:
    """Yield files in sorted order; a folder that links lead to twice is a circle."""
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(folder.iterdir(), reverse=True)
        except OSError as reason:
            raise _unreadable(str(reason.strerror or reason)) from reason
        if (status.st_dev, status.st_ino) in seen:
            raise _unreadable("links lead in a circle")
        seen.add((status.st_dev, status.st_ino))
        files: list[Path] = []
        for entry in entries:
            try:
                (pending if entry.is_dir() else files).append(entry)
            except OSError as reason:
                raise _unreadable(str(reason.strerror or reason)) from reason
        yield from (file for file in reversed(files) if file.is_file())


def _unreadable(reason: str) -> InputRefusedError:
    return InputRefusedError(
        "file-unreadable",
        found=f"A folder or file could not be opened: {reason}.",
        expected="Files that can be read, in folders that do not contain themselves.",
        cause="Rights may be missing, or a symbolic link points to a folder above itself.",
        cure="Copy the series to a plain folder and read it from there.",
    )


def _members(path: Path) -> Iterable[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except zipfile.BadZipFile as reason:
        raise InputRefusedError(
            "file-truncated",
            found=f"The archive cannot be read: {reason}.",
            expected="A complete .zip.",
            cause="The download or copy was interrupted.",
            cure="Copy the archive again.",
        ) from reason
    total = sum(info.file_size for info in infos)
    packed = max(1, sum(info.compress_size for info in infos))
    for info in infos:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(info.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or is_link or ":" in name.parts[0]:
            raise _unsafe("It holds an absolute path, a path with '..', or a link")
    if total > LARGEST_ARCHIVE or (total > 100 * 1024**2 and total / packed > LARGEST_RATIO):
        raise _unsafe(f"It would unpack to {total / 1024**3:.1f} GiB from {packed / 1024**2:.1f} MiB")
    return sorted(info.filename for info in infos if not info.is_dir())


def _unsafe(found: str) -> InputRefusedError:
    return InputRefusedError(
        "archive-unsafe",
        found=f"{found}.",
        expected="An archive of image files below one folder.",
        cause="It was damaged, or made to do harm.",
        cure="Unpack it by hand in a safe place, look at it, and read the folder.",
    )
