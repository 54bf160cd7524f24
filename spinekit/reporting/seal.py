"""The seal of a finished run: the SHA-256 of every file it left, and of the files of choices it was given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinekit.io.layout import CaseFolder
from spinekit.io.whereabouts import remember_sources
from spinekit.provenance import hash_file, write_json

__all__ = ["files_of", "read_seal", "remember_choices", "write_seal"]


def files_of(case_dir: str | os.PathLike[str]) -> list[str]:
    """Return the files that belong to a case, relative to its folder, sorted; hidden files and the seal are not."""
    folder = CaseFolder(Path(case_dir))
    found = (path.relative_to(folder.root) for path in folder.root.rglob("*") if path.is_file())
    visible = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return sorted(path.as_posix() for path in visible if path.as_posix() != folder.seal.name)


def write_seal(case_dir: str | os.PathLike[str]) -> Path:
    """Write ``seal.json``: the SHA-256 of every file of the case, also of the report and the notebooks."""
    folder = CaseFolder(Path(case_dir))
    return write_json(
        folder.seal, {"files_sha256": {name: hash_file(folder.root / name) for name in files_of(case_dir)}}
    )


def read_seal(case_dir: str | os.PathLike[str]) -> Mapping[str, str] | None:
    """Return the sealed hashes by file name; None if the case was never sealed or the seal is no such record."""
    seal = CaseFolder(Path(case_dir)).seal
    if not seal.is_file():
        return None
    try:
        record = json.loads(seal.read_text(encoding="utf-8"))["files_sha256"]
    except (ValueError, KeyError, TypeError):
        return {}
    return record if isinstance(record, dict) else {}


def remember_choices(case_dir: str | os.PathLike[str], *, n_baseline: int | None, **files: Path | None) -> None:
    """Remember, outside the case, where the files of choices lie and what they held when they were used.

    Parameters
    ----------
    n_baseline : int, optional
        Baseline phases that were asked for beside the settings.
    **files
        ``settings``, ``roi`` and ``journal``, each a path or None.
    """
    known: dict[str, Any] = {
        kind: {"path": os.path.abspath(path), "sha256": hash_file(path)}
        for kind, path in files.items()
        if path is not None and path.is_file()
    }
    remember_sources(case_dir, choices=known, n_baseline=n_baseline)
