"""Notebooks are thin: the rules they keep can be checked without running them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LONGEST_CELL = 14
HOST_PATHS = re.compile(r"/(tmp|root|home|Users|work|mnt)/|[A-Z]:\\\\")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_magics(source: str) -> str:
    return "\n".join("pass" if line.startswith("%") else line for line in source.splitlines())


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_the_ordered_notebooks_are_all_there():
    numbers = [path.stem[:2] for path in NOTEBOOKS]

    assert {"00", "01", "02", "03", "04", "05", "08"} <= set(numbers)
    assert numbers == sorted(set(numbers))


def test_it_is_valid_and_was_committed_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_it_begins_with_needs_writes_you_decide_takes(notebook):
    first = notebook.cells[0].source

    assert first.startswith("# ")
    for row in ("**Needs**", "**Writes**", "**You decide**", "**Takes**"):
        assert row in first


def test_it_has_one_typed_and_commented_parameters_cell(notebook):
    tagged = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1

    for statement, line in zip(ast.parse(tagged[0].source).body, tagged[0].source.splitlines(), strict=True):
        assert isinstance(statement, ast.AnnAssign), line
        assert re.search(r"  # \S", line), line


def test_cells_are_short_and_define_no_functions(notebook):
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= LONGEST_CELL
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(without_magics(cell.source))))


def test_no_path_of_a_machine_stands_in_it(notebook):
    for cell in notebook.cells:
        assert not HOST_PATHS.search(cell.source), cell.source


def test_the_3d_viewer_that_hangs_without_a_browser_is_never_called(notebook):
    assert "itkwidgets" not in "\n".join(cell.source for cell in code_cells(notebook))
