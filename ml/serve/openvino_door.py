"""The door to OpenVINO, through which nothing of what is done here is told to anyone.

``import openvino`` brings ``openvino_telemetry`` in where it is installed. Every conversion then sends an event to its
makers, unless a file in the home folder says no. Where the package cannot be imported OpenVINO takes a stand-in of its
own, which sends nothing: so it is made unimportable before.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # what Python means by: this import fails

import openvino  # noqa: E402 - not before the line above
from openvino import CompiledModel, Core, Model, PartialShape, Tensor  # noqa: E402

__all__ = ["CompiledModel", "Core", "Model", "PartialShape", "Tensor", "openvino"]
