"""Run the notebooks of a case with papermill: declared parameters only, whole files only, failures told apart."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinekit import errors
from spinekit.errors import CODES, InputRefusedError
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_beside

__all__ = ["NotebookRun", "StepFailure", "declared_parameters", "notebook_folder", "run_notebooks"]

CODED = re.compile(r"^(?P<message>.*)\s\[(?P<code>[a-z0-9-]+)\]\s*$", re.DOTALL)
UNATTENDED = {"SPINEKIT_UNATTENDED": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
MINUTES = 60
WITHHELD = "(a path that is not kept here; spinekit verify remembers it on the machine that made the case)"


@dataclass(frozen=True)
class StepFailure:
    """Which notebook failed, why, and what the command line returns for it."""

    step: str
    code: str
    message: str
    exit_status: int


@dataclass(frozen=True)
class NotebookRun:
    """The notebooks that were executed, in order, with the seconds each took, and the failure that ended the run."""

    executed: tuple[Path, ...]
    seconds: tuple[float, ...]
    not_run: tuple[str, ...]
    failure: StepFailure | None


def notebook_folder() -> Path:
    """Return the folder of the notebooks: beside the package in a checkout, under share/spinekit from a wheel.

    Raises
    ------
    InputRefusedError
        ``path-missing`` if it is in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "notebooks", Path(sys.prefix) / "share" / "spinekit" / "notebooks"):
        if any(folder.glob("[0-9][0-9]_*.ipynb")):
            return folder
    raise InputRefusedError(
        "path-missing",
        found="The notebooks are not installed with this package.",
        expected="A folder 'notebooks' beside the package, or share/spinekit/notebooks in the environment.",
        cause="The package was copied without them.",
        cure="Install from a checkout with 'make setup', or from a wheel.",
    )


def declared_parameters(path: Path) -> set[str]:
    """Return the names in the cell of a notebook that is tagged ``parameters``."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    lines = ast.parse("\n".join(c.source for c in cells)).body
    return {line.target.id for line in lines if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)}


def _require_declared(name: str, path: Path, parameters: Mapping[str, Any]) -> None:
    undeclared = sorted(set(parameters) - declared_parameters(path))
    if undeclared:
        raise InputRefusedError(
            "parameter-undeclared",
            found=f"Notebook {name} was given {', '.join(undeclared)}.",
            expected=f"Parameters out of {', '.join(sorted(declared_parameters(path)))}.",
            cause="The name may be misspelt; papermill alone would ignore it without a word.",
            cure="Correct the name, or declare it in the cell tagged 'parameters'.",
        )


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_notebooks(
    case_dir: str | os.PathLike[str],
    parameters: Mapping[str, Mapping[str, Any]],
    *,
    keep: Collection[str] = (),
    on_step: Callable[[int, int, str], None] | None = None,
) -> NotebookRun:
    """Execute notebooks in order and keep them in the case folder; stop at the first that fails.

    Parameters
    ----------
    case_dir : path
        Executed notebooks go to its ``notebooks/``.
    parameters : mapping of str to mapping
        What each notebook is told, by the stem of its file name; the order of the mapping is the order
        of the run.
    keep : collection of str
        Notebooks that an earlier run has executed and that need not be executed again.
    on_step : callable, optional
        Called with (number, total, title) before each notebook.

    Raises
    ------
    InputRefusedError
        ``parameter-undeclared`` before anything is executed.
    """
    folder, source = CaseFolder(Path(case_dir)), notebook_folder()
    for name, values in parameters.items():
        _require_declared(name, source / f"{name}.ipynb", values)
    for stale in folder.notebooks.glob("*.ipynb"):
        if stale.stem not in keep:
            stale.unlink()
    executed: list[Path] = []
    seconds: list[float] = []
    names = list(parameters)
    for number, name in enumerate(names, start=1):
        if on_step is not None:
            on_step(number, len(names), name)
        started = time.perf_counter()
        target = folder.notebooks / f"{name}.ipynb"
        if target.is_file():
            executed.append(target)
            seconds.append(0.0)
            continue
        with _environment(UNATTENDED):
            failure = _execute(source / f"{name}.ipynb", target, parameters[name])
        executed.append(target)
        seconds.append(time.perf_counter() - started)
        if failure is not None:
            return NotebookRun(tuple(executed), tuple(seconds), tuple(names[number:]), failure)
    return NotebookRun(tuple(executed), tuple(seconds), (), None)


@contextmanager
def _local_kernels() -> Iterator[Any]:
    """Give a kernel manager that talks over local sockets, in a folder of its own: TCP ports others could read."""
    from jupyter_client.manager import AsyncKernelManager

    with tempfile.TemporaryDirectory(prefix="spinekit-") as folder:

        class LocalKernelManager(AsyncKernelManager):
            transport = "ipc" if os.name == "posix" else "tcp"

            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                if self.transport == "ipc":
                    self.ip = str(Path(folder) / "kernel")

        yield LocalKernelManager


def _execute(source: Path, target: Path, parameters: Mapping[str, Any]) -> StepFailure | None:
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    failure = None
    with write_beside(target) as path, _local_kernels() as manager:
        try:
            papermill.execute_notebook(
                str(source), str(path), dict(parameters), progress_bar=False, cwd=str(source.parent),
                execution_timeout=MINUTES * 60, kernel_name="python3", kernel_manager_class=manager,
            )  # fmt: skip
        except PapermillExecutionError as reason:
            failure = _failure(source.stem, str(reason.ename), str(reason.evalue))
        text = _without_places(path.read_text(encoding="utf-8"), parameters)
        notebook = nbformat.reads(text, as_version=4)
        notebook.metadata.pop("widgets", None)  # megabytes of the viewer's source, useless without a kernel
        nbformat.write(notebook, path)
    if failure is not None:
        return replace(failure, message=_without_places(failure.message, parameters))
    return None


def _without_places(text: str, parameters: Mapping[str, Any]) -> str:
    """Take the paths that a notebook was given out of what is kept of it: a path can name a patient.

    The case is where the notebook lies, so the executed notebook can be opened and run on it again.
    """
    for name, value in parameters.items():
        if not (isinstance(value, str) and os.path.isabs(value)):
            continue
        stands = ".." if name == "case_dir" else WITHHELD
        for said in (value, os.path.realpath(value)):
            written = json.dumps(said)[1:-1]  # as in a parameter of the metadata; in a cell it is quoted once more
            text = text.replace(json.dumps(written)[1:-1], stands).replace(written, stands)
    return text


def _failure(step: str, ename: str, evalue: str) -> StepFailure:
    match = CODED.match(evalue)
    kind = getattr(errors, ename, None)
    if match and match["code"] in CODES and isinstance(kind, type) and issubclass(kind, errors.SpinekitError):
        return StepFailure(step, match["code"], match["message"], kind.exit_status)
    return StepFailure(step, "notebook-failed", f"{ename}: {evalue}", 1)
