"""The queue of pictures by itself: who shares a pass, who waits, who is dropped, what a refused client is told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest

from api.http.telemetry import Telemetry
from api.serving.batching import Batcher
from api.serving.pace import Pace
from ml.serve.outputs import Output, Outputs
from store.errors import AppError, ServiceUnavailable, TooBusy
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.patience import PATIENCE_SECONDS


class Gated(FakeClassifier):
    """Lets one pass through for each time that it is told to."""

    def __init__(self, concurrency: int = 1) -> None:
        super().__init__(("a", "b", "c"), "resnet18", drawn=False)
        self.concurrency = concurrency
        self.passes: list[list[float]] = []
        self.may_end = threading.Semaphore(0)

    def run(self, batch: Sequence[Any]) -> Outputs:
        self.passes.append([float(one[0]) for one in batch])
        assert self.may_end.acquire(timeout=PATIENCE_SECONDS)
        return Outputs(np.stack(batch), np.stack(batch))


@contextmanager
def batching(queue: int = 64, batch: int = 4) -> Iterator[Batcher]:
    batcher = Batcher(queue=queue, batch=batch, telemetry=Telemetry())
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.stop()


class Sender:
    """Sends single pictures, each a request, and notes what comes of them."""

    def __init__(self, batcher: Batcher, classifier: FakeClassifier) -> None:
        self.batcher, self.classifier = batcher, classifier
        self.held = ExitStack()
        self.told: dict[int, Sequence[Output] | Exception] = {}
        self.over: dict[int, AppError] = {}

    def send(self, *numbers: int, copies: int = 1) -> None:
        for number in numbers:
            place = self.held.enter_context(self.batcher.places(copies))
            pictures = [np.full(3, number + 0.1 * copy, np.float32) for copy in range(copies)]
            self.batcher.submit(
                self.classifier,
                pictures,
                place,
                lambda found, number=number: self.told.__setitem__(number, found),  # type: ignore[misc]
                lambda number=number: self.over.get(number),  # type: ignore[misc]
            )


def test_the_oldest_go_first_and_share_passes() -> None:
    classifier = Gated()
    with batching() as batcher:
        sender = Sender(batcher, classifier)
        sender.send(0)
        until(lambda: classifier.passes == [[0]])
        sender.send(1, 2, 3, 4, 5, 6)
        classifier.may_end.release(9)
        until(lambda: len(sender.told) == 7)
        assert classifier.passes == [[0], [1, 2, 3, 4], [5, 6]]


def test_as_many_passes_run_at_once_as_the_engine_is_good_for() -> None:
    classifier = Gated(concurrency=2)
    with batching(batch=1) as batcher:
        sender = Sender(batcher, classifier)
        sender.send(0, 1, 2)
        until(lambda: len(classifier.passes) == 2)
        assert [thread.name for thread in threading.enumerate()].count("forward") == 2
        classifier.may_end.release()
        until(lambda: classifier.passes == [[0], [1], [2]])
        classifier.may_end.release(2)
        until(lambda: len(sender.told) == 3)


def test_a_request_of_several_pictures_gets_as_many_threads_at_once() -> None:
    classifier = Gated(concurrency=4)
    with batching(batch=1) as batcher:
        sender = Sender(batcher, classifier)
        sender.send(0, copies=3)
        until(lambda: len(classifier.passes) == 3)
        classifier.may_end.release(3)
        until(lambda: len(sender.told) == 1)


def test_a_thread_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Gated(concurrency=4)
    with batching(batch=1) as batcher:

        def refused(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refused)
        sender = Sender(batcher, classifier)
        sender.send(0, 1, 2)
        classifier.may_end.release(9)
        until(lambda: len(sender.told) == 3)
        assert not any(isinstance(found, Exception) for found in sender.told.values())


def test_who_cannot_be_told_ends_no_thread() -> None:
    """The loop of a request may be closed by the time its answer is there."""
    classifier = Gated()
    classifier.may_end.release(9)
    with batching() as batcher:
        sender = Sender(batcher, classifier)

        def closed(_found: Sequence[Output] | Exception) -> None:
            raise RuntimeError("Event loop is closed")

        batcher.submit(classifier, [np.zeros(3, np.float32)], sender.held.enter_context(batcher.places(1)), closed, no)
        sender.send(1)
        until(lambda: 1 in sender.told)
        assert batcher.is_busy
        sender.held.close()
        assert not batcher.is_busy


@pytest.mark.parametrize("count", [0, 2])
def test_outputs_of_another_number_are_nobodys_answer(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Gated()
    classifier.may_end.release(9)
    wrong = Outputs(np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32))
    with batching() as batcher, monkeypatch.context() as patched:
        sender = Sender(batcher, classifier)
        patched.setattr(classifier, "run", lambda _batch: wrong)
        sender.send(0)
        until(lambda: isinstance(sender.told.get(0), ValueError))
        patched.undo()
        sender.send(1)
        until(lambda: 1 in sender.told)
        assert not isinstance(sender.told[1], Exception)


def no() -> None:
    """Somebody waits."""


def test_an_engine_that_is_good_for_small_passes_gets_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Gated()
    monkeypatch.setattr(classifier, "batch", 1)
    with batching() as batcher:
        sender = Sender(batcher, classifier)
        sender.send(0, 1, 2)
        classifier.may_end.release(3)
        until(lambda: len(sender.told) == 3)
        assert classifier.passes == [[0], [1], [2]]


def test_a_pass_waits_for_pictures_that_are_on_their_way_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Gated()
    classifier.may_end.release(9)
    monkeypatch.setattr("api.serving.batching.GATHER_SECONDS", 20)
    with batching() as batcher:
        sender = Sender(batcher, classifier)
        with batcher.places(1):
            sender.send(0)
            until(lambda: batcher._is_gathering)
            sender.send(1)
            assert classifier.passes == []
        # What was on its way has come to nothing, so that there is no more to wait for.
        sender.send(2)
        until(lambda: len(sender.told) == 3)
        assert classifier.passes in ([[0, 1, 2]], [[0, 1], [2]])
    monkeypatch.setattr("api.serving.batching.GATHER_SECONDS", 0.001)
    with batching() as batcher, batcher.places(1):
        late = Sender(batcher, classifier)
        late.send(7)
        until(lambda: 7 in late.told)


def test_what_nobody_waits_for_takes_part_in_no_pass() -> None:
    classifier, gone = Gated(), AppError("gone")
    with batching() as batcher:
        sender = Sender(batcher, classifier)
        sender.send(0)
        until(lambda: classifier.passes == [[0]])
        sender.send(1, 2)
        sender.over[1] = gone
        classifier.may_end.release(9)
        until(lambda: len(sender.told) == 3)
        assert classifier.passes == [[0], [2]]
        assert sender.told[1] is gone


def test_copies_come_back_together_and_in_their_order() -> None:
    classifier = Gated()
    classifier.may_end.release(9)
    with batching(batch=2) as batcher:
        sender = Sender(batcher, classifier)
        sender.send(1, copies=5)
        until(lambda: 1 in sender.told)
        outputs = sender.told[1]
        assert not isinstance(outputs, Exception)
        assert [float(one.logits[0]) for one in outputs] == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4])


def test_a_refused_client_is_told_the_time_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("api.serving.pace.monotonic", lambda: now[0])
    classifier = Gated()
    with batching(queue=8, batch=1) as batcher:
        sender = Sender(batcher, classifier)
        for number in range(4):
            sender.send(number)
            until(lambda number=number: len(classifier.passes) == number + 1)  # type: ignore[misc]
            now[0] += 1.5
            classifier.may_end.release()
            until(lambda number=number: number in sender.told)  # type: ignore[misc]
        sender.send(4, 5, 6, 7)
        with pytest.raises(TooBusy) as refused, batcher.places(1):
            pass
        # Eight pictures have their places, at one and a half seconds each.
        assert refused.value.headers == {"Retry-After": "12"}
        classifier.may_end.release(9)


def test_a_pace_tells_whole_seconds_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("api.serving.pace.monotonic", lambda: now[0])
    pace = Pace()
    assert pace.seconds_for(1000) == 1
    pace.begin()
    now[0] += 0.1
    pace.add(20)
    assert pace.seconds_for(256) == 2
    assert pace.seconds_for(100_000) == 60
    now[0] += 1000
    pace.begin()  # what lay idle is no slow picture
    now[0] += 0.005
    pace.add(1)
    assert pace.seconds_for(200) == 1


def test_a_stopped_queue_refuses() -> None:
    with batching() as batcher:
        pass
    with pytest.raises(ServiceUnavailable):
        Sender(batcher, Gated()).send(0)
