"""What computes a model's outputs."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.serve.outputs import Outputs

Prepared = NDArray[np.float32]
"""One input of a model: [size, size, 3] in 0-255, not rounded: that alone moves an unsure probability by 0.03."""


class Engine(Protocol):
    """A network in memory."""

    @property
    def concurrency(self) -> int:
        """How many threads may be in ``run`` at a time to advantage; more may, and wait."""
        ...

    @property
    def batch(self) -> int | None:
        """The most pictures that one ``run`` is good for; None: as many as there are."""
        ...

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        """From pictures to outputs, in their order; callable from any thread."""
        ...

    def close(self) -> None:
        """Give the memory back; nobody may be in ``run`` then or later."""
        ...
