"""A short fuzz run; the long one is a command: python tests/fuzz/fuzz_readers.py --inputs 20000."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

import numpy as np


def fuzz_readers():
    spec = importlib.util.spec_from_file_location("fuzz_readers", Path(__file__).with_name("fuzz_readers.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = module
    spec.loader.exec_module(module)
    return module


def test_mutated_headers_are_refused_in_words_or_read_rightly():
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    outcomes, findings = fuzz_readers().run(120, seed=1)
    assert findings == []
    assert len(outcomes) > 8  # not all of one kind


def test_mutated_headers_of_packed_files_are_too():
    outcomes, findings = fuzz_readers().run(60, seed=1, packed=True)
    assert findings == []
    assert len(outcomes) > 6


def test_the_fuzz_run_notices_a_wrong_success_and_a_crash(monkeypatch):
    module = fuzz_readers()
    series = module.base_series()
    object.__setattr__(series, "times_s", np.zeros(4))
    monkeypatch.setattr(module, "read_series", lambda source: series)
    assert len(module.run(3)[1]) == 3

    def crash(source):
        raise KeyError(source)

    monkeypatch.setattr(module, "read_series", crash)
    assert len(module.run(3)[1]) == 3
