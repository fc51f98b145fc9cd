"""How quick a way is on this machine, in a second or two."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, process_time, thread_time

import numpy as np
import torch

from ml import cores
from ml.decode.images import Limits
from ml.serve.classifier import Classifier
from ml.serve.one_core import use_one_core

BATCH = 16
"""Pictures that stand for many asking at a time."""
SECONDS = 0.6
MOST_PASSES = 15


def speed(classifier: Classifier, device: torch.device) -> tuple[float, float]:
    """Of the engine alone: pictures per second where many ask, and milliseconds of a lone picture.

    On a CPU the first is what its cores' processor time allows: with many asking they are all at work, and what else
    the machine does while this is measured does not count.
    """
    chance, side = np.random.default_rng(0), classifier.about.size
    many = list(255 * chance.random((BATCH, side, side, 3), np.float32))
    clock = _cores_time if device.type == "cpu" else perf_counter
    return BATCH / _seconds(lambda: classifier.run(many), clock), 1000 * _seconds(lambda: classifier.run(many[:1]))


def prepare_ms(classifier: Classifier, files: Sequence[bytes], limits: Limits) -> float:
    """Processor time of one thread, which takes one core, from a file to the engine's input, milliseconds a picture."""

    def took(data: bytes) -> float:
        begun = thread_time()
        classifier.prepare(data, limits)
        return 1000 * (thread_time() - begun)

    with ThreadPoolExecutor(1, initializer=use_one_core, initargs=(torch.get_num_threads(),)) as thread:
        taken = list(thread.map(took, (files[0], *files)))
    return sum(taken[1:]) / len(files)


def _cores_time() -> float:
    """Seconds that the process has had of all cores together."""
    return process_time() / cores.worth_starting()


def _seconds(run: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """Of one pass, after a first: the median, which a neighbour's moment does not move."""
    run()
    taken: list[float] = []
    end = perf_counter() + SECONDS
    while not taken or (perf_counter() < end and len(taken) < MOST_PASSES):
        begun = clock()
        run()
        taken.append(clock() - begun)
    return median(taken)
