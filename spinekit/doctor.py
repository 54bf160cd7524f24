"""Check the installation, one line each, with the cure."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = ["Finding", "examine"]

GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes
    ----------
    subject : str
        What was looked at.
    state : str
        ``"ok"``, ``"note"`` (works, with a limit) or ``"bad"``.
    text : str
        What was found.
    cure : str
        What to do; empty if nothing.
    """

    subject: str
    state: str
    text: str
    cure: str = ""

    def line(self) -> str:
        """Return the finding as one line of text."""
        mark = {"ok": "ok  ", "note": "note", "bad": "BAD "}[self.state]
        return f"{mark}  {self.subject}: {self.text}" + (f"  ->  {self.cure}" if self.cure else "")


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info[:2] == (3, 11):
        return Finding("Python", "ok", version)
    return Finding(
        "Python", "bad", f"{version}, but 3.11 is needed", "run 'make setup' with PYTHON=/path/to/python3.11"
    )


def _requirements() -> Iterator[Finding]:
    """Compare what is installed with what spinekit's own metadata asks for."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("spinekit") or []
    except metadata.PackageNotFoundError:
        yield Finding("spinekit", "bad", "is not installed", "run 'make setup' in the checkout")
        return
    wanted = [Requirement(line) for line in lines]
    missing, good = [], 0
    for need in wanted:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            have = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            missing.append(f"{need.name} is missing")
            continue
        if need.specifier.contains(have, prereleases=True):
            good += 1
        else:
            missing.append(f"{need.name} is {have}, needed {need.specifier}")
    if missing:
        yield Finding("packages", "bad", "; ".join(missing), "run 'make setup' again")
    else:
        yield Finding("packages", "ok", f"{good} of {good} present in versions that fit")


def _imports(module: str, why: str) -> Callable[[], Finding]:
    def check() -> Finding:
        importlib.import_module(module)
        return Finding(module, "ok", why)

    return check


def _radiomics() -> Finding:
    from radiomics import _cmatrices, _cshape  # noqa: F401  the compiled parts are what fails when the build failed

    return Finding("pyradiomics", "ok", f"{metadata.version('pyradiomics')}, compiled parts load")


def _kernels() -> Finding:
    from spinekit.kinetics.warm import cache_state

    where, ready = cache_state()
    if ready:
        return Finding("compiled kernels", "ok", f"cached in {where}")
    return Finding(
        "compiled kernels",
        "note",
        "not compiled yet; the first map waits some seconds",
        "run 'python -m spinekit.warm'",
    )


def _kernelspec() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    program = spec.argv[0]
    same = program in ("python", "python3") or Path(program).resolve() == Path(sys.executable).resolve()
    if same:
        return Finding("notebook kernel", "ok", "python3 runs this environment")
    return Finding(
        "notebook kernel", "bad", "python3 runs another Python than this one",
        "run 'python -m ipykernel install --sys-prefix'",
    )  # fmt: skip


def _disabled() -> dict[str, Path]:
    """Return the JupyterLab extensions that a configuration switches off, with the file that says so."""
    from jupyter_core.paths import jupyter_config_path

    found: dict[str, Path] = {}
    for folder in jupyter_config_path():
        file = Path(folder) / "labconfig" / "page_config.json"
        if not file.is_file():
            continue
        listed = json.loads(file.read_text(encoding="utf-8")).get("disabledExtensions", {})
        names = [name for name, off in listed.items() if off] if isinstance(listed, dict) else list(listed)
        found.update({name.partition(":")[0]: file for name in names if name.partition(":")[0] not in found})
    return found


def _labextension(name: str, label: str, package: str) -> Callable[[], Finding]:
    """Check that JupyterLab finds an extension, and that nobody has switched it off."""

    def check() -> Finding:
        from jupyter_core.paths import jupyter_path

        if not any((Path(root) / name / "package.json").is_file() for root in jupyter_path("labextensions")):
            cure = f"run 'pip install --force-reinstall {package}', then reload JupyterLab"
            return Finding(label, "bad", f"its JupyterLab extension '{name}' is absent", cure)
        off = _disabled()
        if name in off:
            text = f"its JupyterLab extension '{name}' is switched off in {off[name].name}"
            return Finding(label, "bad", text, f"run 'jupyter labextension enable {name}', then reload JupyterLab")
        return Finding(label, "ok", "its JupyterLab extension is installed; works with no network")

    return check


def _ipyniivue() -> Finding:
    spec = importlib.util.find_spec("ipyniivue")
    where = None if spec is None or spec.origin is None else Path(spec.origin).parent / "static"
    if where is not None and any(where.glob("*.js")):
        return Finding(
            "viewer ipyniivue", "ok", f"{metadata.version('ipyniivue')}, its script is local; no network needed"
        )
    return Finding("viewer ipyniivue", "bad", "its script is absent", "run 'pip install --force-reinstall ipyniivue'")


def _itkwidgets() -> Finding:
    from spinekit.labextension import CURE, listed_files, shipped_folder, state

    served = state()
    if served.complete:
        n = len(listed_files(shipped_folder()))
        text = f"{metadata.version('itkwidgets')}, {n} of {n} files of its viewer are served here; no network needed"
        return Finding("viewer itkwidgets", "ok", text)
    shown = "; ".join(served.faults[:2]) + (f"; {len(served.faults) - 2} more" if len(served.faults) > 2 else "")
    return Finding("viewer itkwidgets", "bad", f"the 3-D view would ask the internet: {shown}", CURE)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if total >= 4:
        return Finding("memory", "ok", f"{total:.0f} GiB")
    return Finding("memory", "note", f"{total:.1f} GiB", "series above 1 GiB of float32 need at least 4 GiB")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / GIB
    if free >= 2:
        return Finding("disk", "ok", f"{free:.0f} GiB free here")
    return Finding("disk", "note", f"{free:.1f} GiB free here", "a case of a large series takes about 1 GiB")


def _notebooks() -> Finding:
    from spinekit.reporting import notebook_folder

    folder = notebook_folder()
    found = sorted(p.name for p in folder.glob("[0-9]*.ipynb"))
    return Finding("notebooks", "ok", f"{len(found)} found")


CHECKS: tuple[tuple[str, Callable[[], Finding]], ...] = (
    ("Python", _python),
    ("SimpleITK", _imports("SimpleITK", "loads")),
    ("pydicom", _imports("pydicom", "loads")),
    ("pyradiomics", _radiomics),
    ("numba", _imports("numba", "loads")),
    ("compiled kernels", _kernels),
    ("notebook kernel", _kernelspec),
    ("notebooks", _notebooks),
    ("widgets", _labextension("@jupyter-widgets/jupyterlab-manager", "widgets in JupyterLab", "jupyterlab_widgets")),
    ("canvas", _labextension("anywidget", "canvas in JupyterLab", "anywidget")),
    ("bridge", _labextension("imjoy-jupyterlab-extension", "3-D in JupyterLab", "imjoy-jupyterlab-extension")),
    ("viewer ipyniivue", _ipyniivue),
    ("viewer itkwidgets", _itkwidgets),
    ("memory", _memory),
    ("disk", _disk),
)


def examine() -> Iterator[Finding]:
    """Yield one finding per check, as it is made. A check that breaks is itself a finding."""
    yield from _requirements()
    for subject, check in CHECKS:
        try:
            yield check()
        except Exception as reason:  # a broken installation can raise anything; saying so is the doctor's work
            text = re.sub(r"\s+", " ", f"{type(reason).__name__}: {reason}")
            yield Finding(subject, "bad", text, "run 'make setup' again; if it stays, report this line")
