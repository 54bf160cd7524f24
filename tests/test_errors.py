"""Refusals carry a known code and four sentences."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from spinekit.errors import CODES, InputRefusedError, SpinekitError, coded_warning

PARTS = {"found": "There are 4.", "expected": "3", "cause": "One too many.", "cure": "Remove one."}
PACKAGE = Path(__file__).resolve().parents[1] / "spinekit"


def test_a_refusal_reads_as_four_sentences():
    error = InputRefusedError("times-missing", **PARTS)

    assert str(error) == "There are 4. 3. One too many. Remove one. [times-missing]"
    assert error.as_dict() == {"code": "times-missing", "message": "There are 4. 3. One too many. Remove one."}


@pytest.mark.parametrize("part", PARTS)
def test_no_part_of_a_message_can_be_left_out(part):
    with pytest.raises(ValueError, match="what is, what was expected"):
        InputRefusedError("times-missing", **{**PARTS, part: " "})


def test_an_unknown_code_cannot_be_raised():
    with pytest.raises(KeyError, match=r"not in spinekit\.errors\.CODES"):
        InputRefusedError("no-such-code", **PARTS)


def test_a_refusal_survives_the_way_back_from_another_process():
    error = InputRefusedError("times-missing", **PARTS)

    copy = pickle.loads(pickle.dumps(error))

    assert isinstance(copy, InputRefusedError)
    assert (copy.code, copy.message, str(copy)) == (error.code, error.message, str(error))


def test_our_own_faults_and_refused_inputs_have_different_exit_statuses():
    assert SpinekitError("fit-failed", "text").exit_status == 1
    assert InputRefusedError("times-missing", **PARTS).exit_status == 2


def test_every_code_in_the_source_is_in_the_catalogue():
    raised = set()
    for file in PACKAGE.rglob("*.py"):
        raised |= set(re.findall(r'InputRefusedError\(\s*"([a-z0-9-]+)"', file.read_text(encoding="utf-8")))

    assert raised <= set(CODES)
    assert len(raised) > 10  # the pattern still finds them


def test_a_warning_needs_a_one_word_code():
    assert coded_warning("leak", "It leaks.") == "[leak] It leaks."
    with pytest.raises(ValueError, match="one hyphenated word"):
        coded_warning("two words", "text")
