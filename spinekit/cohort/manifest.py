"""What has been done for which inputs: one small file per case, renamed into place when the case is finished.

A case counts as done if everything it depends on has the same hash as then, and every file it wrote is
still what it was. Nothing is trusted for its date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from spinekit.errors import SpinekitError
from spinekit.io.sources import list_sources
from spinekit.provenance import hash_file, hash_json, library_versions
from spinekit.reporting.notebooks import notebook_folder
from spinekit.reporting.seal import files_of
from spinekit.settings import read_settings, with_baseline, with_files

__all__ = ["depends_on", "intact", "read_entry", "steps_that_stand"]

FILES = ("t2", "roi_file", "outline_file", "journal_file")
BASELINE = "baseline phases"
MARKED = "02_mark_lesion", "03_review_roi"
STANDS = {  # what has changed -> the steps whose results stand
    "settings [radiomics]": {*MARKED, "04_parameter_maps"},
    "settings [kinetics]": {*MARKED},
    "settings [diagnosis]": {*MARKED, "04_parameter_maps", "05_radiomics"},
    "settings [segmentation]": {"04_parameter_maps"},  # a region may be the network's proposal
}
FINAL = "done", "refused"  # a case that ended so is not tried again with the same inputs


def depends_on(job: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of everything that the results of a case depend on, by what it is.

    Parameters
    ----------
    job : mapping
        ``asked`` (fields of a `CaseRequest`), ``settings_file``, ``reports``, ``reader``.
    """
    asked = job["asked"]
    hashes = {"series": _hash_source(asked["source"])}
    hashes |= {kind: _hash_source(asked[kind]) for kind in FILES if asked.get(kind)}
    choices = {key: value for key, value in asked.items() if key not in ("source", *FILES)}
    hashes["choices"] = hash_json({**choices, "reader": job["reader"]})
    study = with_baseline(read_settings(job["settings_file"]), asked.get("n_baseline") or 0)
    for section, content in with_files(study, _hash_source).as_dict().items():
        if section == "kinetics":
            hashes[BASELINE] = str(content.pop("n_baseline"))  # growing depends on it, on the rest it does not
        hashes[f"settings [{section}]"] = hash_json(content)
    for library, version in library_versions().items():
        if library != "platform":
            hashes[f"version of {library}"] = version
    hashes["notebooks"] = _hash_notebooks() if job["reports"] else "none"
    return hashes


def steps_that_stand(changed: Collection[str]) -> set[str]:
    """Return the steps of a case, by their notebooks, that depend on nothing of what has changed.

    Examples
    --------
    >>> sorted(steps_that_stand(["settings [radiomics]", "settings [kinetics]"]))
    ['02_mark_lesion', '03_review_roi']
    >>> steps_that_stand(["settings [radiomics]", "series"])
    set()
    """
    if not changed:
        return set()
    return set.intersection(*(set(STANDS.get(what, ())) for what in changed))


def _hash_notebooks() -> str:
    return hash_json([(p.name, hash_file(p)) for p in sorted(notebook_folder().glob("[0-9]*.ipynb"))])


def _hash_source(source: str) -> str:
    """Return a hash of the content of a file, folder or archive, with the JSON of times that may lie beside it."""
    if source.startswith("simulated:"):
        return source
    path = Path(source)
    try:
        if path.is_file():
            beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
            parts = [path] + ([beside] if beside.is_file() and beside != path else [])
        else:
            parts = [file.path for file in list_sources(path)]
        return hash_json([hash_file(part) for part in parts])
    except SpinekitError as refused:
        return f"cannot be read: {refused.code}"
    except OSError as refused:  # its own words would name the path
        return f"cannot be read: {refused.strerror}"


def read_entry(path: Path) -> dict[str, Any]:
    """Return what is kept about a case; empty if nothing or nothing usable is."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) and {"status", "depends_on", "files_sha256"} <= set(entry) else {}


def intact(case_dir: Path, files_sha256: Mapping[str, str]) -> bool:
    """Return whether a case folder holds exactly the files it was left with."""
    if not case_dir.is_dir():
        return not files_sha256
    if files_of(case_dir) != sorted(files_sha256):
        return False
    return all(hash_file(os.path.join(case_dir, name)) == digest for name, digest in files_sha256.items())
