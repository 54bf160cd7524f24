"""Where the sources of a case lie on this machine, kept outside the case, since a path can name a patient."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.io.sources import shown
from spinekit.provenance import hash_file, write_json

__all__ = ["known_file", "known_sources", "name_by_hash", "remember_sources", "state_folder"]

BY_HASH = re.compile(r"sha256:([0-9a-f]{64})")


def state_folder() -> Path:
    """Return the folder of this account in which spinekit remembers where sources lie.

    ``$SPINEKIT_STATE`` if set, else ``$XDG_STATE_HOME/spinekit``, else ``~/.local/state/spinekit``.
    """
    named = os.environ.get("SPINEKIT_STATE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "spinekit"


def _place(case_dir: str | os.PathLike[str]) -> Path:
    key = hashlib.sha256(os.path.realpath(case_dir).encode()).hexdigest()[:32]
    return state_folder() / "sources" / f"{key}.json"


def remember_sources(case_dir: str | os.PathLike[str], **facts: Any) -> bool:
    """Add facts to what is remembered about a case; return whether it could be written.

    An account without a writable home is no reason to stop a case: `spinekit verify` then asks for the
    source. Nothing of this is written into the case folder.

    Parameters
    ----------
    case_dir : path
        The case.
    **facts
        JSON values and paths, such as ``source=``, ``t2=``, ``series_sha256=``.
    """
    target = _place(case_dir)
    try:
        earlier = _read(target) if target.is_file() else {}
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(target, {**earlier, **facts})
        target.chmod(0o600)
    except (OSError, RuntimeError, InputRefusedError):  # RuntimeError: no home folder
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def known_sources(case_dir: str | os.PathLike[str], *, series_sha256: str = "") -> Mapping[str, Any]:
    """Return what is remembered about a case; empty if nothing is.

    Parameters
    ----------
    case_dir : path
        The case.
    series_sha256 : str, optional
        Finds the record of a case whose folder was moved, if exactly one record has this series.
    """
    try:
        direct = _read(_place(case_dir))
        if direct or not series_sha256:
            return direct
        records = [_read(path) for path in sorted((state_folder() / "sources").glob("*.json"))]
    except (OSError, RuntimeError):
        return {}
    fitting = [r for r in records if r.get("series_sha256") == series_sha256]
    return fitting[0] if len({json.dumps(r.get("source")) for r in fitting}) == 1 else {}


def name_by_hash(path: str, *, remember: bool = True) -> str:
    """Return what a record may call a file that settings name: its SHA-256, since its path can be a patient's.

    Parameters
    ----------
    path : str
        The file; "" and what this function returned before stay as they are.
    remember : bool
        Keep, outside the case, where the file lies, so that `known_file` finds it.

    Raises
    ------
    InputRefusedError
        ``path-missing``; ``output-unwritable`` where nothing can be remembered.
    """
    if not path or BY_HASH.fullmatch(path):
        return path
    if not Path(path).is_file():
        raise _absent(f"There is nothing at the path that the settings name ({shown(path)})")
    digest = hash_file(path)
    if remember:
        try:
            (state_folder() / "files").mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(state_folder() / "files" / f"{digest}.json", {"path": os.path.abspath(path)})
        except (OSError, RuntimeError) as reason:  # RuntimeError: no home folder
            raise InputRefusedError(
                "output-unwritable",
                found="Nothing can be remembered in this account's state folder.",
                expected="A folder that can be written, for where the files lie that settings name.",
                cause="The account has no home folder, or it is full or read-only.",
                cure="Set SPINEKIT_STATE to a folder that can be written.",
            ) from reason
    return f"sha256:{digest}"


def known_file(name: str) -> str:
    """Return the path of a file that `name_by_hash` named; any other text as it is.

    Raises
    ------
    InputRefusedError
        ``path-missing`` if it is not known here, or no longer what it was.
    """
    match = BY_HASH.fullmatch(name)
    if match is None:
        return name
    record = state_folder() / "files" / f"{match.group(1)}.json"
    path = str(_read(record).get("path", "")) if record.is_file() else ""
    if not path or not Path(path).is_file():
        raise _absent(f"The file {name[:23]}... that the settings of the case name is not known on this machine")
    if hash_file(path) != match.group(1):
        raise _absent(f"The file {name[:23]}... that the settings of the case name holds something else now")
    return path


def _absent(found: str) -> InputRefusedError:
    return InputRefusedError(
        "path-missing",
        found=f"{found}.",
        expected="The weights or mask that the settings name, where they lay and as they were.",
        cause="It was moved or changed since, or the case was made on another machine or account.",
        cure="Put it back, or load the case again with settings that name the file.",
    )
