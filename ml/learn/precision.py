"""Which device and number format a run uses, and why; and loss scaling for float16."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ml.errors import DeviceUnavailable, LossDiverged, PrecisionUnsupported

_LEAST_SCALE = 1.0
"""Below it gradients would be made smaller than they are."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """``name`` is fp32, bf16 or fp16; ``reason`` a sentence for the record."""

    name: str
    reason: str

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The context for forward passes."""
        return torch.autocast(device.type, dtype=_DTYPES[self.name], enabled=self.name != "fp32")


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


@dataclass
class LossScaler:
    """Keeps float16 gradients in range: halves after an overflow, doubles after 2000 good steps.

    ``skipped`` counts the steps that were left out after an overflow; whoever tells of them sets it back.
    """

    enabled: bool
    scale: float = 65536.0
    good_steps: int = 0
    skipped: int = 0

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to run backward from."""
        return loss * self.scale if self.enabled else loss

    def unscale(self, gradients: Sequence[Tensor]) -> bool:
        """Divide the gradients in place; False where one is not finite and the step must be left out.

        Raises:
            LossDiverged: they overflow without any scaling too, so that it is the training and not the number format.
        """
        if not self.enabled:
            return True
        torch._foreach_mul_(list(gradients), 1 / self.scale)
        finite = all(bool(torch.isfinite(g).all()) for g in gradients)
        if not finite:
            self.scale, self.good_steps, self.skipped = self.scale / 2, 0, self.skipped + 1
            if self.scale < _LEAST_SCALE:
                detail = f"the gradients overflow in fp16 at a loss scale of {2 * self.scale:g}, the smallest there is"
                raise LossDiverged(detail, hint="Lower the learning rate, or train in bf16 or fp32.")
            return False
        self.good_steps += 1
        if self.good_steps % 2000 == 0:
            self.scale *= 2
        return True
