"""The marks by which files of the simulator are known again, so that whatever is made of them says "simulated"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = [
    "DICOM_MARKS", "NIFTI_MARK", "is_simulated_header", "pass_marks_on", "says_simulated", "simulated_record",
]  # fmt: skip

DICOM_MARKS = {"SyntheticData": "YES", "QualityControlSubject": "YES"}  # both: made by a program, and of no patient
NIFTI_MARK = "spinekit phantom: simulated, no patient"  # the description in the header


def is_simulated_header(dataset: Any) -> bool:
    """Return whether a DICOM image says that its contents were made by a program and that its subject is no patient.

    Either alone is not enough: an image of a patient may have been calculated, and a phantom may have been scanned.

    References
    ----------
    .. [1] DICOM PS3.3 C.12.1 (Synthetic Data) and C.7.1.1 (Quality Control Subject).

    Examples
    --------
    >>> is_simulated_header({"SyntheticData": "YES", "QualityControlSubject": "YES"})
    True
    >>> is_simulated_header({"SyntheticData": "YES"})
    False
    """
    return all(str(dataset.get(name, "") or "").strip().upper() == value for name, value in DICOM_MARKS.items())


def pass_marks_on(source: Any, made: Any) -> None:
    """Put the marks of a simulated image into a DICOM object that was made from it; a measured one has none."""
    if is_simulated_header(source):
        for name, value in DICOM_MARKS.items():
            setattr(made, name, value)


def says_simulated(path: Path) -> bool:
    """Return whether a JSON file says ``"simulated": true``; one that is not there or cannot be read says nothing."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # who needs the times in it refuses it by name
        return False
    return isinstance(record, dict) and record.get("simulated") is True


def simulated_record(simulated: bool) -> dict[str, bool]:
    """Return what the record of a series holds of it; nothing for a measured one."""
    return {"simulated": True} if simulated else {}
