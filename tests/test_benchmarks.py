"""What the benchmark beside fastai counts and hands on."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.train_vs_fastai import mcnemar, over_seeds


@pytest.mark.parametrize(("here", "there", "p"), [(0, 0, 1.0), (0, 6, 0.03125), (2, 8, 0.109375), (5, 5, 1.0)])
def test_mcnemar_s_p_is_that_of_an_even_coin(here: int, there: int, p: float) -> None:
    assert mcnemar(here, there) == pytest.approx(p)
    assert mcnemar(there, here) == pytest.approx(p)


def test_over_the_seeds_a_picture_counts_once_and_for_the_side_that_was_right_more_often() -> None:
    first = {"a": (True, False), "b": (True, True), "c": (False, True), "d": (False, True)}
    second = {"a": (True, False), "b": (False, True), "c": (True, False), "d": (False, True)}
    told = over_seeds([first, second])
    assert told["pedigree"] == pytest.approx(4 / 8)
    assert told["fastai"] == pytest.approx(3 / 8)
    assert (told["more_often_right_here"], told["more_often_right_there"]) == (1, 2)
    assert told["sign_test_p"] == mcnemar(1, 2)


def test_fastai_is_given_the_environment_as_it_was_before_ours_was_set() -> None:
    untouched = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import json, os; from benchmarks.train_vs_fastai import STOCK_ENVIRONMENT as e; "
    code += "print(json.dumps([e.get('GOMP_SPINCOUNT'), os.environ.get('GOMP_SPINCOUNT')]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=untouched)
    stock, ours = json.loads(done.stdout)
    assert stock is None
    assert ours is not None
