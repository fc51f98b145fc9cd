"""How quick a way is on this machine, in a second or two."""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter, thread_time

import numpy as np

from ml.decode.images import Limits
from ml.serve.classifier import Classifier

BATCH = 16
"""Pictures that stand for many asking at a time."""
SECONDS = 0.6
MOST_PASSES = 15


def speed(classifier: Classifier) -> tuple[float, float]:
    """Of the engine alone: pictures per second where many ask, and milliseconds of a lone picture."""
    chance, side = np.random.default_rng(0), classifier.about.size
    many = list(255 * chance.random((BATCH, side, side, 3), np.float32))
    return BATCH / _seconds(lambda: classifier.run(many)), 1000 * _seconds(lambda: classifier.run(many[:1]))


def prepare_ms(classifier: Classifier, files: Sequence[bytes], limits: Limits) -> float:
    """Processor time of one thread from a file to the engine's input, milliseconds a picture."""
    taken = []
    for data in (files[0], *files):
        begun = thread_time()
        classifier.prepare(data, limits)
        taken.append(1000 * (thread_time() - begun))
    return sum(taken[1:]) / len(files)


def _seconds(run: Callable[[], object]) -> float:
    """Of one pass, after a first: the median, which a neighbour's moment does not move."""
    run()
    taken: list[float] = []
    while sum(taken) < SECONDS and len(taken) < MOST_PASSES:
        begun = perf_counter()
        run()
        taken.append(perf_counter() - begun)
    return median(taken)
