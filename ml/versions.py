"""The installed learning stack: what is there and whether its parts fit each other."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from ml.errors import TorchMismatch
from ml.late import import_torchvision

_PACKAGES = ("torch", "torchvision", "numpy", "pillow")
_PYTORCH_SPLIT = 15
"""torchvision 0.N was built for torch 2.(N - 15), since torch 2.0 and torchvision 0.15."""


def installed_versions() -> dict[str, str]:
    """Package versions and Python's own; a missing package is left out."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def check_versions() -> None:
    """Import torchvision and say plainly when it does not fit torch.

    Raises:
        TorchMismatch: the two are missing or were built for each other's other versions.
    """
    found = installed_versions()
    pair = f"torch {found.get('torch', 'missing')} and torchvision {found.get('torchvision', 'missing')}"
    try:
        import_torchvision()
    except (RuntimeError, ImportError, OSError) as error:
        said = " ".join(str(error).split())
        raise TorchMismatch(f"{pair} do not fit each other ({said})", hint=_fitting(found.get("torch"))) from error


def _fitting(torch_version: str | None) -> str:
    if torch_version is None or not torch_version.startswith("2."):
        return "Install the versions of requirements.lock."
    minor = int(torch_version.split(".")[1])
    return (
        f"torch {torch_version} needs torchvision 0.{minor + _PYTORCH_SPLIT}; requirements.lock names a fitting pair."
    )


def main() -> int:
    """Check; the exit status."""
    try:
        check_versions()
    except TorchMismatch as error:
        sys.stderr.write(f"{error.code}: {error.detail}. {error.hint}\n")
        return 1
    return 0
