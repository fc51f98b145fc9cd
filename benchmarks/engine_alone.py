"""What the engine does with nothing before it, and with the decoding before it: the most that a service can reach.

    python -m benchmarks.engine_alone MODEL PHOTOS SECONDS [--decode]

MODEL is a folder with a version's files and ``way.json``. As many pictures are kept on their way as 32 clients would.
"""

import argparse
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from api.http.telemetry import Telemetry
from api.serving.batching import Batcher, Place
from api.serving.decoding import DECODERS
from benchmarks.load import MOST_PHOTOS, WARM_SECONDS
from ml.decode.images import Limits
from ml.serve.classifier import Classifier
from ml.serve.outputs import Output
from ml.serve.way import Way

UNDERWAY = 32
BATCH = 32


class Engine:
    """The queue of the service without the service: whatever is answered is followed by another."""

    def __init__(self, classifier: Classifier, photos: Sequence[bytes], *, decode: bool) -> None:
        self.classifier = classifier
        self.batcher = Batcher(queue=2 * UNDERWAY, batch=BATCH, telemetry=Telemetry())
        self.answered = 0
        self._decode = decode
        self._photos: Iterator[bytes] = itertools.cycle(photos)
        self._prepared = itertools.cycle([classifier.prepare(photo, Limits()) for photo in photos[:UNDERWAY]])
        self._threads = ThreadPoolExecutor(DECODERS)
        self._lock = threading.Lock()
        self._ended = False

    def run(self, seconds: float) -> float:
        """Pictures a second, after a while to warm up."""
        self.batcher.start()
        with self.batcher.places(UNDERWAY) as place:
            for _ in range(UNDERWAY):
                self._next(place)
            time.sleep(WARM_SECONDS)
            before, begun = self.answered, time.perf_counter()
            time.sleep(seconds)
            rate = (self.answered - before) / (time.perf_counter() - begun)
            self._ended = True
        self._threads.shutdown()
        self.batcher.stop()
        return rate

    def _next(self, place: Place) -> None:
        if self._ended:
            return
        if self._decode:
            self._threads.submit(self._prepare, place)
        else:
            self._submit(place, next(self._prepared))

    def _prepare(self, place: Place) -> None:
        self._submit(place, self.classifier.prepare(next(self._photos), Limits()))

    def _submit(self, place: Place, prepared: Any) -> None:  # noqa: ANN401 - which only the classifier reads
        def done(_: Sequence[Output] | Exception) -> None:
            with self._lock:
                self.answered += 1
            place.coming += 1
            self._next(place)

        self.batcher.submit(self.classifier, [prepared], place, done, lambda: None)


def main() -> None:
    """Measure, print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--decode", action="store_true")
    asked = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(asked.photos.glob("*.jpg"))[:MOST_PHOTOS]]
    said = json.loads((asked.model / "way.json").read_text())
    classifier = Classifier.load(asked.model, "cpu", None if said is None else Way(**said))
    classifier.warm_up()
    rate = Engine(classifier, photos, decode=asked.decode).run(asked.seconds)
    print(json.dumps({"requests_per_second": round(rate, 2)}))


if __name__ == "__main__":
    main()
