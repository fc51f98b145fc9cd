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
import torch
from torch import nn

from ml import cores
from ml.augment.lighting import MEAN, STD
from ml.learn.model import outputs_of_pooled
from ml.serve.engine import Prepared
from ml.serve.openvino_door import CompiledModel, Core, InferRequest, Model
from ml.serve.outputs import Floats, Outputs
from ml.serve.way import NumberFormat

_SCALE = (1 / (255 * np.array(STD))).astype(np.float32)
_SHIFT = (np.array(MEAN) / np.array(STD)).astype(np.float32)
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEngine:
    """``streams`` pictures at a time share the cores.

    The head is torch's in fp32, whatever the body's precision: it is a thousandth of the work.
    """

    batch = 1
    """Each picture is answered when its own pass ends, and not with the last of many."""

    def __init__(self, model: Model, head: nn.Sequential, precision: NumberFormat, streams: int) -> None:
        self.concurrency = streams
        compiled = compile_model(model, precision, streams)
        self._requests: SimpleQueue[InferRequest] = SimpleQueue()
        for _ in range(streams):
            self._requests.put(compiled.create_infer_request())
        single = compiled if streams == 1 else compile_model(model, precision, 1)
        self._single: InferRequest | None = single.create_infer_request()
        self._head = head
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="openvino")
        self._running = 0
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        """Each picture's body on its own, and one head for all."""
        with self._counted() as alone, torch.inference_mode():
            one_by_one = (
                map(self._of_single, inputs) if alone and len(inputs) == 1 else self._pool.map(self._of_one, inputs)
            )
            pooled = torch.from_numpy(np.concatenate(list(one_by_one)))
            return Outputs(*(tensor.numpy() for tensor in outputs_of_pooled(self._head, pooled)))

    def close(self) -> None:
        """End the threads and drop the compiled graphs."""
        self._pool.shutdown()
        self._requests = SimpleQueue()
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

    def _of_single(self, picture: Prepared) -> Floats:
        return _infer(self._single, picture)

    def _of_one(self, picture: Prepared) -> Floats:
        request = self._requests.get()
        try:
            return _infer(request, picture)
        finally:
            self._requests.put(request)


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


def _infer(request: InferRequest, picture: Prepared) -> Floats:
    normalised = picture * _SCALE
    normalised -= _SHIFT
    pooled: Floats = request.infer([normalised[None]], share_inputs=True)[0]
    return pooled
