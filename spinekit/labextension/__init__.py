"""The JupyterLab extension with which the 3-D viewer of itkwidgets works without a network.

Its folder ``extension/`` holds the viewer's files from their npm packages, unchanged but for the page that loads them,
each package with its licence; ``assets.json`` lists every file with its SHA-256. JupyterLab looks for extensions under
``share/jupyter/labextensions`` of its environment; `install` lays the folder there, and `state` tells whether what
JupyterLab would serve is complete. ``python -m spinekit.labextension`` installs; ``python -m
spinekit.labextension.build`` makes the folder anew from npm.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from spinekit.provenance import hash_file

__all__ = ["CURE", "NAME", "Served", "faults", "install", "listed_files", "shipped_folder", "state"]

NAME = "spinekit-offline"
LIST = "assets.json"
CURE = "run 'python -m spinekit.labextension' in this environment, then reload the page of JupyterLab"


@dataclass(frozen=True)
class Served:
    """What JupyterLab would serve: the folder it finds first (None if there is none), and what is wrong with it."""

    folder: Path | None
    faults: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the viewer can be shown."""
        return self.folder is not None and not self.faults


def shipped_folder() -> Path:
    """Return the folder of the extension inside this package."""
    return Path(__file__).resolve().parent / "extension"


def listed_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of the extension, by its name relative to a folder; as it was built."""
    return dict(json.loads((folder / LIST).read_text(encoding="utf-8"))["sha256"])


def faults(folder: Path) -> tuple[str, ...]:
    """Return what is wrong with a copy of the extension: files that are absent or not those that were shipped.

    A copy that an older version laid down is told by its hashes, like one that was cut short.
    """
    found = []
    for name, digest in listed_files(shipped_folder()).items():
        file = folder / name
        if not file.is_file():
            found.append(f"{name} is absent")
        elif hash_file(file) != digest:
            found.append(f"{name} is not the file that was shipped")
    return tuple(found)


def _folders() -> list[Path]:
    """Return the folders in which a JupyterLab of this environment looks for extensions, in its order."""
    from jupyter_core.paths import jupyter_path

    return [Path(folder) for folder in jupyter_path("labextensions")]


def state() -> Served:
    """Return what a JupyterLab of this environment would serve."""
    for folder in _folders():
        if (folder / NAME / "package.json").is_file():
            return Served(folder / NAME, faults(folder / NAME))
    return Served(None, ("the extension is not installed",))


def install(*, user: bool = False) -> Path:
    """Lay the extension where JupyterLab finds it, beside and renamed; return the folder.

    Parameters
    ----------
    user : bool
        For this user, whatever environment JupyterLab runs in; where kernel and JupyterLab live in different
        environments, that is the way.

    Returns
    -------
    Path
        A copy that is already complete is left as it is.
    """
    from jupyter_core import paths

    root = paths.jupyter_data_dir() if user else paths.ENV_JUPYTER_PATH[0]
    target = Path(root) / "labextensions" / NAME
    if target.is_dir() and not target.is_symlink() and not faults(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=target.parent) as beside:
        fresh, old = Path(beside) / "fresh", Path(beside) / "old"
        shutil.copytree(shipped_folder(), fresh)
        if target.is_symlink():
            target.unlink()
        elif target.exists():
            os.replace(target, old)
        os.replace(fresh, target)
    return target
