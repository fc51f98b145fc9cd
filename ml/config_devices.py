"""Several devices that train one model together."""

from typing import Literal

from pydantic import Field

from ml.config_rules import Devices, Strict

LEAST_PER_DEVICE = 2
"""Batch normalization has no statistics of a single photo, where each device takes its own."""


class SeveralDevices(Strict):
    """How many, and what they share beside the gradients."""

    devices: Devices = Field(
        1,
        description="GPUs of one host that train together, each on its part of every batch; all: as many as the "
        "worker has; on a CPU so many processes share it, which is no quicker",
    )
    batch_norm: Literal["sync", "local"] = Field(
        "sync",
        description="on several devices, sync: BatchNorm's statistics are those of the whole batch, as on one device; "
        "local: each device takes its own photos' and all keep the mean, which is quicker and another training",
    )
