"""Which device and number format a run uses, and why; and loss scaling for float16."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.amp import GradScaler

from ml.errors import DeviceUnavailable, LossDiverged, PrecisionUnsupported

_FIRST_SCALE, _LEAST_SCALE = 65536.0, 1.0
"""Below the least gradients would be made smaller than they are."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """``name`` is fp32, bf16 or fp16; ``reason`` a sentence for the record."""

    name: str
    reason: str

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.name]

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        return torch.autocast(device.type, dtype=self.dtype, enabled=self.name != "fp32")


def choose_device(asked: str) -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU.

    Raises:
        DeviceUnavailable: cuda was asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable(
            "PEDIGREE_DEVICE is cuda, but torch finds no CUDA device", hint="Set PEDIGREE_DEVICE=auto."
        )
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(asked)


def choose_precision(asked: str, device: torch.device) -> Precision:
    """Resolve ``auto`` and refuse what the device does not run.

    Raises:
        PrecisionUnsupported: fp16 on a CPU.
    """
    if asked == "auto":
        return _best_cuda() if device.type == "cuda" else _best_cpu()
    if asked == "fp16" and device.type == "cpu":
        raise PrecisionUnsupported(
            "fp16 does not train on a CPU: its range needs loss scaling, which runs on CUDA only",
            hint='Use precision "auto", "bf16" or "fp32".',
        )
    return Precision(asked, "asked for")


def _best_cuda() -> Precision:
    name = torch.cuda.get_device_name()
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("bf16", f"{name} computes in bf16")
    return Precision("fp16", f"{name} has no bf16; fp16 with loss scaling")


def _best_cpu() -> Precision:
    flags = cpu_flags()
    for flag in ("amx_bf16", "avx512_bf16"):
        if flag in flags:
            return Precision("bf16", f"this CPU has {flag}")
    return Precision("fp32", "this CPU has neither avx512_bf16 nor amx_bf16")


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The first processor's feature flags; empty where the system does not tell."""
    if not cpuinfo.exists():
        return frozenset()
    for line in cpuinfo.read_text(errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def make_scaler(precision: Precision, device: torch.device) -> GradScaler:
    """A fresh one, which keeps float16 gradients in range and does nothing in other formats.

    It halves its scale after an overflow and doubles it after 2000 good steps. The scale lies on the device: asking for
    it waits until the device is there.
    """
    return GradScaler(device.type, init_scale=_FIRST_SCALE, enabled=precision.name == "fp16")


def check_scale(scaler: GradScaler) -> None:
    """Look whether gradients still overflow where nothing scales them. Waits for the device, in float16 alone.

    Raises:
        LossDiverged: they do, so that it is the training and not the number format.
    """
    if scaler.get_scale() < _LEAST_SCALE:
        detail = f"the gradients overflow in fp16 at a loss scale of {_LEAST_SCALE:g}, the smallest there is"
        raise LossDiverged(detail, hint="Lower the learning rate, or train in bf16 or fp32.")


def why_skipped(scaler: GradScaler) -> str:
    """What is told of steps that changed nothing. Waits for the device."""
    return f"were skipped: their gradients overflowed in fp16, and the loss scale is now {scaler.get_scale():g}"
