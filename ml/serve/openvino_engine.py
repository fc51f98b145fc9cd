"""The network run by OpenVINO on the CPU.

Pictures are not put together: one each, as many beside each other as there are streams, is as quick as batches, and
needs one shape alone. A picture that comes alone gets all cores.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import numpy as np
from torch import nn

from ml import cores
from ml.augment.lighting import MEAN, STD
from ml.serve.engine import Prepared
from ml.serve.numpy_head import NumpyHead
from ml.serve.openvino_door import CompiledModel, Core, Model, Tensor
from ml.serve.outputs import Floats, Outputs
from ml.serve.way import NumberFormat

_SCALE = (1 / (255 * np.array(STD))).astype(np.float32)
_SHIFT = (np.array(MEAN) / np.array(STD)).astype(np.float32)
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class _Pass:
    """One picture at a time through a compiled body, in memory that is its own."""

    def __init__(self, compiled: CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        normalised = np.empty(tuple(compiled.input(0).shape), np.float32)
        self._request.set_input_tensor(Tensor(normalised, shared_memory=True))
        self._shape = height, width, channels = normalised.shape[1:]
        self._rows = normalised.reshape(height, width * channels)
        # By rows: by pixels numpy's loops would be three numbers long, which takes seven times as long.
        self._scale, self._shift = np.tile(_SCALE, width), np.tile(_SHIFT, width)

    def of(self, picture: Prepared) -> Floats:
        """What the head goes on from, [1, 2·channels]."""
        if picture.shape != self._shape:
            raise ValueError(f"a picture has the shape {picture.shape}, and {self._shape} is wanted")
        np.multiply(picture.reshape(self._rows.shape), self._scale, out=self._rows)
        self._rows -= self._shift
        self._request.infer()
        pooled: Floats = self._request.get_output_tensor().data.copy()
        return pooled


class OpenVinoEngine:
    """``streams`` pictures at a time share the cores, and as many wait in OpenVINO's own queue.

    So a stream that ends a picture begins the next at once, and not after a thread of Python's has had its turn.
    The head is in fp32, whatever the body's precision: it is a thousandth of the work.
    """

    batch = 1
    """Each picture is answered when its own pass ends, and not with the last of many."""

    def __init__(self, model: Model, head: nn.Sequential, precision: NumberFormat, streams: int) -> None:
        self.concurrency = 2 * streams
        compiled = compile_model(model, precision, streams)
        self._passes: SimpleQueue[_Pass] = SimpleQueue()
        for _ in range(self.concurrency):
            self._passes.put(_Pass(compiled))
        self._single: _Pass | None = _Pass(compiled if streams == 1 else compile_model(model, precision, 1))
        self._head = NumpyHead(head)
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="openvino")
        self._running = 0
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        """Each picture's body on its own, and one head for all."""
        with self._counted() as alone:
            pooled = self._pooled(inputs, alone=alone)
        return self._head.outputs(pooled)

    def close(self) -> None:
        """End the threads and drop the compiled graphs."""
        self._pool.shutdown()
        self._passes = SimpleQueue()
        self._single = None

    @contextmanager
    def _counted(self) -> Iterator[bool]:
        """Whether nobody else is in ``run``."""
        with self._lock:
            self._running += 1
            alone = self._running == 1
        try:
            yield alone
        finally:
            with self._lock:
                self._running -= 1

    def _pooled(self, inputs: Sequence[Prepared], *, alone: bool) -> Floats:
        if len(inputs) > 1:
            return np.concatenate(list(self._pool.map(self._of_one, inputs)))
        # In the thread that asks: to another and back again costs more than it seems where all cores are at work.
        single = self._single if alone else None
        return self._of_one(inputs[0]) if single is None else single.of(inputs[0])

    def _of_one(self, picture: Prepared) -> Floats:
        one = self._passes.get()
        try:
            return one.of(picture)
        finally:
            self._passes.put(one)


def compile_model(model: Model, precision: NumberFormat, streams: int) -> CompiledModel:
    """For the CPU, with the cores that this process may use."""
    wanted = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(cores.worth_starting()),
        # Others work on the same cores: those who decode, and other models.
        "ENABLE_CPU_PINNING": "NO",
    }
    return Core().compile_model(model, "CPU", wanted)
