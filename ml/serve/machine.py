"""What a measured choice holds for: a processor, what may be used of it, and the libraries that compute."""

from importlib.metadata import version

import torch

from ml import cores
from ml.learn.precision import choose_device, cpu_flags
from ml.processor import processor_name

_LIBRARIES = ("torch", "openvino")
_FLAGS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "bf16")
"""Those that decide which numbers are quick; ``bf16`` is Arm's."""


def machine_kind(device: str = "auto") -> str:
    """One line, equal on machines where one choice does for all.

    Raises:
        DeviceUnavailable: the device is not there.
    """
    chosen = choose_device(device)
    processor = torch.cuda.get_device_name() if chosen.type == "cuda" else _cpu()
    return ", ".join([processor, *(f"{name} {version(name)}" for name in _LIBRARIES)])


def _cpu() -> str:
    flags = cpu_flags()
    return ", ".join([processor_name(), *(flag for flag in _FLAGS if flag in flags), f"{cores.worth_starting()} cores"])
