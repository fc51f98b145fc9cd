"""On how many devices a training runs."""

from typing import Literal

import torch

from ml.config_devices import LEAST_PER_DEVICE
from ml.cores import worth_starting
from ml.errors import DeviceUnavailable


def count_devices(asked: int | Literal["all"], device: torch.device, batch_size: int) -> int:
    """How many there are to be, of the kind that was chosen; each takes its share of a batch.

    A CPU is one device, which as many processes can share as it has cores.

    Raises:
        DeviceUnavailable: there are fewer than were asked for, or more than a batch has photos for.
    """
    if asked == 1:
        return 1
    if device.type == "cpu":
        return 1 if asked == "all" else _processes(asked)
    there = torch.cuda.device_count()
    if asked != "all" and asked > there:
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(there))
        raise DeviceUnavailable(f"{asked} devices were asked for, and this machine has {there} ({names})", _less(there))
    count = there if asked == "all" else asked
    if count > 1 and batch_size < LEAST_PER_DEVICE * count:
        detail = f"a batch of {batch_size} has fewer than {LEAST_PER_DEVICE} photos for each of this machine's {count}"
        hint = f"Set devices to {max(1, batch_size // LEAST_PER_DEVICE)} or less, or raise batch_size."
        raise DeviceUnavailable(f"{detail} devices", hint)
    return count


def _processes(asked: int) -> int:
    cores = worth_starting()
    if asked > cores:
        has = f"this machine has no GPU, but a CPU with {cores} core{'s' if cores > 1 else ''} for as many processes"
        raise DeviceUnavailable(f"{asked} devices were asked for, and {has}", _less(cores))
    return asked


def _less(there: int) -> str:
    return f"Set devices to {there}{' or less' if there > 1 else ''}, or start a worker where there are more."
