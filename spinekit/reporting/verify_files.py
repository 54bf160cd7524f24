"""The part of a verification that needs no computing: versions, settings, hashes, files of choices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spinekit.errors import InputRefusedError, SpinekitError
from spinekit.io.layout import CaseFolder
from spinekit.io.whereabouts import known_sources
from spinekit.provenance import hash_file, library_versions
from spinekit.reporting.differences import Difference, differing_leaves, named
from spinekit.reporting.seal import files_of, read_seal
from spinekit.settings import read_settings, with_baseline
from spinekit.workflow.loading import without_paths

__all__ = ["choices", "hashes", "read_json", "read_records", "settings", "versions"]

Records = dict[str, Any]


def read_json(path: Path) -> Any:
    """Return a JSON file of the case, or an empty record if it cannot be read: its hash then tells."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def read_records(folder: CaseFolder) -> Records:
    """Return provenance, journal, settings and what is known of the sources.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if the case has no provenance.
    """
    if not folder.provenance.is_file():
        raise InputRefusedError(
            "case-incomplete",
            found="The case has no provenance.json.",
            expected="A case whose report was finished.",
            cause="Notebook 08 has not been run, or the run was stopped.",
            cure="Finish the run first.",
        )
    stored = read_json(folder.series / "series.json")
    remembered = known_sources(folder.root, series_sha256=str(stored.get("sha256", "")))
    return {
        "provenance": read_json(folder.provenance),
        "journal": read_json(folder.journal),
        "settings": read_json(folder.settings),
        "remembered": dict(remembered),
    }


def versions(folder: CaseFolder, kept: Records, notes: list[str]) -> Iterator[Difference]:
    """Compare the versions that made the case with those installed."""
    installed = library_versions()
    written = kept["provenance"].get("versions", {})
    for name in dict.fromkeys((*written, *installed)):
        before, now = written.get(name, "not recorded"), installed.get(name, "not installed")
        if before == now:
            continue
        if name == "platform":
            notes.append(f"the case was made on another platform: {before}, here {now}")
        else:
            yield Difference(f"version of {name}", f"the case was made with {before}, installed is {now}")
    for name, before in kept["journal"].get("versions", {}).items():
        if before != installed.get(name, "not installed") and before != written.get(name):
            yield Difference(
                f"version of {name}", f"the journal was made with {before}, installed is {installed.get(name)}"
            )


def settings(folder: CaseFolder, kept: Records, notes: list[str]) -> Iterator[Difference]:
    """Compare the settings of the case with those in its provenance and in the file they came from."""
    recorded = kept["provenance"].get("settings", {})
    for place, _ in differing_leaves(kept["settings"], recorded):
        held, written = _at(kept["settings"], place), _at(recorded, place)
        yield Difference(f"setting {place}", f"settings.json says {held!r}, the provenance {written!r}")
    file = kept["remembered"].get("choices", {}).get("settings")
    if not file:
        return
    if not Path(file["path"]).is_file():
        notes.append("the settings file that was given is no longer there; the case keeps what it said")
        return
    try:
        now = _settings_now(file["path"], kept["remembered"].get("n_baseline") or 0)
    except SpinekitError as refused:
        yield Difference("settings file", f"cannot be read any more: {refused.message} [{refused.code}]")
        return
    for place, _ in differing_leaves(recorded, json.loads(json.dumps(now))):
        yield Difference(
            f"setting {place}",
            f"the case used {_at(recorded, place)!r}, the settings file now says {_at(now, place)!r}",
        )


def _settings_now(path: str, n_baseline: int) -> dict[str, Any]:
    """Return what the settings file says now, files by their SHA-256, as the case keeps them."""
    return without_paths(with_baseline(read_settings(path), n_baseline), remember=False).as_dict()


def _at(record: Any, place: str) -> Any:
    for key in place.replace("[", ".").replace("]", "").split("."):
        if isinstance(record, (list, tuple)) and key.isdigit() and int(key) < len(record):
            record = record[int(key)]
        elif isinstance(record, dict):
            record = record.get(key)
        else:
            return None
    return record


def hashes(folder: CaseFolder, kept: Records, notes: list[str]) -> Iterator[Difference]:
    """Compare the SHA-256 of every file with the provenance and with the seal."""
    sealed = read_seal(folder.root)
    if sealed is None:
        notes.append("the case was never sealed (it was not made by spinekit run): report and notebooks have no hash")
    elif not sealed:
        yield Difference("seal.json", "is not a seal that spinekit wrote")
    results = kept["provenance"].get("results_sha256", {})
    if not results:
        yield Difference("provenance.json", "holds no hashes of results")
    for name in dict.fromkeys((*results, *(sealed or {}))):
        path = folder.root / name
        wanted = {digest for digest in (results.get(name), (sealed or {}).get(name)) if digest}
        if not path.is_file():
            yield Difference(name, "is missing")
        elif {hash_file(path)} != wanted:
            yield Difference(name, "has another SHA-256 than was recorded when it was written")
    for name in files_of(folder.root):
        if sealed and name not in sealed:
            notes.append(f"{name} was added after the run")


def choices(folder: CaseFolder, kept: Records, notes: list[str]) -> Iterator[Difference]:
    """Compare the mask or journal that was handed in with what it held then."""
    titles = {"roi": "mask that was given", "outline": "outline that was given", "journal": "journal that was given"}
    for kind, file in kept["remembered"].get("choices", {}).items():
        if kind not in titles:
            continue
        if not Path(file["path"]).is_file():
            notes.append(f"the {titles[kind]} is no longer there; the journal of the case keeps its content")
        elif hash_file(file["path"]) != file["sha256"]:
            yield Difference(titles[kind], "has changed since the case was made from it")


def same_record(subject: str, kept: Path, again: Path) -> list[Difference]:
    """Compare two JSON files leaf by leaf."""
    return named(subject, differing_leaves(read_json(kept), read_json(again)))
