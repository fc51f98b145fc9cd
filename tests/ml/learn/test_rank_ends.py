"""How a training on several devices ends, by what its processes say last."""

import errno
import os
import pickle
from typing import Any, cast

import pytest

from ml.errors import DiskFull, ImageRejected, NoRateFound, PrecisionUnsupported, ProcessLost
from ml.learn import several
from ml.learn.precision import Precision
from ml.learn.rank import _check_same, _unforeseen
from ml.learn.rank_line import Brief, RankOutcome
from ml.learn.trainer import Trainer


def process(rank: int, ended: RankOutcome | None) -> several._Process:
    one = object.__new__(several._Process)
    one.rank, one.ended = rank, ended
    return one


def test_process_0_says_all_it_has_to_tell_before_another_s_refusal_counts() -> None:
    refused = RankOutcome("refused", error=NoRateFound("no rate lowers the loss"))
    other = process(1, refused)
    several._raise_told([other])
    assert several._is_bad(other), "it is waited for no longer than for any bad end"
    assert several._cause([other], 2) is refused.error
    with pytest.raises(NoRateFound):
        several._raise_told([other, process(0, refused)])


def test_why_they_lost_each_other_is_told() -> None:
    cause = several._cause([process(1, RankOutcome("lost", words="RuntimeError: no room in /dev/shm"))], 2)
    assert isinstance(cause, ProcessLost)
    assert "no room in /dev/shm" in cause.detail


def test_a_full_disk_is_called_that() -> None:
    said = _unforeseen(object.__new__(Brief), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert isinstance(said.error, DiskFull)


class Unlike:
    """Stands for a group whose process 0 trains in fp16."""

    rank = 1

    def told(self, _words: str) -> str:
        return "fp16"

    def agreed(self, value: float) -> float:
        return value


def test_devices_of_two_kinds_do_not_train_in_two_precisions() -> None:
    trainer = object.__new__(Trainer)
    trainer.precision, trainer.step = Precision("bf16", "it can"), 0
    with pytest.raises(PrecisionUnsupported, match="would train in fp16, and the device of process 2 in bf16"):
        _check_same(trainer, cast("Any", Unlike()))


def test_a_refused_picture_comes_whole_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(ImageRejected("truncated", "it is cut", "Save it again.")))  # noqa: S301 - ours
    assert (error.code, error.detail, error.hint) == ("truncated", "it is cut", "Save it again.")
