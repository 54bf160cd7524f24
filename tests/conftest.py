"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
NO_NETWORK = str(PROJECT / "tests" / "no_network")


def _shared_data() -> Path | None:
    named = os.environ.get("SPINEKIT_DATA")
    for folder in ([Path(named)] if named else []) + [PROJECT.parent / "shared" / "data"]:
        if folder.is_dir():
            return folder
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real inputs with expected answers; the test is skipped where it is absent."""
    folder = _shared_data()
    if folder is None:
        pytest.skip("Real inputs are not here: set SPINEKIT_DATA or lay them at ../shared/data.")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory):
    """Keep what spinekit remembers about sources out of the home folder of whoever runs the tests."""
    os.environ["SPINEKIT_STATE"] = str(tmp_path_factory.mktemp("state"))
    yield
    del os.environ["SPINEKIT_STATE"]


@pytest.fixture(scope="session", autouse=True)
def _no_network():
    """Let nothing leave the machine: neither this process nor any Python process that a test starts."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("spinekit_tests_no_network", Path(NO_NETWORK, "sitecustomize.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([NO_NETWORK, *([before] if before else [])])
    yield
    os.environ["PYTHONPATH"] = before or ""
