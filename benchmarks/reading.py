"""How much memory and time reading a series takes, whatever it comes in.

    python benchmarks/reading.py [--size T,Z,Y,X]

Prints for each format the largest memory that a fresh process takes while it reads, over the array that it has to give
back (float32), and the seconds over those of reading the file's bytes and of making such an array from 16-bit values.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TARGET = 1.3  # the array, and no more than a phase beside it
READING = """
import sys, time, warnings
from pathlib import Path
import numpy as np
from spinekit.io import read_series
warnings.simplefilter("ignore")
def now(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
read_series(sys.argv[1])  # libraries are loaded now
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before, started = now("VmRSS"), time.perf_counter()
series = read_series(sys.argv[2])
print(now("VmHWM") - before, series.signal.nbytes, time.perf_counter() - started)
"""


def series_of(shape: tuple[int, ...]):
    """Return a series of whole numbers, as scanners store them."""
    from spinekit.case import Acquisition, DynamicSeries
    from spinekit.geometry import Geometry

    values = np.random.default_rng(0).integers(1, 3000, shape).astype(np.float32)
    times = [10.0 * t for t in range(shape[0])]
    protocol = Acquisition(5.0, 2.0, 12.0, 3.0)
    return DynamicSeries(values, times, Geometry(shape[:0:-1], (1.0, 1.0, 4.0)), "times_s", (), protocol)


def write_nifti(series, folder: Path, *, packed: bool) -> Path:
    """Write a 4-D NIfTI of 16 bits with a slope, and its times beside."""
    import nibabel

    image = nibabel.Nifti1Image(series.signal.transpose(3, 2, 1, 0).astype(np.int16), np.diag([-1.0, -1.0, 4.0, 1.0]))
    image.set_qform(image.affine, 1)
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([0.5, 1.0], "<f4").tobytes()
    path = folder / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(gzip.compress(raw, 1) if packed else raw)
    (folder / "a.json").write_text(json.dumps({"times_s": series.times_s.tolist()}))
    return path


def write_nrrd(series, folder: Path) -> Path:
    """Write a Slicer MultiVolume of 16 bits, whose frames lie voxel by voxel."""
    sizes = " ".join(map(str, (series.n_phases, *series.geometry.size)))
    header = [
        "NRRD0005", "type: short", "dimension: 4", "space: LPS", f"sizes: {sizes}", "kinds: list domain domain domain",
        "space directions: none (1,0,0) (0,1,0) (0,0,4)", "endian: little", "encoding: raw",
        f"MultiVolume.FrameLabels:={','.join(map(str, series.times_s))}",
        "MultiVolume.FrameIdentifyingDICOMTagUnits:=s",
    ]  # fmt: skip
    pixels = np.moveaxis(series.signal.astype("<i2"), 0, -1).tobytes()
    (folder / "a.nrrd").write_bytes("\n".join(header).encode() + b"\n\n" + pixels)
    return folder / "a.nrrd"


def write_dicom_as(series, folder: Path, flavour: str, *, packed: bool = False) -> Path:
    """Write DICOM of a vendor, as it is or in JPEG-LS."""
    import pydicom

    from spinekit.phantom.dicom_writer import write_dicom

    for path in write_dicom(series, folder, flavour=flavour):
        if packed:
            image = pydicom.dcmread(path)
            image.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
            image.save_as(path)
    return folder


FORMATS = {
    "NIfTI": lambda s, f: write_nifti(s, f, packed=False),
    "NIfTI, packed": lambda s, f: write_nifti(s, f, packed=True),
    "NRRD": write_nrrd,
    "DICOM, single slices": lambda s, f: write_dicom_as(s, f, "siemens"),
    "DICOM, mosaics": lambda s, f: write_dicom_as(s, f, "siemens-mosaic"),
    "DICOM, a file per phase": lambda s, f: write_dicom_as(s, f, "siemens-xa"),
    "DICOM, one file": lambda s, f: write_dicom_as(s, f, "philips-enhanced"),
    "DICOM, one file, JPEG-LS": lambda s, f: write_dicom_as(s, f, "philips-enhanced", packed=True),
}


def plain_s(source: Path) -> float:
    """Return the seconds of reading all bytes of a source and turning as many 16-bit values into float32."""
    files = [source] if source.is_file() else sorted(source.iterdir())
    started = time.perf_counter()
    data = b"".join(file.read_bytes() for file in files)
    np.frombuffer(data, "<i2", count=len(data) // 2).astype(np.float32)
    return time.perf_counter() - started


def main() -> int:
    """Print a line for each format; status 1 if one takes more memory than the target."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", default="8,20,256,256")
    shape = tuple(int(n) for n in asked.parse_args().size.split(","))
    series, small = series_of(shape), series_of((3, 3, 8, 8))
    worst = 0.0
    # what is freed goes back to the system at once, so that the peak is what was held
    held = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    for name, write in FORMATS.items():
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            sources = [str(write(small, Path(one))), str(write(series, Path(other)))]
            baseline = min(plain_s(Path(sources[1])) for _ in range(3))
            call = [sys.executable, "-c", READING, *sources]
            told = subprocess.run(call, check=True, capture_output=True, text=True, env=held).stdout.split()
        peak, result, seconds = int(told[0]), int(told[1]), float(told[2])
        worst = max(worst, peak / result)
        print(
            f"{name:26s} memory {peak / result:.2f} × the array of {result >> 20} MiB, "
            f"{seconds:.2f} s, {seconds / baseline:.0f} × the plain bytes"
        )
    print(f"memory at most {worst:.2f} × the array (target {TARGET})")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
