"""Which way answers: a record of the choice, and what it was chosen by."""

import json

import pytest

from ml.serve.choice import Candidate, Choice
from ml.serve.machine import machine_kind
from ml.serve.way import Way

EXACT = Way("torch", "fp32", "exact")
QUICK = Way("openvino", "bf16", "direct", 2)


def test_a_choice_goes_into_a_record_and_comes_out_of_it() -> None:
    quick = Candidate(QUICK, 100.0, 9.5, 1.0, 0.004, 200, passed=True)
    choice = Choice(QUICK, machine_kind(), (quick, Candidate(EXACT, 40.0, 25.0, None, None, 0, passed=True)))
    assert Choice.read(json.loads(json.dumps(choice.content()))) == choice


@pytest.mark.parametrize("content", [None, {}, {"way": {"engine": "abacus"}, "machine": "", "candidates": []}])
def test_a_record_that_is_no_choice_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Choice.read(content)


def test_a_kind_of_machine_names_processor_cores_and_libraries() -> None:
    kind = machine_kind("cpu")
    assert kind == machine_kind("cpu")
    assert " cores, torch 2." in kind
    assert "openvino 20" in kind
