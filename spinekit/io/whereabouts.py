"""Where the sources of a case lie on this machine, kept outside the case, since a path can name a patient."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.provenance import write_json

__all__ = ["known_sources", "remember_sources", "state_folder"]


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
