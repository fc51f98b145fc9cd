"""Which ways a machine has: the one that a run's validation went, and those that may be quicker."""

from dataclasses import replace
from typing import cast

import torch

from ml import cores
from ml.errors import PrecisionUnsupported
from ml.learn.precision import Precision, choose_precision
from ml.serve.description import Description
from ml.serve.way import NumberFormat, Way

MANY_CORES = 4


def exact_way(about: Description, device: torch.device) -> Way:
    """Torch, validation's resize, and validation's precision."""
    return Way("torch", cast("NumberFormat", _precision(about, device).name), "exact")


def quick_ways(exact: Way, device: torch.device) -> tuple[Way, ...]:
    """Those worth a try beside the exact one, with the direct input; the quickest is likely to stand first."""
    plain = replace(exact, input="direct")
    formats = dict.fromkeys(
        cast("NumberFormat", name) for name in (choose_precision("auto", device).name, exact.precision)
    )
    if device.type == "cuda":
        return (*(Way("cuda_graphs", name, "direct") for name in formats), plain)
    # fp16 is for GPUs; fp32 is every processor's.
    names = [name for name in dict.fromkeys([*formats, "fp32"]) if name != "fp16"]
    return (*(Way("openvino", name, "direct", streams) for name in names for streams in _streams()), plain)


def _streams() -> list[int]:
    """A picture on each core, or on each two of many cores, which share what they read."""
    most = cores.worth_starting()
    return [most, most // 2] if most >= MANY_CORES else [most]


def _precision(about: Description, device: torch.device) -> Precision:
    """The precision that the validation ran in, so that a served answer is the stored one; else the device's own.

    The latter is for a device that does not run the former, or only emulates it: a CPU never runs fp16, and without
    instructions for bf16 it takes several times as long as in fp32.
    """
    own = choose_precision("auto", device)
    try:
        trained = choose_precision(about.precision, device)
    except PrecisionUnsupported:
        return own
    emulated = trained.name == "bf16" and own.name != "bf16"
    return own if emulated else trained
