"""A choice made in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ml.decode.images import Limits
from ml.serve import choosing
from ml.serve.choice import Sample
from ml.serve.choosing import ChoosingFailed, choose_apart


def choose(folder: Path, *, seconds: float = 120.0) -> None:
    choose_apart(folder, [], Limits(), "cpu", seconds=seconds, started=lambda _: None)


@pytest.mark.thorough
def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    with pytest.raises(ChoosingFailed, match="description cannot be read"):
        choose(tmp_path)


def test_one_that_takes_too_long_or_is_killed_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ChoosingFailed, match=r"longer than 0\.01 seconds"):
        choose(tmp_path, seconds=0.01)
    with pytest.raises(ChoosingFailed, match="ended with code -9"):
        choose_apart(tmp_path, [], Limits(), "cpu", seconds=60, started=lambda process: process.kill())


def test_what_is_no_choice_is_refused() -> None:
    for out in (b"", b"nonsense", b"{}"):
        with pytest.raises(ChoosingFailed, match="printed no choice"):
            choosing._read(0, out)


def test_what_is_sent_is_read_again() -> None:
    samples = [Sample(b"\n\x00photo", np.array([0.25, 0.75], np.float32)), Sample(b"", np.array([1, 0], np.float32))]
    written = choosing._written(Path("model"), samples, Limits(), "cpu")
    line, _, photos = written.partition(b"\n")
    assert photos == b"\n\x00photo"
    assert [one["bytes"] for one in json.loads(line)["samples"]] == [7, 0]
    assert Limits(**json.loads(line)["limits"]) == Limits()


@pytest.mark.thorough
def test_it_does_not_begin_for_a_parent_that_is_gone() -> None:
    command = [sys.executable, "-m", "ml.serve.choosing", str(os.getppid())]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
