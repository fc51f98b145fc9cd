"""What a model puts out for pictures."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Output:
    """Of one input: logits float32 [classes] and features float32 [features]."""

    logits: Floats
    features: Floats


@dataclass(frozen=True)
class Outputs:
    """Of a batch: logits float32 [n, classes] and features float32 [n, features]."""

    logits: Floats
    features: Floats

    def __iter__(self) -> Iterator[Output]:
        return (Output(*row) for row in zip(self.logits, self.features, strict=True))
