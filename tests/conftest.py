"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


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
