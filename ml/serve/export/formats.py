"""The formats: what each writes. What reads them is carried along with them."""

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ml.run_files import DESCRIPTION, WEIGHTS
from ml.serve.export.forms import Form
from ml.serve.export.portable import Portable
from ml.serve.openvino_door import openvino

Write = Callable[[Portable, Path], None]


@dataclass(frozen=True)
class Format:
    """``packages`` are those that the carried script needs beside numpy and Pillow."""

    write: Write
    packages: tuple[str, ...]


def write_onnx(model: Portable, folder: Path) -> None:
    """One file, ``model.onnx``.

    Raises:
        ExportRefused: the network does not fit one file.
    """
    (folder / "model.onnx").write_bytes(model.onnx)


def write_openvino(model: Portable, folder: Path) -> None:
    """``model.xml`` and ``model.bin``, by way of ONNX: the converter from torch would ask to send usage data.

    Raises:
        ExportRefused: as :func:`write_onnx`.
    """
    openvino.save_model(openvino.Core().read_model(model.onnx), folder / "model.xml", compress_to_fp16=False)


def write_torchscript(model: Portable, folder: Path) -> None:
    """One file, ``model.pt``, that torch reads without any of our code."""
    side = model.about.presize
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        # Deprecated in favour of torch.export, which writes no TorchScript.
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        # Swin asks about sizes, which are the same for every picture.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean")
        traced = torch.jit.trace(model.network, (example,), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, folder / "model.pt")


def write_safetensors(model: Portable, folder: Path) -> None:
    """The run's own weights and description, byte for byte; the carried script builds the network around them."""
    for name in (WEIGHTS, DESCRIPTION):
        shutil.copyfile(model.folder / name, folder / name)


FORMATS: dict[Form, Format] = {
    "onnx": Format(write_onnx, ("onnxruntime",)),
    "openvino": Format(write_openvino, ("openvino",)),
    "torchscript": Format(write_torchscript, ("torch",)),
    "safetensors": Format(write_safetensors, ("torch", "torchvision", "safetensors")),
}
