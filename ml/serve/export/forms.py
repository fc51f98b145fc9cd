"""The formats by name, for those who need no more of them."""

from typing import Literal

Form = Literal["onnx", "openvino", "torchscript", "safetensors"]
EXPORT_VERSION = 2
"""Goes up with every change of what an export holds: one that is kept is made anew then."""
