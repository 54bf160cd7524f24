"""`import spinekit` stays light: it is what every notebook and every command starts with."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "monai", "matplotlib", "ipywidgets", "pandas", "SimpleITK", "numba", "radiomics", "pydicom")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(out.stdout.split())


def test_import_pulls_in_nothing_heavy():
    assert modules_after("import spinekit").isdisjoint(HEAVY)


def test_the_first_cells_of_a_case_pull_in_nothing_that_only_a_study_or_a_network_needs():
    views = "from spinekit.widgets import roi_review, seed_picker, series_view\nfrom spinekit.widgets.results import *"
    statement = f"from spinekit import plotting, workflow\nfrom spinekit.reporting import tables\n{views}"

    assert modules_after(statement).isdisjoint({"torch", "monai", "sklearn", "scipy.stats"})


def test_the_check_above_can_fail():
    assert "pydicom" in modules_after("import pydicom")


def test_every_public_name_can_be_had():
    import spinekit

    for name in spinekit.__all__:
        assert getattr(spinekit, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    import spinekit

    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        _ = spinekit.segmnt
