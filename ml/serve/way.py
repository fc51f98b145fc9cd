"""A way for a model to answer: what computes, in which numbers, from which input."""

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["torch", "openvino", "cuda_graphs"]
NumberFormat = Literal["fp32", "bf16", "fp16"]
InputName = Literal["direct", "two_steps", "exact"]


@dataclass(frozen=True)
class Way:
    """How pictures become outputs.

    ``input`` is exact, which is validation's own; two_steps, the same steps by quicker programs; or direct, drawn from
    the file in one pass. ``streams`` is how many passes run beside each other.
    """

    engine: EngineName
    precision: NumberFormat
    input: InputName
    streams: int = 1
