"""What computes a model's outputs."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.serve.outputs import Outputs

Prepared = NDArray[np.uint8] | NDArray[np.float32]
"""One input of a model: [size, size, 3] in 0-255."""


class Engine(Protocol):
    """A network in memory. It takes inputs of the type that it was made for, which are all of one size."""

    @property
    def concurrency(self) -> int:
        """How many threads may be in ``run`` at a time to advantage; more may, and wait."""
        ...

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        """From pictures to outputs, in their order; callable from any thread."""
        ...

    def close(self) -> None:
        """Give the memory back; nobody may be in ``run`` then or later."""
        ...
