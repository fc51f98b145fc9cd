"""Each engine alone and with decoding: pictures per second, core-milliseconds a picture, and one picture's latency.

    python -m benchmarks.engines MODEL PHOTOS [--turns 3]

MODEL is a folder with ``model.json`` and ``model.safetensors``, PHOTOS one with JPEGs. Ways take turns, so that a drift
of the machine falls on each of them. ``core_ms`` is what a picture takes of all cores together, which neighbours do
not change as they change the clock. Prints a JSON object a way, and one of the machine.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch

from ml import cores
from ml.decode.images import Limits
from ml.learn.precision import choose_device
from ml.serve.classifier import Classifier
from ml.serve.description import Description
from ml.serve.engine import Prepared
from ml.serve.machine import machine_kind
from ml.serve.way import Way
from ml.serve.ways import exact_way, quick_ways

PHOTOS = 64
BATCHES = (1, 16, 64)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    files = [path.read_bytes() for path in sorted(asked.photos.glob("*.jpg"))[:PHOTOS]]
    print(json.dumps({"machine": machine_kind(asked.device), "photos": len(files), "turns": asked.turns}), flush=True)
    models = [Classifier.load(asked.model, asked.device, way) for way in ways(asked.model, asked.device)]
    for model in models:
        model.warm_up()
    turns = [[measured(model, files) for model in models] for _ in range(asked.turns)]
    for model, *figures in zip(models, *turns, strict=True):
        told = {name: round(median(one[name] for one in figures), 2) for name in figures[0]}
        print(json.dumps({**asdict(model.way), **told}), flush=True)


def ways(folder: Path, device: str) -> Iterator[Way]:
    """The exact one, those that registration tries, and of these one request over all cores."""
    chosen = choose_device(device)
    exact = exact_way(Description.read(folder / "model.json"), chosen)
    yield exact
    for way in quick_ways(exact, chosen):
        yield way
        if way.engine == "openvino" and way.streams > 1:
            yield replace(way, streams=1)


def measured(model: Classifier, files: Sequence[bytes]) -> dict[str, float]:
    """One turn of a way."""
    found: dict[str, float] = {}
    prepared = [model.prepare(data, Limits()) for data in files]
    with (
        ThreadPoolExecutor(max(model.concurrency, 1)) as forward,
        ThreadPoolExecutor(cores.worth_starting()) as decoders,
    ):
        for batch in BATCHES:
            parts = [prepared[first : first + batch] for first in range(0, len(prepared), batch)]
            found |= _told(f"engine_{batch}", len(files), partial(_passes, forward, model, parts))
        found["single_ms"] = median(_clock(partial(model.run, [one])) for one in prepared[:8])
        found |= _told("prepare", len(files), lambda: [model.prepare(data, Limits()) for data in files])

        def whole() -> None:
            inputs = list(decoders.map(lambda data: model.prepare(data, Limits()), files))
            _passes(forward, model, [inputs[first : first + 16] for first in range(0, len(inputs), 16)])

        found |= _told("engine_and_decode", len(files), whole)
    return found


def _passes(forward: ThreadPoolExecutor, model: Classifier, parts: Sequence[Sequence[Prepared]]) -> None:
    list(forward.map(model.run, parts))


def _clock(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return 1000 * (perf_counter() - begun)


def _told(name: str, pictures: int, work: Callable[[], object]) -> dict[str, float]:
    before = process_time()
    clock = _clock(work)
    used = process_time() - before
    return {f"{name}_per_s": 1000 * pictures / clock, f"{name}_core_ms": 1000 * used / pictures}


if __name__ == "__main__":
    torch.set_num_threads(cores.worth_starting())
    main()
