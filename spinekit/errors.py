"""What spinekit raises on purpose. Every refusal has a code and a message in four parts.

The four parts are: what is (with the numbers), what was expected, the likely cause in the
reader's world, and what to do. The constructor asks for each of them, so that no message can
leave one out. `CODES` is the catalogue; a code that is not in it cannot be raised.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

__all__ = [
    "CODES",
    "ENDINGS",
    "GridMismatchError",
    "InputRefusedError",
    "NothingSelectedError",
    "ShapeMismatchError",
    "SpinekitError",
    "coded_warning",
    "shown",
]

# what of a file's name a message may tell
ENDINGS = frozenset(
    {
        ".ckpt", ".csv", ".dcm", ".gz", ".hdr", ".img", ".json", ".mgz", ".mha", ".mhd", ".nhdr", ".nii", ".nrrd",
        ".pkl", ".pt", ".safetensors", ".seg", ".seq", ".toml", ".zip",
    }
)  # fmt: skip

CODES: Mapping[str, str] = MappingProxyType(
    {
        # finding and opening files
        "path-missing": "nothing lies at the path that was given",
        "no-image": "no readable image was found at the path",
        "file-truncated": "a file ends before its header says it should",
        "file-corrupt": "a file's header contradicts its contents",
        "file-unreadable": "a file or folder could not be opened, or a link leads in a circle",
        "file-too-large": "the header promises more data than the file or the memory holds",
        "codec-missing": "the pixels are compressed and no installed package can decode them",
        "archive-unsafe": "an archive holds absolute paths, '..', links or far too much data",
        "format-unsupported": "the file is of a kind that cannot be a dynamic series or a mask",
        # what the series is
        "series-ambiguous": "several dynamic series fit and none was chosen",
        "series-unknown": "the series that was asked for is not there",
        "patients-mixed": "the folder holds images of more than one patient",
        "mosaic": "Siemens mosaic images that cannot be unpacked with certainty",
        # time
        "times-missing": "no tag tells when the phases were acquired",
        "times-contradict": "time tags disagree on the order of the phases",
        "times-equal": "two phases carry the same time",
        "times-invalid": "the times given do not fit the series",
        "too-few-phases": "fewer phases than timed maps need",
        # geometry
        "slice-missing": "a phase lacks a slice that other phases have",
        "phase-incomplete": "the last phase was not acquired completely",
        "slice-duplicate": "two different images claim the same phase and position",
        "slices-uneven": "the distance between slices is not constant",
        "slices-sheared": "the slices are tilted or sheared against each other",
        "matrix-varies": "matrix or pixel spacing differ within the series",
        "phase-geometry-varies": "the phases lie on different grids",
        "geometry-missing": "position, orientation or spacing is absent, zero or not a number",
        "slope-zero": "a rescale slope of zero would erase the image",
        "affine-invalid": "the affine matrix is singular or sheared",
        "affine-ambiguous": "qform and sform of a NIfTI file disagree",
        "affine-missing": "a NIfTI file has neither qform nor sform",
        # region of interest and seeds
        "roi-empty": "the region holds no voxel",
        "outline-outside": "the outline does not meet the series in space",
        "roi-too-small": "the region is a single voxel or a line",
        "roi-label-absent": "the label that was asked for is not in the mask",
        "roi-label-ambiguous": "the mask holds several labels and none was chosen",
        "roi-turned": "the mask has the voxels of the image with its axes counted otherwise",
        "roi-gaps": "the region leaves out slices between its first and its last",
        "roi-constant": "all voxels of the region have the same value",
        "roi-not-finite": "the image has NaN or infinite values inside the region",
        "roi-flat": "the region lies in a single slice",
        "roi-not-accepted": "the region was not accepted by the reader",
        "grid-mismatch": "two images that must share a grid do not",
        "seed-outside": "a seed lies outside the image",
        "seed-undefined": "a seed lies where the image has no usable value",
        "seed-missing": "no seed was given",
        "nothing-selected": "a reader has to choose something first",
        "lesion-not-found": "the network proposes no lesion",
        "growth-failed": "region growing found nothing at the seed",
        "slab-too-thin": "fewer than three slices: no 3-D growing, no 3-D features, no network",
        # computing
        "shape-mismatch": "two arrays that belong together have different lengths or shapes",
        "value-out-of-range": "a parameter lies outside its meaningful range",
        "choice-unknown": "a name was given that is not among the choices",
        "protocol-insufficient": "the protocol lacks what a quantity needs",
        "quantities-exploratory": "the protocol cannot support quantitative maps as measurements",
        "motion-left": "phases do not lie on one another within half a millimetre",
        "discretisation-missing": "radiomics needs a stated discretisation",
        "fit-failed": "a registration or model fit did not converge",
        # networks
        "model-missing": "there is no network where one was asked for",
        "model-unsafe": "a model file is not safetensors with a JSON card",
        "model-changed": "the weights are not the ones their card describes",
        "model-shape": "the weights do not fit the network",
        "model-other": "the network does another job, or sees other channels",
        "training-stopped": "a training cannot go on as asked",
        # models of a study
        "site-unseen": "a site was not among the training rows",
        "site-confounded": "site and class go together",
        "model-not-linear": "only a logistic regression can be written down as a formula",
        # settings, journal, runs
        "settings-invalid": "a settings file cannot be read or has a wrong value",
        "settings-unknown-key": "a settings file has a key that spinekit does not know",
        "journal-invalid": "a journal cannot be read",
        "journal-other-series": "a journal was made on another series",
        "parameter-undeclared": "a notebook does not declare a parameter that was passed",
        "notebook-failed": "a cell of a notebook failed",
        "case-incomplete": "an earlier step of the case has not been done",
        "output-exists": "the output folder holds something that is not a spinekit case",
        "output-unwritable": "the output cannot be written",
        "output-busy": "another run is at work in the output folder",
        # many cases
        "table-invalid": "a table of cases cannot be read or lacks a column",
        "case-name-unsafe": "the name of a case is no plain pseudonym, or two cases share it",
        "case-timeout": "a case took longer than it may",
        "case-memory": "a case took more memory than it may",
        "case-crashed": "the process of a case ended without a word",
        "source-changed": "the files a case was made from are not the ones that were found",
        "verify-differs": "a case differs from what its sources and choices give",
    }
)


class SpinekitError(Exception):
    """Base of everything that spinekit raises on purpose.

    Attributes
    ----------
    code : str
        A key of `CODES`.
    message : str
        The text for the reader, in whole sentences.
    exit_status : int
        What the command line returns: 2 input refused, 1 our fault.
    """

    exit_status = 1

    def __init__(self, code: str, message: str) -> None:
        if code not in CODES:
            raise KeyError(f"'{code}' is not in spinekit.errors.CODES; add it there first.")
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        # the subclasses' constructors take other arguments, so pickling (process pools) goes by state
        return (_rebuild, (type(self), self.code, self.message))

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: it is for the reader, and no bug to be traced."""
        return [f"{type(self).__name__}: {self}"]

    def as_dict(self) -> dict[str, str]:
        """Return the code and message as they are written to ``error.json``."""
        return {"code": self.code, "message": self.message}


def _rebuild(kind: type[SpinekitError], code: str, message: str) -> SpinekitError:
    error = kind.__new__(kind)
    SpinekitError.__init__(error, code, message)
    return error


class InputRefusedError(SpinekitError):
    """An input cannot be used, and going on would mean guessing.

    Parameters
    ----------
    code : str
        A key of `CODES`.
    found : str
        What is, with the numbers.
    expected : str
        What was expected.
    cause : str
        The likely cause in the reader's world.
    cure : str
        What to do.

    Examples
    --------
    >>> error = InputRefusedError(
    ...     "times-missing",
    ...     found="The series has 4 phases and no time tag.",
    ...     expected="One time per phase.",
    ...     cause="Anonymisation often removes the times.",
    ...     cure="Give them with times_s=[...].",
    ... )
    >>> error.code, error.exit_status
    ('times-missing', 2)
    """

    exit_status = 2

    def __init__(self, code: str, *, found: str, expected: str, cause: str, cure: str) -> None:
        for part in (found, expected, cause, cure):
            if not part.strip():
                raise ValueError("A refusal says what is, what was expected, the cause and the cure.")
        sentences = (part.strip() for part in (found, expected, cause, cure))
        super().__init__(code, " ".join(s if s[-1] in ".!?:)" else f"{s}." for s in sentences))


class ShapeMismatchError(InputRefusedError, ValueError):
    """Two arrays that belong together have different shapes."""

    def __init__(self, *, found: str, expected: str, cause: str, cure: str) -> None:
        super().__init__("shape-mismatch", found=found, expected=expected, cause=cause, cure=cure)


class GridMismatchError(InputRefusedError, ValueError):
    """Two images that must share a voxel grid do not; both grids are in the message."""

    def __init__(self, *, found: str, expected: str, cause: str, cure: str) -> None:
        super().__init__("grid-mismatch", found=found, expected=expected, cause=cause, cure=cure)


class NothingSelectedError(InputRefusedError):
    """A gate between looking and computing was passed before anything was chosen."""

    def __init__(self, *, found: str, expected: str, cause: str, cure: str) -> None:
        super().__init__("nothing-selected", found=found, expected=expected, cause=cause, cure=cure)


def coded_warning(code: str, text: str) -> str:
    """Return a warning as it is kept with a case: ``"[code] text"``.

    Warnings are not Python warnings: they belong to the case, are shown on the screen and in the
    report, and are written into its record.
    """
    if not code or " " in code:
        raise ValueError(f"A warning's code is one hyphenated word, not '{code}'.")
    return f"[{code}] {text}"


def shown(path: str | os.PathLike[str]) -> str:
    """Return what a message may call a file or folder: its endings only, since its name can be a patient's.

    Examples
    --------
    >>> shown("/data/Doe^Jane/Doe.nii.gz"), shown("/data/Doe^Jane")
    ("file '….nii.gz'", 'file or folder')
    """
    endings = [e for e in Path(path).suffixes[-2:] if e.lower() in ENDINGS]
    return f"file '…{''.join(endings)}'" if endings else "file or folder"
