"""Where the files of a case lie. The only place that knows their names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spinekit.errors import InputRefusedError

__all__ = ["CaseFolder"]

MARKER = "case.json"


@dataclass(frozen=True)
class CaseFolder:
    """Paths of one case. Nothing is created by asking for a path.

    Parameters
    ----------
    root : Path
        Folder of the case.
    """

    root: Path

    @property
    def marker(self) -> Path:
        """What this case was made from; its presence makes a folder a case folder."""
        return self.root / MARKER

    @property
    def series(self) -> Path:
        """Folder of the series as it was read: ``signal.npy`` and ``series.json``."""
        return self.root / "series"

    @property
    def t2(self) -> Path:
        """Sagittal T2 image, if one was given."""
        return self.root / "t2.nii.gz"

    @property
    def roi(self) -> Path:
        """Accepted region of interest."""
        return self.root / "roi.nii.gz"

    @property
    def roi_record(self) -> Path:
        """How the region was made, with its warnings."""
        return self.root / "roi.json"

    @property
    def maps(self) -> Path:
        """Folder of the kinetic maps."""
        return self.root / "maps"

    @property
    def maps_record(self) -> Path:
        """Conventions, undefined voxels and warnings of the maps."""
        return self.maps / "maps.json"

    def map(self, name: str) -> Path:
        """Path of one kinetic map."""
        return self.maps / f"{name}.nii.gz"

    @property
    def features(self) -> Path:
        """Feature table, one row per image."""
        return self.root / "features.csv"

    @property
    def feature_curves(self) -> Path:
        """Features of every phase, one row per phase and feature."""
        return self.root / "feature_curves.csv"

    @property
    def features_record(self) -> Path:
        """Settings and warnings of the feature table."""
        return self.root / "features.json"

    @property
    def segmentation(self) -> Path:
        """What the U-Net found: the number of the lesion in each voxel."""
        return self.root / "segmentation.nii.gz"

    def segmentation_map(self, name: str) -> Path:
        """Path of the network's ``"probability"`` or ``"doubt"`` (its uncertainty)."""
        return self.root / f"segmentation_{name}.nii.gz"

    @property
    def segmentation_record(self) -> Path:
        """Settings, warnings and model card of the segmentation."""
        return self.root / "segmentation.json"

    @property
    def diagnosis(self) -> Path:
        """What the classifier says of the lesion, with its model card; never a diagnosis."""
        return self.root / "diagnosis.json"

    @property
    def journal(self) -> Path:
        """What the reader chose, in order."""
        return self.root / "journal.json"

    @property
    def settings(self) -> Path:
        """Settings of the study this case belongs to."""
        return self.root / "settings.json"

    @property
    def provenance(self) -> Path:
        """Versions, settings, hashes of inputs and outputs."""
        return self.root / "provenance.json"

    @property
    def seal(self) -> Path:
        """SHA-256 of every file of a finished run; `spinekit verify` holds the folder against it."""
        return self.root / "seal.json"

    @property
    def error(self) -> Path:
        """Code and message of a refused or failed run."""
        return self.root / "error.json"

    @property
    def notebooks(self) -> Path:
        """Folder of executed notebooks."""
        return self.root / "notebooks"

    @property
    def report(self) -> Path:
        """The self-contained report."""
        return self.root / "report.html"

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> CaseFolder:
        """Return the case folder at a path that already is one.

        Raises
        ------
        InputRefusedError
            ``case-incomplete`` if the folder was not made by `spinekit.workflow.load_case`.
        """
        folder = cls(Path(path))
        if not folder.marker.is_file():
            raise InputRefusedError(
                "case-incomplete",
                found=f"The folder '{folder.root.name}' holds no case.",
                expected=f"A folder with '{MARKER}', written by notebook 01 or by spinekit run.",
                cause="Notebook 01 has not been run yet, or case_dir points somewhere else.",
                cure="Run notebook 01 first, with the same case_dir.",
            )
        return folder

    @classmethod
    def for_writing(cls, path: str | os.PathLike[str]) -> CaseFolder:
        """Return the case folder at a path that is new, empty or already one; nothing else is written into.

        Raises
        ------
        InputRefusedError
            ``output-exists`` if the folder holds files of something else.
        """
        folder = cls(Path(path))
        beginnings = {
            folder.error.name,
            folder.notebooks.name,
            folder.report.name,
        }  # a run that stopped before a case was
        foreign = folder.root.exists() and (
            not folder.root.is_dir() or not {p.name for p in folder.root.iterdir()} <= beginnings
        )
        if foreign and not folder.marker.is_file():
            raise InputRefusedError(
                "output-exists",
                found=f"'{folder.root.name}' exists and is not a spinekit case.",
                expected="A new or empty folder, or the folder of an earlier run.",
                cause="Another folder may have been given by mistake.",
                cure="Choose another folder with --out; nothing was changed in this one.",
            )
        return folder
