"""The way that a run's validation went, as far as this machine can go it."""

from typing import cast

import torch

from ml.errors import PrecisionUnsupported
from ml.learn.precision import Precision, choose_precision
from ml.serve.description import Description
from ml.serve.way import NumberFormat, Way


def exact_way(about: Description, device: torch.device) -> Way:
    """Torch, validation's resize, and validation's precision."""
    return Way("torch", cast("NumberFormat", _precision(about, device).name), "exact")


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
