"""Many pictures, one after the other: decoded by several threads, answered a batch at a time, and none kept."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch

from ml.cores import worth_starting
from ml.decode.images import Limits
from ml.errors import ImageRejected
from ml.serve.classifier import Classifier
from ml.serve.engine import Prepared
from ml.serve.judgement import JudgedScores
from ml.serve.one_core import use_one_core

_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class Picture:
    """A picture by its path; ``read`` brings the file's bytes."""

    path: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Answer:
    """What is thought of a picture, or why it could not be used."""

    path: str
    judged: JudgedScores | None
    error: ImageRejected | None = None


def predict_many(classifier: Classifier, pictures: Iterable[Picture], limits: Limits, batch: int) -> Iterator[Answer]:
    """An answer for each picture, in order; what is in memory at a time is some batches of them.

    Raises:
        DatasetUnusable: as ``read`` does.
    """
    waiting: deque[tuple[str, Future[Prepared]]] = deque()
    own = (torch.get_num_threads(),)
    with ThreadPoolExecutor(worth_starting(), "decode", use_one_core, own) as pool:
        try:
            for picture in pictures:
                waiting.append((picture.path, pool.submit(_prepared, classifier, picture, limits)))
                if len(waiting) >= batch * _BATCHES_AHEAD:
                    yield from _answers(classifier, waiting, batch)
            while waiting:
                yield from _answers(classifier, waiting, batch)
        finally:
            for _, prepared in waiting:
                prepared.cancel()


def _prepared(classifier: Classifier, picture: Picture, limits: Limits) -> Prepared:
    return classifier.prepare(picture.read(), limits)


def _answers(classifier: Classifier, waiting: deque[tuple[str, Future[Prepared]]], batch: int) -> Iterator[Answer]:
    """Those of the first ``batch`` that wait."""
    taken = [waiting.popleft() for _ in range(min(batch, len(waiting)))]
    refused: dict[int, ImageRejected] = {}
    usable = []
    for index, (_, prepared) in enumerate(taken):
        try:
            usable.append(prepared.result())
        except ImageRejected as error:
            refused[index] = error
    outputs = iter(classifier.run(usable) if usable else ())
    for index, (path, _) in enumerate(taken):
        if index in refused:
            yield Answer(path, None, refused[index])
        else:
            yield Answer(path, classifier.judge([next(outputs)]))
