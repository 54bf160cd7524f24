"""Mutated DICOM, NIfTI and NRRD headers through the readers: refused in words, or read rightly; nothing else.

    python tests/fuzz/fuzz_readers.py --inputs 20000

or in pieces that make the same inputs: --first 0 --inputs 2500, --first 2500 --inputs 2500, and so on. With --packed
the same is done to compressed DICOM (RLE, JPEG-LS, deflated) and to packed NRRD.

A finding is: an error that is not one of ours, more than five seconds, memory beyond twice what the file honestly
holds (plus a fixed part for the libraries; followed for every third input of a format, and wherever the process grew by
half of that part), or a wrong success. A success is wrong if the array has another shape than the file says, if grid or
times are not finite or do not rise, or if values, their order, grid or times differ from the original although the
mutation touched nothing that tells them. A finding is printed with the number that makes it again (--only).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import signal
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_oracle import touched_by_dicom, touched_by_nifti, touched_by_nrrd, wrong_contents

from spinekit.case import Acquisition, DynamicSeries
from spinekit.errors import SpinekitError
from spinekit.geometry import Geometry
from spinekit.io import read_series
from spinekit.phantom.dicom_writer import write_dicom

SECONDS = 5
FIXED_BYTES = 6 << 20
TIMES_S = [0.0, 9.5, 20.0, 31.5]
SHAPE = (4, 4, 8, 10)
FLAVOURS = (
    "siemens",
    "siemens-series",
    "siemens-mosaic",
    "siemens-xa",
    "ge-trigger",
    "philips",
    "philips-enhanced",
    "canon",
)
LEFT_OUT = ("set-aside", "series-alike", "series-chosen", "slice-duplicate", "inverted")
NUMBERS = ["0", "-1", "1e308", "nan", "inf", "1,5", "", "9" * 40, "1e-320", "0.0000001", "\\", "1\\2\\3\\4\\5\\6\\7"]
WORDS = ["", "\0", "ÄÖ", "<b>", "../..", "A" * 5000, "20240230", "999999", "25", "MONOCHROME9", "DERIVED"]


@dataclass(frozen=True)
class Fuzzed:
    """One input: what to read, what the mutation touched (asked for only after a success), its honest size in bytes."""

    source: Path
    touched: Callable[[], frozenset[str]]
    size: int


def base_series() -> DynamicSeries:
    """Return the series that is mutated."""
    values = np.random.default_rng(4).integers(1, 3000, SHAPE).astype(np.float32)
    grid = Geometry((10, 8, 4), (1.5, 1.25, 4.0), (-20.0, 13.0, 40.0))
    return DynamicSeries(values, TIMES_S, grid, "times_s", (), Acquisition(5.5, 2.25, 12.0, 3.0))


def flipped(data: bytes, rng: np.random.Generator, first: int, last: int) -> bytes:
    """Return bytes with a few of them changed, cut out, doubled, or the end cut off."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if len(changed) <= first:
            break
        at = int(rng.integers(first, min(max(last, first + 1), len(changed))))
        kind = rng.integers(0, 10)
        if kind < 6:
            changed[at] = int(rng.integers(0, 256))
        elif kind < 7:
            del changed[at : at + int(rng.integers(1, 9))]
        elif kind < 8:
            changed[at:at] = changed[at : at + int(rng.integers(1, 9))]
        elif kind < 9:
            changed[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"])
        else:
            del changed[at:]
    return bytes(changed)


class DicomInputs:
    """A folder of DICOM images of which one or all are mutated, in the header's elements or in its bytes."""

    def __init__(self, folder: Path) -> None:
        self.files = {}
        for flavour in FLAVOURS:
            paths = write_dicom(base_series(), folder / flavour, flavour=flavour)
            self.files[flavour] = [p.read_bytes() for p in paths]

    def make(self, folder: Path, rng: np.random.Generator) -> Fuzzed:
        files = list(self.files[FLAVOURS[int(rng.integers(len(FLAVOURS)))]])
        several = rng.random() < 0.3
        chosen = range(len(files)) if several else [int(rng.integers(len(files)))]
        if rng.random() < 0.5:
            element, seed = self._element(files[0], rng), int(rng.integers(1 << 30))
            mutated = {n: self._with(files[n], element, np.random.default_rng(seed)) for n in chosen}
        else:
            mutated = {
                n: flipped(files[n], rng, 128, files[n].find(b"\xe0\x7f\x10\x00") % len(files[n])) for n in chosen
            }
        changed = [mutated.get(n, data) for n, data in enumerate(files)]
        for n, data in enumerate(changed):
            (folder / f"{n}.dcm").write_bytes(data)

        def touched() -> frozenset[str]:
            return frozenset().union(*(touched_by_dicom(files[n], changed[n]) for n in chosen))

        return Fuzzed(folder, touched, sum(map(len, changed)))

    @staticmethod
    def _element(data: bytes, rng: np.random.Generator) -> Any:
        image = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        tags = [(e.tag, e.VR) for e in image.iterall() if e.VR != "SQ"]
        return tags[int(rng.integers(len(tags)))]

    @staticmethod
    def _with(data: bytes, element: Any, rng: np.random.Generator) -> bytes:
        """Return an image in which an element, wherever it stands, is gone or has another value."""
        tag, vr = element
        image = pydicom.dcmread(io.BytesIO(data))
        drop = rng.random() < 0.25
        words: list[Any] = NUMBERS if vr in ("DS", "IS") else WORDS
        value = {"US": 0, "FD": float("nan"), "UL": 1 << 31, "FL": float("inf"), "SS": -1}.get(vr)
        value = value if value is not None and rng.random() < 0.7 else words[int(rng.integers(len(words)))]

        def change(dataset: Any, found: Any) -> None:
            if found.tag != tag:
                return
            if drop:
                del dataset[tag]
            else:
                raw = value if isinstance(value, str) else None
                found._value = raw if raw is not None and vr not in ("US", "FD", "UL", "FL", "SS") else value
                found.validation_mode = pydicom.config.IGNORE

        with contextlib.suppress(Exception):  # what cannot even be written is no input
            image.walk(change)
            stream = io.BytesIO()
            image.save_as(stream)
            return stream.getvalue()
        return data[:200] + data[260:]


class NiftiInputs:
    """A 4-D NIfTI with its times, its 352 bytes of header mutated, packed or not."""

    def __init__(self, folder: Path) -> None:
        import nibabel

        folder.mkdir(parents=True)
        series = base_series()
        image = nibabel.Nifti1Image(
            series.signal.transpose(3, 2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]) @ series.geometry.matrix
        )
        image.set_qform(image.affine, 1)
        image.set_sform(image.affine, 1)
        nibabel.save(image, folder / "base.nii")
        self.data = (folder / "base.nii").read_bytes()

    def make(self, folder: Path, rng: np.random.Generator) -> Fuzzed:
        import gzip

        data = flipped(self.data, rng, 0, 352)
        path = folder / ("a.nii" if rng.random() < 0.7 else "a.nii.gz")
        path.write_bytes(data if path.suffix == ".nii" else gzip.compress(data, 1))
        (folder / "a.json").write_text('{"times_s": [0.0, 9.5, 20.0, 31.5]}')
        return Fuzzed(path, lambda: touched_by_nifti(self.data, data), len(data))


class NrrdInputs:
    """A Slicer MultiVolume, its header mutated."""

    def __init__(self, folder: Path) -> None:
        del folder
        series = base_series()
        fields = [
            "NRRD0005", "type: float", "dimension: 4", "space: left-posterior-superior", "sizes: 4 10 8 4",
            "space directions: none (1.5,0,0) (0,1.25,0) (0,0,4)", "kinds: list domain domain domain",
            "endian: little", "encoding: raw", "space origin: (-20,13,40)",
            "MultiVolume.FrameIdentifyingDICOMTagName:=TriggerTime", "MultiVolume.FrameIdentifyingDICOMTagUnits:=s",
            "MultiVolume.FrameLabels:=0.0,9.5,20.0,31.5", "MultiVolume.NumberOfFrames:=4",
        ]  # fmt: skip
        self.header = "\n".join(fields).encode() + b"\n\n"
        self.pixels = np.ascontiguousarray(np.moveaxis(series.signal, 0, -1)).tobytes()

    def make(self, folder: Path, rng: np.random.Generator) -> Fuzzed:
        header = self.header
        if rng.random() < 0.5:
            lines = header.split(b"\n")
            at = int(rng.integers(1, len(lines) - 2))
            name, colon, _ = lines[at].partition(b":")
            other = rng.choice(
                [*NUMBERS, *WORDS, "(1,0,0) (0,1,0) (0,0,1)", "999999 999999 999999 999999", "gzip", "double"]
            )
            lines[at] = b"" if rng.random() < 0.2 else name + colon + b" " + str(other).encode("utf-8")
            header = b"\n".join(line for n, line in enumerate(lines) if line or n >= len(lines) - 2)
        else:
            header = flipped(header, rng, 0, len(header))
        path = folder / "a.nrrd"
        path.write_bytes(header + self.pixels)
        return Fuzzed(path, lambda: touched_by_nrrd(self.header, header), len(header) + len(self.pixels))


class PackedDicomInputs(DicomInputs):
    """The same in compressed transfer syntaxes, one of them in each flavour."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        uids = (pydicom.uid.RLELossless, pydicom.uid.JPEGLSLossless, pydicom.uid.DeflatedExplicitVRLittleEndian)
        for number, (flavour, files) in enumerate(self.files.items()):
            self.files[flavour] = [self._packed(data, uids[number % len(uids)]) for data in files]

    @staticmethod
    def _packed(data: bytes, syntax: pydicom.uid.UID) -> bytes:
        image, stream = pydicom.dcmread(io.BytesIO(data)), io.BytesIO()
        if syntax.is_encapsulated:
            image.compress(syntax, generate_instance_uid=False)
        image.file_meta.TransferSyntaxUID = syntax
        image.save_as(stream)
        return stream.getvalue()


class PackedNrrdInputs(NrrdInputs):
    """The same with its values packed by gzip."""

    def __init__(self, folder: Path) -> None:
        import gzip

        super().__init__(folder)
        self.header = self.header.replace(b"encoding: raw", b"encoding: gzip")
        self.pixels = gzip.compress(self.pixels, 1)


FORMATS: dict[str, Callable[[Path], Any]] = {"dicom": DicomInputs, "nifti": NiftiInputs, "nrrd": NrrdInputs}
PACKED: dict[str, Callable[[Path], Any]] = {"dicom": PackedDicomInputs, "nrrd": PackedNrrdInputs}


def _late(signum: int, frame: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _process_peak(*, reset: bool = False) -> int:
    """Return the largest memory of this process, in bytes, resident and reserved together."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # of the resident part; the other grows only
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("VmPeak:", "VmHWM:")))


def fault_of(given: Fuzzed, *, traced: bool) -> tuple[str, str]:
    """Read an input; return what came of it (a code, "read" or "fault") and, for a fault, what it is.

    Every allocation is followed only where `traced`, which takes three times as long, or where the process grew.
    """
    grown = _process_peak(reset=True)
    if traced:
        tracemalloc.start()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of computing, whatever else the machine does
    outcome, fault = "read", ""
    try:
        series = read_series(given.source)
    except SpinekitError as refused:
        outcome = refused.code
    except Exception as reason:
        outcome, fault = "fault", f"{type(reason).__name__}: {reason}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        grown, peak = _process_peak() - grown, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if not traced and grown > FIXED_BYTES // 2:
        return fault_of(given, traced=True)
    if outcome == "read":
        fault = wrong_success(series, given)
    if not fault and peak > 2 * given.size + FIXED_BYTES:
        fault = f"{peak >> 20} MiB for a file of {given.size >> 10} KiB"
    return ("fault" if fault else outcome), fault


def wrong_success(series: DynamicSeries, given: Fuzzed) -> str:
    """Return what is wrong with a series that was read; empty if nothing is."""
    grid = series.geometry
    told = any(f"[{code}]" in w for code in LEFT_OUT for w in series.warnings)
    if series.signal.size != int(np.prod(SHAPE)) and not told:
        return f"shape {series.signal.shape} without a word"
    if (
        not np.isfinite([*grid.spacing_mm, *grid.origin_mm, *np.ravel(grid.direction)]).all()
        or min(grid.spacing_mm) <= 0
    ):
        return f"grid {grid.describe()}"
    if abs(abs(np.linalg.det(np.asarray(grid.direction))) - 1) > 1e-3:
        return f"direction {grid.direction}"
    if (np.diff(series.times_s) <= 0).any():
        return f"times {series.times_s.tolist()}"
    if not np.isfinite(series.signal).all() and not any("[not-finite]" in w for w in series.warnings):
        return "values that are not finite, without a word"
    return "" if told else wrong_contents(series, base_series(), given.touched())


def run(
    inputs: int,
    *,
    seed: int = 0,
    first: int = 0,
    only: int | None = None,
    packed: bool = False,
    progress: bool = False,
) -> tuple[Counter, list[str]]:
    """Read so many mutated inputs; return how often each outcome was, and the findings."""
    outcomes: Counter[str] = Counter()
    findings: list[str] = []
    signal.signal(signal.SIGPROF, _late)
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        makers = {name: kind(Path(root) / name) for name, kind in (PACKED if packed else FORMATS).items()}
        names = list(makers)
        for number in range(first, first + inputs) if only is None else [only]:
            name = names[number % len(names)]
            with tempfile.TemporaryDirectory(dir=root) as folder:
                given = makers[name].make(Path(folder), np.random.default_rng([seed, number]))
                outcome, fault = fault_of(given, traced=number % 9 < 3)
            outcomes[f"{name}: {outcome}"] += 1
            if fault:
                findings.append(f"input {number} ({name}): {fault}")
            if progress and number % 1000 == 999:
                print(f"{number + 1} inputs, {len(findings)} findings", file=sys.stderr)
    return outcomes, findings


def main() -> int:
    """Print outcomes and findings; status 1 if there is a finding."""
    logging.disable(logging.CRITICAL)  # nibabel tells what it thinks of a header
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--inputs", type=int, default=20_000)
    asked.add_argument("--first", type=int, default=0, help="number of the first input")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", type=int, default=None, help="one input by its number")
    asked.add_argument("--packed", action="store_true", help="compressed DICOM and packed NRRD")
    given = asked.parse_args()
    choices = {"seed": given.seed, "first": given.first, "only": given.only, "packed": given.packed}
    outcomes, findings = run(given.inputs, **choices, progress=True)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:8d}  {outcome}")
    for finding in findings[:50]:
        print(finding)
    print(f"{sum(outcomes.values())} inputs, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
