"""The command line: one subcommand per job. Exit status 0 done, 2 input refused, 1 our fault."""

from __future__ import annotations

import sys
import traceback

from spinekit.cli import (
    case,
    cohort,
    compare,
    installation,
    model,
    networks,
    privacy,
    radiomics,
    study,
    train_diagnosis,
)
from spinekit.cli.app import app

__all__ = [
    "app",
    "case",
    "cohort",
    "compare",
    "installation",
    "main",
    "model",
    "networks",
    "privacy",
    "radiomics",
    "study",
    "train_diagnosis",
]


def main() -> None:
    """Run the command line; a fault of ours is shown with its traceback and exit status 1."""
    try:
        app()
    except Exception:
        traceback.print_exc()
        sys.stderr.write("spinekit: this is a fault of spinekit; please report the lines above.\n")
        sys.exit(1)
