"""What made a file: versions, settings, SHA-256 of inputs, seeds. And writing without half files."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError, shown

__all__ = [
    "hash_array",
    "hash_file",
    "hash_json",
    "library_versions",
    "to_json",
    "write_beside",
    "write_json",
    "write_text",
]

LIBRARIES = (
    "spinekit", "numpy", "scipy", "pandas", "SimpleITK", "pydicom", "nibabel", "highdicom", "numba",
    "pyradiomics", "PyWavelets", "scikit-image", "matplotlib", "papermill", "ipywidgets", "ipyniivue",
    "itkwidgets", "jupyterlab", "torch", "monai", "scikit-learn",
)  # fmt: skip


def library_versions() -> dict[str, str]:
    """Return the version of Python, the platform and each library that can change a number."""
    return dict(_installed())


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, str]:
    """Read the metadata of every library once: what a process has loaded stays what it is."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_array(array: Any) -> str:
    """Return the SHA-256 of an array's dtype, shape and values as hex."""
    values = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode())
    digest.update(values.view(np.uint8).data if values.size else b"")
    return digest.hexdigest()


def hash_json(record: Any) -> str:
    """Return the SHA-256 of a JSON record; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(_plain(record), sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return the value in JSON's own types; NaN and infinity become None, since JSON has no word for them."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [_plain(v) for v in items]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def to_json(record: Any) -> str:
    """Return a record as indented JSON text with a trailing newline."""
    return json.dumps(_plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def write_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; renamed onto it only if all went well.

    The earlier file stands until the rename, also when the disk is full or the program is killed.
    The temporary name keeps the suffixes, since writers choose their format by them.

    Raises
    ------
    InputRefusedError
        ``output-unwritable`` with the reason of the operating system.
    """
    target = Path(path)
    suffixes = "".join(target.suffixes[-2:])
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name.split('.')[0]}.tmp-", suffix=suffixes, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        os.chmod(temporary, 0o644)
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as reason:
        raise InputRefusedError(
            "output-unwritable",
            found=f"The {shown(target)} could not be written: {reason.strerror or type(reason).__name__}.",
            expected="A folder that can be written to, with enough space.",
            cause="The disk may be full, or the folder belongs to somebody else.",
            cure="Free space or choose another folder with --out; what was there before still stands.",
        ) from reason
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _write(path: str | os.PathLike[str], writer: Callable[[Path], Any]) -> Path:
    with write_beside(path) as temporary:
        writer(temporary)
    return Path(path)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write text as UTF-8, beside and renamed."""
    return _write(path, lambda p: p.write_text(text, encoding="utf-8"))


def write_json(path: str | os.PathLike[str], record: Any) -> Path:
    """Write a record as JSON, beside and renamed."""
    return write_text(path, to_json(record))
