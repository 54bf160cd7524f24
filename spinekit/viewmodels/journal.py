"""The journal: every choice of a reader, in order, with the series it was made on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries
from spinekit.errors import InputRefusedError, shown
from spinekit.provenance import library_versions, to_json, write_json

__all__ = ["Journal", "runs_of", "series_identity", "voxels_of"]

FORMAT = 1
RELEVANT = ("spinekit", "numpy", "scipy", "SimpleITK", "numba")  # versions that can change a mask


def series_identity(series: DynamicSeries) -> str:
    """Return the SHA-256 that names a series: its signal, times and grid."""
    from spinekit.io.stored import hash_series

    known = series.record.get("sha256")
    return str(known) if known else hash_series(series)  # the same for a series read just now and for its stored case


def runs_of(mask: Any) -> str:
    """Return the voxels of a mask as text: ``"start+length ..."`` over the flattened array (Z, Y, X).

    Examples
    --------
    >>> runs_of(np.array([[[0, 1, 1, 0, 1]]], dtype=bool))
    '1+2 4+1'
    """
    flat = np.concatenate([[False], np.asarray(mask, dtype=bool).ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(f"{a}+{b - a}" for a, b in zip(edges[::2], edges[1::2], strict=True))


def voxels_of(runs: str, shape: tuple[int, ...]) -> Any:
    """Return the mask that `runs_of` wrote.

    Raises
    ------
    InputRefusedError
        ``journal-invalid`` if the text does not fit the shape.
    """
    flat = np.zeros(int(np.prod(shape)), dtype=bool)
    for part in runs.split():
        start, plus, length = part.partition("+")
        if not (plus and start.isdigit() and length.isdigit() and int(start) + int(length) <= flat.size):
            raise _unreadable(f"the run '{part}' does not fit an image of {flat.size} voxels")
        flat[int(start) : int(start) + int(length)] = True
    return flat.reshape(shape)


def _unreadable(why: str) -> InputRefusedError:
    return InputRefusedError(
        "journal-invalid",
        found=f"The journal cannot be used: {why}.",
        expected="A journal.json written by spinekit.",
        cause="It may be another file, cut short, or edited by hand.",
        cure="Take the journal.json of the case folder, or mark the lesion anew.",
    )


class Journal:
    """An ordered list of actions made on one series. Actions are only ever added.

    Parameters
    ----------
    series_sha256 : str
        The series they were made on; see `series_identity`.
    reader : str
        Initials.
    actions : iterable of mapping
        Each with ``"action"`` and ``"step"`` ("mark" or "review"); JSON values.
    versions : mapping, optional
        Versions of the libraries that can change a mask; those installed if not given.
    """

    def __init__(
        self,
        series_sha256: str,
        reader: str = "",
        actions: Iterable[Mapping[str, Any]] = (),
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self.series_sha256 = series_sha256
        self.reader = reader
        self.actions: list[dict[str, Any]] = [dict(a) for a in actions]
        installed = library_versions()
        self.versions = dict(versions) if versions is not None else {name: installed[name] for name in RELEVANT}

    @classmethod
    def of(cls, series: DynamicSeries, reader: str = "") -> Journal:
        """Return an empty journal for a series."""
        return cls(series_identity(series), reader)

    def add(self, step: str, action: str, **values: Any) -> None:
        """Append one action of a step, with the moment it was made."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.actions.append({"step": step, "action": action, **values, "at_utc": moment})

    def of_step(self, step: str) -> list[dict[str, Any]]:
        """Return the actions of one step, in order."""
        return [a for a in self.actions if a["step"] == step]

    def without_step(self, step: str) -> Journal:
        """Return a journal without the actions of one step, to take it again."""
        kept = [a for a in self.actions if a["step"] != step]
        return Journal(self.series_sha256, self.reader, kept, self.versions)

    def require_series(self, series: DynamicSeries) -> None:
        """Refuse a series that the journal was not made on.

        Raises
        ------
        InputRefusedError
            ``journal-other-series``.
        """
        identity = series_identity(series)
        if identity != self.series_sha256:
            raise InputRefusedError(
                "journal-other-series",
                found=f"The journal was made on series {self.series_sha256[:12]}; this one is {identity[:12]}.",
                expected="The same voxels, times and grid.",
                cause="The journal belongs to another case, or the series was exported or read differently.",
                cure="Take the journal of this case, or mark the lesion anew.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the record that is written."""
        return {
            "format": FORMAT,
            "series_sha256": self.series_sha256,
            "reader": self.reader,
            "versions": self.versions,
            "actions": self.actions,
        }

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the journal as JSON, beside and renamed."""
        return write_json(path, self.as_dict())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Journal:
        """Read a journal.

        Raises
        ------
        InputRefusedError
            ``path-missing`` or ``journal-invalid``.
        """
        file = Path(path)
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as reason:
            raise InputRefusedError(
                "path-missing",
                found=f"There is no journal at the path that was given ({shown(file)}).",
                expected="A journal.json written by spinekit.",
                cause="The path may be misspelt.",
                cure="Check it, or leave it out and click.",
            ) from reason
        except (json.JSONDecodeError, UnicodeDecodeError) as reason:
            raise _unreadable(f"the {shown(file)} is not JSON") from reason
        kinds = {"format": int, "series_sha256": str, "reader": str, "versions": dict, "actions": list}
        if not isinstance(record, dict) or any(not isinstance(record.get(k), kind) for k, kind in kinds.items()):
            raise _unreadable(f"the {shown(file)} lacks {', '.join(kinds)}")
        if record["format"] != FORMAT:
            raise _unreadable(f"its format is {record['format']}, this version reads {FORMAT}")
        if not all(isinstance(a, dict) and {"step", "action"} <= set(a) for a in record["actions"]):
            raise _unreadable("an action has no name or step")
        return cls(record["series_sha256"], record["reader"], record["actions"], record["versions"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journal) and to_json(self.as_dict()) == to_json(other.as_dict())

    __hash__ = None  # type: ignore[assignment]  # it grows
